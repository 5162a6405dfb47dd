//! Blocks: what two accounts cannot send any more, and what nobody learns from a block.

use super::*;
use crate::limits::BLOCKED_PER_ACCOUNT_MAX;

fn direct(name: &str, chance: u64) -> Call {
    call::Direct { name: name.into(), chance }.into()
}

fn block(name: &str, on: bool) -> Call {
    call::Block { name: name.into(), on }.into()
}

fn act(action: Action) -> Call {
    call::Act(action).into()
}

fn send(room: RoomId, text: &str) -> Call {
    act(Action::Send { room, text: text.into(), client_id: None, reply_to: None })
}

/// The names that the caller has blocked.
fn blocked(core: &mut Core, name: &str) -> Vec<String> {
    match core.ask(name, call::Blocked { after: AccountId(0) }) {
        Ok(Answer::Blocked(Page { items: people, next: None })) => {
            people.iter().map(|person| person.name.to_string()).collect()
        }
        other => panic!("{other:?} instead of who is blocked"),
    }
}

#[test]
fn a_block_stops_messages_in_both_directions() {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    let Ok(Answer::Direct(DirectRoom { room, .. })) = core.ask("ann", direct("bob", 1)) else {
        panic!()
    };
    let room = room.id;
    core.ask("ann", send(room, "one")).expect("said");
    let target = Seq(core.seq);
    core.ask("bob", send(room, "two")).expect("said");
    for (blocker, other) in [("ann", "bob"), ("bob", "ann")] {
        core.ask(blocker, block(other, true)).expect("blocked");
        core.ask(blocker, block(&other.to_uppercase(), true)).expect("as before");
        assert_eq!(blocked(&mut core, blocker), [other]);
        assert_eq!(blocked(&mut core, other), [""; 0]);
        for who in ["ann", "bob"] {
            let emoji = Emoji::new("👍").expect("a reaction");
            for action in [
                Action::Edit { room, target, text: "other".into() },
                Action::React { room, target, emoji: emoji.clone(), on: true },
            ] {
                assert_eq!(core.try_to(who, act(action)), Err(Refusal::Blocked), "{who}");
            }
            assert_eq!(core.try_to(who, send(room, "three")), Err(Refusal::Blocked), "{who}");
            // Old messages stay readable, and deletions are allowed.
            core.ask(who, call::View { room }).expect("it is theirs");
            for action in
                [Action::Delete { room, target }, Action::React { room, target, emoji, on: false }]
            {
                core.ask(who, act(action)).expect("done");
            }
            // An account that leaves does not return, for neither can send; nor does a call bring
            // it back.
            core.ask(who, call::Exit { room }).expect("out");
            let name = if who == "ann" { "bob" } else { "ann" };
            assert_eq!(core.try_to(who, direct(name, 2)), Err(Refusal::Blocked), "{who}");
            core.ask(blocker, block(other, false)).expect("not blocked any more");
            core.ask(who, direct(name, 2)).expect("back");
            core.ask(blocker, block(other, true)).expect("blocked");
        }
        core.ask(blocker, block(other, false)).expect("not blocked any more");
        core.ask(blocker, block(other, false)).expect("as before");
        core.ask(other, send(room, "four")).expect("said");
    }
    core.ask("cat", block("ann", true)).expect("blocked");
    for (who, name) in [("ann", "cat"), ("cat", "ann")] {
        assert_eq!(core.try_to(who, direct(name, 3)), Err(Refusal::Blocked), "no room is opened");
    }
    assert_eq!(core.try_to("ann", block("ann", true)), Err(Refusal::Malformed(Field::Name)));
    assert_eq!(core.try_to("ann", block("nobody", true)), Err(Refusal::PersonNotFound));
    assert_eq!(core.try_to("", block("ann", true)), Err(Refusal::Unauthenticated));
}

#[test]
fn a_message_shows_all_its_mentions_in_spite_of_blocks() {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    core.ask("ann", block("bob", true)).expect("blocked");
    core.subscribe(1, "bob").expect("a subscription");
    core.join(1, "bob");
    for case in ["send", "edit", "subscription"] {
        let text = "@ann @cat hello";
        match case {
            "send" => drop(core.ask_late("bob", send(LOBBY, text))),
            "subscription" => drop(core.say(1, "bob", text)),
            _ => {
                let edit = Action::Edit { room: LOBBY, target: Seq(9), text: text.into() };
                core.ask_late("bob", act(edit));
            }
        }
        let (_, _, entry) = core.proposals.back().expect("an entry");
        let (Entry::Said { calls, .. } | Entry::Edited { calls, .. }) = entry else {
            panic!("{entry:?}")
        };
        assert_eq!(**calls, [AccountId(1), AccountId(3)], "{case}");
        core.settle();
    }
}

#[test]
fn a_second_change_waits_for_the_first() {
    let mut core = Core::with(&["ann", "bob"]);
    let asks = [true, false, true].map(|on| core.ask_late("ann", block("bob", on)));
    core.settle();
    assert!(asks.into_iter().all(|ask| core.answer(ask) == Some(Ok(Answer::Done(())))));
    assert_eq!(blocked(&mut core, "ann"), ["bob"]);
}

#[test]
fn nobody_blocks_more_than_so_many_and_guests_who_are_gone_make_room() {
    let mut core = Core::new();
    core.checks = false;
    let mut snapshot = core.chat.snapshot();
    let count = BLOCKED_PER_ACCOUNT_MAX as u64;
    let known = |id: u64| full::account(id);
    snapshot.accounts = (1..=count + 2).map(known).collect();
    snapshot.blocks = (2..count + 2).map(|id| (AccountId(1), AccountId(id))).collect();
    let settings = Settings::new(TTL_SECS, false);
    core.chat = Chat::new(settings, snapshot.clone());
    let last = format!("n{}", count + 2);
    assert_eq!(core.try_to("n1!", block(&last, true)), Err(Refusal::QuotaReached));
    core.ask("n2!", block(&last, true)).expect("others can");
    // A guest without a session, about to end.
    snapshot.accounts[1].key = None;
    core.chat = Chat::new(settings, snapshot);
    core.give(Command::Tick);
    core.settle();
    let page = core.ask("n1!", call::Blocked { after: AccountId(0) });
    assert!(matches!(page, Ok(Answer::Blocked(Page { items: people, next: Some(_) }))
        if people[0].name.as_str() == "n3"));
    core.ask("n1!", block(&last, true)).expect("there is room");
    let blocks = core.chat.snapshot().blocks;
    assert!(
        blocks.len() == BLOCKED_PER_ACCOUNT_MAX && !blocks.contains(&(AccountId(1), AccountId(2)))
    );
}
