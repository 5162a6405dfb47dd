//! The close frames of the websockets: a close code (RFC 6455 section 7.4) and a reason for a
//! person. The same in every protocol; called by their codecs.

use crate::chat::CloseReason;
use crate::codec::Disconnect;
use crate::ws::CloseFrame;

/// The close frame of a websocket. Its code is 1000, 1001, 1003, 1008 or 1013; its reason has at
/// most 123 bytes.
pub(super) fn close_frame(why: Disconnect) -> CloseFrame {
    let (code, reason) = match why {
        Disconnect::Ended(reason) => match reason {
            CloseReason::SessionEnded => (1008, "your session has ended; log in again"),
            CloseReason::RoomGone => (1000, "this room was closed"),
            CloseReason::Banned => {
                (1008, "you are banned from this server; ask its administrators")
            }
            CloseReason::BannedHere => (1008, "you are banned from this room; ask its owner"),
            CloseReason::GuestsOff => {
                (1008, "this server accepts no guests any more; make an account, or log in")
            }
            CloseReason::Replaced => {
                (1008, "you have opened too many streams; the oldest is closed")
            }
            CloseReason::Locked => (1008, "this room has a new password; request a new token"),
            CloseReason::Expelled => (1008, "you were removed from this room"),
            CloseReason::GaveWay => {
                (1008, "a newer connection uses your token; this one is closed")
            }
            CloseReason::ShuttingDown => (1001, "the server is stopping; connect again later"),
        },
        Disconnect::TooSlow => (1013, "you read too slowly; connect again"),
        Disconnect::TryLater => (1013, "the server is busy; connect again later"),
        Disconnect::Unfinished => (1013, "too much incomplete input; send complete messages"),
        Disconnect::Drips => (1008, "the message took too long to arrive"),
        // Every protocol here speaks text only.
        Disconnect::NotText => (1003, "send text frames only"),
        Disconnect::NoPlace => {
            (1013, "closed for others, because you sent nothing; connect again later")
        }
    };
    CloseFrame { code, reason }
}
