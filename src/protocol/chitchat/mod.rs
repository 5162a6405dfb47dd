//! ChitChat: rooms with passwords, tokens to enter them, and a websocket for each.
//!
//! It translates, makes cheap checks, and leaves the rest to the core. A client without a valid
//! session is a guest here, not an error. Called by [`route`](super::route).

mod codec;
mod json;
mod list;
mod object;
#[cfg(test)]
mod tests;
mod tokens;

use serde::Serialize;

use codec::CODEC;
use json::{Failure, RoomJson};
use list::List;
use object::Object;
use tokens::{TokenError, Tokens, VerifiedToken};

use crate::chat::{
    Access, Caller, Description, Name, PasswordState, Refusal, RoomChange, RoomInfo, RoomRef,
    RoomSettings, SubscriptionId, Title, Typed, Visibility, call,
};
use crate::crypto;
use crate::http::{self, Request, Response};
use crate::limits::PASSWORD_CHARS_MAX;
use crate::protocol::passwords::{NOBODYS_HASH, Unfit, check_fit};
use crate::protocol::routes::{Route, routes};
use crate::protocol::{Context, Outcome, Protocol, protocol_id};
use crate::protocol::{cookies, json_body, lists, session, web};
use crate::time::Time;

/// The protocol's interface.
pub(super) static PROTOCOL: Protocol = Protocol {
    codecs: &[&CODEC],
    claims: |path| matches!(path, ["chats", ..]),
    routes: ROUTES,
    acts: |_, _| false,
    dress: Failure::dress,
    refused: |reject| Failure::dress(Response::new(reject.status)),
    foreign: || Failure::new(301, "Origin").into(),
    turned_away: |refusal| Failure::from(refusal).into(),
};

const ROUTES: &[Route] = routes! {
    Get "/chats" => list(),
    Post "/chats" => make(),
    Get "/chats/{room}" => show(room),
    Put "/chats/{room}" => change(room),
    Delete "/chats/{room}" => remove(room),
    Post "/chats/{room}/token" => token(room),
    Get "/chats/{room}/token/renew" => renew(room),
    Get "/chats/{room}/entrance" => entrance(room),
    Stream "/chats/{room}/ws" => websocket(room),
};

async fn list(context: &Context, request: &Request) -> Result<Response, Failure> {
    if request.prefers_html() {
        let page = web::respond(request, &[]).header("Vary", "Accept");
        return Ok(cookies::mark(page, request, context));
    }
    let list = List::new(context.hub.clone());
    let response = Response::new(200).header("Vary", "Accept");
    Ok(lists::respond(response, "[", list, "]").await?)
}

async fn show(context: &Context, request: &Request, room: &str) -> Result<Response, Failure> {
    let caller = guest_or_account(context, request);
    let access = Shown::of(context, request.bearer()).access();
    let call = call::Room { room: RoomRef::parse(room), access };
    let info = whole_room(context, caller, call).await;
    Ok(room_response(200, &info.map_err(|failure| failure.about_room(room))?))
}

async fn make(context: &Context, request: &Request) -> Result<Response, Failure> {
    let Wanted { title, description, visibility, password } = Wanted::read(request)?;
    let title = title.filter(Title::is_valid).ok_or(Failure::new(105, "title"))?;
    let visibility = visibility.ok_or(Failure::new(105, "visibility"))?;
    check_password(visibility, password.as_deref(), false)?;
    // Hashing is expensive, so check the title first. (The core checks again.)
    refuse_taken_title(context, &title, None).await?;
    let password = context.hash_any(None, password).await?;
    let description = description.unwrap_or_default();
    let settings = RoomSettings { title, description, visibility, password };
    let made = whole_room(
        context,
        guest_or_account(context, request),
        call::MakeRoom { settings, chance: chance() },
    );
    Ok(room_response(201, &made.await?))
}

