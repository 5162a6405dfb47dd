//! Retention: removes old messages by age, by number in their room, or both, if the operator sets
//! it. Called by the writer while nothing waits to be written.
//!
//! With a message goes all that the log has about it: the entries that changed it, its reactions,
//! its words in the index. Nothing else in the log goes, because the tables are made from it. What
//! stays is the message's client id (`spent`), and the highest number that went (`pruned`): from
//! there on the log is whole, and a client that resumes from below starts afresh.
//!
//! A removed message cannot be restored, and a clock can be wrong: so nothing is removed for its
//! age in the first hour after a start, nor while by the clock all messages would be too old.
//!
//! Messages go in small steps, each a transaction of a few rows, so that nobody's message waits.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::chat::Seq;
use crate::crypto::{self, KeyHash};
use crate::limits::{
    PRUNE_OVERDUE_MS, PRUNE_PAGES_KEPT, PRUNE_PAGES_MAX, PRUNE_PAUSE_MS, PRUNE_ROWS_MAX,
    PRUNE_SWEEP_MS, RETAIN_LOOKS_MAX, RETAIN_WAIT_MS,
};
use crate::log;
use crate::store::chain::{self, Link};
use crate::store::{messages, notes};
use crate::time::Time;

/// Which messages are kept; by default all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retain {
    /// Messages stay for this many days; `None`: for ever.
    pub days: Option<u64>,
    /// Each room keeps this many messages, the latest, deleted ones included; `None`: all.
    pub messages: Option<u64>,
}

/// Walks through the rooms, one after the other, again and again.
pub(super) struct Pruner {
    retain: Retain,
    started: Instant,
    stage: Stage,
    /// In this pass, messages older than this are removed; `None`: none for its age.
    cutoff: Option<i64>,
    /// The log says that the first hour is over before a message is removed for its age.
    waiting: bool,
    /// The clock was doubted in the last pass, and the log says so.
    doubting: bool,
    /// Messages were removed since free pages were last given back.
    removed: bool,
    failing: bool,
    due: Instant,
}

enum Stage {
    /// The next room is the first from this number on.
    Rooms(i64),
    /// In this room the messages up to `upto` are too many.
    Room { room: i64, upto: i64 },
    /// All rooms are done; now the file shrinks.
    Pages,
}

/// The result of one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Looked,
    Wrote,
    /// Nothing more to do in this pass.
    Done,
}

impl Pruner {
    /// `None` if everything is kept.
    pub fn new(retain: Retain) -> Option<Pruner> {
        let on = retain.days.is_some() || retain.messages.is_some();
        let (stage, started) = (Stage::Rooms(i64::MIN), Instant::now());
        on.then_some(Pruner {
            retain,
            started,
            stage,
            cutoff: None,
            waiting: false,
            doubting: false,
            removed: false,
            failing: false,
            due: started,
        })
    }

    /// How long to wait for a write before the next step. `None`: the writer has been busy for so
    /// long that the step comes first.
    pub fn rest(&self) -> Option<Duration> {
        let now = Instant::now();
        let overdue = now >= self.due + Duration::from_millis(PRUNE_OVERDUE_MS);
        (!overdue).then(|| self.due.saturating_duration_since(now))
    }

    /// Takes one step, and decides when the next is due. A failed step is tried again.
    pub fn work(&mut self, connection: &Connection) {
        let waited = self.started.elapsed() >= Duration::from_millis(RETAIN_WAIT_MS);
        if self.retain.days.is_some() && !waited && !std::mem::replace(&mut self.waiting, true) {
            log!(Info, "old messages stay for the first hour after a start");
        }
        let pause = match self.step(connection, waited.then(Time::now)) {
            Ok(step) => {
                self.failing = false;
                match step {
                    Step::Looked => 0,
                    Step::Wrote => PRUNE_PAUSE_MS,
                    Step::Done => PRUNE_SWEEP_MS,
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    log!(
                        Warn,
                        "old messages cannot be removed ({error}); the server will try again"
                    );
                }
                PRUNE_SWEEP_MS
            }
        };
        self.due = Instant::now() + Duration::from_millis(pause);
    }

    /// `now` is `None` while it is too early to trust the clock.
    pub fn step(&mut self, connection: &Connection, now: Option<Time>) -> rusqlite::Result<Step> {
        match self.stage {
            Stage::Rooms(from) => {
                if from == i64::MIN {
                    self.cutoff = self.cutoff(connection, now)?;
                }
                let next = "SELECT min(room) FROM log WHERE kind = 'said' AND room >= ?";
                let next: Option<i64> =
                    connection.prepare_cached(next)?.query_row([from], |row| row.get(0))?;
                self.stage = match next {
                    Some(room) => Stage::Room { room, upto: self.surplus(connection, room)? },
                    None => Stage::Pages,
                };
                Ok(Step::Looked)
            }
            Stage::Room { room, upto } => {
                if remove_some(connection, room, upto, self.cutoff)? {
                    self.removed = true;
                    return Ok(Step::Wrote);
                }
                self.stage = room.checked_add(1).map_or(Stage::Pages, Stage::Rooms);
                Ok(Step::Looked)
            }
            Stage::Pages => {
                if give_back(connection)? {
                    return Ok(Step::Wrote);
                }
                self.stage = Stage::Rooms(i64::MIN);
                if std::mem::take(&mut self.removed) {
                    // Shortens the file and clears deleted texts from the write-ahead log, by
                    // moving that into the file. PASSIVE waits for nobody.
                    let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
                    connection.query_row(checkpoint, [], |_| Ok(()))?;
                }
                Ok(Step::Done)
            }
        }
    }

