//! `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

/// The longest wait that we take from a server; a wish for more is cut to this.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a server asks us to wait. None if it does not say, or not in a way that can be read.
pub(crate) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = if value.bytes().all(|it| it.is_ascii_digit()) && !value.is_empty() {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        // A date in the past means now.
        (date(value)? - now).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

/// The three forms of an HTTP date.
fn date(value: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc2822(value) {
        return Some(date.to_utc());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(value, form).ok())
        .map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_all_three_forms_of_a_date_are_read() {
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("Sun, 06 Nov 1994 08:49:47 GMT", Some(10));
        check("Sunday, 06-Nov-94 08:49:47 GMT", Some(10));
        check("Sun Nov  6 08:49:47 1994", Some(10));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check("99999999999999999999999", Some(86_400));
        check("-1", None);
        check("soon", None);
        check("", None);
    }

    #[track_caller]
    fn check(value: &str, seconds: Option<u64>) {
        let now = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
    }
}
