//! Pages of lists. A cursor is opaque to clients: where the next page starts, in a form that only we read.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::problem::{FieldError, Problem};

/// The form of a cursor; a change of what is in one counts it up, so that old cursors are refused and not misread.
const VERSION: u8 = 1;
/// Version and checksum.
const HEAD_BYTES: usize = 1 + size_of::<u64>();
/// Characters of a cursor, at most.
const CURSOR_CHARS: usize = 1_024;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The cursor that [`decode`] reads back as `position`, a struct of the last row's sort key.
pub fn encode(position: &impl Serialize) -> String {
    let json = serde_json::to_vec(position).expect("a sort key has only string keys");
    let mut bytes = Vec::with_capacity(HEAD_BYTES + json.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&checksum(&json).to_be_bytes());
    bytes.extend_from_slice(&json);
    BASE64URL_NOPAD.encode(&bytes)
}

/// What [`encode`] was given.
///
/// # Errors
/// 400 that names `cursor`, for anything that [`encode`] did not make from a `T`.
pub fn decode<T: DeserializeOwned>(cursor: &str) -> Result<T, Problem> {
    read(cursor).ok_or_else(|| {
        let detail = "this cursor is not one that an earlier page gave: use its nextCursor as it is, or none";
        Problem::bad_request("invalid_cursor", detail).with_error(FieldError::new("cursor", "not a cursor of ours"))
    })
}

fn read<T: DeserializeOwned>(cursor: &str) -> Option<T> {
    if cursor.len() > CURSOR_CHARS {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
    let (head, json) = bytes.split_at_checked(HEAD_BYTES)?;
    let (version, sum) = head.split_first()?;
    (*version == VERSION && sum == checksum(json).to_be_bytes()).then_some(())?;
    serde_json::from_slice(json).ok()
}

/// FNV-1a: against mistakes in copying. Whoever forges a cursor gains nothing, for it only says where a page starts.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct After {
        created_at: i64,
        id: String,
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let position = After { created_at: 1_700_000_000, id: "ü".to_owned() };
        assert_eq!(decode::<After>(&encode(&position)).unwrap(), position);
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let cursor = encode(&After { created_at: 7, id: "x".to_owned() });
        for at in 0..cursor.len() {
            let mut changed: Vec<char> = cursor.chars().collect();
            changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
            let changed: String = changed.into_iter().collect();
            let problem = decode::<After>(&changed).unwrap_err();
            assert_eq!(
                (problem.body().code.as_str(), problem.body().errors[0].field.as_str()),
                ("invalid_cursor", "cursor")
            );
        }
    }

    #[test]
    fn what_was_never_a_cursor_is_refused() {
        for text in
            ["", "AQ", "!!", "ü", &"A".repeat(2_000), &encode(&7), &encode(&["other", "shape"])]
        {
            assert!(decode::<After>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = Page { items: vec![1], next_cursor: None };
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"items":[1]}"#);
    }
}
