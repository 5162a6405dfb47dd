//! Who may come in: registration and guests, at every door.

use super::*;

fn policy(registration: Registration, guests: Guests) -> Call {
    let (registration, guests) = (Some(registration), Some(guests));
    call::ChangePolicy { registration, guests, reason: None }.into()
}

/// A core with a registered ann, who is an administrator, and a guest.
fn core() -> Core {
    let mut core = Core::with(&["ann", "bob"]);
    core.operate(role("ann", Some(Role::Administrator))).expect("an administrator");
    core.ask("", be_guest("gus")).expect("a guest");
    core
}

fn room_of(title: &str) -> Call {
    let settings = room_settings(title, Visibility::Public, None);
    call::MakeRoom { settings, chance: 1 }.into()
}

#[test]
fn people_in_charge_say_who_registers() {
    let mut core = core();
    let to = |registration| policy(registration, Guests::On);
    assert_eq!(core.try_to("bob", to(Registration::Closed)), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("ann", to(Registration::Closed)), Ok(()));
    for caller in ["", "bob", "ann"] {
        let register = call::Register { name: "zoe".into(), key: key("zoe"), invitation: None };
        assert_eq!(core.try_to(caller, register), Err(Refusal::RegistrationClosed), "{caller}");
    }
    assert_eq!(core.try_to("ann", to(Registration::Invite)), Ok(()));
    for (caller, expected) in [
        ("", Err(Refusal::RegistrationClosed)),
        ("bob", Err(Refusal::RegistrationClosed)),
        ("ann", Ok(())),
    ] {
        let register = call::Register { name: "zoe".into(), key: key("zoe"), invitation: None };
        assert_eq!(core.try_to(caller, register), expected, "{caller}");
    }
    assert!(core.login("zoe").is_ok(), "the account is another's than the administrator's");
    let policy = core.chat.snapshot().policy;
    assert_eq!(policy.registration, Registration::Invite);
    let seq = core.seq;
    assert_eq!(core.try_to("ann", to(Registration::Invite)), Ok(()));
    assert_eq!(core.seq, seq, "what is so already is no entry");
}

#[test]
fn guests_who_may_only_talk_make_no_rooms() {
    let mut core = core();
    core.try_to("ann", policy(Registration::Open, Guests::Rooms)).expect("it changes");
    for caller in ["", "gus"] {
        let made = core.try_to(caller, room_of("Den"));
        assert_eq!(made, Err(Refusal::NotForGuests), "{caller}");
    }
    assert_eq!(core.try_to("bob", room_of("Den")), Ok(()));
    assert_eq!(core.try_to("", be_guest("gil")), Ok(()));
    assert_eq!(core.subscribe(1, ""), Ok(()));
    core.join(1, "jack");
    core.say(1, "jack", "hello");
    let seq = core.seq + 1;
    let said = [format!("jack said hello as {seq} by 1"), format!("to 1: Said({seq})")];
    assert_eq!(core.commit(), said);
}

#[test]
fn without_guests_no_door_is_open_to_people_without_an_account() {
    let mut core = core();
    core.try_to("ann", policy(Registration::Open, Guests::Off)).expect("it changes");
    let off = Err(Refusal::GuestsOff);
    let room = || RoomRef::Id(LOBBY);
    for caller in ["", "gus", "gus?"] {
        let access = Access::Open;
        let lock = call::PasswordState { room: room(), name: Some(name("jack")), access };
        let remove = call::RemoveRoom { room: room(), access };
        let calls: [Call; 10] = [
            be_guest("gil"),
            room_of("Den"),
            subscribe(9, LOBBY),
            call::Room { room: room(), access }.into(),
            call::Rooms { mine: false, after: RoomId(0) }.into(),
            call::Present { room: LOBBY, after: 0 }.into(),
            lock.into(),
            remove.into(),
            call::Person { name: "ann".into() }.into(),
            call::Search.into(),
        ];
        for call in calls {
            assert_eq!(core.try_to(caller, call.clone()), off, "{caller} {call:?}");
        }
    }
    // A token that names an account is that account's.
    let claim = subscribe_as(9, "bob", core.now.plus_secs(1));
    assert_eq!(core.try_to("", claim), Ok(()));
    assert_eq!(core.try_to("", subscribe_as(8, "jack", NOON)), off);
    assert_eq!(core.subscribe(7, "bob"), Ok(()));
    assert_eq!(core.try_to("gus", call::Logout), Ok(()), "the way out is open");
    assert_eq!(
        core.try_to("", call::Register { name: "zoe".into(), key: key("zoe"), invitation: None }),
        Ok(())
    );
    assert_eq!(core.try_to("ann", policy(Registration::Open, Guests::On)), Ok(()));
    assert_eq!(core.try_to("", be_guest("gil")), Ok(()));
}

