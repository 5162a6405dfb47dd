//! Rooms: listing, creating, changing and joining them.
//!
//! A hidden room does not exist for a caller that is not a member, in any request.

use std::collections::HashMap;

use serde::Serialize;

use crate::chat::{
    Access, Caller, Description, DirectRoom, MembershipMarks, PasswordState, Refusal, RoomChange,
    RoomId, RoomInfo, RoomRef, RoomSettings, Seq, Title, Visibility, call,
};
use crate::crypto;
use crate::http::{Request, Response};
use crate::hub::HubHandle;
use crate::limits::PASSWORD_CHARS_MAX;
use crate::protocol::lists::{Items, Listed, More};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, about, caller};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::wrong;
use crate::protocol::native::identity::caller_account;
use crate::protocol::native::json::{Deleted, RoomJson};
use crate::protocol::native::moderation;
use crate::protocol::passwords::{NOBODYS_HASH, check_fit};
use crate::protocol::{Context, json_body, lists};
use crate::store::{Counts, Reader};

pub(super) async fn list(context: &Context, request: &Request) -> Answered {
    let caller = caller(context, request)?;
    // Read all counts before the first room is written, so that a failed read refuses the request.
    let mine = marks(&context.hub, &caller).await?;
    let mine: Vec<(RoomId, Seq)> = mine.into_iter().map(|marks| (marks.room, marks.read)).collect();
    let counts = counted(context, caller.clone(), mine).await?;
    let list = Rooms { hub: context.hub.clone(), caller, after: RoomId(0), counts };
    Ok(lists::respond(Response::new(200), r#"{"rooms":["#, list, "]}").await?)
}

/// The list of rooms in progress.
struct Rooms {
    hub: HubHandle,
    caller: Caller,
    after: RoomId,
    /// The unread counts of the caller's rooms.
    counts: HashMap<RoomId, Counts>,
}

impl Rooms {
    async fn page(&mut self, items: &mut Items) -> Result<bool, Refusal> {
        let call = call::Rooms { mine: true, after: self.after };
        let page = self.hub.call(self.caller.clone(), call).await?;
        for info in &page.items {
            let counts = self.counts.get(&info.id).copied().unwrap_or_default();
            items.push(&RoomJson::seen(info, counts));
        }
        self.after = page.next.unwrap_or(self.after);
        Ok(page.next.is_some())
    }
}

impl Listed for Rooms {
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a> {
        Box::pin(self.page(items))
    }
}

pub(super) async fn make(context: &Context, request: &Request) -> Answered {
    let caller = caller(context, request)?;
    let wanted = Wanted::read(request)?;
    let title = wanted.title.filter(Title::is_valid).ok_or(Failure::field("title"))?;
    let visibility = wanted.visibility.ok_or(Failure::field("visibility"))?;
    check_fit(visibility, wanted.password.as_deref(), false).map_err(|_| wrong("password"))?;
    // Hashing is expensive, so check the caller and the title first. (The core checks again.)
    caller_account(context, caller.clone()).await?;
    refuse_taken_title(context, &title, None).await?;
    let password = context.hash_any(None, wanted.password).await?;
    let description = wanted.description.unwrap_or_default();
    let settings = RoomSettings { title, description, visibility, password };
    let info =
        context.hub.call(caller.clone(), call::MakeRoom { settings, chance: chance() }).await?;
    let location = format!("/api/v1/rooms/{}", info.id);
    Ok(respond(context, caller, 201, *info).await?.header("Location", location))
}

pub(super) async fn show(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let info = view(context, caller.clone(), room).await?;
    respond(context, caller, 200, info).await
}

pub(super) async fn change(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let rules = moderation::rules(&asking::fields(request)?)?;
    let Wanted { title, description, visibility, password } = Wanted::read(request)?;
    if let Some(rules) = rules
        && (&title, &description, visibility, &password) == (&None, &None, None, &None)
    {
        let info = moderation::change_rules(context, caller.clone(), room, rules).await?;
        return respond(context, caller, 200, *info).await;
    }
    let state = own(context, caller.clone(), room).await?;
    let keep_members = asking::fields(request)?.flag("keep_members")?.unwrap_or(false);
    let is = if state.password.is_none() { Visibility::Public } else { Visibility::Private };
    let keeps = state.password.is_some();
    check_fit(visibility.unwrap_or(is), password.as_deref(), keeps)
        .map_err(|_| wrong("password"))?;
    // An old title that breaks today's rule may stay.
    if let Some(title) = title.as_ref().filter(|title| **title != state.title) {
        if !title.is_valid() {
            return Err(Failure::field("title"));
        }
        refuse_taken_title(context, title, Some(room)).await?;
    }
    let password = context.hash_new(room, password, state.password).await?;
    let change = RoomChange { title, description, visibility, password, keep_members };
    let (access, chance) = (Access::Member, chance());
    let call = call::ChangeRoom { room: RoomRef::Id(room), access, change, chance };
    let mut info = context.hub.call(caller.clone(), call).await?;
    if let Some(rules) = rules {
        info = moderation::change_rules(context, caller.clone(), room, rules).await?;
    }
    respond(context, caller, 200, *info).await
}

pub(super) async fn remove(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    // With a reason, an administrator acts as one. (Without, too, in a room of others.)
    if let Some(reason) = asking::fields_or_none(request)?.reason()? {
        let call = call::Demolish { room, reason: Some(reason) };
        match context.hub.call(caller.clone(), call).await {
            Ok(_) => return Ok(Response::new(204)),
            Err(Refusal::Forbidden) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let call = call::RemoveRoom { room: RoomRef::Id(room), access: Access::Member };
    context.hub.call(caller, call).await?;
    Ok(Response::new(204))
}

/// The rooms that the caller has deleted, and can restore.
pub(super) async fn deleted(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Rooms<'a> {
        rooms: Vec<Deleted<'a>>,
    }
    let caller = caller(context, request)?;
    let infos = context.hub.call(caller, call::Deleted).await?;
    let rooms = infos.iter().map(Deleted::from).collect();
    Ok(Response::new(200).json(json_body::text(&Rooms { rooms })))
}

/// Restores a deleted room, maybe under another title.
pub(super) async fn restore(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let title = asking::fields_or_none(request)?.parsed("title", Title::new)?;
    let info = context.hub.call(caller.clone(), call::RestoreRoom { room, title }).await?;
    respond(context, caller, 200, *info).await
}

pub(super) async fn enter(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let body = asking::fields_or_none(request)?;
    caller_account(context, caller.clone()).await?; // Strangers may not try passwords.
    // Without a password a membership may let the caller in, or the room may be public.
    let access = match body.text("password")? {
        Some(password) => unlock(context, &caller, room, password).await?,
        None => Access::Open,
    };
    match context.hub.call(caller.clone(), call::Enter { room, access }).await {
        Ok(info) => respond(context, caller, 200, *info).await,
        Err(Refusal::NoAccess) => Err(Code::WrongPassword.into()),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn exit(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    context.hub.call(caller, call::Exit { room }).await?;
    Ok(Response::new(204))
}

/// Somebody in charge of a room removes a member.
pub(super) async fn expel(
    context: &Context,
    request: &Request,
    room: &str,
    name: &str,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    context.hub.call(caller, call::Expel { room, name: name.into() }).await?;
    Ok(Response::new(204))
}

pub(super) async fn read(context: &Context, request: &Request, room: &str) -> Answered {
    #[derive(Serialize)]
    struct Read {
        read_seq: u64,
    }
    let (caller, room) = about(context, request, room)?;
    let seq = asking::fields(request)?.seq("seq")?;
    let Seq(read_seq) = context.hub.call(caller, call::Read { room, seq }).await?;
    Ok(Response::new(200).json(json_body::text(&Read { read_seq })))
}

pub(super) async fn direct(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    let call = call::Direct { name: name.into(), chance: chance() };
    let DirectRoom { room, made } = context.hub.call(caller.clone(), call).await?;
    respond(context, caller, if made { 201 } else { 200 }, *room).await
}

/// A room, as the caller sees it.
pub(super) async fn view(
    context: &Context,
    caller: Caller,
    room: RoomId,
) -> Result<RoomInfo, Failure> {
    Ok(*context.hub.call(caller, call::View { room }).await?)
}

/// The entry after which the caller may read a room: for a member, or of a public room.
pub(super) async fn readable(
    context: &Context,
    caller: Caller,
    room: RoomId,
) -> Result<Seq, Failure> {
    let info = view(context, caller, room).await?;
    if info.is_open() || info.membership.is_some() {
        return Ok(info.horizon);
    }
    Err(Failure::not_member())
}

/// The caller's memberships, each with its read marker.
pub(super) async fn marks(
    hub: &HubHandle,
    caller: &Caller,
) -> Result<Vec<MembershipMarks>, Refusal> {
    let (mut all, mut after) = (Vec::new(), RoomId(0));
    loop {
        let page = hub.call(caller.clone(), call::Marks { after }).await?;
        all.extend(page.items);
        let Some(next) = page.next else { return Ok(all) };
        after = next;
    }
}

/// The password state of a room, if the caller may change it.
async fn own(context: &Context, caller: Caller, room: RoomId) -> Result<PasswordState, Failure> {
    let call = call::MayChange { room: RoomRef::Id(room), access: Access::Member };
    Ok(context.hub.call(caller, call).await?)
}

/// The access that a password gives; a wrong one gives none. It takes the same time if the room
/// does not exist.
async fn unlock(
    context: &Context,
    caller: &Caller,
    room: RoomId,
    password: &str,
) -> Result<Access, Failure> {
    let call = call::PasswordState { room: RoomRef::Id(room), name: None, access: Access::Open };
    let state = match context.hub.call(Caller::Nobody, call).await {
        Ok(PasswordState { password: None, .. }) => return Ok(Access::Open),
        Ok(state) => Some(state),
        Err(Refusal::RoomNotFound) => None,
        Err(refusal) => return Err(refusal.into()),
    };
    if !(1..=PASSWORD_CHARS_MAX).contains(&password.chars().count()) {
        return Ok(Access::Open);
    }
    let hash = state.as_ref().and_then(|state| state.password.clone());
    let hash = hash.unwrap_or_else(|| NOBODYS_HASH.into());
    let right = context.unlock(caller.clone(), RoomRef::Id(room), password, hash).await?;
    let password_generation = state.filter(|_| right).map(|state| state.password_generation);
    Ok(password_generation
        .map_or(Access::Open, |password_generation| Access::Password { password_generation }))
}

/// Random bits for the id of a room that is or becomes hidden.
fn chance() -> u64 {
    u64::from_le_bytes(crypto::random())
}

/// The response that shows a room to the caller.
pub(super) async fn respond(
    context: &Context,
    caller: Caller,
    status: u16,
    info: RoomInfo,
) -> Answered {
    let infos = [info];
    let counts = counts(context, caller, &infos).await?;
    let room = RoomJson::seen(&infos[0], counts.first().copied().unwrap_or_default());
    Ok(Response::new(status).json(json_body::text(&room)))
}

/// The unread counts of these rooms; zero for rooms of which the caller is not a member.
async fn counts(
    context: &Context,
    caller: Caller,
    infos: &[RoomInfo],
) -> Result<Vec<Counts>, Failure> {
    let mine = infos.iter().filter_map(|info| Some((info.id, info.membership?.read)));
    let mine: Vec<(RoomId, Seq)> = mine.collect();
    if mine.is_empty() {
        return Ok(vec![Counts::default(); infos.len()]);
    }
    let counted = counted(context, caller, mine).await?;
    Ok(infos.iter().map(|info| counted.get(&info.id).copied().unwrap_or_default()).collect())
}

/// The unread counts of the caller's rooms.
async fn counted(
    context: &Context,
    caller: Caller,
    mine: Vec<(RoomId, Seq)>,
) -> Result<HashMap<RoomId, Counts>, Failure> {
    let me = caller_account(context, caller).await?.name.lowered();
    let read = move |reader: &Reader| {
        let counts = reader.counts(&me, &mine)?;
        Ok(mine.into_iter().map(|(room, _)| room).zip(counts).collect())
    };
    Ok(context.readers.read(read).await?)
}

/// The room fields of a body that are present, validated.
struct Wanted {
    title: Option<Title>,
    description: Option<Description>,
    visibility: Option<Visibility>,
    password: Option<String>,
}

impl Wanted {
    fn read(request: &Request) -> Result<Wanted, Failure> {
        let fields = asking::fields(request)?;
        Ok(Wanted {
            title: fields.parsed("title", Title::kept)?,
            description: fields.parsed("description", Description::new)?,
            visibility: fields.parsed("visibility", Visibility::parse)?,
            password: fields.text("password")?.map(str::to_owned),
        })
    }
}

async fn refuse_taken_title(
    context: &Context,
    title: &Title,
    own: Option<RoomId>,
) -> Result<(), Failure> {
    let call = call::Vacant { title: title.clone(), but: own };
    context.hub.call(Caller::Nobody, call).await.map(|_| ()).map_err(Failure::from)
}
