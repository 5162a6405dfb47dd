//! Writing: order, numbers, and failures.

use std::fs;
use std::path::Path;

use tokio::sync::mpsc;

use super::*;
use crate::limits::COMMIT_ENTRIES_MAX;

/// Runs a writer on all of this to its end; returns its answers, call by call.
fn run(writer: Writer, given: Vec<Vec<Job>>) -> Vec<Vec<Command>> {
    let (inbox, outbox) = mpsc::channel(given.len());
    for writes in given {
        inbox.try_send(writes).expect("there is room");
    }
    drop(inbox);
    let mut answers = Vec::new();
    wait_for(writer.run(outbox, async |commands| answers.push(commands)));
    answers
}

/// Runs a blocking future on its own.
fn wait_for(running: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(running);
}

/// The texts of the messages in a log, in order; checks that the numbers have no gap.
fn texts(path: &Path) -> Vec<String> {
    let log = log_of(path);
    let numbers: Vec<u64> = log.iter().map(|(seq, ..)| seq.0).collect();
    assert_eq!(numbers, (1..=log.len() as u64).collect::<Vec<u64>>(), "no gap");
    let text = |(_, _, entry)| match entry {
        Entry::Said { text, .. } => Some(String::from(text)),
        _ => None,
    };
    log.into_iter().filter_map(text).collect()
}

#[test]
fn everything_is_answered_once_and_in_order() {
    let scratch = Scratch::new();
    let writes = |from: u64, to: u64| (from..to).map(|n| write(n, said(1, &n.to_string())));
    let given = vec![
        writes(1, 4).collect(),
        vec![Job::Touch(vec![(SessionId(1), Time(5))])],
        vec![],
        writes(4, 9_001).collect(),
        writes(9_001, 9_003).collect(),
    ];
    let answers = run(scratch.open().writer, given);
    let sizes: Vec<usize> = answers.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= COMMIT_ENTRIES_MAX), "{sizes:?}");
    assert_eq!(sizes.len(), 3, "as few commits as the bound allows: {sizes:?}");
    let expected = (1..9_003).map(|n| logged(n, n + 1, said(1, &n.to_string())));
    assert!(answers.into_iter().flatten().eq(expected));
    let expected: Vec<String> = (1..9_003).map(|n: u64| n.to_string()).collect();
    assert_eq!(texts(&scratch.file()), expected);
}

#[test]
fn the_end_leaves_one_file() {
    let scratch = Scratch::new();
    run(scratch.open().writer, vec![vec![write(1, said(1, "bye"))]]);
    let files = fs::read_dir(&scratch.0).expect("the directory is there").count();
    assert_eq!(files, 1);
    assert_eq!(texts(&scratch.file()), ["bye"]);
}

#[test]
fn touches_ride_along_and_never_go_back() {
    let scratch = Scratch::new();
    let writer = scratch.open().writer;
    let touch = |session, time| Job::Touch(vec![(SessionId(session), Time(time))]);
    let given = vec![
        vec![write(1, account_made(1, "Ann", "a")), write(2, session_begun(1, 1, "s"))],
        vec![touch(1, 9_000_000), touch(1, 8_000_000), touch(2, 9_000_000)],
    ];
    run(writer, given);
    let sessions = scratch.open().snapshot.sessions;
    assert_eq!((sessions.len(), sessions[0].last_used), (1, Time(9_000_000)));
}

