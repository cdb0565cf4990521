//! Webhook deliveries of a fixed size, as GitHub sends them: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use ring::hmac;
use uuid::Uuid;

use crate::{http, load::Requests, site::WEBHOOK_SECRET};

/// Bytes of each payload.
pub(crate) const BYTES: usize = 25 * 1024;
/// Payloads that start nothing are sent again and again, each time under another id; these are so many different ones.
const DIFFERENT: usize = 256;

/// `issues`, action `labeled`, with every member that GitHub documents.
const TEMPLATE: &str = include_str!("issues_labeled.template");

/// Who sends what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    /// One delivery in so many starts a run: a person put a label on an issue. The others tell what a bot did, which starts none.
    pub(crate) every: usize,
}

impl Mix {
    const fn starts(self, index: usize) -> bool {
        index.is_multiple_of(self.every)
    }
}

/// Deliveries, signed beforehand. Each that starts a run is of an issue of its own.
pub(crate) fn prepared(count: usize, mix: Mix) -> Requests {
    let key = hmac::Key::new(hmac::HMAC_SHA256, WEBHOOK_SECRET.as_bytes());
    let old = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, WEBHOOK_SECRET.as_bytes());
    let signed = |number: usize, person: bool| {
        let body = payload(number, person);
        let headers = format!(
            "Accept: */*\r\nUser-Agent: GitHub-Hookshot/044aadd\r\nX-GitHub-Event: issues\r\n\
             X-GitHub-Hook-ID: 292430182\r\nX-GitHub-Hook-Installation-Target-ID: 79929171\r\n\
             X-GitHub-Hook-Installation-Target-Type: repository\r\n\
             X-Hub-Signature: sha1={}\r\nX-Hub-Signature-256: sha256={}\r\n",
            HEXLOWER.encode(hmac::sign(&old, body.as_bytes()).as_ref()),
            HEXLOWER.encode(hmac::sign(&key, body.as_bytes()).as_ref()),
        );
        (headers, body)
    };
    let starting: Vec<_> = (0..count.div_ceil(mix.every)).map(|it| signed(it + 1, true)).collect();
    let others: Vec<_> = (0..DIFFERENT).map(|it| signed(it + 1, false)).collect();
    Arc::new(move |index, into| {
        let (headers, body) = if mix.starts(index) {
            &starting[index / mix.every]
        } else {
            &others[index % DIFFERENT]
        };
        let id = Uuid::new_v4();
        http::post(
            into,
            "/webhooks/github",
            &format!("{headers}X-GitHub-Delivery: {id}\r\n"),
            body.as_bytes(),
        );
    })
}

/// A payload of exactly [`BYTES`]: what is missing is the text of the issue.
fn payload(number: usize, person: bool) -> String {
    let sender = if person {
        r#"{"login":"octocat","id":583231,"type":"User","site_admin":false}"#
    } else {
        r#"{"login":"dependabot[bot]","id":49699333,"type":"Bot","site_admin":false}"#
    };
    // GitHub sends no white space between members.
    let compact: String = TEMPLATE.lines().map(str::trim_start).collect();
    let compact = compact.replace("\": ", "\":");
    let without = compact.replace("@NUMBER@", &number.to_string()).replace("@SENDER@", sender);
    let room = BYTES + "@BODY@".len() - without.len();
    without.replace("@BODY@", &prose(number, room))
}

/// Text that compresses about as well as a report with a log in it: words of a small vocabulary, numbers and hashes.
fn prose(seed: usize, length: usize) -> String {
    const WORDS: [&str; 40] = [
        "the",
        "feed",
        "import",
        "stops",
        "when",
        "a",
        "single",
        "entry",
        "cannot",
        "be",
        "parsed",
        "and",
        "every",
        "later",
        "one",
        "is",
        "lost",
        "expected",
        "that",
        "it",
        "goes",
        "on",
        "with",
        "rest",
        "thread",
        "panicked",
        "at",
        "src/import.rs",
        "called",
        "on",
        "an",
        "Err",
        "value",
        "InvalidDate",
        "retry",
        "after",
        "seconds",
        "worker",
        "in",
        "version",
    ];
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        // xorshift64*, by Marsaglia and Vigna.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    };
    let mut text = String::with_capacity(length + 32);
    while text.len() < length {
        let it = next();
        match it % 8 {
            0 => text.push_str(&format!("{:012x} ", it & 0xffff_ffff_ffff)),
            1 => text.push_str(&format!("{}\\n", it % 100_000)),
            _ => {
                let index = usize::try_from((it >> 8) % WORDS.len() as u64).unwrap_or_default();
                text.push_str(WORDS[index]);
                text.push(' ');
            }
        }
    }
    text.truncate(length);
    // Half of an escape would break the JSON.
    if text.ends_with('\\') {
        text.pop();
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_payload_has_its_size_and_is_json() {
        for number in [1, 999, 20_000] {
            for person in [true, false] {
                let text = payload(number, person);
                assert_eq!(text.len(), BYTES, "{number}");
                let value: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(value["issue"]["number"], number);
                assert_eq!(value["sender"]["type"], if person { "User" } else { "Bot" });
            }
        }
    }

    #[test]
    fn one_in_so_many_starts_a_run_and_every_delivery_has_an_id_of_its_own() {
        let requests = prepared(20, Mix { every: 10 });
        let text = |index| {
            let mut bytes = Vec::new();
            requests(index, &mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let people: Vec<_> = (0..20)
            .filter(|it| text(*it).contains(r#""type":"User","site_admin":false}}"#))
            .collect();
        assert_eq!(people, [0, 10]);
        assert_ne!(text(1), text(1));
    }
}
