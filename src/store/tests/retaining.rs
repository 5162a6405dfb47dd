//! Retention: what goes, and what must stay.

use super::*;
use crate::config::Durability;
use crate::store::admin;
use crate::store::retention::{Pruner, Retain, Step};
use crate::store::{Bound, Query};

fn retain(days: Option<u64>, messages: Option<u64>) -> Pruner {
    Pruner::new(Retain { days, messages }).expect("something goes")
}

/// Steps until nothing more goes; returns how many steps wrote something.
fn sweep(pruner: &mut Pruner, writer: &Writer, now: impl Into<Option<Time>>) -> usize {
    let (mut wrote, now) = (0, now.into());
    loop {
        match pruner.step(&writer.connection, now).expect("the disk is well") {
            Step::Wrote => wrote += 1,
            Step::Looked => {}
            Step::Done => return wrote,
        }
    }
}

fn verified(scratch: &Scratch) {
    let task = crate::config::MaintenanceTask::Verify(None);
    admin::maintain(&scratch.file(), &task).expect("it is sound");
}

fn words_in(scratch: &Scratch) -> Vec<String> {
    let page = scratch.reader().page((RoomId(1), Seq(0)), Bound::Newest, 200).expect("a page");
    page.messages.into_iter().filter_map(|one| one.text).map(String::from).collect()
}

#[test]
fn the_latest_messages_of_each_room_stay() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let writer = &mut store.writer;
    put(writer, account_made(1, "Person1", "a"));
    put(writer, room_made(2, "Den"));
    let first = put(writer, sends(1, 1, "first", "the first @Person1"));
    for number in 0..400 {
        put(writer, says(1, 1, &format!("number {number}")));
    }
    for number in 0..100 {
        put(writer, edits(1, 1, first, &format!("edited {number} @Person1")));
    }
    let change = put(writer, reacts(1, 1, first, "👍", true));
    put(writer, says(1, 2, "alone in here"));
    let head = put(writer, says(1, 1, "the last one"));
    let free = "PRAGMA page_count";
    let pages = |writer: &Writer| {
        writer.connection.query_row(free, [], |row| row.get::<_, i64>(0)).expect("a number")
    };
    let before = pages(writer);
    let steps = sweep(&mut retain(None, Some(3)), writer, Time::now());
    assert!(steps > 400 / 64, "{steps} steps are small ones");
    assert!(pages(writer) <= before);
    assert_eq!(words_in(&scratch), ["number 398", "number 399", "the last one"]);
    let reader = scratch.reader();
    let (last, oldest) = reader.ends().expect("its ends");
    assert_eq!((last, oldest), (Seq(head), Seq(change + 1)));
    let counts = reader.counts(
        &Name::new("Person2").expect("a name").lowered(),
        &[(RoomId(1), Seq(0)), (RoomId(2), Seq(0))],
    );
    let counts = counts.expect("counts");
    assert_eq!((counts[0].unread, counts[0].mentions, counts[1].unread), (3, 0, 1));
    let query = |words: &str| {
        let (words, rooms) = (words.to_owned(), vec![(RoomId(1), Seq(0))]);
        let query = Query { words, rooms, author: None, before: None, limit: 9 };
        scratch.reader().search(&query).expect("a search").messages.len()
    };
    assert_eq!((query("edited"), query("399"), query("number")), (0, 1, 2));
    assert_eq!(sweep(&mut retain(None, Some(3)), writer, Time::now()), 0);
    verified(&scratch);

    // A removed message is still recognised when it is sent again.
    let answer = |writer: &mut Writer, entry| writer.commit(vec![write(1, entry)]).pop();
    let again = answer(writer, sends(1, 1, "first", "the first @Person1"));
    let Some(Command::Repeated { seq, same, .. }) = again else { panic!("{again:?}") };
    assert_eq!((seq, same), (Seq(first), true));
    let other = answer(writer, sends(1, 1, "first", "edited @Person1"));
    assert!(matches!(other, Some(Command::Repeated { same: false, .. })), "{other:?}");
    assert_eq!(refusal_of(writer, edits(1, 1, first, "more")), Refusal::MessageNotFound);
}

