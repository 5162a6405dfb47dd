//! Order in rooms: moderators, mutes, bans from a room, its rules and its next owner; and deleting
//! all messages of a person.

use serde::Serialize;

use crate::chat::{
    Acted, Caller, Clearing, Name, Refusal, RoomId, RoomInfo, RulesChange, Seq, call,
};
use crate::http::{Request, Response};
use crate::limits::moderation::{
    CLEAR_HOURS_MAX, CLEAR_LOOKS_MAX, CLEARED_AT_ONCE_MAX, MUTE_MINUTES_MAX, SLOW_SECS_MAX,
};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, about, caller};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::{Fields, wrong};
use crate::protocol::native::in_charge::admins_only;
use crate::protocol::native::json::{end_of, maybe_rfc3339};
use crate::protocol::native::rooms;
use crate::protocol::{Context, json_body};
use crate::store::Clearable;
use crate::time::Time;

pub(super) async fn appoint(
    context: &Context,
    request: &Request,
    room: &str,
    name: &str,
) -> Answered {
    change_moderator(context, request, (room, name), true).await
}

pub(super) async fn dismiss(
    context: &Context,
    request: &Request,
    room: &str,
    name: &str,
) -> Answered {
    change_moderator(context, request, (room, name), false).await
}

async fn change_moderator(
    context: &Context,
    request: &Request,
    (room, name): (&str, &str),
    on: bool,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let reason = asking::fields_or_none(request)?.reason()?;
    let call = call::ChangeModerator { room, name: name.into(), on, reason };
    context.hub.call(caller, call).await.map_err(owners_only)?;
    Ok(Response::new(204))
}

pub(super) async fn mute(context: &Context, request: &Request, room: &str, name: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    set_mute(context, request, caller, (Some(room), name, true)).await.map_err(moderators_only)
}

pub(super) async fn unmute(
    context: &Context,
    request: &Request,
    room: &str,
    name: &str,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    set_mute(context, request, caller, (Some(room), name, false)).await.map_err(moderators_only)
}

pub(super) async fn mute_everywhere(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    set_mute(context, request, caller, (None, name, true)).await.map_err(colleagues)
}

pub(super) async fn unmute_everywhere(
    context: &Context,
    request: &Request,
    name: &str,
) -> Answered {
    let caller = caller(context, request)?;
    set_mute(context, request, caller, (None, name, false)).await.map_err(colleagues)
}

async fn set_mute(
    context: &Context,
    request: &Request,
    caller: Caller,
    (room, name, on): (Option<RoomId>, &str, bool),
) -> Result<Response, Trouble> {
    let fields = asking::fields_or_none(request)?;
    let minutes = match fields.number("minutes")? {
        Some(minutes) if !(1..=MUTE_MINUTES_MAX).contains(&minutes) => {
            let says = "minutes must be from 1 to 527040 (a year); leave it out for a mute \
                        without an end";
            return Err(Failure::field("minutes").saying(says).into());
        }
        minutes => minutes,
    };
    let (secs, reason) = (minutes.map(|minutes| minutes * 60), fields.reason()?);
    let call = call::Mute { room, name: name.into(), on, secs, reason };
    context.hub.call(caller, call).await?;
    Ok(Response::new(204))
}

/// A failure that is ready, or a refusal that still wants its sentence.
enum Trouble {
    Failure(Failure),
    Refusal(Refusal),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Failure(failure)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Trouble {
        Trouble::Refusal(refusal)
    }
}

/// A refusal of what only moderators may do.
fn moderators_only(trouble: impl Into<Trouble>) -> Failure {
    match trouble.into() {
        Trouble::Refusal(Refusal::Forbidden) => {
            let says = "only moderators of the room may do this, and not to its owner, to people \
                        with a role on the server, to other moderators, or to themselves";
            Failure::from(Code::Forbidden).saying(says)
        }
        Trouble::Refusal(refusal) => refusal.into(),
        Trouble::Failure(failure) => failure,
    }
}

/// A refusal of what only administrators may do, and not to each other.
fn colleagues(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Refusal(Refusal::Forbidden) => {
            let says = "only administrators of the server may do this, and not to people with a \
                        role on it";
            Failure::from(Code::Forbidden).saying(says)
        }
        Trouble::Refusal(refusal) => refusal.into(),
        Trouble::Failure(failure) => failure,
    }
}

/// A refusal of what only the owner of a room may do.
fn owners_only(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Forbidden => {
            let says = "only the owner of the room may do this, or an administrator of the server";
            Failure::from(Code::Forbidden).saying(says)
        }
        Refusal::PersonNotFound => {
            let says = "no member of this room has this name; check the spelling, or invite them";
            Failure::from(Code::UserNotFound).saying(says)
        }
        refusal => refusal.into(),
    }
}

pub(super) async fn ban(context: &Context, request: &Request, room: &str, name: &str) -> Answered {
    set_ban(context, request, (room, name), true).await
}

pub(super) async fn lift_ban(
    context: &Context,
    request: &Request,
    room: &str,
    name: &str,
) -> Answered {
    set_ban(context, request, (room, name), false).await
}

async fn set_ban(
    context: &Context,
    request: &Request,
    (room, name): (&str, &str),
    on: bool,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let reason = asking::fields_or_none(request)?.reason()?;
    let call = call::BanFromRoom { room, name: name.into(), on, reason };
    context.hub.call(caller, call).await.map_err(moderators_only)?;
    Ok(Response::new(204))
}

pub(super) async fn transfer(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let fields = asking::fields(request)?;
    let (name, reason) = (fields.needed("name")?.into(), fields.reason()?);
    let call = call::Transfer { room, name, reason };
    let info = context.hub.call(caller.clone(), call).await.map_err(owners_only)?;
    rooms::respond(context, caller, 200, *info).await
}