/// Guests hear nothing from the entry on that puts them out, not even what was on its way.
#[test]
fn guests_are_put_out_with_the_entry_even_if_they_are_many() {
    let mut core = core();
    core.chat.steps_max = 1;
    for subscription in [1, 2, 3] {
        core.subscribe(subscription, "").expect("a subscription");
        core.join(subscription, &format!("guest{subscription}"));
    }
    core.subscribe(4, "bob").expect("a subscription");
    core.join(4, "bob");
    core.ask_late("ann", policy(Registration::Open, Guests::Off));
    core.say(1, "guest1", "last words");
    core.say(4, "bob", "unheard by guests");
    let seq = core.seq;
    let mut noticed = core.commit();
    while core.chat.is_behind() {
        noticed.extend(core.give(Command::Continue));
    }
    let out = |one: u64| format!("{one} is closed: GuestsOff");
    assert_eq!(noticed, [out(1), out(2), out(3)]);
    // A guest's words that were on their way are said, but get no reply; then the guests leave.
    let said = core.settle();
    let first = [
        format!("guest1 said last words as {}", seq + 2),
        format!("bob said unheard by guests as {} by 4", seq + 3),
    ];
    assert_eq!(said[..2], first, "{said:?}");
    assert!(said.contains(&"guest1 left".to_owned()), "{said:?}");
    assert!(said.iter().all(|one| !one.starts_with("to 1")), "{said:?}");
    assert_eq!(core.say(2, "guest2", "too late"), Vec::<String>::new());
    assert!(core.proposals.is_empty());
}

#[test]
fn the_command_line_overrides_the_log() {
    let fixed = FixedPolicy { registration: Some(Registration::Closed), guests: None };
    let mut core = core();
    let snapshot = core.chat.snapshot();
    let settings = Settings { fixed, ..Settings::new(TTL_SECS, false) };
    core.chat = Chat::new(settings, snapshot);
    assert_eq!(core.register("zoe"), Err(Refusal::RegistrationClosed));
    let fixed_one = Err(Refusal::Malformed(Field::Called("registration")));
    assert_eq!(core.try_to("ann!", policy(Registration::Open, Guests::On)), fixed_one);
    let guests = call::ChangePolicy { guests: Some(Guests::Off), ..Default::default() };
    match core.ask("ann!", guests) {
        Ok(Answer::Policy(info)) => {
            assert_eq!(info.policy.registration, Registration::Closed);
            assert_eq!((info.policy.guests, info.fixed), (Guests::Off, fixed));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(core.chat.snapshot().policy.registration, Registration::Open, "the log's");
}

/// Two changes of different settings at once: the second sees the first.
#[test]
fn changes_at_once_do_not_undo_each_other() {
    let mut core = core();
    core.operate(role("bob", Some(Role::Administrator))).expect("an administrator");
    let registration =
        call::ChangePolicy { registration: Some(Registration::Closed), ..Default::default() };
    let guests = call::ChangePolicy { guests: Some(Guests::Rooms), ..Default::default() };
    let (one, two) = (core.ask_late("ann", registration), core.ask_late("bob", guests));
    core.settle();
    assert!(core.answer(one).is_some_and(|answer| answer.is_ok()));
    assert!(core.answer(two).is_some_and(|answer| answer.is_ok()));
    let policy = core.chat.snapshot().policy;
    let both = Policy { registration: Registration::Closed, guests: Guests::Rooms };
    assert_eq!(policy, both);
}
