//! Invitations, and links for people who have lost their keys.

use super::*;
use crate::chat::vocabulary::RulesChange;
use crate::limits::in_charge::{
    INVITATIONS_ENDED, INVITATIONS_MAX, INVITATIONS_PER_ACCOUNT_MAX, INVITATIONS_PER_ROOM_MAX,
    RECOVERIES_MAX,
};

const VOID: Result<(), Refusal> = Err(Refusal::InvitationVoid);
const DAY: u64 = 24 * 3_600;

fn invite(code: &str, room: Option<RoomId>, uses: u64) -> Call {
    call::Invite { code: key(code), room, uses, secs: DAY, reason: None }.into()
}

fn register(name: &str, code: Option<&str>) -> Call {
    call::Register { name: name.into(), key: key(name), invitation: code.map(key) }.into()
}

fn accept(code: &str) -> Call {
    call::AcceptInvitation { code: key(code) }.into()
}

fn change(registration: Registration) -> Call {
    let registration = Some(registration);
    call::ChangePolicy { registration, guests: None, reason: None }.into()
}

fn lost(name: &str, code: &str) -> Call {
    call::MakeRecovery { name: name.into(), code: key(code), reason: None }.into()
}

fn recover(code: &str, new: &str) -> Call {
    call::Recover { code: key(code), key: key(new) }.into()
}

/// A core with an owner, an administrator, and others; only invited people register.
fn core() -> Core {
    let mut core = Core::with(&["own", "ann", "bob", "cat"]);
    core.operate(role("own", Some(Role::Owner))).expect("an owner");
    core.operate(role("ann", Some(Role::Administrator))).expect("an administrator");
    core.try_to("ann", change(Registration::Invite)).expect("a policy");
    core
}

impl Core {
    fn invites(&mut self, who: &str, code: &str, room: Option<RoomId>, uses: u64) -> Seq {
        match self.ask(who, invite(code, room, uses)) {
            Ok(Answer::Invitation(invitation)) => invitation.id,
            other => panic!("{other:?} instead of an invitation"),
        }
    }

    fn looks_at(&mut self, code: &str) -> Result<InvitationView, Refusal> {
        match self.ask("", call::LookAtInvitation { code: key(code) }) {
            Ok(Answer::InvitationView(view)) => Ok(view),
            other => Err(other.expect_err("a view")),
        }
    }

    fn rooms_of(&self, name: &str) -> Vec<RoomId> {
        let snapshot = self.chat.snapshot();
        let account = snapshot.accounts.iter().find(|one| one.name.as_str() == name);
        let account = account.expect("an account").id;
        let inside = |room: &&RoomRecord| room.members.iter().any(|one| one.account == account);
        snapshot.rooms.iter().filter(inside).map(|room| room.id).collect()
    }
}

#[test]
fn an_invitation_registers_so_many_people_where_others_cannot() {
    let mut core = core();
    assert_eq!(core.try_to("", register("dan", None)), Err(Refusal::RegistrationClosed));
    assert_eq!(core.try_to("bob", invite("a", None, 2)), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("", invite("a", None, 2)), Err(Refusal::Unauthenticated));
    let id = core.invites("ann", "a", None, 2);
    let until = core.now.plus_secs(DAY);
    let by = Name::new("ann");
    let view = InvitationView { by, room: None, until, registers: true, guests: true };
    assert_eq!(core.looks_at("a"), Ok(view));
    assert_eq!(core.try_to("", register("dan", Some("b"))), VOID, "a guess");
    assert_eq!(core.try_to("", register("bob", Some("a"))), Err(Refusal::NameTaken));
    assert_eq!(core.try_to("", register("dan", Some("a"))), Ok(()));
    assert_eq!(core.chat.snapshot().invitations[0].used, 1, "a taken name uses nothing up");
    // Two at once for the last use: the log's order decides.
    let (first, second) = (
        core.ask_late("", register("eve", Some("a"))),
        core.ask_late("", register("fay", Some("a"))),
    );
    core.settle();
    assert_eq!(core.answer(first), Some(Ok(Answer::Done(()))));
    assert_eq!(core.answer(second), Some(Err(Refusal::InvitationVoid)));
    assert_eq!(core.chat.snapshot().invitations, []);
    assert_eq!(core.try_to("", register("fay", Some("a"))), VOID, "used up");
    assert_eq!(core.looks_at("a"), Err(Refusal::InvitationVoid));
    let end = call::EndInvitation { invitation: id, reason: None };
    assert_eq!(core.try_to("ann", end), Err(Refusal::InvitationNotFound));
    // The name of who came too late is free.
    core.invites("own", "c", None, 1);
    assert_eq!(core.try_to("", register("fay", Some("c"))), Ok(()));
}

