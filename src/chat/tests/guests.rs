//! Guests and their sessions: accounts without a key, and how long they are remembered.

use super::*;
use crate::limits::GUEST_REMEMBERED_TTL_SECS;

#[test]
fn a_guest_ends_with_the_session() {
    let mut core = Core::with(&["ann"]);
    assert!(
        matches!(core.ask("", be_guest("Zoë b")), Ok(Answer::Session(session)) if session.guest)
    );
    assert_eq!(core.try_to("", be_guest("ANN")), Err(Refusal::NameTaken));
    assert_eq!(core.try_to("", be_guest("zoË B")), Err(Refusal::NameTaken));
    assert_eq!(core.chat.snapshot().rooms[0].members.len(), 2);
    core.ask("Zoë b", call::Logout).expect("out");
    let snapshot = core.chat.snapshot();
    assert_eq!((snapshot.accounts.len(), snapshot.rooms[0].members.len()), (1, 1));
    assert_eq!(snapshot.last_account, 2, "no number is reused");
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
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    core.proposals.clear();
    core.give(Command::Tick);
    core.settle();
    assert!(core.chat.snapshot().accounts.is_empty(), "after a crash between the two");
}

#[test]
fn an_heir_to_a_name_knows_which_messages_are_not_theirs() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    let text = "from the first".into();
    let says = Action::Send { room: LOBBY, text, client_id: None, reply_to: None };
    let Ok(Answer::Acted(said)) = core.ask("zoe", call::Act(says)) else { panic!("not said") };
    core.ask("zoe", call::Logout).expect("out");
    core.ask("", be_guest("zoe")).expect("the name is free");
    let since = |core: &mut Core| match core.ask("zoe", call::Me) {
        Ok(Answer::Person(me)) => me.since,
        other => panic!("{other:?}"),
    };
    let known = since(&mut core);
    assert!(known > said.seq, "{known:?} {said:?}");
    let settings = Settings::new(TTL_SECS, false);
    core.chat = Chat::new(settings, core.chat.snapshot());
    assert_eq!(since(&mut core), known, "after a restart");
}

