//! The address of a request, as rate limits and quotas count it, beside the caller.

use std::net::{IpAddr, Ipv6Addr};

/// The address of a request, as limits count it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// This server itself, which supplies a stream or checks its own health. No limit applies.
    Own,
    /// This machine, without a proxy. Limits of addresses do not apply; those of persons,
    /// connections and rooms do.
    Local,
    /// An IPv4 address, or an IPv6 network of 64 bits, as every customer has a whole one. Only
    /// [`Source::of`] makes it, so that no client counts as two.
    Address(IpAddr),
    /// Behind a proxy that names no readable address: all of these count as one.
    Unknown,
}

impl Source {
    /// The source of an address. A loopback address is this machine.
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            ip if ip.is_loopback() => Source::Local,
            IpAddr::V6(ip) => Source::Address(network(ip, 64)),
            ip => Source::Address(ip),
        }
    }

    /// The IPv6 network of 48 bits around it: the most that a provider gives to one customer.
    /// `None`: there is no wider network.
    pub fn site(self) -> Option<IpAddr> {
        match self {
            Source::Address(IpAddr::V6(ip)) => Some(network(ip, 48)),
            Source::Own | Source::Local | Source::Address(IpAddr::V4(_)) | Source::Unknown => None,
        }
    }
}

/// The network of the first `bits` bits.
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
            assert_eq!(source, counts.map_or(Source::Local, |text| Source::Address(ip(text))));
            assert_eq!(source.site(), site.map(ip), "{from}");
        }
        assert_eq!(Source::Unknown.site(), None);
    }
}
