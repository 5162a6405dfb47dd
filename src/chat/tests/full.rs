//! Limits of the tables: a call beyond a limit is refused, and nothing is proposed.

use super::*;
use crate::limits::{
    ACCOUNTS_MAX, DIRECT_ROOMS_PER_ACCOUNT_MAX, MEMBERS_MAX, ROOMS_MAX, ROOMS_PER_ACCOUNT_MAX,
};

/// A core that starts from another's state, with manual changes.
pub(super) fn core_from(people: &[&str], change: impl FnOnce(&mut Snapshot)) -> Core {
    let mut core = Core::with(people);
    let mut snapshot = core.chat.snapshot();
    change(&mut snapshot);
    core.chat = Chat::new(Settings::new(TTL_SECS, false), snapshot);
    core
}

pub(super) fn account(id: u64) -> Account {
    let (id, name, created) = (AccountId(id), name(&format!("n{id}")), NOON);
    Account {
        id,
        key: Some(key(name.as_str())),
        name,
        color: None,
        created,
        role: None,
        banned: false,
    }
}

pub(super) fn room(id: u64, members: &[AccountId]) -> RoomRecord {
    let (since, read) = (Seq(1), Seq(1));
    let member =
        |account: &AccountId| MemberRecord { account: *account, since, read, horizon: Seq(0) };
    RoomRecord {
        id: RoomId(id),
        owner: None,
        settings: room_settings(&format!("room {id}"), Visibility::Public, None),
        password_generation: 0,
        created: NOON,
        updated: NOON,
        between: None,
        members: members.iter().map(member).collect(),
        last: Seq(0),
        link: None,
        opened: Seq(1),
        orphaned: false,
        moderation: None,
    }
}

fn make_room() -> Call {
    call::MakeRoom { settings: room_settings("one more", Visibility::Public, None), chance: 1 }
        .into()
}

fn enter_room(room: u64) -> Call {
    call::Enter { room: RoomId(room), access: Access::Open }.into()
}

#[test]
fn members_of_a_room() {
    let mut core = core_from(&["ann", "bob"], |snapshot| {
        let crowd = 10..10 + MEMBERS_MAX as u64 - 1;
        let accounts: Vec<AccountId> = crowd.clone().map(AccountId).collect();
        snapshot.accounts.extend(crowd.map(account));
        snapshot.rooms.push(room(2, &accounts));
    });
    // The last place is reserved while it is pending.
    let first = core.ask_late("ann", enter_room(2));
    assert_eq!(core.try_to("bob", enter_room(2)), Err(Refusal::Full));
    assert!(matches!(core.answer(first), Some(Ok(Answer::Room(_)))));
    assert_eq!(core.try_to("bob", enter_room(2)), Err(Refusal::Full));
    assert_eq!(core.try_to("ann", enter_room(2)), Ok(()), "she is a member already");
    core.ask("ann", call::Exit { room: RoomId(2) }).expect("out");
    assert_eq!(core.try_to("bob", enter_room(2)), Ok(()));
}

#[test]
fn rooms_of_an_account() {
    let mut core = core_from(&["ann", "bob"], |snapshot| {
        let more = 2..1 + ROOMS_PER_ACCOUNT_MAX as u64; // And the lobby.
        snapshot.rooms.extend(more.map(|id| room(id, &[AccountId(1)])));
        snapshot.rooms.push(room(5_000, &[]));
    });
    for call in [enter_room(5_000), make_room()] {
        assert_eq!(core.try_to("ann", call.clone()), Err(Refusal::QuotaReached), "{call:?}");
    }
    let direct = call::Direct { name: "ann".into(), chance: 1 };
    assert_eq!(core.try_to("bob", direct), Ok(()), "others can open a room with her");
    core.ask("ann", call::Exit { room: RoomId(2) }).expect("out");
    core.ask_late("ann", enter_room(5_000));
    core.ask_late("ann", make_room());
    core.settle();
    assert_eq!(core.try_to("ann", enter_room(2)), Err(Refusal::QuotaReached));
}

/// A room for two, opened by the first.
fn room_of(id: u64, between: [u64; 2]) -> RoomRecord {
    let (between, id) = (between.map(AccountId), RoomId(id));
    let settings = RoomSettings::of_direct(id);
    RoomRecord { id, settings, between: Some(between), opened: Seq(0), ..room(id.0, &between) }
}

#[test]
fn rooms_for_two_count_for_who_opened_them() {
    let (max, strangers) = (DIRECT_ROOMS_PER_ACCOUNT_MAX as u64, ROOMS_PER_ACCOUNT_MAX as u64);
    let mut core = core_from(&["ann", "bob", "cat"], |snapshot| {
        let last = 10 + strangers + max;
        snapshot.accounts.extend((10..last).map(account));
        // Strangers have opened as many rooms with Ann as the tables hold, and Bob has opened
        // as many as he may.
        snapshot.rooms.extend((10..10 + strangers).map(|id| room_of(id, [id, 1])));
        snapshot.rooms.extend((10 + strangers..last - 1).map(|id| room_of(id, [2, id])));
        snapshot.rooms.push(room(5_000, &[]));
    });
    let direct = |name: &str, chance| Call::from(call::Direct { name: name.into(), chance });
    for call in [enter_room(5_000), make_room(), direct("cat", 1)] {
        assert_eq!(core.try_to("ann", call.clone()), Ok(()), "{call:?}");
    }
    // The last room that Bob may open counts while it is pending.
    let last = core.ask_late("bob", direct("cat", 2));
    assert_eq!(core.try_to("bob", direct("ann", 3)), Err(Refusal::QuotaReached));
    assert!(matches!(core.answer(last), Some(Ok(Answer::Direct(DirectRoom { made: true, .. })))));
    assert_eq!(core.try_to("bob", direct("ann", 3)), Err(Refusal::QuotaReached));
    assert_eq!(core.try_to("bob", direct("cat", 3)), Ok(()), "this room exists");
    assert_eq!(core.try_to("ann", direct("bob", 3)), Ok(()), "others can open a room with him");
}

#[test]
fn rooms_and_accounts() {
    let mut core = core_from(&["ann", "bob"], |snapshot| {
        snapshot.rooms.extend((2..=ROOMS_MAX as u64).map(|id| room(id, &[])));
    });
    assert_eq!(core.try_to("ann", make_room()), Err(Refusal::Full));
    assert_eq!(
        core.try_to("", call::Direct { name: "bob".into(), chance: 1 }),
        Err(Refusal::Unauthenticated)
    );
    assert_eq!(
        core.try_to("ann", call::Direct { name: "bob".into(), chance: 1 }),
        Err(Refusal::Full)
    );
    let mut core = core_from(&["ann"], |snapshot| {
        snapshot.accounts.extend((2..=ACCOUNTS_MAX as u64).map(account));
    });
    assert_eq!(core.register("bob"), Err(Refusal::Full));
    assert_eq!(core.try_to("", be_guest("zoe")), Err(Refusal::Full));
}