#[test]
fn an_invitation_ends_by_its_date_by_its_maker_and_with_the_makers_role() {
    let mut core = core();
    let id = core.invites("ann", "a", None, 9);
    let end = |invitation| call::EndInvitation { invitation, reason: None };
    assert_eq!(core.try_to("bob", end(id)), Err(Refusal::InvitationNotFound));
    core.ask_late("own", end(id));
    let behind = core.ask_late("", register("dan", Some("a")));
    core.settle();
    assert_eq!(core.answer(behind), Some(Err(Refusal::InvitationVoid)), "behind the end");
    core.invites("ann", "b", None, 9);
    core.passes(DAY - 1);
    assert_eq!(core.try_to("", register("dan", Some("b"))), Ok(()));
    core.passes(1);
    assert_eq!(core.try_to("", register("eve", Some("b"))), VOID, "expired");
    core.invites("ann!", "c", None, 9);
    assert_eq!(core.chat.snapshot().invitations.len(), 1, "those that are over are forgotten");
    core.ask_late("own!", role("ann", None));
    let behind = core.ask_late("", register("eve", Some("c")));
    core.settle();
    assert_eq!(core.answer(behind), Some(Err(Refusal::InvitationVoid)), "behind the role");
    assert_eq!(core.try_to("", register("eve", Some("c"))), VOID);
    assert_eq!(core.chat.snapshot().invitations, []);
    // That of the operator has no maker who could lose a role.
    core.operate(invite("d", None, 1)).expect("an invitation");
    assert_eq!(core.looks_at("d").map(|view| view.by), Ok(None));
    core.try_to("own!", change(Registration::Closed)).expect("a policy");
    assert_eq!(core.looks_at("d").map(|view| view.registers), Ok(false));
    let closed = Err(Refusal::RegistrationClosed);
    assert_eq!(core.try_to("", register("eve", Some("d"))), closed);
    core.try_to("own!", change(Registration::Open)).expect("a policy");
    assert_eq!(core.try_to("", register("eve", Some("d"))), Ok(()));
    assert_eq!(core.chat.snapshot().invitations, [], "it counts where everybody registers, too");
}

#[test]
fn an_invitation_to_a_room_admits_without_its_password() {
    let mut core = core();
    let den = core.room("bob", room_settings("Den", Visibility::Hidden, Some("hash")));
    for (caller, refusal) in [
        ("cat", Refusal::RoomNotFound), // It is hidden from her,
        ("ann", Refusal::RoomNotFound), // and from an administrator.
        ("", Refusal::Unauthenticated),
    ] {
        assert_eq!(core.try_to(caller, invite("a", Some(den), 3)), Err(refusal), "{caller}");
    }
    core.invites("bob", "a", Some(den), 3);
    let view = core.looks_at("a").expect("a view");
    let title = Title::new("Den").expect("a title");
    assert_eq!((view.room, view.registers), (Some((den, title)), false));
    // It does not register: its maker is not in charge of the server.
    let closed = Err(Refusal::RegistrationClosed);
    assert_eq!(core.try_to("", register("dan", Some("a"))), closed);
    assert_eq!(core.try_to("", accept("a")), Err(Refusal::Unauthenticated));
    core.ask("", be_guest("gus")).expect("a guest");
    for who in ["cat", "cat", "bob", "gus"] {
        let Ok(Answer::Room(room)) = core.ask(who, accept("a")) else { panic!("{who} is not in") };
        assert_eq!(room.id, den);
    }
    assert_eq!(core.chat.snapshot().invitations[0].used, 2, "a member uses nothing up");
    assert_eq!(core.try_to("cat", accept("b")), VOID);
    // Where everybody registers, the new account is a member, too.
    core.try_to("ann", change(Registration::Open)).expect("a policy");
    assert_eq!(core.try_to("", register("dan", Some("a"))), Ok(()));
    assert_eq!(core.rooms_of("dan"), [LOBBY, den]);
    assert_eq!(core.try_to("ann", accept("a")), VOID, "used up");
    assert_eq!(core.try_to("cat", accept("a")), VOID, "nobody knows whose it was");
}

