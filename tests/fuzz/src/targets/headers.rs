//! The other headers of a delivery: lines of a name, a colon and a value.

use github::{DeliveryHeaders, event_label};

/// What is accepted fits into a row and a log line.
pub(super) fn check(input: &[u8]) {
    let lines: Vec<(String, &[u8])> = input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((String::from_utf8_lossy(&line[..colon]).to_lowercase(), &line[colon + 1..]))
        })
        .collect();
    let pairs = lines.iter().map(|(name, value)| (name.as_str(), *value));
    let Ok(headers) = DeliveryHeaders::from_headers(pairs) else { return };
    for token in [&headers.event, &headers.delivery_id] {
        assert!((1..=64).contains(&token.len()), "{token:?}");
        assert!(token.bytes().all(|byte| byte.is_ascii_graphic()), "{token:?}");
    }
    assert!(event_label(&headers.event).len() <= 64);
}
