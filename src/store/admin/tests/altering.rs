//! Every column of every table is altered by hand, row by row, and `verify` detects it. Undetected
//! alterations are listed here, with the reason; a new column is detected, or listed. (For the
//! full-text index the contents are compared, not how SQLite stores them.)

use std::collections::{BTreeSet, HashSet};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value as Json, json};

use crate::chat::{
    AccountId, BannedAddress, Description, Entry, Grant, Guests, Name, Policy, Reason, Recovery,
    Registration, Role, RoomId, RoomSettings, Rules, Seq, SessionId, Title, Visibility,
};
use crate::crypto;
use crate::store::admin::verify;
use crate::store::retention::{Pruner, Step};
use crate::store::tests::*;
use crate::store::{Job as Writing, Retain, Store, Writer, index, notes};
use crate::time::Time;

/// Table, column, rows (by their first column), and why another value may go undetected there.
const UNSEEN: [(&str, &str, &str, &str); 6] = [
    ("session", "last_used", "", "no entry says when a session was used"),
    ("member", "read", "", "no entry says how far somebody has read"),
    ("meta", "value", "secret", "drawn once, by nothing that is written down"),
    ("meta", "value", "epoch", "likewise"),
    ("meta", "value", "replayed", "says only how much is compared"),
    ("words_config", "v", "version", "SQLite's own, by what the index has been through"),
];

fn room_settings(title: &str, visibility: Visibility, password: Option<&str>) -> RoomSettings {
    RoomSettings {
        title: Title::new(title).expect("a title"),
        description: Description::new("what for").expect("a description"),
        visibility,
        password: password.map(Into::into),
    }
}

/// What people in charge do: a role, a setting, a ban of each kind.
fn deeds(w: &mut Writer) {
    put(w, account_made(5, "Person5", "5"));
    let role = |account, role| Entry::RoleChanged { account: AccountId(account), role: Some(role) };
    let policy = Policy { registration: Registration::Invite, guests: Guests::Rooms };
    let address = "203.0.113.7".parse().expect("an address");
    let until = Time(9_000_000_000);
    let banned = BannedAddress { address, until };
    let rules = Rules { slow_secs: 30, read_only: false, locked: true };
    for (by, act) in [
        (None, role(1, Role::Owner)),
        (Some(1), role(2, Role::Administrator)),
        (Some(1), Entry::PolicyChanged { policy }),
        (Some(2), Entry::BanChanged { account: AccountId(5), on: true }),
        (Some(2), Entry::AddressBanned { banned }),
        (Some(1), Entry::ModeratorChanged { room: RoomId(2), account: AccountId(2), on: true }),
        (Some(2), Entry::Muted { room: None, account: AccountId(5), until }),
        (Some(2), Entry::Muted { room: Some(RoomId(2)), account: AccountId(3), until }),
        (Some(2), Entry::RoomBanChanged { room: RoomId(2), account: AccountId(5), on: true }),
        (Some(1), Entry::RulesChanged { room: RoomId(3), rules }),
    ] {
        let (by, reason, act) = (by.map(AccountId), Reason::new("because"), Box::new(act));
        put(w, Entry::Deed { by, reason, act });
    }
    codes(w);
}

/// Invitations, one of them used, and a link for a lost key.
fn codes(w: &mut Writer) {
    let (by, until) = (Some(AccountId(2)), Time(i64::MAX));
    let grant = Grant {
        code: crypto::hash("c"),
        by,
        room: Some(RoomId(2)),
        until,
        uses: 2,
        registers: true,
    };
    let invitation = Seq(put(w, Entry::InvitationMade { grant }));
    let act = Box::new(account_made(6, "Person6", "6"));
    put(w, Entry::Invited { invitation, act });
    let operators = Grant { code: crypto::hash("d"), by: None, room: None, ..grant };
    put(w, Entry::InvitationMade { grant: operators });
    let recovery = Recovery { account: AccountId(6), code: crypto::hash("e"), by, until };
    put(w, Entry::RecoveryMade { recovery });
}

