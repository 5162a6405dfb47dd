//! Accounts and sessions.

use super::*;
use crate::limits::{REMEMBERED_TTL_SECS, SESSION_TOUCH_PARTS, SESSIONS_PER_ACCOUNT_MAX};

/// Calls that wait for a change of their room, and whose callers lose their key meanwhile.
#[test]
fn a_waiting_call_is_refused_once_its_callers_key_is_invalid() {
    let retitle = |room, title: &str| {
        let change = RoomChange { title: Title::new(title), ..RoomChange::default() };
        call::ChangeRoom { room: RoomRef::Id(room), access: Access::Open, change, chance: 1 }
    };
    // (caller, what ends meanwhile, outcome)
    let cases = [
        ("ann", Some(Call::from(call::Logout)), Err(Refusal::Unauthenticated)),
        ("ann?", Some(Call::from(call::Logout)), Err(Refusal::Unauthenticated)),
        ("zoe?", Some(Call::from(call::Logout)), Err(Refusal::Unauthenticated)),
        ("ann", Some(call::ChangeKey { key: key("new") }.into()), Ok(())),
        ("ann!", Some(call::ChangeKey { key: key("new") }.into()), Err(Refusal::UnknownKey)),
        ("second", Some(call::ChangeKey { key: key("new") }.into()), Err(Refusal::Unauthenticated)),
        ("ann!", Some(Call::from(call::Logout)), Ok(())),
        ("never?", None, Ok(())),
        ("", None, Ok(())),
    ];
    for (who, ends, expected) in cases {
        let mut core = Core::with(&["ann"]);
        core.ask("", login("ann", "second")).expect("a session");
        core.ask("", be_guest("zoe")).expect("a guest");
        // The room has no owner, so anybody may change it: also a caller who is anonymous now.
        let room = core.room("", room_settings("den", Visibility::Public, None));
        let first = core.ask_late("", retitle(room, "first"));
        let ending = ends.map(|call| {
            let by = if who.starts_with("zoe") { "zoe" } else { "ann" };
            core.ask_late(by, call)
        });
        // The call waits behind a waiting change, which is pending when the key ends.
        let second = core.ask_late("", retitle(room, "second"));
        let late = core.ask_late(who, retitle(room, "late"));
        core.settle();
        assert_eq!(core.answer(first).map(|answer| answer.is_ok()), Some(true));
        assert_eq!(core.answer(second).map(|answer| answer.is_ok()), Some(true));
        assert!(ending.is_none_or(|ask| core.answer(ask) == Some(Ok(Answer::Done(())))), "{who}");
        assert_eq!(core.answer(late).expect("an answer").map(|_| ()), expected, "{who}");
        let rooms = core.chat.snapshot().rooms;
        let title =
            rooms.iter().find(|info| info.id == room).expect("the room").settings.title.clone();
        assert_eq!(
            title.as_str() == "late",
            expected.is_ok(),
            "{who} has changed the title, or nothing"
        );
    }
}

#[test]
fn names_of_accounts_are_ascii_and_unique_whatever_their_case() {
    let mut core = Core::new();
    let long = "a".repeat(33);
    let cases = [
        ("Ann", Ok(Answer::Done(()))),
        ("Ann", Err(Refusal::NameTaken)),
        ("aNN", Err(Refusal::NameTaken)),
        ("ann2", Ok(Answer::Done(()))),
        ("", Err(Refusal::NameInvalid)),
        ("a b", Err(Refusal::NameInvalid)),
        ("zoë", Err(Refusal::NameInvalid)),
        (&long, Err(Refusal::NameInvalid)),
    ];
    for (index, (name, expected)) in cases.into_iter().enumerate() {
        let key = key(&format!("key {index}"));
        assert_eq!(
            core.ask("", call::Register { name: name.into(), key, invitation: None }),
            expected,
            "{name:?}"
        );
    }
}

