//! The source that a request counts for: its peer address or, behind a trusted proxy, the address
//! that the proxy names.
//!
//! It must never believe an address from any peer but a trusted proxy, because then a client could
//! have as many addresses as it likes; and never take a named address for this machine itself,
//! which is not limited. Called by [`respond`](super::respond).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Once;

use crate::chat::Source;
use crate::config::Network;
use crate::http::Headers;
use crate::log;

/// Headers that proxies add, besides those that name an address. A request with one of them came
/// through a proxy.
const TRACES: [&str; 9] = [
    "via",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-prefix",
];

/// The other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// Of the socket itself.
    Socket(IpAddr),
    /// A client that a trusted proxy has named before the first byte. Never this machine.
    Named(IpAddr),
    /// A client that such a proxy has not named.
    Unnamed,
}

impl Peer {
    /// The client that a proxy names.
    pub fn named(address: IpAddr) -> Peer {
        let address = address.to_canonical();
        if is_a_clients(address) { Peer::Named(address) } else { Peer::Unnamed }
    }

    /// The address, if there is one.
    fn address(self) -> Option<IpAddr> {
        match self {
            Peer::Socket(address) | Peer::Named(address) => Some(address.to_canonical()),
            Peer::Unnamed => None,
        }
    }

    /// Whether the peer is a trusted proxy, whose headers are believed.
    pub(super) fn is_trusted(self, trusted: &[Network]) -> bool {
        self.address().is_some_and(|address| is_trusted(address, trusted))
    }

    /// The source that the connection counts for before its first request.
    pub(super) fn source(self) -> Source {
        self.address().map_or(Source::Unknown, Source::of)
    }
}

/// The source of a request from `peer`.
pub(super) fn of(peer: Peer, headers: &Headers, trusted: &[Network]) -> Source {
    let Some(peer) = peer.address() else { return Source::Unknown };
    if !is_trusted(peer, trusted) {
        // An untrusted peer's headers are ignored. But an untrusted proxy on this machine is not
        // this machine's own request.
        return match Source::of(peer) {
            Source::Local if is_forwarded(headers) => unknown(),
            source => source,
        };
    }
    match named(headers, trusted) {
        Named::Nobody if is_forwarded(headers) => unknown(),
        Named::Nobody => Source::of(peer),
        Named::Client(address) if is_a_clients(address) => Source::of(address),
        Named::Client(_) | Named::Unclear => unknown(),
    }
}

/// The headers' combined statement.
enum Named {
    /// They name no address.
    Nobody,
    /// All of them name this address.
    Client(IpAddr),
    /// One is not an address, or several differ.
    Unclear,
}

/// The address that the headers name. A proxy sets one of the three, and mostly forwards the others
/// as the client sent them; as it is unknown which it sets, a contradiction makes all of them
/// worthless.
fn named(headers: &Headers, trusted: &[Network]) -> Named {
    let chain = headers.list("x-forwarded-for").filter(|hop| !hop.is_empty());
    let listed = client(chain.map(address).collect(), trusted);
    let forwarded = client(forwarded(headers), trusted);
    // This header has no list: a proxy replaces it.
    let real = client(headers.all("x-real-ip").map(address).collect(), trusted);
    let mut found = Named::Nobody;
    for named in [listed, forwarded, real] {
        found = match (found, named) {
            (found, Named::Nobody) => found,
            (Named::Nobody, named) => named,
            (Named::Client(found), Named::Client(named)) if found == named => Named::Client(named),
            // A header that names only the next proxy adds nothing.
            (Named::Client(found), Named::Client(hop)) if is_trusted(hop, trusted) => {
                Named::Client(found)
            }
            (Named::Client(hop), named @ Named::Client(_)) if is_trusted(hop, trusted) => named,
            _ => Named::Unclear,
        };
    }
    found
}

/// The client among a header's hops, of which the client's comes first: the last hop that is not a
/// trusted proxy, because a trusted proxy has seen it. A client can forge everything before it.
fn client(hops: Vec<Option<IpAddr>>, trusted: &[Network]) -> Named {
    let mut found = Named::Nobody;
    for hop in hops.into_iter().rev() {
        let Some(hop) = hop else { return Named::Unclear };
        found = Named::Client(hop);
        if !is_trusted(hop, trusted) {
            break;
        }
    }
    found
}

