//! Rate limits: ordinary use passes, expensive use is refused.

use std::net::Ipv4Addr;

use super::*;
use crate::limits::rates::{self, Rate, Rates};

fn limited(people: &[&str]) -> Core {
    let mut core = Core::set(Settings::new(TTL_SECS, true));
    core.checks = false; // They are too slow for this many commands and people.
    for person in people {
        core.register(person).expect("an account");
        core.login(person).expect("a login");
    }
    core
}

fn from(number: u8) -> Source {
    Source::of(Ipv4Addr::new(203, 0, 113, number).into())
}

fn person(rates: Rates) -> Rate {
    rates.person.expect("a person has such a bucket")
}

fn message(room: RoomId, text: &str) -> Call {
    let text = text.into();
    call::Act(Action::Send { room, text, client_id: None, reply_to: None }).into()
}

/// How many times in a row an action is accepted, and when the next one would be.
fn lasts(core: &mut Core, who: &str, call: impl Into<Call>) -> (u64, u32) {
    let call = call.into();
    for count in 0..100_000 {
        match core.ask(who, call.clone()) {
            Ok(_) => {}
            Err(Refusal::RateLimited { retry_after_ms }) => return (count, retry_after_ms),
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("{who} is not limited: {call:?}");
}

#[test]
fn a_bot_says_twenty_lines_a_second_for_a_day() {
    let mut core = limited(&["bot"]);
    let room = core.room("bot", room_settings("Lines", Visibility::Public, None));
    let line = "the quick brown fox jumps over the lazy dog, and then it does so again";
    for second in 0..24 * 3_600 {
        for _ in 0..20 {
            core.try_to("bot", message(room, line)).expect("it is taken");
        }
        core.passes(1);
        // The whole day would take minutes here: the test checks its end, by the day's bytes.
        if second == 600 {
            break;
        }
    }
    let day = 24 * 3_600 * 20 * (line.len() as u64 + rates::ENTRY_BYTES);
    let rate = person(rates::DAY_BYTES);
    assert!(day < rate.burst + 24 * 3_600 * 1_000_000_000 / rate.every_nanos);
}

#[test]
fn conversations_pastes_and_crowds_pass() {
    let names: Vec<String> = (0..1_000).map(|index| format!("ann{index}")).collect();
    let people: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut core = limited(&people);
    // All arrive at once, from one address, as after a restart of the server; each sends a message,
    // and adds a reaction to the first one.
    core.source = from(1);
    for (index, person) in people.iter().enumerate() {
        core.try_to(person, enter(index as u64 + 1, FRONT)).expect("a subscription");
        core.try_to(person, message(LOBBY, "hello")).expect("it is taken");
        let emoji = Emoji::new("👍").expect("an emoji");
        let react = Action::React { room: LOBBY, target: Seq(2_500), emoji, on: true };
        core.try_to(person, call::Act(react)).expect("it is taken");
    }
    // A lively conversation of a hundred people, each of whom pastes ten long lines now and then.
    for minute in 0..10 {
        for (index, person) in people.iter().take(100).enumerate() {
            for line in 0..if index % 10 == minute { 10 } else { 6 } {
                let text = format!("{line} {}", "a long line ".repeat(20));
                core.try_to(person, message(LOBBY, &text)).expect("it is taken");
            }
        }
        core.passes(60);
    }
}

#[test]
fn one_person_is_limited_through_all_protocols_together() {
    let mut core = limited(&["ann", "bob"]);
    core.subscribe(1, "ann").expect("a subscription");
    let most = person(rates::MESSAGE).burst;
    for _ in 0..most / 2 {
        core.say(1, "ann", "hi");
        core.try_to("ann", message(LOBBY, "hi")).expect("it is taken");
    }
    core.settle();
    let refused = core.say(1, "ann", "hi");
    assert_eq!(refused, ["to 1: no, RateLimited { retry_after_ms: 25 }"]);
    let refused = core.try_to("ann", message(LOBBY, "hi"));
    assert_eq!(refused, Err(Refusal::RateLimited { retry_after_ms: 25 }));
    core.try_to("bob", message(LOBBY, "hi")).expect("others go on");
    core.passes(1);
    assert_eq!(lasts(&mut core, "ann", message(LOBBY, "hi")), (40, 25));
}

#[test]
fn the_bytes_of_a_persons_messages_are_limited() {
    let mut core = limited(&["ann"]);
    core.ask("", be_guest("gus")).expect("a guest");
    let long = "x".repeat(4_000);
    let (ann, _) = lasts(&mut core, "ann", message(LOBBY, &long));
    let (gus, wait) = lasts(&mut core, "gus", message(LOBBY, &long));
    assert_eq!(ann, person(rates::BYTES).burst / (4_000 + rates::ENTRY_BYTES));
    assert!(gus * 4_000 < 128 * 1_024 && (1..=1_000).contains(&wait), "{gus} {wait}");
    core.passes(1);
    assert!(lasts(&mut core, "gus", message(LOBBY, &long)).0 <= 2);
    // A guest who sends for days gets no more than a day's bytes in a day.
    let mut bytes = 0;
    for _ in 0..3 * 24 * 60 {
        core.passes(60);
        core.try_to("gus", call::Me).expect("a session in use");
        bytes += 4_064 * lasts(&mut core, "gus", message(LOBBY, &long)).0;
    }
    assert!(bytes < 5 * 32 * 1_024 * 1_024 / 2 + 128 * 1_024, "{bytes} in three days");
}

#[test]
fn joins_and_parts_are_limited_before_they_are_announced() {
    let mut core = limited(&[]);
    core.try_to("", subscribe(1, LOBBY)).expect("a subscription");
    let mut told = 0;
    for second in 0..100 {
        for _ in 0..100 {
            told += core.join(1, "Gus").len() + core.part(1).len();
        }
        told -= 200; // Each has a reply.
        core.passes(u64::from(second % 2 == 0));
    }
    assert!((20..=60).contains(&told), "{told} of 20,000");
    core.leave(1);
}

#[test]
fn a_connection_without_an_account_is_limited_by_itself() {
    let mut core = limited(&[]);
    core.try_to("", subscribe(1, LOBBY)).expect("a subscription");
    core.try_to("", subscribe(2, LOBBY)).expect("a subscription");
    let limit = |noticed: &[String]| noticed.iter().any(|notice| notice.contains("RateLimited"));
    let mut count = 0;
    while !limit(&core.say(1, "Gus", "hi")) {
        core.settle();
        count += 1;
    }
    assert_eq!(count, rates::MESSAGE.connection.expect("a bucket").burst);
    assert!(!limit(&core.say(2, "Zoe", "hi")), "another connection continues");
    core.settle();
    // A malformed tell counts, too.
    let mut count = 0;
    while !limit(&core.tell(2, ClientEvent::garbled(Refusal::NameMissing))) {
        count += 1;
    }
    assert!(count < rates::CLIENT_EVENT.connection.expect("a bucket").burst, "{count}");
}

#[test]
fn an_address_is_limited_for_all_its_clients() {
    let mut core = limited(&[]);
    core.source = from(1);
    let (mut made, mut index) = (0, 0);
    let mut make = |core: &mut Core| {
        index += 1;
        core.try_to(
            "",
            call::Register { name: format!("ann{index}").into(), key: [0; 32], invitation: None },
        )
    };
    let of_keys = |core: &mut Core, result| match result {
        Err(Refusal::RateLimited { .. }) => false,
        _ => {
            core.passes(0);
            true
        }
    };
    loop {
        let result = make(&mut core);
        if !of_keys(&mut core, result) {
            break;
        }
        made += 1;
    }
    assert_eq!(made, rates::MAKE.address.expect("a bucket").burst);
    core.source = from(2);
    assert!(
        !matches!(make(&mut core), Err(Refusal::RateLimited { .. })),
        "other addresses continue"
    );
    core.source = Source::Unknown;
    assert!(!matches!(make(&mut core), Err(Refusal::RateLimited { .. })));
    // In one day it makes no more than a day's number.
    core.source = from(1);
    for _ in 0..24 * 60 {
        core.passes(60);
        while !matches!(make(&mut core), Err(Refusal::RateLimited { .. })) {
            made += 1;
        }
    }
    assert!(made <= 1_010, "{made} in a day");
}

#[test]
fn networks_of_one_site_count_together() {
    let mut core = limited(&[]);
    let mut made = 0;
    for network in 0..10_000_u128 {
        let ip = std::net::Ipv6Addr::from_bits((0x2001_0db8_0001 << 80) | (network << 64) | 1);
        core.source = Source::of(ip.into());
        let name = format!("ann{network}");
        let key = key(&name);
        match core.try_to("", call::Register { name: name.into(), key, invitation: None }) {
            Ok(()) => made += 1,
            Err(refusal) => assert!(matches!(refusal, Refusal::RateLimited { .. })),
        }
    }
    let most = rates::MAKE.address.expect("a bucket").burst * rates::SITE_ADDRESSES;
    assert_eq!(made, most);
}

#[test]
fn marks_typing_searches_and_streams() {
    let mut core = limited(&["ann"]);
    for (call, rates) in [
        (Call::from(call::Search), rates::SEARCH),
        (call::Read { room: LOBBY, seq: Seq(1) }.into(), rates::MARK),
        (call::Me.into(), rates::CALL),
    ] {
        core.passes(60);
        assert_eq!(lasts(&mut core, "ann", call.clone()).0, person(rates).burst, "{call:?}");
    }
    core.passes(60);
    let mut opened = 0;
    while core.try_to("ann", subscribe(1_000 + opened, LOBBY)) == Ok(()) {
        core.leave(1_000 + opened);
        opened += 1;
    }
    assert_eq!(opened, person(rates::OPEN).burst);
    core.passes(60);
    let base = 65_536;
    let follow =
        call::OpenStream { subscription: SubscriptionId(base), protocol: BACK, only: None };
    core.try_to("ann", follow).expect("a stream");
    let types = ClientEvent::Stream(StreamEvent::Typing { room: LOBBY });
    let told = (0..100).map(|_| core.tell(base, types.clone()));
    let told: Vec<String> = told.flatten().filter(|notice| notice.contains("types")).collect();
    assert_eq!(told.len() as u64, person(rates::TYPING).burst);
}

#[test]
fn calls_of_the_server_itself_are_free() {
    let mut core = limited(&["ann"]);
    core.source = Source::Own;
    for _ in 0..2 * person(rates::CALL).burst {
        core.try_to("ann", call::Me).expect("an answer");
    }
}

#[test]
fn a_room_at_which_many_guess_still_admits_the_right_password() {
    let mut core = limited(&["ann", "bob"]);
    let den = core.room("ann", room_settings("Den", Visibility::Private, Some("hash")));
    let room = || RoomRef::Id(den);
    // One address has its attempts, and no more.
    core.source = from(1);
    let guess = call::Guess { room: room() };
    assert_eq!(lasts(&mut core, "", guess.clone()), (60, 6_000));
    // A neighbour's account has attempts of its own; so has every other address.
    core.try_to("bob", guess.clone()).expect("a try");
    core.try_to("bob", call::Guessed { room: room() }).expect("it was right");
    // Many addresses guess: from then on each has few attempts.
    for address in 2..=255 {
        core.source = from(address);
        let tries = lasts(&mut core, "", guess.clone()).0;
        let few = rates::GUESS_WARY.address.expect("a bucket").burst;
        assert!(tries == 60 || tries <= 60 && address >= 5, "{tries} from {address}");
        assert!(address < 10 || tries == few, "{tries} from {address}");
    }
    // A client with the password gets in, from any address that has not guessed.
    core.source = Source::of(Ipv4Addr::new(198, 51, 100, 1).into());
    for who in ["", "ann", "bob"] {
        core.try_to(who, guess.clone()).expect("a try");
        core.try_to(who, call::Guessed { room: room() }).expect("it was right");
    }
    // Right passwords do not count.
    for _ in 0..200 {
        core.try_to("bob", guess.clone()).expect("a try");
        core.try_to("bob", call::Guessed { room: room() }).expect("it was right");
    }
    // A missing room counts for the caller.
    core.source = Source::of(Ipv4Addr::new(198, 51, 100, 2).into());
    let nowhere = call::Guess { room: RoomRef::Id(RoomId(99)) };
    assert_eq!(lasts(&mut core, "", nowhere.clone()).0, 60);
}

#[test]
fn with_little_disk_space_guests_are_refused_first_and_then_everybody() {
    let mut core = Core::with(&["ann"]);
    core.ask("", be_guest("gus")).expect("a guest");
    core.subscribe(1, "ann").expect("a subscription");
    core.try_to("", subscribe(2, LOBBY)).expect("a subscription");
    let said = core.ask("ann", message(LOBBY, "before"));
    let Ok(Answer::Acted(Acted { seq: target, .. })) = said else { panic!("{said:?}") };
    let register =
        |name: &str| call::Register { name: name.into(), key: key(name), invitation: None };
    let delete = call::Act(Action::Delete { room: LOBBY, target });
    let no = Err(Refusal::NoSpace);
    core.give(Command::Space(Space::Little));
    assert_eq!(core.try_to("gus", message(LOBBY, "hi")), no);
    assert_eq!(core.try_to("", be_guest("zoe")), no);
    assert_eq!(core.try_to("", register("zoe")), no);
    assert_eq!(core.say(2, "Bo", "hi"), ["to 2: no, NoSpace"]);
    assert_eq!(core.try_to("ann", message(LOBBY, "hi")), Ok(()));
    assert_eq!(core.try_to("", call::Space), Ok(()));
    core.give(Command::Space(Space::Least));
    assert_eq!(core.try_to("", call::Space), no);
    assert_eq!(core.try_to("ann", message(LOBBY, "hi")), no);
    assert_eq!(core.say(1, "ann", "hi"), ["to 1: no, NoSpace"]);
    let make =
        call::MakeRoom { settings: room_settings("Den", Visibility::Public, None), chance: 1 };
    assert_eq!(core.try_to("ann", make), no);
    let edit = Action::Edit { room: LOBBY, target, text: "after".into() };
    assert_eq!(core.try_to("ann", call::Act(edit)), no);
    // A person who frees space can log in and delete messages; reading continues.
    core.try_to("", login("ann", "ann2")).expect("a login");
    core.try_to("ann2", delete).expect("it is taken back");
    core.try_to("ann2", call::Exit { room: LOBBY }).expect("a way out");
    core.try_to("ann2", call::Logout).expect("an end");
    core.try_to("gus", call::Me).expect("an answer");
    core.give(Command::Space(Space::Enough));
    assert_eq!(core.try_to("gus", message(LOBBY, "hi")), Ok(()));
}
