//! Search in the rooms that the caller may read.

use serde::Serialize;

use crate::chat::{Caller, Folded, Refusal, RoomId, Seq, call};
use crate::http::{Request, Response};
use crate::hub::HubHandle;
use crate::protocol::native::asking::caller;
use crate::protocol::native::errors::Failure;
use crate::protocol::native::identity::caller_account;
use crate::protocol::native::json::MessageJson;
use crate::protocol::native::pages::{counted, limit, parameter};
use crate::protocol::native::rooms::readable;
use crate::protocol::{Context, json_body};
use crate::store::{Found, Query};

pub(super) async fn search(context: &Context, request: &Request) -> Result<Response, Failure> {
    let caller = caller(context, request)?;
    let words = parameter(request, "q").filter(|words| !words.trim().is_empty());
    let words = words.ok_or(Failure::field("q"))?;
    context.hub.call(caller.clone(), call::Search).await?;
    let person = caller_account(context, caller.clone()).await?.name.folded();
    let (before, limit) = (counted(request, "before")?.map(Seq), limit(request)?);
    let author = parameter(request, "author").map(|name| Folded::new(&name));
    let rooms = match counted(request, "room")?.map(RoomId) {
        Some(room) => {
            let after = readable(context, caller, room).await?;
            vec![(room, after)]
        }
        None => all_readable(&context.hub, &caller).await?,
    };
    let query = Query { words, rooms, author, before, limit };
    let found = context.readers.search(person, query).await?;
    Ok(listed(request, &found))
}

/// A page of results, with the link to the next one.
pub(super) fn listed(request: &Request, found: &Found) -> Response {
    #[derive(Serialize)]
    struct Messages<'a> {
        messages: Vec<MessageJson<'a>>,
        more: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
    }
    let messages = found.messages.iter();
    let messages =
        messages.map(|(message, snippet)| MessageJson::found(message, snippet)).collect();
    let before = found.before.map(|seq| seq.0);
    let body = json_body::text(&Messages { messages, more: before.is_some(), before });
    let response = Response::new(200).json(body);
    match before {
        Some(before) => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(request.query_pairs().filter(|(name, _)| name != "before"));
            query.append_pair("before", &before.to_string());
            let link = format!("</api/v1/search?{}>; rel=\"next\"", query.finish());
            response.header("Link", link)
        }
        None => response,
    }
}

/// The rooms whose messages the caller may read, each with the entry after which.
async fn all_readable(hub: &HubHandle, caller: &Caller) -> Result<Vec<(RoomId, Seq)>, Refusal> {
    let (mut all, mut after) = (Vec::new(), RoomId(0));
    loop {
        let page = hub.call(caller.clone(), call::Readable { after }).await?;
        all.extend(page.items);
        let Some(next) = page.next else { return Ok(all) };
        after = next;
    }
}