/// The hops of `Forwarded` (RFC 7239 section 4): its elements' `for`.
fn forwarded(headers: &Headers) -> Vec<Option<IpAddr>> {
    let lines = headers.all("forwarded");
    let elements = lines.flat_map(|line| split(line, ',')).filter(|element| !element.is_empty());
    let hop = |element: &str| {
        let pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(name, _)| name.trim_ascii().eq_ignore_ascii_case("for"));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => address(value.trim_ascii()),
            _ => None,
        }
    };
    elements.map(hop).collect()
}

/// The parts between separators that stand in no quotes (RFC 9110 section 5.6.4), trimmed.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|char| {
        let ends = !quoted && char == separator;
        quoted ^= char == '"' && !escaped;
        escaped = quoted && char == '\\' && !escaped;
        ends
    });
    parts.map(str::trim_ascii).collect()
}

/// Reads an address in the forms that proxies write: `203.0.113.7`, `203.0.113.7:4711`,
/// `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`, `fe80::1%eth0`, each also in quotes.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    // RFC 7239 section 6: the port may be obfuscated by a token that begins with an underscore.
    let port = |port: &str| match port.strip_prefix('_') {
        Some(word) => !word.is_empty(),
        None => !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
    };
    let address = match bare.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            let good = rest.is_empty() || rest.strip_prefix(':').is_some_and(port);
            IpAddr::V6(without_zone(address).parse().ok().filter(|_| good)?)
        }
        None => match bare.split_once(':') {
            Some((address, rest)) if !rest.contains(':') => {
                IpAddr::V4(address.parse().ok().filter(|_| port(rest))?)
            }
            _ => without_zone(bare).parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

/// Cuts off the zone, the interface of a link-local address (RFC 4007 section 11).
fn without_zone(address: &str) -> &str {
    address.split('%').next().unwrap_or(address)
}

/// Whether a client can have that address, seen from another machine.
fn is_a_clients(address: IpAddr) -> bool {
    let nobodys = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    !nobodys && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// Whether a proxy forwarded the request.
fn is_forwarded(headers: &Headers) -> bool {
    let naming = ["x-forwarded-for", "forwarded", "x-real-ip"];
    naming.iter().chain(&TRACES).any(|name| headers.get(name).is_some())
}

/// A proxied request without a client address; the first one warns the operator.
fn unknown() -> Source {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        log!(
            Warn,
            "a proxy does not name its clients' addresses, or not in a trustworthy way; all \
             such requests count as named client's: let the proxy set X-Forwarded-For to the \
             client's address, and list the proxy with --trusted-proxy"
        );
    });
    Source::Unknown
}

#[cfg(test)]
mod tests {
    use super::Source::{Local, Unknown};
    use super::*;
    use crate::fuzz::fuzz;
    use crate::protocol::tests::request;

    fn at(address: &str) -> Source {
        Source::Address(address.parse().expect("an address"))
    }

    #[track_caller]
    fn check(peer: &str, lines: &str, trusted: &str, expected: Source) {
        let peer = peer.parse().expect("an address");
        let trusted: Vec<Network> =
            trusted.split(' ').filter_map(Network::parse).flatten().collect();
        let headers = request("GET /", &lines.replace(" | ", "\n"), "").headers;
        assert_eq!(of(Peer::Socket(peer), &headers, &trusted), expected, "{peer}, {lines:?}");
    }

    #[test]
    fn requests_without_a_proxy() {
        for (peer, expected) in [
            ("203.0.113.7", at("203.0.113.7")),
            ("127.0.0.1", Local),
            ("127.8.8.8", Local),
            ("::1", Local),
            ("::ffff:127.0.0.1", Local),
            ("::ffff:203.0.113.7", at("203.0.113.7")),
            ("192.168.1.5", at("192.168.1.5")),
            ("2001:db8:1:2:3:4:5:6", at("2001:db8:1:2::")),
        ] {
            check(peer, "", "loopback", expected);
        }
        // Whatever the headers contain.
        for lines in [
            "X-Forwarded-For: 127.0.0.1",
            "X-Real-IP: ::1",
            "Forwarded: for=127.0.0.1",
            "Via: 1.1 x",
        ] {
            for trusted in ["loopback", "10.0.0.9", ""] {
                check("192.168.1.5", lines, trusted, at("192.168.1.5"));
                check("fd00::1:2:3", lines, trusted, at("fd00::"));
            }
        }
    }

