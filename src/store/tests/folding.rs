//! The tables compared with the core's model: after any sequence of entries they agree.

use super::*;
use crate::chat::{
    BannedAddress, Grant, Guests, Policy, Reason, Recovery, Refusal, Registration, Role, Rules,
};
use crate::store::snapshot;

/// An entry made from few names and numbers, so that many do not fit the state before them. Its
/// rooms move on with `age`, as numbers are not reused. `invitations`: those that were ever made.
fn any_entry(chance: &mut Chance, age: u64, invitations: &[Seq]) -> Entry {
    const NAMES: [&str; 12] =
        ["Ann", "ann", "Bob", "BOB", "Zoë", "ZOË", "Eve", "eva", "Mo", "mo", "Al", "SSo"];
    const TITLES: [&str; 10] =
        ["Den", "den", "Attic", "ATTIC", "Cellar", "Höhle", "HÖHLE", "Public Chat", "Bar", "Pub"];
    let name = NAMES[chance.roll(12) as usize];
    let key = format!("key {}", chance.roll(30));
    let counted = RoomId(age / 4 + chance.roll(12));
    let drawn = RoomId(RoomId::DRAWN_MIN + age / 4 + chance.roll(4));
    let room = if chance.roll(4) == 0 { drawn } else { counted };
    let mut settings = room_settings(TITLES[chance.roll(10) as usize]);
    settings.visibility = Visibility::ALL[chance.roll(3) as usize];
    settings.password = (chance.roll(2) == 0).then(|| key.clone().into());
    let account = AccountId(chance.roll(40));
    match chance.roll(38) {
        26..=31 => {
            let (code, until) =
                (crypto::hash(&key), Time(chance.roll(2_000_000_000).cast_signed()));
            let by = (chance.roll(2) == 0).then_some(AccountId(chance.roll(40)));
            let recent = &invitations[invitations.len().saturating_sub(4)..];
            let invitation = recent.get(chance.roll(5) as usize).copied().unwrap_or(Seq(7));
            match chance.roll(9) {
                0 | 1 => {
                    let room = (chance.roll(2) == 0).then_some(room);
                    let (uses, registers) = (chance.roll(4), chance.roll(2) == 0);
                    let grant = Grant { code, by, room, until, uses, registers };
                    Entry::InvitationMade { grant }
                }
                2 if chance.roll(3) == 0 => Entry::InvitationEnded { invitation },
                2 | 3 => Entry::RecoveryMade { recovery: recovery(chance, age, (until, by)) },
                4 => {
                    let Recovery { account, code, .. } = recovery(chance, age, (until, by));
                    Entry::Recovered { account, key: crypto::hash(&key), code }
                }
                5 | 6 => {
                    let account = 100 + age / 20 + chance.roll(4);
                    let name = format!("N{account}");
                    let act = Box::new(account_made(account, &name, &name));
                    Entry::Invited { invitation, act }
                }
                _ => {
                    let (member, expelled, with) = (true, false, None);
                    let act = Entry::MemberChanged { room, account, member, expelled, with };
                    Entry::Invited { invitation, act: Box::new(act) }
                }
            }
        }
        32..=37 => any_order(chance, (room, account)),
        23..=25 => {
            let roles = [None, Some(Role::Administrator), Some(Role::Owner)];
            let role = roles[chance.roll(3) as usize];
            let registration =
                [Registration::Invite, Registration::Closed][chance.roll(2) as usize];
            let guests = [Guests::On, Guests::Rooms, Guests::Off][chance.roll(3) as usize];
            let address = ["203.0.113.7", "2001:db8:1:2::", "9.9.9.9"][chance.roll(3) as usize];
            let address = address.parse().expect("an address");
            let until = Time(chance.roll(1_000_000_000).cast_signed());
            let act = match chance.roll(6) {
                0 => Entry::PolicyChanged { policy: Policy { registration, guests } },
                1 => Entry::AddressBanned { banned: BannedAddress { address, until } },
                2 | 3 => Entry::BanChanged { account, on: chance.roll(3) == 0 },
                _ => Entry::RoleChanged { account, role },
            };
            let reason = Reason::new(name).filter(|_| chance.roll(2) == 0);
            Entry::Deed { by: None, reason, act: Box::new(act) }
        }
        20 => {
            let (blocked, on) = (AccountId(chance.roll(40)), chance.roll(3) > 0);
            Entry::BlockChanged { account, blocked, on }
        }
        0 => account_made(account.0, name, &key),
        12 | 13 => Entry::AccountMade {
            account,
            name: Name::new(name).expect("a name"),
            key: None,
            color: Color::new("red"),
        },
        14 => Entry::AccountEnded { account },
        15 | 16 | 21 | 22 => Entry::MemberChanged {
            room,
            account,
            member: chance.roll(3) > 0,
            expelled: chance.roll(4) == 0,
            with: None,
        },
        17 => {
            let (between, both) = ([account, AccountId(chance.roll(40))], chance.roll(2) == 0);
            Entry::DirectMade { room, between, both }
        }
        18 => says(account.0, room.0, name),
        1..=3 => session_begun(chance.roll(40), chance.roll(40), &key),
        5 if chance.roll(2) == 0 => Entry::KeyChanged {
            account,
            key: crypto::hash(&key),
            but: Some(SessionId(chance.roll(40))),
        },
        4 | 5 => Entry::SessionEnded { session: SessionId(chance.roll(40)) },
        6 | 7 => {
            let owner = (chance.roll(2) == 0).then(|| AccountId(chance.roll(40)));
            Entry::RoomMade { room, owner, settings }
        }
        8 | 9 => Entry::RoomChanged {
            room,
            settings,
            password_generation: chance.roll(9),
            link: (chance.roll(3) == 0).then_some(drawn),
            keep_members: chance.roll(2) == 0,
        },
        10 => Entry::RoomGone { room, recoverable: chance.roll(3) > 0 },
        19 if chance.roll(3) == 0 => Entry::RoomPurged { room },
        19 => Entry::RoomReturned { room, title: settings.title },
        _ => said(room.0, name),
    }
}

