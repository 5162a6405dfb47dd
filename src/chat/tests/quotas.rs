//! Quotas: how many lasting items may exist, however slowly they are made.

use std::net::IpAddr;

use super::full::{account, core_from, room};
use super::*;
use crate::limits::rates::SITE_ADDRESSES;
use crate::limits::{
    ACCOUNTS_PER_ADDRESS_MAX, FREE_ROOMS_PER_ADDRESS_MAX, GUESTS_PER_ADDRESS_MAX,
    OWNED_ROOMS_PER_ACCOUNT_MAX, OWNED_ROOMS_PER_GUEST_MAX, ROOMS_PER_GUEST_MAX,
};

fn make(title: &str) -> Call {
    call::MakeRoom { settings: room_settings(title, Visibility::Public, None), chance: 1 }.into()
}

fn from(address: &str) -> Source {
    Source::of(address.parse::<IpAddr>().expect("an address"))
}

/// A core with limits, in which a day passes before each command: no rate limit applies.
fn slow_core() -> Core {
    Core::set(Settings::new(u64::MAX / 4_000_000, true))
}

impl Core {
    /// Calls on a day of its own.
    fn on_a_day(&mut self, who: &str, call: impl Into<Call>) -> Result<(), Refusal> {
        self.passes(24 * 3_600);
        self.try_to(who, call)
    }
}

#[test]
fn rooms_that_one_owns_count_though_one_has_left_them() {
    for guest in [false, true] {
        let mut core = core_from(&["ann"], |_| {});
        let (who, max) = if guest {
            core.ask("", be_guest("zoe")).expect("a guest");
            ("zoe", OWNED_ROOMS_PER_GUEST_MAX)
        } else {
            ("ann", OWNED_ROOMS_PER_ACCOUNT_MAX)
        };
        core.checks = false;
        let rooms: Vec<RoomId> = (0..max - 1)
            .map(|number| {
                let room = core
                    .room(who, room_settings(&format!("room {number}"), Visibility::Public, None));
                core.ask(who, call::Exit { room }).expect("out");
                room
            })
            .collect();
        // The last room counts while it is pending, and not after a failure.
        core.ask_late(who, make("the last"));
        assert_eq!(core.try_to(who, make("one more")), Err(Refusal::QuotaReached));
        core.ask_late(who, make("lost"));
        core.settle();
        assert_eq!(core.try_to(who, make("one more")), Err(Refusal::QuotaReached));
        // A deleted room does not count, and can be restored only below the limit.
        let remove = call::RemoveRoom { room: RoomRef::Id(rooms[0]), access: Access::Open };
        core.ask(who, remove).expect("gone");
        let lost = core.ask_late(who, make("lost"));
        core.fail();
        assert_eq!(core.answer(lost), Some(Err(Refusal::Unavailable)));
        assert_eq!(core.try_to(who, make("one more")), Ok(()));
        let restore = call::RestoreRoom { room: rooms[0], title: None };
        assert_eq!(core.try_to(who, restore), Err(Refusal::QuotaReached));
        core.chat.check();
    }
}

#[test]
fn a_guest_is_in_fewer_rooms() {
    let mut core = core_from(&["ann"], |snapshot| {
        let mut guest = account(2);
        (guest.key, guest.name) = (None, name("zoe"));
        let mut session = snapshot.sessions[0].clone();
        (session.id, session.account, session.key) = (SessionId(9), AccountId(2), key("zoe"));
        snapshot.accounts.push(guest);
        snapshot.sessions.push(session);
        let more = 2..2 + ROOMS_PER_GUEST_MAX as u64 - 1;
        snapshot.rooms.extend(more.map(|id| room(id, &[AccountId(2)])));
        snapshot.rooms.extend([5_000, 5_001].map(|id| room(id, &[])));
    });
    let enter = |room| call::Enter { room: RoomId(room), access: Access::Open };
    assert_eq!(core.try_to("zoe", enter(5_000)), Ok(()));
    assert_eq!(core.try_to("zoe", enter(5_001)), Err(Refusal::QuotaReached));
    assert_eq!(core.try_to("ann", enter(5_001)), Ok(()));
}

#[test]
fn what_an_address_has_made_counts_as_long_as_it_is_there() {
    let mut core = slow_core();
    (core.source, core.checks) = (from("203.0.113.7"), false);
    for number in 0..FREE_ROOMS_PER_ADDRESS_MAX {
        assert_eq!(core.on_a_day("", make(&format!("room {number}"))), Ok(()));
    }
    assert_eq!(core.on_a_day("", make("one more")), Err(Refusal::QuotaReached));
    for other in ["203.0.113.8", "127.0.0.1"] {
        core.source = from(other);
        assert_eq!(core.on_a_day("", make(&format!("of {other}"))), Ok(()), "{other}");
    }
    core.source = from("203.0.113.7");
    // A refused or failed entry does not count.
    let remove = call::RemoveRoom { room: RoomRef::Id(RoomId(2)), access: Access::Open };
    assert_eq!(core.on_a_day("", remove), Ok(()));
    let lost = core.ask_late("", make("lost"));
    core.fail();
    assert_eq!(core.answer(lost), Some(Err(Refusal::Unavailable)));
    assert_eq!(core.on_a_day("", make("one more")), Ok(()));
    assert_eq!(core.on_a_day("", make("another")), Err(Refusal::QuotaReached));
    core.chat.check();
}

#[test]
fn guests_and_accounts_count_for_networks_and_for_wider_ones_more_loosely() {
    let mut core = slow_core();
    core.checks = false;
    let place = |network: usize| from(&format!("2001:db8:1:{network:x}::1"));
    let mut number = 0;
    let mut guests = |core: &mut Core, count: usize| {
        for _ in 0..count {
            number += 1;
            core.on_a_day("", be_guest(&format!("guest {number}")))?;
        }
        Ok(())
    };
    core.source = place(1);
    assert_eq!(guests(&mut core, GUESTS_PER_ADDRESS_MAX), Ok(()));
    assert_eq!(guests(&mut core, 1), Err(Refusal::QuotaReached));
    // An account that ends frees its share.
    core.on_a_day("guest 1", call::Logout).expect("out");
    core.settle();
    assert_eq!(guests(&mut core, 1), Ok(()));
    assert_eq!(guests(&mut core, 1), Err(Refusal::QuotaReached));
    for network in 2..=SITE_ADDRESSES as usize {
        core.source = place(network);
        assert_eq!(guests(&mut core, GUESTS_PER_ADDRESS_MAX), Ok(()), "{network}");
    }
    core.source = place(99);
    assert_eq!(guests(&mut core, 1), Err(Refusal::QuotaReached), "the whole site is full");
    let register = |number: usize| {
        let name = format!("n{number}");
        call::Register { key: key(&name), name: name.into(), invitation: None }
    };
    for number in 0..ACCOUNTS_PER_ADDRESS_MAX {
        assert_eq!(core.on_a_day("", register(number)), Ok(()));
    }
    assert_eq!(core.on_a_day("", register(99_999)), Err(Refusal::QuotaReached));
    core.source = place(98);
    assert_eq!(core.on_a_day("", register(99_999)), Ok(()));
    core.chat.check();
}
