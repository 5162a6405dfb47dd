//! From where a request comes, as the headers of a proxy and the socket say.
//!
//! It must never take what a stranger wrote for what a proxy of ours saw. Called by
//! [`respond`](super::respond).

use std::net::IpAddr;

use crate::chat::Source;
use crate::http::Request;

/// Where a request comes from: the address at the other end of its socket or, where a proxy of our
/// own network hands it on, the last that is named in `X-Forwarded-For`, for that is what this
/// proxy saw.
pub(super) fn of(from: IpAddr, request: &Request) -> Source {
    let near = match from {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    };
    let named = request.headers.list("x-forwarded-for").last().filter(|_| near);
    Source::of(named.and_then(|named| named.parse().ok()).unwrap_or(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::tests::request;

    #[test]
    fn who_counts_as_one() {
        for (from, forwarded, expected) in [
            ("203.0.113.7", "", "203.0.113.7"),
            ("127.0.0.1", "", "::1"),
            ("::ffff:203.0.113.7", "", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
            // A proxy of our own network is believed, in what it has added itself.
            ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
            ("172.18.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
            ("fd00::1", "2001:db8::9", "2001:db8::"),
            ("172.18.0.1", "nonsense", "172.18.0.1"),
            // Anybody else is not.
            ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ] {
            let headers = match forwarded {
                "" => String::new(),
                list => format!("X-Forwarded-For: {list}\n"),
            };
            let ip = |text: &str| text.parse().expect("an address");
            let found = of(ip(from), &request("GET /", &headers, ""));
            assert_eq!(found, Source::of(ip(expected)), "{from} {forwarded}");
        }
    }
}
