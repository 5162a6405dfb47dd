//! Logins by a header (`--auth-header`): a proxy has asked for the person's password, and names the
//! person in each request.
//!
//! It must believe the header from a trusted proxy only; from anybody else it is a header like any
//! other. Such a login is as good as a cookie, so the checks of foreign origins apply to it. Called
//! for each request to a protocol.

use std::time::Duration;

use crate::chat::{Caller, Refusal, call};
use crate::crypto::{self, KeyHash};
use crate::http::{Reject, Request, Response};
use crate::limits::edge::{VOUCH_PAUSE_MS, VOUCH_TRIES_MAX};
use crate::log;
use crate::protocol::{Context, Peer, Service, protocol_for, refused};

/// How lists of sessions show it.
const AGENT: &str = "the proxy's login";

/// The session of the person whom the proxy names; `None`: it names nobody.
///
/// # Errors
/// The response, if that person cannot be let in.
pub(super) async fn session(
    context: &Context,
    from: Peer,
    request: &Request,
    path: &[&str],
) -> Result<Option<KeyHash>, Response> {
    let Some(name) = name(context, from, request)? else { return Ok(None) };
    let session = key_of(context, name);
    let keys = [session].into();
    let known = context.hub.call(Caller::Nobody, call::KnownKey { keys }).await;
    let mut outcome = known.map(|known| known.is_some());
    let mut tries = 0;
    while outcome.as_ref().is_ok_and(|known| !known) {
        outcome = match log_in(context, name, session).await {
            // Another request of the same person is about to do it.
            Err(Refusal::Unavailable) if tries < VOUCH_TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(VOUCH_PAUSE_MS)).await;
                Ok(false)
            }
            outcome => outcome,
        };
    }
    match outcome {
        Ok(_) => Ok(Some(session)),
        Err(Refusal::NameInvalid) => Err(no_name(
            request,
            "the name under which the proxy has logged you in cannot be a name here: it needs 1 to \
             32 letters and digits; ask the server's owner",
        )),
        Err(Refusal::NameTaken) => Err(no_name(
            request,
            "somebody else here has a name like the one under which the proxy has logged you in; \
             ask the server's owner",
        )),
        Err(refusal) => Err((protocol_for(path).turned_away)(refusal)),
    }
}

/// Begins the session; makes the account before, if there is none. `false`: try again.
async fn log_in(context: &Context, name: &str, session: KeyHash) -> Result<bool, Refusal> {
    let vouch = call::Vouch { name: name.into(), session, agent: AGENT.into() };
    match context.hub.call(Caller::Nobody, vouch).await {
        Ok(_) => Ok(true),
        Err(Refusal::PersonNotFound) => {
            let key = crypto::hash(&crypto::account_key());
            let introduce = call::Introduce { name: name.into(), key };
            context.hub.call(Caller::Nobody, introduce).await.map(|()| false)
        }
        Err(refusal) => Err(refusal),
    }
}

/// The name in the header of a trusted proxy.
fn name<'a>(
    service: &Service,
    from: Peer,
    request: &'a Request,
) -> Result<Option<&'a str>, Response> {
    let Some(header) = &service.config.auth_header else { return Ok(None) };
    if !from.is_trusted(&service.config.trusted_proxies) {
        return Ok(None);
    }
    let mut lines = request.header_all(header);
    match (lines.next().map(str::trim_ascii).filter(|name| !name.is_empty()), lines.next()) {
        (name, None) => Ok(name),
        // The proxy adds its line to the client's, instead of replacing it.
        (_, Some(_)) => {
            log!(
                Warn,
                "a request has several lines of --auth-header, and is refused: let the proxy \
                 replace what its client sends"
            );
            Err(no_name(request, "the proxy names several people at once; ask the server's owner"))
        }
    }
}

fn no_name(request: &Request, why: &'static str) -> Response {
    refused(&request.path, Reject::new(403, why))
}

/// The hash of the key of a person's session. The key contains the secret, and characters that no
/// header can have, so nobody can send it.
fn key_of(service: &Service, name: &str) -> KeyHash {
    crypto::hash(&format!("\0vouched\0{}\0{name}", service.secret))
}
