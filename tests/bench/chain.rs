//! The cost of the hash chain over the log: the writer with and without it, in turns, on the same
//! disk, for one message a commit and for 64.
//!
//! The writer is driven directly, in one thread: its answer triggers the next batch.

use std::path::Path;
use std::time::{Duration, Instant};

use shanty::chat::{AccountId, Author, ClientId, Entry, LOBBY, Name, Ticket};
use shanty::config::Durability;
use shanty::crypto;
use shanty::store::{self, Line, Options, Retain};
use shanty::time::Time;

use crate::report::{Budget, Unit, cell, judge, row, table};
use crate::stage::Stage;
use crate::{Outcome, proc, wire};

const ROWS_A_COMMIT: [u64; 2] = [1, 64];
/// A turn is one stretch with the chain and one without, each in a new database.
const TURNS: usize = 9;
/// Its budget of a write's processor time.
const SHARE_MAX: f64 = 0.05;

/// The result of a stretch.
struct Stretch {
    /// Processor time for each message.
    cpu: Duration,
    rows_per_second: f64,
}

pub fn run(stage: &mut Stage, seconds: f64) {
    let columns = ["with", "without", "its share", "with", "without"];
    table("The chain over the log, for each message", &columns);
    let mut shares = Vec::new();
    for rows in ROWS_A_COMMIT {
        let mut turns = Vec::new();
        for turn in 0..TURNS {
            // The order alternates.
            let order = if turn % 2 == 0 { [true, false] } else { [false, true] };
            let stretch = |chained| (chained, write(&stage.new_database(), rows, chained, seconds));
            let mut pair = order.map(stretch);
            pair.sort_by_key(|(chained, _)| !chained);
            match pair.map(|(_, stretch)| stretch) {
                [Ok(with), Ok(without)] => turns.push((with, without)),
                [Err(error), _] | [_, Err(error)] => println!("  ! {error}"),
            }
        }
        let share = |(with, without): &(Stretch, Stretch)| {
            with.cpu.as_secs_f64() / without.cpu.as_secs_f64() - 1.0
        };
        turns.sort_by(|one, other| share(one).total_cmp(&share(other)));
        let middle = turns.get(turns.len() / 2);
        let micros = |stretch: &Stretch| Some(stretch.cpu.as_secs_f64() * 1e6);
        let cells = middle.map(|both| {
            let (with, without) = both;
            [
                cell(Unit::Micros, micros(with)),
                cell(Unit::Micros, micros(without)),
                format!("{:.1} %", 100.0 * share(both)),
                cell(Unit::PerSecond, Some(with.rows_per_second)),
                cell(Unit::PerSecond, Some(without.rows_per_second)),
            ]
        });
        row(&format!("  {rows} a commit, processor; rate"), &cells.unwrap_or_default());
        shares.push((rows, middle.map(share)));
    }
    for (rows, share) in shares {
        let figure = format!("the chain's share, {rows} a commit");
        judge(&figure, Unit::Ratio, share, Budget::AtMost(SHARE_MAX));
    }
}

/// Runs the writer for this many seconds.
fn write(database: &Path, rows: u64, chained: bool, seconds: f64) -> Outcome<Stretch> {
    let options =
        Options { path: database.to_owned(), sync: Durability::Full, retain: Retain::default() };
    let store = store::open(&options)?;
    let mut writer = store.writer;
    if !chained {
        writer.without_chain();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (mut line, end) = store::line();
    let (author, key) = (Name::new("somebody").ok_or("a name")?, crypto::random());
    let account = AccountId(1);
    let made = Entry::AccountMade { account, name: author.clone(), key: Some(key), color: None };
    line.propose(Ticket(0), Time::now(), made);
    line.hand_over().map_err(|_| "the writer is gone")?;
    let (mut line, mut said) = (Some(line), 0_u64);
    let (mut begun, mut ended) = (None, None);
    let author = Author { account: Some(account), name: author };
    let myself = std::process::id();
    runtime.block_on(writer.run(end, async |_| {
        let now = (Instant::now(), proc::cpu_time(myself), said);
        let started = begun.get_or_insert(now);
        if started.0.elapsed().as_secs_f64() >= seconds {
            ended = Some((Instant::now(), proc::cpu_time(myself), said));
            line = None;
        }
        if let Some(line) = &mut line {
            for _ in 0..rows {
                said += 1;
                line.propose(Ticket(said), Time::now(), message(&author, said));
            }
            let _ = Line::hand_over(line); // It is there: it has just answered.
        }
    }));
    let (Some((began, cpu_before, first)), Some((end, cpu_after, last))) = (begun, ended) else {
        return Err("nothing was written".into());
    };
    let count = last - first;
    let cpu = (cpu_after? - cpu_before?) / u32::try_from(count)?;
    Ok(Stretch { cpu, rows_per_second: count as f64 / (end - began).as_secs_f64() })
}

fn message(author: &Author, number: u64) -> Entry {
    Entry::Said {
        room: LOBBY,
        author: author.clone(),
        color: None,
        text: wire::words(number).into(),
        client_id: ClientId::new(&format!("0199c2f0-7a31-7{number:015}")),
        reply_to: None,
        calls: Box::default(),
    }
}