/// One of few, so that many can be used.
fn recovery(chance: &mut Chance, age: u64, (until, by): (Time, Option<AccountId>)) -> Recovery {
    let account = AccountId(100 + age / 20 + chance.roll(2));
    let code = crypto::hash(&format!("{account} {}", chance.roll(5) / 4));
    Recovery { account, code, by: by.filter(|_| chance.roll(3) == 0), until }
}

/// An entry about order in rooms.
fn any_order(chance: &mut Chance, (room, account): (RoomId, AccountId)) -> Entry {
    let on = chance.roll(3) > 0;
    let act = match chance.roll(8) {
        0..=1 => Entry::ModeratorChanged { room, account, on },
        2..=3 => {
            let until = Time(chance.roll(1_000_000_000).cast_signed() + 1_000);
            let room = Some(room).filter(|_| chance.roll(3) > 0);
            Entry::Muted { room, account, until }
        }
        4 => Entry::RoomBanChanged { room, account, on },
        5 => {
            let slow_secs = [0, 30][chance.roll(2) as usize];
            let (read_only, locked) = (chance.roll(8) == 0, chance.roll(3) == 0);
            Entry::RulesChanged { room, rules: Rules { slow_secs, read_only, locked } }
        }
        6 => Entry::MutesMoved { from: account, to: AccountId(chance.roll(40)) },
        _ => Entry::OwnerChanged { room, owner: account },
    };
    Entry::Deed { by: None, reason: None, act: Box::new(act) }
}

/// Removes the last uses of sessions, which are not in the log.
fn without_last_used(mut snapshot: Snapshot) -> Snapshot {
    for session in &mut snapshot.sessions {
        session.last_used = Time(0);
    }
    snapshot
}

