//! Pages: parses a query's page, and links to its neighbours (RFC 8288).

use crate::chat::{RoomId, Seq};
use crate::http::{Request, Response};
use crate::limits::{PAGE_MESSAGES, PAGE_MESSAGES_MAX};
use crate::protocol::native::cursor::number;
use crate::protocol::native::errors::{Code, Failure};
use crate::store::Bound;

/// The value of a query's first parameter of that name; an empty one counts as missing.
pub(super) fn parameter(request: &Request, name: &str) -> Option<String> {
    let found = request.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
}

/// A numeric parameter.
pub(super) fn counted(request: &Request, name: &'static str) -> Result<Option<u64>, Failure> {
    let value = parameter(request, name);
    value.map(|value| number(&value).ok_or(Failure::field(name))).transpose()
}

/// The most messages of the page.
pub(super) fn limit(request: &Request) -> Result<usize, Failure> {
    let Some(limit) = counted(request, "limit")? else { return Ok(PAGE_MESSAGES) };
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=PAGE_MESSAGES_MAX).contains(limit));
    limit.ok_or(Failure::field("limit"))
}

/// The position of the page.
pub(super) fn bound(request: &Request) -> Result<Bound, Failure> {
    let seq = |name| Ok::<_, Failure>(counted(request, name)?.map(Seq));
    match (seq("before")?, seq("after")?, seq("around")?) {
        (None, None, None) => Ok(Bound::Newest),
        (Some(seq), None, None) => Ok(Bound::Before(seq)),
        (None, Some(seq), None) => Ok(Bound::After(seq)),
        (None, None, Some(seq)) => Ok(Bound::Around(seq)),
        _ => {
            let says = "before, after and around exclude each other; send only one of them";
            Err(Failure::from(Code::BadRequest).saying(says))
        }
    }
}

/// Adds the links from a page of a room's history to the older and the newer one.
pub(super) fn linked(
    response: Response,
    room: RoomId,
    limit: usize,
    [older, newer]: [Option<Seq>; 2],
) -> Response {
    let link = |bound: &str, seq: Seq, rel: &str| {
        format!("</api/v1/rooms/{room}/messages?{bound}={seq}&limit={limit}>; rel=\"{rel}\"")
    };
    let older = older.map(|seq| link("before", seq, "prev"));
    let newer = newer.map(|seq| link("after", seq, "next"));
    let links: Vec<String> = older.into_iter().chain(newer).collect();
    if links.is_empty() { response } else { response.header("Link", links.join(", ")) }
}