    #[test]
    fn clients_named_by_a_trusted_proxy() {
        let (seven, six) = (at("203.0.113.7"), at("2001:db8:1:2::"));
        for (lines, expected) in [
            ("X-Forwarded-For: 203.0.113.7", seven),
            ("X-Forwarded-For: 198.51.100.1, 203.0.113.7", seven),
            ("X-Forwarded-For: 198.51.100.1 | X-Forwarded-For: 203.0.113.7", seven),
            ("X-Forwarded-For: nonsense, 203.0.113.7", seven),
            ("X-Forwarded-For: 203.0.113.7:4711", seven),
            ("X-Forwarded-For: ::ffff:203.0.113.7", seven),
            ("X-Forwarded-For: [::ffff:203.0.113.7]:1", seven),
            ("X-Forwarded-For: \"203.0.113.7\"", seven),
            ("X-Forwarded-For: 203.0.113.7, ,", seven),
            // Through another proxy on this machine.
            ("X-Forwarded-For: 203.0.113.7, 127.0.0.1", seven),
            ("X-Forwarded-For: 203.0.113.7, ::1, 127.0.0.1", seven),
            ("X-Forwarded-For: 2001:db8:1:2::9", six),
            ("X-Forwarded-For: [2001:db8:1:2::9]", six),
            ("X-Forwarded-For: [2001:db8:1:2::9]:4711", six),
            ("X-Forwarded-For: fe80::1%eth0", at("fe80::")),
            ("X-Forwarded-For: 192.168.1.5", at("192.168.1.5")),
            ("X-Real-IP: 203.0.113.7", seven),
            ("X-Real-IP: [2001:db8:1:2::9]:1", six),
            ("Forwarded: for=203.0.113.7", seven),
            ("Forwarded: For=\"203.0.113.7:4711\";proto=https;by=10.0.0.1", seven),
            ("Forwarded: proto=http; for=\"[2001:db8:1:2::9]:4711\"", six),
            ("Forwarded: for=\"[2001:db8:1:2::9]:_port\"", six),
            ("Forwarded: for=198.51.100.1, for=203.0.113.7;host=\"a,b;for=1.1.1.1\"", seven),
            ("Forwarded: for=198.51.100.1;ext=\"\\\",for=1.1.1.1\", for=203.0.113.7", seven),
            ("Forwarded: for=unknown | Forwarded: for=203.0.113.7", seven),
            // Several headers that agree.
            ("X-Forwarded-For: 1.1.1.1, 203.0.113.7 | X-Real-IP: 203.0.113.7", seven),
            ("X-Real-IP: 203.0.113.7 | Forwarded: for=\"203.0.113.7:1\" | Via: 1.1 x", seven),
        ] {
            check("127.0.0.1", lines, "loopback", expected);
            check("::1", lines, "loopback", expected);
            let by = "10.0.0.0/8 loopback";
            check("10.0.0.2", lines, by, expected);
        }
        let lines = "X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.3, 10.0.0.2";
        check("10.0.0.1", lines, "10.0.0.0/8", seven);
        // One header has the whole path, another only the last proxy.
        check("10.0.0.1", &format!("{lines} | X-Real-IP: 10.0.0.2"), "10.0.0.0/8", seven);
        check("10.0.0.1", "Forwarded: for=10.0.0.2 | X-Real-IP: 203.0.113.7", "private", seven);
        // Only trusted proxies: the farthest.
        check("10.0.0.1", "X-Forwarded-For: 10.0.0.4, 10.0.0.3", "10.0.0.0/8", at("10.0.0.4"));
        // A trusted proxy's own request.
        check("10.0.0.1", "", "10.0.0.0/8", at("10.0.0.1"));
    }

