//! Where a request comes from: what rate limits and quotas count by, beside who asks.

use std::net::{IpAddr, Ipv6Addr};

/// Where a request comes from, as far as it counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// This server itself, for a stream that it keeps supplied, or to see whether it is well. No
    /// limit holds for it.
    Own,
    /// This machine itself, and not through a proxy. No limit of an address holds for it; those of
    /// persons, connections and rooms do.
    Local,
    /// An IPv4 address, or an IPv6 network of 64 bits, as everybody has a whole one. Made by
    /// [`Source::of`] alone, so that nobody counts as two.
    Address(IpAddr),
    /// Through a proxy that names no readable address: all of these count as one.
    Unknown,
}

impl Source {
    /// The source that an address counts as. A loopback address is this machine.
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            ip if ip.is_loopback() => Source::Local,
            IpAddr::V6(ip) => Source::Address(network(ip, 64)),
            ip => Source::Address(ip),
        }
    }

    /// The IPv6 network of 48 bits around it: what a provider gives to one customer at most.
    /// `None`: there is no wider one.
    pub fn site(self) -> Option<IpAddr> {
        match self {
            Source::Address(IpAddr::V6(ip)) => Some(network(ip, 48)),
            Source::Own | Source::Local | Source::Address(IpAddr::V4(_)) | Source::Unknown => None,
        }
    }
}

/// The network of the first so many bits.
fn network(ip: Ipv6Addr, bits: u32) -> IpAddr {
    let rest = 128 - bits;
    Ipv6Addr::from_bits(ip.to_bits() >> rest << rest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_as_networks() {
        for (from, counts, site) in [
            ("203.0.113.7", Some("203.0.113.7"), None),
            ("::ffff:203.0.113.7", Some("203.0.113.7"), None),
            ("127.0.0.1", None, None),
            ("127.9.9.9", None, None),
            ("::1", None, None),
            ("::ffff:127.0.0.1", None, None),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::"), Some("2001:db8:1::")),
        ] {
            let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
            let source = Source::of(ip(from));
            assert_eq!(source, counts.map_or(Source::Local, |one| Source::Address(ip(one))));
            assert_eq!(source.site(), site.map(ip), "{from}");
        }
        assert_eq!(Source::Unknown.site(), None);
    }
}
