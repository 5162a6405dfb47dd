//! Bans of accounts and of addresses, for administrators.

use std::net::IpAddr;

use serde::Serialize;

use crate::chat::{AccountId, Caller, Field, Page, Refusal, call};
use crate::http::{Request, Response};
use crate::hub::HubHandle;
use crate::limits::in_charge::BAN_MINUTES_MAX;
use crate::protocol::lists::{self, Items, Listed, More};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, caller};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::{Fields, wrong};
use crate::protocol::native::in_charge::admins_only;
use crate::protocol::native::json::PersonJson;
use crate::protocol::{Context, json_body};
use crate::time::Time;

/// Bans an account, or somebody without one; perhaps with the addresses of their connections.
pub(super) async fn ban(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    let fields = asking::fields_or_none(request)?;
    let address_secs = seconds(&fields, "address_minutes")?;
    let call = call::Ban { name: name.into(), on: true, address_secs, reason: fields.reason()? };
    match context.hub.call(caller, call).await {
        Ok(_) => Ok(Response::new(204)),
        Err(Refusal::Malformed(Field::Called(field))) => {
            let says = "somebody without an account can be banned only by the address: send \
                        address_minutes (an address of the server's own machine cannot be banned)";
            Err(Failure::field(field).saying(says))
        }
        Err(Refusal::Forbidden) => Err(no_colleagues()),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn lift(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    let reason = asking::fields_or_none(request)?.reason()?;
    let call = call::Ban { name: name.into(), on: false, address_secs: None, reason };
    match context.hub.call(caller, call).await {
        Ok(_) => Ok(Response::new(204)),
        Err(Refusal::Forbidden) => Err(no_colleagues()),
        Err(refusal) => Err(refusal.into()),
    }
}

fn no_colleagues() -> Failure {
    let says = "only administrators of the server ban, and nobody who has a role: its owner takes \
                the role first";
    Failure::from(Code::Forbidden).saying(says)
}

pub(super) async fn ban_address(context: &Context, request: &Request, address: &str) -> Answered {
    let caller = caller(context, request)?;
    let fields = asking::fields(request)?;
    let secs = Some(seconds(&fields, "minutes")?.ok_or(wrong("minutes"))?);
    let call = call::BanAddress { address: read(address)?, secs, reason: fields.reason()? };
    context.hub.call(caller, call).await.map_err(admins_only)?;
    Ok(Response::new(204))
}

pub(super) async fn lift_address(context: &Context, request: &Request, address: &str) -> Answered {
    let caller = caller(context, request)?;
    let reason = asking::fields_or_none(request)?.reason()?;
    let call = call::BanAddress { address: read(address)?, secs: None, reason };
    context.hub.call(caller, call).await.map_err(admins_only)?;
    Ok(Response::new(204))
}

fn read(address: &str) -> Result<IpAddr, Failure> {
    address.parse().map_err(|_| Failure::field("address"))
}

/// So many minutes, in seconds.
fn seconds(fields: &Fields, field: &'static str) -> Result<Option<u64>, Refusal> {
    let minutes = fields.number(field)?;
    match minutes {
        Some(minutes) if !(1..=BAN_MINUTES_MAX).contains(&minutes) => Err(wrong(field)),
        minutes => Ok(minutes.map(|minutes| minutes * 60)),
    }
}

/// The banned accounts.
pub(super) async fn users(context: &Context, request: &Request) -> Answered {
    let (hub, caller) = (context.hub.clone(), caller(context, request)?);
    let list = Banned { hub, caller, after: AccountId(0) };
    let listed = lists::respond(Response::new(200), r#"{"users":["#, list, "]}").await;
    listed.map_err(admins_only)
}

/// The banned accounts, page by page.
struct Banned {
    hub: HubHandle,
    caller: Caller,
    after: AccountId,
}

impl Listed for Banned {
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a> {
        Box::pin(async {
            let call = call::Banned { after: self.after };
            let Page { items: people, next } = self.hub.call(self.caller.clone(), call).await?;
            people.iter().for_each(|one| items.push(&PersonJson::from(one)));
            self.after = next.unwrap_or(self.after);
            Ok(next.is_some())
        })
    }
}

/// The banned addresses.
pub(super) async fn addresses(context: &Context, request: &Request) -> Answered {
    #[derive(Serialize)]
    struct Addresses {
        addresses: Vec<Address>,
    }
    #[derive(Serialize)]
    struct Address {
        address: IpAddr,
        #[serde(serialize_with = "json_body::rfc3339")]
        until: Time,
    }
    let caller = caller(context, request)?;
    let all = context.hub.call(caller, call::BannedAddresses).await.map_err(admins_only)?;
    let all = all.iter().map(|one| Address { address: one.address, until: one.until });
    let addresses = Addresses { addresses: all.collect() };
    Ok(Response::new(200).json(json_body::text(&addresses)))
}
