//! Reading: pages, counts, and missed parts of the log.

use super::*;
use crate::chat::Folded;
use crate::limits::{
    ENTRIES_PAGE_BYTES, PAGE_BYTES, PAGE_MESSAGES_MAX, UNREAD_LOOKS_MAX, UNREAD_MAX,
};
use crate::store::{Bound, Counts, Message, RowKind};

/// 20 messages in room 2, each followed by one in the lobby: 2, 4, … 40 are those of room 2.
fn twenty() -> (Scratch, Writer) {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let both = (1..=20).flat_map(|n| [says(1, 2, &n.to_string()), says(1, 1, "between")]);
    writer.commit((1..).zip(both).map(|(n, entry)| write(n, entry)).collect());
    (scratch, writer)
}

#[test]
fn pages_lie_where_they_are_asked_for() {
    let (scratch, _writer) = twenty();
    let reader = scratch.reader();
    let all: Vec<u64> = (1..=20).map(|n| 2 * n).collect();
    let cases: [(Bound, usize, &[u64], bool, bool); 16] = [
        (Bound::Newest, 3, &all[17..], true, false),
        (Bound::Newest, 20, &all, false, false),
        (Bound::Newest, 0, &all[19..], true, false),
        (Bound::Before(Seq(8)), 2, &[4, 6], true, true),
        (Bound::Before(Seq(8)), 3, &[2, 4, 6], false, true),
        (Bound::Before(Seq(2)), 3, &[], false, true),
        (Bound::Before(Seq(u64::MAX)), 1, &[40], true, false),
        (Bound::Before(Seq(0)), 1, &[], false, true),
        (Bound::After(Seq(5)), 2, &[6, 8], true, true),
        (Bound::After(Seq(36)), 2, &[38, 40], true, false),
        (Bound::After(Seq(0)), 1, &[2], false, true),
        (Bound::After(Seq(u64::MAX)), 5, &[], true, false),
        (Bound::Around(Seq(20)), 4, &[16, 18, 20, 22], true, true),
        (Bound::Around(Seq(2)), 4, &[2, 4], false, true),
        (Bound::Around(Seq(40)), 4, &[36, 38, 40], true, false),
        (Bound::Around(Seq(20)), 1, &[20], true, true),
    ];
    for (bound, limit, expected, before, after) in cases {
        let page = reader.page((RoomId(2), Seq(0)), bound, limit).expect("it is read");
        let found: Vec<u64> = page.messages.iter().map(|message| message.seq.0).collect();
        assert_eq!(found, expected, "{bound:?} {limit}");
        assert_eq!((page.more_before, page.more_after), (before, after), "{bound:?} {limit}");
    }
    let nowhere = reader.page((RoomId(7), Seq(0)), Bound::Newest, 5).expect("it is read");
    assert_eq!(
        (nowhere.messages.len(), nowhere.more_before, nowhere.more_after),
        (0, false, false)
    );
}

#[test]
fn a_page_of_long_messages_ends_sooner_and_says_so() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let (long, quotes) = ("\u{1F600}".repeat(4_000), "\"".repeat(4_000));
    let text = |n: u64| if n.is_multiple_of(2) { &long } else { &quotes };
    writer.commit((1..=100).map(|n| write(n, says(1, 2, text(n)))).collect());
    let reader = scratch.reader();
    // A pair takes 24 KB as JSON: eleven of them do not fit.
    for (bound, before, after) in [
        (Bound::Newest, true, false),
        (Bound::Before(Seq(60)), true, true),
        (Bound::Before(Seq(8)), false, true),
        (Bound::After(Seq(40)), true, true),
        (Bound::After(Seq(95)), true, false),
        (Bound::Around(Seq(50)), true, true),
        (Bound::Around(Seq(2)), false, true),
    ] {
        let page = reader.page((RoomId(2), Seq(0)), bound, 80).expect("it is read");
        let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq.0).collect();
        let bytes: usize = page.messages.iter().map(Message::weight).sum();
        assert!(bytes <= PAGE_BYTES, "{bound:?}: {bytes}");
        assert_eq!((page.more_before, page.more_after), (before, after), "{bound:?} {seqs:?}");
        let (first, last) = (seqs[0], seqs[seqs.len() - 1]);
        assert_eq!(seqs, (first..=last).collect::<Vec<_>>(), "{bound:?}: no hole");
        match bound {
            Bound::Newest => assert!(last == 101 && seqs.len() > 18, "{seqs:?}"),
            Bound::Before(seq) => assert_eq!(last, seq.0 - 1),
            Bound::After(seq) => assert_eq!(first, seq.0 + 1),
            Bound::Around(seq) => assert!(seqs.contains(&seq.0), "{seqs:?}"),
        }
    }
}

