//! Order in rooms: moderators, mutes, bans from a room, its rules, its next owner, and deleting all
//! messages of a person.

use super::*;
use crate::limits::moderation::{
    BANS_PER_ROOM_MAX, MODERATORS_MAX, MUTED_ACCOUNTS_MAX, MUTES_PER_ROOM_MAX,
};

pub(super) fn moderator(room: RoomId, name: &str, on: bool) -> Call {
    call::ChangeModerator { room, name: name.into(), on, reason: None }.into()
}

pub(super) fn mute(room: Option<RoomId>, name: &str, secs: Option<u64>) -> Call {
    call::Mute { room, name: name.into(), on: true, secs, reason: Reason::new("spam") }.into()
}

pub(super) fn unmute(room: Option<RoomId>, name: &str) -> Call {
    call::Mute { room, name: name.into(), on: false, secs: None, reason: None }.into()
}

pub(super) fn ban(room: RoomId, name: &str, on: bool) -> Call {
    call::BanFromRoom { room, name: name.into(), on, reason: None }.into()
}

pub(super) fn expel(room: RoomId, name: &str) -> Call {
    call::Expel { room, name: name.into() }.into()
}

pub(super) fn transfer(room: RoomId, name: &str) -> Call {
    call::Transfer { room, name: name.into(), reason: None }.into()
}

pub(super) fn rules(room: RoomId, change: RulesChange) -> Call {
    call::ChangeRules { room, change, reason: None }.into()
}

pub(super) fn slow(secs: u32) -> RulesChange {
    RulesChange { slow_secs: Some(secs), ..RulesChange::default() }
}

pub(super) fn read_only(on: bool) -> RulesChange {
    RulesChange { read_only: Some(on), ..RulesChange::default() }
}

pub(super) fn locked(on: bool) -> RulesChange {
    RulesChange { locked: Some(on), ..RulesChange::default() }
}

pub(super) fn enters(room: RoomId) -> Call {
    call::Enter { room, access: Access::Open }.into()
}

pub(super) fn send(room: RoomId, text: &str) -> Call {
    let (text, client_id, reply_to) = (text.into(), None, None);
    call::Act(Action::Send { room, text, client_id, reply_to }).into()
}

pub(super) fn react(room: RoomId, target: Seq) -> Call {
    let emoji = Emoji::new("👍").expect("a reaction");
    call::Act(Action::React { room, target, emoji, on: true }).into()
}

pub(super) fn here(until: Time) -> Result<(), Refusal> {
    Err(Refusal::Muted { until, everywhere: false })
}

/// A public room of own, with the members mod (who is to moderate), bob, cat, and the guest gus.
pub(super) fn core() -> (Core, RoomId) {
    let mut core = Core::with(&["own", "mod", "bob", "cat", "adm", "boss"]);
    core.operate(role("boss", Some(Role::Owner))).expect("an owner");
    core.operate(role("adm", Some(Role::Administrator))).expect("an administrator");
    core.try_to("", be_guest("gus")).expect("a guest");
    let room = core.room("own", room_settings("the den", Visibility::Public, None));
    for name in ["mod", "bob", "cat", "gus"] {
        core.try_to(name, enters(room)).expect("a member");
    }
    (core, room)
}

/// The same, and mod moderates.
pub(super) fn moderated() -> (Core, RoomId) {
    let (mut core, room) = core();
    core.try_to("own", moderator(room, "mod", true)).expect("a moderator");
    (core, room)
}

pub(super) fn members(core: &mut Core, room: RoomId, viewer: &str) -> Vec<Member> {
    match core.ask(viewer, call::Members { room, after: Place::Present(0) }) {
        Ok(Answer::Members(Page { mut items, next })) => {
            if let Some(after) = next
                && let Ok(Answer::Members(rest)) = core.ask(viewer, call::Members { room, after })
            {
                items.extend(rest.items);
            }
            items
        }
        other => panic!("{other:?} instead of members"),
    }
}

pub(super) fn role_of(core: &mut Core, room: RoomId, name: &str) -> Option<RoomRole> {
    let all = members(core, room, name);
    all.into_iter().find(|one| one.author.name.as_str() == name).and_then(|one| one.role)
}

