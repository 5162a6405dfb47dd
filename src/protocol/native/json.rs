//! JSON output: rooms, messages and users, as structs that borrow.
//!
//! It must never write a password or its hash; the types that it writes from hold none. A deleted
//! message has no text.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::chat::{
    Color, DeletedInfo, Emoji, Event, EventKind, Member, Name, Person, Role, RoomInfo, RoomRole,
    SessionInfo, UNTIL_LIFTED,
};
use crate::protocol::json_body;
use crate::store::{Counts, Message};
use crate::time::Time;

/// A room. Member-specific fields are missing in a broadcast to all members.
#[derive(Serialize)]
pub(super) struct RoomJson<'a> {
    id: u64,
    title: &'a str,
    description: &'a str,
    visibility: &'a str,
    kind: &'a str,
    owner: Option<&'a str>,
    /// Seconds; 0: off.
    slow_mode: u32,
    read_only: bool,
    locked: bool,
    member: bool,
    online: usize,
    last_seq: u64,
    #[serde(flatten)]
    own: Option<Own>,
    #[serde(serialize_with = "json_body::rfc3339")]
    created: Time,
    #[serde(serialize_with = "json_body::rfc3339")]
    updated: Time,
}

/// One member's relation to a room.
#[derive(Serialize)]
struct Own {
    read_seq: u64,
    unread: u64,
    mentions: u64,
}

impl<'a> RoomJson<'a> {
    /// For a broadcast to the room's members.
    pub fn told(info: &'a RoomInfo) -> RoomJson<'a> {
        RoomJson {
            id: info.id.0,
            title: info.title.as_str(),
            description: info.description.as_str(),
            visibility: info.visibility.as_str(),
            kind: if info.direct { "direct" } else { "room" },
            owner: info.owner.as_ref().map(Name::as_str),
            slow_mode: info.rules.slow_secs,
            read_only: info.rules.read_only,
            locked: info.rules.locked,
            member: true,
            online: info.online,
            last_seq: info.last.0,
            own: None,
            created: info.created,
            updated: info.updated,
        }
    }

    /// For one caller. The time of the last message is only for callers that may read the room.
    pub fn seen(info: &'a RoomInfo, counts: Counts) -> RoomJson<'a> {
        let member = info.membership.is_some();
        let may_read = (member || info.is_open()) && info.last > info.horizon;
        let last_seq = if may_read { info.last.0 } else { 0 };
        let read_seq = info.membership.map_or(0, |followed| followed.read.0);
        let own = Own { read_seq, unread: counts.unread, mentions: counts.mentions };
        RoomJson { member, last_seq, own: Some(own), ..RoomJson::told(info) }
    }
}

/// A message in a page or on the stream.
#[derive(Serialize)]
pub(super) struct MessageJson<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    seq: u64,
    room: u64,
    author: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(serialize_with = "json_body::rfc3339")]
    time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    edited: Option<Time>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "reactions")]
    reactions: &'a [(Emoji, Vec<Name>)],
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "names")]
    mentions: &'a [Name],
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<&'a str>,
}

impl<'a> From<&'a Message> for MessageJson<'a> {
    fn from(message: &'a Message) -> MessageJson<'a> {
        let text = message.text.as_deref();
        MessageJson {
            kind: None,
            seq: message.seq.0,
            room: message.room.0,
            author: message.author.name.as_str(),
            text,
            time: message.time,
            color: message.color.as_ref().map(Color::as_str),
            client_id: message.client_id.as_ref().map(|id| id.as_str()),
            reply_to: message.reply_to.map(|seq| seq.0),
            edited: message.edited.filter(|_| text.is_some()),
            deleted: text.is_none(),
            reactions: if text.is_some() { &message.reactions } else { &[] },
            mentions: if text.is_some() { &message.calls } else { &[] },
            snippet: None,
        }
    }
}

