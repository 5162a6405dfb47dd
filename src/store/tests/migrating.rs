//! A database of the first schema, with content, becomes one of ours.

use super::*;
use crate::chat::MemberRecord;
use crate::store::schema;

/// What the first version would have left behind.
fn old(scratch: &Scratch) {
    let mut connection = scratch.other_program();
    schema::migrate(&mut connection, &schema::MIGRATIONS[..1], 0).expect("it is empty");
    let hash = |key| crypto::hex(&crypto::hash(key));
    let account = |seq, id, name: &str, key| {
        format!(
            "INSERT INTO log (seq, time, kind, body) VALUES ({seq}, {seq}00, 'account_made',
                 '{{\"account\": {id}, \"name\": \"{name}\", \"key\": \"{}\"}}');",
            hash(key)
        )
    };
    let facts = |title| {
        format!(
            "{{\"title\": \"{title}\", \"description\": \"\", \"visibility\": \"public\",
               \"password\": null}}"
        )
    };
    let room = |seq, id, owner, title| {
        format!(
            "INSERT INTO log (seq, time, kind, body) VALUES ({seq}, {seq}00, 'room_made',
                 '{{\"room\": {id}, \"owner\": {owner}, \"facts\": {}}}');",
            facts(title)
        )
    };
    let session = format!(
        "INSERT INTO log (seq, time, kind, body) VALUES (6, 600, 'session_begun',
             '{{\"session\": 1, \"account\": 2, \"key\": \"{}\"}}');",
        hash("s")
    );
    let (ann, bob, taken) = (account(2, 1, "Ann", "a"), account(5, 2, "Bob", "b"), "Bob");
    let too_late = account(3, 2, taken, "another");
    let (lobby, den) = (room(1, 1, "null", "Public Chat"), room(4, 2, "1", "Den"));
    let all = format!(
        "{lobby}{ann}{too_late}{den}{bob}{session}
         INSERT INTO log (seq, time, kind, room, account, name, color, text)
             VALUES (7, 700, 'said', 2, 1, 'Ann', 'red', 'Hello there');
         INSERT INTO log (seq, time, kind, room, account, name, color, text)
             VALUES (8, 800, 'said', 1, NULL, 'Guest', NULL, 'hello @ann');
         INSERT INTO account VALUES (1, 'Ann', 'ann', x'{}', 200);
         INSERT INTO account VALUES (2, 'Bob', 'bob', x'{}', 500);
         INSERT INTO session VALUES (1, 2, x'{}', 650);
         UPDATE meta SET value = 1 WHERE key = 'last_session';
         INSERT INTO meta VALUES ('secret', zeroblob(32)), ('epoch', '0123456789abcdef');
         INSERT INTO room VALUES (1, NULL, 'Public Chat', 'public chat', '', 'public', NULL, 0,
             100, 100, NULL);
         INSERT INTO room VALUES (2, 1, 'Den', 'den', '', 'public', NULL, 0, 400, 400, NULL);",
        hash("a"),
        hash("b"),
        hash("s")
    );
    connection.execute_batch(&all).expect("it fits the first schema");
}

#[test]
fn of_rooms_that_went_before_it_is_known_whose_they_were() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    for account in 1..=3 {
        put(&mut writer, account_made(account, &format!("Person{account}"), &account.to_string()));
    }
    let (owner, room) = (Some(AccountId(1)), RoomId(2));
    put(&mut writer, Entry::RoomMade { room, owner, facts: facts("Den") });
    for (account, member) in [(2, true), (3, true), (3, false), (2, false), (2, true)] {
        let account = AccountId(account);
        put(&mut writer, Entry::MemberChanged { room, account, member });
    }
    put(&mut writer, Entry::RoomGone { room });
    drop(writer);
    let lost = || {
        let reader = scratch.reader();
        [1, 2, 3].map(|account| reader.has_lost(AccountId(account), room).expect("an answer"))
    };
    assert_eq!(lost(), [true, true, false]);
    // As the third schema has left it.
    let third = "DELETE FROM member WHERE room = 2";
    scratch.other_program().execute_batch(third).expect("it can be undone");
    assert_eq!(lost(), [false; 3]);
    scratch.other_program().execute_batch(schema::MIGRATIONS[3]).expect("it becomes the fourth");
    assert_eq!(lost(), [true, true, false]);
}

#[test]
fn an_old_database_is_taken_over_with_all_that_is_in_it() {
    let scratch = Scratch::new();
    old(&scratch);
    let Store { snapshot, mut writer, epoch, last_seq, .. } = scratch.open();
    assert_eq!((&*epoch, last_seq), ("0123456789abcdef", Seq(8)));
    let names: Vec<&str> = snapshot.accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["Ann", "Bob"]);
    assert_eq!(snapshot.accounts[1].key, Some(crypto::hash("b")));
    let session = &snapshot.sessions[0];
    assert_eq!((session.created, session.last_used), (Time(600), Time(650)));
    assert_eq!((session.remember, &*session.agent), (false, ""));
    let member = |account, since| {
        let (account, since, read) = (AccountId(account), Seq(since), Seq(8));
        MemberRecord { account, since, read }
    };
    assert_eq!(snapshot.rooms[0].members, [member(1, 2), member(2, 5)]);
    assert_eq!(snapshot.rooms[1].members, [member(1, 4)]);
    assert_eq!((snapshot.rooms[0].last, snapshot.rooms[1].last), (Seq(8), Seq(7)));
    // What was said is found, and can be changed like anything else.
    let found = searching::search(&scratch, "HELLO");
    assert_eq!(found, [8, 7]);
    let ann = Author { account: Some(AccountId(1)), name: Name::new("Ann").expect("a name") };
    let (room, target, text) = (RoomId(2), Seq(7), "Goodbye".into());
    put(&mut writer, Entry::Edited { room, target, by: ann, text });
    assert_eq!(searching::search(&scratch, "hello"), [8]);
    assert_eq!(searching::search(&scratch, "goodbye"), [7]);
    assert_eq!(log_of(&scratch.file()).len(), 9);
    drop(writer);
    assert_eq!(scratch.open().snapshot, Snapshot { last: Seq(9), ..snapshot });
}