#[test]
fn one_message_is_found_in_its_room_and_by_its_number() {
    let (scratch, mut writer) = twenty();
    let seq = put(&mut writer, sends(7, 2, "mine", "here"));
    let reader = scratch.reader();
    let message = reader.message(RoomId(2), Seq(seq)).expect("read").expect("there");
    assert_eq!((message.author.clone(), message.text.as_deref()), (person(7), Some("here")));
    assert_eq!(reader.message(RoomId(1), Seq(seq)), Ok(None));
    assert_eq!(reader.message(RoomId(1), Seq(1)), Ok(None), "no message");
    assert_eq!(message.client_id, ClientId::new("mine"));
}

#[test]
fn a_page_is_bounded_whatever_is_asked() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(2, "Person2", "2"));
    writer.commit((0..1_200).map(|n| write(n, says(1, 1, "hey @Person2"))).collect());
    let reader = scratch.reader();
    let page = reader.page((RoomId(1), Seq(0)), Bound::Newest, usize::MAX).expect("it is read");
    assert_eq!(page.messages.len(), PAGE_MESSAGES_MAX);
    let counts = |read| {
        let rooms = [(RoomId(1), Seq(read)), (RoomId(2), Seq(0))];
        reader.counts(Folded::new("Person2").as_str(), &rooms).expect("they are read")
    };
    let most = UNREAD_MAX as u64;
    let both = |unread, mentions| [Counts { unread, mentions }, Counts::default()];
    assert_eq!(counts(0), both(most, most));
    assert_eq!(counts(1_192), both(10, 10));
    assert_eq!(counts(u64::MAX), both(0, 0));
    let bob = reader.counts(Folded::new("Bob").as_str(), &[(RoomId(1), Seq(1_192))]);
    assert_eq!(bob, Ok(vec![Counts { unread: 10, mentions: 0 }]));
}

#[test]
fn deleted_and_edited_messages_count_as_they_are_now() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    for account in [2, 3] {
        let name = format!("Person{account}");
        put(&mut writer, account_made(account, &name, &name));
    }
    let [a, b, _] = [(); 3].map(|()| put(&mut writer, says(1, 1, "hey @Person2")));
    put(&mut writer, deletes(1, 1, a, false));
    put(&mut writer, edits(1, 1, b, "hey @Person3"));
    let counts = |name| {
        let counts = scratch.reader().counts(Folded::new(name).as_str(), &[(RoomId(1), Seq(1))]);
        counts.expect("they are read")[0]
    };
    assert_eq!(counts("Person2"), Counts { unread: 2, mentions: 1 });
    assert_eq!(counts("Person3"), Counts { unread: 2, mentions: 1 });
}

#[test]
fn own_messages_are_not_unread() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    for account in [1, 2] {
        let name = format!("Person{account}");
        put(&mut writer, account_made(account, &name, &name));
    }
    let counts = |name: &str| {
        let counts = scratch.reader().counts(Folded::new(name).as_str(), &[(RoomId(1), Seq(0))]);
        counts.expect("they are read")[0]
    };
    put(&mut writer, says(1, 1, "to @Person1 and @Person2"));
    put(&mut writer, says(2, 1, "to @Person1, @Person2"));
    put(&mut writer, said(1, "a guest"));
    assert_eq!(counts("Person1"), Counts { unread: 2, mentions: 1 });
    assert_eq!(counts("PERSON2"), Counts { unread: 2, mentions: 1 });
    assert_eq!(counts("nobody"), Counts { unread: 3, mentions: 0 });
    // However many own messages there are, only the latest are looked at.
    let own = (0..UNREAD_LOOKS_MAX as u64 - 1).map(|n| write(n, says(1, 1, "@Person1")));
    writer.commit(own.collect());
    assert_eq!(counts("Person1"), Counts { unread: 1, mentions: 1 });
    assert_eq!(counts("Person2").unread, UNREAD_MAX as u64);
}