impl<'a> MessageJson<'a> {
    /// With the snippet that a search found.
    pub fn found(message: &'a Message, snippet: &'a str) -> MessageJson<'a> {
        MessageJson { snippet: Some(snippet), ..MessageJson::from(message) }
    }

    /// A message as the stream replays it.
    pub fn replayed(message: &'a Message) -> MessageJson<'a> {
        MessageJson { kind: Some("message"), ..MessageJson::from(message) }
    }

    /// A message that was just sent; `None` for any other event.
    pub fn live(event: &'a Event) -> Option<MessageJson<'a>> {
        let EventKind::Said { seq, text, client_id, reply_to, calls } = &event.kind else {
            return None;
        };
        Some(MessageJson {
            kind: Some("message"),
            seq: seq.0,
            room: event.room.0,
            author: event.author.name.as_str(),
            text: Some(text),
            time: event.time,
            color: event.color.as_ref().map(Color::as_str),
            client_id: client_id.as_ref().map(|id| id.as_str()),
            reply_to: reply_to.map(|seq| seq.0),
            edited: None,
            deleted: false,
            reactions: &[],
            mentions: calls,
            snippet: None,
        })
    }
}

/// A user.
#[derive(Serialize)]
pub(super) struct PersonJson<'a> {
    name: &'a str,
    guest: bool,
    online: bool,
    #[serde(serialize_with = "json_body::rfc3339")]
    created: Time,
    since: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    banned: bool,
    /// Only of the caller: a proxy has logged the person in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_proxy: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    muted: bool,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    muted_until: Option<Time>,
}

impl<'a> PersonJson<'a> {
    /// The caller; `by_proxy`: a proxy has logged the person in.
    pub fn caller(person: &'a Person, by_proxy: bool) -> PersonJson<'a> {
        PersonJson { by_proxy, ..PersonJson::from(person) }
    }
}

impl<'a> From<&'a Person> for PersonJson<'a> {
    fn from(person: &'a Person) -> PersonJson<'a> {
        let &Person { ref name, guest, online, created, since, role, banned, muted } = person;
        PersonJson {
            name: name.as_str(),
            guest,
            online,
            created,
            since: since.0,
            role: role.map(Role::as_str),
            banned,
            by_proxy: false,
            muted: muted.is_some(),
            muted_until: muted.and_then(end_of),
        }
    }
}

/// A user in a room.
#[derive(Serialize)]
pub(super) struct Occupant<'a> {
    name: &'a str,
    guest: bool,
    online: bool,
    color: Option<&'a str>,
    #[serde(serialize_with = "maybe_rfc3339")]
    last_activity: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    muted: bool,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    muted_until: Option<Time>,
}

impl<'a> From<&'a Member> for Occupant<'a> {
    fn from(member: &'a Member) -> Occupant<'a> {
        Occupant {
            name: member.author.name.as_str(),
            guest: member.guest,
            online: member.online,
            color: member.color.as_ref().map(Color::as_str),
            last_activity: member.last_activity,
            role: member.role.map(RoomRole::as_str),
            muted: member.muted.is_some(),
            muted_until: member.muted.and_then(end_of),
        }
    }
}

/// A session, for the list of its owner.
#[derive(Serialize)]
pub(super) struct Login<'a> {
    id: u64,
    #[serde(serialize_with = "json_body::rfc3339")]
    created: Time,
    #[serde(serialize_with = "json_body::rfc3339")]
    last_used: Time,
    #[serde(serialize_with = "json_body::rfc3339")]
    expires: Time,
    agent: &'a str,
    current: bool,
}

impl<'a> From<&'a SessionInfo> for Login<'a> {
    fn from(info: &'a SessionInfo) -> Login<'a> {
        let SessionInfo { id, created, last_used, expires, agent, current, .. } = info;
        let (created, last_used, expires) = (*created, *last_used, *expires);
        Login { id: id.0, created, last_used, expires, agent, current: *current }
    }
}

/// A deleted room, for its owner.
#[derive(Serialize)]
pub(super) struct Deleted<'a> {
    id: u64,
    title: &'a str,
    #[serde(serialize_with = "json_body::rfc3339")]
    deleted: Time,
    #[serde(serialize_with = "json_body::rfc3339")]
    until: Time,
}

impl<'a> From<&'a DeletedInfo> for Deleted<'a> {
    fn from(info: &'a DeletedInfo) -> Deleted<'a> {
        let DeletedInfo { number, title, deleted, until } = info;
        Deleted { id: number.0, title: title.as_str(), deleted: *deleted, until: *until }
    }
}

/// The end of a mute, if it has one.
pub(super) fn end_of(until: Time) -> Option<Time> {
    Some(until).filter(|until| *until != UNTIL_LIFTED)
}

pub(super) fn maybe_rfc3339<S: Serializer>(
    time: &Option<Time>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

fn names<S: Serializer>(names: &[Name], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(Name::as_str))
}

fn reactions<S: Serializer>(reactions: &[(Emoji, Vec<Name>)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(reactions.len()))?;
    for (reaction, by) in reactions {
        let by: Vec<&str> = by.iter().map(Name::as_str).collect();
        map.serialize_entry(reaction.as_str(), &by)?;
    }
    map.end()
}
