//! The stream: `GET /api/v1/events` in its three forms, and `GET /r/{room}` as plain lines. This
//! file checks permissions, finds the start position, and writes all frames except those of live
//! room events, which the codec writes.
//!
//! The [`Script`] is the connection's view of a stream. It reads the log for a stream that is
//! behind; the core's [`MemberView`] decides what the member may see. Joins and leaves are not in
//! the log, and are not replayed: after `caught_up` a client that shows presence fetches the
//! members. (A replay would need memory that a slow client does not get: thousands of names, each
//! of which must precede that user's next event.)

use std::collections::HashMap;
use std::rc::Rc;

use crate::chat::{
    AccountId, Author, Caller, CloseReason, Entry, Event, EventKind, MemberView, MembershipMarks,
    Name, OpenedStream, Refusal, RoomId, RoomInfo, Seq, Shown, Source, Standing, SubscriptionId,
    call, is_member_change_told,
};
use crate::codec::{Codec, Disconnect};
use crate::http::{self, Request, Response};
use crate::hub::HubHandle;
use crate::limits::{PAGE_ENTRIES_MAX, PAGE_FRAMES_BYTES, RETRY_AFTER_MS};
use crate::protocol::native::codec::{CODEC, LINES, Native, PLAIN, SSE};
use crate::protocol::native::errors::{Code, Failure};
use crate::protocol::native::frames::{self, Bye, Reset};
use crate::protocol::native::framing::{self, FIRST_LINE, Framing};
use crate::protocol::native::{Cursor, asking, fields, pages, rooms};
use crate::protocol::{Context, Outcome, PageRead, Service, StreamPage, StreamScript, protocol_id};
use crate::store::{Entries, LogRow, Reader, RowKind};

/// One stream: its form, its member, and its start.
struct Script {
    form: &'static Native,
    epoch: String,
    caller: Caller,
    name: Name,
    account: AccountId,
    only: Option<Vec<RoomId>>,
    cursor: Seq,
    opening: Vec<u8>,
}

/// A stream of all the caller's rooms as lines of JSON, for the simulation.
#[cfg(test)]
pub(crate) struct Lines(Script);

#[cfg(test)]
impl Lines {
    /// A stream that resumes from `cursor`.
    pub fn begin(epoch: &str, caller: Caller, following: OpenedStream, cursor: Seq) -> Lines {
        Lines(Script::new(&LINES, epoch, caller, following, None, (cursor, None)))
    }

    /// See [`StreamScript::page`].
    pub async fn page_of(
        &self,
        hub: &HubHandle,
        excerpt: Excerpt,
        from: Seq,
        heard: Seq,
    ) -> Option<StreamPage> {
        self.0.page_of(hub, excerpt, from, heard).await
    }

    /// The stream as a connection sees it.
    pub fn script(&self) -> &dyn StreamScript {
        &self.0
    }
}

/// Opens a stream of all the caller's rooms, or of those that the query names.
pub(super) async fn all(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
) -> Result<Outcome, Failure> {
    begun(context, subscription, request, None).await
}

/// Opens a stream of one room as plain lines.
pub(super) async fn room(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
    room: &str,
) -> Result<Outcome, Failure> {
    begun(context, subscription, request, Some(room)).await
}

