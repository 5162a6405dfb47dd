//! Reads the messages of one room back from the log for a lagging client of Piratchat or ChitChat,
//! and encodes them as they would have been sent live.
//!
//! An edited message has its latest text, a deleted message is left out. Called by the connections.

use crate::chat::{Caller, Event, EventKind, RoomId, Seq, call};
use crate::codec::Codec;
use crate::limits::{LAG_PAGE_MESSAGES, PAGE_FRAMES_BYTES};
use crate::protocol::Service;
use crate::store::{Bound, Message, MessagePage};

/// A page of missed messages.
pub struct Missed {
    /// Whole frames.
    pub bytes: Vec<u8>,
    /// The last entry that the page covers.
    pub upto: Seq,
    /// The log's last entry that the core had handled when the page was read.
    pub head: Seq,
}

/// Reads the messages after `from`, without the subscription's `own`. `None`: the log cannot be
/// read now.
pub async fn missed(
    service: &Service,
    codec: &'static dyn Codec,
    room: RoomId,
    from: Seq,
    own: &[Seq],
) -> Option<Missed> {
    // The log may be ahead of the core, which will announce the newer entries.
    let Ok(heard) = service.hub.call(Caller::Nobody, call::Heard).await else {
        return None;
    };
    let page = move |reader: &crate::store::Reader| {
        reader.page((room, Seq(0)), Bound::After(from), LAG_PAGE_MESSAGES)
    };
    let page = service.readers.read_in_turn(page).await.ok()?;
    Some(of_page(codec, &service.epoch, (from, heard), own, page))
}

/// The frames of a page that begins after `from`. The core had handled the log up to `heard` when
/// it was read.
pub(crate) fn of_page(
    codec: &'static dyn Codec,
    epoch: &str,
    (from, heard): (Seq, Seq),
    own: &[Seq],
    page: MessagePage,
) -> Missed {
    let mut missed = Missed { bytes: Vec::new(), upto: heard, head: heard };
    let last = page.messages.last().map(|message| message.seq);
    for message in page.messages {
        let seq = message.seq;
        if seq > heard {
            return missed;
        }
        if !own.contains(&seq) {
            tell(codec, epoch, message, &mut missed.bytes);
        }
        if missed.bytes.len() >= PAGE_FRAMES_BYTES {
            missed.upto = seq;
            return missed;
        }
    }
    if page.more_after {
        missed.upto = last.unwrap_or(from).min(heard);
    }
    missed
}

fn tell(codec: &dyn Codec, epoch: &str, message: Message, frames: &mut Vec<u8>) {
    let Message { seq, room, author, color, text, time, client_id, reply_to, calls, .. } = message;
    let (Some(text), calls) = (text, calls.into()) else { return };
    let kind = EventKind::Said { seq, text, client_id, reply_to, calls };
    codec.event(epoch, &Event { room, time, author, color, kind }, frames);
}
