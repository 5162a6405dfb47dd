//! Backups, exports and imports equal their source, and every fault is found.

mod altering;

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::*;
use crate::chat::{AccountId, Entry, RoomId, SessionId};
use crate::crypto;
use crate::limits::INDEX_ENTRIES;
use crate::store::tests::*;
use crate::store::{Job as Writing, Store};
use crate::time::Time;

/// A database with something of everything in it, still open.
fn busy(scratch: &Scratch) -> Store {
    let mut store = scratch.open();
    let writer = &mut store.writer;
    put(writer, account_made(1, "Person1", "a"));
    put(writer, account_made(2, "Person2", "b"));
    put(writer, session_begun(1, 1, "s1"));
    put(writer, room_made(2, "Den"));
    put(
        writer,
        Entry::MemberChanged {
            room: RoomId(2),
            account: AccountId(2),
            member: true,
            expelled: false,
            with: None,
        },
    );
    let first = put(writer, sends(1, 1, "first", "hello @Person2 and @Person1"));
    let second = put(writer, sends(2, 2, "second", "soon gone"));
    put(writer, reacts(2, 1, first, "👍", true));
    put(writer, reacts(1, 1, first, "👍", true));
    put(writer, reacts(2, 1, first, "👍", false));
    put(writer, reacts(1, 2, second, "❤️", true));
    put(writer, edits(1, 1, first, "good morning @Person2"));
    put(writer, deletes(2, 2, second, false));
    put(writer, said(9, "into no room"));
    // Enough for the full-text index to be built.
    let many = (0..INDEX_ENTRIES).map(|number| write(1, says(1, 1, &format!("number {number}"))));
    writer.commit(many.collect());
    let room = RoomId(1);
    let mark = Writing::Mark { room, account: AccountId(2), seq: crate::chat::Seq(20) };
    let touch = Writing::Touch(vec![(SessionId(1), Time(9_000_000_000))]);
    writer.commit(vec![mark, touch]);
    store
}

/// A core that applies such a log proposes several entries at once.
#[test]
fn a_guest_who_leaves_rooms_behind_leaves_a_sound_database() {
    let scratch = Scratch::new();
    let mut store = scratch.open();
    let writer = &mut store.writer;
    put(writer, account_made(1, "Ann", "a"));
    let (name, key, color) = (crate::chat::Name::new("Zoe").expect("a name"), None, None);
    put(writer, Entry::AccountMade { account: AccountId(2), name, key, color });
    for (room, title) in [(2, "Den"), (3, "Attic"), (4, "Hall")] {
        let Entry::RoomMade { room, settings, .. } = room_made(room, title) else { unreachable!() };
        put(writer, Entry::RoomMade { room, owner: Some(AccountId(2)), settings });
    }
    let (room, account, member, expelled) = (RoomId(3), AccountId(1), true, false);
    put(writer, Entry::MemberChanged { room, account, member, expelled, with: None });
    put(writer, Entry::BlockChanged { account, blocked: AccountId(2), on: true });
    put(writer, Entry::AccountEnded { account: AccountId(2) });
    put(writer, Entry::RoomGone { room: RoomId(2), recoverable: false });
    drop(store);
    verify(&scratch.file()).expect("it is sound");
    let other = Connection::open(scratch.file()).expect("it opens");
    other.execute("DELETE FROM block", []).expect("somebody does that");
    let why = verify(&scratch.file()).expect_err("it is not");
    assert!(why.contains("blocks"), "{why}");
}

fn exported(db: &Path) -> String {
    let mut out = Vec::new();
    export(db, &mut out).expect("it is exported");
    String::from_utf8(out).expect("text")
}

fn epoch(db: &Path) -> String {
    let connection = Connection::open(db).expect("it opens");
    let epoch = "SELECT value FROM meta WHERE key = 'epoch'";
    connection.query_row(epoch, [], |row| row.get(0)).expect("it has one")
}