async fn begun(
    context: &Context,
    subscription: SubscriptionId,
    request: &Request,
    room: Option<&str>,
) -> Result<Outcome, Failure> {
    let caller = asking::caller(context, request)?;
    // RFC 9110 section 7.8: a server may ignore an upgrade to another protocol, such as curl's
    // offer of HTTP/2.
    let socket = request.list_contains("upgrade", "websocket");
    let handshake = if socket && room.is_none() {
        match http::websocket(request) {
            Ok(handshake) => Some(handshake),
            Err(response) => return Ok(Outcome::Response(Failure::dress(response))),
        }
    } else {
        None
    };
    let (form, kind) = form(request, room.is_some(), handshake.is_some());
    let only = match room {
        Some(room) => {
            let room = fields::room(room)?;
            // A stream leaves out rooms of which the caller is not a member. A stream of one room
            // would stay empty, so refuse it with the reason.
            if rooms::view(context, caller.clone(), room).await?.membership.is_none() {
                let says = "only members can read this room; join with PUT \
                            /api/v1/rooms/{id}/membership";
                return Err(Failure::from(Code::Forbidden).saying(says));
            }
            Some(vec![room])
        }
        None => only(request)?,
    };
    let since = since(request)?;
    let call = call::OpenStream { subscription, protocol: protocol_id(form), only: only.clone() };
    let (subscription, following) =
        context.hub.subscribe(subscription, caller.clone(), call).await?;
    let (head, oldest) = context.readers.read_in_turn(|reader| reader.ends()).await?;
    let begin = begin(&since, &context.epoch, head, oldest);
    let script = Script::new(form, &context.epoch, caller, following, only, begin);
    let script: Box<dyn StreamScript> = Box::new(script);
    Ok(match handshake {
        Some(handshake) => {
            let (response, script) = (handshake.response(None), Some(script));
            Outcome::Websocket { response, subscription, codec: form, script, known: true }
        }
        // A proxy must not buffer the stream (nginx knows this header).
        None => {
            let response = Response::new(200).content(kind, "");
            let response = response.header("Cache-Control", "no-store");
            let response = response.header("X-Accel-Buffering", "no");
            Outcome::Stream { response, subscription, script }
        }
    })
}

/// The requested form, and its media type.
fn form(request: &Request, plain: bool, socket: bool) -> (&'static Native, &'static str) {
    if plain {
        return (&PLAIN, "text/plain; charset=utf-8");
    }
    if socket {
        return (&CODEC, "");
    }
    // See section 9.2 of the HTML standard.
    const EVENTS: &str = "text/event-stream";
    const NDJSON: &str = "application/x-ndjson";
    if request.prefers(EVENTS, NDJSON) { (&SSE, EVENTS) } else { (&LINES, NDJSON) }
}

/// `rooms=1,7`: these rooms only.
fn only(request: &Request) -> Result<Option<Vec<RoomId>>, Failure> {
    let Some(rooms) = pages::parameter(request, "rooms") else { return Ok(None) };
    let room = |text: &str| fields::room(text).map_err(|_| Failure::field("rooms"));
    rooms.split(',').map(room).collect::<Result<_, _>>().map(Some)
}

/// The client's position.
#[derive(PartialEq, Debug)]
enum Since {
    /// No position: the client wants events from now on.
    Now,
    /// A cursor, in some log.
    At(Cursor),
    /// Not a cursor of any log here.
    Elsewhere,
}

/// The client's position. A browser that reconnects by itself sends it in `Last-Event-ID`, which is
/// newer than the position in the URL. The page's author cannot correct that header, so an invalid
/// position there is not refused.
fn since(request: &Request) -> Result<Since, Failure> {
    let header = request.header("last-event-id");
    if let Some(id) = header.filter(|id| !id.is_empty()) {
        return Ok(Cursor::parse(id).map_or(Since::Elsewhere, Since::At));
    }
    match pages::parameter(request, "since") {
        Some(text) => Cursor::parse(&text).map(Since::At).ok_or(Failure::field("since")),
        None if header.is_some() => Ok(Since::Elsewhere),
        None => Ok(Since::Now),
    }
}

/// The start of a stream; with the reason, if it is not the client's position.
fn begin(since: &Since, epoch: &str, head: Seq, oldest: Seq) -> (Seq, Option<Reset>) {
    let since = match since {
        Since::Now => return (head, None),
        Since::Elsewhere => return (head, Some(Reset::Epoch)),
        Since::At(since) => since,
    };
    match since {
        since if since.epoch != epoch => (head, Some(Reset::Epoch)),
        since if since.seq > head => (head, Some(Reset::Ahead)),
        since if since.seq.0 + 1 < oldest.0 => (head, Some(Reset::Retention)),
        since => (since.seq, None),
    }
}

