//! The time for which a certificate is good: the one field of X.509 (RFC 5280 section 4.1) that
//! `rustls` does not tell.
//!
//! It reads DER no further than to that field. The files are the operator's own, or of the
//! authority that has issued them.

use crate::time::Time;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which the first version leaves out.
const VERSION: u8 = 0xa0;

/// The first and the last moment at which a certificate is good; `None`: it is no certificate.
pub(super) fn of(certificate: &[u8]) -> Option<(Time, Time)> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    // The serial number, the algorithm of the signature, the issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = element(fields, tag)?.1;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (to, _) = time(rest)?;
    Some((from, to))
}

/// The content of the first element, if it has that tag, and what follows it (X.690 section 8.1).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = bytes.iter().try_fold(0_usize, |sum, byte| {
                sum.checked_mul(256)?.checked_add(usize::from(*byte))
            });
            (length?, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (*first == tag).then_some((content, rest))
}

/// A moment, with two digits of its year or four (RFC 5280 section 4.1.2.5).
fn time(der: &[u8]) -> Option<(Time, &[u8])> {
    let (text, rest, century) = match element(der, UTC_TIME) {
        Some((text, rest)) => {
            let year: u8 = str::from_utf8(text.get(..2)?).ok()?.parse().ok()?;
            (text, rest, if year < 50 { "20" } else { "19" })
        }
        None => {
            let (text, rest) = element(der, GENERALIZED_TIME)?;
            (text, rest, "")
        }
    };
    let text = format!("{century}{}", str::from_utf8(text).ok()?);
    let digits = text
        .strip_suffix('Z')
        .filter(|digits| digits.len() == 14 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (date, clock) = digits.split_at(8);
    let date = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
    let clock = format!("{}:{}:{}", &clock[..2], &clock[2..4], &clock[4..]);
    Some((Time::parse(&format!("{date}T{clock}Z"))?, rest))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::fuzz::fuzz;

    fn certificate() -> CertificateDer<'static> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/first.pem");
        CertificateDer::from_pem_file(file).expect("a certificate")
    }

    #[test]
    fn a_certificate_tells_its_time() {
        let at = |text: &str| Time::parse(text).expect("a time");
        let expected = (at("2026-11-27T01:03:37Z"), at("2126-11-03T01:03:37Z"));
        assert_eq!(of(&certificate()), Some(expected));
        assert_eq!(of(b""), None);
        assert_eq!(of(b"-----BEGIN CERTIFICATE-----"), None);
    }

    #[test]
    fn years_have_two_digits_or_four() {
        let read = |tag: u8, text: &str| {
            let length = u8::try_from(text.len()).expect("short");
            let der = [&[tag, length], text.as_bytes()].concat();
            time(&der).map(|(time, _)| time.to_string()[..10].to_owned())
        };
        for (tag, text, date) in [
            (UTC_TIME, "491231235959Z", Some("2049-12-31")),
            (UTC_TIME, "700101000000Z", Some("1970-01-01")),
            (UTC_TIME, "990101000000Z", Some("1999-01-01")),
            (GENERALIZED_TIME, "20500101000000Z", Some("2050-01-01")),
            (UTC_TIME, "4912312359Z", None),
            (GENERALIZED_TIME, "20501301000000Z", None),
            (GENERALIZED_TIME, "205001010000+0100", None),
            (SEQUENCE, "491231235959Z", None),
        ] {
            assert_eq!(read(tag, text).as_deref(), date, "{text}");
        }
    }

    /// Whatever a file contains, it is a certificate or none.
    #[test]
    fn certificates_at_random() {
        let whole = certificate();
        fuzz(5_000, |dice| {
            let mut der = whole.to_vec();
            for _ in 0..=dice.roll(4) {
                let at = dice.roll(der.len());
                match dice.roll(3) {
                    0 => der[at] = dice.roll(256) as u8,
                    1 => der.truncate(at.max(1)),
                    _ => drop(der.remove(at)),
                }
                if der.is_empty() {
                    break;
                }
            }
            let _ = of(&der);
        });
    }
}
