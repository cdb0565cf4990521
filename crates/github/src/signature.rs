//! Whether GitHub sent a body: `X-Hub-Signature-256`, HMAC-SHA256 of the raw bytes under a secret that both know.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

/// The one header that counts; `X-Hub-Signature` (SHA-1) is not looked at.
const HEADER: &str = "x-hub-signature-256";
const DIGEST_BYTES: usize = 32;

/// A signature as it came: well formed, not yet verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature([u8; DIGEST_BYTES]);

/// Why a delivery is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("there is no X-Hub-Signature-256 header")]
    Missing,
    #[error("there is more than one X-Hub-Signature-256 header")]
    Repeated,
    #[error("X-Hub-Signature-256 is not `sha256=` and 64 lower-case hexadecimal digits")]
    Malformed,
    #[error("no secret gives this signature for this body")]
    Mismatch,
}

impl Signature {
    /// The signature among a request's headers, names in any case.
    ///
    /// # Errors
    /// Any [`SignatureError`] but `Mismatch`.
    pub fn from_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Self, SignatureError> {
        let mut values = headers.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
        let (_, value) = values.next().ok_or(SignatureError::Missing)?;
        if values.next().is_some() {
            return Err(SignatureError::Repeated);
        }
        Self::read(value).ok_or(SignatureError::Malformed)
    }

    /// Only the form that GitHub writes: what it does not write, somebody else did.
    fn read(value: &[u8]) -> Option<Self> {
        let digits = value.strip_prefix(b"sha256=")?;
        let bytes = HEXLOWER.decode(digits).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

/// The secrets under which a delivery may be signed: several while one replaces another.
#[derive(Clone)]
pub struct WebhookSecrets {
    keys: Vec<hmac::Key>,
}

/// What is wrong with a list of secrets; says nothing of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    #[error("GITHUB_WEBHOOK_SECRET is empty: set the secret that the webhook was made with")]
    None,
    #[error(
        "secret number {position} of GITHUB_WEBHOOK_SECRET is empty: write them with one comma between two"
    )]
    Empty { position: usize },
}

impl WebhookSecrets {
    /// Reads a comma-separated list; spaces around a secret are not part of it.
    ///
    /// # Errors
    /// [`SecretsError`] if there is none, or one is empty: anybody could sign with that.
    pub fn parse(list: &SecretString) -> Result<Self, SecretsError> {
        let list = list.expose_secret();
        if list.trim().is_empty() {
            return Err(SecretsError::None);
        }
        let key = |(at, secret): (usize, &str)| match secret.trim() {
            "" => Err(SecretsError::Empty { position: at + 1 }),
            secret => Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())),
        };
        Ok(Self { keys: list.split(',').enumerate().map(key).collect::<Result<_, _>>()? })
    }

    /// Whether one of the secrets signed `body`. Every secret is tried and each comparison takes constant time, so the time
    /// tells nothing of which fits or how far.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`].
    pub fn verify(&self, signature: &Signature, body: &[u8]) -> Result<(), SignatureError> {
        let fits =
            self.keys.iter().filter(|key| hmac::verify(key, body, &signature.0).is_ok()).count();
        if fits > 0 { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    /// The header value for `body` under the first secret: what GitHub would send. For tests and for redelivery to
    /// ourselves.
    pub fn sign(&self, body: &[u8]) -> String {
        let tag = self.keys.first().map(|key| hmac::sign(key, body));
        format!("sha256={}", tag.map_or_else(String::new, |tag| HEXLOWER.encode(tag.as_ref())))
    }
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSecrets({} of them)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(list: &str) -> WebhookSecrets {
        WebhookSecrets::parse(&SecretString::from(list)).unwrap()
    }

    /// The example of GitHub's page "Validating webhook deliveries".
    #[test]
    fn the_documented_example_is_verified() {
        let documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secrets = secrets("It's a Secret to Everybody");
        assert_eq!(secrets.sign(b"Hello, World!"), documented);
        let signature = Signature::from_headers([(HEADER, documented.as_bytes())]).unwrap();
        assert_eq!(secrets.verify(&signature, b"Hello, World!"), Ok(()));
        assert_eq!(secrets.verify(&signature, b"Hello, World?"), Err(SignatureError::Mismatch));
    }

    #[test]
    fn during_a_rotation_both_secrets_count_and_no_third() {
        let body = b"{}";
        let accepting = secrets("old, new");
        for (signer, expected) in [("old", Ok(())), ("new", Ok(())), ("old, new", Ok(()))] {
            let value = secrets(signer).sign(body);
            let signature =
                Signature::from_headers([("X-Hub-Signature-256", value.as_bytes())]).unwrap();
            assert_eq!(accepting.verify(&signature, body), expected, "{signer}");
        }
        let value = secrets("third").sign(body);
        let signature = Signature::from_headers([(HEADER, value.as_bytes())]).unwrap();
        assert_eq!(accepting.verify(&signature, body), Err(SignatureError::Mismatch));
    }

    #[test]
    fn only_the_form_that_github_writes_is_read() {
        let good = secrets("s").sign(b"x");
        let check = |headers: &[(&str, String)], expected: Result<(), SignatureError>| {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            assert_eq!(Signature::from_headers(headers.clone()).map(drop), expected, "{headers:?}");
        };
        check(&[(HEADER, good.clone())], Ok(()));
        check(&[], Err(SignatureError::Missing));
        check(&[("x-hub-signature", good.replace("sha256", "sha1"))], Err(SignatureError::Missing));
        check(
            &[(HEADER, good.clone()), ("X-Hub-Signature-256", good.clone())],
            Err(SignatureError::Repeated),
        );
        for malformed in [
            good.to_uppercase(),
            good.replace("sha256=", "SHA256="),
            good.replace("sha256=", "sha1="),
            good.replace("sha256=", ""),
            format!("sha256={}", good["sha256=".len()..].to_uppercase()),
            good[..good.len() - 1].to_owned(),
            good[..good.len() - 2].to_owned(),
            format!("{good}00"),
            format!("{good} "),
            "sha256=".to_owned(),
            String::new(),
            "sha256=zz".to_owned(),
        ] {
            check(&[(HEADER, malformed)], Err(SignatureError::Malformed));
        }
    }

    #[test]
    fn an_empty_secret_is_refused_and_none_is_shown() {
        let check = |list: &str, expected| {
            assert_eq!(
                WebhookSecrets::parse(&SecretString::from(list)).map(drop),
                expected,
                "{list:?}"
            );
        };
        check("a", Ok(()));
        check("a,b", Ok(()));
        check("", Err(SecretsError::None));
        check("  ", Err(SecretsError::None));
        check("a,", Err(SecretsError::Empty { position: 2 }));
        check(", a", Err(SecretsError::Empty { position: 1 }));
        check("a,,b", Err(SecretsError::Empty { position: 2 }));
        assert_eq!(format!("{:?}", secrets("hunter2,x")), "WebhookSecrets(2 of them)");
    }
}
