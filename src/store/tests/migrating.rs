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
    let mut connection = scratch.other_program();
    schema::migrate(&mut connection, &schema::MIGRATIONS[..3], 0).expect("it is empty");
    let facts = "{\"title\": \"T\", \"description\": \"\", \"visibility\": \"public\"}";
    let row = |seq, kind, body: String| {
        format!("INSERT INTO log (seq, time, kind, body) VALUES ({seq}, 0, '{kind}', '{body}');")
    };
    let made = |seq, room, owner| {
        let body = format!("{{\"room\": {room}, \"owner\": {owner}, \"facts\": {facts}}}");
        row(seq, "room_made", body)
    };
    let moves = [(6, 2, true), (7, 3, true), (8, 3, false), (9, 2, false), (10, 2, true)];
    let moves = moves.map(|(seq, account, member)| {
        let body = format!("{{\"room\": 2, \"account\": {account}, \"member\": {member}}}");
        row(seq, "member_changed", body)
    });
    let accounts = [1, 2, 3].map(|id| {
        format!(
            "INSERT INTO account (id, name, folded, created) VALUES ({id}, 'P{id}', 'p{id}', 0);"
        )
    });
    let rooms = "INSERT INTO room (id, owner, title, folded, description, visibility, generation,
            created, updated, gone, since)
        VALUES (1, NULL, 'Public Chat', 'public chat', '', 'public', 0, 0, 0, NULL, 1),
            (2, 1, 'T', 't', '', 'public', 0, 0, 0, 11, 5);
        INSERT INTO meta VALUES ('secret', zeroblob(32)), ('epoch', '0123456789abcdef');";
    let gone = row(11, "room_gone", "{\"room\": 2}".to_owned());
    let log = format!("{}{}{}{gone}", made(1, 1, "null"), made(5, 2, "1"), moves.concat());
    let all = format!("{}{rooms}{log}", accounts.concat());
    connection.execute_batch(&all).expect("it fits the third schema");
    drop(connection);
    drop(scratch.open());
    let reader = scratch.reader();
    let lost = [1, 2, 3].map(|account| {
        let lost = reader.lost(AccountId(account), Seq(0), Seq(99)).expect("an answer");
        lost.into_iter().map(|(seq, room)| (seq.0, room.0)).collect::<Vec<_>>()
    });
    assert_eq!(lost, [vec![(11, 2)], vec![(9, 2), (11, 2)], vec![(8, 2)]]);
}

/// A room that was hidden under a number that can be counted to gets one that cannot; one that was
/// opened keeps for its members what was said before.
#[test]
fn hidden_rooms_get_a_number_and_open_ones_a_horizon() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Person1", "1"));
    let made = |room: u64, visibility| {
        let mut facts = facts(&format!("Room {room}"));
        facts.visibility = visibility;
        facts.password = (visibility != Visibility::Public).then(|| "hash".into());
        (facts.clone(), Entry::RoomMade { room: RoomId(room), owner: None, facts })
    };
    put(&mut writer, made(2, Visibility::Hidden).1);
    let (facts, private) = made(3, Visibility::Private);
    put(&mut writer, private);
    let open = RoomFacts { visibility: Visibility::Public, password: None, ..facts };
    let (room, generation) = (RoomId(3), 0);
    let opened = put(
        &mut writer,
        Entry::RoomChanged { room, facts: open, generation, link: None, keep_members: false },
    );
    drop(writer);
    let new = scratch.open().snapshot;
    // As the sixth schema has left it.
    let sixth = "DROP TABLE lost; DROP INDEX room_link; ALTER TABLE room DROP COLUMN link;
        ALTER TABLE room DROP COLUMN opened; ALTER TABLE member DROP COLUMN horizon;
        DROP TABLE mention; CREATE TABLE mention (name TEXT, room INTEGER, seq INTEGER);
        CREATE INDEX mention_seq ON mention (seq);
        DROP INDEX room_kept; ALTER TABLE room DROP COLUMN kept;
        DROP TABLE gap; ALTER TABLE log DROP COLUMN proof; ALTER TABLE log DROP COLUMN hash;
        DROP INDEX room_between_a; DROP INDEX room_between_b; DROP TABLE block;
        ALTER TABLE room DROP COLUMN forsaken;
        PRAGMA user_version = 6";
    scratch.other_program().execute_batch(sixth).expect("it can be undone");
    let taken_over = scratch.open().snapshot;
    let opened_by =
        |snapshot: &Snapshot| snapshot.rooms.iter().map(|room| room.opened).collect::<Vec<_>>();
    assert_eq!(opened_by(&taken_over), [Seq(1), Seq(0), Seq(opened)]);
    assert_eq!(opened_by(&taken_over), opened_by(&new));
    assert!(taken_over.rooms[1].link.is_some_and(|link| link.is_drawn() && link.0 < RoomId::END));
}

