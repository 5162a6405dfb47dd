//! People in charge of the server: who has a role, who gives it, and the settings of the server.

use serde::Serialize;

use crate::chat::{Field, Guests, PolicyInfo, Refusal, Registration, Role, call};
use crate::crypto;
use crate::http::{Request, Response};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, caller};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::wrong;
use crate::protocol::native::identity::caller_account;
use crate::protocol::{Context, json_body};

/// The caller becomes the owner of a server that has none, by the link that the server printed.
pub(super) async fn set_up(context: &Context, request: &Request) -> Answered {
    let caller = caller(context, request)?;
    let token = crypto::hash(asking::fields(request)?.needed("token")?);
    match context.hub.call(caller, call::Setup { token }).await {
        Ok(_) => Ok(Response::new(204)),
        Err(Refusal::Forbidden) => {
            let says = "this setup link does not work, or no longer: each start of a server \
                        without an owner prints a new one";
            Err(Failure::from(Code::Forbidden).saying(says))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Gives an account a role.
pub(super) async fn give_role(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    let fields = asking::fields(request)?;
    let role = fields.parsed("role", Role::parse)?.ok_or(wrong("role"))?;
    let (name, reason) = (name.into(), fields.reason()?);
    let call = call::ChangeRole { name, role: Some(role), reason };
    context.hub.call(caller, call).await.map_err(owners_only)?;
    Ok(Response::new(204))
}

/// Takes an account's role.
pub(super) async fn take_role(context: &Context, request: &Request, name: &str) -> Answered {
    let caller = caller(context, request)?;
    let (name, reason) = (name.into(), asking::fields_or_none(request)?.reason()?);
    let call = call::ChangeRole { name, role: None, reason };
    context.hub.call(caller, call).await.map_err(owners_only)?;
    Ok(Response::new(204))
}

/// A refusal of what only the owner of the server may do.
fn owners_only(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Forbidden => {
            let says = "only the owner of the server may do this, and not to an owner; an owner's \
                        role is taken at the server's shell: shanty admin revoke NAME";
            Failure::from(Code::Forbidden).saying(says)
        }
        Refusal::Banned => {
            let says = "this account is banned; lift the ban before you give it a role";
            Failure::from(Code::Forbidden).saying(says)
        }
        refusal => refusal.into(),
    }
}

/// The settings of the server, for people in charge.
pub(super) async fn settings(context: &Context, request: &Request) -> Answered {
    if caller_account(context, caller(context, request)?).await?.role.is_none() {
        return Err(admins_only(Refusal::Forbidden));
    }
    let info = context.hub.call(caller(context, request)?, call::Policy).await?;
    Ok(shown(&info))
}

/// Changes settings of the server.
pub(super) async fn change_settings(context: &Context, request: &Request) -> Answered {
    let caller = caller(context, request)?;
    let fields = asking::fields(request)?;
    let registration = fields.parsed("registration", Registration::parse)?;
    let guests = fields.parsed("guests", Guests::parse)?;
    let call = call::ChangePolicy { registration, guests, reason: fields.reason()? };
    match context.hub.call(caller, call).await {
        Ok(info) => Ok(shown(&info)),
        // Their values are well formed.
        Err(Refusal::Malformed(Field::Called(field))) => {
            let says = "the server's command line fixes this; leave the flag out there to change \
                        it here";
            Err(Failure::field(field).saying(says))
        }
        Err(refusal) => Err(admins_only(refusal)),
    }
}

/// Each setting, and whether the command line fixes it.
fn shown(info: &PolicyInfo) -> Response {
    #[derive(Serialize)]
    struct Settings {
        registration: Setting,
        guests: Setting,
    }
    #[derive(Serialize)]
    struct Setting {
        value: &'static str,
        fixed: bool,
    }
    let PolicyInfo { policy, fixed } = info;
    let settings = Settings {
        registration: Setting {
            value: policy.registration.as_str(),
            fixed: fixed.registration.is_some(),
        },
        guests: Setting { value: policy.guests.as_str(), fixed: fixed.guests.is_some() },
    };
    Response::new(200).json(json_body::text(&settings))
}

/// A refusal of what only people in charge may do.
pub(super) fn admins_only(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Forbidden => {
            let says = "only administrators of the server may do this; ask one of them";
            Failure::from(Code::Forbidden).saying(says)
        }
        refusal => refusal.into(),
    }
}
