//! Bans of accounts and addresses, and what else administrators do.

use std::net::IpAddr;

use super::*;

fn ban(name: &str, on: bool, address_secs: Option<u64>) -> Call {
    call::Ban { name: name.into(), on, address_secs, reason: Reason::new("spam") }.into()
}

fn ban_address(address: &str, secs: Option<u64>) -> Call {
    let address = address.parse().expect("an address");
    call::BanAddress { address, secs, reason: None }.into()
}

fn from(address: &str) -> Source {
    Source::of(address.parse::<IpAddr>().expect("an address"))
}

/// A core with an owner, an administrator, and others.
fn core() -> Core {
    let mut core = Core::with(&["own", "ann", "bob", "cat"]);
    core.operate(role("own", Some(Role::Owner))).expect("an owner");
    core.operate(role("ann", Some(Role::Administrator))).expect("an administrator");
    core
}

#[test]
fn a_banned_account_is_out_at_every_door_until_the_ban_is_lifted() {
    let mut core = core();
    core.ask("bob", enter(1, FRONT)).expect("a subscription");
    let stream =
        call::OpenStream { subscription: SubscriptionId(65_536), protocol: BACK, only: None };
    core.ask("bob", stream).expect("a stream");
    core.subscribe(3, "cat").expect("a subscription");
    for caller in ["", "bob", "cat"] {
        let expected =
            if caller.is_empty() { Refusal::Unauthenticated } else { Refusal::Forbidden };
        assert_eq!(core.try_to(caller, ban("cat", true, None)), Err(expected), "{caller}");
    }
    for colleague in ["own", "ann"] {
        assert_eq!(core.try_to("ann", ban(colleague, true, None)), Err(Refusal::Forbidden));
    }
    assert_eq!(core.try_to("ann", ban("zoe", true, None)), Err(Refusal::PersonNotFound));
    // What is said behind the ban, bob does not hear; what he says himself gets no reply.
    core.ask_late("ann", ban("Bob", true, None));
    core.say(3, "cat", "he is gone");
    let noticed = core.commit();
    assert!(noticed.contains(&"65536 is about to end".to_owned()), "{noticed:?}");
    assert!(noticed.contains(&"1 is closed: Banned".to_owned()), "{noticed:?}");
    let said = core.settle();
    assert!(said[0].starts_with("cat said he is gone"), "{said:?}");
    assert!(said.contains(&"65536 is dismissed: Banned".to_owned()), "{said:?}");
    let banned = Err(Refusal::Banned);
    assert_eq!(core.login("bob").map(|_| ()), banned);
    assert_eq!(core.try_to("bob!", call::Me), banned);
    assert_eq!(core.try_to("bob", call::Me), Err(Refusal::Unauthenticated), "no session is left");
    // Nor with a token that names him.
    let later = core.now.plus_secs(1);
    assert_eq!(core.try_to("", subscribe_as(9, "bob", later)), banned);
    assert_eq!(core.operate(role("bob", Some(Role::Administrator))), banned);
    assert_eq!(core.try_to("ann", ban("bob", true, None)), Ok(()), "it is so already");
    match core.ask("ann", call::Banned { after: AccountId(0) }) {
        Ok(Answer::Blocked(page)) => {
            assert_eq!(page.items.len(), 1);
            assert!(page.items[0].banned && page.items[0].name.as_str() == "bob");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(core.try_to("cat", call::Banned { after: AccountId(0) }), Err(Refusal::Forbidden));
    // It outlasts a restart.
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    assert_eq!(core.login("bob").map(|_| ()), banned);
    assert_eq!(core.try_to("ann!", ban("bob", false, None)), Ok(()));
    assert!(core.login("bob").is_ok());
    assert!(core.subscribe(10, "bob").is_ok());
}

#[test]
fn a_login_that_is_on_its_way_when_the_ban_comes_begins_no_session() {
    let mut core = core();
    core.ask_late("ann", ban("bob", true, None));
    let login = core.ask_late("", login("bob", "late"));
    core.settle();
    assert_eq!(core.answer(login), Some(Err(Refusal::Banned)));
    assert_eq!(core.try_to("late", call::Me), Err(Refusal::Unauthenticated));
}

/// Each cut connection is shut before the log goes on, however few steps a command may take.
#[test]
fn many_connections_of_a_banned_account_hear_nothing_more() {
    let mut core = core();
    core.chat.steps_max = 1;
    for subscription in 1..=5 {
        core.subscribe(subscription, "bob").expect("a subscription");
    }
    core.ask_late("ann", ban("bob", true, None));
    let mut noticed = core.commit();
    assert!(core.chat.is_behind(), "the log must wait");
    while core.chat.is_behind() {
        noticed.extend(core.give(Command::Continue));
    }
    let closed = noticed.iter().filter(|one| one.ends_with("is closed: Banned")).count();
    assert_eq!(closed, 5, "{noticed:?}");
}

/// A subscription that has not begun yet, because others' words wait for the log.
#[test]
fn what_has_not_begun_ends_at_once() {
    let mut core = core();
    core.subscribe(1, "cat").expect("a subscription");
    core.ask_late("ann", ban("bob", true, None));
    core.say(1, "cat", "behind the ban");
    core.ask_late("bob", subscribe(2, LOBBY));
    let noticed = core.commit();
    assert_eq!(noticed, ["2 hears room 1", "2 is closed: Banned"]);
    assert!(core.settle().iter().all(|one| !one.contains(" 2 ") && !one.starts_with("2 ")));
}

#[test]
fn a_banned_guest_is_gone_and_an_anonymous_person_needs_a_banned_address() {
    let mut core = core();
    core.source = from("203.0.113.7");
    core.ask("", be_guest("gus")).expect("a guest");
    core.subscribe(1, "").expect("a subscription");
    core.join(1, "jack");
    core.source = Source::Local;
    core.subscribe(2, "").expect("a subscription");
    core.join(2, "joe");
    let by_address = Err(Refusal::Malformed(Field::Called("address_minutes")));
    assert_eq!(core.try_to("ann", ban("jack", true, None)), by_address);
    assert_eq!(core.try_to("ann", ban("joe", true, Some(60))), by_address, "this machine");
    assert_eq!(core.try_to("ann", ban("gus", true, None)), Ok(()));
    assert_eq!(core.chat.snapshot().accounts.len(), 4, "the guest is gone");
    core.ask_late("ann", ban("jack", true, Some(60)));
    assert_eq!(core.settle()[0], "1 is closed: Banned");
    assert_eq!(core.present(LOBBY), ["joe"]);
    core.source = from("203.0.113.7");
    assert_eq!(core.try_to("", be_guest("gil")), Err(Refusal::Banned));
    core.passes(60);
    assert_eq!(core.try_to("", be_guest("gil")), Ok(()), "for a time");
}

#[test]
fn nobody_comes_from_a_banned_address_but_people_in_charge() {
    let mut core = core();
    let everything: [(&str, Call); 4] = [
        ("", be_guest("gil")),
        ("cat", call::Me.into()),
        ("", call::Rooms { mine: false, after: RoomId(0) }.into()),
        ("", login("cat", "again")),
    ];
    core.source = from("2001:db8:1:2:3::4");
    core.subscribe(1, "cat").expect("a subscription");
    core.subscribe(2, "own").expect("a subscription");
    core.ask_late("ann", ban_address("2001:db8:1:2::99", Some(3_600)));
    assert_eq!(core.settle(), ["1 is closed: Banned"], "and an owner stays");
    for (caller, call) in everything.clone() {
        assert_eq!(core.try_to(caller, call), Err(Refusal::Banned), "{caller}");
    }
    assert_eq!(core.try_to("ann", call::Me), Ok(()));
    match core.ask("ann", call::BannedAddresses) {
        Ok(Answer::Addresses(all)) => {
            assert_eq!(all[0].address.to_string(), "2001:db8:1:2::");
            assert_eq!(all[0].until, core.now.plus_secs(3_600));
        }
        other => panic!("{other:?}"),
    }
    core.source = from("2001:db8:1:3::4");
    assert_eq!(core.try_to("cat", call::Me), Ok(()), "another network");
    assert_eq!(core.try_to("cat", call::BannedAddresses), Err(Refusal::Forbidden));
    core.try_to("ann", ban_address("2001:db8:1:2::", None)).expect("it is lifted");
    core.source = from("2001:db8:1:2:3::4");
    for (caller, call) in everything {
        assert_eq!(core.try_to(caller, call), Ok(()), "{caller}");
    }
    let own = Err(Refusal::Malformed(Field::Called("address")));
    assert_eq!(core.try_to("ann", ban_address("127.0.0.1", Some(60))), own);
    assert_eq!(core.chat.snapshot().banned, []);
}

#[test]
fn so_many_addresses_are_banned() {
    let mut core = core();
    core.checks = false;
    let address = |index: usize| format!("198.{}.{}.1", 18 + index / 256, index % 256);
    for index in 0..crate::limits::in_charge::BANNED_ADDRESSES_MAX {
        core.try_to("ann", ban_address(&address(index), Some(60))).expect("there is room");
    }
    let more = |core: &mut Core| core.try_to("ann", ban_address("9.9.9.9", Some(60)));
    assert_eq!(more(&mut core), Err(Refusal::Full));
    assert_eq!(core.try_to("ann", ban_address(&address(0), Some(600))), Ok(()), "again");
    core.passes(61);
    assert_eq!(more(&mut core), Ok(()));
    assert_eq!(core.chat.snapshot().banned.len(), 2, "those that are over are forgotten");
}

#[test]
fn administrators_remove_rooms_of_others_for_good() {
    let mut core = core();
    let den = core.room("bob", room_settings("Den", Visibility::Hidden, Some("hash")));
    let own = core.room("ann", room_settings("Mine", Visibility::Public, None));
    let Ok(Answer::Direct(DirectRoom { room: two, .. })) =
        core.ask("bob", call::Direct { name: "cat".into(), chance: 5 })
    else {
        panic!("no room for two")
    };
    let demolish = |room| call::Demolish { room, reason: Reason::new("spam") };
    assert_eq!(core.try_to("cat", demolish(den)), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("ann", demolish(LOBBY)), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("ann", demolish(own)), Err(Refusal::Forbidden), "it is her own");
    assert_eq!(core.try_to("ann", demolish(two.id)), Err(Refusal::RoomNotFound));
    core.try_to("bob", subscribe_with(1, den, token(den, 0))).expect("a subscription");
    core.ask_late("ann", demolish(den));
    let late = core.ask_late("ann", demolish(den));
    assert!(core.settle().contains(&"1 is closed: RoomGone".to_owned()));
    assert_eq!(core.answer(late), Some(Err(Refusal::RoomNotFound)));
    let restore = call::RestoreRoom { room: den, title: None };
    assert_eq!(core.try_to("bob", restore), Err(Refusal::RoomNotFound), "it is for good");
    // The ordinary way works, too, for rooms of others and for the own ones.
    for (owner, title, restored) in
        [("bob", "Bar", Err(Refusal::RoomNotFound)), ("ann", "Pub", Ok(()))]
    {
        let room = core.room(owner, room_settings(title, Visibility::Public, None));
        let remove = call::RemoveRoom { room: RoomRef::Id(room), access: Access::Member };
        assert_eq!(core.try_to("cat", remove.clone()), Err(Refusal::Forbidden));
        assert_eq!(core.try_to("ann", remove), Ok(()));
        assert_eq!(core.try_to(owner, call::RestoreRoom { room, title: None }), restored);
    }
}

#[test]
fn administrators_delete_messages_where_they_are_no_members() {
    let mut core = core();
    let den = core.room("bob", room_settings("Den", Visibility::Private, Some("hash")));
    let send = |room| {
        let (text, client_id, reply_to) = ("words".into(), None, None);
        call::Act(Action::Send { room, text, client_id, reply_to })
    };
    core.ask("bob", send(den)).expect("a message");
    let target = Seq(core.seq);
    let suppress = call::Suppress { room: den, target, reason: Reason::new("spam") };
    assert_eq!(core.try_to("cat", suppress.clone()), Err(Refusal::Forbidden));
    core.ask_late("ann", suppress);
    match &core.proposals[0].2 {
        Entry::Deed { by, reason, act } => {
            let ann = core.chat.snapshot().accounts[1].id;
            assert_eq!((by, reason), (&Some(ann), &Reason::new("spam")));
            assert!(matches!(**act, Entry::Deleted { as_owner: true, .. }));
        }
        other => panic!("{other:?}"),
    }
    assert!(core.settle()[0].starts_with(&format!("ann deleted {target}")));
    // And by the ordinary request.
    core.ask_late("ann", call::Act(Action::Delete { room: den, target }));
    assert!(matches!(core.proposals[0].2, Entry::Deed { .. }));
    core.settle();
    // In a room for two nobody but the two does anything.
    let Ok(Answer::Direct(DirectRoom { room: two, .. })) =
        core.ask("bob", call::Direct { name: "cat".into(), chance: 5 })
    else {
        panic!("no room for two")
    };
    core.ask("bob", send(two.id)).expect("a message");
    let target = Seq(core.seq);
    let there = call::Suppress { room: two.id, target, reason: None };
    assert_eq!(core.try_to("ann", there), Err(Refusal::RoomNotFound));
    let there = call::Act(Action::Delete { room: two.id, target });
    assert_eq!(core.try_to("ann", there), Err(Refusal::RoomNotFound));
}

#[test]
fn administrators_change_the_lobby_and_the_rooms_that_they_see() {
    let mut core = core();
    let change = |change| {
        let (room, access) = (RoomRef::Id(LOBBY), Access::Member);
        call::ChangeRoom { room, access, change, chance: 1 }
    };
    let title = |text| RoomChange { title: Title::new(text), ..RoomChange::default() };
    assert_eq!(core.try_to("bob", change(title("Deck"))), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("own", change(title("Hold"))), Ok(()));
    let seq = core.seq + 1;
    let ask = core.ask_late("ann", change(title("Deck")));
    assert!(matches!(core.proposals[0].2, Entry::Deed { .. }));
    core.settle();
    match core.answer(ask) {
        Some(Ok(Answer::Room(room))) => assert_eq!(room.title.as_str(), "Deck"),
        other => panic!("{other:?} as {seq}"),
    }
    let visibility = Some(Visibility::Private);
    let closed = RoomChange { visibility, password: Some("hash".into()), ..title("Deck") };
    assert_eq!(core.try_to("own", change(closed)), Err(Refusal::Forbidden));
    let remove = call::RemoveRoom { room: RoomRef::Id(LOBBY), access: Access::Member };
    assert_eq!(core.try_to("own", remove), Err(Refusal::Forbidden));
    // Rooms of others: their titles; not who can enter, where that would let her read them.
    let hash = || Some("hash");
    let private = core.room("bob", room_settings("Cabin", Visibility::Private, hash()));
    let hidden = core.room("bob", room_settings("Bilge", Visibility::Hidden, hash()));
    let public = core.room("bob", room_settings("Galley", Visibility::Public, None));
    let change = |room, change| {
        let (room, access) = (RoomRef::Id(room), Access::Member);
        call::ChangeRoom { room, access, change, chance: 1 }
    };
    let opened = || RoomChange { visibility: Some(Visibility::Public), ..RoomChange::default() };
    let rekeyed = || RoomChange { password: Some("hash".into()), ..RoomChange::default() };
    assert_eq!(core.try_to("cat", change(private, title("Hut"))), Err(Refusal::Forbidden));
    for refused in [opened(), rekeyed()] {
        assert_eq!(core.try_to("ann", change(private, refused)), Err(Refusal::Forbidden));
    }
    assert_eq!(core.try_to("ann", change(hidden, title("Hut"))), Err(Refusal::RoomNotFound));
    for (room, change_to) in [(private, title("Hut")), (public, title("Mess"))] {
        core.ask_late("ann", change(room, change_to));
        assert!(matches!(core.proposals[0].2, Entry::Deed { .. }), "it is in the audit");
        core.settle();
    }
    let closed = RoomChange { visibility, password: Some("hash".into()), ..RoomChange::default() };
    assert_eq!(core.try_to("ann", change(public, closed)), Ok(()));
    let removed = |room| call::RemoveRoom { room: RoomRef::Id(room), access: Access::Member };
    core.ask_late("ann", removed(private));
    let gone = matches!(&core.proposals[0].2, Entry::Deed { act, .. }
        if matches!(**act, Entry::RoomGone { recoverable: false, .. }));
    assert!(gone, "for good, and in the audit");
    core.settle();
}
