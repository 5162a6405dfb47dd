//! Messages: sent again, edited, deleted, given a reaction.

use super::*;
use crate::chat::Field;
use crate::chat::Role;
use crate::limits::{INDEX_ENTRIES, REACTION_KINDS_MAX, REACTIONS_MAX, REACTIONS_PER_PERSON_MAX};

/// A database, its writer, and the number of a message of account 1 in the lobby.
fn begin() -> (Scratch, Writer, u64) {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let seq = put(&mut writer, sends(1, 1, "x", "first words, @Bob"));
    (scratch, writer, seq)
}

/// Makes an account an administrator.
fn in_charge(writer: &mut Writer, account: u64) {
    put(writer, account_made(account, &format!("Person{account}"), "key"));
    let role = Some(Role::Administrator);
    put(writer, Entry::RoleChanged { account: AccountId(account), role });
}

fn repeated(entry: Entry, seq: u64, same: bool) -> Command {
    let (ticket, time) = (Ticket(1), Time(1_000_001));
    Command::Repeated { ticket, entry, seq: Seq(seq), time, same }
}

fn text_of(scratch: &Scratch, seq: u64) -> Option<Box<str>> {
    scratch.reader().message(RoomId(1), Seq(seq)).expect("it is read").expect("it is there").text
}

#[test]
fn a_message_is_sent_once_however_often() {
    let (scratch, mut writer, seq) = begin();
    let mut answer = |entry: Entry| writer.commit(vec![write(1, entry)]).pop();
    let same = sends(1, 1, "x", "first words, @Bob");
    assert_eq!(answer(same.clone()), Some(repeated(same.clone(), seq, true)));
    let mut reply = same.clone();
    if let Entry::Said { reply_to, .. } = &mut reply {
        *reply_to = Some(Seq(1));
    }
    for other in [sends(1, 1, "x", "First words"), sends(1, 2, "x", "first words, @Bob"), reply] {
        assert_eq!(answer(other.clone()), Some(repeated(other, seq, false)));
    }
    // Another account's client id, another client id, and none.
    for (seq, fresh) in (seq + 1..).zip([
        sends(2, 1, "x", "first words, @Bob"),
        sends(1, 1, "X", "first words, @Bob"),
        says(1, 1, "first words, @Bob"),
        says(1, 1, "first words, @Bob"),
    ]) {
        assert_eq!(answer(fresh.clone()), Some(logged(1, seq, fresh)));
    }
    // Compared with the first text, even after an edit.
    answer(edits(1, 1, seq, "other words"));
    assert_eq!(answer(same.clone()), Some(repeated(same.clone(), seq, true)));
    let other = sends(1, 1, "x", "other words");
    assert_eq!(answer(other.clone()), Some(repeated(other, seq, false)));
    answer(deletes(1, 1, seq, false));
    assert_eq!(answer(same.clone()), Some(repeated(same, seq, true)));
    assert_eq!(log_of(&scratch.file()).len(), 8);
}

#[test]
fn twice_in_one_batch_is_twice() {
    let (_scratch, mut writer, seq) = begin();
    let (twice, other) = (sends(1, 1, "y", "twice"), says(1, 1, "other"));
    let batch = [twice.clone(), twice.clone(), other.clone(), edits(1, 1, 99, "")];
    let answers = writer.commit(batch.into_iter().map(|entry| write(1, entry)).collect());
    let expected = [
        logged(1, seq + 1, twice.clone()),
        repeated(twice, seq + 1, true),
        logged(1, seq + 2, other),
        refused(1, edits(1, 1, 99, ""), Refusal::MessageNotFound),
    ];
    assert_eq!(answers, expected);
}

