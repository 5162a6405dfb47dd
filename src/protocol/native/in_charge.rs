//! People in charge of the server: who has a role, and who gives it.

use crate::chat::{Refusal, Role, call};
use crate::crypto;
use crate::http::{Request, Response};
use crate::protocol::Context;
use crate::protocol::native::Answered;
use crate::protocol::native::asking::{self, caller};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::wrong;

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
        refusal => refusal.into(),
    }
}
