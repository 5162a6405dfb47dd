//! What is said, changed, taken back and marked; and what the log may refuse.

use super::*;

#[test]
fn only_members_speak_and_a_client_id_is_used_once() {
    let mut core = Core::with(&["ann", "bob"]);
    let den = core.room("ann", facts("den", Visibility::Public, None));
    let send = || {
        let (text, client_id) = ("hi".into(), ClientId::new("a"));
        Ask::Act(Action::Send { room: den, text, client_id, reply_to: None })
    };
    assert_eq!(core.try_to("bob", send()), Err(Refusal::Forbidden));
    let time = core.now;
    let acted = |seq, repeated| Some(Ok(Answer::Acted { seq: Seq(seq), time, repeated }));
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
