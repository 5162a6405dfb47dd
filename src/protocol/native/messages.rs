//! Messages: saying, reading and changing them. Whatever was done, the answer is the message as the
//! log has it now.

use serde::Serialize;

use crate::chat::{Action, Answer, Ask, Caller, ClientId, Emoji, RoomId, Seq};
use crate::http::{Request, Response};
use crate::protocol::native::asking::{about, bearer};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::{self, Fields, wrong};
use crate::protocol::native::identity::who;
use crate::protocol::native::json::Said;
use crate::protocol::native::rooms::readable;
use crate::protocol::native::{Answered, fields::message, pages};
use crate::protocol::{Context, bodies};
use crate::store::{Message, Page};

/// Under the client's own number: to say it again is to have said it once.
pub(super) async fn put(
    context: &Context,
    request: &Request,
    room: &str,
    client_id: &str,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let client_id = ClientId::new(client_id).ok_or(wrong("client_id"))?;
    let (text, reply_to) = written(request)?;
    let action = Action::Send { room, text, client_id: Some(client_id), reply_to };
    said(context, caller, room, action).await
}

/// As JSON or as plain text; `Idempotency-Key` is its client id.
pub(super) async fn say(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let client_id = idempotency_key(request)?;
    let kind = request.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim_ascii();
    let (text, reply_to) = if kind.eq_ignore_ascii_case("text/plain") {
        (plain(request)?, None)
    } else {
        written(request)?
    };
    let action = Action::Send { room, text, client_id, reply_to };
    said(context, caller, room, action).await
}

/// The door for `curl`: the body is the text, whatever its type (`curl -d` calls it a form). A key
/// is needed, for a form is what any page can send, cookie and all.
pub(super) async fn door(context: &Context, request: &Request, room: &str) -> Answered {
    let caller = bearer(request)?;
    let room = fields::room(room)?;
    let (client_id, text) = (idempotency_key(request)?, plain(request)?);
    let action = Action::Send { room, text, client_id, reply_to: None };
    let (seq, repeated) = act(context, caller, action).await?;
    let status = if repeated { 200 } else { 201 };
    Ok(Response::new(status).text(format!("{seq}\n")).header("Location", location(room, seq)))
}

pub(super) async fn page(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let (bound, limit) = (pages::bound(request)?, pages::limit(request)?);
    let after = readable(context, caller, room).await?;
    let page = context.readers.read(move |reader| reader.page((room, after), bound, limit)).await?;
    Ok(paged(room, limit, &page))
}

/// A page with the links to its neighbours.
pub(super) fn paged(room: RoomId, limit: usize, page: &Page) -> Response {
    #[derive(Serialize)]
    struct Messages<'a> {
        messages: Vec<Said<'a>>,
        more_before: bool,
        more_after: bool,
    }
    let Page { messages, more_before, more_after } = page;
    let older = messages.first().filter(|_| *more_before).map(|message| message.seq);
    let newer = messages.last().filter(|_| *more_after).map(|message| message.seq);
    let messages = messages.iter().map(Said::from).collect();
    let body = Messages { messages, more_before: *more_before, more_after: *more_after };
    let response = Response::new(200).json(bodies::text(&body));
    pages::linked(response, room, limit, [older, newer])
}

pub(super) async fn show(context: &Context, request: &Request, room: &str, seq: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let after = readable(context, caller, room).await?;
    let seq = fields::seq(seq)?;
    // What was said while the room was closed is not there for who came by the open door.
    if seq > after { shown(context, room, seq).await } else { Err(Code::MessageNotFound.into()) }
}

pub(super) async fn edit(context: &Context, request: &Request, room: &str, seq: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let target = fields::seq(seq)?;
    let text = Fields::read(&request.body)?.message()?;
    act(context, caller, Action::Edit { room, target, text }).await?;
    shown(context, room, target).await
}

pub(super) async fn delete(
    context: &Context,
    request: &Request,
    room: &str,
    seq: &str,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let target = fields::seq(seq)?;
    act(context, caller, Action::Delete { room, target }).await?;
    Ok(Response::new(204))
}

pub(super) async fn react(
    context: &Context,
    request: &Request,
    [room, seq, emoji]: [&str; 3],
    on: bool,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let target = fields::seq(seq)?;
    let emoji = Emoji::new(emoji).ok_or(wrong("emoji"))?;
    act(context, caller, Action::React { room, target, emoji, on }).await?;
    shown(context, room, target).await
}

/// Says something, and answers with it.
async fn said(context: &Context, caller: Caller, room: RoomId, action: Action) -> Answered {
    let sent = match &action {
        Action::Send { client_id, .. } => client_id.clone(),
        _ => None,
    };
    let (seq, repeated) = act(context, caller.clone(), action).await?;
    let found = match (find(context, room, seq).await?, sent) {
        (Some(found), _) => found,
        // It was said before, and is not kept any more.
        (None, Some(client_id)) => {
            let me = who(context, caller).await?.name.folded();
            let spent = context.readers.read(move |it| it.spent(&me, &client_id)).await?;
            spent.ok_or(Code::MessageNotFound)?
        }
        (None, None) => return Err(Code::MessageNotFound.into()),
    };
    let response = Response::new(if repeated { 200 } else { 201 });
    let response = response.json(bodies::text(&Said::from(&found)));
    Ok(response.header("Location", location(room, seq)))
}

/// Does something; the number of its entry, and whether it was done before.
async fn act(context: &Context, caller: Caller, action: Action) -> Result<(Seq, bool), Failure> {
    match context.hub.ask(caller, Ask::Act(action)).await? {
        Answer::Acted { seq, repeated, .. } => Ok((seq, repeated)),
        _ => unreachable!("what is done is answered with its number"),
    }
}

/// Answers with the message, as it is now.
async fn shown(context: &Context, room: RoomId, seq: Seq) -> Answered {
    let found = find(context, room, seq).await?.ok_or(Code::MessageNotFound)?;
    Ok(Response::new(200).json(bodies::text(&Said::from(&found))))
}

async fn find(context: &Context, room: RoomId, seq: Seq) -> Result<Option<Message>, Failure> {
    Ok(context.readers.read(move |it| it.message(room, seq)).await?)
}

fn location(room: RoomId, seq: Seq) -> String {
    format!("/api/v1/rooms/{room}/messages/{seq}")
}

/// A body that says in JSON what is said, and to what.
fn written(request: &Request) -> Result<(Box<str>, Option<Seq>), Failure> {
    let body = Fields::read(&request.body)?;
    Ok((body.message()?, body.number("reply_to")?.map(Seq)))
}

/// A body that is the text itself. The line end that editors and `echo` put at its end is not.
fn plain(request: &Request) -> Result<Box<str>, Failure> {
    let text = str::from_utf8(&request.body).map_err(|_| Failure::field("text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(message(text.strip_suffix('\r').unwrap_or(text))?)
}

/// The client id in a header. Some write it as a structured field, in quotes.
fn idempotency_key(request: &Request) -> Result<Option<ClientId>, Failure> {
    let Some(key) = request.header("idempotency-key") else { return Ok(None) };
    let bare = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    let id = ClientId::new(bare).ok_or(Failure::field("Idempotency-Key"))?;
    Ok(Some(id))
}