#[test]
fn rows_come_back_as_they_were_written() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let hidden = RoomSettings {
        title: Title::new("Höhle \"7\"").expect("a title"),
        description: Description::new("it's \\ dark").expect("a description"),
        visibility: Visibility::Hidden,
        password: Some("$argon2id$v=19$…".into()),
    };
    let author = Author { account: Some(AccountId(u64::MAX)), name: Name::new("名 前").unwrap() };
    let (room, owner) = (RoomId(2), Some(AccountId(1)));
    let mut answer = sends(4, 2, "id-2", "");
    if let Entry::Said { reply_to, .. } = &mut answer {
        *reply_to = Some(Seq(15));
    }
    let entries = [
        account_made(1, "Ann", "a"),
        session_begun(1, 1, "s"),
        Entry::SessionEnded { session: SessionId(u64::MAX) },
        Entry::RoomMade { room, owner, settings: hidden.clone() },
        Entry::RoomChanged {
            room,
            settings: room_settings("Open"),
            password_generation: 3,
            link: None,
            keep_members: false,
        },
        Entry::RoomChanged {
            room,
            settings: hidden,
            password_generation: u64::MAX,
            link: None,
            keep_members: false,
        },
        Entry::RoomGone { room, recoverable: true },
        Entry::Said {
            room,
            author: author.clone(),
            color: None,
            text: "a\0b '\u{1f980}\n".into(),
            client_id: ClientId::new("id-1"),
            reply_to: None,
            calls: [AccountId(2), AccountId(1)].into(),
        },
        Entry::AccountMade {
            account: AccountId(2),
            name: Name::new("Guest").expect("a name"),
            key: None,
            color: Color::new("red"),
        },
        Entry::AccountEnded { account: AccountId(u64::MAX) },
        Entry::DirectMade { room: RoomId(3), between: [AccountId(1), AccountId(2)], both: true },
        Entry::MemberChanged {
            room,
            account: AccountId(2),
            member: true,
            expelled: false,
            with: None,
        },
        Entry::MemberChanged {
            room,
            account: AccountId(2),
            member: false,
            expelled: false,
            with: None,
        },
        sends(4, 2, "id-1", "first words"),
        edits(4, 2, 15, "last words"),
        reacts(4, 2, 15, "👍", true),
        reacts(4, 2, 15, "👍", false),
        answer,
        deletes(4, 2, 19, false),
        said(9, ""),
        said(9, &"ü".repeat(4_000)),
        Entry::RoomReturned { room, title: Title::new("Back").expect("a title") },
        Entry::RoomPurged { room },
    ];
    let writes = (2..).zip(entries.clone()).map(|(n, entry)| write(n, entry)).collect();
    writer.commit(writes);
    let log = log_of(&scratch.file());
    assert_eq!(log.len(), 1 + entries.len());
    for ((n, expected), read) in (2..).zip(entries).zip(&log[1..]) {
        // A message has its current text.
        let expected = if n == 15 { sends(4, 2, "id-1", "last words") } else { expected };
        assert_eq!(*read, (Seq(n), Time(1_000_000 + n.cast_signed()), expected));
    }
}

#[test]
fn entries_that_do_not_fit_are_logged_and_change_nothing() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let entries = [
        account_made(1, "Ann", "a"),
        account_made(2, "aNN", "b"),
        account_made(3, "Bob", "a"),
        session_begun(1, 1, "s"),
        session_begun(2, 1, "s"),
        session_begun(3, 99, "t"),
        room_made(1, "Lobby 2"),
        room_made(2, "PUBLIC chat"),
        Entry::RoomGone { room: RoomId(1), recoverable: true },
        Entry::RoomChanged {
            room: RoomId(8),
            settings: room_settings("Nowhere"),
            password_generation: 0,
            link: None,
            keep_members: false,
        },
        said(77, "anybody?"),
    ];
    let store_last = Seq(1 + entries.len() as u64);
    let answers = writer.commit((2..).zip(entries.clone()).map(|(n, e)| write(n, e)).collect());
    assert!(answers.into_iter().eq((2..).zip(entries).map(|(n, e)| logged(n, n, e))));
    drop(writer);
    let snapshot = scratch.open().snapshot;
    let Snapshot { accounts, sessions, rooms, last_account, last_room, last_session, last, .. } =
        snapshot;
    assert_eq!(last_account, 1);
    assert_eq!((accounts.len(), sessions.len(), rooms.len()), (1, 1, 1));
    assert_eq!((last_room, last_session, last), (1, 1, store_last));
}

#[test]
fn an_entry_that_the_database_refuses_is_alone_in_it() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    // No entry of the core causes this, as far as we know; so a trigger does.
    let poison = "CREATE TEMP TRIGGER poison BEFORE INSERT ON main.log WHEN NEW.text = 'poison'
                  BEGIN SELECT RAISE(ABORT, 'poison'); END";
    writer.connection.execute_batch(poison).expect("a trigger");
    let batch = ["a", "poison", "b"].map(|text| said(1, text));
    let answers = writer.commit((1..).zip(batch).map(|(n, entry)| write(n, entry)).collect());
    let [a, poison, b] = ["a", "poison", "b"].map(|text| said(1, text));
    assert_eq!(answers, [logged(1, 2, a), unlogged(2, poison), logged(3, 3, b)]);
    assert_eq!(texts(&scratch.file()), ["a", "b"]);
}