async fn change(context: &Context, request: &Request, room: &str) -> Result<Response, Failure> {
    let caller = guest_or_account(context, request);
    let shown = Shown::of(context, request.bearer());
    let access = shown.access();
    // Check the permission first: a client without it learns nothing about the change, and costs no
    // hash. (The core checks again.)
    let may = call::MayChange { room: RoomRef::parse(room), access };
    let state = context.hub.call(caller.clone(), may).await;
    let state = state.map_err(|refusal| shown.refused(refusal).about_room(room))?;
    let Wanted { title, description, visibility, password } = Wanted::read(request)?;
    let is = if state.password.is_none() { Visibility::Public } else { Visibility::Private };
    let keeps_password = state.password.is_some();
    check_password(visibility.unwrap_or(is), password.as_deref(), keeps_password)?;
    // An old title that breaks today's rule may stay.
    if let Some(title) = title.as_ref().filter(|title| **title != state.title) {
        if !title.is_valid() {
            return Err(Failure::new(105, "title"));
        }
        refuse_taken_title(context, title, Some(&state)).await?;
    }
    let password = context.hash_new(state.room, password, state.password).await?;
    let keep_members = false;
    let change = RoomChange { title, description, visibility, password, keep_members };
    let (room_ref, chance) = (RoomRef::Id(state.number), chance());
    let call = call::ChangeRoom { room: room_ref, access, change, chance };
    let changed = whole_room(context, caller, call).await;
    Ok(room_response(200, &changed.map_err(|failure| failure.about_room(room))?))
}

async fn remove(context: &Context, request: &Request, room: &str) -> Result<Response, Failure> {
    let caller = guest_or_account(context, request);
    let shown = Shown::of(context, request.bearer());
    let call = call::RemoveRoom { room: RoomRef::parse(room), access: shown.access() };
    let removed = context.hub.call(caller, call).await;
    removed.map_err(|refusal| shown.refused(refusal).about_room(room))?;
    Ok(done())
}

/// A wrong secret of a hidden room is answered as if the room did not exist, and takes the same
/// time if it does not.
async fn token(context: &Context, request: &Request, room: &str) -> Result<Response, Failure> {
    let caller = guest_or_account(context, request);
    let state = match password_state(context, &caller, room, Access::Open).await {
        Ok(state) => Some(state),
        Err(Refusal::RoomNotFound) => None,
        Err(refusal) => return Err(refusal.into()),
    };
    if state.as_ref().is_some_and(|state| state.password.is_none()) {
        return Ok(done());
    }
    let quiet = state.as_ref().is_none_or(|state| state.quiet);
    let hush = |failure| if quiet { Failure::new(101, room) } else { failure };
    let (name, secret) = asked(request).map_err(hush)?;
    let hash = state.as_ref().and_then(|state| state.password.clone());
    let hash = hash.unwrap_or_else(|| NOBODYS_HASH.into());
    let named = RoomRef::parse(room);
    let right = context.unlock(caller.clone(), named, &secret, hash).await?;
    let state = state.filter(|_| right).ok_or_else(|| hush(Failure::new(304, "secret")))?;
    // Only a client that knows the password learns which names are in use.
    let access = Access::Password { password_generation: state.password_generation };
    let room_ref = RoomRef::Id(state.number);
    let call = call::PasswordState { room: room_ref, name: Some(name.clone()), access };
    let granted = context.hub.call(caller, call).await;
    let granted = granted.map_err(|refusal| Failure::from(refusal).about_room(room))?.granted;
    // The generation of the checked password: if it has changed by now, the token is worthless.
    Ok(token_response(context, &name, None, &PasswordState { granted, ..state }))
}

/// The name and the secret of a client that wants to enter.
fn asked(request: &Request) -> Result<(Name, String), Failure> {
    let object: Object<'_> = json_body::object(&request.body).ok_or(Failure::new(303, ""))?;
    let text = |field: &str| object.text(field).map_err(|()| Failure::new(303, field));
    let (name, secret) = (text("name")?, text("secret")?);
    let name = name.and_then(Name::kept).ok_or(Failure::new(303, "name"))?;
    let sane = |secret: &&str| (1..=PASSWORD_CHARS_MAX).contains(&secret.chars().count());
    let secret = secret.filter(sane).ok_or(Failure::new(304, "secret"))?;
    Ok((name, secret.to_owned()))
}

