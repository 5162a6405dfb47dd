//! The hash chain: alterations are detected, and regular removals are not.

use super::*;
use crate::limits::INDEX_ENTRIES;
use crate::store::admin::sound;
use crate::store::chain::{Chain, Fixed, commit};
use crate::store::retention::{Pruner, Step};

/// Messages: one edited twice, one deleted, one both; then some young ones.
fn lively(scratch: &Scratch) -> [u64; 4] {
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Person1", "a"));
    let said = ["plain", "edited", "gone", "both"];
    let said = said.map(|text| put(&mut writer, sends(1, 1, text, &format!("{text} words"))));
    let [_, edited, gone, both] = said;
    put(&mut writer, edits(1, 1, edited, "second words"));
    put(&mut writer, edits(1, 1, edited, "third words"));
    put(&mut writer, deletes(1, 1, gone, false));
    put(&mut writer, edits(1, 1, both, "soon gone"));
    put(&mut writer, deletes(1, 1, both, false));
    put(&mut writer, reacts(1, 1, edited, "👍", true));
    writer.commit((0..INDEX_ENTRIES as u64).map(|n| write(n, says(1, 1, "many"))).collect());
    put(&mut writer, says(1, 1, "young"));
    said
}

#[test]
fn every_alteration_is_detected() {
    let scratch = Scratch::new();
    let [plain, edited, gone, both] = lively(&scratch);
    sound(&scratch.file()).expect("it is sound");
    let young = "(SELECT seq FROM log WHERE text = 'young')";
    let altered = |what: &str, seq: &str| format!("UPDATE log SET {what} WHERE seq = {seq}");
    let (first, next) = (plain.to_string(), (plain + 1).to_string());
    let last_edit =
        format!("(SELECT max(seq) FROM log WHERE target = {edited} AND kind = 'edited')");
    let cases = [
        altered("text = 'other'", young),
        altered("text = 'other'", &edited.to_string()),
        altered("text = 'back again', deleted = 0", &gone.to_string()),
        altered("text = 'back again', deleted = 0", &both.to_string()),
        altered("time = time + 1", young),
        altered("name = 'Person2'", young),
        altered("account = NULL", young),
        altered("color = 'red'", young),
        altered("client_id = 'another'", &first),
        altered("client_id = NULL", &first),
        altered("reply_to = 3", young),
        altered("proof = zeroblob(16)", young),
        altered("proof = zeroblob(32)", young),
        altered("proof = NULL", young),
        altered("proof = zeroblob(32)", &gone.to_string()),
        altered("proof = zeroblob(16)", &gone.to_string()),
        altered("proof = zeroblob(32)", &last_edit),
        altered("hash = zeroblob(16)", &first),
        altered("hash = NULL", young),
        altered("body = replace(body, 'Person1', 'Person3')", "2"),
        format!(
            "UPDATE log SET seq = -1 WHERE seq = {first};
            UPDATE log SET seq = {first} WHERE seq = {next};
            UPDATE log SET seq = {next} WHERE seq = -1"
        ),
        format!(
            "DELETE FROM log WHERE seq = {first}; UPDATE meta SET value = {first}
            WHERE key = 'pruned'"
        ),
    ];
    let other = scratch.0.join("other.db");
    for sql in cases {
        fs::copy(scratch.file(), &other).expect("a copy");
        rusqlite::Connection::open(&other).expect("it opens").execute_batch(&sql).expect(&sql);
        sound(&other).expect_err(&sql);
    }
}

/// While a server runs, the last entries can be cut off undetected; its stop reveals it.
#[test]
fn a_cut_while_running_is_detected_after_the_stop() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let seqs = ["one", "two", "three"].map(|text| put(&mut writer, says(1, 9, text)));
    let cut = format!("DELETE FROM log WHERE seq > {}", seqs[0]);
    scratch.other_program().execute_batch(&cut).expect("it is cut");
    writer.close();
    let why = sound(&scratch.file()).expect_err("its end is missing");
    assert!(why.contains("the end of the log is missing"), "{why}");
}

#[test]
fn removed_texts_leave_no_trace_and_the_chain_whole() {
    let scratch = Scratch::new();
    let [plain, edited, gone, both] = lively(&scratch);
    let salts = |seq: u64| {
        let lengths = "SELECT octet_length(proof) FROM log
            WHERE seq = ?1 OR (target = ?1 AND proof IS NOT NULL) ORDER BY seq";
        let other = scratch.other_program();
        let mut select = other.prepare(lengths).expect("it is SQL");
        let lengths = select.query_map([seq.cast_signed()], |row| row.get(0)).expect("rows");
        lengths.collect::<rusqlite::Result<Vec<i64>>>().expect("numbers")
    };
    assert_eq!(salts(plain), [16]);
    assert_eq!(salts(edited), [32, 32, 16], "only the last words are there to be proved");
    assert_eq!((salts(gone), salts(both)), (vec![32], vec![32, 32]));
    // Retention, down to a hundred messages, then to one.
    for messages in [100, 1] {
        let Store { mut writer, .. } = scratch.open();
        let retain = Retain { messages: Some(messages), ..Retain::default() };
        let mut pruner = Pruner::new(retain).expect("something goes");
        let mut steps = 0;
        while pruner.step(&writer.connection, Some(Time(1))).expect("a step") != Step::Done {
            steps += 1;
            if steps % 16 == 0 || messages == 1 {
                sound(&scratch.file()).expect("it is sound in between");
            }
        }
        put(&mut writer, says(1, 1, "it goes on"));
        drop(writer);
        sound(&scratch.file()).expect("it is sound");
        let gaps = "SELECT count(*) FROM gap";
        let gaps: i64 = scratch.other_program().query_row(gaps, [], |row| row.get(0)).expect("one");
        assert_eq!(gaps, 1, "a row for all that are gone in a row");
    }
}

#[test]
fn an_old_log_becomes_a_chain() {
    let scratch = Scratch::new();
    lively(&scratch);
    // A log from before the chain.
    let before = "UPDATE log SET proof = NULL, hash = NULL";
    let other = scratch.other_program();
    other.execute_batch(before).expect("it can be undone");
    sound(&scratch.file()).expect_err("it has no chain");
    crate::store::chain::begin(&other).expect("it becomes one");
    sound(&scratch.file()).expect("it is sound");
}

/// Later versions and exports check the chain, so its input must not change. (Another program made
/// these hashes.)
#[test]
fn the_chain_is_what_it_was() {
    let long = "b".repeat(200);
    let all = Fixed {
        kind: "kind",
        room: Some(1),
        account: Some(2),
        name: Some("name"),
        color: Some("color"),
        client_id: Some("client id"),
        reply_to: Some(3),
        target: Some(4),
        body: Some(&long),
        first: Some([9; 32]),
    };
    let some = Fixed { kind: "x", account: Some(2), color: Some("c"), ..Fixed::default() };
    let mut chain = Chain::after([7; 16]);
    let links = [chain.link((5, 6), &all, Some([3; 32])), chain.link((6, 7), &some, None)];
    let links = links.map(|link| crypto::hex(&link));
    assert_eq!(links, ["8e2e27c780f275f76b1bd2ea819af775", "e8f543e8ac834375da3e18e616a84aeb"]);
    let commitment = crypto::hex(&commit(&[1; 16], "words", Some("calls")));
    assert_eq!(commitment, "6c8ba910375e6b5b06b1c0d890424d02e454d4e21a04f52b81b64e5dcd4a021a");
}