#[test]
fn who_comes_by_an_administrators_invitation_to_a_room_registers_and_is_in() {
    let mut core = core();
    let den = core.room("ann", room_settings("Den", Visibility::Private, Some("hash")));
    core.invites("ann", "a", Some(den), 1);
    assert_eq!(core.try_to("", register("dan", Some("a"))), Ok(()));
    assert_eq!(core.rooms_of("dan"), [LOBBY, den]);
    assert_eq!(core.chat.snapshot().invitations, [], "one use, for both");
}

#[test]
fn a_rooms_invitations_end_with_its_password_and_with_the_room() {
    let mut core = core();
    let den = core.room("bob", room_settings("Den", Visibility::Private, Some("hash")));
    let other = core.room("bob", room_settings("Attic", Visibility::Public, None));
    let changed = |room, change: RoomChange| call::ChangeRoom {
        room: RoomRef::Id(room),
        access: Access::Member,
        change,
        chance: 1,
    };
    let renamed = RoomChange { title: Title::new("Cave"), ..RoomChange::default() };
    let locked =
        RoomChange { password: Some("other".into()), keep_members: true, ..RoomChange::default() };
    core.invites("bob", "a", Some(den), 9);
    core.try_to("bob", changed(den, renamed)).expect("a change");
    assert_eq!(core.looks_at("a").map(|view| view.room.is_some()), Ok(true));
    core.try_to("bob", changed(den, locked)).expect("a change");
    assert_eq!(core.try_to("cat", accept("a")), VOID, "another password");
    core.invites("bob", "b", Some(other), 9);
    core.invites("ann", "c", Some(other), 9); // It is public.
    let gone = call::RemoveRoom { room: RoomRef::Id(other), access: Access::Member };
    core.try_to("bob", gone).expect("an end");
    core.try_to("bob", call::RestoreRoom { room: other, title: None }).expect("it is back");
    for code in ["b", "c"] {
        assert_eq!(core.try_to("cat", accept(code)), VOID, "its end ended {code}");
    }
    // The owner of the room ends invitations to it that others made.
    let id = core.invites("ann", "d", Some(other), 9);
    core.try_to("bob", call::EndInvitation { invitation: id, reason: None }).expect("an end");
    assert_eq!(core.chat.snapshot().invitations, []);
    // Without an owner, its members invite.
    core.invites("bob", "e", Some(den), 9);
    core.try_to(
        "ann",
        call::Ban { name: "bob".into(), on: true, address_secs: None, reason: None },
    )
    .expect("a ban");
    assert_eq!(core.try_to("cat", accept("e")), VOID, "its maker is banned");
}

