//! Invitations: who comes in by a secret code. A code passes through here when it is made and when
//! a client sends it; it is never kept or logged.

use serde::Serialize;

use crate::chat::{InvitationView, Name, Refusal, RoomId, Seq, Title, call};
use crate::crypto;
use crate::http::{Request, Response};
use crate::limits::in_charge::{
    INVITATION_DAYS, INVITATION_DAYS_MAX, INVITATION_USES_MAX, PAGE_ADDRESS_CHARS_MAX,
};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, caller};
use crate::protocol::native::cursor::number;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::{Fields, wrong};
use crate::protocol::native::{pages, rooms};
use crate::protocol::{Context, json_body};
use crate::qr;
use crate::store::InvitationRow;
use crate::time::Time;

const DAY_SECS: u64 = 24 * 3_600;
/// Invitations of a page, and the people of each, at most.
const PAGE: (usize, usize) = (50, 50);

/// A link with a code, and its picture, for a page that has said where it is.
#[derive(Serialize, Default)]
pub(super) struct Link {
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<Vec<String>>,
}

impl Link {
    /// To `#/{place}/{code}` of the page whose address the client has sent.
    pub fn read(fields: &Fields, place: &str, code: &str) -> Result<Link, Refusal> {
        let is_page = |page: &str| {
            let known = page.starts_with("https://") || page.starts_with("http://");
            let plain = page.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
            (known && plain && page.len() <= PAGE_ADDRESS_CHARS_MAX).then(|| page.to_owned())
        };
        let Some(page) = fields.parsed("page", is_page)? else { return Ok(Link::default()) };
        let link = format!("{page}#/{place}/{code}");
        Ok(Link { qr: qr::rows(&link), link: Some(link) })
    }
}

/// Makes an invitation, and returns its code, this once.
pub(super) async fn make(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Made<'a> {
        id: u64,
        code: &'a str,
        room: Option<u64>,
        uses: u64,
        #[serde(serialize_with = "json_body::rfc3339")]
        until: Time,
        #[serde(flatten)]
        link: Link,
    }
    let caller = caller(context, request)?;
    let fields = asking::fields_or_none(request)?;
    let within = |field, max, default| match fields.number(field)? {
        Some(count) if !(1..=max).contains(&count) => Err(wrong(field)),
        count => Ok(count.unwrap_or(default)),
    };
    let uses = within("uses", INVITATION_USES_MAX, 1)?;
    let secs = within("days", INVITATION_DAYS_MAX, INVITATION_DAYS)? * DAY_SECS;
    let room = fields.number("room")?.map(RoomId);
    let code = crypto::session_key();
    let link = Link::read(&fields, "invite", &code)?;
    let reason = fields.reason()?;
    let call = call::Invite { code: crypto::hash(&code), room, uses, secs, reason };
    let made = context.hub.call(caller, call).await.map_err(may_not)?;
    let (id, room, until) = (made.id.0, room.map(|room| room.0), made.grant.until);
    let made = Made { id, code: &code, room, uses, until, link };
    Ok(Response::new(201).json(json_body::text(&made)))
}

fn may_not(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Forbidden => {
            let says = "administrators invite to the server, the owner of a room invites to the \
                        room; ask one of them";
            Failure::from(Code::Forbidden).saying(says)
        }
        Refusal::QuotaReached => {
            let says = "there are as many invitations as one account or room can have; end one \
                        first";
            Failure::from(Code::Forbidden).saying(says)
        }
        refusal => refusal.into(),
    }
}

/// What an invitation grants. Anybody may ask who has its code, which is not in the path: paths are
/// logged by proxies.
pub(super) async fn look(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Seen<'a> {
        by: Option<&'a str>,
        room: Option<u64>,
        title: Option<&'a str>,
        #[serde(serialize_with = "json_body::rfc3339")]
        until: Time,
        registers: bool,
        guests: bool,
    }
    let code = crypto::hash(asking::fields(request)?.needed("code")?);
    let caller = asking::caller_or_nobody(context, request);
    let view = context.hub.call(caller, call::LookAtInvitation { code }).await?;
    let InvitationView { by, room, until, registers, guests } = &view;
    let seen = Seen {
        by: by.as_ref().map(Name::as_str),
        room: room.as_ref().map(|(room, _)| room.0),
        title: room.as_ref().map(|(_, title)| title.as_str()),
        until: *until,
        registers: *registers,
        guests: *guests && context.config.guests,
    };
    Ok(Response::new(200).json(json_body::text(&seen)))
}

/// Makes the caller a member of the invitation's room.
pub(super) async fn accept(context: &Context, request: &Request) -> Answered {
    let caller = caller(context, request)?;
    let code = crypto::hash(asking::fields(request)?.needed("code")?);
    let info = context.hub.call(caller.clone(), call::AcceptInvitation { code }).await?;
    rooms::respond(context, caller, 200, *info).await
}

pub(super) async fn end(context: &Context, request: &Request, id: &str) -> Answered {
    let caller = caller(context, request)?;
    let invitation = number(id).map(Seq).ok_or(Code::InvitationNotFound)?;
    let reason = asking::fields_or_none(request)?.reason()?;
    context.hub.call(caller, call::EndInvitation { invitation, reason }).await?;
    Ok(Response::new(204))
}

/// The caller's invitations, and those of others that the caller may see: a page.
pub(super) async fn list(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Page<'a> {
        invitations: Vec<Shown<'a>>,
        next: Option<u64>,
    }
    let caller = caller(context, request)?;
    let room = pages::counted(request, "room")?.map(RoomId);
    let before = Seq(pages::counted(request, "before")?.unwrap_or(u64::MAX));
    let page = (pages::limit(request)?.min(PAGE.0), PAGE.1);
    let scope = context.hub.call(caller, call::Invitations { room }).await?;
    let read = move |reader: &crate::store::Reader| reader.invitations(scope, before, page);
    let page = context.readers.read(read).await?;
    let now = Time::now();
    let invitations = page.rows.iter().map(|row| Shown::new(row, now)).collect();
    let page = Page { invitations, next: page.next.map(|seq| seq.0) };
    Ok(Response::new(200).json(json_body::text(&page)))
}

#[derive(Serialize)]
struct Shown<'a> {
    id: u64,
    by: Option<&'a str>,
    room: Option<u64>,
    title: Option<&'a str>,
    #[serde(serialize_with = "json_body::rfc3339")]
    created: Time,
    #[serde(serialize_with = "json_body::rfc3339")]
    until: Time,
    uses: u64,
    used: u64,
    state: &'a str,
    users: Vec<Came<'a>>,
}

#[derive(Serialize)]
struct Came<'a> {
    name: &'a str,
    #[serde(serialize_with = "json_body::rfc3339")]
    time: Time,
}

impl<'a> Shown<'a> {
    fn new(row: &'a InvitationRow, now: Time) -> Shown<'a> {
        let came = |(name, time): &'a (Name, Time)| Came { name: name.as_str(), time: *time };
        Shown {
            id: row.id.0,
            by: row.by.as_ref().map(Name::as_str),
            room: row.room.as_ref().map(|(room, _)| room.0),
            title: row.room.as_ref().map(|(_, title)| Title::as_str(title)),
            created: row.created,
            until: row.until,
            uses: row.uses,
            used: row.used,
            state: match row {
                _ if row.used >= row.uses => "used_up",
                _ if row.until <= now => "expired",
                _ if row.ended => "ended",
                _ => "open",
            },
            users: row.came.iter().map(came).collect(),
        }
    }
}
