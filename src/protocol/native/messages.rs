//! Messages: sending, reading and changing them. Every change answers with the message as the log
//! has it then; a committed change is never answered as a failure.

use std::time::Duration;

use serde::Serialize;

use crate::chat::{Acted, Action, Caller, ClientId, Emoji, Name, Refusal, RoomId, Seq, call};
use crate::http::{Request, Response};
use crate::limits::READ_LATE_MS;
use crate::protocol::native::asking::{self, about, media_type};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::fields::{self, wrong};
use crate::protocol::native::identity::caller_account;
use crate::protocol::native::json::MessageJson;
use crate::protocol::native::rooms::readable;
use crate::protocol::native::{Answered, fields::message, pages};
use crate::protocol::{Context, json_body};
use crate::store::{Message, MessagePage, Reader};

/// Sends a message under its client id: idempotent.
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
    let (text, reply_to) = if media_type(request).eq_ignore_ascii_case("text/plain") {
        (plain(request)?, None)
    } else {
        written(request).map_err(|failure| {
            failure.of_media_type("send a JSON object, or plain text with Content-Type: text/plain")
        })?
    };
    let action = Action::Send { room, text, client_id, reply_to };
    said(context, caller, room, action).await
}

/// For `curl`: the body is the text, whatever its content type (`curl -d` sends a form's). A
/// multipart form is refused: its boundaries are not meant to be part of the message.
pub(super) async fn say_text(context: &Context, request: &Request, room: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    if media_type(request).to_ascii_lowercase().starts_with("multipart/") {
        let says = "multipart forms are not accepted; send the text itself, as curl -d does";
        return Err(Failure::from(Code::MediaType).saying(says));
    }
    let (client_id, text) = (idempotency_key(request)?, plain(request)?);
    let action = Action::Send { room, text, client_id, reply_to: None };
    let Acted { seq, repeated, .. } = context.hub.call(caller, call::Act(action)).await?;
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
pub(super) fn paged(room: RoomId, limit: usize, page: &MessagePage) -> Response {
    #[derive(Serialize)]
    struct Messages<'a> {
        messages: Vec<MessageJson<'a>>,
        more_before: bool,
        more_after: bool,
    }
    let MessagePage { messages, more_before, more_after } = page;
    let older = messages.first().filter(|_| *more_before).map(|message| message.seq);
    let newer = messages.last().filter(|_| *more_after).map(|message| message.seq);
    let messages = messages.iter().map(MessageJson::from).collect();
    let body = Messages { messages, more_before: *more_before, more_after: *more_after };
    let response = Response::new(200).json(json_body::text(&body));
    pages::linked(response, room, limit, [older, newer])
}

pub(super) async fn show(context: &Context, request: &Request, room: &str, seq: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let after = readable(context, caller, room).await?;
    let seq = fields::seq(seq)?;
    // A caller that may read the room only because it is public does not see messages that were
    // sent while it was private.
    if seq > after { shown(context, room, seq).await } else { Err(Code::MessageNotFound.into()) }
}

pub(super) async fn edit(context: &Context, request: &Request, room: &str, seq: &str) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let target = fields::seq(seq)?;
    let text = asking::fields(request)?.message()?;
    let action = Action::Edit { room, target, text: text.clone() };
    changed(context, caller, action, [room.0, target.0], |message, acted| {
        message.text = Some(text);
        if !acted.repeated {
            (message.edited, message.calls) = (Some(acted.time), acted.calls.into());
        }
    })
    .await
}

