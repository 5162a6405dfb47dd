//! Who may come in: the settings that people in charge change while the server runs.

use std::net::IpAddr;

use crate::time::Time;

/// An address from which nobody may come for a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BannedAddress {
    /// The address; of IPv6, its network of 64 bits.
    pub address: IpAddr,
    /// The end of the ban.
    pub until: Time,
}

/// Who may make an account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Registration {
    /// Everybody.
    #[default]
    Open,
    /// People in charge, for others.
    Invite,
    /// Nobody.
    Closed,
}

/// What people without a registered account may do. They are the guests of the native protocol, and
/// everybody who uses a name of a room's own (ChitChat).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Guests {
    /// Talk, and make rooms.
    #[default]
    On,
    /// Talk in the rooms of others.
    Rooms,
    /// Nothing.
    Off,
}

/// Who may come in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Policy {
    /// Who may make an account.
    pub registration: Registration,
    /// What guests may do.
    pub guests: Guests,
}

/// What the command line fixes of it, whatever the log says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FixedPolicy {
    /// Who may make an account.
    pub registration: Option<Registration>,
    /// What guests may do.
    pub guests: Option<Guests>,
}

impl Policy {
    /// The policy that applies.
    pub fn under(self, fixed: FixedPolicy) -> Policy {
        Policy {
            registration: fixed.registration.unwrap_or(self.registration),
            guests: fixed.guests.unwrap_or(self.guests),
        }
    }
}

impl Registration {
    /// As clients, the log and the command line write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Registration::Open => "open",
            Registration::Invite => "invite",
            Registration::Closed => "closed",
        }
    }

    /// The reverse of [`Registration::as_str`].
    pub fn parse(text: &str) -> Option<Registration> {
        let all = [Registration::Open, Registration::Invite, Registration::Closed];
        all.into_iter().find(|one| one.as_str() == text)
    }
}

impl Guests {
    /// As clients, the log and the command line write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Guests::On => "on",
            Guests::Rooms => "rooms",
            Guests::Off => "off",
        }
    }

    /// The reverse of [`Guests::as_str`].
    pub fn parse(text: &str) -> Option<Guests> {
        [Guests::On, Guests::Rooms, Guests::Off].into_iter().find(|one| one.as_str() == text)
    }
}