    #[test]
    fn proxied_requests_without_a_named_client() {
        for lines in [
            "X-Forwarded-For: nonsense",
            "X-Forwarded-For: 203.0.113.7, nonsense",
            "X-Forwarded-For: unknown",
            "X-Forwarded-For: ",
            "X-Forwarded-For: 203.0.113.7:",
            "X-Forwarded-For: 203.0.113.7:http",
            "X-Forwarded-For: 203.0.113.7 198.51.100.1",
            "X-Forwarded-For: 203.0.113",
            "X-Forwarded-For: [203.0.113.7]",
            "X-Forwarded-For: [2001:db8::1",
            "X-Forwarded-For: [2001:db8::1]x",
            "X-Forwarded-For: unix:",
            "X-Real-IP: ",
            "Forwarded: for=_hidden",
            "Forwarded: for=unknown",
            "Forwarded: proto=https",
            "Forwarded: for=203.0.113.7;for=203.0.113.8",
            "Forwarded: for=203.0.113.7, proto=https",
            "Forwarded: for=\"203.0.113.7",
            "Forwarded: garbage",
            // This machine is never a named client, nor is an address that no client can have.
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-For: ::1",
            "X-Forwarded-For: 127.0.0.1:80",
            "X-Forwarded-For: [::ffff:127.0.0.1]:80",
            "X-Forwarded-For: 0.0.0.0",
            "X-Forwarded-For: ::",
            "X-Forwarded-For: 255.255.255.255",
            "X-Forwarded-For: 224.0.0.1",
            "X-Forwarded-For: localhost",
            "X-Real-IP: 127.0.0.1",
            "Forwarded: for=\"[::1]:80\"",
            // Two that differ: one of them is forged.
            "X-Forwarded-For: 203.0.113.7 | X-Real-IP: 203.0.113.8",
            "X-Forwarded-For: 203.0.113.7 | Forwarded: for=203.0.113.8",
            "X-Real-IP: 203.0.113.7 | X-Real-IP: 203.0.113.8 | X-Forwarded-For: 203.0.113.7",
            "X-Real-IP: 203.0.113.7 | Forwarded: for=_x",
            // A proxy that sends other headers, but no client.
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: chat.example",
            "X-Forwarded-Prefix: /chat",
            "Via: 1.1 proxy",
        ] {
            check("127.0.0.1", lines, "loopback", Unknown);
            check("10.0.0.2", lines, "10.0.0.0/8 loopback", Unknown);
            check("127.0.0.1", lines, "10.0.0.0/8", Unknown);
        }
        // An untrusted proxy on this machine is not believed, and does not count as this machine.
        check("127.0.0.1", "X-Forwarded-For: 203.0.113.7", "10.0.0.0/8", Unknown);
        check("::1", "X-Real-IP: 203.0.113.7", "", Unknown);
    }

    /// A client that a proxy has named before the first byte is a peer like others: what it says
    /// about itself counts if it is a trusted proxy, too.
    #[test]
    fn clients_named_before_the_first_byte() {
        let of = |peer: Peer, lines: &str, trusted: &str| {
            let trusted = Network::parse(trusted).expect("networks");
            of(peer, &request("GET /", lines, "").headers, &trusted)
        };
        let named = |address: &str| Peer::named(address.parse().expect("an address"));
        let lines = "X-Forwarded-For: 203.0.113.9";
        assert_eq!(of(named("203.0.113.7"), "", "loopback"), at("203.0.113.7"));
        assert_eq!(of(named("203.0.113.7"), lines, "loopback"), at("203.0.113.7"));
        assert_eq!(of(named("10.0.0.1"), lines, "10.0.0.0/8"), at("203.0.113.9"));
        for nobody in ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1", "224.0.0.1"] {
            assert_eq!(named(nobody), Peer::Unnamed);
            assert_eq!(of(named(nobody), lines, "loopback"), Unknown);
        }
    }

    /// A forwarded request never counts as this machine's own.
    #[test]
    fn headers_at_random() {
        const SEEDS: [&str; 7] = [
            "X-Forwarded-For: 203.0.113.7, 10.0.0.3",
            "X-Forwarded-For: [2001:db8:1:2::9]:4711",
            "X-Real-IP: ::ffff:203.0.113.7",
            "Forwarded: for=198.51.100.1;ext=\"\\\",for=1.1.1.1\", for=203.0.113.7",
            "Forwarded: for=\"[2001:db8:1:2::9]:_port\";proto=https",
            "X-Forwarded-For: 127.0.0.1",
            "Via: 1.1 proxy",
        ];
        const WORDS: [&str; 10] = ["127.0.0.1", "::1", ",", ";", "\"", "\\", "for=", "[", "]", "%"];
        let trusted: Vec<Network> = Network::parse("loopback").into_iter().flatten().collect();
        let peer = Peer::Socket("127.0.0.1".parse().expect("an address"));
        fuzz(5_000, |dice| {
            let line = dice.text(&SEEDS, &WORDS).replace(|c: char| c.is_control(), " ");
            let Some((name, _)) = line.split_once(':') else { return };
            if !["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"].contains(&name) {
                return;
            }
            let headers = request("GET /", &line, "").headers;
            assert_ne!(of(peer, &headers, &trusted), Local, "{line:?}");
        });
    }
}
