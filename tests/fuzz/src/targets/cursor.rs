//! Cursors of pages.

use api_gateway::fuzzing;

/// What is accepted is what we would write ourselves, so that no two cursors are the same place.
pub(super) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(written) = fuzzing::cursor_of_uuids(&text) {
        assert_eq!(written, text);
    }
    if let Some(id) = fuzzing::id_in_cursor_of_texts(&text) {
        assert!(!id.is_empty() && !id.contains('\0'), "{id:?}");
    }
    if let Ok(position) = web::paging::decode::<Position>(&text) {
        assert_eq!(web::paging::encode(&position), text);
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    at: i64,
    id: String,
}
