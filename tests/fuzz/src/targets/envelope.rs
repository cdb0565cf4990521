//! A delivery's payload and what follows from it: the event, a line, the content type, a line, and the body.

use domain::limits::{DESCRIPTION_CHARS, TRIGGER_CHARS};
use serde_json::Value;
use webhook_ingest::fuzzing::decide;

use crate::line;

/// Every object is understood, the decision is always the same, and what it starts can be stored.
pub(super) fn check(input: &[u8]) {
    let (event, rest) = line(input);
    let (content_type, body) = line(rest);
    let (event, content_type) =
        (String::from_utf8_lossy(event), String::from_utf8_lossy(content_type));
    let Ok(json) = github::payload_json(Some(&content_type), body) else { return };
    if let Ok(value) = serde_json::from_slice::<Value>(&json) {
        // Written anew, since of two members of the same name it is not known which one is meant.
        let once = github::parse(&event, value.to_string().as_bytes());
        assert_eq!(once.is_ok(), value.is_object(), "an object is read, all else is not");
    }
    let Ok(envelope) = github::parse(&event, &json) else { return };
    assert_eq!(json.trim_ascii_start().first(), Some(&b'{'));
    let decision = decide("a-delivery", Some(7), &envelope);
    assert_eq!(decision, decide("a-delivery", Some(7), &envelope), "the same again");
    let trigger = match decision {
        Ok(trigger) => trigger,
        Err(reason) => {
            assert!(!reason.is_empty() && !reason.contains('\0'), "{reason:?}");
            return;
        }
    };
    assert!(!envelope.sender.is_some_and(|sender| sender.is_bot()), "bots start nothing");
    assert!(trigger.title.chars().count() <= 1_024);
    assert!(trigger.body.chars().count() <= TRIGGER_CHARS);
    let run = trigger.into_run();
    let texts = [Some(&run.goal), run.repository.as_ref(), run.base_ref.as_ref()];
    for text in texts.into_iter().flatten() {
        assert!(!text.contains('\0'), "{text:?}");
        assert!(text.chars().count() <= DESCRIPTION_CHARS);
    }
    for text in [run.repository.as_ref(), run.base_ref.as_ref()].into_iter().flatten() {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}