    /// Messages older than this are removed. `None` if none is: retention by age is off, the server
    /// has just started, or by this clock even the newest message would be too old. Then the clock
    /// may be wrong, and a removed message cannot be restored; as soon as a message is sent by this
    /// clock, the clock counts.
    fn cutoff(
        &mut self,
        connection: &Connection,
        now: Option<Time>,
    ) -> rusqlite::Result<Option<i64>> {
        let Some((days, now)) = self.retain.days.zip(now) else { return Ok(None) };
        let days = i64::try_from(days).unwrap_or(i64::MAX);
        let cutoff = now.0.saturating_sub(days.saturating_mul(DAY));
        let newest = newest(connection)?;
        let doubtful = newest.is_some_and(|newest| newest < cutoff);
        if let Some(newest) = newest.filter(|_| doubtful && !self.doubting) {
            log!(
                Warn,
                "no message is removed for its age: the clock says {now}, but the newest message \
                 is from {}; correct the clock, or, if it is right, send a message",
                Time(newest)
            );
        }
        self.doubting = doubtful;
        Ok((newest.is_some() && !doubtful).then_some(cutoff))
    }

    /// The youngest message of a room that exceeds the number to keep.
    fn surplus(&self, connection: &Connection, room: i64) -> rusqlite::Result<i64> {
        let Some(most) = self.retain.messages else { return Ok(0) };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let first = "SELECT coalesce((SELECT seq FROM log WHERE room = ? AND kind = 'said'
             ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)";
        connection.prepare_cached(first)?.query_row([room, most], |row| row.get(0))
    }
}

/// When the newest message was sent, if it is among the last entries.
fn newest(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let newest = "SELECT time FROM (SELECT seq, kind, time FROM log ORDER BY seq DESC LIMIT ?)
         WHERE kind = 'said' ORDER BY seq DESC LIMIT 1";
    let newest = connection
        .prepare_cached(newest)?
        .query_row([RETAIN_LOOKS_MAX], |row| row.get(0))
        .optional()?;
    Ok(newest)
}

/// Microseconds.
const DAY: i64 = 24 * 3_600 * 1_000_000;

/// Removes the oldest messages of a room, as far as they are too many or too old, up to the size of
/// a step. Returns whether there were any.
fn remove_some(
    connection: &Connection,
    room: i64,
    upto: i64,
    cutoff: Option<i64>,
) -> rusqlite::Result<bool> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let oldest: Vec<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT seq, time FROM log WHERE room = ? AND kind = 'said' ORDER BY seq LIMIT ?",
        )?
        .query_map([room, PRUNE_ROWS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let goes = |&(seq, time): &(i64, i64)| seq <= upto || cutoff.is_some_and(|cut| time < cut);
    let (mut left, mut pruned) = (PRUNE_ROWS_MAX, 0);
    for (seq, _) in oldest.into_iter().take_while(goes) {
        // First the entries that changed the message; they may be more than one step takes.
        let changes: Vec<(i64, Link)> = transaction
            .prepare_cached(
                "DELETE FROM log WHERE seq IN (
                     SELECT seq FROM log WHERE target = ? ORDER BY seq LIMIT ?)
                 RETURNING seq, hash",
            )?
            .query_map([seq, left], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (change, link) in changes {
            chain::removed(&transaction, change, link)?;
            transaction
                .prepare_cached("DELETE FROM reaction WHERE target = ? AND seq = ?")?
                .execute([seq, change])?;
            (left, pruned) = (left - 1, pruned.max(change));
        }
        if left == 0 {
            break;
        }
        remove(&transaction, seq)?;
        (left, pruned) = (left - 1, pruned.max(seq));
        if left == 0 {
            break;
        }
    }
    if pruned == 0 {
        return Ok(false);
    }
    transaction
        .prepare_cached("UPDATE meta SET value = max(value, ?) WHERE key = 'pruned'")?
        .execute([pruned])?;
    notes::note_end(&transaction)?;
    transaction.commit()?;
    Ok(true)
}

/// Removes one message; only its client id stays.
fn remove(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    messages::forget(connection, Seq(seq.unsigned_abs()))?;
    let first = |row: &Row<'_>| match row.get::<_, Option<KeyHash>>("said_hash")? {
        Some(hash) => Ok(hash),
        None => row.get::<_, String>("text").map(|text| crypto::hash(&text)),
    };
    let hash = connection
        .prepare_cached("SELECT said_hash, text FROM log WHERE seq = ?")?
        .query_row([seq], first)?;
    let spent = connection
        .prepare_cached(
            "INSERT INTO spent (account, client_id, seq, time, room, reply_to, hash)
             SELECT log.account, log.client_id, log.seq, log.time, log.room, log.reply_to, ?2
             FROM log JOIN account ON account.id = log.account AND account.gone IS NULL
             WHERE log.seq = ?1 AND log.client_id IS NOT NULL
             RETURNING account, client_id",
        )?
        .query_row(params![seq, hash], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((account, id)) = spent {
        let id: String = id;
        notes::spend(connection, account, &id)?;
    }
    let link = connection
        .prepare_cached("DELETE FROM log WHERE seq = ? RETURNING hash")?
        .query_row([seq], |row| row.get(0))?;
    chain::removed(connection, seq, link)
}

/// Returns some free pages to the disk. Returns whether there were any.
fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    let free = || connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    let before = free()?;
    if before <= PRUNE_PAGES_KEPT {
        return Ok(false);
    }
    // Each row of this statement is a page.
    let sql = format!("PRAGMA incremental_vacuum({PRUNE_PAGES_MAX})");
    let mut vacuum = connection.prepare(&sql)?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(free()? < before)
}
