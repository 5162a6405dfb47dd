//! Long lists. The core answers a page at a time, so that no list delays other clients; and the
//! response is written while the list is read, so that a slow client costs one piece. State may
//! change between two pages: a list is no snapshot. Called by the protocols.

use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use crate::chat::Refusal;
use crate::http::{Piece, Pieces, Response};
use crate::limits::PIECE_BYTES;
use crate::protocol::json_body;

/// A list in progress.
pub(super) trait Listed: Send {
    /// Writes the next items, at least one if there are more; returns whether more follow.
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a>;
}

/// Whether more items follow, once known.
pub(super) type More<'a> = Pin<Box<dyn Future<Output = Result<bool, Refusal>> + 'a>>;

/// The items of a list as JSON.
#[derive(Default)]
pub(super) struct Items {
    /// What is written so far.
    pub json: Vec<u8>,
    begun: bool,
}

impl Items {
    /// Writes one more item, after a comma unless it is the first.
    pub fn push(&mut self, item: &impl Serialize) {
        if std::mem::replace(&mut self.begun, true) {
            self.json.push(b',');
        }
        self.item(item);
    }

    /// A value.
    pub fn item(&mut self, item: &impl Serialize) {
        json_body::write(item, &mut self.json);
    }

    /// Raw JSON.
    pub fn raw(&mut self, json: &[u8]) {
        self.json.extend_from_slice(json);
    }
}

/// Responds with a list between two pieces of JSON; a refusal or failure of the first page refuses
/// the whole request.
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
                    // A rate-limited client gets the rest more slowly: half a list is useless.
                    Err(Refusal::RateLimited { retry_after_ms }) => {
                        tokio::time::sleep(Duration::from_millis(retry_after_ms.into())).await;
                    }
                    Err(_) => return Piece::Failed,
                }
            }
        })
    }
}
