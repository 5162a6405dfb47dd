//! Rooms for two: their members, and how they end.

use super::*;

const BASE: u64 = 65_536;

fn direct(name: &str) -> Call {
    call::Direct { name: name.into(), chance: 1 }.into()
}

fn send(room: RoomId, text: &str) -> Call {
    let (text, client_id, reply_to) = (text.into(), None, None);
    call::Act(Action::Send { room, text, client_id, reply_to }).into()
}

/// Ann's room with bob, which she has opened; both have a stream.
fn opened() -> (Core, RoomId) {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    for (number, name) in [(1, "ann"), (2, "bob")] {
        let call = call::OpenStream {
            subscription: SubscriptionId(number * BASE),
            protocol: BACK,
            only: None,
        };
        core.ask(name, call).expect("a stream");
    }
    let Ok(Answer::Direct(DirectRoom { room, made: true })) = core.ask("ann", direct("bob")) else {
        panic!("no room")
    };
    (core, room.id)
}

/// The rooms for two of an account.
fn rooms_of(core: &mut Core, name: &str) -> Vec<RoomId> {
    let all = core.ask(name, call::Rooms { mine: true, after: RoomId(0) });
    let Ok(Answer::Rooms(Page { items: rooms, .. })) = all else { panic!("{all:?}") };
    rooms.iter().filter(|room| room.direct).map(|room| room.id).collect()
}

#[test]
fn the_other_account_becomes_a_member_with_the_first_message() {
    let (mut core, room) = opened();
    assert_eq!((rooms_of(&mut core, "ann"), rooms_of(&mut core, "bob")), (vec![room], vec![]));
    assert_eq!(core.try_to("bob", call::View { room }), Err(Refusal::RoomNotFound));
    core.ask_late("ann", send(room, "psst"));
    assert_eq!(core.proposals.len(), 2, "his membership and her message");
    let (seq, hears) = (core.seq, format!("131074 hears room {room}"));
    let told = format!("notified to 131074: ann as {}", seq + 1);
    assert_eq!(core.commit()[..2], [hears, told]);
    assert_eq!(core.commit()[0], format!("ann said psst as {}", seq + 2));
    assert_eq!(rooms_of(&mut core, "bob"), [room]);
}

#[test]
fn an_account_that_has_left_returns_with_the_next_message() {
    let (mut core, room) = opened();
    core.ask("ann", send(room, "one")).expect("said");
    for (leaver, stays) in [("bob", "ann"), ("ann", "bob")] {
        core.ask_late(leaver, call::Exit { room });
        let noticed = core.commit();
        assert!(noticed[0].contains("gone"), "{noticed:?}");
        let tells = noticed.iter().any(|effect| effect.contains("is member"));
        assert!(!tells, "who hides it tells nobody: {noticed:?}");
        assert_eq!(rooms_of(&mut core, leaver), []);
        assert_eq!(core.try_to(leaver, call::View { room }), Err(Refusal::RoomNotFound));
        assert_eq!(rooms_of(&mut core, stays), [room]);
        // The other account still sees both members.
        let who = call::Members { room, after: Place::Present(0) };
        let Ok(Answer::Members(Page { next: Some(next), .. })) = core.ask(stays, who) else {
            panic!()
        };
        let who = call::Members { room, after: next };
        let Ok(Answer::Members(Page { items: members, .. })) = core.ask(stays, who) else {
            panic!()
        };
        assert_eq!(members.len(), 1, "{members:?}");
        for by in [leaver, stays] {
            core.ask(by, send(room, "two")).expect("said");
            assert_eq!(rooms_of(&mut core, leaver), [room], "by {by}");
            core.ask(leaver, call::Exit { room }).expect("out");
        }
        let Ok(Answer::Direct(DirectRoom { room: back, made: false })) =
            core.ask(leaver, direct(stays))
        else {
            panic!("not back")
        };
        assert_eq!((back.id, back.horizon), (room, Seq(0)));
    }
}

#[test]
fn an_account_with_a_pending_exit_returns_with_the_next_message() {
    let (mut core, room) = opened();
    core.ask("ann", send(room, "one")).expect("said");
    core.ask_late("bob", call::Exit { room });
    core.ask_late("ann", send(room, "two"));
    core.ask_late("ann", send(room, "three"));
    core.settle();
    assert_eq!(rooms_of(&mut core, "bob"), [room]);
}