#[test]
fn of_two_registrations_of_a_name_at_once_one_wins() {
    let mut core = Core::new();
    let register =
        |key_of| call::Register { name: "ann".into(), key: key(key_of), invitation: None };
    let first = core.ask_late("", register("first"));
    let second = core.ask_late("", register("second"));
    assert_eq!(core.answer(second), Some(Err(Refusal::NameTaken)));
    assert_eq!(core.answer(first), None, "not before it is in the log");
    core.commit();
    assert_eq!(core.answer(first), Some(Ok(Answer::Done(()))));
}

#[test]
fn a_name_is_free_again_if_the_log_cannot_write_it() {
    let mut core = Core::new();
    let first = core
        .ask_late("", call::Register { name: "ann".into(), key: key("first"), invitation: None });
    core.fail();
    assert_eq!(core.answer(first), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.register("ann"), Ok(Answer::Done(())));
    let lost = login("first", "s");
    assert_eq!(core.ask("", lost), Err(Refusal::UnknownKey));
}

#[test]
fn an_anonymous_clients_name_can_be_registered_and_is_taken_from_the_client() {
    let mut core = Core::new();
    core.subscribe(1, "").expect("a subscription");
    core.subscribe(2, "").expect("a subscription");
    core.join(1, "Ann");
    assert_eq!(core.try_to("", be_guest("ann")), Err(Refusal::NameTaken), "one guest is enough");
    let ask =
        core.ask_late("", call::Register { name: "ann".into(), key: key("ann"), invitation: None });
    let told = core.commit();
    assert_eq!(told, ["Ann left by 1"]);
    assert_eq!(core.answer(ask), Some(Ok(Answer::Done(()))));
    assert_eq!(core.say(1, "Ann", "it is me"), ["to 1: no, NameInUse"]);
    assert_eq!(core.join(1, "Zoe"), ["Zoe joined by 1", "to 1: Noted"]);
    assert_eq!(core.present(LOBBY), ["Zoe"]);
    core.login("ann").expect("a login");
    core.subscribe(3, "ann").expect("a subscription");
    core.leave(1);
}

#[test]
fn an_anonymous_client_cannot_take_a_name_whose_registration_is_pending() {
    let mut core = Core::new();
    core.subscribe(1, "").expect("a subscription");
    core.ask_late("", call::Register { name: "ann".into(), key: key("ann"), invitation: None });
    assert!(core.join(1, "ANN").is_empty(), "in order");
    assert_eq!(core.commit(), ["to 1: no, NameInUse"]);
}

#[test]
fn a_session_identifies_its_account_until_logout() {
    let mut core = Core::with(&["Ann"]);
    let Ok(Answer::Person(me)) = core.ask("Ann", call::Me) else { panic!("nobody") };
    assert_eq!((me.name, me.online, me.created), (name("Ann"), false, NOON));
    assert_eq!(core.ask("Ann", call::Logout), Ok(Answer::Done(())));
    assert_eq!(core.ask("Ann", call::Me), Err(Refusal::Unauthenticated));
    assert_eq!(
        core.ask("Ann?", call::Me),
        Err(Refusal::Unauthenticated),
        "an anonymous client has no account"
    );
    assert_eq!(core.ask("Ann?", call::Rooms { mine: false, after: RoomId(0) }).map(|_| ()), Ok(()));
    for who in ["Ann", "", "never"] {
        assert_eq!(
            core.ask(who, call::Logout),
            Ok(Answer::Done(())),
            "to log out again is no error"
        );
    }
}

