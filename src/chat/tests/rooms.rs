//! Rooms: who may change them, and what gives access to them.

use super::*;
use Visibility::{Hidden, Private, Public};

fn change(room: RoomId, access: Access, change: RoomChange) -> Call {
    call::ChangeRoom { room: RoomRef::Id(room), access, change, chance: 1 }.into()
}

fn retitle(room: RoomId, title: &str) -> Call {
    let title = Title::new(title);
    change(room, Access::Open, RoomChange { title, ..RoomChange::default() })
}

fn remove(room: RoomId, access: Access) -> Call {
    call::RemoveRoom { room: RoomRef::Id(room), access }.into()
}

#[test]
fn the_founding_entry_makes_the_lobby() {
    let mut core = Core::new();
    let Ok(Answer::Room(lobby)) =
        core.ask("", call::Room { room: RoomRef::Id(LOBBY), access: Access::Open })
    else {
        panic!("no lobby")
    };
    assert_eq!((lobby.id, lobby.title.as_str()), (LOBBY, "Public Chat"));
    let described = "This is the default chat, available to everyone!";
    assert_eq!((lobby.description.as_str(), lobby.visibility), (described, Public));
    assert_eq!((lobby.created, lobby.updated), (NOON, NOON));
}

#[test]
fn who_may_change_and_end_which_room() {
    let mut core = Core::with(&["ann", "bob"]);
    let owned = core.room("ann", room_settings("owned", Public, None));
    let free = core.room("", room_settings("free", Public, None));
    let locked = core.room("ann", room_settings("locked", Private, Some("hash")));
    let shared = core.room("", room_settings("shared", Private, Some("hash")));
    // (room, caller, access, outcome)
    let cases = [
        (LOBBY, "ann", Access::Open, Err(Refusal::Forbidden)),
        (LOBBY, "", token(LOBBY, 0), Err(Refusal::Forbidden)),
        (owned, "", Access::Open, Err(Refusal::Forbidden)),
        (owned, "bob", token(owned, 0), Err(Refusal::Forbidden)),
        (owned, "ann", Access::Open, Ok(())),
        (owned, "ann?", Access::Open, Ok(())),
        (free, "", Access::Open, Ok(())),
        (free, "bob", Access::Open, Ok(())),
        // A caller with access as a member must be one, even where everybody may change the room.
        (free, "bob", Access::Member, Err(Refusal::Forbidden)),
        (owned, "bob", Access::Member, Err(Refusal::Forbidden)),
        (owned, "ann", Access::Member, Ok(())),
        (LOBBY, "ann", Access::Member, Err(Refusal::Forbidden)),
        (shared, "bob", Access::Member, Err(Refusal::Forbidden)),
        // In an owned room a token gives access and nothing more.
        (locked, "bob", Access::Open, Err(Refusal::Forbidden)),
        (locked, "bob", token(locked, 0), Err(Refusal::Forbidden)),
        (locked, "", token(locked, 0), Err(Refusal::Forbidden)),
        (locked, "ann", Access::Open, Ok(())),
        (shared, "bob", Access::Open, Err(Refusal::NoAccess)),
        (shared, "bob", token(shared, 1), Err(Refusal::NoAccess)),
        (shared, "bob", token(locked, 0), Err(Refusal::NoAccess)),
        (shared, "bob", token(shared, 0), Ok(())),
        (shared, "", token(shared, 0), Ok(())),
    ];
    for (room, who, access, expected) in cases {
        let nothing = change(room, access, RoomChange::default());
        let may = call::MayChange { room: RoomRef::Id(room), access };
        assert_eq!(core.try_to(who, may), expected, "may {who:?} change {room}");
        assert_eq!(core.try_to(who, nothing), expected, "change {room} as {who:?}");
        if expected.is_err() {
            let ended = core.try_to(who, remove(room, access));
            assert_eq!(ended, expected, "end {room} as {who:?}");
        }
    }
    for (room, who, access) in
        [(owned, "ann", Access::Open), (free, "bob", Access::Open), (shared, "", token(shared, 0))]
    {
        assert_eq!(core.try_to(who, remove(room, access)), Ok(()));
        assert_eq!(core.try_to(who, remove(room, access)), Err(Refusal::RoomNotFound));
    }
    assert_eq!(
        core.room("", room_settings("free", Public, None)),
        RoomId(6),
        "no number comes again"
    );
}

