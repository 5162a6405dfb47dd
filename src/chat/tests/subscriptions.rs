//! Subscriptions, their events, and the order in which everybody hears them.

use super::*;

#[test]
fn a_subscription_joins_sends_and_parts() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.subscribe(2, "").expect("a subscription");
    assert_eq!(core.present(LOBBY), [""; 0], "a subscription alone is not present");
    assert_eq!(core.part(1), ["to 1: no, NotPresent"]);
    assert_eq!(core.join(1, "ANN"), ["ann joined by 1", "to 1: Noted"]);
    assert_eq!(core.join(1, ""), ["to 1: no, NameInUse"], "it is present already");
    assert_eq!(core.part(2), ["to 2: no, NameMissing"]);
    assert!(core.say(2, "Guest", "hi").is_empty(), "nothing is announced before it is in the log");
    assert_eq!(core.commit(), ["Guest said hi as 4 by 2", "to 2: Said(4)"]);
    assert_eq!(core.present(LOBBY), ["ann", "Guest"], "a message makes its author present");
    assert_eq!(core.part(1), ["ann left by 1", "to 1: Noted"]);
    assert_eq!(core.leave(1), ["1 hears no more"], "a part is announced once");
    assert_eq!(core.leave(2), ["2 hears no more", "Guest left"]);
    assert!(core.leave(2).is_empty());
}

#[test]
fn a_subscription_has_one_name_and_a_name_one_person() {
    let mut core = Core::with(&["ann"]);
    for subscription in 1..=3 {
        core.subscribe(subscription, "").expect("a subscription");
    }
    core.subscribe(4, "ann").expect("a subscription");
    assert_eq!(core.say(1, "Ann", "x"), ["to 1: no, NameInUse"], "the name is registered");
    assert_eq!(core.join(1, "gus"), ["gus joined by 1", "to 1: Noted"]);
    assert_eq!(core.join(2, "GUS"), ["to 2: no, NameInUse"], "another guest's");
    assert_eq!(core.say(1, "other", "x"), ["to 1: no, OtherName"]);
    assert_eq!(core.say(4, "gus", "x"), ["to 4: no, OtherName"]);
    assert_eq!(core.say(3, "", "x"), ["to 3: no, NameMissing"]);
    core.leave(1);
    assert_eq!(core.join(2, "GUS"), ["GUS joined by 2", "to 2: Noted"], "the name is free again");
    assert!(core.proposals.is_empty(), "no refused message is proposed");
}

#[test]
fn a_name_is_taken_in_its_room_only() {
    let mut core = Core::new();
    let den = core.room("", room_settings("den", Visibility::Public, None));
    core.subscribe(1, "").expect("a subscription");
    core.try_to("", subscribe(2, den)).expect("a subscription");
    core.join(1, "gus");
    assert_eq!(core.join(2, "gus"), ["gus joined by 2", "to 2: Noted"]);
}

#[test]
fn several_subscriptions_of_an_account_are_one_person() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.subscribe(2, "ann").expect("another, in another window");
    assert_eq!(core.join(1, ""), ["ann joined by 1", "to 1: Noted"]);
    let told = core.join(2, "");
    assert!(
        matches!(&told[..], [one] if one.starts_with("to 2: Known(") && one.contains("Joined")),
        "she is here already, and only this tab is told: {told:?}"
    );
    assert_eq!(core.leave(1), ["1 hears no more"], "ann is still present");
    assert_eq!(core.leave(2), ["2 hears no more", "ann left"]);
}

#[test]
fn entering_makes_present_at_once_and_works_once_through_each_protocol() {
    let mut core = Core::with(&["ann"]);
    let ask = CallId(100);
    let entered = core.give(Command::Call {
        id: ask,
        source: Source::Local,
        caller: caller("ann"),
        call: enter(1, FRONT),
    });
    assert_eq!(entered, ["1 hears room 1", "ann joined by 1"]);
    assert_eq!(core.try_to("ann", enter(2, FRONT)), Err(Refusal::AlreadySubscribed));
    assert_eq!(core.try_to("ann", enter(3, BACK)), Ok(()));
    core.leave(1);
    assert_eq!(core.try_to("ann", enter(4, FRONT)), Ok(()));
    assert_eq!(core.present(LOBBY), ["ann"]);
}