#[test]
fn only_its_author_edits_a_message() {
    let (scratch, mut writer, seq) = begin();
    let guests = put(&mut writer, said(1, "a guest's"));
    let mut why = |entry| refusal_of(&mut writer, entry);
    assert_eq!(why(edits(2, 1, seq, "no")), Refusal::Forbidden);
    assert_eq!(why(edits(1, 1, guests, "no")), Refusal::Forbidden);
    for (room, target) in [(2, seq), (1, seq + 9), (1, 1), (1, u64::MAX), (1, 0)] {
        assert_eq!(why(edits(1, room, target, "no")), Refusal::MessageNotFound);
    }
    assert_eq!(text_of(&scratch, seq).as_deref(), Some("first words, @Bob"));
    put(&mut writer, edits(1, 1, seq, "second"));
    let edit = put(&mut writer, edits(1, 1, seq, "third"));
    let message = scratch.reader().message(RoomId(1), Seq(seq)).expect("read").expect("there");
    assert_eq!((message.text.as_deref(), message.edited), (Some("third"), Some(Time(1_000_001))));
    // Every edit, read again, has the last text.
    let log = log_of(&scratch.file());
    for entry in [&log[edit as usize - 2].2, &log[edit as usize - 1].2] {
        assert_eq!(*entry, edits(1, 1, seq, "third"));
    }
    // An edit is no message.
    let mut why = |entry| refusal_of(&mut writer, entry);
    assert_eq!(why(edits(1, 1, edit, "no")), Refusal::MessageNotFound);
    assert_eq!(why(deletes(1, 1, edit, true)), Refusal::MessageNotFound);
}

#[test]
fn a_deleted_message_is_gone() {
    for indexed in [false, true] {
        let scratch = Scratch::new();
        let mut writer = scratch.open().writer;
        in_charge(&mut writer, 2);
        let long = format!("zanzibar {}", "quokka ".repeat(900));
        let seq = put(&mut writer, sends(1, 1, "x", &long));
        put(&mut writer, edits(1, 1, seq, &format!("xylophone @Person2 {long}")));
        put(&mut writer, reacts(2, 1, seq, "👍", true));
        if indexed {
            let others = (0..INDEX_ENTRIES).map(|_| write(1, said(1, "filling"))).collect();
            writer.commit(others);
        }
        assert_eq!(searching::search(&scratch, "xylophone"), [seq], "indexed: {indexed}");
        assert_eq!(refusal_of(&mut writer, deletes(2, 1, seq, false)), Refusal::Forbidden);
        let by = put(&mut writer, deletes(1, 1, seq, false));
        // Deleting again changes nothing, and is no error; but still not allowed to everybody.
        for (account, owner) in [(1, false), (2, true)] {
            let again = deletes(account, 1, seq, owner);
            let answer = writer.commit(vec![write(7, again.clone())]).pop();
            let Some(Command::Repeated { seq, same: true, .. }) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(seq, Seq(by));
        }
        assert_eq!(refusal_of(&mut writer, deletes(2, 1, seq, false)), Refusal::Forbidden);
        let mut why = |entry| refusal_of(&mut writer, entry);
        assert_eq!(why(edits(1, 1, seq, "no")), Refusal::MessageNotFound);
        assert_eq!(why(reacts(1, 1, seq, "👍", true)), Refusal::MessageNotFound);
        assert!(searching::search(&scratch, "xylophone").is_empty());
        let message = scratch.reader().message(RoomId(1), Seq(seq)).expect("read").expect("there");
        assert_eq!((message.text, message.reactions.len()), (None, 0));
        let rows = "SELECT (SELECT count(*) FROM mention) + (SELECT count(*) FROM reaction)";
        let rows: Result<i64, _> = scratch.other_program().query_row(rows, [], |row| row.get(0));
        assert_eq!(rows, Ok(0));
        let check = "INSERT INTO words (words, rank) VALUES ('integrity-check', 0)";
        scratch.other_program().execute_batch(check).expect("the index is sound");
        // Nor does the file contain it, once the write-ahead log is moved into it.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        writer.connection.query_row(checkpoint, [], |_| Ok(())).expect("it is moved");
        let bytes = fs::read(scratch.file()).expect("it is there");
        for word in ["zanzibar", "quokka", "xylophone"] {
            let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word}, indexed: {indexed}");
        }
    }
}

