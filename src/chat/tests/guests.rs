//! Guests and sessions: who has no key, and how long one is remembered.

use super::*;

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
    core.chat =
        Chat::new(Settings { session_ttl_secs: TTL_SECS, limits: false }, core.chat.snapshot());
    core.proposals.clear();
    core.give(Command::Tick);
    core.settle();
    assert!(core.chat.snapshot().accounts.is_empty(), "after a crash between the two");
}

#[test]
fn what_was_a_guests_is_nobodys() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    let open = core.room("zoe", facts("open", Visibility::Public, None));
    let shut = core.room("zoe", facts("shut", Visibility::Private, Some("hash")));
    core.ask("ann", Ask::Enter { room: shut, access: token(0) }).expect("a member");
    let may = |room| Ask::MayChange { room: RoomRef::Id(room), access: Access::Open };
    assert_eq!(core.try_to("ann", may(open)), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("ann", may(shut)), Err(Refusal::NoAccess));
    core.ask("zoe", Ask::Logout).expect("out");
    assert_eq!(core.try_to("", may(open)), Ok(()), "it is everybody's");
    assert_eq!(core.try_to("", may(shut)), Err(Refusal::NoAccess));
    assert_eq!(core.try_to("ann", may(shut)), Ok(()), "it is its members'");
    assert!(core.chat.snapshot().rooms.iter().all(|room| room.owner.is_none()));
}
