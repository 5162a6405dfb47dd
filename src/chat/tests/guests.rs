//! Guests and sessions: who has no key, and how long one is remembered.

use super::*;

fn be_guest(name: &str) -> Ask {
    Ask::BeGuest { name: name.into(), color: None, session: key(name), agent: "".into() }
}

#[test]
fn a_guest_ends_with_the_session() {
    let mut core = Core::with(&["ann"]);
    assert!(matches!(core.ask("", be_guest("Zoë b")), Ok(Answer::Session(one)) if one.guest));
    assert_eq!(core.try_to("", be_guest("ANN")), Err(Refusal::NameTaken));
    assert_eq!(core.try_to("", be_guest("zoË B")), Err(Refusal::NameTaken));
    assert_eq!(core.chat.snapshot().rooms[0].members.len(), 2);
    core.ask("Zoë b", Ask::Logout).expect("out");
    let snapshot = core.chat.snapshot();
    assert_eq!((snapshot.accounts.len(), snapshot.rooms[0].members.len()), (1, 1));
    assert_eq!(snapshot.last_account, 2, "no number comes again");
    core.ask("", be_guest("zoë b")).expect("the name is free");
}

#[test]
fn a_guest_without_a_session_does_not_linger() {
    let mut core = Core::new();
    let ask = core.ask_late("", be_guest("zoe"));
    core.commit();
    core.fail();
    assert_eq!(core.answer(ask), Some(Err(Refusal::Unavailable)));
    core.settle();
    assert!(core.chat.snapshot().accounts.is_empty());
    core.ask_late("", be_guest("zoe"));
    core.commit();
    core.chat = Chat::new(Settings { session_ttl_secs: TTL_SECS }, core.chat.snapshot());
    core.proposals.clear();
    core.give(Command::Tick);
    core.settle();
    assert!(core.chat.snapshot().accounts.is_empty(), "after a crash between the two");
}
