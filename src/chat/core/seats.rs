//! Seats: who hears and speaks in a room through which connection, and under which name.
//!
//! A seat is *bound* to a name, which nobody else in the room can have then, and is *present* from
//! when it said that it is here until it said that it is not, or is gone. Several seats of one
//! account are one person: the room hears of the first that comes and of the last that goes.

use crate::chat::core::Chat;
use crate::chat::state::accounts::Known;
use crate::chat::state::limiter::Kind;
use crate::chat::state::purpose::{Identity, Origin, Purpose, Told, account_of};
use crate::chat::state::seat::Sitting;
use crate::chat::types::{AccountId, Author, Color, Door, Folded, Name, RoomId, SeatId, SessionId};
use crate::chat::vocabulary::{
    Access, Claim, Effect, Entry, Event, Farewell, Receipt, Refusal, Tell, What, call,
};
use crate::time::Time;

impl Chat {
    pub(super) fn sit(&mut self, call: call::Sit, who: Identity) -> Result<(), Refusal> {
        let call::Sit { seat, door, ref room, access, claim, enter } = call;
        if self.closing || self.order.is_congested() {
            return Err(Refusal::Unavailable);
        }
        let found = self.find_visible(account_of(who), room, access)?;
        self.admits(found, access)?;
        let room = found.record.id;
        // A token that does not fit is none, also where none is needed.
        let fits = !matches!(access, Access::Token { .. }) || self.fits(found, access);
        let claim = claim.filter(|_| fits);
        let token = claim.as_ref().map(|claim| claim.first);
        let by = access.session().filter(|_| fits);
        let by = by.and_then(|key| self.accounts.session_by_key(&key, self.running));
        let author = self.claimed(claim, who)?;
        let account = author.as_ref().and_then(|author| author.account);
        // What was a guest's name when one account asked for it may be another's by now.
        let asked_by = by.and_then(|by| self.accounts.session(by)).map(|live| live.account);
        if asked_by.is_some() && account.is_some() && asked_by != account {
            return Err(Refusal::NameInUse);
        }
        if enter && account.is_some_and(|account| self.sits(account, door, room)) {
            return Err(Refusal::AlreadySeated);
        }
        if let Some((author, token)) = author.as_ref().zip(token) {
            self.give_way(room, author, token);
        }
        self.place(seat, door, room, None);
        if let Some(author) = author
            && let Err(refusal) = self.bind_caller(seat, author, who, by)
        {
            self.displace(seat);
            return Err(refusal);
        }
        if let Some((token, sitting)) = token.zip(self.seats.get_mut(&seat))
            && let Some(author) = &sitting.author
        {
            let key = (room, author.name.folded(), token);
            sitting.token = Some((key.1.clone(), token));
            self.by_token.insert(key, seat);
        }
        self.order.tell(Effect::Seat { seat, door, room, stream: None });
        if enter {
            self.enter(seat, None);
        }
        Ok(())
    }

    fn place(&mut self, seat: SeatId, door: Door, room: RoomId, base: Option<SeatId>) {
        let of_stream = base.and_then(|base| self.streams.get(&base));
        let source = of_stream.map_or(self.origin.source, |stream| stream.source);
        let sitting = Sitting {
            source,
            door,
            room,
            base,
            session: None,
            holder: None,
            token: None,
            author: None,
            present: false,
        };
        self.seats.insert(seat, sitting);
        if base.is_none() {
            self.sitting.insert(seat);
        }
        if let Some(room) = self.rooms.get_mut(room) {
            room.seats.insert(seat);
        }
    }

    /// A seat is not there any more.
    fn displace(&mut self, seat: SeatId) -> Option<Sitting> {
        let sitting = self.seats.remove(&seat)?;
        self.sitting.remove(&seat);
        if let Some((name, token)) = &sitting.token {
            self.by_token.remove(&(sitting.room, name.clone(), *token));
        }
        if let Some(room) = self.rooms.get_mut(sitting.room) {
            room.seats.remove(&seat);
        }
        self.left(sitting.room);
        Some(sitting)
    }