impl StreamScript for Script {
    fn cursor(&self) -> Seq {
        self.cursor
    }

    fn opening(&self) -> &[u8] {
        &self.opening
    }

    fn page<'a>(&'a self, service: &'a Rc<Service>, from: Seq) -> PageRead<'a> {
        Box::pin(self.read(service, from))
    }

    fn caught_up(&self, seq: Seq, read: &[(RoomId, Seq)]) -> Vec<u8> {
        self.say(Some(seq), |json| frames::caught_up(seq, read, json))
    }

    /// A plain stream shows no ping: its frame is empty.
    fn ping(&self, seq: Seq) -> Vec<u8> {
        self.say(Some(seq), |json| frames::ping(seq, json))
    }

    fn bye(&self, why: Disconnect) -> Vec<u8> {
        let why = match why {
            Disconnect::Ended(CloseReason::ShuttingDown) => Bye::GoingAway,
            Disconnect::Ended(CloseReason::Replaced) => Bye::Replaced,
            Disconnect::Ended(CloseReason::Banned) => Bye::Banned,
            Disconnect::Ended(CloseReason::SessionEnded | CloseReason::Locked)
            | Disconnect::Ended(CloseReason::Expelled | CloseReason::GaveWay)
            | Disconnect::Ended(CloseReason::GuestsOff | CloseReason::BannedHere)
            | Disconnect::Drips => Bye::SessionEnded,
            Disconnect::Ended(CloseReason::RoomGone)
            | Disconnect::TooSlow
            | Disconnect::TryLater
            | Disconnect::Unfinished
            | Disconnect::NotText
            | Disconnect::NoPlace => Bye::TooSlow,
        };
        self.say(None, |json| frames::bye(why, RETRY_AFTER_MS, json))
    }
}

impl Script {
    fn new(
        form: &'static Native,
        epoch: &str,
        caller: Caller,
        following: OpenedStream,
        only: Option<Vec<RoomId>>,
        (cursor, reset): (Seq, Option<Reset>),
    ) -> Script {
        let OpenedStream { name, account, .. } = following;
        let (epoch, opening) = (epoch.to_owned(), Vec::new());
        let mut script = Script { form, epoch, caller, name, account, only, cursor, opening };
        script.opening = script.open(reset);
        script
    }

    fn open(&self, reset: Option<Reset>) -> Vec<u8> {
        if self.form.0 == Framing::Plain {
            return FIRST_LINE.to_vec();
        }
        let (epoch, seq) = (&self.epoch, self.cursor);
        let mut out = self.say(Some(seq), |json| frames::open(epoch, seq, &self.name, json));
        if let Some(reason) = reset {
            out.extend(self.say(Some(seq), |json| frames::reset(reason, epoch, seq, json)));
        }
        out
    }

    /// See [`StreamScript::page`].
    async fn read(&self, service: &Rc<Service>, from: Seq) -> Option<StreamPage> {
        let (account, context) = (self.account, &service.context(Source::Own));
        // The log may be ahead of the core. The core announces those entries later, and does not
        // have the rooms' state after them yet. A caller whose login has ended meanwhile reads
        // nothing newer.
        let heard = context.hub.call(self.caller.clone(), call::Heard).await.ok()?;
        let read = context.readers.read_in_turn(move |reader| Excerpt::read(reader, account, from));
        self.page_of(&context.hub, read.await.ok()?, from, heard).await
    }

