//! IP networks: the addresses that `10.0.0.0/8` or `loopback` stands for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses with the same leading bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// The addresses of this machine itself.
    pub const LOOPBACK: [Network; 2] = [v4([127, 0, 0, 0], 8), v6(1, 128)];

    /// The addresses for private networks (RFC 1918, RFC 4193), which containers use, too.
    const PRIVATE: [Network; 4] = [
        v4([10, 0, 0, 0], 8),
        v4([172, 16, 0, 0], 12),
        v4([192, 168, 0, 0], 16),
        v6(0xfc << 120, 7),
    ];

    /// Parses an address, a network (`10.0.0.0/8`), or a name: `loopback` or `private`, which are
    /// several. `None`: none of these.
    pub fn parse(text: &str) -> Option<Vec<Network>> {
        match text {
            "loopback" => return Some(Network::LOOPBACK.into()),
            "private" => return Some(Network::PRIVATE.into()),
            _ => {}
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().ok()?;
        let most: u8 = if first.is_ipv4() { 32 } else { 128 };
        let digits = |bits: &&str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            Some(bits) => Some(bits).filter(digits)?.parse().ok()?,
            None => most,
        };
        if bits > most {
            return None;
        }
        // An IPv4 network written in IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4.
        Some(vec![match (first, first.to_canonical()) {
            (IpAddr::V6(_), canonical @ IpAddr::V4(_)) if bits >= 96 => {
                Network { first: canonical, bits: bits - 96 }
            }
            _ => Network { first, bits },
        }])
    }

    /// Whether the network contains an address. IPv4 written in IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shared = match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(other)) => {
                (first.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(first), IpAddr::V6(other)) => {
                (first.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        shared >= u32::from(self.bits)
    }
}

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> Network {
    Network { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6(first: u128, bits: u8) -> Network {
    Network { first: IpAddr::V6(Ipv6Addr::from_bits(first)), bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_addresses_are_meant() {
        for (network, inside, outside) in [
            ("loopback", "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1", "128.0.0.1 ::2 10.0.0.1"),
            (
                "private",
                "10.1.2.3 172.31.0.1 192.168.1.1 fd00::1 ::ffff:10.0.0.1",
                "172.32.0.1 192.169.0.1 fe80::1 127.0.0.1",
            ),
            ("203.0.113.7", "203.0.113.7 ::ffff:203.0.113.7", "203.0.113.6 203.0.113.8"),
            ("203.0.113.0/24", "203.0.113.0 203.0.113.255", "203.0.112.255 203.0.114.0"),
            ("203.0.113.9/24", "203.0.113.1", "203.0.114.0"),
            ("0.0.0.0/0", "1.2.3.4 ::ffff:1.2.3.4", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1 203.0.113.7"),
            ("::/0", "2001:db9::1", "203.0.113.7"),
            ("::ffff:203.0.113.0/120", "203.0.113.9", "203.0.114.9"),
        ] {
            let networks = Network::parse(network).unwrap_or_else(|| panic!("{network}"));
            for (addresses, expected) in [(inside, true), (outside, false)] {
                for address in addresses.split(' ') {
                    let parsed = address.parse().expect("an address");
                    let found = networks.iter().any(|network| network.contains(parsed));
                    assert_eq!(found, expected, "{address} in {network}");
                }
            }
        }
        let wrong = [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.1:80",
            "[::1]",
            "localhost",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.0/256",
            "Private",
        ];
        for wrong in wrong {
            assert_eq!(Network::parse(wrong), None, "{wrong:?}");
        }
    }
}
