//! Deleted rooms, which their owner can restore.

use super::full::{account, core_from, room};
use super::*;
use crate::limits::{
    DELETED_MEMBERS_MAX, DELETED_ROOM_TTL_SECS, DELETED_ROOMS_MAX, DELETED_ROOMS_PER_OWNER_MAX,
    MEMBERS_MAX, RETAIN_WAIT_MS, ROOMS_MAX, ROOMS_PER_ACCOUNT_MAX,
};
use Visibility::{Hidden, Public};

fn remove(room: RoomId) -> Call {
    call::RemoveRoom { room: RoomRef::Id(room), access: Access::Open }.into()
}

fn restore(room: RoomId) -> Call {
    call::RestoreRoom { room, title: None }.into()
}

impl Core {
    /// The titles of the caller's deleted rooms, each with its deadline.
    fn deleted(&mut self, who: &str) -> Vec<(String, Time)> {
        let Ok(Answer::Deleted(rooms)) = self.ask(who, call::Deleted) else { panic!("no list") };
        rooms
            .into_iter()
            .map(|deleted| (deleted.title.as_str().to_owned(), deleted.until))
            .collect()
    }

    /// Time passes, and Ann logs in again.
    fn come_again(&mut self) {
        self.give(Command::Tick);
        self.settle();
        self.login("ann").expect("a login");
    }

    fn kept(&self) -> Vec<u64> {
        self.chat.snapshot().deleted.iter().map(|deleted| deleted.room.id.0).collect()
    }

    fn titles(&mut self, who: &str) -> Vec<String> {
        self.deleted(who).into_iter().map(|(title, _)| title).collect()
    }
}

#[test]
fn a_deleted_room_returns_with_all_that_it_had() {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    let den = core.room("ann", room_settings("den", Hidden, Some("hash")));
    for who in ["bob", "cat"] {
        let access = Access::Password { password_generation: 0 };
        core.ask(who, call::Enter { room: den, access }).expect("a member");
    }
    let (text, client_id, reply_to) = ("hello".into(), None, None);
    let send = Action::Send { room: den, text, client_id, reply_to };
    let Ok(Answer::Acted(Acted { seq, .. })) = core.ask("bob", call::Act(send)) else {
        panic!("not said")
    };
    core.ask("cat", call::Read { room: den, seq }).expect("read");
    let before = core.chat.snapshot();
    core.ask("ann", remove(den)).expect("gone");
    let until = core.now.plus_secs(DELETED_ROOM_TTL_SECS);
    assert_eq!(core.deleted("ann"), [("den".to_owned(), until)]);
    for who in ["ann", "bob", "cat", ""] {
        let find = call::Room { room: RoomRef::Id(den), access: token(den, 0) };
        assert_eq!(core.ask(who, find), Err(Refusal::RoomNotFound), "{who}");
    }
    for who in ["bob", "cat"] {
        assert!(core.deleted(who).is_empty());
        assert_eq!(
            core.ask(who, restore(den)),
            Err(Refusal::RoomNotFound),
            "{who} is not its owner"
        );
    }
    assert_eq!(core.ask("", restore(den)), Err(Refusal::Unauthenticated));
    let Ok(Answer::Room(info)) = core.ask("ann", restore(den)) else { panic!("not back") };
    assert_eq!((info.id, info.title.as_str(), info.last), (den, "den", seq));
    let after = core.chat.snapshot();
    let whole = |snapshot: &Snapshot| {
        let room = &snapshot.rooms[1];
        let read = room.members.iter().map(|member| (member.account, member.read, member.horizon));
        (
            room.settings.clone(),
            room.password_generation,
            read.collect::<Vec<_>>(),
            snapshot.spent_rooms.clone(),
        )
    };
    assert_eq!(whole(&after), whole(&before));
    assert!(after.deleted.is_empty() && core.deleted("ann").is_empty());
    assert_eq!(core.ask("ann", restore(den)), Err(Refusal::RoomNotFound), "it is restored already");
    assert_eq!(core.try_to("cat", call::View { room: den }), Ok(()));
}

