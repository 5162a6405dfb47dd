//! Who may speak, and who may come in: mutes, slow mode, read-only and locked rooms.

use super::moderation::*;
use super::*;

#[test]
fn whoever_is_muted_says_nothing_at_any_door_until_then() {
    let (mut core, room) = moderated();
    core.try_to("cat", send(room, "good morning")).expect("said");
    let greeting = Seq(core.seq);
    core.try_to("bob", send(room, "hello")).expect("said");
    let hello = Seq(core.seq);
    core.try_to("bob", subscribe(1, room)).expect("a door of the seeds");
    let base = SubscriptionId(65_536);
    let stream = call::OpenStream { subscription: base, protocol: BACK, only: None };
    core.ask("bob", stream).expect("a stream");
    core.ask_late("mod", mute(Some(room), "bob", Some(60)));
    let until = core.now.plus_secs(60);
    let heard = core.settle();
    assert!(heard[0].contains("bob is Muted(Some(") && heard.len() == 1, "{heard:?}");
    let edit = call::Act(Action::Edit { room, target: hello, text: "other".into() });
    for call in [send(room, "again"), edit.into(), react(room, greeting)] {
        assert_eq!(core.try_to("bob", call), here(until));
    }
    let said = core.say(1, "bob", "by another door");
    assert_eq!(said, [format!("to 1: no, {:?}", here(until).expect_err("muted"))]);
    let (text, client_id, reply_to) = ("by the stream".into(), None, None);
    let action = Action::Send { room, text, client_id, reply_to };
    let told = core.tell(65_536, ClientEvent::Stream(StreamEvent::Act { action, mark: None }));
    assert!(told[0].starts_with("to 65536: no, Muted"), "{told:?}");
    let typing = core.tell(65_536, ClientEvent::Stream(StreamEvent::Typing { room }));
    assert!(typing.iter().all(|one| !one.contains("types")), "{typing:?}");
    // One's own message may always go; and other rooms are as before.
    assert_eq!(core.try_to("bob", call::Act(Action::Delete { room, target: hello })), Ok(()));
    assert_eq!(core.try_to("bob", send(LOBBY, "elsewhere")), Ok(()));
    // Leaving and coming back is no way around it, nor is a restart.
    core.try_to("bob", call::Exit { room }).expect("gone");
    core.try_to("bob", enters(room)).expect("back");
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    assert_eq!(core.try_to("bob", send(room, "again")), here(until));
    let muted = members(&mut core, room, "cat").into_iter();
    let muted = muted.filter_map(|one| Some((one.author.name.to_string(), one.muted?)));
    assert_eq!(muted.collect::<Vec<_>>(), [("bob".to_owned(), until)]);
    core.passes(60);
    assert_eq!(core.try_to("bob", send(room, "I am back")), Ok(()), "for a time");
    core.try_to("mod", mute(Some(room), "bob", None)).expect("without an end");
    core.passes(TTL_SECS / 2);
    assert_eq!(core.try_to("bob", send(room, "again")), here(UNTIL_LIFTED));
    core.try_to("mod", unmute(Some(room), "bob")).expect("lifted");
    assert_eq!(core.try_to("bob", send(room, "thanks")), Ok(()));
}

#[test]
fn a_guest_takes_mutes_and_bans_along_to_another_name() {
    let (mut core, room) = moderated();
    let other = core.room("own", room_settings("the attic", Visibility::Public, None));
    core.try_to("mod", mute(Some(room), "gus", None)).expect("muted");
    core.try_to("own", ban(other, "gus", true)).expect("banned");
    let nick = |name: &str| call::BeGuest {
        name: name.into(),
        color: None,
        session: key(name),
        remember: false,
        agent: "".into(),
    };
    core.try_to("gus?", nick("gil")).expect("another name");
    core.try_to("gus?", call::GiveUp).expect("given up");
    core.try_to("gil", enters(room)).expect("a member");
    assert_eq!(core.try_to("gil", send(room, "me again")), here(UNTIL_LIFTED));
    assert_eq!(core.try_to("gil", enters(other)), Err(Refusal::BannedHere));
    // The old account is gone, and what concerned it.
    let rooms = core.chat.snapshot().rooms;
    let restrained = rooms.iter().filter_map(|room| room.moderation.as_ref());
    assert_eq!(restrained.map(|one| one.muted.len() + one.banned.len()).sum::<usize>(), 2);
}