async fn renew(context: &Context, request: &Request, room: &str) -> Result<Response, Failure> {
    let caller = guest_or_account(context, request);
    let shown = Shown::of(context, request.bearer());
    let state = seen(context, &caller, room, shown.access()).await?;
    if state.password.is_none() {
        return Ok(done());
    }
    let VerifiedToken { claim, access } = shown.verified()?;
    let (name, first) = (claim.name.clone(), claim.first);
    let call = call::Renew { room: RoomRef::Id(state.room), claim, access };
    let renewed = context.hub.call(caller, call).await;
    let renewed = renewed.map_err(|refusal| Failure::from(refusal).about_room(room))?;
    // The renewed token keeps the first token's issue time and session.
    let session = access.session();
    Ok(token_response(context, &name, Some(first), &PasswordState { session, ..renewed }))
}

/// Redirects to the page, at the room of that number, or at the list of rooms. The location is
/// relative (RFC 9110 section 10.2.2): only the browser knows below which path a proxy serves us.
async fn entrance(_: &Context, _: &Request, room: &str) -> Result<Response, Failure> {
    let number = !room.is_empty() && room.bytes().all(|byte| byte.is_ascii_digit());
    let room = if number { format!("#/room/{room}") } else { String::new() };
    Ok(Response::new(302).header("Location", format!("../../{room}")))
}

async fn websocket(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
    room: &str,
) -> Result<Outcome, Response> {
    let handshake = http::websocket(request).map_err(Failure::dress)?;
    let caller = guest_or_account(context, request);
    // A browser cannot send `Authorization` with a websocket, so the token may come as a
    // subprotocol. The browser fails the connection unless the server chooses one of the offered
    // subprotocols (RFC 6455 section 4.1).
    let offered = handshake.protocols.iter();
    let as_protocol = offered.clone().find(|name| looks_like_a_token(name));
    let chosen = as_protocol.or(handshake.protocols.first()).map(String::as_str);
    let shown = Shown::of(context, request.bearer().or(as_protocol.map(String::as_str)));
    let state = seen(context, &caller, room, shown.access()).await?;
    let verified = match shown.verified() {
        Ok(verified) if state.opens(verified.access) => Some(verified),
        // A public room needs no token, so an invalid one does no harm.
        _ if state.password.is_none() => None,
        Ok(_) => return Err(Failure::from(TokenError::Invalid).into()),
        Err(failure) => return Err(failure.into()),
    };
    let access = verified.as_ref().map_or(Access::Open, |verified| verified.access);
    let (protocol, room_ref) = (protocol_id(&CODEC), RoomRef::Id(state.number));
    let claim = verified.map(|verified| verified.claim);
    let call =
        call::Subscribe { subscription, protocol, room: room_ref, access, claim, enter: false };
    let subscription = context.hub.subscribe(subscription, caller, call).await;
    let (subscription, _) =
        subscription.map_err(|refusal| Failure::from(refusal).about_room(room))?;
    let response = handshake.response(chosen);
    // A client with an invalid session is a guest here.
    let known = match session(context, request) {
        Some(key) => context.hub.call(Caller::Session(key), call::Me).await.is_ok(),
        None => false,
    };
    Ok(Outcome::Websocket { response, subscription, codec: &CODEC, script: None, known })
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
        let object: Object<'_> = json_body::object(&request.body).ok_or(Failure::new(103, ""))?;
        let text = |field: &str| object.text(field).map_err(|()| Failure::new(103, field));
        let (title, description) = (text("title")?, text("description")?);
        let (visibility, password) = (text("visibility")?, text("password")?);
        Ok(Wanted {
            title: valid("title", title, Title::kept)?,
            description: valid("description", description, Description::new)?,
            visibility: valid("visibility", visibility, Visibility::parse)?,
            // Quirk: in Go an empty string and a missing one are the same; forms send the empty
            // one.
            password: password.filter(|password| !password.is_empty()).map(str::to_owned),
        })
    }
}

