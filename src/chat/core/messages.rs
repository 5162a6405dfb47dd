//! Messages: send, edit, delete, react. Whether the target exists, and who wrote it, only the log
//! knows; the log's answer decides.

use crate::chat::core::Chat;
use crate::chat::state::limiter::Kind;
use crate::chat::state::purpose::{Identity, Origin, PendingSend, Purpose};
use crate::chat::state::room::Room;
use crate::chat::types::{AccountId, CallId, ProtocolId, RoomId, Seq, SubscriptionId};
use crate::chat::vocabulary::{
    Acted, Action, Answer, ClientEvent, Effect, Entry, Event, EventKind, Receipt, Refusal, Role,
    RoomEvent, StreamEvent,
};

impl Action {
    /// The room in which it happens.
    pub(super) fn room(&self) -> RoomId {
        match self {
            Action::Send { room, .. }
            | Action::Edit { room, .. }
            | Action::Delete { room, .. }
            | Action::React { room, .. } => *room,
        }
    }
}

impl Chat {
    /// The answer comes with the log's answer.
    pub(super) fn act(
        &mut self,
        call: CallId,
        caller: Identity,
        action: Action,
    ) -> Result<(), Refusal> {
        let account = caller.ok_or(Refusal::Unauthenticated)?.account;
        let entry = self.acted(account, action)?;
        self.propose_message(entry, Purpose::Call(call, Some(account)))
    }

    /// The entry that proposes an account's action.
    fn acted(&mut self, account: AccountId, action: Action) -> Result<Entry, Refusal> {
        if let Action::Delete { room, target } = action
            && self.has_role(Some(account), Role::Administrator)
            && !self.rooms.get(room).is_some_and(Room::is_direct)
        {
            return self.suppressed(account, room, target, None);
        }
        let found = self.room_to_act(account, &action)?;
        found.may_touch(account, &action)?;
        self.refuse_blocked(found, &action)?;
        if !matches!(action, Action::Delete { .. }) {
            self.refuse_silenced(found, Some(account))?;
        }
        let as_owner = found.record.owner == Some(account);
        if let Action::Delete { room, target } = action
            && !as_owner
            && self.rank(found, Some(account)).is_some()
        {
            return self.suppressed(account, room, target, None); // A moderator.
        }
        let known = self.accounts.get(account).ok_or(Refusal::Unauthenticated)?;
        let (by, usual) = (known.author(), known.account.color.clone());
        Ok(match action {
            Action::Send { room, text, client_id, reply_to } => {
                let (now, folded) = (self.now, by.name.folded());
                let last = self
                    .rooms
                    .get_mut(room)
                    .and_then(|room| room.record_activity(&folded, None, now));
                let color = usual.or(last);
                Entry::Said {
                    room,
                    author: by,
                    color,
                    calls: self.accounts.called(&text),
                    text,
                    client_id,
                    reply_to,
                }
            }
            Action::Edit { room, target, text } => {
                let calls = self.accounts.called(&text);
                Entry::Edited { room, target, by, text, calls }
            }
            Action::Delete { room, target } => Entry::Deleted { room, target, by, as_owner },
            Action::React { room, target, emoji, on } => {
                Entry::Reacted { room, target, by, emoji, on }
            }
        })
    }

