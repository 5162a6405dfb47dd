//! What was said in one room, for a reader of a seed's protocol who was too slow to hear it: read
//! back from the log, and told as it would have been.
//!
//! A message that was changed since has its latest words, one that was taken back is not told.
//! Called by the connections.

use crate::chat::{Caller, Event, RoomId, Seq, What, call};
use crate::codec::Codec;
use crate::limits::{LAG_PAGE_MESSAGES, PAGE_FRAMES_BYTES};
use crate::protocol::Service;
use crate::store::{Bound, Message, MessagePage};

/// A part of what was missed.
pub struct Missed {
    /// Whole frames.
    pub bytes: Vec<u8>,
    /// How far it reaches.
    pub upto: Seq,
    /// The last entry that there was, as far as the core had heard of it.
    pub head: Seq,
}

/// Reads what was said after `from`, but for the reader's `own` messages. `None`: the log cannot be
/// read now.
pub async fn missed(
    service: &Service,
    codec: &'static dyn Codec,
    room: RoomId,
    from: Seq,
    own: &[Seq],
) -> Option<Missed> {
    // The log may be ahead of the core: what that has not heard yet, it will announce.
    let Ok(heard) = service.hub.call(Caller::Nobody, call::Heard).await else {
        return None;
    };
    let page = move |reader: &crate::store::Reader| {
        reader.page((room, Seq(0)), Bound::After(from), LAG_PAGE_MESSAGES)
    };
    let page = service.readers.read_in_turn(page).await.ok()?;
    Some(of_page(codec, &service.epoch, (from, heard), own, page))
}

/// The frames of a page that was read for what was said after `from`. The core had heard of the log
/// up to `heard` by then.
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
    let what = What::Said { seq, text, client_id, reply_to, calls };
    codec.event(epoch, &Event { room, time, author, color, what }, frames);
}