/// Parses a string that is present.
fn valid<T>(
    field: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Failure> {
    text.map(|text| parse(text).ok_or(Failure::new(105, field))).transpose()
}

/// See [`passwords::check_fit`].
fn check_password(
    visibility: Visibility,
    password: Option<&str>,
    keeps: bool,
) -> Result<(), Failure> {
    check_fit(visibility, password, keeps).map_err(|unfit| match unfit {
        Unfit::Public => Failure::new(105, "visibility"),
        Unfit::Length => Failure::new(105, "password"),
    })
}

async fn refuse_taken_title(
    context: &Context,
    title: &Title,
    own: Option<&PasswordState>,
) -> Result<(), Failure> {
    let call = call::Vacant { title: title.clone(), but: own.map(|own| own.room) };
    context.hub.call(Caller::Nobody, call).await.map(|_| ()).map_err(Failure::from)
}

/// A room with its present users.
async fn whole_room(
    context: &Context,
    caller: Caller,
    call: impl Typed<Answer = Box<RoomInfo>>,
) -> Result<RoomInfo, Failure> {
    let mut info = context.hub.call(caller.clone(), call).await?;
    list::complete(&context.hub, &caller, &mut info).await;
    Ok(*info)
}

async fn password_state(
    context: &Context,
    caller: &Caller,
    room: &str,
    access: Access,
) -> Result<PasswordState, Refusal> {
    let call = call::PasswordState { room: RoomRef::parse(room), name: None, access };
    context.hub.call(caller.clone(), call).await
}

/// The password state of a room that the caller may see.
async fn seen(
    context: &Context,
    caller: &Caller,
    room: &str,
    access: Access,
) -> Result<PasswordState, Failure> {
    let state = password_state(context, caller, room, access).await;
    let state = state.map_err(|refusal| Failure::from(refusal).about_room(room))?;
    if state.seen { Ok(state) } else { Err(Failure::new(101, room)) }
}

/// The request's token.
struct Shown(Result<VerifiedToken, TokenError>);

impl Shown {
    fn of(context: &Context, token: Option<&str>) -> Shown {
        Shown(
            token
                .ok_or(TokenError::Invalid)
                .and_then(|token| Tokens::new(&context.secret).check(token)),
        )
    }

    /// The access that it claims; the core checks it against the room.
    fn access(&self) -> Access {
        self.0.as_ref().map_or(Access::Open, |verified| verified.access)
    }

    fn verified(&self) -> Result<VerifiedToken, Failure> {
        self.0.clone().map_err(Failure::from)
    }

    /// A refusal that says what is wrong with the token, if that is the reason.
    fn refused(&self, refusal: Refusal) -> Failure {
        match (refusal, &self.0) {
            (Refusal::NoAccess, Err(error)) => Failure::from(*error),
            _ => Failure::from(refusal),
        }
    }
}

/// Random bits for the id of a room that is or becomes hidden.
fn chance() -> u64 {
    u64::from_le_bytes(crypto::random())
}

/// RFC 7515 section 7.1: three parts and two dots between them.
fn looks_like_a_token(protocol: &str) -> bool {
    protocol.matches('.').count() == 2
}

fn guest_or_account(context: &Context, request: &Request) -> Caller {
    session(context, request).map_or(Caller::Nobody, Caller::Perhaps)
}

impl Failure {
    /// A missing room is named as in the request.
    fn about_room(self, room: &str) -> Failure {
        let missing = self == Failure::from(Refusal::RoomNotFound);
        if missing { Failure::new(101, room) } else { self }
    }
}

fn done() -> Response {
    Response::new(200).json(r#"{"status":true}"#)
}

fn room_response(status: u16, info: &RoomInfo) -> Response {
    Response::new(status).json(json_body::text(&RoomJson::from(info)))
}

/// `first`: the issue time of the token that this one renews.
fn token_response(
    context: &Context,
    name: &Name,
    first: Option<Time>,
    state: &PasswordState,
) -> Response {
    #[derive(Serialize)]
    struct Granted<'a> {
        status: bool,
        name: &'a str,
        room_id: u64,
        token: String,
    }
    let token = Tokens::new(&context.secret).issue(name, first, state);
    let granted = Granted { status: true, name: name.as_str(), room_id: state.number.0, token };
    Response::new(201).json(json_body::text(&granted))
}
