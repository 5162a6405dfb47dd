//! Memberships: people leave rooms, expel others, and block them; and the streams that must hear of
//! an entry.

use crate::chat::simulation::Simulation;
use crate::chat::simulation::world::View;
use crate::chat::{AccountId, Call, Entry, Name, RoomId, SubscriptionId, call};

impl Simulation {
    /// Mostly a member, mostly by the owner.
    pub(super) fn somebody_is_put_out(&mut self) {
        let owned: Vec<(RoomId, AccountId)> =
            self.book.rooms.values().filter_map(|room| Some((room.id, room.owner?))).collect();
        let Some((room, owner)) = self.dice.pick(&owned) else { return };
        let caller = if self.dice.one_in(4) { self.caller() } else { self.caller_of(owner) };
        let members = self.book.rooms[&room].members.iter();
        let known = members.filter_map(|member| self.book.accounts.get(&member.account));
        let names: Vec<Name> = known.map(|account| account.name.clone()).collect();
        let Some(name) = self.dice.pick(&names) else { return };
        self.asks(caller, |_| call::Expel { room, name: name.as_str().into() });
    }

    /// Blocks or unblocks an account, or lists the blocks.
    pub(super) fn somebody_blocks(&mut self) {
        self.somebody_asks(|it| match it.dice.below(6) {
            0 => Call::from(call::Blocked { after: AccountId(0) }),
            _ => call::Block { name: it.name().as_str().into(), on: it.dice.one_in(2) }.into(),
        });
    }

    /// Leaves a room, often one for two.
    pub(super) fn somebody_goes(&mut self) {
        let two = self.book.rooms.values().filter_map(|room| Some((room.id, room.between?)));
        let two: Vec<(RoomId, [AccountId; 2])> = two.collect();
        match self.dice.pick(&two) {
            Some((room, between)) if self.dice.one_in(2) => {
                let account = self.dice.pick(&between).expect("one of two");
                let caller = self.caller_of(account);
                self.asks(caller, |_| call::Exit { room });
            }
            _ => self.somebody_asks(|it| call::Exit { room: it.some_room() }),
        }
    }

    /// The streams that must hear an entry: those of the members of its rooms.
    pub(super) fn hearers(&self, entry: &Entry) -> Vec<SubscriptionId> {
        let rooms = self.book.rooms_of(entry);
        let own = match entry.act() {
            // An account that leaves a room for two, or returns, tells nobody else.
            Entry::MemberChanged { room, account, .. } if !self.book.is_room(room) => {
                Some(*account)
            }
            _ => None,
        };
        let concerns = |stream: &View| {
            if own.is_some_and(|own| own != stream.account) {
                return false;
            }
            let wanted = |room| stream.only.as_ref().is_none_or(|only| only.contains(room));
            let mut wanted = rooms.iter().filter(|room| wanted(room));
            stream.standing && wanted.any(|room| self.book.is_member(stream.account, *room))
        };
        let streams = self.world.streams.iter().filter(|(_, stream)| concerns(stream));
        streams.map(|(base, _)| *base).collect()
    }
}
