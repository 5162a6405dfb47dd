//! Numbers of people in charge: what they do, and whom they invite.

/// A line over the operator's socket, either way.
pub const OPERATOR_LINE_BYTES_MAX: usize = 1_024;
/// How long one command over that socket may take: the others wait for it. The disk may be slow.
pub const OPERATOR_DEADLINE_MS: u64 = 10_000;
/// How long a command waits for the socket of a server that has the database open already.
pub const OPERATOR_PATIENCE_MS: u64 = 1_000;
/// Addresses that are banned at once: who has more to ban needs a firewall. Beyond it: refused.
pub const BANNED_ADDRESSES_MAX: usize = 1_000;
/// Minutes for which an address is banned: addresses change hands.
pub const BAN_MINUTES_MAX: u64 = 30 * 24 * 60;
/// The reason that somebody in charge gives: a line, not a letter.
pub const REASON_CHARS_MAX: usize = 200;

/// Invitations of one account that can be used. Beyond it: refused, until one of them ends.
pub const INVITATIONS_PER_ACCOUNT_MAX: usize = 100;
/// The same of one room, whoever made them.
pub const INVITATIONS_PER_ROOM_MAX: usize = 100;
/// Invitations that can be used; some 2 MiB. Beyond it: refused as full.
pub const INVITATIONS_MAX: usize = 10_000;
/// Invitations that are over and end with the next one: as many as take no time.
pub const INVITATIONS_ENDED: usize = 64;
/// How often one invitation can be used: a code on a wall, for a whole club.
pub const INVITATION_USES_MAX: u64 = 1_000;
/// Days until an invitation ends, at most ...
pub const INVITATION_DAYS_MAX: u64 = 365;
/// ... and by default.
pub const INVITATION_DAYS: u64 = 7;
/// Characters of the page's address to which a client wants a code as a link: with the code it
/// still makes a picture that a phone reads from a screen.
pub const PAGE_ADDRESS_CHARS_MAX: usize = 200;
/// Recovery links that can be used: as many people do not lose their keys on one day. Beyond it:
/// refused as full.
pub const RECOVERIES_MAX: usize = 1_000;
/// From a recovery link to its end.
pub const RECOVERY_TTL_SECS: u64 = 24 * 3_600;