#[test]
fn a_room_has_a_password_exactly_if_it_is_not_public() {
    let hash = Some("hash");
    let cases = [
        (Public, None, Ok(())),
        (Public, hash, Err(Refusal::PasswordForPublic)),
        (Private, hash, Ok(())),
        (Private, None, Err(Refusal::PasswordMissing)),
        (Hidden, hash, Ok(())),
        (Hidden, None, Err(Refusal::PasswordMissing)),
    ];
    for (visibility, password, expected) in cases {
        let mut core = Core::new();
        let make =
            call::MakeRoom { settings: room_settings("den", visibility, password), chance: 1 };
        assert_eq!(core.try_to("", make), expected, "{visibility:?} {password:?}");
    }
    // (before, new visibility, new password, outcome: the new generation)
    let cases = [
        (Public, None, None, Ok(0)),
        (Public, None, hash, Err(Refusal::PasswordForPublic)),
        (Public, Some(Private), None, Err(Refusal::PasswordMissing)),
        (Public, Some(Hidden), hash, Ok(1)),
        (Private, None, None, Ok(0)),
        (Private, None, hash, Ok(1)),
        (Private, Some(Hidden), None, Ok(0)),
        (Private, Some(Public), None, Ok(0)),
        (Hidden, Some(Public), hash, Err(Refusal::PasswordForPublic)),
    ];
    for (before, visibility, password, expected) in cases {
        let mut core = Core::new();
        let first = (before != Public).then_some("first");
        let room = core.room("", room_settings("den", before, first));
        let (title, description, new) = (None, None, password.map(Box::from));
        let wanted =
            RoomChange { title, description, visibility, password: new, keep_members: false };
        let done = core.ask("", change(room, token(room, 0), wanted));
        let kept = &core.chat.snapshot().rooms[1];
        let found = done.map(|_| kept.password_generation);
        assert_eq!(found, expected, "{before:?} to {visibility:?} with {password:?}");
        let open = kept.settings.visibility == Public;
        assert_eq!(kept.settings.password.is_none(), open);
    }
}

#[test]
fn a_password_that_is_gone_does_not_come_back() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Private, Some("old")));
    let to = |visibility, password: Option<&str>| RoomChange {
        visibility: Some(visibility),
        password: password.map(Box::from),
        ..RoomChange::default()
    };
    core.ask("", change(room, token(room, 0), to(Public, None))).expect("open");
    let closed = core.try_to("", change(room, token(room, 0), to(Private, None)));
    assert_eq!(closed, Err(Refusal::PasswordMissing));
    core.ask("", change(room, token(room, 0), to(Private, Some("new")))).expect("closed again");
    let old = core.try_to("", subscribe_with(1, room, token(room, 0)));
    assert_eq!(old, Err(Refusal::NoAccess), "the first password's tokens have no effect any more");
}

#[test]
fn titles_are_unique_also_while_they_are_in_flight() {
    let mut core = Core::new();
    let den = core.room("", room_settings("Den", Public, None));
    let hall = core.room("", room_settings("hall", Public, None));
    let make = |title| call::MakeRoom { settings: room_settings(title, Public, None), chance: 1 };
    assert_eq!(core.try_to("", make("dEN")), Err(Refusal::TitleTaken));
    assert_eq!(core.try_to("", retitle(hall, "DEN")), Err(Refusal::TitleTaken));
    assert_eq!(core.try_to("", retitle(den, "DEN")), Ok(()), "its own title in another spelling");
    let renamed = core.ask_late("", retitle(den, "attic"));
    assert_eq!(core.try_to_late(make("Attic")), Err(Refusal::TitleTaken), "pending");
    assert_eq!(
        core.try_to_late(make("den")),
        Err(Refusal::TitleTaken),
        "the change may still fail"
    );
    core.fail();
    assert_eq!(core.answer(renamed), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.try_to("", make("attic")), Ok(()), "the title is free again");
    let cellar = core.ask_late("", make("cellar"));
    assert_eq!(core.try_to_late(make("cellar")), Err(Refusal::TitleTaken));
    core.fail();
    assert_eq!(core.answer(cellar), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.try_to("", make("Cellar")), Ok(()));
}

impl Core {
    /// Makes a call that must be answered before the log replies.
    fn try_to_late(&mut self, call: impl Into<Call>) -> Result<(), Refusal> {
        let ask = self.ask_late("", call);
        self.answer(ask).expect("an answer at once").map(|_| ())
    }
}

#[test]
fn the_second_of_two_changes_sees_the_first() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Public, None));
    let first = core.ask_late("", retitle(room, "attic"));
    let description = Description::new("a place");
    let second = RoomChange { description, ..RoomChange::default() };
    let second = core.ask_late("", change(room, Access::Open, second));
    let third = core.ask_late("", remove(room, Access::Open));
    assert_eq!(core.proposals.len(), 1, "one change at a time");
    core.commit();
    assert!(core.answer(first).is_some_and(|answer| answer.is_ok()));
    core.commit();
    let Some(Ok(Answer::Room(info))) = core.answer(second) else { panic!("no room") };
    assert_eq!((info.title.as_str(), info.description.as_str()), ("attic", "a place"));
    core.commit();
    assert_eq!(core.answer(third), Some(Ok(Answer::Done(()))));
}

