//! A database of an older version is upgraded, or refused.

use super::*;
use crate::chat::{Grant, Invitation, Role};
use crate::store::schema;

/// How migrations run. Each later migration gets a test of its own.
#[test]
fn an_older_database_is_taken_over_with_all_that_is_in_it() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Ann", "a"));
    let seq = put(&mut writer, says(1, 1, "hello"));
    drop(writer);
    let before = scratch.open().snapshot;
    // The next gives a table a column and an older row its value, the one after builds on that.
    let next = [
        "ALTER TABLE log ADD COLUMN letters INTEGER;
         UPDATE log SET letters = length(text) WHERE kind = 'said'",
        "CREATE INDEX log_letters ON log (letters)",
    ];
    let migrations = [&schema::MIGRATIONS[..], &next].concat();
    let mut connection = scratch.other_program();
    let seen = schema::version(&connection).expect("it is ours");
    assert_eq!(seen, schema::MIGRATIONS.len());
    schema::migrate(&mut connection, &migrations, seen).expect("it has not had the others");
    let letters = "SELECT letters FROM log WHERE seq = ?";
    let letters: i64 =
        connection.query_row(letters, [seq.cast_signed()], |row| row.get(0)).expect("a row");
    assert_eq!(letters, 5);
    // Equal to a fresh database, but newer than this version.
    let mut fresh = rusqlite::Connection::open_in_memory().expect("memory");
    schema::migrate(&mut fresh, &migrations, 0).expect("it is empty");
    assert_eq!(schema::difference(&connection, &fresh).expect("an answer"), None);
    let found = schema::version(&connection).expect_err("it is newer");
    assert!(matches!(found, OpenError::Newer { .. }), "{found}");
    let back = "DROP INDEX log_letters; ALTER TABLE log DROP COLUMN letters";
    connection.execute_batch(back).expect("it can be undone");
    let number = schema::number(seen) as i64;
    connection.pragma_update(None, "user_version", number).expect("it is set");
    drop(connection);
    assert_eq!(scratch.open().snapshot, before);
}

#[test]
fn the_schemas_before_the_first_release_are_refused_with_what_to_do() {
    let scratch = Scratch::new();
    drop(scratch.open());
    for found in [0, 1, 7, 12] {
        let other = scratch.other_program();
        other.pragma_update(None, "user_version", found).expect("it is set");
        drop(other);
        let before = fs::read(scratch.file()).expect("it is there");
        let expected = format!(
            "made by a development version (schema {found}): start the last commit that has \
             src/store/migrations/0013_notes.sql on it once, then this one"
        );
        assert_eq!(opening::refusal(&scratch), expected);
        assert_eq!(fs::read(scratch.file()).ok(), Some(before), "it was not changed");
    }
}

/// A database of the first schema opens, with all that is in it, and passes every check. A server
/// that knows only the first schema refuses it from then on.
#[test]
fn the_first_schema_learns_who_is_in_charge() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Ann", "a"));
    put(&mut writer, says(1, 1, "hello"));
    put(&mut writer, deletes(1, 1, 3, false));
    drop(writer);
    let before = scratch.open().snapshot;
    let other = scratch.other_program();
    other.execute_batch(WITHOUT_MODERATION).expect("the fourth migration can be undone");
    other.execute_batch(BEFORE_INVITATIONS).expect("the third migration can be undone");
    let back = "DROP INDEX log_deed; DROP TABLE setting; DROP TABLE banned;
        ALTER TABLE account DROP COLUMN role; ALTER TABLE account DROP COLUMN banned";
    other.execute_batch(back).expect("the second migration can be undone");
    other.pragma_update(None, "user_version", schema::number(1) as i64).expect("it is set");
    let mut first = rusqlite::Connection::open_in_memory().expect("memory");
    schema::migrate(&mut first, &schema::MIGRATIONS[..1], 0).expect("it is empty");
    assert_eq!(schema::difference(&other, &first).expect("an answer"), None, "the first schema");
    drop(other);
    let Store { snapshot, mut writer, .. } = scratch.open();
    assert_eq!(snapshot, before);
    let act = Entry::RoleChanged { account: AccountId(1), role: Some(Role::Owner) };
    put(&mut writer, Entry::Deed { by: None, reason: None, act: Box::new(act) });
    drop(writer);
    assert_eq!(scratch.open().snapshot.accounts[0].role, Some(Role::Owner));
    crate::store::admin::sound(&scratch.file()).expect("a sound database");
}

/// What undoes the third migration.
const BEFORE_INVITATIONS: &str = "DROP TABLE invitation; DROP TABLE invited; DROP TABLE recovery";