#[test]
fn the_owner_makes_moderators_and_their_role_ends_with_the_membership() {
    let (mut core, room) = core();
    for caller in ["bob", "mod", "gus"] {
        let refused = core.try_to(caller, moderator(room, "mod", true));
        assert_eq!(refused, Err(Refusal::Forbidden), "{caller}");
    }
    assert_eq!(core.try_to("", moderator(room, "mod", true)), Err(Refusal::Unauthenticated));
    let guest = core.try_to("own", moderator(room, "gus", true));
    assert_eq!(guest, Err(Refusal::NotForGuests), "a guest's name may be another's tomorrow");
    let stranger = core.try_to("own", moderator(room, "adm", true));
    assert_eq!(stranger, Err(Refusal::PersonNotFound), "not a member");
    core.ask_late("own", moderator(room, "Mod", true));
    assert!(core.settle()[0].starts_with("mod is Moderator(true) as "));
    assert_eq!(role_of(&mut core, room, "mod"), Some(RoomRole::Moderator));
    assert_eq!(role_of(&mut core, room, "own"), Some(RoomRole::Owner));
    assert_eq!(role_of(&mut core, room, "bob"), None);
    let before = core.seq;
    assert_eq!(core.try_to("own", moderator(room, "mod", true)), Ok(()));
    assert_eq!(core.seq, before, "what is so already is no entry");
    // It outlasts a restart, and ends with the membership.
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    assert_eq!(role_of(&mut core, room, "mod"), Some(RoomRole::Moderator));
    core.try_to("mod", call::Exit { room }).expect("gone");
    core.try_to("mod", enters(room)).expect("back");
    assert_eq!(role_of(&mut core, room, "mod"), None);
    // So does it when the room closes.
    core.try_to("adm", moderator(room, "mod", true)).expect("administrators may, too");
    let change = RoomChange {
        visibility: Some(Visibility::Private),
        password: Some("hash".into()),
        ..RoomChange::default()
    };
    let (room_ref, access, chance) = (RoomRef::Id(room), Access::Member, 1);
    core.try_to("own", call::ChangeRoom { room: room_ref, access, change, chance })
        .expect("closed");
    assert_eq!(core.chat.snapshot().rooms.last().expect("the room").moderation, None);
}

#[test]
fn moderators_expel_delete_mute_and_slow_down_and_no_more() {
    let (mut core, room) = moderated();
    let forbidden = Err(Refusal::Forbidden);
    for name in ["own", "mod"] {
        for call in [expel(room, name), ban(room, name, true), mute(Some(room), name, None)] {
            assert_eq!(core.try_to("mod", call), forbidden, "{name}");
        }
    }
    // Nor do they touch each other, nor people with a role on the server.
    core.try_to("adm", enters(room)).expect("a member");
    core.try_to("own", moderator(room, "cat", true)).expect("a moderator");
    for name in ["adm", "cat"] {
        for call in [expel(room, name), ban(room, name, true), mute(Some(room), name, None)] {
            assert_eq!(core.try_to("mod", call), forbidden, "{name}");
        }
    }
    for call in [
        moderator(room, "bob", true),
        moderator(room, "cat", false),
        transfer(room, "mod"),
        rules(room, read_only(true)),
        rules(room, locked(true)),
        call::RemoveRoom { room: RoomRef::Id(room), access: Access::Member }.into(),
        call::ChangeRoom {
            room: RoomRef::Id(room),
            access: Access::Member,
            change: RoomChange { title: Title::new("mine"), ..RoomChange::default() },
            chance: 1,
        }
        .into(),
        mute(None, "bob", None),
    ] {
        assert_eq!(core.try_to("mod", call.clone()), forbidden, "{call:?}");
    }
    for call in [
        rules(room, slow(0)),
        mute(Some(room), "bob", Some(60)),
        unmute(Some(room), "bob"),
        ban(room, "bob", true),
        ban(room, "bob", false),
        call::Moderation { room }.into(),
    ] {
        for caller in ["bob", "gus"] {
            assert_eq!(core.try_to(caller, call.clone()), forbidden, "{caller}: {call:?}");
        }
        assert_eq!(core.try_to("mod", call.clone()), Ok(()), "{call:?}");
    }
    core.try_to("bob", enters(room)).expect("back");
    core.try_to("bob", send(room, "rude")).expect("said");
    let rude = Seq(core.seq);
    let delete = call::Act(Action::Delete { room, target: rude });
    core.ask_late("mod", delete);
    assert!(core.settle()[0].starts_with("mod deleted "));
    core.try_to("mod", expel(room, "bob")).expect("expelled");
    assert!(members(&mut core, room, "own").iter().all(|one| one.author.name.as_str() != "bob"));
}