/// A database with a row of every kind.
fn full(scratch: &Scratch) -> Connection {
    let Store { mut writer, .. } = scratch.open();
    let w = &mut writer;
    let changes = |room, account, member, expelled| {
        let (room, account) = (RoomId(room), AccountId(account));
        Entry::MemberChanged { room, account, member, expelled, with: None }
    };
    let rooms = [
        (2, Some(1), room_settings("Den", Visibility::Private, Some("hash"))),
        (1 << 40, Some(2), room_settings("Cave", Visibility::Hidden, Some("hash"))),
        (3, None, room_settings("Open", Visibility::Public, None)),
        (4, Some(1), room_settings("Ruin", Visibility::Public, None)),
    ];
    for account in 1..=3 {
        put(w, account_made(account, &format!("Person{account}"), &format!("{account}")));
        put(w, session_begun(account, account, &format!("s{account}")));
    }
    let name = Name::new("Guest4").expect("a name");
    put(w, Entry::AccountMade { account: AccountId(4), name, key: None, color: None });
    put(w, session_begun(4, 4, "s4"));
    for (room, owner, settings) in rooms {
        let (room, owner) = (RoomId(room), owner.map(AccountId));
        put(w, Entry::RoomMade { room, owner, settings });
    }
    let between = [AccountId(1), AccountId(2)];
    put(w, Entry::DirectMade { room: RoomId(5), between, both: true });
    let (account, blocked) = (AccountId(3), AccountId(1));
    put(w, Entry::BlockChanged { account, blocked, on: true });
    for room in [2, 4] {
        put(w, changes(room, 2, true, false));
        put(w, changes(room, 3, true, false));
    }
    put(w, changes(2, 3, false, true));
    let change = room_settings("Opened", Visibility::Public, None);
    let (room, password_generation, link) = (RoomId(3), 1, None);
    let settings = change;
    put(w, Entry::RoomChanged { room, settings, password_generation, link, keep_members: false });
    let goes = |room, recoverable| Entry::RoomGone { room: RoomId(room), recoverable };
    put(w, goes(4, true));
    for (room, title) in [(6, "Attic"), (7, "Cellar"), (8, "Shed")] {
        let settings = self::room_settings(title, Visibility::Public, None);
        put(w, Entry::RoomMade { room: RoomId(room), owner: Some(AccountId(1)), settings });
        put(w, goes(room, room != 8));
    }
    let title = Title::new("Attic once more").expect("a title");
    put(w, Entry::RoomReturned { room: RoomId(6), title });
    put(w, Entry::RoomPurged { room: RoomId(7) });
    put(w, Entry::SessionEnded { session: SessionId(4) });
    put(w, Entry::AccountEnded { account: AccountId(4) });
    let (account, key) = (AccountId(3), crypto::hash("another"));
    put(w, Entry::KeyChanged { account, key, but: None });
    deeds(w);
    // Messages that retention removes, so that their client ids stay.
    let old = ["old-1", "old-2"].map(|id| put(w, sends(1, 1, id, "long ago")));
    put(w, edits(1, 1, old[1], "long ago, too"));
    let first = put(w, sends(1, 1, "first", "hello @Person2"));
    let [edited, gone] = ["edited", "gone"].map(|id| put(w, sends(1, 2, id, "words @Person2")));
    put(w, edits(1, 2, edited, "other words"));
    put(w, edits(1, 2, edited, "words once more"));
    put(w, edits(1, 2, gone, "words that go"));
    put(w, deletes(1, 2, gone, true));
    put(w, reacts(2, 1, first, "👍", true));
    put(w, reacts(1, 1, first, "❤️", true));
    put(w, reacts(2, 1, first, "👍", false));
    put(w, said(3, "somebody without an account"));
    let (room, account, seq) = (RoomId(1), AccountId(2), Seq(first));
    w.commit(vec![
        Writing::Mark { room, account, seq },
        Writing::Touch(vec![(SessionId(1), Time(9_000_000_000))]),
    ]);
    let retain = Retain { messages: Some(1), ..Retain::default() };
    let mut pruner = Pruner::new(retain).expect("something goes");
    while pruner.step(&w.connection, Some(Time(1))).expect("a step") != Step::Done {}
    put(w, says(2, 2, "the last one"));
    index::index_all(&w.connection).expect("an index of all words");
    writer.close();
    let connection = Connection::open(scratch.file()).expect("it opens");
    let free = "PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY";
    connection.execute_batch(free).expect("it can be set");
    connection
}