/// A database of the second schema opens, with all that is in it, and passes every check.
#[test]
fn the_second_schema_learns_of_invitations() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Ann", "a"));
    let act = Entry::RoleChanged { account: AccountId(1), role: Some(Role::Owner) };
    put(&mut writer, Entry::Deed { by: None, reason: None, act: Box::new(act) });
    drop(writer);
    let before = scratch.open().snapshot;
    let other = scratch.other_program();
    other.execute_batch(WITHOUT_MODERATION).expect("the fourth migration can be undone");
    other.execute_batch(BEFORE_INVITATIONS).expect("the third migration can be undone");
    other.pragma_update(None, "user_version", schema::number(2) as i64).expect("it is set");
    let mut second = rusqlite::Connection::open_in_memory().expect("memory");
    schema::migrate(&mut second, &schema::MIGRATIONS[..2], 0).expect("it is empty");
    assert_eq!(schema::difference(&other, &second).expect("an answer"), None);
    drop(other);
    let Store { snapshot, mut writer, .. } = scratch.open();
    assert_eq!(snapshot, before);
    let (code, by, until) = (crypto::hash("code"), Some(AccountId(1)), Time(i64::MAX));
    let grant = Grant { code, by, room: None, until, uses: 2, registers: true };
    let invitation = Seq(put(&mut writer, Entry::InvitationMade { grant }));
    let act = Box::new(account_made(2, "Bob", "b"));
    put(&mut writer, Entry::Invited { invitation, act });
    drop(writer);
    let expected = Invitation { id: invitation, grant, used: 1 };
    assert_eq!(scratch.open().snapshot.invitations, [expected]);
    crate::store::admin::sound(&scratch.file()).expect("a sound database");
}

/// Undoes the fourth migration.
const WITHOUT_MODERATION: &str = "DROP TABLE room_ban; DROP TABLE muted; DROP INDEX room_read_only;
    ALTER TABLE member DROP COLUMN moderator; ALTER TABLE room DROP COLUMN locked;
    ALTER TABLE room DROP COLUMN read_only; ALTER TABLE room DROP COLUMN slow";

/// A database of the third schema opens, with all that is in it, and passes every check.
#[test]
fn the_third_schema_learns_who_moderates() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Ann", "a"));
    put(&mut writer, account_made(2, "Bob", "b"));
    put(&mut writer, says(2, 1, "hello"));
    drop(writer);
    let before = scratch.open().snapshot;
    let other = scratch.other_program();
    other.execute_batch(WITHOUT_MODERATION).expect("it can be undone");
    other.pragma_update(None, "user_version", schema::number(3) as i64).expect("it is set");
    let mut third = rusqlite::Connection::open_in_memory().expect("memory");
    schema::migrate(&mut third, &schema::MIGRATIONS[..3], 0).expect("it is empty");
    assert_eq!(schema::difference(&other, &third).expect("an answer"), None, "the third schema");
    drop(other);
    let Store { snapshot, mut writer, .. } = scratch.open();
    assert_eq!(snapshot, before);
    for act in [
        Entry::ModeratorChanged { room: RoomId(1), account: AccountId(1), on: true },
        Entry::Muted { room: Some(RoomId(1)), account: AccountId(2), until: Time(i64::MAX) },
        Entry::RoomBanChanged { room: RoomId(1), account: AccountId(2), on: true },
    ] {
        put(&mut writer, Entry::Deed { by: None, reason: None, act: Box::new(act) });
    }
    drop(writer);
    let lobby = &scratch.open().snapshot.rooms[0];
    let found = lobby.moderation.as_ref().expect("it has some");
    assert_eq!((found.moderators.len(), found.muted.len(), found.banned.len()), (1, 1, 1));
    crate::store::admin::sound(&scratch.file()).expect("a sound database");
}

/// The first migration makes exactly what the thirteen of the development versions made: their
/// databases open and pass every check. (The hash was taken of theirs.)
#[test]
fn the_first_schema_is_that_of_the_last_development_version() {
    let scratch = Scratch::new();
    let mut connection = scratch.other_program();
    schema::migrate(&mut connection, &schema::MIGRATIONS[..1], 0).expect("it is empty");
    let objects = schema::objects(&connection).expect("a schema");
    let all: String = objects.iter().map(|(name, sql)| format!("{name}: {sql}\n")).collect();
    assert_eq!(
        crypto::hex(&crypto::hash(&all)),
        "13df9d0814c14250bbaaac668a93f65240a107b71f211b82c560f3ab788ca53d",
        "{all}"
    );
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version, Ok(13));
}