#[test]
fn its_members_hear_it_again_but_not_accounts_that_are_gone() {
    let mut core = Core::with(&["ann", "bob"]);
    let den = core.room("ann", room_settings("den", Public, None));
    core.ask("", be_guest("zoe")).expect("a guest");
    for who in ["bob", "zoe"] {
        core.ask(who, call::Enter { room: den, access: Access::Open }).expect("a member");
    }
    let follow = |subscription| call::OpenStream {
        subscription: SubscriptionId(subscription),
        protocol: BACK,
        only: None,
    };
    core.ask("bob", follow(1 << 16)).expect("a stream");
    core.ask("ann", call::Exit { room: den }).expect("out");
    core.ask("ann", remove(den)).expect("gone");
    core.ask("zoe", call::Logout).expect("she ends");
    core.settle();
    core.ask_late("ann", restore(den));
    let heard = core.settle();
    let subscription = (1 << 16) + 3;
    let expected = [
        format!("{subscription} hears room {den}"),
        format!("notified to {subscription}: den as {}", core.seq),
        format!("bob joined by {subscription}"),
    ];
    assert_eq!(heard, expected);
    let snapshot = core.chat.snapshot();
    let members: Vec<u64> =
        snapshot.rooms[1].members.iter().map(|member| member.account.0).collect();
    assert_eq!(members, [1, 2], "its owner is a member again");
}

#[test]
fn a_title_that_another_room_has_taken() {
    let mut core = Core::with(&["ann", "bob"]);
    let den = core.room("ann", room_settings("den", Public, None));
    core.ask("ann", remove(den)).expect("gone");
    let other = core.room("bob", room_settings("DEN", Public, None));
    assert_eq!(core.ask("ann", restore(den)), Err(Refusal::TitleTaken));
    let named = |title| call::RestoreRoom { room: den, title: Title::new(title) };
    assert_eq!(core.ask("ann", named("Den")), Err(Refusal::TitleTaken));
    // Two calls at once: the second finds the room restored.
    let late = [core.ask_late("ann", named("attic")), core.ask_late("ann", named("cellar"))];
    let taken = core.ask_late(
        "bob",
        call::MakeRoom { settings: room_settings("attic", Public, None), chance: 1 },
    );
    assert_eq!(core.answer(taken), Some(Err(Refusal::TitleTaken)), "its return is pending");
    core.settle();
    let answers = late.map(|ask| core.answer(ask).expect("an answer").map(|_| ()));
    assert_eq!(answers, [Ok(()), Err(Refusal::RoomNotFound)]);
    // A refusal of the log changes nothing.
    core.ask("ann", remove(den)).expect("gone");
    let lost = core.ask_late("ann", restore(den));
    core.fail();
    assert_eq!(core.answer(lost), Some(Err(Refusal::Unavailable)));
    core.ask("bob", remove(other)).expect("gone");
    assert_eq!(core.try_to("ann", named("den")), Ok(()));
}

#[test]
fn a_room_without_an_owner_cannot_be_restored() {
    let mut core = Core::with(&["ann"]);
    let den = core.room("", room_settings("den", Public, None));
    core.ask("ann", call::Enter { room: den, access: Access::Open }).expect("a member");
    core.ask("ann", remove(den)).expect("gone");
    assert!(core.deleted("ann").is_empty() && core.kept().is_empty());
    assert_eq!(core.ask("ann", restore(den)), Err(Refusal::RoomNotFound));
    // Nor can a room that a guest deleted who is gone.
    core.ask("", be_guest("zoe")).expect("a guest");
    let attic = core.room("zoe", room_settings("attic", Public, None));
    core.ask("zoe", remove(attic)).expect("gone");
    assert_eq!(core.kept(), [attic.0]);
    core.ask("zoe", call::Logout).expect("she ends");
    core.settle();
    assert!(core.kept().is_empty());
}

#[test]
fn after_seven_days_it_cannot_be_restored() {
    let mut core = Core::with(&["ann"]);
    let den = core.room("ann", room_settings("den", Public, None));
    core.ask("ann", remove(den)).expect("gone");
    core.passes(DELETED_ROOM_TTL_SECS - 1);
    core.come_again();
    assert_eq!(core.titles("ann"), ["den"]);
    assert_eq!(core.kept(), [den.0]);
    core.passes(1);
    assert!(core.titles("ann").is_empty());
    assert_eq!(core.ask("ann", restore(den)), Err(Refusal::RoomNotFound));
    core.give(Command::Tick);
    assert_eq!(core.settle(), [""; 0]);
    assert!(core.kept().is_empty());
}

