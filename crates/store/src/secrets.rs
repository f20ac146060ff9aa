//! Passwords, keys and tokens: how they are made, and the only forms in which they are stored.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use rand::RngExt;
use sha2::{Digest, Sha256};

/// SHA-256, for secrets with so much chance in them that guessing is hopeless (login tokens, API keys).
pub fn sha256(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// `bytes` bytes of chance, in hexadecimal.
pub fn random_hex(bytes: usize) -> String {
    let mut raw = vec![0; bytes];
    rand::rng().fill(&mut raw[..]);
    hex::encode(raw)
}

/// What [`is_password`] accepts, in words.
pub const PASSWORD: &str = "a text of 1 to 128 printable characters";

/// Whether an operator may set this as a station's password.
pub fn is_password(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// A station's password, hashed with argon2 and a fresh salt. Slow on purpose: keep it off the async threads.
pub fn hash_password(password: &[u8]) -> String {
    Argon2::default()
        .hash_password(password)
        .expect("the default parameters are valid")
        .to_string()
}

/// Whether `password` is the one that was hashed. Slow on purpose; a malformed hash matches nothing.
pub fn verify_password(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_any_bytes_is_known_again() {
        // The key of OCPP-J 1.6 6.2.2: not UTF-8, and with a NUL in it.
        let key = [0, 1, 2, 3, 4, 5, 6, 7, 0xff, 0xff, 0xff, 0xff];
        let hash = hash_password(&key);
        assert!(verify_password(&key, &hash));
        assert!(!verify_password(b"other", &hash));
        assert!(!verify_password(&key, "not a hash"));
    }
}
