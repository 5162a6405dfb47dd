//! What lasts: the log's vocabulary.

use crate::chat::types::{
    AccountId, Author, ClientId, Color, Description, Emoji, Name, RoomId, Seq, SessionId, Title,
    Visibility,
};
use crate::crypto::KeyHash;

/// What lasts: the log's vocabulary. Nothing that lasts changes but by one of these.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// There is a new account.
    AccountMade {
        /// Its number.
        account: AccountId,
        /// As registered.
        name: Name,
        /// The SHA-256 of its key; `None`: a guest's, which ends with its last session.
        key: Option<KeyHash>,
        /// To be shown in.
        color: Option<Color>,
    },
    /// A guest is gone, and the name is free again.
    AccountEnded {
        /// Whose.
        account: AccountId,
    },
    /// An account has another key. Its sessions end, but for one.
    KeyChanged {
        /// Whose.
        account: AccountId,
        /// The SHA-256 of the new key.
        key: KeyHash,
        /// The session that stays: the one that asked for it.
        but: Option<SessionId>,
    },
    /// Somebody has logged in.
    SessionBegun {
        /// Its number.
        session: SessionId,
        /// Whose.
        account: AccountId,
        /// The SHA-256 of its key.
        key: KeyHash,
        /// Whether it lasts for a month without use instead of an hour.
        remember: bool,
        /// What the client calls itself; maybe nothing.
        agent: Box<str>,
    },
    /// Somebody has logged out, or was away for too long.
    SessionEnded {
        /// Which.
        session: SessionId,
    },
    /// There is a new room.
    RoomMade {
        /// Its number.
        room: RoomId,
        /// Whose; `None`: nobody's.
        owner: Option<AccountId>,
        /// What it is made of.
        settings: RoomSettings,
    },
    /// There is a room for two accounts and nobody else.
    DirectMade {
        /// Its number.
        room: RoomId,
        /// Whose; the first of them has opened it.
        between: [AccountId; 2],
        /// Whether both belong to it from here on, as they did in the first versions; else only
        /// who opened it does, and the other from the first message on.
        both: bool,
    },
    /// Somebody has come to stay in a room, or has left it for good. (Of whoever makes an account
    /// or a room no such entry is needed: they belong to the lobby, and to the room.) Into a room
    /// for two only the two can come, and each comes back with the next message; it ends when both
    /// have left.
    MemberChanged {
        /// Which room.
        room: RoomId,
        /// Who.
        account: AccountId,
        /// Come, or gone.
        member: bool,
        /// Put out by the owner of the room, and so out of their subscriptions there, too.
        expelled: bool,
        /// In a proposal: the message that brings somebody back into a room for two. The log takes
        /// this entry only if it will take that message, and does not keep it here.
        with: Option<Box<Entry>>,
    },
    /// Somebody has blocked somebody, or does so no more.
    BlockChanged {
        /// Who.
        account: AccountId,
        /// Whom.
        blocked: AccountId,
        /// Blocked, or no more.
        on: bool,
    },
    /// A room is different.
    RoomChanged {
        /// Which.
        room: RoomId,
        /// All of it, as it is now.
        settings: RoomSettings,
        /// Counts its passwords.
        generation: u64,
        /// The number by which it is found from outside while it is hidden, where its own was not
        /// drawn.
        link: Option<RoomId>,
        /// Whether those stay who belong to it, although it closes or has a new password.
        keep_members: bool,
    },
    /// A room is gone.
    RoomGone {
        /// Which.
        room: RoomId,
        /// Whether its owner, if it has one, can bring it back for a while.
        recoverable: bool,
    },
    /// A room that was gone is back, with all that it had.
    RoomReturned {
        /// Which.
        room: RoomId,
        /// Its title from now on: another may have taken the one that it had.
        title: Title,
    },
    /// A room that was gone cannot be brought back any more.
    RoomPurged {
        /// Which.
        room: RoomId,
    },
    /// Somebody has said something.
    Said {
        /// Where.
        room: RoomId,
        /// Who.
        author: Author,
        /// To be shown in.
        color: Option<Color>,
        /// What.
        text: Box<str>,
        /// Its author's own number for it, by which it can be said again without being doubled.
        client_id: Option<ClientId>,
        /// The message that it answers.
        reply_to: Option<Seq>,
        /// Who is called by it, of those who were there when it was said.
        calls: Box<[AccountId]>,
    },
    /// A message has other words.
    Edited {
        /// Where it is.
        room: RoomId,
        /// Which message.
        target: Seq,
        /// Who did it: its author.
        by: Author,
        /// The words.
        text: Box<str>,
        /// Who is called by them.
        calls: Box<[AccountId]>,
    },
    /// A message was taken back; its words are gone.
    Deleted {
        /// Where it is.
        room: RoomId,
        /// Which message.
        target: Seq,
        /// Who did it.
        by: Author,
        /// Whether they own the room, and so may take back what others said.
        as_owner: bool,
    },
    /// A message bears a reaction, or bears it no more.
    Reacted {
        /// Where it is.
        room: RoomId,
        /// Which message.
        target: Seq,
        /// Whose reaction.
        by: Author,
        /// The reaction.
        emoji: Emoji,
        /// On, or off.
        on: bool,
    },
}

impl Entry {
    /// Who says or changes something by it; `None`: it is not about words.
    pub fn author(&self) -> Option<&Author> {
        match self {
            Entry::Said { author: by, .. }
            | Entry::Edited { by, .. }
            | Entry::Deleted { by, .. }
            | Entry::Reacted { by, .. } => Some(by),
            _ => None,
        }
    }
}

/// What a room is made of.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomSettings {
    /// Unique, whatever its case.
    pub title: Title,
    /// Maybe empty.
    pub description: Description,
    /// Who finds and enters it.
    pub visibility: Visibility,
    /// The Argon2id hash of its password, as a PHC string. There exactly if it is not public.
    pub password: Option<Box<str>>,
}

impl RoomSettings {
    /// What a room for two is kept with: nobody finds it by its title, and nobody can enter it.
    pub fn of_direct(room: RoomId) -> RoomSettings {
        let (title, description) = (Title::of_direct(room), Description::default());
        RoomSettings { title, description, visibility: Visibility::Hidden, password: None }
    }
}