/// The core asks again when the log has come to it.
#[test]
fn whoever_was_a_moderator_is_none_from_that_entry_on() {
    let (mut core, room) = moderated();
    core.ask_late("own", moderator(room, "mod", false));
    let late = core.ask_late("mod", mute(Some(room), "bob", None));
    core.settle();
    assert_eq!(core.answer(late), Some(Err(Refusal::Forbidden)));
    assert_eq!(core.try_to("bob", send(room, "hello")), Ok(()));
}

#[test]
fn whoever_is_banned_from_a_room_does_not_come_back() {
    let (mut core, room) = moderated();
    core.try_to("bob", subscribe(1, room)).expect("a subscription");
    core.ask(
        "bob",
        call::OpenStream { subscription: SubscriptionId(65_536), protocol: BACK, only: None },
    )
    .expect("a stream");
    core.try_to("cat", subscribe(2, room)).expect("a subscription");
    core.join(2, "cat");
    core.ask_late("mod", ban(room, "bob", true));
    core.say(2, "cat", "he is gone");
    // He hears nothing of what is behind the ban.
    let heard = core.commit();
    assert!(heard.contains(&"1 is closed: BannedHere".to_owned()), "{heard:?}");
    let heard = core.commit();
    assert!(heard.iter().any(|one| one.contains(": gone as ")), "{heard:?}");
    core.settle();
    let banned = Err(Refusal::BannedHere);
    assert_eq!(core.try_to("bob", enters(room)), banned);
    assert_eq!(core.try_to("bob", subscribe(3, room)), banned);
    assert_eq!(core.try_to("bob", send(room, "hello")), Err(Refusal::NotMember));
    assert_eq!(core.try_to("bob", send(LOBBY, "hello")), Ok(()), "elsewhere");
    // The password opens nothing either.
    let change = RoomChange {
        visibility: Some(Visibility::Private),
        password: Some("hash".into()),
        keep_members: true,
        ..RoomChange::default()
    };
    let (room_ref, access, chance) = (RoomRef::Id(room), Access::Member, 1);
    core.try_to("own", call::ChangeRoom { room: room_ref, access, change, chance })
        .expect("closed");
    let access = Access::Password { password_generation: 1 };
    assert_eq!(core.try_to("bob", call::Enter { room, access }), banned);
    let wrong = Access::Password { password_generation: 0 };
    let wrong = core.try_to("bob", call::Enter { room, access: wrong });
    assert_eq!(wrong, Err(Refusal::NoAccess), "who does not know the password learns nothing");
    let asked_by = Access::Token { room, password_generation: 1, session: Some(key("bob")) };
    assert_eq!(core.try_to("bob", subscribe_with(4, room, asked_by)), banned);
    match core.ask("mod", call::Moderation { room }) {
        Ok(Answer::Moderation(found)) => assert_eq!(found.banned, [name("bob")]),
        other => panic!("{other:?}"),
    }
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    assert_eq!(core.try_to("bob", call::Enter { room, access }), banned, "after a restart");
    core.try_to("mod", ban(room, "bob", false)).expect("lifted");
    assert_eq!(core.try_to("bob", call::Enter { room, access }), Ok(()));
}

#[test]
fn a_room_goes_to_another_member() {
    let (mut core, room) = moderated();
    assert_eq!(core.try_to("mod", transfer(room, "mod")), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("own", transfer(room, "gus")), Err(Refusal::NotForGuests));
    assert_eq!(core.try_to("own", transfer(room, "adm")), Err(Refusal::PersonNotFound));
    assert_eq!(core.try_to("adm", transfer(LOBBY, "bob")), Err(Refusal::Forbidden));
    core.try_to("mod", mute(Some(room), "bob", None)).expect("muted");
    // What the old owner asks for behind that entry waits for it, and is refused.
    core.ask_late("own", transfer(room, "bob"));
    let remove = call::RemoveRoom { room: RoomRef::Id(room), access: Access::Member };
    let late = [core.ask_late("own", remove), core.ask_late("own", rules(room, locked(true)))];
    core.settle();
    for late in late {
        assert_eq!(core.answer(late), Some(Err(Refusal::Forbidden)));
    }
    assert_eq!(role_of(&mut core, room, "bob"), Some(RoomRole::Owner));
    assert_eq!(role_of(&mut core, room, "own"), None);
    assert_eq!(core.try_to("bob", send(room, "an owner is never muted")), Ok(()));
    assert_eq!(core.try_to("adm", transfer(room, "own")), Ok(()), "administrators may, too");
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    assert_eq!(role_of(&mut core, room, "own"), Some(RoomRole::Owner));
}

