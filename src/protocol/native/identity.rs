//! Accounts, sessions and guests: the caller's identity, and other users.
//!
//! A key passes through here when it is made and when a client sends it; it is never kept or
//! logged.

use serde::Serialize;

use crate::chat::{AccountId, Caller, Page, Person, Refusal, SessionId, SessionInfo, Typed, call};
use crate::crypto;
use crate::http::{Request, Response};
use crate::hub::HubHandle;
use crate::limits::AGENT_CHARS_MAX;
use crate::protocol::lists::{self, Items, Listed, More};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, caller};
use crate::protocol::native::cursor::number;
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::json::{Login, PersonJson};
use crate::protocol::{Context, cookies, give_up, json_body};
use crate::time::Time;

pub(super) async fn register(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Registered<'a> {
        name: &'a str,
        key: &'a str,
    }
    // People in charge make the accounts of others.
    let caller = asking::caller_or_nobody(context, request);
    let fields = asking::fields(request)?;
    let name = fields.needed("name")?;
    let key = crypto::account_key();
    let invitation = fields.text("invitation")?.map(crypto::hash);
    let call = call::Register { name: name.into(), key: crypto::hash(&key), invitation };
    context.hub.call(caller, call).await?;
    Ok(Response::new(201).json(json_body::text(&Registered { name, key: &key })))
}

pub(super) async fn log_in(context: &Context, request: &Request) -> Answered {
    let fields = asking::fields(request)?;
    let key = crypto::hash(fields.needed("key")?);
    let remember = fields.flag("remember")?.unwrap_or(false);
    let session = crypto::session_key();
    let hash = crypto::hash(&session);
    let call = call::Login { key, session: hash, remember, agent: agent(request) };
    begun(context, request, Caller::Nobody, call, &session).await
}

pub(super) async fn be_guest(context: &Context, request: &Request) -> Answered {
    if !context.config.guests {
        return Err(Code::GuestsOff.into());
    }
    let fields = asking::fields(request)?;
    let (name, color) = (fields.needed("name")?.into(), fields.color()?);
    let remember = fields.flag("remember")?.unwrap_or(false);
    let session = crypto::session_key();
    let hash = crypto::hash(&session);
    let call = call::BeGuest { name, color, session: hash, remember, agent: agent(request) };
    // Mutes and bans of the session so far go on under the new name.
    let before = context.session.map_or(Caller::Nobody, Caller::Perhaps);
    begun(context, request, before, call, &session).await
}

/// Starts a session: its key is sent once, in the body and as the cookie.
async fn begun(
    context: &Context,
    request: &Request,
    caller: Caller,
    call: impl Typed<Answer = SessionInfo>,
    session: &str,
) -> Answered {
    #[derive(Serialize)]
    struct Begun<'a> {
        session: &'a str,
        name: &'a str,
        guest: bool,
        #[serde(serialize_with = "json_body::rfc3339")]
        expires: Time,
    }
    let info = context.hub.call(caller, call).await?;
    let SessionInfo { name, guest, expires, .. } = &info;
    give_up(context, request).await;
    let body = Begun { session, name: name.as_str(), guest: *guest, expires: *expires };
    let response = cookies::give(Response::new(201), request, session, context);
    Ok(response.json(json_body::text(&body)))
}

pub(super) async fn sessions(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Sessions<'a> {
        sessions: Vec<Login<'a>>,
    }
    let caller = caller(context, request)?;
    let sessions = context.hub.call(caller, call::Sessions).await?;
    let sessions = sessions.iter().map(Login::from).collect();
    Ok(Response::new(200).json(json_body::text(&Sessions { sessions })))
}

pub(super) async fn end_session(context: &Context, request: &Request, id: &str) -> Answered {
    let caller = caller(context, request)?;
    if id == "current" {
        context.hub.call(caller, call::Logout).await?;
        return Ok(cookies::take_away(Response::new(204), request, context));
    }
    let session = number(id).map(SessionId).ok_or(Code::NotFound)?;
    context.hub.call(caller, call::EndSession { session }).await?;
    Ok(Response::new(204))
}

/// Replaces the key of the caller's account, and returns the new one, this once. The old key is
/// invalid from then on.
pub(super) async fn change_key(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Changed<'a> {
        key: &'a str,
    }
    let caller = caller(context, request)?;
    let key = crypto::account_key();
    let call = call::ChangeKey { key: crypto::hash(&key) };
    match context.hub.call(caller, call).await {
        Ok(_) => Ok(Response::new(200).json(json_body::text(&Changed { key: &key }))),
        Err(Refusal::Forbidden) => {
            let says = "a guest has no key; register to get one";
            Err(Failure::from(Code::Forbidden).saying(says))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn me(context: &Context, request: &Request) -> Answered {
    let me = caller_account(context, caller(context, request)?).await?;
    // (The page may come from the browser's own cache.)
    let response = cookies::mark(Response::new(200), request, context);
    let by_proxy = context.vouched && !request.has_bearer();
    Ok(response.json(json_body::text(&PersonJson::caller(&me, by_proxy))))
}

pub(super) async fn person(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    let person = context.hub.call(caller, call::Person { name: name.into() }).await?;
    Ok(Response::new(200).json(json_body::text(&PersonJson::from(&person))))
}

/// Blocks an account. Idempotent.
pub(super) async fn block(context: &Context, request: &Request, name: &str) -> Answered {
    set_blocked(context, request, name, true).await
}

pub(super) async fn unblock(context: &Context, request: &Request, name: &str) -> Answered {
    set_blocked(context, request, name, false).await
}

async fn set_blocked(context: &Context, request: &Request, name: &str, on: bool) -> Answered {
    let caller = caller(context, request)?;
    match context.hub.call(caller, call::Block { name: name.into(), on }).await {
        Ok(_) => Ok(Response::new(204)),
        Err(Refusal::Malformed(_)) => {
            Err(Failure::field("name").saying("you cannot block yourself; name somebody else"))
        }
        Err(Refusal::QuotaReached) => {
            let says = "you have blocked as many people as an account can; first unblock \
                        somebody: GET /api/v1/me/blocked lists them";
            Err(Failure::from(Code::Forbidden).saying(says))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// The users that the caller blocks.
pub(super) async fn blocked(context: &Context, request: &Request) -> Answered {
    let list = Blocked {
        hub: context.hub.clone(),
        caller: caller(context, request)?,
        after: AccountId(0),
    };
    Ok(lists::respond(Response::new(200), r#"{"blocked":["#, list, "]}").await?)
}

/// The blocked users, page by page.
struct Blocked {
    hub: HubHandle,
    caller: Caller,
    after: AccountId,
}

impl Listed for Blocked {
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a> {
        Box::pin(async {
            let call = call::Blocked { after: self.after };
            let Page { items: people, next } = self.hub.call(self.caller.clone(), call).await?;
            people.iter().for_each(|person| items.push(&PersonJson::from(person)));
            self.after = next.unwrap_or(self.after);
            Ok(next.is_some())
        })
    }
}

/// The caller's account or guest; refused for an anonymous caller.
pub(super) async fn caller_account(context: &Context, caller: Caller) -> Result<Person, Failure> {
    Ok(context.hub.call(caller, call::Me).await?)
}

/// The client's `User-Agent`, shortened.
fn agent(request: &Request) -> Box<str> {
    let agent = request.header("user-agent").unwrap_or_default();
    agent.chars().take(AGENT_CHARS_MAX).collect()
}