/// The changes of a room's rules in the body of a change of the room; `None`: there are none.
pub(super) fn rules(fields: &Fields) -> Result<Option<RulesChange>, Refusal> {
    let slow_secs = match fields.number("slow_mode")?.map(u32::try_from) {
        None => None,
        Some(Ok(secs)) if secs <= SLOW_SECS_MAX => Some(secs),
        Some(_) => return Err(wrong("slow_mode")),
    };
    let (read_only, locked) = (fields.flag("read_only")?, fields.flag("locked")?);
    let change = RulesChange { slow_secs, read_only, locked };
    Ok(Some(change).filter(|change| *change != RulesChange::default()))
}

pub(super) async fn change_rules(
    context: &Context,
    caller: Caller,
    room: RoomId,
    change: RulesChange,
) -> Result<Box<RoomInfo>, Failure> {
    let call = call::ChangeRules { room, change, reason: None };
    let changed = context.hub.call(caller, call).await;
    changed.map_err(|refusal| match refusal {
        Refusal::Forbidden => {
            let says = "only the owner of the room may change this, or an administrator of the \
                        server; moderators set slow mode, and the main room cannot be locked";
            Failure::from(Code::Forbidden).saying(says)
        }
        refusal => refusal.into(),
    })
}

/// Somebody who is muted.
#[derive(Serialize)]
struct Silent<'a> {
    name: &'a str,
    /// Missing: without an end.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    until: Option<Time>,
}

impl<'a> From<&'a (Name, Time)> for Silent<'a> {
    fn from((name, until): &'a (Name, Time)) -> Silent<'a> {
        Silent { name: name.as_str(), until: end_of(*until) }
    }
}

/// The moderators of a room, and who is muted or banned there.
pub(super) async fn list(context: &Context, request: &Request, room: &str) -> Answered {
    #[derive(Serialize)]
    struct Moderation<'a> {
        moderators: Vec<&'a str>,
        muted: Vec<Silent<'a>>,
        banned: Vec<&'a str>,
    }
    let (caller, room) = about(context, request, room)?;
    let found = context.hub.call(caller, call::Moderation { room }).await;
    let found = found.map_err(moderators_only)?;
    let moderation = Moderation {
        moderators: found.moderators.iter().map(Name::as_str).collect(),
        muted: found.muted.iter().map(Silent::from).collect(),
        banned: found.banned.iter().map(Name::as_str).collect(),
    };
    Ok(Response::new(200).json(json_body::text(&moderation)))
}

/// The accounts that are muted everywhere.
pub(super) async fn muted(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Muted<'a> {
        users: Vec<Silent<'a>>,
    }
    let caller = caller(context, request)?;
    let found = context.hub.call(caller, call::Muted).await.map_err(admins_only)?;
    let users = found.iter().map(Silent::from).collect();
    Ok(Response::new(200).json(json_body::text(&Muted { users })))
}

pub(super) async fn clear(
    context: &Context,
    request: &Request,
    room: &str,
    name: &str,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    clear_all(context, request, caller, (Some(room), name)).await.map_err(moderators_only)
}

pub(super) async fn clear_everywhere(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    clear_all(context, request, caller, (None, name)).await.map_err(colleagues)
}

/// Deletes the messages of a person, slice by slice: others' requests come in between.
async fn clear_all(
    context: &Context,
    request: &Request,
    caller: Caller,
    (room, name): (Option<RoomId>, &str),
) -> Result<Response, Trouble> {
    #[derive(Serialize)]
    struct Cleared {
        deleted: u64,
    }
    let fields = asking::fields_or_none(request)?;
    let hours = fields.number("hours")?.unwrap_or(1);
    if !(1..=CLEAR_HOURS_MAX).contains(&hours) {
        return Err(wrong("hours").into());
    }
    let (secs, reason) = (hours * 3_600, fields.reason()?);
    let call = call::Clear { room, name: name.into(), secs, reason };
    let Clearing { author, since, mut before } = context.hub.call(caller.clone(), call).await?;
    let mut deleted = 0;
    loop {
        let (author, looks) = (author.clone(), (CLEAR_LOOKS_MAX, CLEARED_AT_ONCE_MAX));
        let read = context
            .readers
            .read_in_turn(move |reader| reader.clearable(room, &author, (since, before), looks));
        let Clearable { targets, next } = read.await.map_err(Failure::from)?;
        if !targets.is_empty() {
            deleted += erase(context, &caller, (room, name), targets).await?;
        }
        match next {
            Some(next) => before = next,
            None => return Ok(Response::new(200).json(json_body::text(&Cleared { deleted }))),
        }
    }
}

/// Deletes a slice; waits if the server asks for it. Returns how many messages it had.
async fn erase(
    context: &Context,
    caller: &Caller,
    (room, name): (Option<RoomId>, &str),
    targets: Vec<(RoomId, Seq)>,
) -> Result<u64, Refusal> {
    let count = targets.len() as u64;
    loop {
        let call = call::Erase { room, name: name.into(), targets: targets.clone() };
        match context.hub.call(caller.clone(), call).await {
            Ok(Acted { .. }) => return Ok(count),
            Err(Refusal::RateLimited { retry_after_ms }) => {
                tokio::time::sleep(std::time::Duration::from_millis(retry_after_ms.into())).await;
            }
            // Rooms for two, or somebody else has deleted the last of them meanwhile.
            Err(Refusal::MessageNotFound) => return Ok(0),
            Err(refusal) => return Err(refusal),
        }
    }
}