#[test]
fn all_messages_of_a_person_are_deleted_in_slices() {
    let (mut core, room) = moderated();
    let clear =
        |room, name: &str| call::Clear { room, name: name.into(), secs: 3_600, reason: None };
    let erase = |room, name: &str, targets: &[(RoomId, Seq)]| {
        let (name, targets) = (name.into(), targets.to_vec());
        call::Erase { room, name, targets }
    };
    let mut targets = Vec::new();
    for number in 0..3 {
        core.try_to("bob", send(room, &format!("rude {number}"))).expect("said");
        targets.push((room, Seq(core.seq)));
    }
    for (caller, place, name) in [
        ("cat", Some(room), "bob"),
        ("mod", None, "bob"),
        ("mod", Some(room), "own"),
        ("adm", None, "boss"),
    ] {
        assert_eq!(core.try_to(caller, clear(place, name)), Err(Refusal::Forbidden), "{caller}");
        let refused = core.try_to(caller, erase(place, name, &targets));
        assert_eq!(refused, Err(Refusal::Forbidden), "{caller}");
    }
    match core.ask("mod", clear(Some(room), "Bob")) {
        Ok(Answer::Clearing(Clearing { author, since, before })) => {
            assert_eq!((author.name.as_str(), before), ("bob", Seq(core.seq)));
            assert_eq!(since.plus_secs(3_600), core.now);
        }
        other => panic!("{other:?}"),
    }
    core.ask_late("mod", erase(Some(room), "bob", &targets));
    let heard = core.settle();
    let deleted = heard.iter().filter(|one| one.starts_with("mod deleted ")).count();
    assert_eq!(deleted, 3, "{heard:?}");
    // Only there.
    core.try_to("bob", send(LOBBY, "hello")).expect("said");
    let elsewhere = [(LOBBY, Seq(core.seq))];
    let refused = core.try_to("mod", erase(Some(room), "bob", &elsewhere));
    assert_eq!(refused, Err(Refusal::MessageNotFound));
    assert_eq!(core.try_to("adm", erase(None, "bob", &elsewhere)), Ok(()));
}

#[test]
fn a_room_has_so_many_moderators_mutes_and_bans() {
    let (mut core, room) = moderated();
    core.checks = false;
    let most = BANS_PER_ROOM_MAX.max(MUTES_PER_ROOM_MAX).max(MODERATORS_MAX);
    for number in 0..=most {
        let name = format!("p{number}");
        core.register(&name).expect("an account");
        if number <= MODERATORS_MAX {
            core.login(&name).expect("a login");
            core.try_to(&name, enters(room)).expect("a member");
        }
    }
    let full = Err(Refusal::QuotaReached);
    let fill = |core: &mut Core, max: usize, make: &dyn Fn(&str) -> Call| {
        for number in 0..=max {
            let done = core.try_to("own", make(&format!("p{number}")));
            assert_eq!(done, if number < max { Ok(()) } else { full }, "{number}");
        }
    };
    // (mod is one already.)
    fill(&mut core, MODERATORS_MAX - 1, &|name| moderator(room, name, true));
    core.try_to("own", moderator(room, "p0", false)).expect("one less");
    core.try_to("own", moderator(room, "p49", true)).expect("there is room again");
    for number in 0..=MODERATORS_MAX {
        core.try_to("own", moderator(room, &format!("p{number}"), false)).expect("no moderator");
    }
    fill(&mut core, MUTES_PER_ROOM_MAX, &|name| mute(Some(room), name, Some(60)));
    assert_eq!(core.try_to("own", mute(Some(room), "p0", None)), Ok(()), "again");
    core.passes(60);
    assert_eq!(core.try_to("own", mute(Some(room), "p500", None)), Ok(()), "others are over");
    fill(&mut core, BANS_PER_ROOM_MAX, &|name| ban(room, name, true));
    let found = core.chat.snapshot().rooms.into_iter().find(|one| one.id == room);
    let found = found.and_then(|room| room.moderation).expect("it has some");
    assert_eq!((found.muted.len(), found.banned.len()), (2, BANS_PER_ROOM_MAX));
}

#[test]
fn so_many_accounts_are_muted_everywhere() {
    let (mut core, _) = core();
    core.checks = false;
    for number in 0..=MUTED_ACCOUNTS_MAX {
        let name = format!("p{number}");
        core.register(&name).expect("an account");
        let done = core.try_to("adm", mute(None, &name, Some(60)));
        let expected = if number < MUTED_ACCOUNTS_MAX { Ok(()) } else { Err(Refusal::Full) };
        assert_eq!(done, expected, "{number}");
    }
}
