//! Cursors: where the next page of a list begins.
//!
//! A cursor is the last row's time, as 19 digits of nanoseconds, and its id in hexadecimal. Whatever has this form names a
//! place in the list, so that the form alone says whether a cursor can be read; to clients it is opaque all the same.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use store::Position;
use uuid::Uuid;
use web::{FieldError, Problem};

/// The form of a cursor of a list whose rows have UUIDs.
pub(crate) const UUID_FORM: &str = "^[0-8][0-9]{18}[0-9a-f]{32}$";
/// The form of a cursor of a list whose rows have texts as ids.
pub(crate) const TEXT_FORM: &str = "^[0-8][0-9]{18}([0-9a-f]{2}){1,200}$";

/// Digits of the time.
const TIME_DIGITS: usize = 19;
/// Bytes of an id that is a text.
const ID_BYTES: usize = 200;

/// What the ids of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    Uuids,
    Texts,
}

/// The cursor of the page after the row at `position`.
pub(crate) fn encode(position: &Position) -> String {
    // Times of rows lie between 1970 and 2255, where nanoseconds fit.
    let at = position.at.timestamp_nanos_opt().unwrap_or_default().max(0);
    let id = match Uuid::parse_str(&position.id) {
        Ok(uuid) => HEXLOWER.encode(uuid.as_bytes()),
        Err(_text) => HEXLOWER.encode(position.id.as_bytes()),
    };
    format!("{at:0TIME_DIGITS$}{id}")
}

/// Where a page begins.
///
/// # Errors
/// 400 that names `cursor`.
pub(crate) fn decode(cursor: &str, ids: Ids) -> Result<Position, Problem> {
    read(cursor, ids).ok_or_else(|| {
        let detail = "this cursor is not one that an earlier page gave: use its nextCursor as it is, or none";
        Problem::bad_request("invalid_cursor", detail).with_error(FieldError::new("cursor", "not a cursor of this list"))
    })
}

fn read(cursor: &str, ids: Ids) -> Option<Position> {
    let (time, id) = cursor.split_at_checked(TIME_DIGITS)?;
    if !time.bytes().all(|byte| byte.is_ascii_digit()) || time.starts_with('9') {
        return None;
    }
    let at: DateTime<Utc> = DateTime::from_timestamp_nanos(time.parse().ok()?);
    let bytes = HEXLOWER.decode(id.as_bytes()).ok()?;
    let id = match ids {
        Ids::Uuids => Uuid::from_slice(&bytes).ok()?.to_string(),
        Ids::Texts if (1..=ID_BYTES).contains(&bytes.len()) => {
            String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
        }
        Ids::Texts => return None,
    };
    Some(Position { at, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(id: &str) -> Position {
        Position {
            at: DateTime::from_timestamp_micros(1_763_800_000_123_456).unwrap(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let by_uuid = position("0197f1de-0000-7000-8000-000000000001");
        assert_eq!(decode(&encode(&by_uuid), Ids::Uuids).unwrap(), by_uuid);
        let by_text = position("delivery-ü");
        assert_eq!(decode(&encode(&by_text), Ids::Texts).unwrap(), by_text);
    }

    #[test]
    fn what_has_another_form_is_refused() {
        let whole = encode(&position("0197f1de-0000-7000-8000-000000000001"));
        for (cursor, ids) in [
            ("", Ids::Uuids),
            ("x", Ids::Texts),
            (&whole[1..], Ids::Uuids),
            (&whole[..whole.len() - 1], Ids::Uuids),
            (&format!("{whole}0"), Ids::Uuids),
            (&whole.replacen('1', "A", 1), Ids::Uuids),
            (&whole.to_uppercase(), Ids::Uuids),
            (&format!("9{}", &whole[1..]), Ids::Uuids),
            (&format!("+{}", &whole[1..]), Ids::Uuids),
            (&whole[..TIME_DIGITS], Ids::Texts),
            (&format!("{}{}", &whole[..TIME_DIGITS], "00".repeat(201)), Ids::Texts),
            (&"ü".repeat(40), Ids::Texts),
        ] {
            let refused = decode(cursor, ids).unwrap_err();
            assert_eq!(refused.body().errors[0].field, "cursor", "{cursor}");
        }
    }

    #[test]
    fn whatever_has_the_form_is_a_place() {
        for cursor in [
            format!("{:019}{}", 0, "0".repeat(32)),
            format!("8{}{}", "9".repeat(18), "f".repeat(32)),
        ] {
            assert!(decode(&cursor, Ids::Uuids).is_ok(), "{cursor}");
            assert!(decode(&cursor, Ids::Texts).is_ok(), "{cursor}");
        }
    }
}