#[test]
fn it_ends_when_both_have_left() {
    let (mut core, room) = opened();
    core.ask("ann", send(room, "one")).expect("said");
    core.ask("bob", call::Exit { room }).expect("out");
    core.ask("ann", call::Exit { room }).expect("out");
    let snapshot = core.chat.snapshot();
    assert_eq!((snapshot.rooms.len(), &*snapshot.spent_rooms), (1, &[room][..]));
    for account in ["ann", "bob"] {
        assert_eq!(core.try_to(account, send(room, "two")), Err(Refusal::RoomNotFound));
    }
    let call = call::Direct { name: "bob".into(), chance: 2 };
    let Ok(Answer::Direct(DirectRoom { made: true, .. })) = core.ask("ann", call) else {
        panic!("no room")
    };
}

#[test]
fn a_call_for_a_room_whose_end_is_pending_gets_a_new_room() {
    let (mut core, room) = opened();
    core.ask("ann", send(room, "one")).expect("said");
    core.ask_late("ann", call::Exit { room });
    core.ask_late("bob", call::Exit { room });
    let said = core.ask_late("bob", send(room, "two"));
    assert_eq!(core.answer(said), Some(Err(Refusal::RoomNotFound)), "its end is pending");
    let again = ["ann", "bob"].map(|caller| {
        let name = if caller == "ann" { "bob" } else { "ann" };
        core.ask_late(caller, call::Direct { name: name.into(), chance: 2 })
    });
    core.settle();
    let answers = again.map(|ask| core.answer(ask).expect("an answer").expect("a room"));
    // (Ann waits for bob's exit, he for nothing more.)
    let Answer::Direct(DirectRoom { room: same, made: false }) = &answers[0] else {
        panic!("{answers:?}")
    };
    let Answer::Direct(DirectRoom { room: new, made: true }) = &answers[1] else {
        panic!("{answers:?}")
    };
    assert!(new.id == same.id && new.id != room);
}

#[test]
fn both_entries_or_none_are_proposed() {
    let (mut core, room) = opened();
    core.chat = Chat::new(Settings::new(TTL_SECS, false), core.chat.snapshot()).within(1);
    assert_eq!(core.try_to("ann", send(room, "one")), Err(Refusal::Unavailable));
    assert!(core.proposals.is_empty());
    core.ask("bob", direct("ann")).expect("back");
    core.ask("ann", send(room, "one")).expect("said");
}

#[test]
fn it_ends_with_its_guest_even_if_one_of_the_two_has_left() {
    for leaver in ["zoe", "ann"] {
        let mut core = Core::with(&["ann"]);
        core.ask("", be_guest("zoe")).expect("a guest");
        let Ok(Answer::Direct(DirectRoom { room, .. })) = core.ask("ann", direct("zoe")) else {
            panic!()
        };
        core.ask("ann", send(room.id, "one")).expect("said");
        core.ask(leaver, call::Exit { room: room.id }).expect("out");
        core.ask("zoe", call::Logout).expect("out");
        assert_eq!(core.chat.snapshot().rooms.len(), 1, "{leaver} had left it");
        assert_eq!(core.try_to("ann", send(room.id, "two")), Err(Refusal::RoomNotFound));
    }
}

/// A guest with thousands of rooms for two: they end in slices, and everybody hears all of it in
/// order.
#[test]
fn many_rooms_for_two_end_with_a_guest_in_slices() {
    let told = |steps: usize| {
        let mut core = Core::with(&["ann", "bob", "cat", "dan"]);
        core.ask("", be_guest("zoe")).expect("a guest");
        for (number, name) in (1..).zip(["ann", "bob", "cat", "dan"]) {
            let subscription = SubscriptionId(number * BASE);
            core.ask(name, call::OpenStream { subscription, protocol: BACK, only: None })
                .expect("a stream");
            let call = call::Direct { name: "zoe".into(), chance: number };
            let Ok(Answer::Direct(made)) = core.ask(name, call) else { panic!("no room") };
            let room = made.room.id;
            core.ask(name, send(room, "one")).expect("said");
        }
        core.chat.steps_max = steps;
        core.ask_late("zoe", call::Logout);
        core.commit();
        let mut slices = 0;
        let mut all = core.commit();
        while core.chat.is_busy() {
            assert!(core.chat.is_behind() && core.chat.snapshot().rooms.len() > 1);
            slices += 1;
            all.extend(core.give(Command::Continue));
        }
        core.settle();
        let left = core.chat.snapshot();
        assert_eq!((left.rooms.len(), left.accounts.len()), (1, 4));
        all.sort();
        (all, slices)
    };
    let (at_once, none) = told(1_000);
    let (sliced, slices) = told(3);
    assert!(none == 0 && slices >= 3, "{slices}");
    assert_eq!(at_once, sliced);
}