#[test]
fn who_may_invite_to_which_room() {
    let mut core = core();
    core.ask("", be_guest("gus")).expect("a guest");
    let guests = core.room("gus", room_settings("Guests", Visibility::Public, None));
    let free = core.room("", room_settings("Free", Visibility::Public, None));
    let closed = core.room("bob", room_settings("Closed", Visibility::Private, Some("hash")));
    let Ok(Answer::Direct(two)) = core.ask("bob", call::Direct { name: "cat".into(), chance: 5 })
    else {
        panic!("no room for two")
    };
    core.try_to("cat", call::Enter { room: free, access: Access::Open }).expect("a member");
    for (who, room, expected) in [
        ("gus", guests, Err(Refusal::NotForGuests)),
        ("bob", free, Err(Refusal::Forbidden)),
        ("cat", free, Ok(())),
        ("ann", free, Ok(())), // It is public.
        ("ann", closed, Err(Refusal::Forbidden)),
        ("bob", closed, Ok(())),
        ("bob", two.room.id, Err(Refusal::Forbidden)),
        ("bob", LOBBY, Err(Refusal::Forbidden)),
        ("ann", LOBBY, Ok(())),
        ("own", RoomId(99), Err(Refusal::RoomNotFound)),
    ] {
        core.last += 1;
        let code = format!("code {}", core.last);
        assert_eq!(core.try_to(who, invite(&code, Some(room), 1)), expected, "{who} {room}");
    }
    let operator = |room| invite("operator", Some(room), 1);
    assert_eq!(core.operate(operator(two.room.id)), Err(Refusal::Forbidden));
    assert_eq!(core.operate(operator(closed)), Ok(()));
    core.try_to("cat", accept("operator")).expect("a member");
    // She is a member now; but the room has an owner, who alone invites.
    assert_eq!(core.try_to("cat", invite("x", Some(closed), 1)), Err(Refusal::Forbidden));
    let moderator =
        |on| call::ChangeModerator { room: closed, name: "cat".into(), on, reason: None };
    core.try_to("bob", moderator(true)).expect("of his room");
    assert_eq!(core.try_to("cat", invite("hers", Some(closed), 2)), Ok(()));
    // It ends with her role.
    core.try_to("bob", moderator(false)).expect("of his room");
    assert_eq!(core.try_to("own", accept("hers")), Err(Refusal::InvitationVoid));
}

/// Whoever is banned from a room, or comes to a locked one, does not get in by an invitation.
#[test]
fn an_invitation_does_not_outdo_a_ban_or_a_lock() {
    let mut core = core();
    let room = core.room("bob", room_settings("Den", Visibility::Private, Some("hash")));
    core.invites("bob", "code", Some(room), 9);
    let ban = |on| call::BanFromRoom { room, name: "cat".into(), on, reason: None };
    core.try_to("bob", ban(true)).expect("of his room");
    assert_eq!(core.try_to("cat", accept("code")), Err(Refusal::BannedHere));
    core.try_to("bob", ban(false)).expect("of his room");
    let lock = |locked| {
        let change = RulesChange { locked: Some(locked), ..RulesChange::default() };
        call::ChangeRules { room, change, reason: None }
    };
    core.try_to("bob", lock(true)).expect("of his room");
    assert_eq!(core.try_to("cat", accept("code")), Err(Refusal::Locked));
    core.try_to("bob", lock(false)).expect("of his room");
    core.try_to("cat", accept("code")).expect("let in");
}

