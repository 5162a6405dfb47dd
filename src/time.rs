//! The time type. Functions get the time as an argument; only the edges of the process read the
//! clock.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in microseconds since 1970-01-01T00:00:00Z: what the log keeps and the wire shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub i64);

/// The last second of the year 9999.
const LAST_MICROS: i64 = 253_402_300_799_000_000;

/// From the first day of 1970 on.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Time {
    /// The system's clock. Called by the edges (hub, protocols), never by the core.
    pub fn now() -> Time {
        Time::from(SystemTime::now())
    }

    /// The reverse of its text form (RFC 3339, UTC). `None` for another text.
    pub fn parse(text: &str) -> Option<Time> {
        humantime::parse_rfc3339(text).ok().map(Time::from)
    }

    /// The moment `secs` seconds later; the end of time where that overflows.
    pub fn plus_secs(self, secs: u64) -> Time {
        Time(self.0.saturating_add_unsigned(secs.saturating_mul(1_000_000)))
    }

    /// Whole seconds since 1970, as JSON web tokens count them (RFC 7519, NumericDate).
    pub fn unix_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The format of HTTP headers (RFC 9110 section 5.6.7), in whole seconds: `Sat, 31 Jan 2026
    /// 12:03:00 GMT`.
    pub fn http_date(self) -> String {
        // The formatter of RFC 3339 knows the calendar, but not the day of the week.
        let date = humantime::format_rfc3339_seconds(self.to_system()).to_string();
        let (year, month, day, clock) = (&date[..4], &date[5..7], &date[8..10], &date[11..19]);
        let month = MONTHS[month.parse::<usize>().map_or(0, |month| month - 1)];
        let days = Time::from(self.to_system()).unix_secs() / (24 * 3600);
        let weekday = WEEKDAYS[(days % 7).unsigned_abs() as usize];
        format!("{weekday}, {day} {month} {year} {clock} GMT")
    }

    /// For libraries that take the system's type, and format the years 1970 to 9999 at most:
    /// earlier and later moments become the first and the last of these.
    fn to_system(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.0.clamp(0, LAST_MICROS).unsigned_abs())
    }
}

/// Both clocks at one moment. People and the network set the system's clock, which may leap either
/// way; the running clock only counts the time since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// For the log and the wire. May be earlier than a moment ago.
    pub wall: Time,
    /// For lifetimes, deadlines and limits: never goes back. It starts at the system's clock, so
    /// that stored times can be compared with it.
    pub running: Time,
}

impl From<Time> for Moment {
    /// Both clocks agree.
    fn from(time: Time) -> Moment {
        Moment { wall: time, running: time }
    }
}

impl From<SystemTime> for Time {
    /// A clock before 1970 reads as 1970.
    fn from(at: SystemTime) -> Time {
        let micros = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Time(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// RFC 3339, UTC, with microseconds: `2026-01-31T12:03:00.123456Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_micros(self.to_system()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_rfc3339_with_microseconds() {
        assert_eq!(Time(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Time(1_769_860_980_123_456).to_string(), "2026-01-31T12:03:00.123456Z");
        assert_eq!(Time::parse("2026-01-31T12:03:00.123456Z"), Some(Time(1_769_860_980_123_456)));
        assert_eq!(Time::parse("2026-01-32T12:03:00Z"), None);
        assert_eq!(Time(-5).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Time(i64::MAX).to_string(), "9999-12-31T23:59:59.000000Z");
    }

    #[test]
    fn shows_dates_as_http_has_them() {
        assert_eq!(Time(1_769_860_980_123_456).http_date(), "Sat, 31 Jan 2026 12:03:00 GMT");
        for early in [i64::MIN, -1, 0, 999_999] {
            assert_eq!(Time(early).http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
        }
        for late in [LAST_MICROS, LAST_MICROS + 1_000_000, i64::MAX] {
            assert_eq!(Time(late).http_date(), "Fri, 31 Dec 9999 23:59:59 GMT");
            assert_eq!(Time(late).to_string(), "9999-12-31T23:59:59.000000Z");
        }
    }

    /// Compared with a calendar that counts day by day.
    #[test]
    fn each_day_has_its_date() {
        let (mut day, mut month, mut year, mut weekday) = (1, 0, 1970, 0);
        for days in 0..(2_401 - 1970) * 366 {
            let noon = Time((days * 24 + 12) * 3_600_000_000);
            let (name, month_name) = (WEEKDAYS[weekday], MONTHS[month]);
            let expected = format!("{name}, {day:02} {month_name} {year} 12:00:00 GMT");
            assert_eq!(noon.http_date(), expected);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            weekday = (weekday + 1) % 7;
            day += 1;
            if day > length[month] {
                (day, month) = (1, month + 1);
            }
            if month == 12 {
                (month, year) = (0, year + 1);
            }
        }
    }

    /// Whatever the system's clock says.
    #[test]
    fn any_clock_can_be_read() {
        let ages = Duration::from_secs(400 * 366 * 24 * 3600);
        assert_eq!(Time::from(UNIX_EPOCH - ages), Time(0));
        assert_eq!(Time::from(UNIX_EPOCH - Duration::from_nanos(1)), Time(0));
        assert_eq!(Time::from(UNIX_EPOCH + Duration::from_micros(7)), Time(7));
        let end = UNIX_EPOCH + Duration::from_secs(u64::MAX >> 1);
        assert_eq!(Time::from(end), Time(i64::MAX));
    }

    #[test]
    fn arithmetic_never_wraps() {
        assert_eq!(Time(1).plus_secs(2), Time(2_000_001));
        assert_eq!(Time(1).plus_secs(u64::MAX), Time(i64::MAX));
        assert_eq!(Time(i64::MIN).plus_secs(u64::MAX), Time(i64::MAX));
        assert_eq!(Time(-1).unix_secs(), -1);
        assert_eq!(Time(i64::MIN).unix_secs(), i64::MIN / 1_000_000 - 1);
    }
}