#[test]
fn only_messages_of_the_room_can_be_answered() {
    let (_scratch, mut writer, seq) = begin();
    let answers = |id: &str, room: u64, to: u64| {
        let mut entry = sends(1, room, id, "I see");
        if let Entry::Said { reply_to, .. } = &mut entry {
            *reply_to = Some(Seq(to));
        }
        entry
    };
    let no_place = Refusal::Malformed(Field::ReplyTo);
    let edit = put(&mut writer, edits(1, 1, seq, "other words"));
    for (room, to) in [(2, seq), (1, edit), (1, 0), (1, 1), (1, 1 << 40), (1, u64::MAX)] {
        assert_eq!(refusal_of(&mut writer, answers("r", room, to)), no_place, "{room} {to}");
    }
    let sent = put(&mut writer, answers("y", 1, seq));
    // Two in one commit see each other.
    let both = vec![write(1, says(1, 1, "a")), write(2, answers("z", 1, sent + 1))];
    let answers_to_both = writer.commit(both);
    assert!(matches!(answers_to_both[1], Command::Logged { .. }), "{answers_to_both:?}");
    // A deleted message can still be answered.
    put(&mut writer, deletes(1, 1, seq, false));
    put(&mut writer, answers("late", 1, seq));
}

#[test]
fn an_owner_deletes_messages_of_others() {
    let (scratch, mut writer, seq) = begin();
    assert_eq!(refusal_of(&mut writer, deletes(2, 1, seq, true)), Refusal::Forbidden, "says who?");
    put(&mut writer, account_made(2, "Person2", "b"));
    assert_eq!(refusal_of(&mut writer, deletes(2, 1, seq, true)), Refusal::Forbidden);
    let moderator = |on| Entry::ModeratorChanged { room: RoomId(1), account: AccountId(2), on };
    put(&mut writer, moderator(true));
    put(&mut writer, moderator(false));
    assert_eq!(refusal_of(&mut writer, deletes(2, 1, seq, true)), Refusal::Forbidden, "not now");
    put(&mut writer, moderator(true));
    put(&mut writer, deletes(2, 1, seq, true));
    assert_eq!(text_of(&scratch, seq), None);
}

#[test]
fn reactions_are_put_on_once_and_taken_off_once() {
    let (scratch, mut writer, seq) = begin();
    let reactions = || {
        let message = scratch.reader().message(RoomId(1), Seq(seq)).expect("read");
        let reactions = message.expect("there").reactions.into_iter();
        let show = |(emoji, names): (Emoji, Vec<Name>)| {
            let names: Vec<&str> = names.iter().map(Name::as_str).collect();
            format!("{} {}", emoji.as_str(), names.join(" "))
        };
        reactions.map(show).collect::<Vec<String>>()
    };
    let first = put(&mut writer, reacts(2, 1, seq, "👍", true));
    put(&mut writer, reacts(1, 1, seq, "🎉", true));
    put(&mut writer, reacts(1, 1, seq, "👍", true));
    assert_eq!(reactions(), ["👍 Person2 Person1", "🎉 Person1"]);
    let again = reacts(2, 1, seq, "👍", true);
    let answer = writer.commit(vec![write(1, again.clone())]);
    assert_eq!(answer, [repeated(again, first, true)]);
    put(&mut writer, reacts(2, 1, seq, "👍", false));
    assert_eq!(reactions(), ["🎉 Person1", "👍 Person1"]);
    let again = reacts(2, 1, seq, "👍", false);
    let answer = writer.commit(vec![write(1, again.clone())]);
    assert_eq!(answer, [repeated(again, seq, true)]);
    for (room, target) in [(2, seq), (1, first), (1, 99)] {
        let why = refusal_of(&mut writer, reacts(1, room, target, "👍", true));
        assert_eq!(why, Refusal::MessageNotFound);
    }
}

#[test]
fn a_message_bears_so_many_reactions() {
    let (_scratch, mut writer, seq) = begin();
    let all = (1..=REACTIONS_MAX as u64).map(|account| reacts(account, 1, seq, "👍", true));
    let answers = writer.commit(all.map(|entry| write(1, entry)).collect());
    assert!(answers.iter().all(|answer| matches!(answer, Command::Logged { .. })));
    assert_eq!(refusal_of(&mut writer, reacts(1, 1, seq, "🎉", true)), Refusal::Full);
    put(&mut writer, reacts(1, 1, seq, "👍", false));
    put(&mut writer, reacts(1, 1, seq, "🎉", true));
}