#[test]
fn messages_too_old_go_and_their_numbers_are_not_reused() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    put(&mut store.writer, account_made(1, "Person1", "a"));
    let last = put(&mut store.writer, says(1, 1, "long ago"));
    let mut pruner = retain(Some(2), None);
    // Sent a second after 1970 began.
    let day = |days: i64| Time(days * 86_400_000_000);
    assert_eq!(sweep(&mut pruner, &store.writer, day(2)), 0);
    let last = last.max(put_at(&mut store.writer, day(3), says(1, 1, "lately")));
    assert_eq!(sweep(&mut pruner, &store.writer, day(3)), 1);
    assert_eq!(words_in(&scratch), ["lately"]);
    verified(&scratch);
    drop(store.writer);
    let mut store = scratch.open();
    assert_eq!((store.last_seq, scratch.reader().last_seq()), (Seq(last), Ok(Seq(last))));
    assert_eq!(store.snapshot, fold(log_of(&scratch.file())));
    assert_eq!(put(&mut store.writer, says(1, 1, "now")), last + 1);
    verified(&scratch);
}

#[test]
fn a_clock_that_is_far_ahead_removes_nothing() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let writer = &mut store.writer;
    put(writer, account_made(1, "Person1", "a"));
    let day = |days: i64| Time(days * 86_400_000_000);
    for (at, text) in [(1, "first"), (20, "second"), (40, "third")] {
        put_at(writer, day(at), says(1, 1, text));
    }
    let mut pruner = retain(Some(30), None);
    // It is too early to tell, as in the first hour after a start.
    assert_eq!(sweep(&mut pruner, writer, None), 0);
    // By this clock all messages are too old. A login does not confirm the clock.
    assert_eq!(sweep(&mut pruner, writer, day(440)), 0);
    put_at(writer, day(440), account_made(2, "Person2", "b"));
    assert_eq!(sweep(&mut pruner, writer, day(440)), 0);
    assert_eq!(words_in(&scratch).len(), 3);
    // A correct clock removes what is too old, and only that.
    assert_eq!(sweep(&mut pruner, writer, day(41)), 1);
    assert_eq!(words_in(&scratch), ["second", "third"]);
    // A message confirms the later clock.
    put_at(writer, day(440), says(1, 1, "a year later"));
    assert_eq!(sweep(&mut pruner, writer, day(440)), 1);
    assert_eq!(words_in(&scratch), ["a year later"]);
    verified(&scratch);
}

#[test]
fn how_many_stay_needs_no_clock() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    put(&mut store.writer, account_made(1, "Person1", "a"));
    for text in ["first", "second", "third"] {
        put(&mut store.writer, says(1, 1, text));
    }
    assert_eq!(sweep(&mut retain(Some(1), Some(2)), &store.writer, None), 1);
    assert_eq!(words_in(&scratch), ["second", "third"]);
}

#[test]
fn the_database_is_sound_after_each_step() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    put(&mut store.writer, account_made(1, "Person1", "a"));
    let mut chance = Chance(0x5eed);
    let mut targets = Vec::new();
    for _ in 0..600 {
        let target = targets.last().copied().unwrap_or(1);
        let entry = match chance.roll(4) {
            0 => edits(1, 1, target, "edited @Person1"),
            1 => reacts(1, 1, target, "👍", chance.roll(2) == 0),
            2 if chance.roll(4) == 0 => deletes(1, 1, target, false),
            _ => sends(1, 1, &format!("c{}", chance.roll(1 << 40)), "said @Person1"),
        };
        let said = matches!(entry, Entry::Said { .. });
        let answer = store.writer.commit(vec![write(1, entry)]).pop();
        if let (true, Some(Command::Logged { seq, .. })) = (said, answer) {
            targets.push(seq.0);
        }
    }
    let mut pruner = retain(None, Some(1));
    while pruner.step(&store.writer.connection, Some(Time::now())) != Ok(Step::Done) {
        verified(&scratch);
    }
    assert_eq!(words_in(&scratch).len(), 1);
}

#[test]
fn the_writer_prunes_while_nobody_writes() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    for number in 0..200 {
        put(&mut store.writer, said(1, &format!("number {number}")));
    }
    drop(store.writer);
    let options = Options {
        path: scratch.file(),
        sync: Durability::Normal,
        retain: Retain { days: None, messages: Some(5) },
    };
    let Store { writer, .. } = open(&options).expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (inbox, writes) = tokio::sync::mpsc::channel(1);
        let running = tokio::task::spawn_blocking(move || {
            tokio::runtime::Handle::current().block_on(writer.run(writes, async |_| ()));
        });
        while words_in(&scratch).len() > 5 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        inbox.send(vec![write(1, said(1, "the end"))]).await.expect("it listens");
        drop(inbox);
        running.await.expect("it ends");
    });
    assert_eq!(words_in(&scratch).pop().as_deref(), Some("the end"));
}
