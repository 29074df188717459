//! Keys as text: one a line, the first seals.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KEY_LENGTH;

/// First word of a line that Trainyard wrote.
const FORMAT: &str = "trainyard-seal-key-1";
/// A text of more keys is a mistake.
const MOST_KEYS: usize = 8;

/// Bytes of one key.
pub type KeyBytes = [u8; KEY_LENGTH];

/// Why a text gives no keys. It never repeats any of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// No line at all.
    #[error("holds no key: write one of 32 random bytes there, as `openssl rand -base64 32` prints it")]
    Empty,
    /// A line in another form.
    #[error("has a line {line} that is neither base64 nor hexadecimal: a key is 32 bytes in one of them")]
    Form {
        /// Counted from 1.
        line: usize,
    },
    /// Too short or too long.
    #[error("has a key of {bytes} bytes in line {line}: a key has 32")]
    Length {
        /// Counted from 1.
        line: usize,
        /// So many.
        bytes: usize,
    },
    /// Too many lines.
    #[error("holds more than {MOST_KEYS} keys: leave those in use")]
    TooMany,
}

/// The keys of a text, in their order; one that stands twice counts once.
pub fn parse(text: &str) -> Result<Vec<KeyBytes>, TextError> {
    let mut keys = Vec::new();
    let lines = (1..).zip(text.lines().map(str::trim));
    for (line, text) in lines.filter(|(_, text)| !text.is_empty()) {
        let key = parse_line(line, text)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    match keys.len() {
        0 => Err(TextError::Empty),
        1..=MOST_KEYS => Ok(keys),
        _ => Err(TextError::TooMany),
    }
}

fn parse_line(line: usize, text: &str) -> Result<KeyBytes, TextError> {
    let text = text.strip_prefix(FORMAT).map_or(text, str::trim_start);
    let bytes = from_hex(text).or_else(|| STANDARD.decode(text).ok());
    let bytes = bytes.ok_or(TextError::Form { line })?;
    let length = bytes.len();
    bytes
        .try_into()
        .map_err(|_| TextError::Length { line, bytes: length })
}

/// Only what has the length of a key in hexadecimal: shorter texts may be base64 too.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * KEY_LENGTH {
        return None;
    }
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits?;
    pairs
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok())
        .collect()
}

/// The text of keys, as [`parse`] reads it.
pub fn write(keys: &[KeyBytes]) -> String {
    keys.iter()
        .map(|key| format!("{FORMAT} {}\n", STANDARD.encode(key)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_key_is_read() {
        let (one, two) = ([7; KEY_LENGTH], [0xab; KEY_LENGTH]);
        let text = write(&[one, two]);
        assert_eq!(parse(&text), Ok(vec![one, two]));
        let mixed = format!(
            "\n {}\r\n\n{}\n{}",
            "aB".repeat(32),
            STANDARD.encode(one),
            write(&[two])
        );
        assert_eq!(parse(&mixed), Ok(vec![two, one]), "in order, each once");
    }

    #[test]
    fn what_is_no_key_is_said_without_repeating_it() {
        let short = STANDARD.encode([7; 31]);
        for (text, error) in [
            ("", TextError::Empty),
            ("\n \n", TextError::Empty),
            ("hunter2hunter2!", TextError::Form { line: 1 }),
            (short.as_str(), TextError::Length { line: 1, bytes: 31 }),
            (
                "\ntrainyard-seal-key-1 AAAA",
                TextError::Length { line: 2, bytes: 3 },
            ),
            ("trainyard-seal-key-9 AAAA", TextError::Form { line: 1 }),
            (&"ab".repeat(31), TextError::Form { line: 1 }),
            (&"ab".repeat(30), TextError::Length { line: 1, bytes: 45 }),
        ] {
            let found = parse(text).expect_err("no key");
            assert_eq!(found, error, "{text}");
            assert!(!found.to_string().contains("hunter2"));
        }
        let many: Vec<KeyBytes> = (0..9).map(|byte| [byte; KEY_LENGTH]).collect();
        assert_eq!(parse(&write(&many)), Err(TextError::TooMany));
    }
}
