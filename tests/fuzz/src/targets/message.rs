//! What comes from the broker.

use domain::message::Message;

/// What is accepted is written as it was read, and is small: ids only.
pub(super) fn check(input: &[u8]) {
    let Ok(message) = serde_json::from_slice::<Message>(input) else { return };
    let written = serde_json::to_vec(&message).expect("it can be written");
    assert!(written.len() < 256, "{message:?}");
    assert_eq!(serde_json::from_slice::<Message>(&written).expect("and read"), message);
}