    /// A stream's seat in a room. `false`: it cannot be had, because a guest goes by that name.
    pub(super) fn sit_for(
        &mut self,
        base: SeatId,
        seat: SeatId,
        door: Door,
        room: RoomId,
        author: Author,
        session: Option<SessionId>,
    ) -> bool {
        self.place(seat, door, room, Some(base));
        let bound = self.bind(seat, author, session).is_ok();
        if !bound {
            self.displace(seat);
        }
        bound
    }

    /// A bound seat that was not present is, and the room hears of it in its turn.
    pub(super) fn come(&mut self, seat: SeatId) {
        let color = self.seats.get(&seat).and_then(|sitting| {
            let account = self.accounts.get(sitting.account()?)?;
            account.account.color.clone()
        });
        self.enter(seat, color);
    }

    /// Whether an account has a seat in a room through a door.
    fn sits(&self, account: AccountId, door: Door, room: RoomId) -> bool {
        let first = (room, door, SeatId(0));
        let next = self.accounts.get(account).and_then(|known| known.seats.range(first..).next());
        next.is_some_and(|(taken, by, _)| (*taken, *by) == (room, door))
    }

    /// Whom a seat is bound to before it has said anything.
    pub(super) fn claimed(
        &self,
        claim: Option<Claim>,
        who: Identity,
    ) -> Result<Option<Author>, Refusal> {
        let caller = who.and_then(|who| self.accounts.get(who.account));
        let Some(Claim { name, granted, .. }) = claim else {
            return Ok(caller.map(Known::author));
        };
        let folded = name.folded();
        let Some(owner) = self.accounts.by_name(&folded) else {
            return Ok(Some(Author { account: None, name }));
        };
        let account = owner.account.id;
        let is_owner = caller.is_some_and(|known| known.account.id == account);
        // It was granted when the account was there already, so to its owner.
        if is_owner || granted > owner.account.created {
            let name = owner.account.name.clone();
            return Ok(Some(Author { account: Some(account), name }));
        }
        Err(Refusal::NameInUse)
    }

    /// A seat in a room that was taken by the same token ends: there is one connection by each.
    fn give_way(&mut self, room: RoomId, author: &Author, token: Time) {
        let key = (room, author.name.folded(), token);
        if let Some(seat) = self.by_token.get(&key).copied() {
            self.unseat(seat, Some(Farewell::GaveWay));
        }
    }

    /// Binds a seat to a name: by the session that asked for its token or, where the name is the
    /// caller's, by the caller's.
    fn bind_caller(
        &mut self,
        seat: SeatId,
        author: Author,
        who: Identity,
        by: Option<SessionId>,
    ) -> Result<(), Refusal> {
        let own = who.filter(|who| Some(who.account) == author.account);
        self.bind(seat, author, by.or(own.and_then(|who| who.session)))
    }

