//! Rooms that close with more people than one command can handle.

use super::*;
use Visibility::{Private, Public};

/// Ann's room with Bob's stream and anonymous clients, in a core with few steps a command.
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
    let settings = Settings::new(TTL_SECS, false);
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
    /// Continues unfinished work, once.
    fn carry_on(&mut self) -> Vec<String> {
        self.give(Command::Continue)
    }
}

#[test]
fn nobody_who_is_out_hears_later_messages() {
    for behind in [false, true] {
        let (mut core, den) = crowd(9);
        core.ask_late("ann", close(den));
        if behind {
            core.say(1, "", "on its way");
        }
        let mut heard = core.commit();
        assert!(core.chat.is_behind() && core.chat.is_busy(), "it is too long for one command");
        assert_eq!(core.say(1, "", "a secret"), [""; 0]);
        // A connection that is about to end sends nothing more, and no answer waits for it.
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
        let place = |text: &str| heard.iter().position(|effect| effect.contains(text));
        let secret = place("a secret").expect("it was said");
        let closed = |effect: &&String| effect.ends_with("is closed: Locked");
        assert_eq!(heard[..secret].iter().filter(closed).count(), 9, "{heard:#?}");
        assert!(place("notified to 65538: gone") < place("ann made the room so"));
        assert!(place("still here").is_none());
        assert_eq!(place("on its way").is_some(), behind);
        core.chat.check();
        let snapshot = core.chat.snapshot();
        let members: Vec<u64> =
            snapshot.rooms[1].members.iter().map(|member| member.account.0).collect();
        assert_eq!(members, [1]);
    }
}

#[test]
fn an_effect_that_waits_for_the_closing_keeps_its_order() {
    let (mut core, den) = crowd(9);
    core.ask_late("ann", close(den));
    // This effect waits for the entry, and no proposal stands behind it.
    core.part(1);
    let mut heard = core.commit();
    assert!(core.chat.is_behind(), "it is too long for one command");
    while core.chat.is_behind() {
        heard.extend(core.carry_on());
    }
    let closed = heard.iter().filter(|effect| effect.ends_with("is closed: Locked")).count();
    assert_eq!(closed, 9, "{heard:#?}");
    let place = |text: &str| heard.iter().position(|effect| effect.contains(text));
    assert!(place("ann left") < place("is closed: Locked"), "{heard:#?}");
    core.chat.check();
}

#[test]
fn a_connection_with_the_new_password_stays() {
    let (mut core, den) = crowd(9);
    core.ask_late("ann", close(den));
    core.commit();
    assert!(core.chat.is_busy());
    // Bob enters with the new password before everybody who is out has heard of it.
    let access = Access::Password { password_generation: 1 };
    let back = core.ask_late("bob", call::Enter { room: den, access });
    let access = Access::Token { room: den, password_generation: 1, session: None };
    let late = core.ask_late("", subscribe_with(20, den, access));
    while core.chat.is_behind() {
        core.carry_on();
    }
    let heard = core.settle();
    assert!(matches!(core.answer(back), Some(Ok(Answer::Room(_)))));
    assert_eq!(core.answer(late), Some(Ok(Answer::Done(()))));
    assert!(
        heard.iter().any(|effect| effect.starts_with("notified to") && effect.contains("den as"))
    );
    while core.chat.is_busy() {
        core.carry_on();
    }
    core.chat.check();
    assert_eq!(core.try_to("bob", call::Members { room: den, after: Place::Present(0) }), Ok(()));
    assert_eq!(core.say(20, "late", "hello"), [""; 0]);
    assert_eq!(core.settle(), ["late said hello as 10 by 20", "to 20: Said(10)"]);
}

#[test]
fn a_shutdown_takes_several_commands() {
    let (mut core, _) = crowd(30);
    let mut closed = 0;
    let mut heard = core.give(Command::Close);
    loop {
        let now = heard.iter().filter(|effect| effect.contains("ShuttingDown")).count();
        assert!(now <= 4, "{heard:?}");
        closed += now;
        if !core.chat.is_busy() {
            break;
        }
        heard = core.carry_on();
    }
    assert_eq!(closed, 1 + 1 + 30);
}

/// Its account belongs to the room no longer, though its other connections have not all heard so.
#[test]
fn a_stream_that_opens_while_a_room_closes_is_not_in_it() {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    let room = core.room("ann", room_settings("Den", Visibility::Public, None));
    for name in ["bob", "cat"] {
        core.ask(name, call::Enter { room, access: Access::Open }).expect("a member");
    }
    core.chat.steps_max = 1;
    let (visibility, password) = (Some(Visibility::Private), Some("hash".into()));
    let change = RoomChange { visibility, password, ..RoomChange::default() };
    let (named, access) = (RoomRef::Id(room), Access::Open);
    core.ask_late("ann", call::ChangeRoom { room: named, access, change, chance: 1 });
    core.commit();
    assert!(core.chat.is_behind(), "it is closing");
    let subscription = SubscriptionId(65_536);
    core.ask_late("cat", call::OpenStream { subscription, protocol: BACK, only: Some(vec![room]) });
    let mut noticed = Vec::new();
    while core.chat.is_busy() {
        noticed.extend(core.give(Command::Continue));
    }
    assert!(noticed.iter().all(|one| !one.contains("65537")), "{noticed:?}");
}
