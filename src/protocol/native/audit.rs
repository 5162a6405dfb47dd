//! The audit, for administrators: who did what to whom, when, and why.

use std::net::IpAddr;

use serde::Serialize;

use crate::chat::{Entry, Guests, Name, Reason, Registration, Role, Seq, Title, call};
use crate::http::{Request, Response};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::caller;
use crate::protocol::native::in_charge::admins_only;
use crate::protocol::native::json::{end_of, maybe_rfc3339};
use crate::protocol::native::pages;
use crate::protocol::{Context, json_body};
use crate::store::AuditRow;
use crate::time::Time;

pub(super) async fn page(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Page<'a> {
        deeds: Vec<Deed<'a>>,
        next: Option<u64>,
    }
    let caller = caller(context, request)?;
    let Seq(heard) = context.hub.call(caller, call::Audit).await.map_err(admins_only)?;
    let limit = pages::limit(request)?;
    let before = pages::counted(request, "before")?.unwrap_or(u64::MAX);
    let before = Seq(before.min(heard + 1));
    let page = context.readers.read(move |reader| reader.audit(before, limit)).await?;
    let deeds = page.rows.iter().map(Deed::from).collect();
    let page = Page { deeds, next: page.next.map(|seq| seq.0) };
    Ok(Response::new(200).json(json_body::text(&page)))
}

/// A deed. The fields after the reason depend on what was done.
#[derive(Serialize)]
struct Deed<'a> {
    seq: u64,
    #[serde(serialize_with = "json_body::rfc3339")]
    time: Time,
    /// `null`: the operator at the shell.
    by: Option<&'a str>,
    what: &'a str,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guests: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_mode: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<bool>,
}

impl<'a> From<&'a AuditRow> for Deed<'a> {
    fn from(row: &'a AuditRow) -> Deed<'a> {
        let deed = Deed {
            seq: row.seq.0,
            time: row.time,
            by: row.by.as_ref().map(Name::as_str),
            what: "other",
            reason: row.reason.as_ref().map(Reason::as_str),
            user: row.user.as_ref().map(Name::as_str),
            role: None,
            room: None,
            title: row.title.as_ref().map(Title::as_str),
            message: None,
            registration: None,
            guests: None,
            address: None,
            invitation: None,
            uses: None,
            until: None,
            since: None,
            slow_mode: None,
            read_only: None,
            locked: None,
        };
        match &row.act {
            Entry::RoleChanged { role: Some(role), .. } => {
                Deed { what: "give_role", role: Some(Role::as_str(*role)), ..deed }
            }
            Entry::RoleChanged { role: None, .. } => Deed { what: "take_role", ..deed },
            Entry::BanChanged { on: true, .. } => Deed { what: "ban", ..deed },
            Entry::BanChanged { on: false, .. } => Deed { what: "lift_ban", ..deed },
            Entry::AddressBanned { banned } if banned.until > row.time => Deed {
                what: "ban_address",
                address: Some(banned.address),
                until: Some(banned.until),
                ..deed
            },
            Entry::AddressBanned { banned } => {
                Deed { what: "lift_address_ban", address: Some(banned.address), ..deed }
            }
            Entry::PolicyChanged { policy } => Deed {
                what: "change_settings",
                registration: Some(Registration::as_str(policy.registration)),
                guests: Some(Guests::as_str(policy.guests)),
                ..deed
            },
            // (A hidden room's number is its link.)
            Entry::InvitationMade { grant } => Deed {
                what: "invite",
                invitation: Some(row.seq.0),
                room: grant.room.filter(|_| row.title.is_some()).map(|room| room.0),
                uses: Some(grant.uses),
                until: Some(grant.until),
                ..deed
            },
            Entry::InvitationEnded { invitation } => {
                Deed { what: "end_invitation", invitation: Some(invitation.0), ..deed }
            }
            Entry::RecoveryMade { recovery } => {
                Deed { what: "make_recovery", until: Some(recovery.until), ..deed }
            }
            Entry::Deleted { room, target, .. } => {
                Deed { what: "delete_message", room: Some(room.0), message: Some(target.0), ..deed }
            }
            Entry::MemberChanged { room, .. } => Deed { what: "expel", room: Some(room.0), ..deed },
            Entry::ModeratorChanged { room, on, .. } => {
                let what = if *on { "make_moderator" } else { "take_moderator" };
                Deed { what, room: Some(room.0), ..deed }
            }
            Entry::Muted { room, until, .. } if *until > row.time => {
                Deed { what: "mute", room: room.map(|room| room.0), until: end_of(*until), ..deed }
            }
            Entry::Muted { room, .. } => {
                Deed { what: "unmute", room: room.map(|room| room.0), ..deed }
            }
            Entry::RoomBanChanged { room, on, .. } => {
                let what = if *on { "ban_from_room" } else { "lift_room_ban" };
                Deed { what, room: Some(room.0), ..deed }
            }
            Entry::RulesChanged { room, rules } => Deed {
                what: "change_rules",
                room: Some(room.0),
                slow_mode: Some(rules.slow_secs),
                read_only: Some(rules.read_only),
                locked: Some(rules.locked),
                ..deed
            },
            Entry::OwnerChanged { room, .. } => {
                Deed { what: "transfer", room: Some(room.0), ..deed }
            }
            Entry::Cleared { room, since, .. } => Deed {
                what: "delete_messages",
                room: room.map(|room| room.0),
                since: Some(*since),
                ..deed
            },
            Entry::RoomGone { room, .. } => {
                Deed { what: "remove_room", room: Some(room.0), ..deed }
            }
            Entry::RoomChanged { room, .. } => {
                Deed { what: "change_room", room: Some(room.0), ..deed }
            }
            _ => deed,
        }
    }
}