pub(super) async fn delete(
    context: &Context,
    request: &Request,
    room: &str,
    seq: &str,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let target = fields::seq(seq)?;
    // With a reason, an administrator acts as one. (Without, too.)
    if let Some(reason) = asking::fields_or_none(request)?.reason()? {
        let call = call::Suppress { room, target, reason: Some(reason) };
        match context.hub.call(caller.clone(), call).await {
            Ok(_) => return Ok(Response::new(204)),
            Err(Refusal::Forbidden | Refusal::RoomNotFound) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    context.hub.call(caller, call::Act(Action::Delete { room, target })).await?;
    Ok(Response::new(204))
}

pub(super) async fn react(
    context: &Context,
    request: &Request,
    room: &str,
    seq: &str,
    emoji: &str,
) -> Answered {
    set_reaction(context, request, [room, seq, emoji], true).await
}

pub(super) async fn unreact(
    context: &Context,
    request: &Request,
    room: &str,
    seq: &str,
    emoji: &str,
) -> Answered {
    set_reaction(context, request, [room, seq, emoji], false).await
}

async fn set_reaction(
    context: &Context,
    request: &Request,
    [room, seq, emoji]: [&str; 3],
    on: bool,
) -> Answered {
    let (caller, room) = about(context, request, room)?;
    let target = fields::seq(seq)?;
    let emoji = Emoji::new(emoji).ok_or(wrong("emoji"))?;
    let action = Action::React { room, target, emoji: emoji.clone(), on };
    changed(context, caller, action, [room.0, target.0], |message, acted| {
        reaction(&mut message.reactions, emoji, &acted.by.name, on);
    })
    .await
}

/// Adds or removes a reaction on a message, as the log has just done.
fn reaction(reactions: &mut Vec<(Emoji, Vec<Name>)>, emoji: Emoji, by: &Name, on: bool) {
    let folded = by.folded();
    let place = reactions.iter().position(|(reaction, _)| *reaction == emoji);
    let (place, there) = match place {
        Some(place) => {
            let names = &mut reactions[place].1;
            let mine = names.iter().position(|name| name.folded() == folded);
            if let Some(mine) = mine.filter(|_| !on) {
                names.remove(mine);
            }
            (place, mine.is_some())
        }
        None if on => {
            reactions.push((emoji, Vec::new()));
            (reactions.len() - 1, false)
        }
        None => return,
    };
    if on && !there {
        reactions[place].1.push(by.clone());
    }
    reactions.retain(|(_, names)| !names.is_empty());
}

/// Sends a message, and answers with it. A committed message is answered from memory, so a busy
/// reader cannot make it look failed.
async fn said(context: &Context, caller: Caller, room: RoomId, action: Action) -> Answered {
    let Action::Send { ref text, ref client_id, reply_to, .. } = action else {
        unreachable!("only what is sent is said")
    };
    let (text, sent) = (Some(text.clone()), client_id.clone());
    let acted = context.hub.call(caller.clone(), call::Act(action)).await?;
    let seq = acted.seq;
    if !acted.repeated {
        let Acted { time, by: author, color, calls, .. } = acted;
        let (edited, reactions, client_id) = (None, Vec::new(), sent);
        let said = Message {
            seq,
            room,
            author,
            color,
            text,
            time,
            client_id,
            reply_to,
            edited,
            calls: calls.into(),
            reactions,
        };
        return Ok(sent_response(201, &said));
    }
    // The message was sent before, and may have been edited, reacted to or deleted since. The core
    // does not store messages, so read the log; a new message needs no reading.
    let found = match (find(context, room, seq).await?, sent) {
        (Some(found), _) => found,
        // Retention has removed the message.
        (None, Some(client_id)) => {
            let me = caller_account(context, caller).await?.name.lowered();
            let spent =
                context.readers.read_in_turn(move |reader| reader.spent(&me, &client_id)).await?;
            spent.ok_or(Code::MessageNotFound)?
        }
        (None, None) => return Err(Code::MessageNotFound.into()),
    };
    Ok(sent_response(200, &found))
}

/// Changes a message, and answers with the result. It is read *before*: an unreadable message is
/// not changed, and a changed one needs no reading for the answer. (The stream shows other clients'
/// changes in between.)
async fn changed(
    context: &Context,
    caller: Caller,
    action: Action,
    [room, target]: [u64; 2],
    change: impl FnOnce(&mut Message, Acted),
) -> Answered {
    caller_account(context, caller.clone()).await?; // Strangers cause no reads.
    let before = find(context, RoomId(room), Seq(target)).await?;
    let acted = context.hub.call(caller, call::Act(action)).await?;
    let mut message = before.ok_or(Code::MessageNotFound)?;
    change(&mut message, acted);
    Ok(Response::new(200).json(json_body::text(&MessageJson::from(&message))))
}

/// Answers a send with the message and its location.
fn sent_response(status: u16, message: &Message) -> Response {
    let response = Response::new(status).json(json_body::text(&MessageJson::from(message)));
    response.header("Location", location(message.room, message.seq))
}

/// Answers with the message in its current state.
async fn shown(context: &Context, room: RoomId, seq: Seq) -> Answered {
    let found = find(context, room, seq).await?.ok_or(Code::MessageNotFound)?;
    Ok(Response::new(200).json(json_body::text(&MessageJson::from(&found))))
}

async fn find(context: &Context, room: RoomId, seq: Seq) -> Result<Option<Message>, Failure> {
    let job = move |reader: &Reader| reader.message(room, seq);
    let late = async {
        tokio::time::sleep(Duration::from_millis(READ_LATE_MS)).await;
        context.readers.read_in_turn(job).await
    };
    // The read waits in two queues and the first answer counts: an edit must not wait behind all
    // reads of history.
    tokio::select! {
        biased;
        Ok(found) = context.readers.read(job) => Ok(found),
        found = late => Ok(found?),
    }
}

fn location(room: RoomId, seq: Seq) -> String {
    format!("/api/v1/rooms/{room}/messages/{seq}")
}

/// A JSON body: the text, and the message that it replies to.
fn written(request: &Request) -> Result<(Box<str>, Option<Seq>), Failure> {
    let body = asking::fields(request)?;
    Ok((body.message()?, body.number("reply_to")?.map(Seq)))
}

/// A plain-text body. The final line end of editors and `echo` is removed.
fn plain(request: &Request) -> Result<Box<str>, Failure> {
    let text = str::from_utf8(&request.body).map_err(|_| Failure::field("text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(message(text.strip_suffix('\r').unwrap_or(text))?)
}

/// The client id in a header. Some clients write it as a structured field, in quotes.
fn idempotency_key(request: &Request) -> Result<Option<ClientId>, Failure> {
    let Some(key) = request.header("idempotency-key") else { return Ok(None) };
    let bare = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    let id = ClientId::new(bare).ok_or(Failure::field("Idempotency-Key"))?;
    Ok(Some(id))
}
