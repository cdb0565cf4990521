//! Spans of time as people write them: `90s`, `5m`, `2h`, `1d`, or milliseconds.

/// Units with their milliseconds, the largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("ms", 1), ("s", 1_000)];

/// Milliseconds of a span.
pub(super) fn parse(given: &str) -> Result<u64, String> {
    let digits = given.find(|it: char| !it.is_ascii_digit()).unwrap_or(given.len());
    let (number, unit) = given.split_at(digits);
    let millis = match unit {
        "" => Some(1),
        unit => UNITS.iter().find(|it| it.0 == unit).map(|it| it.1),
    };
    let span = number
        .parse::<u64>()
        .ok()
        .zip(millis)
        .and_then(|(number, millis)| number.checked_mul(millis));
    span.filter(|it| *it > 0)
        .ok_or_else(|| "use a number with ms, s, m, h or d, as 90s or 2h".to_owned())
}

/// A span in its largest unit.
pub(super) fn written(millis: u64) -> String {
    let unit = UNITS.iter().find(|it| it.0 != "ms" && millis > 0 && millis.is_multiple_of(it.1));
    match unit {
        Some((name, size)) => format!("{}{name}", millis / size),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_and_written_in_its_unit() {
        for (given, millis, shown) in [
            ("90s", 90_000, "90s"),
            ("120s", 120_000, "2m"),
            ("1500", 1_500, "1500ms"),
            ("1500ms", 1_500, "1500ms"),
            ("24h", 86_400_000, "1d"),
        ] {
            assert_eq!(parse(given), Ok(millis), "{given}");
            assert_eq!(written(millis), shown);
        }
        for given in ["", "0s", "s", "1y", "-1s", "1.5h", "99999999999999999999d"] {
            assert!(parse(given).is_err(), "{given}");
        }
    }
}
