//! People in charge: who has a role, and who gives it.

use super::*;

const ADMIN: Option<Role> = Some(Role::Administrator);
const OWNER: Option<Role> = Some(Role::Owner);

impl Core {
    fn role_of(&mut self, name: &str) -> Option<Role> {
        match self.ask(name, call::Me) {
            Ok(Answer::Person(person)) => person.role,
            other => panic!("{other:?} instead of a person"),
        }
    }
}

#[test]
fn the_operator_makes_owners_and_owners_make_administrators() {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    core.ask("", be_guest("gus")).expect("a guest");
    for caller in ["", "ann", "gus"] {
        let refusal = core.try_to(caller, role("bob", ADMIN));
        let expected =
            if caller.is_empty() { Refusal::Unauthenticated } else { Refusal::Forbidden };
        assert_eq!(refusal, Err(expected), "{caller}");
    }
    assert_eq!(core.operate(role("Ann", OWNER)), Ok(()));
    assert_eq!(core.role_of("ann"), OWNER);
    assert_eq!(core.try_to("ann", role("bob", ADMIN)), Ok(()));
    assert_eq!(core.role_of("bob"), ADMIN);
    // An administrator gives no roles, and an owner takes none from an owner.
    for (caller, name, to) in
        [("bob", "cat", ADMIN), ("bob", "bob", OWNER), ("bob", "ann", None), ("ann", "ann", None)]
    {
        assert_eq!(core.try_to(caller, role(name, to)), Err(Refusal::Forbidden), "{caller} {name}");
    }
    assert_eq!(core.try_to("ann", role("gus", ADMIN)), Err(Refusal::NotForGuests));
    assert_eq!(core.try_to("ann", role("zoe", ADMIN)), Err(Refusal::PersonNotFound));
    // What is so already needs no entry.
    let seq = core.seq;
    assert_eq!(core.try_to("ann", role("bob", ADMIN)), Ok(()));
    assert_eq!(core.seq, seq);
    assert_eq!(core.operate(role("ann", None)), Ok(()));
    assert_eq!(core.try_to("ann", role("bob", None)), Err(Refusal::Forbidden));
    assert_eq!((core.role_of("ann"), core.role_of("bob")), (None, ADMIN));
}

#[test]
fn roles_outlast_a_restart() {
    let mut core = Core::with(&["ann"]);
    core.operate(role("ann", OWNER)).expect("an owner");
    let snapshot = core.chat.snapshot();
    assert_eq!(snapshot.accounts[0].role, OWNER);
    core.chat = Chat::new(Settings::new(TTL_SECS, false), snapshot);
    assert_eq!(core.role_of("ann!"), OWNER);
}

#[test]
fn the_setup_link_works_once_and_for_nobody_who_has_not_got_it() {
    let setup = |token: &str| -> Call { call::Setup { token: key(token) }.into() };
    let token = Some(key("link"));
    let mut core = Core::set(Settings { setup: token, ..Settings::new(TTL_SECS, false) });
    for name in ["ann", "bob"] {
        core.register(name).expect("an account");
        core.login(name).expect("a login");
    }
    core.ask("", be_guest("gus")).expect("a guest");
    assert_eq!(core.try_to("", setup("link")), Err(Refusal::Unauthenticated));
    assert_eq!(core.try_to("gus", setup("link")), Err(Refusal::NotForGuests));
    assert_eq!(core.try_to("bob", setup("guess")), Err(Refusal::Forbidden));
    // Who comes second must wait for the first; and has it, if the disk refuses that one.
    let (first, second) =
        (core.ask_late("bob", setup("link")), core.ask_late("ann", setup("link")));
    assert_eq!(core.answer(second), Some(Err(Refusal::Unavailable)));
    core.fail();
    assert_eq!(core.answer(first), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.try_to("ann", setup("link")), Ok(()));
    assert_eq!(core.role_of("ann"), OWNER);
    assert_eq!(core.try_to("bob", setup("link")), Err(Refusal::Forbidden));
    // Without a token there is no such way.
    let mut core = Core::with(&["ann"]);
    assert_eq!(core.try_to("ann", setup("link")), Err(Refusal::Forbidden));
}

#[test]
fn a_link_that_has_been_printed_is_void_once_there_is_an_owner() {
    let token = Some(key("link"));
    let mut core = Core::set(Settings { setup: token, ..Settings::new(TTL_SECS, false) });
    for name in ["ann", "bob"] {
        core.register(name).expect("an account");
        core.login(name).expect("a login");
    }
    core.operate(role("bob", OWNER)).expect("an owner");
    let late = core.try_to("ann", call::Setup { token: key("link") });
    assert_eq!(late, Err(Refusal::Forbidden));
}

#[test]
fn a_guest_never_has_a_role_whatever_the_log_says() {
    let mut core = Core::with(&[]);
    core.ask("", be_guest("gus")).expect("a guest");
    let account = core.chat.snapshot().accounts[0].id;
    let act = Box::new(Entry::RoleChanged { account, role: OWNER });
    core.logged(None, NOON, Entry::Deed { by: None, reason: None, act });
    assert_eq!(core.role_of("gus"), None);
}
