//! People for whom a trusted proxy vouches.

use super::*;

fn introduce(name: &str) -> Call {
    call::Introduce { name: name.into(), key: key(&format!("unknown {name}")) }.into()
}

fn vouch(name: &str) -> Call {
    let session = key(&format!("proxied {name}"));
    call::Vouch { name: name.into(), session, agent: "a proxy".into() }.into()
}

/// Who the session belongs to.
fn me(core: &mut Core, name: &str) -> Result<String, Refusal> {
    match core.ask(&format!("proxied {name}"), call::Me)? {
        Answer::Person(person) => Ok(person.name.as_str().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_request_makes_the_account_and_the_others_find_it() {
    let mut core = Core::new();
    assert_eq!(core.try_to("", vouch("ann")), Err(Refusal::PersonNotFound));
    assert_eq!(core.try_to("", introduce("ann")), Ok(()));
    assert_eq!(core.try_to("", vouch("ann")), Ok(()));
    assert_eq!(me(&mut core, "ann").as_deref(), Ok("ann"));
    let seq = core.seq;
    assert_eq!(core.try_to("", introduce("ann")), Ok(()));
    assert_eq!(core.try_to("", vouch("ann")), Ok(()));
    assert_eq!(core.seq, seq, "what is so already is no entry");
    // An account that there was before is the same person's.
    core.register("bob").expect("an account");
    assert_eq!(core.try_to("", vouch("bob")), Ok(()));
    assert_eq!(me(&mut core, "bob").as_deref(), Ok("bob"));
}

#[test]
fn a_session_that_has_ended_begins_again() {
    let mut core = Core::new();
    core.try_to("", introduce("ann")).expect("an account");
    core.try_to("", vouch("ann")).expect("a session");
    core.now = core.now.plus_secs(TTL_SECS + 1);
    assert_eq!(me(&mut core, "ann"), Err(Refusal::Unauthenticated), "it has expired");
    assert_eq!(core.try_to("", vouch("ann")), Ok(()), "before the core has swept it");
    assert_eq!(me(&mut core, "ann").as_deref(), Ok("ann"));
    core.now = core.now.plus_secs(TTL_SECS + 1);
    core.give(Command::Tick);
    core.settle();
    assert_eq!(core.try_to("", vouch("ann")), Ok(()), "and after that");
    assert_eq!(me(&mut core, "ann").as_deref(), Ok("ann"));
    assert_eq!(core.chat.snapshot().sessions.len(), 1);
}

#[test]
fn of_two_first_requests_one_waits_for_the_other() {
    let mut core = Core::new();
    let first = core.ask_late("", introduce("ann"));
    let second = core.ask_late("", introduce("ann"));
    assert_eq!(core.answer(second), Some(Err(Refusal::Unavailable)), "for a moment");
    core.settle();
    assert_eq!(core.answer(first), Some(Ok(Answer::Done(()))));
    // The same with the session.
    let first = core.ask_late("", vouch("ann"));
    let second = core.ask_late("", vouch("ann"));
    core.settle();
    assert!(matches!(core.answer(first), Some(Ok(Answer::Session(_)))));
    assert_eq!(core.answer(second), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.try_to("", vouch("ann")), Ok(()));
    assert_eq!(core.chat.snapshot().sessions.len(), 1);
}

#[test]
fn names_obey_the_rules_and_nobody_gets_anothers_account() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("gus")).expect("a guest");
    for (name, expected) in [
        ("Ann", Err(Refusal::NameTaken)),
        ("gus", Err(Refusal::NameTaken)),
        ("ann@example.org", Err(Refusal::NameInvalid)),
        ("", Err(Refusal::NameInvalid)),
        ("ann", Ok(())),
    ] {
        assert_eq!(core.try_to("", introduce(name)), expected, "{name}");
        if name != "gus" {
            assert_eq!(core.try_to("", vouch(name)), expected, "{name}");
        }
    }
    let ban = call::Ban { name: "ann".into(), on: true, address_secs: None, reason: None };
    core.operate(ban.into()).expect("a ban");
    assert_eq!(core.try_to("", vouch("ann")), Err(Refusal::Banned));
    assert_eq!(me(&mut core, "ann"), Err(Refusal::Unauthenticated));
}

#[test]
fn the_proxy_decides_who_comes_in() {
    let mut core = Core::with(&["ann"]);
    core.operate(role("ann", Some(Role::Administrator))).expect("an administrator");
    let (registration, guests) = (Some(Registration::Closed), Some(Guests::Off));
    let closed = call::ChangePolicy { registration, guests, reason: None };
    core.try_to("ann", closed).expect("it changes");
    assert_eq!(core.try_to("", introduce("bob")), Ok(()));
    assert_eq!(core.try_to("", vouch("bob")), Ok(()));
    assert_eq!(me(&mut core, "bob").as_deref(), Ok("bob"));
}
