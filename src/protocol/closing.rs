//! What a client is told when the server closes its connection: a websocket close code (RFC 6455
//! section 7.4) and a reason for a person. The same in every protocol; called by their codecs.

use crate::chat::CloseReason;
use crate::codec::Disconnect;
use crate::ws::CloseFrame;

/// The close frame of a websocket. Its code is 1000, 1001, 1003, 1008 or 1013; its reason has at
/// most 123 bytes.
pub(super) fn close_frame(why: Disconnect) -> CloseFrame {
    let (code, reason) = match why {
        Disconnect::Ended(reason) => match reason {
            CloseReason::SessionEnded => (1008, "your session has ended; log in again"),
            CloseReason::RoomGone => (1000, "this room is gone"),
            CloseReason::Replaced => {
                (1008, "you have opened too many streams; this was the oldest")
            }
            CloseReason::Locked => (1008, "this room has a new password; ask for a new token"),
            CloseReason::Expelled => (1008, "the owner of this room has put you out"),
            CloseReason::GaveWay => (1008, "another connection came by your token; this one ends"),
            CloseReason::ShuttingDown => (1001, "the server stops; come back"),
        },
        Disconnect::TooSlow => (1013, "you read too slowly; come back"),
        Disconnect::TryLater => (1013, "too much to do; come back"),
        Disconnect::Unfinished => (1013, "too much is unfinished; send messages whole"),
        Disconnect::Drips => (1008, "a message took too long to come"),
        // Every protocol here speaks text only.
        Disconnect::NotText => (1003, "text only, please"),
        Disconnect::NoPlace => (1013, "others wait, and you have said nothing; come back"),
    };
    CloseFrame { code, reason }
}
