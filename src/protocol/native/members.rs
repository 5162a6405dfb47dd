//! The list of a room's members, page by page.

use std::collections::HashSet;

use crate::chat::{AccountId, Caller, Member, Page, Place, Refusal, RoomId, call};
use crate::http::{Request, Response};
use crate::hub::HubHandle;
use crate::protocol::Context;
use crate::protocol::lists::{self, Items, Listed, More};
use crate::protocol::native::Answered;
use crate::protocol::native::asking::about;
use crate::protocol::native::json::Occupant;

pub(super) async fn list(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let list = Members::new(context.hub.clone(), caller, room);
    Ok(lists::respond(Response::new(200), r#"{"members":["#, list, "]}").await?)
}

/// The members of a room and the people present in it, page by page.
struct Members {
    hub: HubHandle,
    caller: Caller,
    room: RoomId,
    after: Place,
    /// The people listed as present. A member who leaves meanwhile must not be listed again, as
    /// away.
    here: HashSet<AccountId>,
}

impl Members {
    fn new(hub: HubHandle, caller: Caller, room: RoomId) -> Members {
        Members { hub, caller, room, after: Place::Present(0), here: HashSet::new() }
    }

    /// The next page, and whether another follows.
    async fn page(&mut self) -> Result<(Vec<Member>, bool), Refusal> {
        let call = call::Members { room: self.room, after: self.after };
        let Page { items: members, next } = self.hub.call(self.caller.clone(), call).await?;
        let id = |member: &Member| member.author.account;
        let known = |member: &Member| id(member).is_some_and(|id| self.here.contains(&id));
        let fresh: Vec<Member> = members.into_iter().filter(|member| !known(member)).collect();
        self.here.extend(fresh.iter().filter(|member| member.online).filter_map(id));
        self.after = next.unwrap_or(self.after);
        Ok((fresh, next.is_some()))
    }
}

impl Listed for Members {
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a> {
        Box::pin(async {
            let (members, more) = self.page().await?;
            members.iter().for_each(|member| items.push(&Occupant::from(member)));
            Ok(more)
        })
    }
}