#[test]
fn so_many_invitations_are_open_at_once() {
    let mut core = core();
    core.checks = false;
    let room = core.room("bob", room_settings("Den", Visibility::Public, None));
    for index in 0..INVITATIONS_PER_ROOM_MAX / 2 {
        core.invites("bob", &format!("bob {index}"), Some(room), 1);
        core.invites("ann", &format!("ann {index}"), Some(room), 1);
    }
    for who in ["bob", "own"] {
        let refusal = core.try_to(who, invite("more", Some(room), 1));
        assert_eq!(refusal, Err(Refusal::QuotaReached), "{who}: of the room");
    }
    for index in INVITATIONS_PER_ROOM_MAX / 2..INVITATIONS_PER_ACCOUNT_MAX {
        core.invites("ann", &format!("ann {index}"), None, 1);
    }
    assert_eq!(core.try_to("ann", invite("more", None, 1)), Err(Refusal::QuotaReached));
    assert_eq!(core.try_to("own", invite("more", None, 1)), Ok(()));
    for index in INVITATIONS_PER_ROOM_MAX / 2 + INVITATIONS_PER_ACCOUNT_MAX + 1..INVITATIONS_MAX {
        core.operate(invite(&format!("op {index}"), None, 1)).expect("there is room");
    }
    assert_eq!(core.try_to("own", invite("last", None, 1)), Err(Refusal::Full));
    core.passes(DAY);
    assert_eq!(core.try_to("own!", invite("last", None, 1)), Ok(()));
    let left = core.chat.snapshot().invitations.len();
    assert_eq!(left, INVITATIONS_MAX - INVITATIONS_ENDED + 1, "those that are over make room");
}

#[test]
fn a_lost_key_is_replaced_once_by_a_link() {
    let mut core = core();
    core.subscribe(1, "bob").expect("a subscription");
    let void = Err(Refusal::RecoveryVoid);
    for (who, name, refusal) in [
        ("bob", "cat", Refusal::Forbidden),
        ("ann", "own", Refusal::Forbidden),
        ("ann", "ann", Refusal::Forbidden),
        ("own", "own", Refusal::Forbidden),
        ("ann", "zoe", Refusal::PersonNotFound),
        ("", "bob", Refusal::Unauthenticated),
    ] {
        assert_eq!(core.try_to(who, lost(name, "x")), Err(refusal), "{who} {name}");
    }
    core.try_to("ann", lost("Bob", "first")).expect("a link");
    core.try_to("ann", lost("bob", "second")).expect("a newer one");
    assert_eq!(core.try_to("", recover("first", "new")), void, "replaced");
    let (one, two) = (
        core.ask_late("", recover("second", "new")),
        core.ask_late("", recover("second", "other")),
    );
    assert_eq!(core.answer(two), Some(Err(Refusal::Unavailable)), "somebody is faster");
    let noticed = core.settle();
    assert!(noticed.contains(&"1 is closed: SessionEnded".to_owned()), "{noticed:?}");
    let Some(Ok(Answer::Person(person))) = core.answer(one) else { panic!("no new key") };
    assert_eq!(person.name.as_str(), "bob");
    assert_eq!(core.try_to("", recover("second", "other")), void, "used");
    assert_eq!(core.try_to("bob", call::Me), Err(Refusal::Unauthenticated), "no session is left");
    assert_eq!(core.try_to("bob!", call::Me), Err(Refusal::UnknownKey));
    assert_eq!(core.try_to("new!", call::Me), Ok(()));
    assert_eq!(core.chat.snapshot().recoveries, []);
    // It is good for a day.
    core.operate(lost("own", "third")).expect("the operator may");
    core.passes(DAY);
    assert_eq!(core.try_to("", recover("third", "newer")), void, "expired");
}

