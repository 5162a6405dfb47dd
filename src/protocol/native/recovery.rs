//! Lost keys: a link for an account, by which it gets a new key. A code and a key pass through here
//! when they are made and when a client sends them; they are never kept or logged.

use serde::Serialize;

use crate::chat::{Caller, Refusal, call};
use crate::crypto;
use crate::http::{Request, Response};
use crate::limits::in_charge::RECOVERY_TTL_SECS;
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, caller};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::invitations::Link;
use crate::protocol::{Context, json_body};

/// Makes a link for an account, and returns its code, this once.
pub(super) async fn make(context: &Context, request: &Request, name: &str) -> Answered {
    #[derive(Serialize)]
    struct Made<'a> {
        code: &'a str,
        /// Seconds until it ends.
        seconds: u64,
        #[serde(flatten)]
        link: Link,
    }
    let caller = caller(context, request)?;
    let fields = asking::fields_or_none(request)?;
    let code = crypto::session_key();
    let link = Link::read(&fields, "recover", &code)?;
    let (name, reason) = (name.into(), fields.reason()?);
    let call = call::MakeRecovery { name, code: crypto::hash(&code), reason };
    context.hub.call(caller, call).await.map_err(may_not)?;
    let made = Made { code: &code, seconds: RECOVERY_TTL_SECS, link };
    Ok(Response::new(201).json(json_body::text(&made)))
}

fn may_not(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Forbidden => {
            let says = "administrators may do this for accounts without a role, the owner of the \
                        server also for administrators; for an owner: shanty admin recover NAME";
            Failure::from(Code::Forbidden).saying(says)
        }
        Refusal::Banned => {
            let says = "this account is banned; lift the ban before you give it a new key";
            Failure::from(Code::Forbidden).saying(says)
        }
        refusal => refusal.into(),
    }
}

/// Gives an account a new key, and returns it, this once. Its old key is invalid from then on.
pub(super) async fn recover(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Recovered<'a> {
        name: &'a str,
        key: &'a str,
    }
    let code = crypto::hash(asking::fields(request)?.needed("code")?);
    let key = crypto::account_key();
    let call = call::Recover { code, key: crypto::hash(&key) };
    let person = context.hub.call(Caller::Nobody, call).await?;
    let recovered = Recovered { name: person.name.as_str(), key: &key };
    Ok(Response::new(200).json(json_body::text(&recovered)))
}
