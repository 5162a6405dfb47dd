//! Certificates that are made for a test.

use shanty::time::Time;

/// The year, the month and the day so many days from now.
pub fn date(days: i64) -> (i32, u8, u8) {
    let text = Time(Time::now().0 + days * 24 * 3_600 * 1_000_000).to_string();
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<u16>().ok());
    let part = |range| number(range).expect("a number");
    let small = |range| u8::try_from(part(range)).expect("a small number");
    (part(0..4).into(), small(5..7), small(8..10))
}
