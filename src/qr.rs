//! Links as QR codes: pictures that a phone reads from a screen or from paper.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around the code (ISO 18004 asks for four; on a screen two are enough).
const MARGIN: i32 = 2;

/// The rows of a code, from the top, each with a `1` for a dark module and a `0` for a light one,
/// without the light margin. `None`: the text is too long for any.
pub fn rows(text: &str) -> Option<Vec<String>> {
    let code = encode(text)?;
    let row = |y| (0..code.size()).map(|x| if code.get_module(x, y) { '1' } else { '0' }).collect();
    Some((0..code.size()).map(row).collect())
}

/// The same for a terminal, two rows in a line: light modules are drawn, so that it is right on a
/// dark ground, and most readers also take the reverse.
pub fn half_blocks(text: &str) -> Option<String> {
    let code = encode(text)?;
    let light = |x, y| !code.get_module(x, y);
    let (from, to) = (-MARGIN, code.size() + MARGIN);
    let mut lines = String::new();
    for y in (from..to).step_by(2) {
        for x in from..to {
            // Below an odd number of rows there is nothing.
            let block = match (light(x, y), y + 1 < to && light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            };
            lines.push(block);
        }
        let _ = writeln!(lines); // A string takes everything.
    }
    Some(lines)
}

/// Readable with a seventh of it spoilt.
fn encode(text: &str) -> Option<QrCode> {
    QrCode::encode_text(text, QrCodeEcc::Medium).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://chat.example.org/#/invite/abcdefghijklmnopqrstuvwxyz012345";

    /// The three corners by which readers find a code.
    #[test]
    fn a_code_has_its_corners() {
        let rows = rows(LINK).expect("it fits");
        let size = rows.len();
        assert!(rows.iter().all(|row| row.len() == size), "a square");
        assert_eq!(size % 4, 1, "of a version's size");
        assert!(rows[0].starts_with("11111110") && rows[0].ends_with("01111111"));
        assert!(rows[size - 1].starts_with("11111110"));
        assert!(rows[1].starts_with("10000010") && rows[2].starts_with("10111010"));
    }

    #[test]
    fn two_rows_of_it_are_a_line_in_a_terminal() {
        let (rows, lines) = (rows(LINK).expect("a code"), half_blocks(LINK).expect("a code"));
        let lines: Vec<Vec<char>> = lines.lines().map(|line| line.chars().collect()).collect();
        let size = rows.len();
        assert_eq!((lines.len(), lines[0].len()), ((size + 4).div_ceil(2), size + 4));
        assert!(lines[0].iter().all(|block| *block == '█'), "the margin");
        for (y, row) in rows.iter().enumerate() {
            for (x, module) in row.chars().enumerate() {
                let block = lines[y / 2 + 1][x + 2];
                let light = if y % 2 == 0 { "█▀" } else { "█▄" }.contains(block);
                assert_eq!(light, module == '0', "{x} {y}");
            }
        }
    }

    #[test]
    fn a_text_may_be_too_long() {
        assert_eq!(rows(&"x".repeat(3_000)), None);
    }
}