    /// Makes a page of an excerpt of the log after `from`. Before the log was read, the core had
    /// handled it up to `heard`.
    async fn page_of(
        &self,
        hub: &HubHandle,
        excerpt: Excerpt,
        from: Seq,
        heard: Seq,
    ) -> Option<StreamPage> {
        let Excerpt { mut entries, memberships, names, lost } = excerpt;
        let head = entries.head.min(heard).max(from);
        // Retention may have removed entries that a slow client has not got yet: then the client
        // gets a reset, as the stream must have no gap.
        let reset = (from.0 + 1 < entries.oldest.0).then_some(Reset::Retention);
        entries.rows.retain(|row| row.seq <= heard && reset.is_none());
        let upto = if reset.is_some() { head } else { entries.upto.min(head) };
        let me = Author { account: Some(self.account), name: self.name.clone() };
        let member = MemberView::new(self.account, self.only.clone(), memberships, lost);
        let mut view = View { me, member, names, infos: HashMap::new() };
        self.look_up(hub, &entries.rows, &mut view).await?;
        let (mut bytes, mut upto) = (Vec::new(), upto);
        if let Some(reason) = reset {
            bytes = self.say(Some(upto), |json| frames::reset(reason, &self.epoch, upto, json));
        }
        for row in &entries.rows {
            self.write(&view, row, &mut bytes);
            if bytes.len() >= PAGE_FRAMES_BYTES {
                upto = row.seq;
                break;
            }
        }
        let read = if upto >= head { self.marks(hub, &view).await } else { Vec::new() };
        Some(StreamPage { bytes, upto, head, read })
    }

    /// The caller's read markers, from the core: they reach the disk later.
    async fn marks(&self, hub: &HubHandle, view: &View) -> Vec<(RoomId, Seq)> {
        let marks = rooms::marks(hub, &self.caller).await.unwrap_or_default();
        let marks = marks.into_iter().filter(|mark| view.member.wants(mark.room));
        marks.map(|mark| (mark.room, mark.read)).collect()
    }

    /// Fetches the current state of the rooms that the page shows.
    async fn look_up(&self, hub: &HubHandle, rows: &[LogRow], view: &mut View) -> Option<()> {
        for row in rows {
            let RowKind::Other(entry) = &row.kind else { continue };
            let Some(Shown::Room(room)) = view.member.shown(entry, row.seq) else { continue };
            if view.infos.contains_key(&room) {
                continue;
            }
            match hub.call(self.caller.clone(), call::View { room }).await {
                Ok(info) => drop(view.infos.insert(room, info)),
                // The room was deleted meanwhile; a later entry says so.
                Err(Refusal::RoomNotFound) => {}
                Err(_) => return None,
            }
        }
        Some(())
    }

    /// Appends the frame of a row; nothing if the member may not see the row.
    fn write(&self, view: &View, row: &LogRow, out: &mut Vec<u8>) {
        let Native(framing) = *self.form;
        let time = row.time;
        match &row.kind {
            RowKind::Said(message) if !view.member.sees(message.room, row.seq) => {}
            RowKind::Said(message) if framing == Framing::Plain => {
                if let Some(text) = &message.text {
                    framing::line(message.time, &message.author.name, text, out);
                }
            }
            RowKind::Said(message) => {
                let json = |json: &mut Vec<u8>| frames::message(message, json);
                framing.json(&self.epoch, Some(row.seq), out, json);
            }
            _ => {
                if let Some((room, author, kind)) = view.happened(row) {
                    let event = Event { room, time, author, color: None, kind };
                    self.form.event(&self.epoch, &event, out);
                }
            }
        }
    }

    fn say(&self, seq: Option<Seq>, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        self.form.0.json(&self.epoch, seq, &mut out, write);
        out
    }
}

/// A part of the log, with the facts that decide what the caller may see of it. All of it is read
/// at one moment.
pub(crate) struct Excerpt {
    pub entries: Entries,
    /// The caller's current memberships.
    pub memberships: Vec<MembershipMarks>,
    /// The names of accounts whose membership or standing changed, by account and entry.
    pub names: HashMap<(AccountId, Seq), Name>,
    /// The rooms of which the caller ceased to be a member, by entry.
    pub lost: HashMap<Seq, RoomId>,
}