    /// Binds a seat to a name, unless somebody else has it.
    fn bind(
        &mut self,
        seat: SeatId,
        author: Author,
        session: Option<SessionId>,
    ) -> Result<(), Refusal> {
        let Some(sitting) = self.seats.get(&seat) else { return Err(Refusal::RoomNotFound) };
        let (room, door, base) = (sitting.room, sitting.door, sitting.base);
        let held = sitting.holder.is_some();
        let taken = || {
            let accounts = &self.accounts;
            accounts.is_taken(&author.name.folded()) || accounts.is_alike(&author.name, false)
        };
        if author.account.is_none() && taken() {
            return Err(Refusal::NameInUse);
        }
        let now = self.now;
        self.rooms.bind(room, &author, seat, now)?;
        let by = session.and_then(|session| self.accounts.session(session));
        let holder = author.account.or(by.map(|live| live.account));
        if held {
            // It has lost its name (see `free_name`), but not the session that it was taken by.
            self.seats.entry(seat).and_modify(|sitting| sitting.author = Some(author));
            return Ok(());
        }
        if let Some(account) = holder.filter(|_| base.is_none()) {
            self.accounts.sit(account, session, (room, door, seat));
        }
        if let Some(sitting) = self.seats.get_mut(&seat) {
            (sitting.author, sitting.session, sitting.holder) = (Some(author), session, holder);
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, seat: SeatId, tell: Tell) {
        if self.streams.contains_key(&seat) {
            return self.tell_stream(seat, tell);
        }
        let Some(sitting) = self.seats.get(&seat) else { return };
        if self.is_locked_out(seat, sitting) {
            return;
        }
        let door = sitting.door;
        let (source, session, account) = (sitting.source, sitting.session, sitting.account());
        self.origin = Origin { source, account, seat: Some(seat) };
        let standing = !self.closing && self.rooms.get(sitting.room).is_some();
        let ended = session.is_some_and(|session| self.accounts.session(session).is_none())
            || account.is_some_and(|account| self.accounts.get(account).is_none());
        if ended {
            return; // And so does this seat, in its turn.
        }
        if let Some(session) = session {
            self.use_session(session);
        }
        let mut given = None;
        let charged = self.charge(&[(Kind::Tell, 1)], None);
        let outcome = match tell {
            _ if !standing => Err(Refusal::RoomNotFound), // This seat ends, in its turn.
            _ if charged.is_err() => charged.map(|()| None),
            Tell::Join { name, color } => self.join(seat, name, color).map(Some),
            Tell::Say { name, color, text } => self.say(seat, name, color, text).map(|()| None),
            Tell::Part { name } => self.part(seat, name).map(Some),
            Tell::Garbled { refusal, mark } => {
                given = mark;
                Err(refusal)
            }
            // These are of a stream.
            Tell::Act { .. } | Tell::Typing { .. } | Tell::Read { .. } => Err(Refusal::Forbidden),
        };
        // `Ok(None)`: the reply comes with the entry that was proposed.
        if let Some(reply) = outcome.transpose() {
            self.order.tell(Effect::Reply { seat, door, reply, mark: given });
        }
    }

    /// Whoever uses a name without an account, which somebody registers now, is not to wake up as
    /// somebody else: they are not here any more under that name, and may choose another.
    pub(super) fn free_name(&mut self, name: &Folded) {
        let seats = self.rooms.guests_called(name);
        for seat in seats {
            self.go(seat);
            let Some(sitting) = self.seats.get_mut(&seat) else { continue };
            let room = sitting.room;
            if let Some(author) = sitting.author.take() {
                self.rooms.unbind(room, &author);
            }
        }
    }

    fn join(
        &mut self,
        seat: SeatId,
        name: Option<Name>,
        color: Option<Color>,
    ) -> Result<Receipt, Refusal> {
        let room = self.seats.get(&seat).map(|sitting| sitting.room);
        self.charge(&[(Kind::Presence, 1)], room)?;
        let author = self.named(seat, name)?;
        if self.seats.get(&seat).is_some_and(|sitting| sitting.present) {
            return Err(Refusal::NameInUse);
        }
        if self.enter(seat, color.clone()) {
            return Ok(Receipt::Noted);
        }
        let event = self.event(seat, author, color, What::Joined).ok_or(Refusal::RoomNotFound)?;
        Ok(Receipt::Known(Box::new(event)))
    }

    fn say(
        &mut self,
        seat: SeatId,
        name: Option<Name>,
        color: Option<Color>,
        text: Box<str>,
    ) -> Result<(), Refusal> {
        let author = self.named(seat, name)?;
        let folded = author.name.folded();
        let Some(sitting) = self.seats.get(&seat) else { return Err(Refusal::RoomNotFound) };
        let (room, door, present) = (sitting.room, sitting.door, sitting.present);
        let now = self.now;
        let standing = self.rooms.get_mut(room).filter(|room| !room.going);
        let place = standing.ok_or(Refusal::RoomNotFound)?;
        let came = !place.is_present(&folded);
        let color = place.act(&folded, color, now);
        let calls = self.accounts.called(&text);
        let (client_id, reply_to) = (None, None);
        let entry = Entry::Said { room, author, color, text, client_id, reply_to, calls };
        let told = Told { seat, door, by: seat, came, mark: None };
        self.propose(entry, Purpose::Tell(told))?;
        if !present {
            self.become_present(seat, &folded);
        }
        Ok(())
    }

    fn part(&mut self, seat: SeatId, name: Option<Name>) -> Result<Receipt, Refusal> {
        self.named(seat, name)?;
        if !self.seats.get(&seat).is_some_and(|sitting| sitting.present) {
            return Err(Refusal::NotPresent);
        }
        let room = self.seats.get(&seat).map(|sitting| sitting.room);
        self.charge(&[(Kind::Presence, 1)], room)?;
        self.go(seat);
        Ok(Receipt::Noted)
    }

    /// Under which name a seat speaks; binds it, when it gives one for the first time.
    fn named(&mut self, seat: SeatId, name: Option<Name>) -> Result<Author, Refusal> {
        let bound = self.seats.get(&seat).and_then(|sitting| sitting.author.clone());
        match (bound, name) {
            (None, None) => Err(Refusal::NameMissing),
            (Some(author), None) => Ok(author),
            (Some(author), Some(name)) => {
                let same = author.name.folded() == name.folded();
                if same { Ok(author) } else { Err(Refusal::OtherName) }
            }
            (None, Some(name)) => {
                let author = Author { account: None, name };
                self.bind(seat, author.clone(), None)?;
                Ok(author)
            }
        }
    }

    /// A bound seat says that it is here, and the room is told, if that is new. `false`: it is not.
    fn enter(&mut self, seat: SeatId, color: Option<Color>) -> bool {
        let Some(author) = self.seats.get(&seat).and_then(|sitting| sitting.author.clone()) else {
            return false;
        };
        let is_new = self.become_present(seat, &author.name.folded());
        if is_new && let Some(event) = self.event(seat, author, color, What::Joined) {
            self.announce(seat, event);
        }
        is_new
    }

    /// Marks a bound seat as present. `true`: nobody was, under its name.
    fn become_present(&mut self, seat: SeatId, folded: &Folded) -> bool {
        let now = self.now;
        let Some(sitting) = self.seats.get_mut(&seat) else { return false };
        sitting.present = true;
        self.rooms.get_mut(sitting.room).is_some_and(|room| room.enter(folded, now))
    }

    /// A present seat is not here any more, and the room is told, if nobody of that name is.
    fn go(&mut self, seat: SeatId) {
        let Some(sitting) = self.seats.get_mut(&seat) else { return };
        let Some(author) = sitting.author.clone().filter(|_| sitting.present) else { return };
        sitting.present = false;
        let room = self.rooms.get_mut(sitting.room);
        if room.is_some_and(|room| room.leave(&author.name.folded()))
            && let Some(event) = self.event(seat, author, None, What::Left)
        {
            self.announce(seat, event);
        }
    }

    /// What somebody does now, by a seat.
    fn event(
        &mut self,
        seat: SeatId,
        author: Author,
        color: Option<Color>,
        what: What,
    ) -> Option<Event> {
        let (time, room) = (self.now, self.seats.get(&seat)?.room);
        let color = self.rooms.get_mut(room)?.act(&author.name.folded(), color, time);
        Some(Event { room, time, author, color, what })
    }

    fn announce(&mut self, seat: SeatId, event: Event) {
        let by = self.seats.get(&seat).map(|sitting| (seat, sitting.door));
        self.order.tell(Effect::Announce { event, by });
    }

    /// Ends a seat: the others hear that it left, once; its name and its session are free of it.
    /// Without a farewell its connection is gone already, or it is a stream's, which goes on. A
    /// seat that is unknown has ended before.
    pub(super) fn unseat(&mut self, seat: SeatId, farewell: Option<Farewell>) {
        let Some(sitting) = self.seats.get(&seat) else { return };
        let (room, door, base) = (sitting.room, sitting.door, sitting.base);
        if let Some(base) = base {
            self.lose_room(base, room);
        }
        self.order.tell(Effect::Unseat { seat, door, room, stream: base, farewell });
        if !self.closing {
            self.go(seat); // When all go, nobody is told who.
        }
        let Some(sitting) = self.displace(seat) else { return };
        if let Some(author) = sitting.author {
            let folded = author.name.folded();
            if let Some(room) = self.rooms.get_mut(room).filter(|_| sitting.present) {
                room.leave(&folded);
            }
            self.rooms.unbind(room, &author);
        }
        // (To lose a room is no use of a stream's session; its own end is.)
        if base.is_some() {
            return;
        }
        if let Some(session) = sitting.session {
            self.use_session(session);
        }
        if let Some(account) = sitting.holder {
            self.accounts.rise(account, sitting.session, (room, door, seat));
        }
    }
}