#[test]
fn nobody_uses_up_the_kinds_of_reactions() {
    const REACTIONS: [&str; 21] = [
        "😀", "😁", "😂", "😃", "😄", "😅", "😆", "😇", "😈", "😉", "😊", "😋", "😌", "😍", "😎",
        "😏", "😐", "😑", "😒", "😓", "😔",
    ];
    let (_scratch, mut writer, seq) = begin();
    let own = REACTIONS_PER_PERSON_MAX;
    for reaction in &REACTIONS[..own] {
        put(&mut writer, reacts(1, 1, seq, reaction, true));
    }
    let more = |account: u64, reaction: &str| reacts(account, 1, seq, reaction, true);
    assert_eq!(refusal_of(&mut writer, more(1, REACTIONS[own])), Refusal::TooManyReactions);
    // All in one commit, so that earlier ones count for later ones.
    let rest = (own..REACTION_KINDS_MAX).map(|index| more(2 + index as u64 / 5, REACTIONS[index]));
    let answers = writer.commit(rest.map(|entry| write(1, entry)).collect());
    assert!(answers.iter().all(|answer| matches!(answer, Command::Logged { .. })));
    assert_eq!(refusal_of(&mut writer, more(9, REACTIONS[20])), Refusal::TooManyReactions);
    put(&mut writer, more(9, REACTIONS[0]));
    put(&mut writer, reacts(1, 1, seq, REACTIONS[1], false));
    put(&mut writer, more(9, REACTIONS[20]));
}

/// The message is not marked as edited.
#[test]
fn an_edit_with_the_same_text_is_no_edit() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Person1", "1"));
    let seq = put(&mut writer, sends(1, 1, "x", "hello"));
    let again = writer.commit(vec![write(7, edits(1, 1, seq, "hello"))]).pop();
    let Some(Command::Repeated { seq: same, same: true, .. }) = again else { panic!("{again:?}") };
    let message = scratch.reader().message(RoomId(1), Seq(seq)).expect("read").expect("there");
    assert_eq!((same, message.edited), (Seq(seq), None));
    put(&mut writer, edits(1, 1, seq, "hello there"));
    let message = scratch.reader().message(RoomId(1), Seq(seq)).expect("read").expect("there");
    assert!(message.edited.is_some());
}

/// A deed behind the loss of the role, which the core had not heard of when it proposed it.
#[test]
fn the_log_refuses_the_deeds_of_people_without_the_role() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    for account in 1..=3 {
        put(&mut writer, account_made(account, &format!("P{account}"), &account.to_string()));
    }
    let role = |account, role| Entry::RoleChanged { account: AccountId(account), role };
    let deed = |by: Option<u64>, act| {
        let (by, reason) = (by.map(AccountId), None);
        Entry::Deed { by, reason, act: Box::new(act) }
    };
    let (owner, admin) = (Some(Role::Owner), Some(Role::Administrator));
    put(&mut writer, deed(None, role(1, owner)));
    put(&mut writer, deed(Some(1), role(2, admin)));
    for (by, to) in [(2, 3), (3, 3), (9, 3)] {
        let refused = refusal_of(&mut writer, deed(Some(by), role(to, admin)));
        assert_eq!(refused, Refusal::Forbidden, "{by}");
    }
    put(&mut writer, deed(Some(1), role(2, None)));
    let said = put(&mut writer, says(3, 1, "hello"));
    let removal = || deed(Some(2), deletes(2, 1, said, true));
    assert_eq!(refusal_of(&mut writer, removal()), Refusal::Forbidden);
    put(&mut writer, deed(Some(1), role(2, admin)));
    let removed = put(&mut writer, removal());
    // A repeated one names the first.
    match writer.commit(vec![write(1, removal())]).pop() {
        Some(Command::Repeated { seq, same: true, .. }) => assert_eq!(seq.0, removed),
        other => panic!("{other:?}"),
    }
    drop(writer);
    crate::store::admin::sound(&scratch.file()).expect("a sound database");
    assert_eq!(log_of(&scratch.file()).pop().map(|(_, _, entry)| entry), Some(removal()));
}