impl Excerpt {
    fn read(reader: &Reader, account: AccountId, from: Seq) -> rusqlite::Result<Excerpt> {
        let entries = reader.entries(from, PAGE_ENTRIES_MAX)?;
        let mut names = HashMap::new();
        for row in &entries.rows {
            let RowKind::Other(entry) = &row.kind else { continue };
            if let Entry::ModeratorChanged { account, .. }
            | Entry::Muted { room: Some(_), account, .. } = entry.act()
            {
                let name = reader.name(*account)?;
                names.extend(name.map(|name| ((*account, row.seq), name)));
            }
            let &Entry::MemberChanged { room, account, member, .. } = entry.act() else {
                continue;
            };
            let before = Seq(row.seq.0 - 1);
            let was = !member && !reader.lost(account, before, row.seq)?.is_empty();
            if is_member_change_told(reader.is_for_two(room)?, was, member) {
                names.extend(reader.name(account)?.map(|name| ((account, row.seq), name)));
            }
        }
        let lost = reader.lost(account, from, entries.upto)?.into_iter().collect();
        Ok(Excerpt { entries, memberships: reader.memberships(account)?, names, lost })
    }
}

/// One member's view of a page of the log.
struct View {
    me: Author,
    /// Decides what the member may see.
    member: MemberView,
    /// The names of accounts whose membership changed, by account and entry.
    names: HashMap<(AccountId, Seq), Name>,
    /// The current state of the rooms that the page shows.
    infos: HashMap<RoomId, Box<RoomInfo>>,
}

impl View {
    fn happened(&self, row: &LogRow) -> Option<(RoomId, Author, EventKind)> {
        let seq = row.seq;
        let entry = match &row.kind {
            // A message that was deleted since has no text; its deletion follows in the log.
            RowKind::Edited { room, target, by, text, calls } => {
                let (target, text) = (*target, text.clone()?);
                let kind = EventKind::Edited { seq, target, text, calls: calls.clone().into() };
                let seen = self.member.sees_change(*room, seq, target);
                return seen.then(|| (*room, by.clone(), kind));
            }
            RowKind::Other(entry) => entry,
            RowKind::Said(_) => return None,
        };
        match (self.member.shown(entry, seq)?, entry.act()) {
            (Shown::Room(room), _) => {
                let info = self.infos.get(&room)?.clone();
                Some((room, self.me.clone(), EventKind::Room { seq, info }))
            }
            (Shown::Gone(room), _) => Some((room, self.me.clone(), EventKind::Gone { seq })),
            (Shown::Entry, Entry::Deleted { room, target, by, .. }) => {
                Some((*room, by.clone(), EventKind::Deleted { seq, target: *target }))
            }
            (Shown::Entry, Entry::Reacted { room, target, by, emoji, on }) => {
                let (target, emoji, on) = (*target, emoji.clone(), *on);
                Some((*room, by.clone(), EventKind::Reacted { seq, target, emoji, on }))
            }
            (Shown::Entry, Entry::MemberChanged { room, account, member, .. }) => {
                let name = self.names.get(&(*account, seq))?.clone();
                let author = Author { account: Some(*account), name };
                Some((*room, author, EventKind::Member { seq, member: *member }))
            }
            (Shown::Entry, Entry::ModeratorChanged { room, account, on }) => {
                self.standing(seq, (*room, *account), Standing::Moderator(*on))
            }
            (Shown::Entry, Entry::Muted { room: Some(room), account, until }) => {
                let until = Some(*until).filter(|until| row.time < *until);
                self.standing(seq, (*room, *account), Standing::Muted(until))
            }
            (Shown::Entry, _) => None,
        }
    }

    fn standing(
        &self,
        seq: Seq,
        (room, account): (RoomId, AccountId),
        change: Standing,
    ) -> Option<(RoomId, Author, EventKind)> {
        let name = self.names.get(&(account, seq))?.clone();
        let author = Author { account: Some(account), name };
        Some((room, author, EventKind::Standing { seq, change }))
    }
}