#[test]
fn a_person_with_a_subscription_is_online() {
    let mut core = Core::with(&["ann", "Bob"]);
    let online =
        |core: &mut Core, name: &str| match core.ask("ann", call::Person { name: name.into() }) {
            Ok(Answer::Person(person)) => Ok(person.online),
            Ok(other) => panic!("{other:?} is nobody"),
            Err(refusal) => Err(refusal),
        };
    assert_eq!(online(&mut core, "bOB"), Ok(false));
    core.subscribe(1, "Bob").expect("a subscription");
    assert_eq!(online(&mut core, "bob"), Ok(true));
    core.leave(1);
    assert_eq!(online(&mut core, "bob"), Ok(false));
    assert_eq!(online(&mut core, "carl"), Err(Refusal::PersonNotFound));
    let unknown = core.ask("", call::Person { name: "bob".into() });
    assert_eq!(unknown, Err(Refusal::Unauthenticated));
}

#[test]
fn logout_closes_only_the_subscriptions_of_that_session() {
    let mut core = Core::with(&["ann"]);
    core.ask("", login("ann", "second")).expect("a login");
    core.subscribe(1, "ann").expect("a subscription");
    core.subscribe(2, "second").expect("a subscription");
    core.join(1, "");
    let ask = core.ask_late("ann", call::Logout);
    assert_eq!(core.commit(), ["1 is closed: SessionEnded", "ann left"]);
    assert_eq!(core.answer(ask), Some(Ok(Answer::Done(()))));
    assert_eq!(core.join(2, ""), ["ann joined by 2", "to 2: Noted"]);
}

#[test]
fn a_login_at_the_limit_ends_the_longest_unused_session() {
    let mut core = Core::new();
    core.register("ann").expect("an account");
    let session = |index: usize| format!("s{index}");
    for index in 0..SESSIONS_PER_ACCOUNT_MAX {
        core.passes(1);
        core.ask("", login("ann", &session(index))).expect("in");
    }
    core.subscribe(1, "s0").expect("a subscription: longest unused, but in use");
    core.ask("s1", call::Me).expect("used just now, so the next one is older");
    core.ask("", login("ann", "new")).expect("in");
    let alive = |core: &mut Core, who: &str| core.ask(who, call::Me).is_ok();
    let found = ["s0", "s1", "s2", "s3", "new"].map(|who| alive(&mut core, who));
    assert_eq!(found, [true, true, false, true, true]);
}

#[test]
fn sessions_that_begin_at_once_are_bounded_too() {
    let mut core = Core::with(&["ann"]);
    let login = |core: &mut Core, index: usize| {
        let session = key(&format!("s{index}"));
        core.ask_late(
            "",
            call::Login { key: key("ann"), session, remember: false, agent: "".into() },
        )
    };
    let asks: Vec<CallId> =
        (0..2 * SESSIONS_PER_ACCOUNT_MAX).map(|index| login(&mut core, index)).collect();
    core.settle();
    let answers: Vec<_> =
        asks.into_iter().map(|ask| core.answer(ask).expect("an answer")).collect();
    let full = answers.iter().filter(|answer| **answer == Err(Refusal::Full)).count();
    assert_eq!(full, SESSIONS_PER_ACCOUNT_MAX);
    assert_eq!(core.chat.snapshot().sessions.len(), SESSIONS_PER_ACCOUNT_MAX);
}

#[test]
fn a_caller_lists_and_ends_their_own_sessions() {
    let mut core = Core::with(&["ann", "bob"]);
    core.ask("", login("ann", "other")).expect("a second session");
    let list = |core: &mut Core, who: &str| match core.ask(who, call::Sessions) {
        Ok(Answer::Sessions(all)) => {
            all.iter().map(|session| (session.id.0, session.current)).collect()
        }
        other => panic!("{other:?} is no list"),
    };
    let all: Vec<(u64, bool)> = list(&mut core, "other");
    assert_eq!(all, [(1, false), (3, true)]);
    assert_eq!(
        list(&mut core, "ann!"),
        [(1, false), (3, false)],
        "with her account's key none is current"
    );
    let end = |session| call::EndSession { session: SessionId(session) };
    assert_eq!(core.try_to("ann", end(2)), Err(Refusal::SessionNotFound), "it is bob's");
    assert_eq!(core.try_to("", end(1)), Err(Refusal::Unauthenticated));
    core.subscribe(1, "ann").expect("a subscription");
    core.ask_late("other", end(1));
    assert_eq!(core.commit(), ["1 is closed: SessionEnded"]);
    assert_eq!(core.try_to("ann", call::Me), Err(Refusal::Unauthenticated));
    assert_eq!(core.try_to("other", end(1)), Err(Refusal::SessionNotFound));
    assert_eq!(list(&mut core, "other"), [(3, true)]);
}

