//! A wall clock that leaps: what follows it, and what does not.

use super::*;
use crate::limits::SESSIONS_PER_ACCOUNT_MAX;

const SIX_HOURS: i64 = 6 * 3_600;

/// The time of the proposal that a command makes.
fn proposed(core: &mut Core, text: &str) -> Time {
    core.say(1, "ann", text);
    let (_, time, _) = core.proposals.front().expect("a proposal");
    let time = *time;
    core.commit();
    time
}

#[test]
fn messages_follow_the_wall_clock_even_back() {
    let mut core = Core::with(&["ann"]);
    core.subscribe(1, "ann").expect("a subscription");
    core.leap_secs = SIX_HOURS;
    assert_eq!(proposed(&mut core, "ahead"), Time(core.now.0 + SIX_HOURS * 1_000_000));
    core.leap_secs = 0;
    core.passes(10);
    assert_eq!(proposed(&mut core, "back"), core.now);
    core.passes(10);
    assert_eq!(proposed(&mut core, "and it moves on"), core.now);
}

#[test]
fn a_session_lives_as_long_as_the_process_has_run() {
    for leap in [SIX_HOURS, -SIX_HOURS] {
        let mut core = Core::with(&["ann"]);
        core.leap_secs = leap;
        core.passes(TTL_SECS - 1);
        core.give(Command::Tick);
        core.settle();
        core.ask("ann", call::Me).expect("her hour is not over, whatever the clock says");
        core.passes(TTL_SECS - 1);
        core.leap_secs = 0;
        core.ask("ann", call::Me).expect("her lifetime starts again with each use");
        core.passes(TTL_SECS);
        core.leap_secs = leap;
        assert_eq!(core.ask("ann", call::Me), Err(Refusal::Unauthenticated), "leap {leap}");
    }
}

#[test]
fn the_last_use_of_a_session_is_shown_by_the_wall_clock() {
    let mut core = Core::with(&["ann"]);
    core.leap_secs = SIX_HOURS;
    core.ask("ann", call::Me).expect("a session");
    core.leap_secs = 0;
    core.passes(60);
    let Ok(Answer::Sessions(sessions)) = core.ask("ann", call::Sessions) else {
        panic!("no sessions");
    };
    assert_eq!((sessions[0].last_used, sessions[0].created), (core.now, NOON));
    assert_eq!(sessions[0].expires, core.now.plus_secs(TTL_SECS));
}

#[test]
fn a_session_that_was_used_in_the_future_does_not_live_until_then() {
    let mut core = Core::with(&["ann"]);
    core.leap_secs = SIX_HOURS;
    core.ask("ann", call::Me).expect("a session");
    let snapshot = core.chat.snapshot();
    assert!(snapshot.sessions[0].last_used > core.now);
    // The server restarts with a corrected clock.
    core.leap_secs = 0;
    let settings = Settings::new(TTL_SECS, false);
    core.chat = Chat::new(settings, snapshot.used_before(core.now));
    core.passes(TTL_SECS);
    assert_eq!(core.ask("ann", call::Me), Err(Refusal::Unauthenticated));
}

#[test]
fn the_longest_unused_session_ends_whatever_the_wall_clock_says() {
    let mut core = Core::with(&["ann"]);
    for number in 1..SESSIONS_PER_ACCOUNT_MAX {
        core.passes(1);
        core.leap_secs = if number == 1 { SIX_HOURS } else { 0 };
        core.ask("", login("ann", &format!("session {number}"))).expect("a session");
    }
    core.ask("ann", call::Me).expect("the first session was used last");
    core.ask("", login("ann", "one more")).expect("a session");
    assert_eq!(core.try_to("session 1", call::Me), Err(Refusal::Unauthenticated));
    for alive in ["ann", "session 2", "one more"] {
        core.ask(alive, call::Me).expect("a session");
    }
}