#[test]
fn a_backup_of_an_open_database_is_whole_and_private() {
    let scratch = Scratch::new();
    let store = busy(&scratch);
    let (db, file) = (scratch.file(), scratch.0.join("backup"));
    let said = backup(&db, &file).expect("it works");
    let entries = 15 + INDEX_ENTRIES;
    assert!(said.contains(&format!("{entries} entries, 2 accounts, 2 rooms")), "{said}");
    let mode = fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!beside(&file, "-wal").exists() && !beside(&file, "-shm").exists());
    assert_eq!(exported(&file), exported(&db));
    let again = backup(&db, &file).expect_err("it is there already");
    assert!(again.ends_with("this file exists already: choose another"), "{again}");
    // A file that cannot be filled is removed.
    let other = scratch.0.join("other");
    assert!(backup(&other, &file).is_err() && !other.exists());
    drop(store);
}

#[test]
fn restored_is_as_it_was_and_another_log() {
    let scratch = Scratch::new();
    let mut store = busy(&scratch);
    let (db, file) = (scratch.file(), scratch.0.join("backup"));
    backup(&db, &file).expect("it works");
    let before = exported(&db);
    put(&mut store.writer, says(1, 1, "too late"));
    let refused = |force| restore(&db, &file, force).expect_err("it is refused");
    assert!(refused(false).ends_with("replace it with --force"), "{}", refused(false));
    assert!(refused(true).contains("another shanty is using the file"), "{}", refused(true));
    drop(store);
    restore(&db, &file, true).expect("nobody uses it");
    assert_eq!(exported(&db), before);
    assert_ne!(epoch(&db), epoch(&file));
    assert_eq!(fs::metadata(&db).expect("it").permissions().mode() & 0o777, 0o600);
    let Store { mut writer, .. } = scratch.open();
    put(&mut writer, says(1, 1, "it goes on"));
    drop(writer);
    verify(&db).expect("still sound");
    // A file that is no backup changes nothing.
    fs::write(scratch.0.join("junk"), "junk, and not a database".repeat(99)).expect("a file");
    let kept = exported(&db);
    let error = restore(&db, &scratch.0.join("junk"), true).expect_err("junk");
    assert!(error.contains("this file is not a database"), "{error}");
    assert_eq!(exported(&db), kept);
    let left: Vec<_> =
        fs::read_dir(&scratch.0).expect("it").map(|e| e.expect("e").path()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn lines_there_and_back() {
    let scratch = Scratch::new();
    drop(busy(&scratch));
    let lines = exported(&scratch.file());
    let other = scratch.0.join("other.db");
    import(&other, "lines", lines.as_bytes(), false).expect("it works");
    assert_eq!(exported(&other), lines);
    assert_ne!(epoch(&other), epoch(&scratch.file()));
    assert!(!lines.contains(&epoch(&other)) && !lines.contains("soon gone"));
    let again = import(&other, "lines", lines.as_bytes(), false).expect_err("it is there");
    assert!(again.contains("--force"), "{again}");
    import(&other, "lines", lines.as_bytes(), true).expect("it is replaced");
    let keys_are_sorted = lines.lines().all(|line| {
        let fields: serde_json::Value = serde_json::from_str(line).expect("JSON");
        format!("{fields}") == line
    });
    assert!(keys_are_sorted);
}

/// An export from before messages stored their mentions, and before the chain.
#[test]
fn lines_of_an_older_version_call_whom_their_words_call() {
    let scratch = Scratch::new();
    let mut store = busy(&scratch);
    put(&mut store.writer, says(1, 1, "`@Person2` is code, and @Person3 comes later"));
    put(&mut store.writer, account_made(3, "Person3", "c"));
    let message = put(&mut store.writer, says(1, 1, "nobody"));
    put(&mut store.writer, edits(1, 1, message, "@Person3, then"));
    drop(store);
    let mut body = String::new();
    for line in exported(&scratch.file()).lines() {
        let mut fields: serde_json::Map<String, Value> = serde_json::from_str(line).expect("JSON");
        match fields["kind"].as_str() {
            Some("shanty") => {
                fields = json!({"kind": "shanty", "version": 2, "pruned": 0})
                    .as_object()
                    .expect("it is one")
                    .clone()
            }
            Some("said") => drop(fields.remove("body")),
            Some("end") => {
                fields = json!({"kind": "end", "entries": fields["entries"],
                "sha256": crypto::hex(&crypto::hash(&body))})
                .as_object()
                .expect("it is one")
                .clone()
            }
            _ => {}
        }
        fields.remove("hash");
        fields.remove("proof");
        body += &format!("{}\n", Value::Object(fields));
    }
    let other = scratch.0.join("other.db");
    import(&other, "lines", body.as_bytes(), false).expect("it works");
    let calls = |path: &Path| {
        let connection = Connection::open(path).expect("it opens");
        let mut select = connection.prepare("SELECT * FROM mention").expect("it is SQL");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.expect("rows").map(|row| row.expect("a row")).collect::<Vec<(i64, i64, i64)>>()
    };
    // In the tests' own way of calling, code is no other thing.
    let expected: Vec<_> =
        calls(&scratch.file()).into_iter().filter(|(_, _, seq)| *seq < 2_060).collect();
    assert!(!expected.is_empty());
    for one in &expected {
        assert!(calls(&other).contains(one), "{one:?}");
    }
    assert_eq!(calls(&other).last(), Some(&(3, 1, message.cast_signed())));
    assert_eq!(calls(&other).len(), expected.len() + 1);
}

#[test]
fn lines_that_are_wrong() {
    let scratch = Scratch::new();
    drop(busy(&scratch));
    let lines = exported(&scratch.file());
    let other = scratch.0.join("other.db");
    let without = |word: &str| {
        let kept: Vec<&str> = lines.lines().filter(|line| !line.contains(word)).collect();
        kept.join("\n")
    };
    // Makes the last line fit, as in a real export.
    let sealed = |lines: &str| {
        let (body, end) = lines.trim_end().rsplit_once('\n').expect("an end");
        let (end, _) = end.split_once("\"sha256\":").expect("a sum");
        let body = format!("{body}\n");
        let sum = crypto::hex(&crypto::hash(&body));
        format!("{body}{end}\"sha256\":\"{sum}\"}}\n")
    };
    assert_eq!(sealed(&lines), lines);
    let first_two: Vec<&str> = lines.lines().take(2).collect();
    let cases = [
        (String::new(), "the end is missing"),
        ("nonsense\n".to_owned(), "line 1: this is not a JSON object"),
        (first_two[1].to_owned(), "line 1: this is not an export of shanty"),
        (first_two.join("\n"), "the end is missing"),
        (without("number 17\""), "entries are missing"),
        (lines[..lines.len() / 2].to_owned(), "the end is missing: export again"),
        (lines[..lines.len() - 9].to_owned(), "the end is missing"),
        (lines.replacen("number 17\"", "number 18\"", 1), "it was altered, or damaged"),
        (lines.replacen("\"last_used\":9000000000", "\"last_used\":9000000001", 1), "altered"),
        (lines.replace('\n', "\r\n"), "altered"),
        (lines.replacen("\"version\":4", "\"version\":7", 1), "another version"),
        (lines.replacen("\"kind\":\"said\"", "\"kind\":\"sang\"", 1), "line 8: "),
        (lines.replacen("\"text\":", "\"verse\":", 1), "\"verse\" is unknown"),
        (sealed(&lines.replacen("\"target\":", "\"target\":9999", 1)), "not a complete export"),
    ];
    for (lines, says) in cases {
        let error = import(&other, "lines", lines.as_bytes(), false).expect_err(says);
        assert!(error.starts_with("lines: ") && error.contains(says), "{says}: {error}");
        assert!(!error.contains('\n') && !other.exists(), "{error}");
    }
}

#[test]
fn damage_is_found() {
    let cases = [
        ("DELETE FROM log WHERE seq = 12", "entry 12 of the log is missing"),
        ("UPDATE account SET name = 'Eve' WHERE id = 1", "the accounts differ from the log"),
        ("DELETE FROM session", "the sessions differ from the log"),
        ("UPDATE room SET title = 'Attic' WHERE id = 2", "the rooms or memberships"),
        ("DELETE FROM member WHERE room = 1", "the rooms or memberships"),
        ("UPDATE meta SET value = 9 WHERE key = 'last_session'", "the last numbers"),
        ("UPDATE log SET edited = 1 WHERE seq = 30", "message 30 differs from the log"),
        ("UPDATE log SET text = NULL WHERE seq = 30", "entry 30 has changed"),
        ("DELETE FROM reaction", "lacks a reaction"),
        ("UPDATE reaction SET emoji = '🍋'", "a reaction that is not in the log"),
        ("DELETE FROM mention", "mentions somebody who is not in the table"),
        ("INSERT INTO mention VALUES (2, 1, 30)", "a mention belongs to no message"),
        ("DELETE FROM words_data WHERE id > 10", "damaged"),
        ("UPDATE log SET text = 'other words' WHERE seq = 30", "entry 30 has changed"),
        ("UPDATE log SET room = 2 WHERE seq = 30", "entry 30 has changed"),
        (
            "INSERT INTO words (words, rowid, text, bag) VALUES ('delete', 30, 'number', '')",
            "the full-text index differs",
        ),
        (
            "INSERT INTO words (rowid, text, bag) VALUES (2, 'ghost', '.1 @eve')",
            "the full-text index differs",
        ),
        ("DELETE FROM meta WHERE key = 'epoch'", "epoch or secret is missing"),
        ("INSERT INTO session VALUES (7, 99, x'00', 0, '', 1, 1)", "a session without an account"),
        ("UPDATE log SET body = '{}' WHERE seq = 2", "the column body has what it cannot"),
    ];
    let scratch = Scratch::new();
    drop(busy(&scratch));
    verify(&scratch.file()).expect("it is sound");
    let damaged = scratch.0.join("damaged.db");
    for (sql, says) in cases {
        fs::copy(scratch.file(), &damaged).expect("a copy");
        let connection = Connection::open(&damaged).expect("it opens");
        connection.pragma_update(None, "foreign_keys", false).expect("it can be set");
        connection.execute_batch(sql).expect(sql);
        drop(connection);
        let error = verify(&damaged).expect_err(sql);
        assert!(error.contains(says), "{sql}: {error}");
        assert!(error.contains("restore it from a backup") && !error.contains('\n'), "{error}");
    }
    // Damage that SQL cannot do.
    let mut bytes = fs::read(scratch.file()).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 9_000].fill(0x5a);
    fs::write(&damaged, bytes).expect("it is written");
    verify(&damaged).expect_err("it is damaged");
    let error = verify(&scratch.0.join("nothing")).expect_err("it is not there");
    assert!(error.ends_with("there is no such file: check the name"), "{error}");
}

#[test]
fn foreign_objects_are_not_taken_over() {
    let scratch = Scratch::new();
    drop(busy(&scratch));
    let other = scratch.0.join("other.db");
    let cases = [
        (
            "CREATE TRIGGER spy AFTER INSERT ON log BEGIN DELETE FROM session; END",
            "trigger spy is not part of shanty's schema",
        ),
        ("CREATE VIEW seen AS SELECT * FROM log", "view seen is not part of shanty's schema"),
        ("CREATE TABLE kept (it)", "table kept is not part of shanty's schema"),
        ("CREATE INDEX log_text ON log (text)", "index log_text is not part of shanty's schema"),
        ("DROP INDEX log_said", "index log_said is missing"),
        (
            "DROP INDEX log_said; CREATE INDEX log_said ON log (time) WHERE kind = 'said'",
            "index log_said has another definition than shanty's",
        ),
        (
            "ALTER TABLE spent ADD COLUMN more TEXT",
            "table spent has another definition than shanty's",
        ),
    ];
    for (sql, says) in cases {
        fs::copy(scratch.file(), &other).expect("a copy");
        Connection::open(&other).expect("it opens").execute_batch(sql).expect(sql);
        for why in [verify(&other), restore(&scratch.file(), &other, true)] {
            let why = why.expect_err(sql);
            assert!(why.contains(says), "{sql}: {why}");
        }
    }
    // Nor from an older version's backup: it is compared with that version's schema.
    let ours = schema::MIGRATIONS;
    let migrations = [&ours[..], &["ALTER TABLE room ADD COLUMN more TEXT"]].concat();
    let [first, second] = [ours.len(), ours.len() + 1]
        .map(|seen| replica::Replica::new(&migrations[..seen]).expect("it"));
    let older = Connection::open(scratch.file()).expect("it opens");
    verify::objects(&older, &first).expect("what our migrations make");
    let why = verify::objects(&older, &second).expect_err("it has not seen the next");
    assert!(why.to_string().contains("table room has another definition than shanty's"), "{why}");
    older.execute_batch("CREATE TRIGGER spy AFTER INSERT ON log BEGIN SELECT 1; END").expect("it");
    let why = verify::objects(&older, &first).expect_err("it has a trigger");
    assert!(why.to_string().contains("trigger spy is not part of shanty's schema"), "{why}");
    older.execute_batch("DROP TRIGGER spy").expect("it goes");
    // The tables that ANALYZE leaves are accepted.
    Connection::open(scratch.file()).expect("it opens").execute_batch("ANALYZE").expect("it does");
    verify(&scratch.file()).expect("it is sound");
}

#[test]
fn lines_have_an_end() {
    let scratch = Scratch::new();
    let endless = BufReader::new(io::repeat(0));
    let why = import(&scratch.file(), "zeros", endless, false).expect_err("it has no line");
    assert_eq!(why, "zeros: line 1: this line is longer than any line of an export");
    drop(busy(&scratch));
    let lines = exported(&scratch.file());
    let (first, rest) = lines.split_once('\n').expect("lines");
    let padded = format!("{first}{}\n{rest}", " ".repeat(300_000));
    let other = scratch.0.join("other.db");
    let why = import(&other, "lines", padded.as_bytes(), false).expect_err("it is too long");
    assert!(why.contains("line 1: this line is longer"), "{why}");
}

#[test]
fn a_read_only_database_can_be_read() {
    let scratch = Scratch::new();
    drop(busy(&scratch));
    let name = scratch.0.join("100% read?only#.db");
    fs::rename(scratch.file(), &name).expect("it moves");
    let connection = connect_unwritten(&name).expect("it opens");
    assert_eq!(schema::version(&connection).expect("a schema"), schema::MIGRATIONS.len());
    verify::verify(&connection).expect("it is sound");
    let mut out = Vec::new();
    export::export(&connection, &mut out).expect("it is exported");
    copy(&connection, &{
        let file = scratch.0.join("backup");
        empty(&file).expect("a new file");
        file
    })
    .expect("it is copied");
    drop(connection);
    assert!(!beside(&name, "-shm").exists() && !beside(&name, "-wal").exists());
    // Rows that are only in the write-ahead log would be left out, silently.
    fs::write(beside(&name, "-wal"), "something").expect("a file");
    let why = connect_unwritten(&name).expect_err("it is not all there");
    assert!(matches!(why, OpenError::Unmoved), "{why}");
}

#[test]
fn a_file_that_becomes_the_database_is_for_nobody_else() {
    let scratch = Scratch::new();
    fs::write(scratch.file(), "").expect("a file");
    fs::set_permissions(scratch.file(), fs::Permissions::from_mode(0o644)).expect("it is ours");
    drop(scratch.open());
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&scratch.file()), 0o600);
    // A group's later permission stays; everybody's does not.
    for (before, after) in [(0o640, 0o640), (0o660, 0o660), (0o644, 0o600), (0o666, 0o600)] {
        let mode_of = fs::Permissions::from_mode(before);
        fs::set_permissions(scratch.file(), mode_of).expect("it is ours");
        drop(scratch.open());
        assert_eq!(mode(&scratch.file()), after, "{before:o}");
    }
}
