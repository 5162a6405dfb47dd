//! The core's data: tables, lists and queues, each with its own rules. They know nothing of
//! [`Chat`](crate::chat::Chat), which owns them.

pub mod accounts;
pub mod deleted;
mod index;
pub mod invitations;
pub mod limiter;
pub mod mentions;
pub mod moderation;
pub mod order;
pub mod pages;
pub mod purpose;
pub mod quotas;
pub mod room;
pub mod rooms;
pub mod slow;
pub mod snapshot;
pub mod stream;
pub mod subscription;
pub mod waits;
pub mod work;