#[test]
fn the_tables_equal_the_fold() {
    let (mut came, mut recovered) = (0, 0);
    let (mut blocks, mut roles, mut bans, mut silent, mut orders) = (0, 0, 0, 0, 0);
    for seed in 1..=8 {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let scratch = Scratch::new();
        let mut store = scratch.open();
        let mut written = log_of(&scratch.file());
        let (mut rooms, mut sessions, mut accounts, mut members) = (0, 0, 0, 0);
        let mut invitations = Vec::new();
        for round in 0..220 {
            let mut batch = Vec::new();
            for ticket in 1..=chance.roll(12) {
                let time = Time(chance.roll(1_000_000_000).cast_signed() - 1_000);
                let entry = any_entry(&mut chance, round, &invitations);
                batch.push(Job::Entry { ticket: Ticket(ticket), time, entry });
                let used = (SessionId(chance.roll(40)), time);
                batch.push(Job::Touch(vec![used]));
            }
            for answer in store.writer.commit(batch) {
                let (seq, time, entry) = match answer {
                    Command::Logged { seq, time, entry, .. } => (seq, time, entry),
                    Command::Unlogged {
                        refusal: Refusal::InvitationVoid | Refusal::RecoveryVoid,
                        ..
                    } => continue,
                    Command::Unlogged {
                        refusal: Refusal::Muted { .. } | Refusal::ReadOnly,
                        ..
                    } => {
                        silent += 1;
                        continue;
                    }
                    other => panic!("seed {seed}, round {round}: {other:?}"),
                };
                let made = matches!(entry, Entry::InvitationMade { .. });
                invitations.extend(made.then_some(seq));
                came += usize::from(matches!(entry, Entry::Invited { .. }));
                recovered += usize::from(matches!(entry, Entry::Recovered { .. }));
                written.push((seq, time, entry));
            }
            if round % 20 == 19 {
                drop(store.writer);
                store = scratch.open();
            }
            let expected = without_last_used(fold(written.iter().cloned()));
            let found = snapshot::load(&store.writer.connection).expect("they can be read");
            let found = without_last_used(found);
            let ids = |snapshot: &Snapshot| -> Vec<(u64, bool)> {
                snapshot.accounts.iter().map(|one| (one.id.0, one.key.is_some())).collect()
            };
            assert_eq!(ids(&found), ids(&expected), "seed {seed}, round {round}");
            for (found, expected) in found.rooms.iter().zip(&expected.rooms) {
                assert_eq!(found, expected, "seed {seed}, round {round}");
            }
            assert_eq!(found, expected, "seed {seed}, round {round}");
            rooms = rooms.max(found.rooms.len());
            sessions = sessions.max(found.sessions.len());
            accounts = accounts.max(found.accounts.len());
            bans += found.accounts.iter().filter(|one| one.banned).count() + found.banned.len();
            roles += found.accounts.iter().filter(|one| one.role.is_some()).count();
            orders += found.rooms.iter().filter(|room| room.moderation.is_some()).count();
            blocks += found.blocks.len();
            members = members.max(found.rooms.iter().map(|room| room.members.len()).sum());
        }
        assert_eq!(log_of(&scratch.file()), written, "seed {seed}");
        assert!(
            rooms > 3 && sessions > 3 && accounts > 4 && members > 6,
            "{rooms} {sessions} {accounts} {members}"
        );
        let check = "PRAGMA foreign_key_check";
        let broken = scratch.other_program().prepare(check).and_then(|mut it| it.exists([]));
        assert_eq!(broken, Ok(false), "seed {seed}");
    }
    assert!(came > 20 && recovered > 0, "{came} {recovered} in all rounds");
    assert!(blocks > 20 && roles > 20 && bans > 20, "{blocks} {roles} {bans} in all rounds");
    assert!(silent > 0 && orders > 50, "{silent} {orders} in all rounds");
}

#[test]
fn a_message_behind_the_deletion_of_its_room_is_not_its_last() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, account_made(1, "Ann", "a"));
    let (owner, settings) = (Some(AccountId(1)), room_settings("Den"));
    put(&mut writer, Entry::RoomMade { room: RoomId(2), owner, settings });
    put(&mut writer, Entry::RoomGone { room: RoomId(2), recoverable: true });
    put(&mut writer, says(1, 2, "too late"));
    drop(writer);
    let snapshot = scratch.open().snapshot;
    assert_eq!(snapshot.deleted.len(), 1);
    assert_eq!(snapshot, fold(log_of(&scratch.file())));
}