    /// Handles a stream's event; the replies go to the stream's own subscription.
    pub(super) fn tell_stream(&mut self, base: SubscriptionId, event: ClientEvent) {
        let Some(stream) = self.streams.get(&base) else { return };
        let (protocol, account, session) = (stream.protocol, stream.account, stream.session);
        self.origin = Origin::connection(stream.source, Some(account), base);
        let (source, banned) = (stream.source, self.is_banned(account));
        if banned || self.is_going(source, Some(account)) {
            return; // This stream is about to end.
        }
        if let Some(session) = session {
            if self.accounts.session(session).is_none() {
                return; // This stream is about to end, too.
            }
            self.use_session(session);
        }
        let charged = self.charge(&[(Kind::ClientEvent, 1)], None);
        let (outcome, mark) = match event {
            _ if self.closing => (Err(Refusal::Unavailable), None),
            ClientEvent::Stream(StreamEvent::Act { mark, .. })
            | ClientEvent::Garbled { mark, .. }
                if charged.is_err() =>
            {
                (charged.map(|()| None), mark)
            }
            _ if charged.is_err() => (charged.map(|()| None), None),
            ClientEvent::Stream(StreamEvent::Act { action, mark }) => {
                let subscription = self.streams[&base].rooms.get(&action.room()).copied();
                let acted = self.acted(account, action).and_then(|entry| {
                    // A stream can also send to a room that it does not hear.
                    let by = subscription.unwrap_or(base);
                    let mark = mark.clone();
                    let told = PendingSend { subscription: base, protocol, by, came: false, mark };
                    self.propose_message(entry, Purpose::ClientEvent(told))
                });
                (acted.map(|()| None), mark)
            }
            ClientEvent::Stream(StreamEvent::Typing { room }) => {
                (self.typing(base, account, room).map(Some), None)
            }
            ClientEvent::Stream(StreamEvent::Read { room, seq }) => {
                (self.mark_read(account, room, seq).map(|_| Some(Receipt::Noted)), None)
            }
            ClientEvent::Garbled { refusal, mark } => (Err(refusal), mark),
            // Only for a subscription to one room.
            ClientEvent::Room(RoomEvent::Join { .. })
            | ClientEvent::Room(RoomEvent::Say { .. })
            | ClientEvent::Room(RoomEvent::Part { .. }) => (Err(Refusal::RoomNotFound), None),
        };
        // `Ok(None)`: the reply comes with the proposed entry.
        if let Some(reply) = outcome.transpose() {
            self.order.tell(Effect::Reply { subscription: base, protocol, reply, mark });
        }
    }

    fn typing(
        &mut self,
        base: SubscriptionId,
        account: AccountId,
        room: RoomId,
    ) -> Result<Receipt, Refusal> {
        let found = self.own_room(account, room)?;
        let (between, silent) = (found.record.between, self.refuse_silenced(found, Some(account)));
        self.charge(&[(Kind::Typing, 1)], None)?;
        if silent.is_err() || between.is_some_and(|between| self.is_blocked(between)) {
            return Ok(Receipt::Noted); // Nobody must see it.
        }
        if !self.charge_room(Kind::Typing, room) {
            return Ok(Receipt::Noted); // Nobody can see so many people typing.
        }
        let author = self.accounts.get(account).ok_or(Refusal::Unauthenticated)?.author();
        let subscription = self.streams.get(&base).and_then(|stream| {
            let subscription = stream.rooms.get(&room)?;
            Some((*subscription, stream.protocol))
        });
        let (time, kind) = (self.now, EventKind::Typing);
        let event = Event { room, time, author, color: None, kind };
        self.order.tell(Effect::Announce { event, by: subscription });
        Ok(Receipt::Noted)
    }

    /// Applies an entry about a message: announces it to the room.
    pub(super) fn message_applied(
        &mut self,
        event: Event,
        seq: Seq,
        by: Option<(SubscriptionId, ProtocolId)>,
    ) -> Result<Answer, Refusal> {
        let room = self.rooms.get_mut(event.room).ok_or(Refusal::RoomNotFound)?;
        if matches!(event.kind, EventKind::Said { .. }) {
            room.record.last = seq;
        }
        let (time, author, color) = (event.time, event.author.clone(), event.color.clone());
        let calls = match &event.kind {
            EventKind::Said { calls, .. } | EventKind::Edited { calls, .. } => calls.clone(),
            _ => Box::default(),
        };
        self.order.tell(Effect::Announce { event, by });
        Ok(Answer::Acted(Acted { seq, time, repeated: false, by: author, color, calls }))
    }
}
