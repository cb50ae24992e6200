//! `from` as callers write it: `start`, `end`, a time or a cursor.

use changtong_catalog::clock::{Time, to_micros};
use changtong_connectors::gate::From;
use chrono::DateTime;

/// What is neither a word nor a time is taken for a cursor; the gate says whether it is one.
#[must_use]
pub fn from(text: &str) -> From {
    match text {
        "start" => From::Start,
        "end" => From::End,
        _ => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => From::Time(to_micros(time.with_timezone(&chrono::Utc) as Time)),
            Err(_) => From::Cursor(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_times_and_cursors_are_told_apart() {
        assert_eq!(from("start"), From::Start);
        assert_eq!(from("end"), From::End);
        let time = "2027-01-01T08:00:00+08:00";
        assert_eq!(from(time), From::Time("2027-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(from("c0ffee"), From::Cursor("c0ffee".into()));
    }
}
