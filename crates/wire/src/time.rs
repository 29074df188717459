//! Timestamps and durations as they are on the wire (api.md section 1).

use jiff::fmt::temporal::SpanParser;
use jiff::{SpanRelativeTo, Timestamp, Unit};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// RFC 3339 in UTC with `Z` and up to 3 fraction digits, zeros at the end cut.
pub fn timestamp(time: Timestamp) -> String {
    Timestamp::from_millisecond(time.as_millisecond())
        .unwrap_or(time)
        .to_string()
}

/// ISO 8601, such as `P7D` or `PT1H30M`; nothing is `PT0S`.
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let part = |n: i64, unit: char| {
        if n == 0 {
            String::new()
        } else {
            format!("{n}{unit}")
        }
    };
    let days = part(seconds / DAY, 'D');
    let clock = [
        part(seconds % DAY / HOUR, 'H'),
        part(seconds % HOUR / MINUTE, 'M'),
        part(seconds % MINUTE, 'S'),
    ]
    .concat();
    match (days.is_empty(), clock.is_empty()) {
        (true, true) => "PT0S".to_owned(),
        (false, true) => format!("P{days}"),
        (_, false) => format!("P{days}T{clock}"),
    }
}

/// Seconds of a duration: ISO 8601 without years and months, or `[d.]hh:mm:ss[.fff]`. A part of a second
/// counts as a whole one. `None` for anything else.
pub fn parse_duration(text: &str) -> Option<i64> {
    if text.contains(':') {
        clock(text)
    } else {
        iso(text)
    }
}

fn iso(text: &str) -> Option<i64> {
    let span = SpanParser::new().parse_span(text).ok()?;
    let days = SpanRelativeTo::days_are_24_hours();
    let seconds = span.total((Unit::Second, days)).ok()?;
    // A span is at most some 10^12 seconds, far inside what a float and an i64 hold exactly.
    Some(seconds.ceil() as i64)
}

fn clock(text: &str) -> Option<i64> {
    let (front, rest) = text.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let (days, hours) = front.split_once('.').unwrap_or(("0", front));
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let more = number(fraction)? > 0;
    let total = number(days)? * DAY
        + below(number(hours)?, 24)? * HOUR
        + below(number(minutes)?, 60)? * MINUTE
        + below(number(whole)?, 60)?;
    Some(total + i64::from(more))
}

/// A number of at most 9 digits.
fn number(text: &str) -> Option<i64> {
    let digits = (1..=9).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn below(number: i64, bound: i64) -> Option<i64> {
    (number < bound).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_both_forms_and_written_in_one() {
        for (text, seconds, written) in [
            ("P7D", 7 * DAY, "P7D"),
            ("7.00:00:00", 7 * DAY, "P7D"),
            ("P1W", 7 * DAY, "P7D"),
            ("PT168H", 7 * DAY, "P7D"),
            ("PT1H30M", 5400, "PT1H30M"),
            ("01:30:00", 5400, "PT1H30M"),
            ("PT90S", 90, "PT1M30S"),
            ("1.00:00:01", DAY + 1, "P1DT1S"),
            ("PT0.5S", 1, "PT1S"),
            ("00:00:00.5", 1, "PT1S"),
            ("PT0S", 0, "PT0S"),
        ] {
            assert_eq!(parse_duration(text), Some(seconds), "{text}");
            assert_eq!(duration(seconds), written, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_durations() {
        for text in [
            "",
            "7",
            "P",
            "P1Y",
            "P1M",
            "7 days",
            "1h",
            "24:00:00",
            "00:60:00",
            "1:2",
            "-1:00:00",
            "99999999999.00:00:00",
            "PT99999999999999999999S",
            "ä:ö:ü",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert!(parse_duration("-P7D").is_some_and(|seconds| seconds < 0));
    }

    #[test]
    fn timestamps_end_in_z_with_zeros_cut() {
        for (given, written) in [
            ("2018-06-06T20:44:38.850Z", "2018-06-06T20:44:38.85Z"),
            ("2018-06-06T20:44:20Z", "2018-06-06T20:44:20Z"),
            ("2018-06-06T20:44:20.1239999Z", "2018-06-06T20:44:20.123Z"),
        ] {
            let time: Timestamp = given.parse().unwrap();
            assert_eq!(timestamp(time), written);
        }
    }
}
