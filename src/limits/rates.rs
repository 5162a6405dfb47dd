//! How much somebody may do in a time: token buckets, each with what it holds and how fast it
//! fills. Every number of them, with its reason.
//!
//! Ordinary people never meet them: a lively conversation, a paste of ten lines, a page that is
//! loaded again and again, a bot with twenty lines a second in a room of its own, a thousand people
//! in one room, a school behind one address. They bound what one who tries can cost all others.

/// A bucket: so many at once, then one each time that so many nanoseconds have passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// What a full bucket holds.
    pub burst: u64,
    /// After how long it holds one more.
    pub every_nanos: u64,
}

/// The buckets that one kind of deed takes from: all that there are for who does it.
///
/// A *connection* counts for one who has no account; a *guest* and a *person* by their account, on
/// all their connections; an *address* for all who come from there (an IPv6 network of 64 bits; one
/// of 48 bits has [`SITE_ADDRESSES`] times as much); a *room* for all who are in it.
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

/// What an IPv6 network of 48 bits may, as a multiple of what one of 64 bits may: it is what a
/// provider gives to one customer at most, and sometimes to a whole town.
pub const SITE_ADDRESSES: u64 = 8;

/// Connections, persons, addresses and rooms whose buckets are remembered while they are not full;
/// some 4 MiB. Beyond it the least indebted are forgotten.
pub const BUCKETS_MAX: usize = 16_384;
/// Of how many of them the least indebted is the one that is forgotten.
pub const BUCKETS_LOOKED_AT: usize = 16;

/// What an entry costs beside its text, in bytes: a row, its index, its part of the log.
pub const ENTRY_BYTES: u64 = 64;

const NONE: Rates =
    Rates { connection: None, guest: None, person: None, address: None, room: None };

const fn per_second(count: u64, burst: u64) -> Option<Rate> {
    Some(Rate { burst, every_nanos: 1_000_000_000 / count })
}

const fn every_secs(secs: u64, burst: u64) -> Option<Rate> {
    Some(Rate { burst, every_nanos: secs * 1_000_000_000 })
}

/// So much within any day: half of it at once, and the other half over the day.
const fn a_day(count: u64) -> Option<Rate> {
    Some(Rate { burst: count / 2, every_nanos: 2 * 24 * 3_600 * 1_000_000_000 / count })
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Anything that is asked of the core. A page asks some twenty times when it is loaded; a script
/// that says something with each request, two or three times a line.
pub const CALL: Rates = Rates {
    guest: per_second(100, 1_000),
    person: per_second(200, 2_000),
    address: per_second(1_000, 10_000),
    ..NONE
};

/// Anything that is told over a websocket, understood or not. Twice what can be said.
pub const CLIENT_EVENT: Rates = Rates {
    connection: per_second(50, 1_000),
    guest: per_second(50, 1_000),
    person: per_second(100, 1_000),
    address: per_second(1_000, 10_000),
    ..NONE
};

/// Messages. A bot says twenty a second, and now and then some hundred at once; whoever reads a
/// room of a thousand people sees a few hundred a second fly by.
pub const MESSAGE: Rates = Rates {
    connection: per_second(25, 500),
    guest: per_second(25, 500),
    person: per_second(40, 500),
    address: per_second(400, 4_000),
    room: per_second(500, 4_000),
};

/// What changes something that is there: edits, signs, deletions, another title. A thousand people
/// may put a sign on one message at the same moment.
pub const CHANGE: Rates = Rates {
    connection: per_second(5, 100),
    guest: per_second(5, 100),
    person: per_second(10, 200),
    address: per_second(100, 2_000),
    room: per_second(200, 4_000),
};

/// What is written, in bytes. (16 guests have written 210 MiB in 8 s without it.) A long message is
/// 4,000 characters, up to 16 KB.
pub const BYTES: Rates = Rates {
    connection: per_second(8 * KIB, 128 * KIB),
    guest: per_second(8 * KIB, 128 * KIB),
    person: per_second(32 * KIB, 512 * KIB),
    address: per_second(128 * KIB, 4 * MIB),
    room: per_second(256 * KIB, 8 * MIB),
};

/// The same over a day. A bot that says twenty lines a second for all of it writes some 250 MiB.
pub const DAY_BYTES: Rates = Rates {
    connection: a_day(32 * MIB),
    guest: a_day(32 * MIB),
    person: a_day(512 * MIB),
    address: a_day(1024 * MIB),
    ..NONE
};

/// To be writing something. A page says so every few seconds. Of a room no more is told than
/// anybody could see.
pub const TYPING: Rates = Rates {
    guest: per_second(2, 20),
    person: per_second(2, 20),
    address: per_second(200, 2_000),
    room: per_second(20, 100),
    ..NONE
};

/// To have read so far. A page says so when it has shown something new.
pub const MARK: Rates = Rates {
    guest: per_second(20, 200),
    person: per_second(20, 200),
    address: per_second(1_000, 10_000),
    ..NONE
};

/// To come into a room, or to go, without leaving it: everybody there is told. (One connection that
/// did so as fast as it could has thrown out readers of 200 kB/s.) A thousand may come at once when
/// the server was started again.
pub const PRESENCE: Rates = Rates {
    connection: every_secs(2, 20),
    guest: every_secs(2, 40),
    person: per_second(1, 60),
    address: per_second(20, 2_000),
    room: per_second(50, 2_000),
};

/// To open a websocket or a stream.
pub const OPEN: Rates = Rates {
    guest: every_secs(1, 60),
    person: per_second(2, 120),
    address: per_second(20, 2_000),
    ..NONE
};

/// To log in. A script may do so for each thing that it does.
pub const LOGIN: Rates = Rates { person: every_secs(2, 60), address: per_second(5, 200), ..NONE };

/// To make what lasts: an account, a guest, a room, a room for two. A whole school may come from
/// one address.
pub const MAKE: Rates = Rates {
    guest: every_secs(30, 20),
    person: every_secs(10, 60),
    address: every_secs(6, 60),
    ..NONE
};

/// The same over a day: a hundredth of what there is room for.
pub const DAY_MAKE: Rates =
    Rates { guest: a_day(100), person: a_day(500), address: a_day(1_000), ..NONE };

/// To become a member.
pub const MEMBERSHIP: Rates = Rates {
    guest: every_secs(10, 60),
    person: every_secs(5, 200),
    address: per_second(10, 2_000),
    ..NONE
};

/// To search; each may take some milliseconds of a thread.
pub const SEARCH: Rates = Rates {
    guest: per_second(1, 20),
    person: per_second(2, 40),
    address: per_second(20, 200),
    ..NONE
};

/// A wrong password. One of eight letters stays out of reach. A room's is counted, too; see
/// [`GUESS_WARY`].
pub const GUESS: Rates = Rates {
    guest: every_secs(60, 20),
    person: every_secs(6, 30),
    address: every_secs(6, 60),
    room: every_secs(1, 300),
    ..NONE
};

/// The same while a room's own bucket is empty, because many addresses guess at it: then each has
/// only so much. Whoever knows the password needs one.
pub const GUESS_WARY: Rates = Rates {
    guest: every_secs(60, 5),
    person: every_secs(60, 5),
    address: every_secs(60, 5),
    ..NONE
};