#[test]
fn a_remembered_session_lasts_a_month() {
    let mut core = Core::with(&["ann"]);
    let (long, agent) = (key("long"), "".into());
    let call = call::Login { key: key("ann"), session: long, remember: true, agent };
    let Ok(Answer::Session(info)) = core.ask("", call) else { panic!("no session") };
    assert_eq!(info.expires, core.now.plus_secs(REMEMBERED_TTL_SECS));
    core.passes(REMEMBERED_TTL_SECS - 1);
    core.give(Command::Tick);
    core.settle();
    assert_eq!(core.try_to("ann", call::Me), Err(Refusal::Unauthenticated), "the usual one ended");
    assert_eq!(core.try_to("long", call::Me), Ok(()));
    core.passes(REMEMBERED_TTL_SECS);
    assert_eq!(core.try_to("long", call::Me), Err(Refusal::Unauthenticated));
}

#[test]
fn a_session_ends_a_lifetime_after_its_last_use() {
    let mut core = Core::with(&["ann"]);
    for _ in 0..3 {
        core.now = Time(core.now.plus_secs(TTL_SECS).0 - 1);
        core.ask("ann", call::Me).expect("used in time");
    }
    core.now = Time(core.now.0 - 60_000_000); // Setting the clock back changes nothing.
    core.ask("ann", call::Me).expect("in time");
    core.passes(TTL_SECS + 60);
    assert_eq!(core.ask("ann", call::Me), Err(Refusal::Unauthenticated));
    assert_eq!(
        core.ask("ann?", call::Rooms { mine: false, after: RoomId(0) }).map(|_| ()),
        Ok(()),
        "but nobody may look, too"
    );
    core.give(Command::Tick);
    core.settle();
    assert!(core.chat.snapshot().sessions.is_empty(), "the tick has ended it");
}

#[test]
fn a_subscription_keeps_its_session_alive() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.passes(10 * TTL_SECS);
    core.give(Command::Tick);
    core.settle();
    core.ask("ann", call::Me).expect("she sits here");
    core.passes(10 * TTL_SECS);
    core.leave(1);
    core.passes(TTL_SECS - 1);
    core.ask("ann", call::Me).expect("her lifetime starts again when she leaves");
    core.passes(TTL_SECS);
    assert_eq!(core.ask("ann", call::Me), Err(Refusal::Unauthenticated));
}

#[test]
fn the_store_learns_of_uses_in_steps() {
    let mut core = Core::with(&["ann"]);
    let grain = TTL_SECS / SESSION_TOUCH_PARTS;
    for (secs, noted) in [(0, 0), (grain - 1, 0), (1, 1), (grain - 1, 0), (grain, 1)] {
        core.passes(secs);
        core.touched.clear();
        core.ask("ann", call::Me).expect("a session");
        assert_eq!(core.touched.len(), noted, "after {secs} s more");
    }
    core.subscribe(1, "ann").expect("a subscription");
    core.passes(grain);
    core.touched.clear();
    core.give(Command::Tick);
    assert_eq!(core.touched, [(SessionId(1), core.now)], "a subscription is a use");
}

