//! Webhook deliveries as GitHub sends them: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

mod payload;

use ring::hmac;
use serde_json::Value;
use uuid::Uuid;

pub use payload::{Issue, Repository};

use crate::api;

/// A delivery, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `X-GitHub-Delivery`: the same when it is sent again.
    pub id: String,
    pub event: &'static str,
    body: Vec<u8>,
}

/// What the receiver answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    pub status: u16,
    pub body: Value,
}

impl Delivery {
    /// `issues`, action `labeled`: somebody put a label on an issue.
    pub fn issue_labeled(repository: &Repository, issue: &Issue, label: &str) -> Self {
        Self::new("issues", &payload::issue_labeled(repository, issue, label))
    }

    fn new(event: &'static str, payload: &Value) -> Self {
        Self { id: Uuid::new_v4().to_string(), event, body: payload.to_string().into_bytes() }
    }

    /// The body, as it is signed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Sends it, signed with a secret, as GitHub does.
    pub async fn send(&self, url: &str, secret: &str) -> Receipt {
        self.try_send(url, secret).await.expect("webhook-ingest answers with JSON")
    }

    /// The same, where the receiver may be gone.
    ///
    /// # Errors
    /// If no whole answer came.
    pub async fn try_send(&self, url: &str, secret: &str) -> reqwest::Result<Receipt> {
        let sha1 = signature(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret, &self.body);
        let sha256 = signature(hmac::HMAC_SHA256, secret, &self.body);
        let request = self
            .request(url)
            .header("X-Hub-Signature", format!("sha1={sha1}"))
            .header("X-Hub-Signature-256", format!("sha256={sha256}"));
        receipt(request).await
    }

    /// Sends it without a signature, as GitHub does for a webhook that has no secret.
    pub async fn send_unsigned(&self, url: &str) -> Receipt {
        receipt(self.request(url)).await.expect("webhook-ingest answers with JSON")
    }

    fn request(&self, url: &str) -> reqwest::RequestBuilder {
        api::client()
            .post(url)
            .header("Accept", "*/*")
            .header("Content-Type", "application/json")
            .header("User-Agent", "GitHub-Hookshot/044aadd")
            .header("X-GitHub-Delivery", &self.id)
            .header("X-GitHub-Event", self.event)
            .header("X-GitHub-Hook-ID", "292430182")
            .header("X-GitHub-Hook-Installation-Target-ID", "79929171")
            .header("X-GitHub-Hook-Installation-Target-Type", "repository")
            .body(self.body.clone())
    }
}

async fn receipt(request: reqwest::RequestBuilder) -> reqwest::Result<Receipt> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok(Receipt { status, body: response.json().await? })
}

fn signature(algorithm: hmac::Algorithm, secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    data_encoding::HEXLOWER.encode(hmac::sign(&key, body).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_github_gives_as_an_example() {
        // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
        let expected = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = "It's a Secret to Everybody";
        assert_eq!(signature(hmac::HMAC_SHA256, secret, b"Hello, World!"), expected);
    }
}
