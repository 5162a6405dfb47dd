//! People's random inputs.

use crate::chat::simulation::Simulation;
use crate::chat::*;
use crate::crypto::KeyHash;

const NAMES: [&str; 7] = ["ann", "Ann", "bob", "cat", "dan", "BOB", "eve"];
const TITLES: [&str; 5] = ["den", "Den", "attic", "cellar", "hall"];

impl Simulation {
    pub(super) fn number(&mut self) -> u64 {
        self.fresh += 1;
        self.fresh
    }

    pub(super) fn key(&mut self) -> KeyHash {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.number().to_le_bytes());
        key
    }

    pub(super) fn name(&mut self) -> Name {
        self.dice.pick(&NAMES).and_then(Name::new).expect("a name")
    }

    pub(super) fn color(&mut self) -> Option<Color> {
        if self.dice.one_in(3) { Color::new("red") } else { None }
    }

    pub(super) fn room(&mut self) -> RoomRef {
        if let Some(room) = self.the_stage() {
            return RoomRef::Id(room);
        }
        match self.dice.below(8) {
            0 | 1 => RoomRef::Title(self.dice.pick(&TITLES).expect("a title").into()),
            2 => RoomRef::Id(RoomId(self.dice.below(self.book.last_room + 2))),
            3 => {
                let links: Vec<RoomId> =
                    self.book.rooms.values().filter_map(|room| room.link).collect();
                RoomRef::Id(self.dice.pick(&links).unwrap_or(LOBBY))
            }
            _ => {
                let rooms: Vec<RoomId> = self.book.rooms.keys().copied().collect();
                RoomRef::Id(self.dice.pick(&rooms).expect("the lobby"))
            }
        }
    }

    /// Mostly a good token.
    pub(super) fn access(&mut self, room: &RoomRef) -> Access {
        let found = self.book.find(room);
        let (mut room, password_generation) =
            found.map_or((LOBBY, 0), |room| (room.id, room.password_generation));
        if let Some(link) = found.and_then(|room| room.link) {
            room = if self.dice.one_in(2) { link } else { room };
        }
        let session = self.dice.one_in(4).then(|| self.dice.pick(&self.session_keys)).flatten();
        match self.dice.below(8) {
            0 => Access::Open,
            1 => Access::Token { room, password_generation: password_generation + 1, session },
            2 => Access::Token {
                room,
                password_generation: password_generation.saturating_sub(1),
                session,
            },
            3 => Access::Token { room: self.some_room(), password_generation, session },
            4 => Access::Password { password_generation },
            _ => Access::Token { room, password_generation, session },
        }
    }

    /// A description by which a room's acknowledged state can be told from every other.
    pub(super) fn mark(&mut self) -> Description {
        Description::new(&format!("mark {}", self.number())).expect("a description")
    }

    pub(super) fn room_settings(&mut self) -> RoomSettings {
        let title = self.dice.pick(&TITLES).and_then(Title::new).expect("a title");
        let visibility = self.dice.pick(&Visibility::ALL).expect("a visibility");
        let wrong = self.dice.one_in(12);
        let closed = (visibility != Visibility::Public) != wrong;
        let password = closed.then(|| format!("hash {}", self.number()).into());
        RoomSettings { title, description: self.mark(), visibility, password }
    }

    pub(super) fn change(&mut self) -> RoomChange {
        let title = self.dice.one_in(3).then(|| self.room_settings().title);
        let description = self.dice.one_in(2).then(|| self.mark());
        let visibility = self.dice.one_in(3).then(|| self.room_settings().visibility);
        let password = self.dice.one_in(2).then(|| format!("hash {}", self.number()).into());
        let keep_members = self.dice.one_in(2);
        RoomChange { title, description, visibility, password, keep_members }
    }
}