#[test]
fn administrators_mute_on_the_whole_server() {
    let (mut core, room) = core();
    for caller in ["own", "bob"] {
        assert_eq!(core.try_to(caller, mute(None, "bob", None)), Err(Refusal::Forbidden));
    }
    for colleague in ["boss", "adm"] {
        assert_eq!(core.try_to("adm", mute(None, colleague, None)), Err(Refusal::Forbidden));
    }
    let own = core.room("bob", room_settings("his own", Visibility::Public, None));
    let two = match core.ask("bob", call::Direct { name: "cat".into(), chance: 99 }) {
        Ok(Answer::Direct(direct)) => direct.room.id,
        other => panic!("{other:?}"),
    };
    core.try_to("adm", mute(None, "bob", Some(60))).expect("muted");
    let until = core.now.plus_secs(60);
    let everywhere = Err(Refusal::Muted { until, everywhere: true });
    for room in [LOBBY, room, own, two] {
        assert_eq!(core.try_to("bob", send(room, "hello")), everywhere);
    }
    let settings = room_settings("a rude title", Visibility::Public, None);
    assert_eq!(core.try_to("bob", call::MakeRoom { settings, chance: 5 }), everywhere);
    match core.ask("adm", call::Muted) {
        Ok(Answer::Muted(all)) => assert_eq!(all, [(name("bob"), until)]),
        other => panic!("{other:?}"),
    }
    assert_eq!(core.try_to("bob", call::Muted), Err(Refusal::Forbidden));
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot());
    assert_eq!(core.try_to("bob", send(room, "hello")), everywhere, "after a restart");
    core.try_to("adm", unmute(None, "bob")).expect("lifted");
    assert_eq!(core.try_to("bob", send(room, "hello")), Ok(()));
    core.try_to("adm", mute(None, "bob", Some(60))).expect("muted");
    core.passes(60);
    assert_eq!(core.try_to("bob", send(room, "hello")), Ok(()), "for a time");
}

#[test]
fn in_slow_mode_each_waits() {
    let (mut core, room) = moderated();
    core.try_to("mod", rules(room, slow(30))).expect("slow");
    core.try_to("bob", subscribe(1, room)).expect("a subscription");
    assert_eq!(core.try_to("bob", send(room, "one")), Ok(()));
    core.passes(10);
    let wait = Refusal::Slow { retry_after_ms: 20_001 };
    assert_eq!(core.try_to("bob", send(room, "two")), Err(wait));
    assert_eq!(core.say(1, "bob", "by another door"), [format!("to 1: no, {wait:?}")]);
    assert_eq!(core.try_to("cat", send(room, "one")), Ok(()), "each by themselves");
    for free in ["own", "mod", "own", "mod"] {
        assert_eq!(core.try_to(free, send(room, "as often as they like")), Ok(()));
    }
    core.try_to("bob", send(LOBBY, "elsewhere")).expect("said");
    core.passes(20);
    // What the log does not take does not count.
    core.ask_late("bob", send(room, "two"));
    core.fail();
    assert_eq!(core.try_to("bob", send(room, "two")), Ok(()));
    core.try_to("mod", rules(room, slow(0))).expect("off");
    assert_eq!(core.try_to("bob", send(room, "three")), Ok(()));
    // People without an account count by their address, or else by their name.
    core.try_to("mod", rules(room, slow(30))).expect("slow");
    core.source = Source::of("203.0.113.7".parse().expect("an address"));
    for subscription in [2, 3] {
        core.try_to("", subscribe(subscription, room)).expect("a subscription");
    }
    core.say(2, "jack", "one");
    let told = core.settle();
    assert!(told.iter().any(|one| one.starts_with("jack said one")), "{told:?}");
    let told = core.say(3, "joe", "one");
    assert!(told[0].starts_with("to 3: no, Slow"), "{told:?}");
}

#[test]
fn in_a_read_only_room_only_those_in_charge_speak() {
    let (mut core, room) = moderated();
    core.try_to("own", rules(room, read_only(true))).expect("read-only");
    core.try_to("adm", enters(room)).expect("a member");
    core.try_to("", subscribe(1, room)).expect("a subscription");
    for name in ["bob", "gus"] {
        assert_eq!(core.try_to(name, send(room, "hello")), Err(Refusal::ReadOnly), "{name}");
    }
    assert_eq!(core.say(1, "jack", "hello"), ["to 1: no, ReadOnly"]);
    for name in ["own", "mod", "adm"] {
        assert_eq!(core.try_to(name, send(room, "hear, hear")), Ok(()), "{name}");
    }
    let said = Seq(core.seq);
    assert_eq!(core.try_to("bob", react(room, said)), Err(Refusal::ReadOnly));
    core.try_to("own", rules(room, read_only(false))).expect("open");
    assert_eq!(core.try_to("bob", send(room, "at last")), Ok(()));
    let info = match core.ask("bob", call::View { room }) {
        Ok(Answer::Room(info)) => info,
        other => panic!("{other:?}"),
    };
    assert_eq!(info.rules, Rules::default());
}

#[test]
fn nobody_new_joins_a_locked_room() {
    let (mut core, room) = moderated();
    assert_eq!(core.try_to("adm", rules(LOBBY, locked(true))), Err(Refusal::Forbidden));
    core.try_to("own", rules(room, locked(true))).expect("locked");
    assert_eq!(core.try_to("adm", enters(room)), Err(Refusal::Locked));
    assert_eq!(core.try_to("", subscribe(1, room)), Err(Refusal::Locked));
    assert_eq!(core.try_to("bob", subscribe(2, room)), Ok(()), "a member");
    core.try_to("bob", call::Exit { room }).expect("gone");
    assert_eq!(core.try_to("bob", enters(room)), Err(Refusal::Locked));
    core.try_to("own", call::Exit { room }).expect("gone");
    assert_eq!(core.try_to("own", enters(room)), Ok(()), "it is the owner's");
    core.try_to("own", rules(room, locked(false))).expect("open");
    assert_eq!(core.try_to("bob", enters(room)), Ok(()));
}