#[test]
fn the_log_is_read_in_parts_as_it_is_now() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let gone = put(&mut writer, says(1, 1, "first"));
    let kept = put(&mut writer, says(1, 1, "first"));
    for target in [gone, kept] {
        put(&mut writer, edits(1, 1, target, "second"));
    }
    put(&mut writer, deletes(1, 1, gone, false));
    put(&mut writer, reacts(2, 1, kept, "👍", true));
    let reader = scratch.reader();
    let part = reader.entries(Seq(1), 100).expect("it is read");
    assert_eq!((part.upto, part.head, part.oldest), (Seq(7), Seq(7), Seq(1)));
    let texts: Vec<Option<&str>> = part
        .rows
        .iter()
        .map(|row| match &row.kind {
            RowKind::Said(message) => message.text.as_deref(),
            RowKind::Edited { text, .. } => text.as_deref(),
            RowKind::Other(_) => Some("other"),
        })
        .collect();
    assert_eq!(texts, [None, Some("second"), None, Some("second"), Some("other"), Some("other")]);
    assert_eq!(part.rows[5].kind, RowKind::Other(reacts(2, 1, kept, "👍", true)));
    // The same, read in parts.
    let (mut rows, mut after) = (Vec::new(), Seq(1));
    while after < Seq(7) {
        let part = reader.entries(after, 4).expect("it is read");
        assert!(part.rows.len() <= 4 && part.upto > after && part.head == Seq(7));
        (after, rows) = (part.upto, [rows, part.rows].concat());
    }
    assert_eq!(rows, part.rows);
    let end = reader.entries(Seq(7), 4).expect("it is read");
    assert_eq!((end.rows.len(), end.upto), (0, Seq(7)));
    let beyond = reader.entries(Seq(u64::MAX), 4).expect("it is read");
    assert_eq!((beyond.rows.len(), beyond.head), (0, Seq(7)));
}

#[test]
fn a_part_of_the_log_has_so_many_bytes() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let long = "x".repeat(16_000);
    writer.commit((0..100).map(|n| write(n, said(1, &long))).collect());
    let part = scratch.reader().entries(Seq(1), 100).expect("it is read");
    assert_eq!(part.rows.len(), ENTRIES_PAGE_BYTES / 16_000 + 1);
    assert_eq!(part.upto.0, 1 + part.rows.len() as u64);
}

#[test]
fn the_plans_use_the_indexes() {
    let (scratch, _writer) = twenty();
    let plan = |sql: &str| {
        let other = scratch.other_program();
        let mut plan = other.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it is SQL");
        let rows = plan.query_map([], |row| row.get::<_, String>("detail")).expect("a plan");
        rows.collect::<Result<Vec<String>, _>>().expect("a plan").join("; ")
    };
    for (sql, expected) in [
        (
            "SELECT text FROM log WHERE room = 1 AND kind = 'said' AND seq < 9 ORDER BY seq DESC
          LIMIT 5",
            "SEARCH log USING INDEX log_said (room=? AND rowid<?)",
        ),
        (
            "SELECT text FROM log WHERE room = 1 AND kind = 'said' AND seq > 9 ORDER BY
            seq LIMIT 5",
            "SEARCH log USING INDEX log_said (room=? AND rowid>?)",
        ),
        (
            "SELECT max(seq) FROM log WHERE room = 1 AND kind = 'said' AND seq > 9",
            "SEARCH log USING COVERING INDEX log_said (room=? AND rowid>?)",
        ),
        (
            "SELECT seq FROM log WHERE account = 1 AND client_id = 'x'",
            "SEARCH log USING COVERING INDEX log_client_id (account=? AND client_id=?)",
        ),
    ] {
        assert_eq!(plan(sql), expected, "{sql}");
    }
}
