//! What is said, changed, taken back and marked; and what the log may refuse.

use super::*;

#[test]
fn only_members_speak_and_a_client_id_is_used_once() {
    let mut core = Core::with(&["ann", "bob"]);
    let den = core.room("ann", room_settings("den", Visibility::Public, None));
    let send = || {
        let (text, client_id) = ("hi".into(), ClientId::new("a"));
        call::Act(Action::Send { room: den, text, client_id, reply_to: None })
    };
    assert_eq!(core.try_to("bob", send()), Err(Refusal::NotMember));
    let time = core.now;
    let by = || Author { account: Some(AccountId(1)), name: name("ann") };
    let acted = |seq, repeated| {
        let (by, calls) = (by(), Box::default());
        Some(Ok(Answer::Acted(Acted { seq: Seq(seq), time, repeated, by, color: None, calls })))
    };
    let ask = core.ask_late("ann", send());
    assert_eq!(core.commit(), ["ann said hi as 7"]);
    assert_eq!(core.answer(ask), acted(7, false));
    for (same, expected) in [(true, acted(7, true)), (false, Some(Err(Refusal::ClientIdReused)))] {
        let ask = core.ask_late("ann", send());
        let (ticket, time, entry) = core.proposals.pop_front().expect("a proposal");
        let heard = core.give(Command::Repeated { ticket, entry, seq: Seq(7), time, same });
        assert!(heard.is_empty(), "nothing is announced");
        assert_eq!(core.answer(ask), expected);
    }
}

/// Whose a message is, the log knows; who is let through to it, and as what, is the core's to say.
#[test]
fn who_may_edit_take_back_and_reaction() {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    let open = core.room("ann", room_settings("open", Visibility::Public, None));
    let dark = core.room("ann", room_settings("dark", Visibility::Hidden, Some("hash")));
    for room in [open, dark] {
        core.ask("bob", call::Enter { room, access: token(room, 0) }).expect("a member");
    }
    let pair = core.ask("ann", call::Direct { name: "bob".into(), chance: 1 });
    core.ask("bob", call::Direct { name: "ann".into(), chance: 1 }).expect("he is in it, too");
    let Ok(Answer::Direct(DirectRoom { room: pair, .. })) = pair else { panic!("no room for two") };
    let (pair, target) = (pair.id, Seq(99));
    let emoji = Emoji::new("👍").expect("a reaction");
    // (room, who, what comes of it: refused, or let through, as the room's owner or not)
    let cases = [
        (LOBBY, "ann", Ok(false)),
        (open, "ann", Ok(true)),
        (open, "ann!", Ok(true)),
        (open, "bob", Ok(false)),
        (open, "cat", Err(Refusal::NotMember)),
        (open, "", Err(Refusal::Unauthenticated)),
        (dark, "ann", Ok(true)),
        (dark, "bob", Ok(false)),
        (dark, "cat", Err(Refusal::RoomNotFound)),
        (pair, "ann", Ok(false)),
        (pair, "bob", Ok(false)),
        (pair, "cat", Err(Refusal::RoomNotFound)),
        (RoomId(99), "ann", Err(Refusal::RoomNotFound)),
    ];
    for (room, who, expected) in cases {
        let actions = [
            Action::Edit { room, target, text: "other".into() },
            Action::Delete { room, target },
            Action::React { room, target, emoji: emoji.clone(), on: true },
        ];
        for action in actions {
            let ask = core.ask_late(who, call::Act(action.clone()));
            let proposed = core.proposals.back().map(|(_, _, entry)| entry.clone());
            let found = match core.answer(ask) {
                Some(answer) => Err(answer.expect_err("only the log can accept")),
                None => Ok(match proposed.expect("an entry") {
                    Entry::Deleted { as_owner, .. } => as_owner,
                    Entry::Edited { .. } | Entry::Reacted { .. } => expected == Ok(true),
                    other => panic!("{other:?}"),
                }),
            };
            assert_eq!(found, expected, "{who:?} {action:?}");
            core.settle();
        }
    }
}