#[test]
fn a_change_that_waits_is_judged_by_what_the_first_has_made() {
    let mut core = Core::with(&["ann"]);
    let room = core.room("", room_settings("den", Private, Some("old")));
    let password = Some("new".into());
    let close = RoomChange { password, ..RoomChange::default() };
    core.ask_late("", change(room, token(room, 0), close));
    let late = core.ask_late("", remove(room, token(room, 0)));
    core.commit();
    assert_eq!(core.answer(late), Some(Err(Refusal::NoAccess)), "its token is out of date");
    let gone = core.ask_late("", remove(room, token(room, 1)));
    let later = core.ask_late("", retitle(room, "attic"));
    core.commit();
    assert_eq!(core.answer(gone), Some(Ok(Answer::Done(()))));
    assert_eq!(core.answer(later), Some(Err(Refusal::RoomNotFound)));
}

#[test]
fn a_waiting_call_keeps_its_callers_identity() {
    let mut core = Core::with(&["ann", "bob"]);
    let room = core.room("ann", room_settings("den", Public, None));
    core.ask_late("ann", retitle(room, "attic"));
    let patient = core.ask_late("ann", retitle(room, "cellar"));
    core.passes(TTL_SECS);
    core.commit();
    core.commit();
    assert!(core.answer(patient).is_some_and(|answer| answer.is_ok()), "she called in time");
    assert_eq!(core.try_to("ann", retitle(room, "hall")), Err(Refusal::Unauthenticated));
}

#[test]
fn who_sees_which_room() {
    let mut core = Core::new();
    let shut = core.room("", room_settings("shut", Private, Some("hash")));
    let dark = core.room("", room_settings("dark", Hidden, Some("hash")));
    let call = call::Rooms { mine: false, after: RoomId(0) };
    let Ok(Answer::Rooms(Page { items: rooms, next: None })) = core.ask("", call) else {
        panic!("no rooms")
    };
    assert_eq!(rooms.iter().map(|room| room.id).collect::<Vec<_>>(), [LOBBY, shut]);
    let show = |room, access| call::Room { room, access };
    let title = RoomRef::Title("DARK".into());
    let by_link = core.ask("", show(RoomRef::Id(dark), Access::Open));
    assert!(matches!(by_link, Ok(Answer::Room(_))), "its number finds it");
    let guessed = core.try_to("", show(title.clone(), Access::Open));
    assert_eq!(guessed, Err(Refusal::RoomNotFound), "a title can be guessed");
    assert_eq!(core.try_to("", show(title.clone(), token(dark, 0))), Ok(()));
    assert_eq!(core.try_to("", show(title, token(shut, 0))), Err(Refusal::RoomNotFound));
}

#[test]
fn a_closed_room_admits_a_token_of_its_current_password() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Private, Some("old")));
    let cases = [(Access::Open, false), (token(room, 1), false), (token(room, 0), true)];
    for (subscription, (access, opens)) in (1..).zip(cases) {
        let expected = if opens { Ok(()) } else { Err(Refusal::NoAccess) };
        assert_eq!(core.try_to("", subscribe_with(subscription, room, access)), expected);
    }
    let password = Some("new".into());
    let close = RoomChange { password, ..RoomChange::default() };
    core.ask_late("", change(room, token(room, 0), close));
    assert_eq!(
        core.try_to("", subscribe_with(9, room, token(room, 0))),
        Ok(()),
        "still, while in flight"
    );
    let late = core.try_to("", subscribe_with(10, room, token(room, 0)));
    assert_eq!(late, Err(Refusal::NoAccess));
    assert_eq!(core.try_to("", subscribe_with(11, room, token(room, 1))), Ok(()));
}

