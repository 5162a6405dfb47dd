//! The readers: they stay open, take turns, and abort reads that take too long.

use std::sync::mpsc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::*;
use crate::chat::Folded;
use crate::limits::READERS_MAX;
use crate::store::{Found, Query, ReadError, Readers};

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}

fn readers(scratch: &Scratch) -> Readers {
    let Store { mut writer, readers, .. } = scratch.open();
    put(&mut writer, said(1, "found"));
    readers
}

#[test]
fn every_read_gets_its_turn_or_gives_up() {
    let scratch = Scratch::new();
    let readers = readers(&scratch);
    let patience = Duration::from_millis(20);
    let mut hasty = readers.clone();
    hasty.patience = patience;
    wait(async {
        let crowd = |count: usize, readers: &Readers| {
            let mut asked = JoinSet::new();
            for _ in 0..count {
                let readers = readers.clone();
                asked.spawn(async move { readers.read(|reader| reader.last_seq()).await });
            }
            asked
        };
        let all = crowd(500, &readers).join_all().await;
        assert!(all.iter().all(|read| *read == Ok(Seq(2))), "{all:?}");
        // While all turns are taken, a read waits, but not longer than its patience.
        let mut held = Vec::new();
        for _ in 0..READERS_MAX {
            let (hold, wait) = mpsc::channel::<()>();
            let readers = readers.clone();
            let read = async move { readers.read(move |_| Ok(wait.recv().is_err())).await };
            held.push((hold, tokio::spawn(read)));
        }
        tokio::task::yield_now().await;
        let late = tokio::time::Instant::now();
        let all = crowd(3, &hasty).join_all().await;
        assert_eq!(all, vec![Err(ReadError::Busy); 3]);
        assert!(late.elapsed() >= patience);
        // Streams and searches have readers of their own.
        assert_eq!(hasty.read_in_turn(|reader| reader.last_seq()).await, Ok(Seq(2)));
        let found = hasty.search(Folded::new("ann"), query("found")).await.expect("an answer");
        assert_eq!(found.messages.len(), 1);
        for (hold, read) in held {
            drop(hold);
            assert_eq!(read.await.expect("no panic"), Ok(true));
        }
    });
}

#[test]
fn a_reader_stays_open_until_it_fails() {
    let scratch = Scratch::new();
    let readers = readers(&scratch);
    wait(async {
        // A temporary table lasts as long as its connection, and makes the second read differ.
        let mark = |reader: &Reader| {
            let there = "SELECT count(*) FROM temp.sqlite_schema WHERE name = 'mark'";
            let there: i64 = reader.connection.query_row(there, [], |row| row.get(0))?;
            reader.connection.execute_batch("CREATE TEMP TABLE IF NOT EXISTS mark (it)")?;
            Ok(there)
        };
        assert_eq!(readers.read_in_turn(mark).await, Ok(0));
        assert_eq!(readers.read_in_turn(mark).await, Ok(1));
        // After a failure or a panic, the next read opens another reader.
        let failed = readers.read_in_turn(|_| Err::<(), _>(rusqlite::Error::InvalidQuery)).await;
        assert_eq!(failed, Err(ReadError::Failed));
        assert_eq!(readers.read_in_turn(mark).await, Ok(0));
        let panicked = readers.read_in_turn(|_| -> rusqlite::Result<()> { panic!("it does") });
        assert_eq!(panicked.await, Err(ReadError::Failed));
        assert_eq!(readers.read_in_turn(mark).await, Ok(0), "it goes on with another");
        assert_eq!(readers.read_in_turn(mark).await, Ok(1));
    });
}

#[test]
fn every_read_sees_what_was_written_before_it() {
    let scratch = Scratch::new();
    let Store { mut writer, readers, .. } = scratch.open();
    for number in 2..50 {
        put(&mut writer, said(1, "more"));
        let read = wait(readers.read(|reader| reader.last_seq()));
        assert_eq!(read, Ok(Seq(number)));
    }
}

#[test]
fn a_read_that_takes_too_long_is_broken_off() {
    let scratch = Scratch::new();
    let mut readers = readers(&scratch);
    readers.deadline = Duration::from_millis(20);
    let endless = |reader: &Reader| {
        let count = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
            SELECT max(n) FROM n";
        reader.connection.query_row(count, [], |row| row.get::<_, i64>(0))
    };
    wait(async {
        assert_eq!(readers.read(endless).await, Err(ReadError::Late));
        assert_eq!(readers.read_in_turn(endless).await, Err(ReadError::Late));
        assert_eq!(readers.read(|reader| reader.last_seq()).await, Ok(Seq(2)));
    });
}

fn query(words: &str) -> Query {
    let (words, rooms) = (words.to_owned(), vec![(RoomId(1), Seq(0))]);
    Query { words, rooms, author: None, before: None, limit: 5 }
}

#[test]
fn one_search_of_each_person_waits() {
    let scratch = Scratch::new();
    let readers = readers(&scratch);
    wait(async {
        // Keeps the reader busy.
        let (hold, held) = mpsc::channel::<()>();
        readers.searches.send(Box::new(move |_| {
            let _ = held.recv();
        }));
        let mut asked = Vec::new();
        for (person, words) in [("ann", "a"), ("bob", "found"), ("ann", "b"), ("ann", "found")] {
            let readers = readers.clone();
            let search = async move { readers.search(Folded::new(person), query(words)).await };
            asked.push(tokio::spawn(search));
            tokio::task::yield_now().await;
        }
        drop(hold);
        let mut answers = Vec::new();
        for search in asked {
            let answer = search.await.expect("no panic");
            answers.push(answer.map(|Found { messages, .. }| messages.len()));
        }
        let superseded = Err(ReadError::Superseded);
        assert_eq!(answers, [superseded, Ok(1), superseded, Ok(1)]);
    });
}

#[test]
fn readers_let_go_before_the_writer_does() {
    let scratch = Scratch::new();
    let Store { writer, readers, .. } = scratch.open();
    wait(async {
        readers.read(|reader| reader.last_seq()).await.expect("it is read");
        readers.search(Folded::new("ann"), query("found")).await.expect("it is searched");
    });
    writer.close();
    assert_eq!(fs::read_dir(&scratch.0).expect("a directory").count(), 1, "one file is left");
}