#[test]
fn a_core_continues_from_the_tables_of_another() {
    let mut core = Core::with(&["ann", "bob"]);
    let room = core.room("ann", room_settings("den", Visibility::Public, None));
    core.ask("bob", call::Logout).expect("the latest session");
    let remove = call::RemoveRoom { room: RoomRef::Id(room), access: Access::Open };
    core.ask("ann", remove).expect("the latest room");
    let snapshot = core.chat.snapshot();
    core.chat = Chat::new(Settings::new(TTL_SECS, false), snapshot.clone());
    assert_eq!(core.chat.snapshot(), snapshot);
    core.ask("ann", call::Me).expect("her session goes on");
    core.login("bob").expect("a login");
    let next = core.room("", room_settings("den", Visibility::Public, None));
    assert_eq!(next, RoomId(room.0 + 1));
    let sessions: Vec<_> = core.chat.snapshot().sessions.iter().map(|session| session.id).collect();
    assert_eq!(sessions, [SessionId(1), SessionId(3)], "no number is reused");
}

#[test]
fn an_endless_lifetime_does_not_overflow() {
    let mut chat = Chat::new(Settings::new(u64::MAX, false), Snapshot::default());
    let mut effects = Vec::new();
    let entries = [
        Entry::AccountMade {
            account: AccountId(1),
            name: name("ann"),
            key: Some(key("ann")),
            color: None,
        },
        Entry::SessionBegun {
            session: SessionId(1),
            account: AccountId(1),
            key: key("ann"),
            remember: false,
            agent: "".into(),
        },
    ];
    for (index, entry) in entries.into_iter().enumerate() {
        let (ticket, seq) = (None, Seq(index as u64 + 1));
        chat.handle(NOON, Command::Logged { ticket, seq, time: NOON, entry }, &mut effects);
    }
    let (ask, caller) = (CallId(1), caller("ann"));
    chat.handle(
        NOON,
        Command::Call { id: ask, source: Source::Local, caller, call: call::Me.into() },
        &mut effects,
    );
    assert!(matches!(effects[..], [Effect::Answer { answer: Ok(_), .. }]), "{effects:?}");
}

#[test]
fn a_key_change_ends_all_other_sessions() {
    let mut core = Core::with(&["ann", "bob"]);
    core.ask("", login("ann", "thief")).expect("a second session");
    for (subscription, who) in [(1, "ann"), (2, "thief"), (3, "bob")] {
        core.subscribe(subscription, who).expect("a subscription");
    }
    // A pending login ends with the old key, and a later one waits for the change.
    let began = core.ask_late("", login("ann", "late"));
    let changed = core.ask_late("ann", call::ChangeKey { key: key("new") });
    let after = core.ask_late("", login("ann", "later"));
    let again = core.ask_late("thief", call::ChangeKey { key: key("mine") });
    core.settle();
    assert!(matches!(core.answer(began), Some(Ok(Answer::Session(_)))));
    assert_eq!(core.answer(changed), Some(Ok(Answer::Done(()))));
    assert_eq!(core.answer(after), Some(Err(Refusal::UnknownKey)));
    assert_eq!(core.answer(again), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.try_to("ann!", call::Me), Err(Refusal::UnknownKey));
    for gone in ["thief", "late"] {
        assert_eq!(core.try_to(gone, call::Me), Err(Refusal::Unauthenticated), "{gone}");
    }
    core.ask("ann", call::Me).expect("who asked is still there");
    assert_eq!(core.join(1, ""), ["ann joined by 1", "to 1: Noted"]);
    assert_eq!(core.join(3, ""), ["bob joined by 3", "to 3: Noted"]);
    assert!(core.join(2, "").is_empty(), "the thief's subscription has ended");
    core.ask("", login("new", "home")).expect("in by the new key");
    // A caller can change only its own key, and a guest has none.
    assert_eq!(core.try_to("", call::ChangeKey { key: key("x") }), Err(Refusal::Unauthenticated));
    core.ask("", super::be_guest("gil")).expect("a guest");
    assert_eq!(core.try_to("gil", call::ChangeKey { key: key("x") }), Err(Refusal::Forbidden));
}