#[test]
fn the_longest_member_inherits_a_guests_room() {
    let mut core = Core::with(&["bob", "ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    let open = core.room("zoe", room_settings("open", Visibility::Public, None));
    let shut = core.room("zoe", room_settings("shut", Visibility::Private, Some("hash")));
    core.ask("ann", call::Enter { room: shut, access: token(shut, 0) }).expect("a member");
    core.ask("bob", call::Enter { room: shut, access: token(shut, 0) }).expect("a member");
    let may = |room| call::MayChange { room: RoomRef::Id(room), access: Access::Open };
    assert_eq!(core.try_to("ann", may(open)), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("ann", may(shut)), Err(Refusal::Forbidden));
    core.ask("zoe", call::Logout).expect("out");
    assert_eq!(core.try_to("", may(open)), Err(Refusal::RoomNotFound), "it was empty");
    assert_eq!(core.try_to("", may(shut)), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("ann", may(shut)), Ok(()), "she is the longest member");
    assert_eq!(core.try_to("bob", may(shut)), Err(Refusal::Forbidden));
    let owned = core.chat.snapshot().rooms.iter().filter(|room| room.owner.is_some()).count();
    assert_eq!(owned, 1);
}

#[test]
fn members_hear_of_their_rooms_new_owner() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    let den = core.room("zoe", room_settings("den", Visibility::Private, Some("hash")));
    core.ask("ann", call::Enter { room: den, access: token(den, 0) }).expect("a member");
    let follow =
        call::OpenStream { subscription: SubscriptionId(65_536), protocol: BACK, only: None };
    core.ask("ann", follow).expect("a stream");
    core.ask_late("zoe", call::Logout);
    let noticed = core.settle();
    let told = format!("ann made the room so as {}", core.seq);
    assert!(noticed.contains(&told), "{noticed:?}");
    let record = core.chat.snapshot().rooms.pop().expect("the room");
    assert_eq!((record.owner, record.orphaned), (Some(AccountId(1)), false));
    core.give(Command::Tick);
    assert!(core.proposals.is_empty(), "once");
}

/// A room that has lost its owner ends when it is empty; a room that never had one stays.
#[test]
fn a_room_that_has_lost_its_owner_ends_with_its_last_person() {
    let mut core = Core::with(&["ann", "bob"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    let den = core.room("zoe", room_settings("den", Visibility::Public, None));
    let bar = core.room("zoe", room_settings("bar", Visibility::Public, None));
    let nobodys = core.room("", room_settings("hall", Visibility::Public, None));
    core.try_to("", subscribe(1, den)).expect("a subscription");
    core.try_to("", subscribe(2, nobodys)).expect("a subscription");
    core.ask("zoe", call::Logout).expect("out");
    let rooms = |core: &Core| -> Vec<RoomId> {
        core.chat.snapshot().rooms.iter().map(|room| room.id).collect()
    };
    assert_eq!(rooms(&core), [LOBBY, den, nobodys], "{bar} had nobody");
    // A new member keeps it, but does not own it.
    core.ask("ann", call::Enter { room: den, access: Access::Open }).expect("a member");
    core.leave(1);
    core.leave(2);
    core.settle();
    assert_eq!(rooms(&core), [LOBBY, den, nobodys]);
    core.ask("ann", call::Exit { room: den }).expect("out");
    assert_eq!(rooms(&core), [LOBBY, nobodys]);
    core.room("bob", room_settings("den", Visibility::Public, None));
}

#[test]
fn a_failed_proposal_about_an_orphan_is_repeated_at_the_next_tick() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    let den = core.room("zoe", room_settings("den", Visibility::Public, None));
    core.ask_late("zoe", call::Logout);
    core.commit();
    core.commit();
    assert_eq!(core.proposals.len(), 1, "its end");
    core.fail();
    assert_eq!(core.try_to("ann", call::View { room: den }), Ok(()), "it still exists");
    // Also after a restart.
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    core.give(Command::Tick);
    core.settle();
    assert_eq!(core.try_to("ann", call::View { room: den }), Err(Refusal::RoomNotFound));
}

#[test]
fn giving_a_guest_up_frees_the_name_at_once() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    core.subscribe(1, "zoe").expect("another tab");
    core.ask("", be_guest("zed")).expect("another guest");
    let ask = core.ask_late("zoe", call::GiveUp);
    assert_eq!(
        core.answer(ask),
        Some(Ok(Answer::Done(()))),
        "the answer does not wait for the disk"
    );
    let ask = core.ask_late("zoe", call::GiveUp);
    assert_eq!(core.answer(ask), Some(Ok(Answer::Done(()))), "a repeated call is no error");
    let ask = core.ask_late(
        "",
        call::BeGuest {
            name: "ZOE".into(),
            color: None,
            session: key("second"),
            remember: false,
            agent: "".into(),
        },
    );
    core.settle();
    assert!(matches!(core.answer(ask), Some(Ok(Answer::Session(_)))), "the name is free");
    assert_eq!(core.ask("zoe", call::Me), Err(Refusal::Unauthenticated));
    assert!(core.ask("zed", call::Me).is_ok() && core.ask("second", call::Me).is_ok());
}

#[test]
fn only_guests_are_given_up() {
    let mut core = Core::with(&["ann"]);
    assert_eq!(core.ask("ann", call::GiveUp), Ok(Answer::Done(())));
    assert!(core.ask("ann", call::Me).is_ok(), "a registered account keeps its sessions");
    assert_eq!(core.ask("", call::GiveUp), Ok(Answer::Done(())));
}

/// A guest with a remembered session.
fn remembered(name: &str) -> Call {
    let (session, agent) = (key(name), "".into());
    call::BeGuest { name: name.into(), color: None, session, remember: true, agent }.into()
}

#[test]
fn a_guest_is_remembered_for_a_week() {
    let mut core = Core::new();
    core.ask("", remembered("zoe")).expect("a guest");
    core.passes(GUEST_REMEMBERED_TTL_SECS - 1);
    core.ask("zoe", call::Me).expect("the week is not over");
    core.passes(GUEST_REMEMBERED_TTL_SECS);
    assert_eq!(core.ask("zoe", call::Me), Err(Refusal::Unauthenticated));
}

#[test]
fn the_name_of_an_expired_guest_is_free_at_once() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    core.passes(TTL_SECS - 1);
    assert_eq!(core.try_to("", be_guest("zoe")), Err(Refusal::NameTaken));
    core.passes(1);
    // No tick has passed since. The name is another guest's now, without the state of the first.
    let again = call::BeGuest {
        name: "ZOE".into(),
        color: None,
        session: key("second"),
        remember: false,
        agent: "".into(),
    };
    core.ask("", again).expect("the name is free");
    assert_eq!(core.try_to("zoe", call::Me), Err(Refusal::Unauthenticated));
    core.ask("second", call::Me).expect("a session");
    let accounts: Vec<u64> =
        core.chat.snapshot().accounts.iter().map(|account| account.id.0).collect();
    assert_eq!(accounts, [1, 3]);
    // A registration takes it likewise.
    core.passes(TTL_SECS);
    core.register("zoe").expect("the name is free");
}

#[test]
fn a_guest_with_a_subscription_keeps_the_name() {
    let mut core = Core::new();
    core.ask("", be_guest("zoe")).expect("a guest");
    core.subscribe(1, "zoe").expect("a subscription");
    core.passes(10 * TTL_SECS);
    assert_eq!(core.try_to("", be_guest("zoe")), Err(Refusal::NameTaken));
}

#[test]
fn a_name_that_cannot_be_freed_stays_taken() {
    let mut core = Core::new();
    core.ask("", be_guest("zoe")).expect("a guest");
    core.passes(TTL_SECS);
    let ask = core.ask_late("", be_guest("zoe"));
    for _ in 0..core.proposals.len() {
        core.fail();
    }
    assert_eq!(core.answer(ask), Some(Err(Refusal::Unavailable)));
    core.ask("", be_guest("zoe")).expect("it can be tried again");
}
