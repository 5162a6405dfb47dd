//! Rooms that close before more people than one command reaches.

use super::*;
use Visibility::{Private, Public};

/// A room of Ann's with Bob's stream and guests in it, in a core that takes few steps at a time.
fn crowd(guests: u64) -> (Core, RoomId) {
    let mut core = Core::with(&["ann", "bob"]);
    let den = core.room("ann", room_settings("den", Public, None));
    core.ask("bob", call::Enter { room: den, access: Access::Open }).expect("a member");
    let follow =
        call::OpenStream { subscription: SubscriptionId(1 << 16), protocol: BACK, only: None };
    core.ask("bob", follow).expect("a stream");
    core.try_to("ann", subscribe_with(1, den, Access::Open)).expect("a subscription");
    core.join(1, "");
    for subscription in 2..2 + guests {
        core.try_to("", subscribe_with(subscription, den, Access::Open)).expect("a subscription");
        core.join(subscription, &format!("guest {subscription}"));
    }
    let settings = Settings { session_ttl_secs: TTL_SECS, limits: false };
    let chat = std::mem::replace(&mut core.chat, Chat::new(settings, Snapshot::default()));
    core.chat = chat.with_steps(2);
    (core, den)
}

fn close(room: RoomId) -> Call {
    let (visibility, password) = (Some(Private), Some("hash".into()));
    let change = RoomChange { visibility, password, ..RoomChange::default() };
    call::ChangeRoom { room: RoomRef::Id(room), access: Access::Open, change, chance: 1 }.into()
}

impl Core {
    /// What is too long for one command goes on, once.
    fn carry_on(&mut self) -> Vec<String> {
        self.give(Command::Continue)
    }
}

#[test]
fn nobody_who_is_out_hears_what_is_said_after_it() {
    for behind in [false, true] {
        let (mut core, den) = crowd(9);
        core.ask_late("ann", close(den));
        if behind {
            core.say(1, "", "on its way");
        }
        let mut heard = core.commit();
        assert!(core.chat.is_behind() && core.chat.is_busy(), "it is too long for one command");
        assert_eq!(core.say(1, "", "a secret"), [""; 0]);
        // Who is to go says nothing more, and nobody waits for the answer.
        assert_eq!(core.say(10, "", "still here"), [""; 0]);
        while core.chat.is_behind() {
            heard.extend(core.carry_on());
        }
        while !core.proposals.is_empty() {
            heard.extend(core.commit());
            while core.chat.is_behind() {
                heard.extend(core.carry_on());
            }
        }
        let place = |text: &str| heard.iter().position(|one| one.contains(text));
        let secret = place("a secret").expect("it was said");
        let closed = |one: &&String| one.ends_with("is closed: Locked");
        assert_eq!(heard[..secret].iter().filter(closed).count(), 9, "{heard:#?}");
        assert!(place("notified to 65538: gone") < place("ann made the room so"));
        assert!(place("still here").is_none());
        assert_eq!(place("on its way").is_some(), behind);
        core.chat.check();
        let snapshot = core.chat.snapshot();
        let members: Vec<u64> = snapshot.rooms[1].members.iter().map(|one| one.account.0).collect();
        assert_eq!(members, [1]);
    }
}

#[test]
fn what_waits_for_the_closing_itself_does_not_lose_who_is_to_go() {
    let (mut core, den) = crowd(9);
    core.ask_late("ann", close(den));
    // This waits for the entry, and nothing that is proposed stands behind it.
    core.part(1);
    let mut heard = core.commit();
    assert!(core.chat.is_behind(), "it is too long for one command");
    while core.chat.is_behind() {
        heard.extend(core.carry_on());
    }
    let closed = heard.iter().filter(|one| one.ends_with("is closed: Locked")).count();
    assert_eq!(closed, 9, "{heard:#?}");
    let place = |text: &str| heard.iter().position(|one| one.contains(text));
    assert!(place("ann left") < place("is closed: Locked"), "{heard:#?}");
    core.chat.check();
}

#[test]
fn who_comes_back_at_once_stays() {
    let (mut core, den) = crowd(9);
    core.ask_late("ann", close(den));
    core.commit();
    assert!(core.chat.is_busy());
    // Bob comes by the new password, before all of those who are out have heard of it.
    let access = Access::Password { generation: 1 };
    let back = core.ask_late("bob", call::Enter { room: den, access });
    let access = Access::Token { room: den, generation: 1, session: None };
    let late = core.ask_late("", subscribe_with(20, den, access));
    while core.chat.is_behind() {
        core.carry_on();
    }
    let heard = core.settle();
    assert!(matches!(core.answer(back), Some(Ok(Answer::Room(_)))));
    assert_eq!(core.answer(late), Some(Ok(Answer::Done(()))));
    assert!(heard.iter().any(|one| one.starts_with("notified to") && one.contains("den as")));
    while core.chat.is_busy() {
        core.carry_on();
    }
    core.chat.check();
    assert_eq!(core.try_to("bob", call::Members { room: den, after: Place::Present(0) }), Ok(()));
    assert_eq!(core.say(20, "late", "hello"), [""; 0]);
    assert_eq!(core.settle(), ["late said hello as 10 by 20", "to 20: Said(10)"]);
}

#[test]
fn the_end_of_everything_is_no_long_command() {
    let (mut core, _) = crowd(30);
    let mut closed = 0;
    let mut heard = core.give(Command::Close);
    loop {
        let now = heard.iter().filter(|one| one.contains("ShuttingDown")).count();
        assert!(now <= 4, "{heard:?}");
        closed += now;
        if !core.chat.is_busy() {
            break;
        }
        heard = core.carry_on();
    }
    assert_eq!(closed, 1 + 1 + 30);
}
