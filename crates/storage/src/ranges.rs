//! Byte ranges of the `Range` header (RFC 9110 section 14).

/// What to answer to a request for a file of a known length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAnswer {
    /// The whole file, with 200.
    Full,
    /// One part, with 206; `start <= end_inclusive < len`.
    Part {
        /// The first byte's offset.
        start: u64,
        /// The last byte's offset.
        end_inclusive: u64,
    },
    /// Nothing of the range is there: 416. Clients that tail a file take it as "nothing new".
    Unsatisfiable,
}

impl RangeAnswer {
    /// The `Content-Range` header that belongs to the answer; none with the whole file.
    #[must_use]
    pub fn content_range(self, len: u64) -> Option<String> {
        match self {
            Self::Full => None,
            Self::Part { start, end_inclusive } => Some(format!("bytes {start}-{end_inclusive}/{len}")),
            Self::Unsatisfiable => Some(format!("bytes */{len}")),
        }
    }
}

/// Reads a `Range` header for a file of `len` bytes.
///
/// One range of bytes is understood: `bytes=N-`, `bytes=N-M` and `bytes=-N`. Anything else, several ranges
/// among it, is ignored as the RFC allows, and gets the whole file. A range beyond the end is unsatisfiable,
/// as is every range of an empty file.
#[must_use]
pub fn parse(header: Option<&str>, len: u64) -> RangeAnswer {
    header
        .and_then(single_range)
        .map_or(RangeAnswer::Full, |range| range.of(len))
}

/// A syntactically valid range.
enum Range {
    From { first: u64, last: Option<u64> },
    Suffix(u64),
}

impl Range {
    fn of(&self, len: u64) -> RangeAnswer {
        let (start, last) = match *self {
            Self::From { first, last } => (first, last.unwrap_or(u64::MAX)),
            Self::Suffix(0) => return RangeAnswer::Unsatisfiable,
            Self::Suffix(count) => (len.saturating_sub(count), u64::MAX),
        };
        if start >= len {
            return RangeAnswer::Unsatisfiable;
        }
        RangeAnswer::Part {
            start,
            end_inclusive: last.min(len - 1),
        }
    }
}

fn single_range(header: &str) -> Option<Range> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match set.trim_matches([' ', '\t']).split_once('-')? {
        ("", count) => Some(Range::Suffix(number(count)?)),
        (first, "") => Some(Range::From {
            first: number(first)?,
            last: None,
        }),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Range::From {
                first,
                last: Some(last),
            })
        }
    }
}

/// Digits only (`parse` alone would take `+5`); numbers beyond 64 bits are as good as the largest.
fn number(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RangeAnswer::{Full, Part, Unsatisfiable};
    use super::*;

    fn part(start: u64, end_inclusive: u64) -> RangeAnswer {
        Part { start, end_inclusive }
    }

    #[test]
    fn the_table() {
        for (header, len, want) in [
            ("bytes=0-", 10, part(0, 9)),
            ("bytes=4-", 10, part(4, 9)),
            ("bytes=9-", 10, part(9, 9)),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=11-", 10, Unsatisfiable),
            ("bytes=2-5", 10, part(2, 5)),
            ("bytes=2-2", 10, part(2, 2)),
            ("bytes=2-500", 10, part(2, 9)),
            ("bytes=5-2", 10, Full),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-30", 10, part(0, 9)),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=0-0", 0, Unsatisfiable),
            ("bytes=-5", 0, Unsatisfiable),
            ("BYTES= 1-2 ", 10, part(1, 2)),
            ("bytes=99999999999999999999-", 10, Unsatisfiable),
            ("bytes=1-99999999999999999999", 10, part(1, 9)),
            ("bytes=18446744073709551615-", u64::MAX, Unsatisfiable),
            ("bytes=0-1,3-4", 10, Full),
            ("bytes=0-1,", 10, Full),
            ("bytes=", 10, Full),
            ("bytes=-", 10, Full),
            ("bytes=+1-", 10, Full),
            ("bytes=1", 10, Full),
            ("bytes=a-b", 10, Full),
            ("bytes=1--2", 10, Full),
            ("bytes=1 - 2", 10, Full),
            ("lines=1-2", 10, Full),
            ("1-2", 10, Full),
            ("", 10, Full),
            ("bytes=٣-", 10, Full),
        ] {
            assert_eq!(parse(Some(header), len), want, "{header:?} of {len}");
        }
        assert_eq!(parse(None, 10), Full);
        assert_eq!(parse(None, 0), Full);
    }

    #[test]
    fn content_range() {
        assert_eq!(Full.content_range(3), None);
        assert_eq!(part(1, 2).content_range(3).unwrap(), "bytes 1-2/3");
        assert_eq!(Unsatisfiable.content_range(0).unwrap(), "bytes */0");
    }

    proptest! {
        #[test]
        fn parts_lie_within_the_file(header in "(bytes=)?[-0-9, ]{0,24}", len in any::<u64>()) {
            if let Part { start, end_inclusive } = parse(Some(&header), len) {
                prop_assert!(start <= end_inclusive && end_inclusive < len);
            }
        }
    }
}