#[test]
fn a_claim_is_good_for_a_guest_until_the_name_is_registered() {
    let mut core = Core::new();
    let before = core.now;
    assert_eq!(core.try_to("", subscribe_as(1, "Ann", before)), Ok(()));
    assert_eq!(core.say(1, "gus", "x"), ["to 1: no, OtherName"]);
    let another = Time(before.0 - 1_000_000);
    assert_eq!(core.try_to("", subscribe_as(2, "ann", another)), Err(Refusal::NameInUse));
    core.leave(1);
    core.passes(1);
    core.register("ann").expect("an account");
    core.login("ann").expect("a session");
    let registered = core.now;
    core.passes(1);
    // (granted, caller, outcome)
    let cases = [
        (before, "", Err(Refusal::NameInUse)),
        (registered, "", Err(Refusal::NameInUse)),
        (core.now, "", Ok(())),
        (before, "ann", Ok(())),
    ];
    for (subscription, (granted, who, expected)) in (10..).zip(cases) {
        assert_eq!(
            core.try_to(who, subscribe_as(subscription, "ann", granted)),
            expected,
            "{granted} {who:?}"
        );
    }
    assert_eq!(core.join(12, ""), ["ann joined by 12", "to 12: Noted"], "ann herself");
}

#[test]
fn a_password_state_is_shown_only_if_the_caller_can_have_the_name() {
    let mut core = Core::with(&["ann", "bob"]);
    core.subscribe(1, "").expect("a subscription");
    core.join(1, "gus");
    core.ask_late("", call::Register { name: "new".into(), key: key("new"), invitation: None });
    let (good, bad) = (Ok(()), Err(Refusal::NameInUse));
    let cases = [
        ("", "ann", bad),
        ("bob", "Ann", bad),
        ("ann", "Ann", good),
        ("ann", "gus", bad),
        ("", "new", bad),
        ("", "free", good),
    ];
    for (who, wanted, expected) in cases {
        let ask = call::PasswordState {
            room: RoomRef::Id(LOBBY),
            name: Some(name(wanted)),
            access: Access::Open,
        };
        let ask = core.ask_late(who, ask);
        let answer = core.answer(ask).expect("at once").map(|_| ());
        assert_eq!(answer, expected, "{wanted} for {who:?}");
    }
}

#[test]
fn a_grant_is_as_old_as_the_password_state() {
    let mut core = Core::new();
    let ask = call::PasswordState {
        room: RoomRef::Id(LOBBY),
        name: Some(name("ann")),
        access: Access::Open,
    };
    let Ok(Answer::PasswordState(state)) = core.ask("", ask) else { panic!("no password state") };
    core.passes(1); // During the password check ann registers.
    core.register("ann").expect("an account");
    core.passes(1);
    let posing = core.try_to("", subscribe_as(1, "ann", state.granted));
    assert_eq!(posing, Err(Refusal::NameInUse));
}

#[test]
fn a_grant_in_the_second_of_a_registration_is_younger_than_the_account() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("zoe")).expect("a guest");
    let room = RoomRef::Id(LOBBY);
    let password_state = |who: &str| {
        Call::from(call::PasswordState {
            room: room.clone(),
            name: Some(name(who)),
            access: Access::Open,
        })
    };
    let granted = |core: &mut Core, who: &str, call: Call| match core.ask(who, call) {
        Ok(Answer::PasswordState(state)) => state.granted,
        other => panic!("{other:?} is no password state"),
    };
    let (now, later) = (core.now, core.now.plus_secs(1));
    assert_eq!(granted(&mut core, "ann", password_state("Ann")), later);
    assert_eq!(
        granted(&mut core, "zoe", password_state("zoe")),
        now,
        "another person may register her name"
    );
    assert_eq!(granted(&mut core, "", password_state("free")), now);
    assert_eq!(granted(&mut core, "ann", password_state("free")), now);
    let renew = |who: &str, granted| {
        let claim = NameClaim { name: name(who), granted, first: granted };
        Call::from(call::Renew { room: room.clone(), claim, access: Access::Open })
    };
    assert_eq!(core.try_to("", renew("ann", now)), Err(Refusal::NameInUse));
    assert_eq!(granted(&mut core, "", renew("ann", later)), later);
    assert_eq!(granted(&mut core, "", renew("free", now)), now);
    // Without a session, in the same second: the account itself.
    assert_eq!(core.try_to("", subscribe_as(1, "ann", later)), Ok(()));
    assert_eq!(core.join(1, ""), ["ann joined by 1", "to 1: Noted"]);
}