#[test]
fn a_room_for_two_whose_guest_went_before_ends_when_it_is_taken_over() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Ann", "a"));
    let guest = Entry::AccountMade {
        account: AccountId(2),
        name: Name::new("Zoe").expect("a name"),
        key: None,
        color: None,
    };
    put(&mut writer, guest);
    let (room, between) = (RoomId(RoomId::DRAWN_MIN), [AccountId(2), AccountId(1)]);
    put(&mut writer, Entry::DirectMade { room, between, both: true });
    let ended = put(&mut writer, Entry::AccountEnded { account: AccountId(2) });
    drop(writer);
    let lost = || {
        let reader = scratch.reader();
        reader.lost(AccountId(1), Seq(0), Seq(ended)).expect("an answer")
    };
    let new = scratch.open().snapshot;
    assert_eq!(
        (new.rooms.len(), &*new.spent_rooms, &*lost()),
        (1, &[room][..], &[(Seq(ended), room)][..])
    );
    // As it was left before.
    let before = "UPDATE room SET gone = NULL; DELETE FROM lost;
        INSERT INTO member (room, account, since, read, horizon) VALUES (4294967296, 1, 4, 4, 0)";
    scratch.other_program().execute_batch(before).expect("it can be undone");
    assert_eq!(scratch.open().snapshot.rooms.len(), 2);
    let again = include_str!("../migrations/0009_direct.sql");
    scratch.other_program().execute_batch(again).expect("it fits");
    assert_eq!((scratch.open().snapshot, &*lost()), (new, &[(Seq(ended), room)][..]));
}

#[test]
fn what_guests_had_left_behind_has_the_owner_that_it_would_have_now() {
    let scratch = Scratch::new();
    let Store { mut writer, .. } = scratch.open();
    put(&mut writer, account_made(1, "Ann", "a"));
    put(&mut writer, account_made(3, "Bob", "b"));
    let (name, key, color) = (Name::new("Zoe").expect("a name"), None, None);
    put(&mut writer, Entry::AccountMade { account: AccountId(2), name, key, color });
    for (room, title) in [(2, "Den"), (3, "Attic"), (4, "Hall")] {
        let (room, facts) = (RoomId(room), facts(title));
        let owner = (room != RoomId(4)).then_some(AccountId(2));
        put(&mut writer, Entry::RoomMade { room, owner, facts });
    }
    let come = |room, account| {
        let (room, account) = (RoomId(room), AccountId(account));
        Entry::MemberChanged { room, account, member: true, expelled: false }
    };
    put(&mut writer, come(2, 3));
    put(&mut writer, come(2, 1));
    put(&mut writer, Entry::AccountEnded { account: AccountId(2) });
    put(&mut writer, come(3, 1));
    drop(writer);
    let new = scratch.open().snapshot;
    let owners: Vec<_> = new.rooms.iter().map(|room| (room.owner, room.forsaken)).collect();
    assert_eq!(owners, [(None, false), (Some(AccountId(3)), false), (None, true), (None, false)]);
    // As it was left before.
    let before = "UPDATE room SET owner = NULL; DROP INDEX room_between_a;
        DROP INDEX room_between_b; DROP TABLE block; ALTER TABLE room DROP COLUMN forsaken;
        DROP INDEX room_kept; ALTER TABLE room DROP COLUMN kept;
        PRAGMA user_version = 10";
    scratch.other_program().execute_batch(before).expect("it can be undone");
    assert_eq!(scratch.open().snapshot, new);
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
        MemberRecord { account, since, read, horizon: Seq(0) }
    };
    assert_eq!(snapshot.rooms[0].members, [member(1, 2), member(2, 5)]);
    assert_eq!(snapshot.rooms[1].members, [member(1, 4)]);
    assert_eq!((snapshot.rooms[0].last, snapshot.rooms[1].last), (Seq(8), Seq(7)));
    // What was said is found, and can be changed like anything else.
    let found = searching::search(&scratch, "HELLO");
    assert_eq!(found, [8, 7]);
    let ann = Author { account: Some(AccountId(1)), name: Name::new("Ann").expect("a name") };
    let (room, target, text) = (RoomId(2), Seq(7), "Goodbye".into());
    let calls = Box::default();
    put(&mut writer, Entry::Edited { room, target, by: ann, text, calls });
    assert_eq!(searching::search(&scratch, "hello"), [8]);
    assert_eq!(searching::search(&scratch, "goodbye"), [7]);
    assert_eq!(log_of(&scratch.file()).len(), 9);
    drop(writer);
    assert_eq!(scratch.open().snapshot, Snapshot { last: Seq(9), ..snapshot });
}