#[test]
fn a_new_password_sends_everybody_out_but_the_owner() {
    let mut core = Core::with(&["ann", "bob"]);
    let room = core.room("ann", room_settings("den", Public, None));
    for (subscription, who) in [(1, "ann"), (2, "bob"), (3, "")] {
        core.try_to(who, subscribe_with(subscription, room, Access::Open)).expect("a subscription");
    }
    core.join(1, "");
    core.join(2, "");
    let (visibility, password) = (Some(Private), Some("hash".into()));
    let close = RoomChange { visibility, password, ..RoomChange::default() };
    core.ask_late("ann", change(room, Access::Open, close));
    let heard = core.commit();
    assert_eq!(
        heard,
        ["ann made the room so as 7", "2 is closed: Locked", "bob left", "3 is closed: Locked"]
    );
    assert!(core.present(room).is_empty(), "strangers do not learn who is inside");
    let hide = RoomChange { visibility: Some(Hidden), ..RoomChange::default() };
    core.ask_late("ann", change(room, Access::Open, hide));
    let heard = core.commit();
    assert_eq!(heard, ["ann made the room so as 8"], "the same password: nobody must leave");
    core.try_to("bob", subscribe_with(4, room, token(room, 1))).expect("a subscription");
    let again = RoomChange { password: Some("other".into()), ..RoomChange::default() };
    core.ask_late("ann", change(room, Access::Open, again));
    assert_eq!(core.commit(), ["ann made the room so as 9", "4 is closed: Locked"]);
}

#[test]
fn a_room_ends_with_its_subscriptions_and_admits_nobody_else() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Public, None));
    core.try_to("", subscribe(1, room)).expect("a subscription");
    core.say(1, "guest", "hello");
    core.ask_late("", remove(room, Access::Open));
    let late = core.ask_late("", subscribe(2, room));
    assert_eq!(core.answer(late), Some(Err(Refusal::RoomNotFound)));
    core.say(1, "", "too late");
    let heard = core.settle();
    let expected = [
        "guest said hello as 3 by 1",
        "to 1: Said(3)",
        "Shanty ended the room as 4",
        "to 1: no, RoomNotFound",
        "1 is closed: RoomGone",
    ];
    assert_eq!(heard, expected, "the parts are not announced one by one");
}

#[test]
fn a_room_stays_if_the_log_cannot_write_its_end() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Public, None));
    let ask = core.ask_late("", remove(room, Access::Open));
    core.fail();
    assert_eq!(core.answer(ask), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.try_to("", subscribe(1, room)), Ok(()));
    assert_eq!(core.try_to("", remove(room, Access::Open)), Ok(()));
}

#[test]
fn a_call_that_waits_for_a_failed_change_is_answered() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Public, None));
    let first = core.ask_late("", retitle(room, "attic"));
    let second = core.ask_late("", retitle(room, "cellar"));
    core.fail();
    assert_eq!(core.answer(first), Some(Err(Refusal::Unavailable)));
    core.commit();
    assert!(core.answer(second).is_some_and(|answer| answer.is_ok()));
}

#[test]
fn a_proposal_that_another_proposer_has_overtaken_is_refused() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Public, None));
    let late = [
        core.ask_late("", call::Register { name: "ann".into(), key: key("ann"), invitation: None }),
        core.ask_late(
            "",
            call::MakeRoom { settings: room_settings("hall", Public, None), chance: 1 },
        ),
        core.ask_late("", retitle(room, "attic")),
    ];
    let (account, key) = (AccountId(9), key("another"));
    core.logged(
        None,
        core.now,
        Entry::AccountMade { account, name: name("Ann"), key: Some(key), color: None },
    );
    for (number, title) in [(8, "Hall"), (9, "Attic")] {
        let (room, settings) = (RoomId(number), room_settings(title, Public, None));
        core.logged(None, core.now, Entry::RoomMade { room, owner: None, settings });
    }
    core.settle();
    // (The reserved room number is older than one in the log.)
    let expected = [Refusal::NameTaken, Refusal::Unavailable, Refusal::TitleTaken];
    assert_eq!(late.map(|ask| core.answer(ask)), expected.map(|refusal| Some(Err(refusal))));
    assert_eq!(core.chat.snapshot().rooms[1].settings.title.as_str(), "den");
}

#[test]
fn another_proposers_entry_frees_no_reservation_of_this_core() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Public, None));
    let ask = core.ask_late("", remove(room, Access::Open));
    let entry = Entry::RoomChanged {
        room,
        settings: room_settings("attic", Public, None),
        password_generation: 0,
        link: None,
        keep_members: false,
    };
    core.logged(None, core.now, entry);
    let late = core.ask_late("", subscribe(1, room));
    assert_eq!(core.answer(late), Some(Err(Refusal::RoomNotFound)), "its end is pending");
    core.commit();
    assert_eq!(core.answer(ask), Some(Ok(Answer::Done(()))));
    let reused =
        Entry::RoomMade { room, owner: None, settings: room_settings("again", Public, None) };
    core.logged(None, core.now, reused);
    let found = core.try_to("", call::Room { room: RoomRef::Id(room), access: Access::Open });
    assert_eq!(found, Err(Refusal::RoomNotFound), "a deleted room's number is not reused");
}