#[test]
fn replies_come_in_the_order_of_the_tells() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.say(1, "", "one");
    assert!(core.tell(1, ClientEvent::garbled(Refusal::MessageTooLong)).is_empty(), "not yet");
    assert!(core.join(1, "other").is_empty(), "not yet");
    core.say(1, "", "two");
    let one = ["ann said one as 4 by 1", "to 1: Said(4)"];
    let refused = ["to 1: no, MessageTooLong", "to 1: no, OtherName"];
    assert_eq!(core.commit(), [&one[..], &refused[..]].concat());
    assert_eq!(core.fail(), ["to 1: no, Unavailable"]);
}

#[test]
fn no_part_or_join_overtakes_a_pending_message() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.say(1, "", "last words");
    core.leave(1);
    let ask = core.ask_late("ann", enter(2, FRONT));
    assert_eq!(core.answer(ask), Some(Ok(Answer::Done(()))), "an answer need not wait");
    core.say(2, "", "again");
    let expected = [
        "ann said last words as 4 by 1",
        "to 1: Said(4)",
        "1 hears no more",
        "ann left",
        "2 hears room 1",
        "ann joined by 2",
    ];
    assert_eq!(core.commit(), expected);
    assert_eq!(core.commit(), ["ann said again as 5 by 2", "to 2: Said(5)"]);
}

#[test]
fn a_pending_message_of_a_closed_connection_is_announced() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.say(1, "", "bye");
    assert!(core.leave(1).is_empty(), "in order");
    let expected = ["ann said bye as 4 by 1", "to 1: Said(4)", "1 hears no more", "ann left"];
    assert_eq!(core.commit(), expected);
}

#[test]
fn a_lost_message_still_makes_its_author_present() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.say(1, "", "hello");
    core.say(1, "", "hello?");
    assert_eq!(core.fail(), ["ann joined by 1", "to 1: no, Unavailable"]);
    assert_eq!(core.fail(), ["to 1: no, Unavailable"], "only once");
    assert_eq!(core.leave(1), ["1 hears no more", "ann left"]);
}

#[test]
fn a_color_stays_until_another_is_given() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    let join = |color| ClientEvent::Room(RoomEvent::Join { name: None, color: Color::new(color) });
    assert_eq!(core.tell(1, join("red"))[0], "ann joined in red by 1");
    core.say(1, "", "x");
    assert_eq!(core.commit()[0], "ann said x as 4 in red by 1");
    let text = "y".into();
    core.tell(1, ClientEvent::Room(RoomEvent::Say { name: None, color: Color::new("blue"), text }));
    assert_eq!(core.commit()[0], "ann said y as 5 in blue by 1");
    assert_eq!(core.part(1)[0], "ann left in blue by 1");
}

#[test]
fn a_shutdown_acknowledges_first_and_then_closes() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.subscribe(2, "").expect("a subscription");
    core.say(1, "", "last");
    let room = core.ask_late(
        "",
        call::MakeRoom { settings: room_settings("den", Visibility::Public, None), chance: 1 },
    );
    assert!(core.give(Command::Close).is_empty(), "in order");
    for call in [
        subscribe(3, LOBBY),
        call::Register { name: "new".into(), key: key("new"), invitation: None }.into(),
    ] {
        let ask = core.ask_late("", call);
        assert_eq!(core.answer(ask), Some(Err(Refusal::Unavailable)));
    }
    let expected = ["ann said last as 4 by 1", "to 1: Said(4)"];
    assert_eq!(core.commit(), expected);
    assert_eq!(core.commit(), ["1 is closed: ShuttingDown", "2 is closed: ShuttingDown"]);
    assert!(core.answer(room).is_some_and(|answer| answer.is_ok()));
    assert!(core.chat.is_settled());
}

#[test]
fn a_shutdown_answers_calls_that_wait_for_a_change() {
    let mut core = Core::new();
    let room = core.room("", room_settings("den", Visibility::Public, None));
    let remove = || call::RemoveRoom { room: RoomRef::Id(room), access: Access::Open };
    let first = core.ask_late("", remove());
    let second = core.ask_late("", remove());
    core.give(Command::Close);
    assert_eq!(core.answer(second), Some(Err(Refusal::Unavailable)));
    let third = core.ask_late("", remove());
    core.commit();
    assert_eq!(core.answer(first), Some(Ok(Answer::Done(()))));
    assert_eq!(core.answer(third), Some(Err(Refusal::RoomNotFound)));
}
