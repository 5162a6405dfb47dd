//! The values of settings, read from text; `None` for a text that is none.

use std::net::SocketAddr;

/// An origin as browsers write it (RFC 6454 section 6.2): lower case, without the default port.
pub(super) fn origin(value: &str) -> Option<String> {
    let value = value.to_lowercase();
    let (scheme, place) = value.split_once("://")?;
    let place = place.strip_suffix('/').unwrap_or(place);
    let place = match scheme {
        "http" => place.strip_suffix(":80").unwrap_or(place),
        "https" => place.strip_suffix(":443").unwrap_or(place),
        _ => return None,
    };
    let harmful = |char: char| !char.is_ascii_graphic() || "/?#@*,;\"\\".contains(char);
    (!place.is_empty() && !place.contains(harmful)).then(|| format!("{scheme}://{place}"))
}

/// A host name in lower case, for which an authority can issue a certificate.
pub(super) fn domain(value: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let good = |label: &str| !label.is_empty() && label.bytes().all(plain);
    let name = value.contains('.') && value.split('.').all(good) && value.len() < 254;
    let number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (name && !number).then(|| value.to_ascii_lowercase())
}

/// An e-mail address, as far as that matters here.
pub(super) fn mailbox(value: &str) -> Option<String> {
    let (name, host) = value.strip_prefix("mailto:").unwrap_or(value).split_once('@')?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>,;:?&".contains(&byte);
    let good = !name.is_empty() && name.bytes().all(plain) && domain(host).is_some();
    good.then(|| format!("{name}@{host}"))
}

/// The name of a header for one purpose, in lower case; `None` for one that has a meaning already.
pub(super) fn header(value: &str) -> Option<String> {
    let name = value.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let known = ["authorization", "connection", "cookie", "expect", "host", "origin", "upgrade"];
    let families = ["accept", "content-", "forwarded", "if-", "sec-", "transfer-"];
    let addresses = ["x-forwarded-for", "x-real-ip"];
    let taken = known.contains(&&*name)
        || addresses.contains(&&*name)
        || families.iter().any(|family| name.starts_with(family));
    (!name.is_empty() && name.bytes().all(plain) && !taken).then_some(name)
}

/// A path without a slash at its end; empty for `/`. `None` for one that browsers and proxies could
/// write in another way, too.
pub(super) fn base_path(value: &str) -> Option<String> {
    let path = value.strip_suffix('/').unwrap_or(value);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let good = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
    let parts = path.strip_prefix('/');
    (value == "/" || parts.is_some_and(|parts| parts.split('/').all(good))).then(|| path.to_owned())
}

/// A valid `Host` header in lower case; `None` for a URL or a pattern.
pub(super) fn host(value: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let named = !value.is_empty() && !value.starts_with(':') && value.bytes().all(legal);
    named.then(|| value.to_ascii_lowercase())
}

/// An address with a port; a port alone means every IPv4 address.
pub(super) fn address(value: &str) -> Option<SocketAddr> {
    let everywhere = |port: u16| SocketAddr::from(([0, 0, 0, 0], port));
    value.parse().ok().or_else(|| value.trim_start_matches(':').parse().ok().map(everywhere))
}

/// A size in bytes, from a number in bytes, KiB, MiB, GiB or TiB.
pub(super) fn size(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(|unit: char| !unit.is_ascii_digit());
    let shift = match value[digits.len()..].to_ascii_uppercase().trim_end_matches("IB") {
        "" | "B" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A time in seconds, from a number in seconds, minutes, hours or days.
pub(super) fn seconds(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(|unit: char| !unit.is_ascii_digit());
    let unit = match &value[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 24 * 3_600,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
