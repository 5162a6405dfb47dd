//! Long lists. The core answers a page at a time, so that no list holds up everybody else; and a
//! list is written as it is read, so that no slow reader holds more of it than a piece. Between two
//! pages the world moves on: a list is of no one moment. Called by the protocols.

use std::collections::HashSet;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use crate::chat::{
    AccountId, Caller, Member, MembershipMarks, Page, Place, Refusal, RoomId, RoomInfo, Seq, call,
};
use crate::http::{Piece, Pieces, Response};
use crate::hub::HubHandle;
use crate::limits::PIECE_BYTES;
use crate::protocol::json_body;

/// A list, as it is made.
pub(super) trait Listed: Send {
    /// Writes what comes next of it, some at least where there is more; whether more follows.
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a>;
}

/// Whether there is more, once it has been looked at.
pub(super) type More<'a> = Pin<Box<dyn Future<Output = Result<bool, Refusal>> + 'a>>;

/// The items of a list as JSON.
#[derive(Default)]
pub(super) struct Items {
    json: Vec<u8>,
    begun: bool,
}

impl Items {
    /// One more, behind a comma where it is not the first.
    pub fn push(&mut self, item: &impl Serialize) {
        if std::mem::replace(&mut self.begun, true) {
            self.json.push(b',');
        }
        self.item(item);
    }

    /// Something as it is.
    pub fn item(&mut self, item: &impl Serialize) {
        json_body::write(item, &mut self.json);
    }

    /// JSON as it is.
    pub fn raw(&mut self, json: &[u8]) {
        self.json.extend_from_slice(json);
    }

    /// Takes away what the last item ends with, so that it can go on.
    ///
    /// # Panics
    /// When it ends with something else.
    pub fn reopen(&mut self, end: &[u8]) {
        assert!(self.json.ends_with(end), "an item ends as its struct says");
        self.json.truncate(self.json.len() - end.len());
    }
}

/// Answers with a list between two pieces of JSON; what is refused at the first page, or does not
/// come, is refused as a whole.
pub(super) async fn respond(
    response: Response,
    head: &str,
    list: impl Listed + 'static,
    tail: &'static str,
) -> Result<Response, Refusal> {
    let items = Items { json: head.as_bytes().to_vec(), begun: false };
    let mut list = Written { list, items, tail };
    Ok(match list.piece().await? {
        Piece::More(first) => response.json_and_rest(first, list),
        Piece::Last(all) => response.json(all),
        Piece::Failed => return Err(Refusal::Unavailable),
    })
}

/// A list, as far as it has not been read.
struct Written<L> {
    list: L,
    items: Items,
    tail: &'static str,
}

impl<L: Listed> Written<L> {
    async fn piece(&mut self) -> Result<Piece, Refusal> {
        while self.items.json.len() < PIECE_BYTES {
            if !self.list.next(&mut self.items).await? {
                self.items.raw(self.tail.as_bytes());
                return Ok(Piece::Last(std::mem::take(&mut self.items.json).into()));
            }
        }
        Ok(Piece::More(std::mem::take(&mut self.items.json).into()))
    }
}

impl<L: Listed> Pieces for Written<L> {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Piece> + '_>> {
        Box::pin(async {
            loop {
                match self.piece().await {
                    Ok(piece) => return piece,
                    // Who asks for too much gets it more slowly: half a list is of no use.
                    Err(Refusal::RateLimited { retry_after_ms }) => {
                        tokio::time::sleep(Duration::from_millis(retry_after_ms.into())).await;
                    }
                    Err(_) => return Piece::Failed,
                }
            }
        })
    }
}

/// The rest of those who are present in a room, of whom an answer has only the first. A room that
/// has gone meanwhile has nobody more.
pub(super) async fn complete(hub: &HubHandle, caller: &Caller, info: &mut RoomInfo) {
    while let Some(after) = info.more {
        let page = hub.call(caller.clone(), call::Present { room: info.id, after }).await;
        let page = page.unwrap_or_default();
        info.present.extend(page.items);
        info.more = page.next;
    }
}

/// The rooms whose messages the caller may read, and after which entry.
pub(super) async fn readable(
    hub: &HubHandle,
    caller: &Caller,
) -> Result<Vec<(RoomId, Seq)>, Refusal> {
    let (mut all, mut after) = (Vec::new(), RoomId(0));
    loop {
        let page = hub.call(caller.clone(), call::Readable { after }).await?;
        all.extend(page.items);
        let Some(next) = page.next else { return Ok(all) };
        after = next;
    }
}

/// What the caller has to do with their rooms, and how far they have read them.
pub(super) async fn marks(
    hub: &HubHandle,
    caller: &Caller,
) -> Result<Vec<MembershipMarks>, Refusal> {
    let (mut all, mut after) = (Vec::new(), RoomId(0));
    loop {
        let page = hub.call(caller.clone(), call::Marks { after }).await?;
        all.extend(page.items);
        let Some(next) = page.next else { return Ok(all) };
        after = next;
    }
}

/// Who belongs to a room, and who is present in it, page by page.
pub(super) struct Members {
    pub hub: HubHandle,
    pub caller: Caller,
    pub room: RoomId,
    after: Place,
    /// Who was listed as present: who leaves meanwhile would come again, as away.
    here: HashSet<AccountId>,
}

impl Members {
    pub fn new(hub: HubHandle, caller: Caller, room: RoomId) -> Members {
        Members { hub, caller, room, after: Place::Present(0), here: HashSet::new() }
    }

    /// The next page; and whether there is another.
    pub async fn page(&mut self) -> Result<(Vec<Member>, bool), Refusal> {
        let call = call::Members { room: self.room, after: self.after };
        let Page { items: members, next } = self.hub.call(self.caller.clone(), call).await?;
        let id = |one: &Member| one.author.account;
        let known = |one: &Member| id(one).is_some_and(|id| self.here.contains(&id));
        let fresh: Vec<Member> = members.into_iter().filter(|one| !known(one)).collect();
        self.here.extend(fresh.iter().filter(|one| one.online).filter_map(id));
        self.after = next.unwrap_or(self.after);
        Ok((fresh, next.is_some()))
    }
}
