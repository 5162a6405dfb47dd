//! Long lists. The core answers a page at a time, so that no list holds up everybody else; and a
//! list is written as it is read, so that no slow reader holds more of it than a piece. Between two
//! pages the world moves on: a list is of no one moment. Called by the protocols.

use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use crate::chat::Refusal;
use crate::http::{Piece, Pieces, Response};
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
    /// What is written so far.
    pub json: Vec<u8>,
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
