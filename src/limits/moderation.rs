//! The numbers of what keeps order in rooms: moderators, mutes, bans, slow mode.

/// Moderators of one room. Beyond it: refused, to that room alone.
pub const MODERATORS_MAX: usize = 50;
/// Mutes in one room that are not over. Beyond it: refused, to that room alone.
pub const MUTES_PER_ROOM_MAX: usize = 500;
/// People banned from one room. Beyond it: refused, to that room alone.
pub const BANS_PER_ROOM_MAX: usize = 500;
/// Accounts that are muted on the whole server. Beyond it: refused.
pub const MUTED_ACCOUNTS_MAX: usize = 1_000;
/// Minutes of a mute that has an end: a year.
pub const MUTE_MINUTES_MAX: u64 = 366 * 24 * 60;
/// Seconds between two messages of one person in slow mode: six hours.
pub const SLOW_SECS_MAX: u32 = 6 * 3_600;
/// People who must wait in slow mode, in all rooms together; some 8 MiB. Beyond it the one who
/// spoke longest ago need not wait.
pub const SLOW_SPEAKERS_MAX: usize = 65_536;
/// Hours whose messages of one person can be deleted at once.
pub const CLEAR_HOURS_MAX: u64 = 24;
/// Messages that one such step deletes: the log takes other entries between two steps.
pub const CLEARED_AT_ONCE_MAX: usize = 64;
/// Entries that one search for such messages looks at: some milliseconds of a reader.
pub const CLEAR_LOOKS_MAX: usize = 4_096;