/// A clock that leaps ahead ages no room; nor does a clock that was wrong at startup purge one, as
/// long as no activity by that clock is known.
#[test]
fn a_clock_that_is_wrong_purges_nothing() {
    let days = |count: u64| i64::try_from(count * 24 * 3_600).expect("seconds");
    let mut core = Core::with(&["ann"]);
    let den = core.room("ann", room_settings("den", Public, None));
    core.ask("ann", remove(den)).expect("gone");
    core.leap_secs = days(400);
    core.passes(7_200);
    core.come_again();
    assert_eq!((core.titles("ann"), core.kept()), (vec!["den".to_owned()], vec![den.0]));
    // The next start uses the wrong clock.
    let snapshot = core.chat.snapshot();
    core.chat = Chat::new(Settings::new(TTL_SECS, false), snapshot);
    core.now = Time(core.now.0 + days(400) * 1_000_000);
    core.leap_secs = 0;
    let purges = |core: &mut Core, secs: u64| {
        core.passes(secs);
        core.give(Command::Tick);
        core.proposals.iter().any(|(_, _, entry)| matches!(entry, Entry::RoomPurged { .. }))
    };
    assert!(!purges(&mut core, 10), "the server has just started");
    assert!(!purges(&mut core, RETAIN_WAIT_MS / 1_000), "the log has no entry by this clock");
    core.settle();
    core.login("ann").expect("a login");
    assert!(purges(&mut core, 10), "the log has an entry by this clock");
}

#[test]
fn so_many_are_kept_of_one_owner() {
    let mut core = Core::with(&["ann", "bob"]);
    let other = core.room("bob", room_settings("other", Public, None));
    core.ask("bob", remove(other)).expect("gone");
    let max = DELETED_ROOMS_PER_OWNER_MAX;
    let rooms: Vec<RoomId> = (0..max + 2)
        .map(|number| {
            let room = core.room("ann", room_settings(&format!("room {number}"), Public, None));
            core.ask("ann", remove(room)).expect("gone");
            core.settle();
            room
        })
        .collect();
    let titles = core.titles("ann");
    assert_eq!((titles.len(), &*titles[0]), (max, "room 21"));
    assert_eq!(core.ask("ann", restore(rooms[1])), Err(Refusal::RoomNotFound));
    assert_eq!(core.try_to("ann", restore(rooms[2])), Ok(()));
    assert_eq!(core.titles("bob"), ["other"], "another owner's rooms stay");
}

/// Deleted rooms as in a snapshot: each of the next account, the lowest number first.
fn deleted(id: u64, members: &[AccountId]) -> DeletedRecord {
    let mut room = room(id, members);
    room.owner = Some(AccountId(id));
    DeletedRecord { room, deleted: NOON, by: Seq(id) }
}

#[test]
fn so_many_are_kept_of_all() {
    let (rooms, members) = (DELETED_ROOMS_MAX as u64, (DELETED_MEMBERS_MAX / MEMBERS_MAX) as u64);
    let crowd: Vec<AccountId> = (10..10 + MEMBERS_MAX as u64).map(AccountId).collect();
    for (count, members) in [(rooms, &[][..]), (members, &*crowd)] {
        let mut core = core_from(&["ann"], |snapshot| {
            snapshot.accounts.extend((10..10 + MEMBERS_MAX as u64).map(account));
            snapshot.deleted.extend((10..10 + count).map(|id| deleted(id, members)));
            snapshot.last_room = 10 + count;
        });
        (core.checks, core.seq) = (false, 10 + count);
        let den = core.room("ann", room_settings("den", Public, None));
        core.ask_late("ann", remove(den));
        core.commit();
        // The log refuses the purge: the core tries again.
        core.fail();
        core.give(Command::Tick);
        core.settle();
        let kept = core.kept();
        assert_eq!(
            (kept.len() as u64, kept[0], *kept.last().expect("a deleted room")),
            (count, 11, den.0)
        );
    }
}

#[test]
fn a_full_account_cannot_restore_a_room() {
    let fill = |of_ann: bool, last: u64| {
        let members = [AccountId(1)];
        core_from(&["ann"], move |snapshot| {
            let own = if of_ann { &members[..] } else { &[] };
            snapshot.rooms.extend((2..last).map(|id| room(id, own)));
            let mut room = deleted(last, &[AccountId(1)]);
            room.room.owner = Some(AccountId(1));
            snapshot.deleted.push(room);
            snapshot.last_room = last;
        })
    };
    for (of_ann, max, refusal) in [
        (true, ROOMS_PER_ACCOUNT_MAX as u64, Refusal::QuotaReached),
        (false, ROOMS_MAX as u64, Refusal::Full),
    ] {
        let mut core = fill(of_ann, max + 1);
        assert_eq!(core.ask("ann", restore(RoomId(max + 1))), Err(refusal));
        let mut core = fill(of_ann, max);
        assert_eq!(core.try_to("ann", restore(RoomId(max))), Ok(()));
    }
}
