//! Rate limits: token buckets, each with its size, how fast it fills, and the reason.
//!
//! Ordinary people never meet them: a lively conversation, a paste of ten lines, a page that is
//! loaded again and again, a bot with twenty lines a second in its own room, a thousand people in
//! one room, a school behind one address. They bound what an attacker can cost all others.

/// A token bucket: `burst` tokens at once, then one each `every_nanos`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// The tokens in a full bucket.
    pub burst: u64,
    /// Nanoseconds until the next token.
    pub every_nanos: u64,
}

/// The buckets that one kind of action takes tokens from: all that apply to the actor.
///
/// A *connection* counts for a client without an account; a *guest* or a *person* by the account,
/// on all its connections; an *address* for all clients from there (an IPv6 network of 64 bits; one
/// of 48 bits has [`SITE_ADDRESSES`] times as much); a *room* for everybody in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// Of one connection without an account.
    pub connection: Option<Rate>,
    /// Of one guest.
    pub guest: Option<Rate>,
    /// Of one account with a key.
    pub person: Option<Rate>,
    /// Of one address.
    pub address: Option<Rate>,
    /// Of one room.
    pub room: Option<Rate>,
}

/// The share of an IPv6 network of 48 bits, as a multiple of that of 64 bits: a provider gives one
/// customer at most such a network, and sometimes a whole town.
pub const SITE_ADDRESSES: u64 = 8;

/// Connections, accounts, addresses and rooms whose buckets are kept while not full; some 4 MiB.
/// Beyond it the fullest are forgotten.
pub const BUCKETS_MAX: usize = 16_384;
/// The limiter looks at this many buckets, and drops the fullest of them.
pub const BUCKETS_LOOKED_AT: usize = 16;

/// Buckets that a tick looks at, to drop full ones: all within a minute.
pub const BUCKETS_SWEPT: usize = 4_096;

/// Bytes that an entry costs beside its text: a row, its index, its part of the log.
pub const ENTRY_BYTES: u64 = 64;

const NONE: Rates =
    Rates { connection: None, guest: None, person: None, address: None, room: None };

const fn per_second(count: u64, burst: u64) -> Option<Rate> {
    Some(Rate { burst, every_nanos: 1_000_000_000 / count })
}

const fn every_secs(secs: u64, burst: u64) -> Option<Rate> {
    Some(Rate { burst, every_nanos: secs * 1_000_000_000 })
}

/// `count` a day at most: half of them at once, the other half over the day.
const fn a_day(count: u64) -> Option<Rate> {
    Some(Rate { burst: count / 2, every_nanos: 2 * 24 * 3_600 * 1_000_000_000 / count })
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Any request to the core. A page makes some twenty when it is loaded; a script that sends
/// messages by request, two or three a line.
pub const CALL: Rates = Rates {
    guest: per_second(100, 1_000),
    person: per_second(200, 2_000),
    address: per_second(1_000, 10_000),
    ..NONE
};

/// Any message over a websocket, valid or not. Twice the rate of chat messages.
pub const CLIENT_EVENT: Rates = Rates {
    connection: per_second(50, 1_000),
    guest: per_second(50, 1_000),
    person: per_second(100, 1_000),
    address: per_second(1_000, 10_000),
    ..NONE
};

/// Chat messages. A bot sends twenty a second, and now and then some hundred at once; a reader of a
/// room of a thousand people sees a few hundred a second fly by.
pub const MESSAGE: Rates = Rates {
    connection: per_second(25, 500),
    guest: per_second(25, 500),
    person: per_second(40, 500),
    address: per_second(400, 4_000),
    room: per_second(500, 4_000),
};

/// Changes of existing things: edits, reactions, deletions, another title. A thousand people may
/// put a reaction on one message at the same moment.
pub const CHANGE: Rates = Rates {
    connection: per_second(5, 100),
    guest: per_second(5, 100),
    person: per_second(10, 200),
    address: per_second(100, 2_000),
    room: per_second(200, 4_000),
};

/// Bytes written. (Without it, 16 guests have written 210 MiB in 8 s.) A long message is 4,000
/// characters, up to 16 KB.
pub const BYTES: Rates = Rates {
    connection: per_second(8 * KIB, 128 * KIB),
    guest: per_second(8 * KIB, 128 * KIB),
    person: per_second(32 * KIB, 512 * KIB),
    address: per_second(128 * KIB, 4 * MIB),
    room: per_second(256 * KIB, 8 * MIB),
};

/// The same over a day. A bot that sends twenty lines a second all day writes some 250 MiB.
pub const DAY_BYTES: Rates = Rates {
    connection: a_day(32 * MIB),
    guest: a_day(32 * MIB),
    person: a_day(512 * MIB),
    address: a_day(1024 * MIB),
    ..NONE
};

/// Typing notices. A page sends one every few seconds. A room broadcasts no more of them than a
/// person could notice.
pub const TYPING: Rates = Rates {
    guest: per_second(2, 20),
    person: per_second(2, 20),
    address: per_second(200, 2_000),
    room: per_second(20, 100),
    ..NONE
};

/// Read markers. A page sends one when it has shown something new.
pub const MARK: Rates = Rates {
    guest: per_second(20, 200),
    person: per_second(20, 200),
    address: per_second(1_000, 10_000),
    ..NONE
};

/// Joins and leaves of a subscription, which are broadcast to everybody in the room. (One
/// connection that sent them as fast as it could made readers of 200 kB/s lose their connections.)
/// A thousand people may join at once after a restart.
pub const PRESENCE: Rates = Rates {
    connection: every_secs(2, 20),
    guest: every_secs(2, 40),
    person: per_second(1, 60),
    address: per_second(20, 2_000),
    room: per_second(50, 2_000),
};

/// Opening a websocket or a stream.
pub const OPEN: Rates = Rates {
    guest: every_secs(1, 60),
    person: per_second(2, 120),
    address: per_second(20, 2_000),
    ..NONE
};

/// Logins. A script may log in for each thing that it does.
pub const LOGIN: Rates = Rates { person: every_secs(2, 60), address: per_second(5, 200), ..NONE };

/// Creation of lasting items: an account, a guest, a room, a direct room. A whole school may share
/// one address.
pub const MAKE: Rates = Rates {
    guest: every_secs(30, 20),
    person: every_secs(10, 60),
    address: every_secs(6, 60),
    ..NONE
};

/// The same over a day: a hundredth of the quota.
pub const DAY_MAKE: Rates =
    Rates { guest: a_day(100), person: a_day(500), address: a_day(1_000), ..NONE };

/// Becoming a member.
pub const MEMBERSHIP: Rates = Rates {
    guest: every_secs(10, 60),
    person: every_secs(5, 200),
    address: per_second(10, 2_000),
    ..NONE
};

/// Searches; each may take some milliseconds of a thread.
pub const SEARCH: Rates = Rates {
    guest: per_second(1, 20),
    person: per_second(2, 40),
    address: per_second(20, 200),
    ..NONE
};

/// Wrong passwords. A password of eight letters stays out of reach. Those for a room are counted
/// together, too; see [`GUESS_WARY`].
pub const GUESS: Rates = Rates {
    guest: every_secs(60, 20),
    person: every_secs(6, 30),
    address: every_secs(6, 60),
    room: every_secs(1, 300),
    ..NONE
};

/// The same for each address while the room's own bucket is empty, because many addresses guess its
/// password. A caller who knows the password needs one attempt.
pub const GUESS_WARY: Rates = Rates {
    guest: every_secs(60, 5),
    person: every_secs(60, 5),
    address: every_secs(60, 5),
    ..NONE
};