#[test]
fn a_link_for_a_new_key_ends_with_what_allowed_it() {
    let mut core = core();
    let void = Err(Refusal::RecoveryVoid);
    let ban =
        |name: &str, on| call::Ban { name: name.into(), on, address_secs: None, reason: None };
    // The account's own new key, a ban, a role.
    core.try_to("ann", lost("bob", "a")).expect("a link");
    core.try_to("bob", call::ChangeKey { key: key("bob2") }).expect("a new key");
    assert_eq!(core.try_to("", recover("a", "new")), void);
    core.try_to("ann", lost("bob", "b")).expect("a link");
    core.try_to("ann", ban("bob", true)).expect("a ban");
    assert_eq!(core.try_to("", recover("b", "new")), void);
    assert_eq!(core.try_to("ann", lost("bob", "c")), Err(Refusal::Banned));
    core.try_to("ann", ban("bob", false)).expect("a ban is lifted");
    core.try_to("ann", lost("bob", "d")).expect("a link");
    core.try_to("own", role("bob", Some(Role::Administrator))).expect("a role");
    assert_eq!(core.try_to("", recover("d", "new")), void, "it was made for somebody without it");
    assert_eq!(core.try_to("ann", lost("bob", "e")), Err(Refusal::Forbidden), "a colleague");
    core.try_to("own", lost("bob", "e")).expect("the owner may");
    // A role that is on its way into the log.
    core.ask_late("own", role("cat", Some(Role::Administrator)));
    let late = core.ask_late("ann", lost("cat", "f"));
    core.settle();
    assert_eq!(core.answer(late), Some(Err(Refusal::Forbidden)));
    // The maker's role.
    core.operate(role("cat", None)).expect("no role");
    core.try_to("ann", lost("cat", "g")).expect("a link");
    core.try_to("own", role("ann", None)).expect("no role");
    assert_eq!(core.try_to("", recover("g", "new")), void);
    assert_eq!(core.try_to("", recover("e", "new")), Ok(()), "that of the owner is good");
    core.ask("", be_guest("gus")).expect("a guest");
    assert_eq!(core.try_to("own", lost("gus", "h")), Err(Refusal::NotForGuests));
}

#[test]
fn so_many_links_for_new_keys_are_open_at_once() {
    let mut core = core();
    core.checks = false;
    for index in 0..=RECOVERIES_MAX {
        let name = format!("p{index}");
        let made = call::Register { name: name.as_str().into(), key: key(&name), invitation: None };
        core.ask("ann", made).expect("an account");
    }
    for index in 0..RECOVERIES_MAX {
        let made = lost(&format!("p{index}"), &format!("code {index}"));
        core.try_to("ann", made).expect("there is room");
    }
    let last = lost(&format!("p{RECOVERIES_MAX}"), "last");
    assert_eq!(core.try_to("ann", last.clone()), Err(Refusal::Full));
    assert_eq!(core.try_to("ann", lost("p0", "again")), Ok(()), "in place of another");
    core.passes(DAY);
    assert_eq!(core.try_to("ann!", last), Ok(()));
    assert_eq!(core.chat.snapshot().recoveries.len(), 1, "those that are over are forgotten");
}

#[test]
fn guesses_of_codes_are_counted_as_wrong_passwords() {
    let mut core = Core::set(Settings::new(TTL_SECS, true));
    core.source = Source::of([203, 0, 113, 7].into());
    let guess = |core: &mut Core, index: u64| match index % 3 {
        0 => core.try_to("", call::LookAtInvitation { code: key("wrong") }),
        1 => core.try_to("", register("zoe", Some("wrong"))),
        _ => core.try_to("", recover("wrong", "new")),
    };
    core.operate(invite("right", None, 9)).expect("an invitation");
    for index in 0..60 {
        core.looks_at("right").expect("a right one costs nothing");
        assert!(!matches!(guess(&mut core, index), Err(Refusal::RateLimited { .. })), "{index}");
    }
    for index in 0..3 {
        let refused = guess(&mut core, index);
        assert!(matches!(refused, Err(Refusal::RateLimited { .. })), "{index}: {refused:?}");
    }
    assert!(core.looks_at("right").is_err(), "or else the attempts would not be bounded");
    core.passes(6);
    core.looks_at("right").expect("later");
}

#[test]
fn codes_outlast_a_restart() {
    let mut core = core();
    core.invites("ann", "a", None, 3);
    core.try_to("", register("dan", Some("a"))).expect("an account");
    core.try_to("ann", lost("bob", "b")).expect("a link");
    let snapshot = core.chat.snapshot();
    core.chat = Chat::new(Settings::new(TTL_SECS, false), snapshot.clone());
    assert_eq!(core.chat.snapshot(), snapshot);
    core.try_to("", register("eve", Some("a"))).expect("an account");
    core.try_to("", recover("b", "new")).expect("a new key");
    assert_eq!(core.chat.snapshot().invitations[0].used, 2);
}
