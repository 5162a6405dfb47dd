//! Entries from another proposer: they may fit, or not.

use crate::chat::simulation::{STRANGER, Simulation};
use crate::chat::{AccountId, Author, BannedAddress, Entry, Name, RoomId, SessionId, Visibility};
use crate::time::Time;

impl Simulation {
    /// An entry from another proposer: it may fit, or not.
    pub(super) fn a_stranger_writes(&mut self) {
        let fresh = self.number();
        let rooms: Vec<RoomId> = self.book.rooms.keys().copied().collect();
        let room = self.dice.pick(&rooms).expect("the lobby");
        let entry = match self.dice.below(10) {
            0 => {
                // A new name, because no anonymous client here may become an account; or a name
                // that is taken, which does not fit.
                let taken: Vec<Name> =
                    self.book.accounts.values().map(|account| account.name.clone()).collect();
                let own = Name::new(&format!("foreign{fresh}"));
                let name = self.dice.pick(&taken).filter(|_| fresh.is_multiple_of(2)).or(own);
                let account = AccountId(1 + self.dice.below(6));
                Entry::AccountMade {
                    account,
                    name: name.expect("a name"),
                    key: Some(self.key()),
                    color: None,
                }
            }
            1 => {
                // A new number, which may be pending here; or that of a live session.
                let standing: Vec<SessionId> = self.book.sessions.keys().copied().collect();
                let new = SessionId(self.book.last_session + 1 + self.dice.below(2));
                let session = self.dice.pick(&standing).filter(|_| fresh.is_multiple_of(2));
                let (session, account) =
                    (session.unwrap_or(new), AccountId(1 + self.dice.below(6)));
                let key = self.key();
                self.session_keys.push(key);
                Entry::SessionBegun { session, account, key, remember: false, agent: "".into() }
            }
            2 if self.dice.one_in(3) => self.a_strangers_code(),
            2 if self.dice.one_in(2) => self.a_strangers_deed(),
            2 => Entry::SessionEnded { session: SessionId(1 + self.dice.below(12)) },
            3 => {
                let drawn = RoomId(RoomId::DRAWN_MIN + self.dice.below(4));
                let counted = RoomId(1 + self.dice.below(self.book.last_room + 2));
                let room = if self.dice.one_in(4) { drawn } else { counted };
                let mut settings = self.room_settings();
                let public = settings.visibility == Visibility::Public;
                settings.password = (!public).then(|| "hash".into());
                Entry::RoomMade { room, owner: None, settings }
            }
            4 => {
                let room = self.some_room();
                self.a_strangers_change(room)
            }
            6 => {
                let account = AccountId(1 + self.dice.below(6));
                let but = Some(SessionId(1 + self.dice.below(12)));
                Entry::KeyChanged { account, key: self.key(), but }
            }
            5 => {
                let deleted: Vec<RoomId> = self.book.deleted.keys().copied().collect();
                let back = self.dice.pick(&deleted).unwrap_or(room);
                match self.dice.below(4) {
                    0 => Entry::RoomReturned { room: back, title: self.room_settings().title },
                    1 => Entry::RoomPurged { room: back },
                    recoverable => {
                        let recoverable = recoverable == 2;
                        Entry::RoomGone { room: self.some_room(), recoverable }
                    }
                }
            }
            _ => {
                let name = Name::new(STRANGER).expect("a name");
                let author = Author { account: None, name };
                let text = format!("text {fresh}").into();
                let color = self.color();
                let (client_id, reply_to, calls) = (None, None, Box::default());
                Entry::Said { room, author, color, text, client_id, reply_to, calls }
            }
        };
        let time = self.clock;
        if self.disk.takes(time, &entry) {
            self.disk.write(None, time, entry);
        }
    }

    /// A deed of somebody in charge, who need not have the role: whoever wrote it has checked that.
    fn a_strangers_deed(&mut self) -> Entry {
        let (account, role) = (AccountId(1 + self.dice.below(6)), self.some_role());
        let banned = BannedAddress {
            address: self.an_address(),
            until: Time(self.clock.0 + self.dice.below(60_000_000).cast_signed()),
        };
        let act = Box::new(match self.dice.below(9) {
            6..=8 => self.a_strangers_order(),
            1 => Entry::BanChanged { account, on: self.dice.one_in(2) },
            2 => Entry::AddressBanned { banned },
            0 => Entry::PolicyChanged { policy: self.some_policy() },
            _ => Entry::RoleChanged { account, role },
        });
        let by = self.dice.one_in(2).then(|| AccountId(1 + self.dice.below(6)));
        Entry::Deed { by, reason: None, act }
    }

    fn a_strangers_change(&mut self, room: RoomId) -> Entry {
        let password_generation =
            self.book.rooms.get(&room).map_or(0, |room| room.password_generation + 1);
        let mut settings = self.room_settings();
        let public = settings.visibility == Visibility::Public;
        settings.password = (!public).then(|| format!("hash {password_generation}").into());
        let keep_members = self.dice.one_in(2);
        let number = RoomId(RoomId::DRAWN_MIN + self.dice.below(4));
        let link = self.dice.one_in(4).then_some(number);
        Entry::RoomChanged { room, settings, password_generation, link, keep_members }
    }
}