#[test]
fn a_commit_that_fails_is_rolled_back() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    // A foreign key that is checked at COMMIT only, which then fails and leaves the transaction
    // open.
    let orphan = "CREATE TEMP TRIGGER orphan AFTER INSERT ON main.log WHEN NEW.text = 'orphan'
                  BEGIN INSERT INTO session VALUES (1, 99, x'00', 0, '', 0, 0); END;
                  PRAGMA defer_foreign_keys = ON";
    writer.connection.execute_batch(orphan).expect("a trigger");
    let answers = writer.commit(vec![write(1, said(1, "orphan"))]);
    assert_eq!(answers, [unlogged(1, said(1, "orphan"))]);
    assert!(writer.connection.is_autocommit(), "no transaction is left open");
    let answers = writer.commit(vec![write(2, said(1, "next"))]);
    assert_eq!(answers, [logged(2, 2, said(1, "next"))]);
    assert_eq!(texts(&scratch.file()), ["next"]);
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let pages = |writer: &Writer, max: i64| {
        let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        writer.connection.pragma_update_and_check(None, "max_page_count", max, set)
    };
    pages(&writer, 60).expect("a small disk");
    let long = "x".repeat(1_000);
    let (mut ticket, mut fitted) = (0, 0);
    let mut commit = |writer: &mut Writer, entries: u64| {
        let batch = (ticket + 1..=ticket + entries).map(|n| write(n, said(1, &long))).collect();
        let answers = writer.commit(batch);
        assert_eq!(answers.len() as u64, entries);
        let refused = answers.iter().zip(ticket + 1..).filter(|(answer, ticket)| match answer {
            Command::Logged { ticket: Some(answered), seq, .. } => {
                assert_eq!(answered.0, *ticket);
                fitted += 1;
                assert_eq!(*seq, Seq(1 + fitted), "no gap");
                false
            }
            Command::Unlogged { ticket: answered, .. } => {
                assert_eq!(answered.0, *ticket);
                true
            }
            other => panic!("{other:?}"),
        });
        let refused = refused.count() as u64;
        ticket += entries;
        assert!(refused == 0 || refused == entries, "all or nothing");
        refused == 0
    };
    assert!(commit(&mut writer, 5));
    assert!(!commit(&mut writer, 200), "200 kB do not fit");
    assert!(commit(&mut writer, 5), "but 5 more do");
    while commit(&mut writer, 3) {}
    for _ in 0..5 {
        assert!(!commit(&mut writer, 50));
    }
    pages(&writer, 10_000).expect("a large disk");
    assert!(commit(&mut writer, 200), "there is room again");
    assert!(texts(&scratch.file()).len() as u64 == fitted);
}

#[test]
fn a_lock_refuses_and_recovers() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let other = scratch.other_program();
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    let answers = writer.commit(vec![write(1, said(1, "a")), write(2, said(1, "b"))]);
    assert_eq!(answers, [unlogged(1, said(1, "a")), unlogged(2, said(1, "b"))]);
    other.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!(writer.commit(vec![write(3, said(1, "c"))]), [logged(3, 2, said(1, "c"))]);
    assert_eq!(texts(&scratch.file()), ["c"]);
}

/// A copy of the files as a crash would leave them at this moment.
fn crash(scratch: &Scratch) -> Scratch {
    let copy = Scratch::new();
    for name in ["shanty.db", "shanty.db-wal"] {
        fs::copy(scratch.0.join(name), copy.0.join(name)).expect("it is there");
    }
    copy
}

#[test]
fn a_crash_loses_nothing_that_was_answered() {
    let scratch = Scratch::new();
    let writer = scratch.open().writer;
    let (inbox, outbox) = mpsc::channel(1);
    let (mut inbox, mut sent) = (Some(inbox), 0);
    let long = "x".repeat(600);
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    let batch = |sent: u64, size| {
        let texts = (sent + 1..=sent + size).map(|n| (n, format!("{n} {long}")));
        texts.map(|(n, text)| write(n, said(1, &text))).collect::<Vec<Job>>()
    };
    inbox.as_ref().map(|inbox| inbox.try_send(batch(0, 1)));
    sent += 1;
    let (mut answered, mut crashes) = (0, 0);
    // The writer's own thread calls this: nothing is written meanwhile.
    wait_for(writer.run(outbox, async |commands| {
        let before = answered;
        answered += commands.len() as u64;
        assert_eq!(answered, sent);
        let size = 1 + chance.roll(40);
        match &inbox {
            Some(inbox) if sent < 3_000 => inbox.try_send(batch(sent, size)).expect("room for it"),
            _ => inbox = None,
        }
        sent += size;
        if chance.roll(10) > 0 {
            return;
        }
        crashes += 1;
        let copy = crash(&scratch);
        assert_eq!(copy.open().last_seq.0, 1 + answered);
        assert_eq!(texts(&copy.file()).len() as u64, answered);
        // If the last commit was not written to its end, all of it is missing. (Only the first
        // times: later the write-ahead log has restarted at its beginning, and its end is old.)
        if crashes < 4 {
            let torn = crash(&scratch);
            let log = torn.0.join("shanty.db-wal");
            let log = fs::File::options().write(true).open(log).expect("it is there");
            let length = log.metadata().expect("a length").len();
            log.set_len(length - 1 - chance.roll(4_000)).expect("it is cut");
            assert_eq!(torn.open().last_seq.0, 1 + before);
        }
    }));
    assert!(answered >= 3_000 && crashes > 4, "{answered} answered, {crashes} crashes");
}
