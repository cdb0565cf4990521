//! API keys: how a secret is made, and by what it is recognised.
//!
//! A secret is `orch_` and 32 random bytes in base64url. The store keeps its SHA-256 alone: a slow hash would protect guessable
//! secrets, and nobody guesses 256 random bits.

use data_encoding::BASE64URL_NOPAD;
use ring::{
    digest::{SHA256, digest},
    rand::{SystemRandom, generate as random},
};
use secrecy::SecretString;

/// What every secret begins with, so that scanners for leaked secrets know it.
pub const PREFIX: &str = "orch_";
/// Characters after the prefix: 32 bytes in base64url without padding.
const RANDOM_CHARS: usize = 43;

/// A new secret, to be shown once, and the hash by which it is stored.
///
/// # Panics
/// Where the operating system has no randomness, which it always has once it has booted.
pub fn generate() -> (SecretString, Vec<u8>) {
    let bytes: [u8; 32] = random(&SystemRandom::new())
        .expect("the operating system has randomness once it has booted")
        .expose();
    let secret = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes));
    let hash = hash(&secret);
    (SecretString::from(secret), hash)
}

/// The hash by which a secret is stored and found.
pub fn hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// Whether a text could be a secret of ours; what could not is refused without a look into the store.
pub(crate) fn is_well_formed(secret: &str) -> bool {
    secret.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == RANDOM_CHARS && BASE64URL_NOPAD.decode(random.as_bytes()).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_new_secret_is_well_formed_and_found_by_its_hash() {
        let (secret, stored) = generate();
        assert!(is_well_formed(secret.expose_secret()));
        assert_eq!(hash(secret.expose_secret()), stored);
        assert_ne!(generate().1, stored);
    }

    #[test]
    fn the_hash_is_sha_256() {
        let hex = data_encoding::HEXLOWER.encode(&hash("abc"));
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_cannot_be_a_secret_is_told_from_its_form() {
        for text in
            ["", "orch_", "orch_short", &"x".repeat(48), &format!("orch_{}", "!".repeat(43))]
        {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