/// The result of `verify` after a change, which is undone again. `None`: the change is impossible.
fn after(connection: &Connection, sql: &str, with: &[Value]) -> Option<Result<String, String>> {
    connection.execute_batch("BEGIN").expect("it begins");
    let done = connection.execute(sql, params_from_iter(with));
    let said = done
        .ok()
        .filter(|rows| *rows > 0)
        .map(|_| verify::all(connection).map_err(|error| error.to_string()));
    connection.execute_batch("ROLLBACK").expect("it is undone");
    said
}

fn rows<const N: usize>(connection: &Connection, sql: &str) -> Vec<[Value; N]> {
    let mut select = connection.prepare(sql).expect(sql);
    let row = |row: &rusqlite::Row<'_>| {
        let values: rusqlite::Result<Vec<Value>> = (0..N).map(|index| row.get(index)).collect();
        Ok(values?.try_into().expect("as many as there are"))
    };
    select.query_map([], row).expect(sql).map(|row| row.expect(sql)).collect()
}

/// The key of a table's rows, and its first column.
fn key(connection: &Connection, table: &str) -> (String, String) {
    let names = format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk");
    let names: Vec<String> = rows(connection, &names).iter().map(|[name]| text(name)).collect();
    let each: Vec<String> = names.iter().map(|name| format!("quote({name})")).collect();
    (each.join(" || ' ' || "), names[0].clone())
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// Other values than the given one.
fn others(value: &Value, kind: &str) -> Vec<Value> {
    match value {
        Value::Integer(number) => vec![Value::Integer(number ^ 1), Value::Null],
        Value::Text(text) => {
            let mut other = text.clone();
            let last = other.pop();
            other.push(if last == Some('x') { 'y' } else { 'x' });
            vec![Value::Text(other), Value::Null]
        }
        Value::Blob(bytes) => {
            let mut other = bytes.clone();
            if let Some(last) = other.last_mut() {
                *last ^= 1;
            }
            vec![Value::Blob(other), Value::Null]
        }
        _ => match kind {
            "TEXT" => vec![Value::Text("x".to_owned())],
            "BLOB" => vec![Value::Blob(vec![0; 16])],
            _ => vec![Value::Integer(1)],
        },
    }
}

#[test]
fn every_column_that_is_altered_is_seen() {
    let scratch = Scratch::new();
    let connection = full(&scratch);
    verify::all(&connection).expect("it is sound");
    assert_ne!(notes::sum_of_spent(&connection), Ok(0));
    let (mut passed, mut unseen) = ([0; UNSEEN.len()], Vec::new());
    let columns = "SELECT t.name, c.name, c.type FROM sqlite_schema AS t
        JOIN pragma_table_info(t.name) AS c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
            AND t.name NOT IN ('words', 'words_data', 'words_idx')";
    for [table, column, kind] in rows(&connection, columns) {
        let (table, column, kind) = (text(&table), text(&column), text(&kind));
        let (row, first) = key(&connection, &table);
        // Of the log, one entry of each kind in each state.
        let some = match &*table {
            "log" => "GROUP BY kind, proof IS NULL, octet_length(proof), edited IS NULL",
            _ => "",
        };
        let found = format!("SELECT {row}, {first}, {column} FROM {table} {some}");
        let found = rows::<3>(&connection, &found);
        assert!(!found.is_empty(), "there is a row in {table}");
        let mut tried = 0;
        for [key, first, value] in found {
            let first = text(&first);
            let listed = UNSEEN.iter().position(|(of, name, which, _)| {
                *of == table && *name == column && (which.is_empty() || first == *which)
            });
            for other in others(&value, &kind) {
                let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {row} = ?2");
                let Some(said) = after(&connection, &sql, &[other.clone(), key.clone()]) else {
                    continue; // It cannot have that value.
                };
                tried += 1;
                match (said, listed) {
                    (Ok(_), Some(at)) => passed[at] += 1,
                    (Ok(_), None) => {
                        unseen.push(format!("{table}.{column} {key:?}: {value:?} to {other:?}"));
                    }
                    (Err(_), _) => {}
                }
            }
        }
        assert!(tried > 0, "{table}.{column} can be altered");
    }
    assert_eq!(unseen, Vec::<String>::new());
    let needless: Vec<_> = UNSEEN.iter().zip(passed).filter(|(_, times)| *times == 0).collect();
    assert_eq!(needless, [], "listed, but seen");
}

#[test]
fn every_row_that_is_missing_is_seen() {
    let scratch = Scratch::new();
    let connection = full(&scratch);
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
        AND name NOT LIKE 'words%'";
    for [table] in rows(&connection, tables) {
        let table = text(&table);
        let (row, _) = key(&connection, &table);
        for [key] in rows::<1>(&connection, &format!("SELECT {row} FROM {table}")) {
            let sql = format!("DELETE FROM {table} WHERE {row} = ?");
            let said = after(&connection, &sql, std::slice::from_ref(&key)).expect("it can go");
            said.expect_err(&format!("{table} {}", text(&key)));
        }
    }
    // The last ten, and for each client id one more.
    let end = "DELETE FROM log WHERE seq > (SELECT max(seq) FROM log) - 10";
    after(&connection, end, &[]).expect("they can go").expect_err(end);
    let forged = [
        "INSERT INTO log (seq, time, kind, room, name, text) SELECT max(seq) + 1, max(time), 'said',
             1, 'Eve', 'hello' FROM log",
        "INSERT INTO gap SELECT max(seq), hash FROM log",
        "INSERT INTO lost VALUES (1, 20, 2)",
        "INSERT INTO member (room, account, since, read, horizon) VALUES (2, 3, 5, 5, 0)",
        "INSERT INTO spent VALUES (1, 'forged', 5, 5, 1, NULL, zeroblob(32))",
        "INSERT INTO meta VALUES ('more', 1)",
        "INSERT INTO mention VALUES (3, 1, 5)",
    ];
    for sql in forged {
        after(&connection, sql, &[]).expect(sql).expect_err(sql);
    }
}

#[test]
fn every_field_of_an_export_that_is_altered_is_seen() {
    let scratch = Scratch::new();
    drop(full(&scratch));
    let mut out = Vec::new();
    super::export(&scratch.file(), &mut out).expect("it is exported");
    let out = String::from_utf8(out).expect("text");
    let lines: Vec<Map<String, Json>> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let import = |lines: &[Map<String, Json>]| {
        super::import(&scratch.0.join("other"), "lines", sealed(lines).as_bytes(), true)
    };
    import(&lines).expect("it is whole");
    let (mut tried, mut unseen) = (HashSet::new(), BTreeSet::new());
    for (at, line) in lines[..lines.len() - 1].iter().enumerate().rev() {
        let kind = line["kind"].as_str().expect("a kind");
        for (field, value) in line.iter().filter(|(field, _)| *field != "kind") {
            if !tried.insert((kind, field)) {
                continue; // One of each will do.
            }
            let mut altered = lines.clone();
            altered[at].insert(field.clone(), other(value));
            if import(&altered).is_ok() {
                unseen.insert(format!("{kind}.{field}"));
            }
        }
        let mut fewer = lines.clone();
        fewer.remove(at);
        // (The last lines, and some of the log's end.)
        let looked = at + 20 >= lines.len();
        assert!(!looked || is_beside(kind) || import(&fewer).is_err(), "{line:?}");
    }
    // No entry covers these fields, which are not in the log.
    let expected = ["room_read.read", "session_used.last_used"];
    assert_eq!(unseen.iter().map(|one| &**one).collect::<Vec<_>>(), expected);
}

fn is_beside(kind: &str) -> bool {
    matches!(kind, "session_used" | "room_read")
}

/// Makes the last line fit, as in a real export.
fn sealed(lines: &[Map<String, Json>]) -> String {
    let (_, all) = lines.split_last().expect("an end");
    let body: String =
        all.iter().map(|line| Json::Object(line.clone()).to_string() + "\n").collect();
    let entries = all.iter().filter(|line| line.contains_key("seq") && !line["kind"].is_null());
    let entries = entries.filter(|line| !matches!(line["kind"].as_str(), Some("gap" | "spent")));
    let (count, sum) = (entries.count(), crypto::hex(&crypto::hash(&body)));
    format!("{body}{}\n", json!({"kind": "end", "entries": count, "sha256": sum}))
}

fn other(value: &Json) -> Json {
    match value {
        Json::Number(number) => json!(number.as_i64().expect("a whole number") ^ 1),
        Json::String(text) if text.ends_with('0') => json!(format!("{}1", &text[..text.len() - 1])),
        Json::String(text) => {
            let rest: String = text.chars().take(text.chars().count() - 1).collect();
            json!(format!("{rest}0"))
        }
        _ => json!({}),
    }
}
