//! HTTP Basic credentials of a station: bytes, not text (OCPP-J 1.6 6.2.2), and a cache that makes a reconnect storm cheap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// What a station presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    /// No Authorization header.
    Nothing,
    /// A header that is not Basic, not base64, has no colon, or two headers.
    Unreadable,
    /// A user and a password.
    Basic(Basic),
}

/// A user and a password, as bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Basic {
    pub user: Vec<u8>,
    pub password: Vec<u8>,
}

impl std::fmt::Debug for Basic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Basic(…)")
    }
}

impl Presented {
    /// Reads the values of all Authorization headers.
    pub(crate) fn from_headers<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        let Some(value) = values.next() else {
            return Presented::Nothing;
        };
        if values.next().is_some() {
            return Presented::Unreadable;
        }
        basic(value).map_or(Presented::Unreadable, Presented::Basic)
    }
}

fn basic(value: &[u8]) -> Option<Basic> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = STANDARD.decode(rest.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(Basic {
        user: decoded[..colon].to_vec(),
        password: decoded[colon + 1..].to_vec(),
    })
}

/// Remembers which password last fitted which stored hash: argon2 runs once per station and password, not once per
/// connection. A changed hash makes the memory worthless, so nothing needs to be told.
pub(crate) struct Credentials {
    /// Of this process alone, so that the digests are of no use elsewhere.
    salt: [u8; 32],
    verified: Mutex<HashMap<Uuid, Verified>>,
    /// argon2 is slow on purpose; a storm of wrong passwords must not take every thread.
    hashing: Arc<Semaphore>,
}

struct Verified {
    digest: [u8; 32],
    hash: String,
}

impl Default for Credentials {
    fn default() -> Self {
        let mut salt = [0; 32];
        rand::RngExt::fill(&mut rand::rng(), &mut salt[..]);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Credentials {
            salt,
            verified: Mutex::default(),
            hashing: Arc::new(Semaphore::new(threads)),
        }
    }
}

impl Credentials {
    /// Whether the password opens the station. Some chargers are given the hexadecimal form of their key and send that,
    /// some send the bytes it stands for (quirk 5): both count.
    pub(crate) async fn verify(&self, station: Uuid, password: &[u8], hash: &str) -> bool {
        let digest = self.digest(password);
        if self.is_known(station, &digest, hash) {
            return true;
        }
        let Ok(permit) = self.hashing.clone().acquire_owned().await else {
            return false;
        };
        let candidates = candidates(password);
        let stored = hash.to_owned();
        let fits = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            candidates
                .iter()
                .any(|candidate| store::secrets::verify_password(candidate, &stored))
        })
        .await
        .unwrap_or(false);
        if fits {
            self.verified
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(
                    station,
                    Verified {
                        digest,
                        hash: hash.to_owned(),
                    },
                );
        }
        fits
    }

    fn is_known(&self, station: Uuid, digest: &[u8; 32], hash: &str) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(&station).is_some_and(|known| {
            known.hash == hash
                && subtle::ConstantTimeEq::ct_eq(&known.digest[..], &digest[..]).into()
        })
    }

    fn digest(&self, password: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.salt)
            .chain_update(password)
            .finalize()
            .into()
    }
}

fn candidates(password: &[u8]) -> Vec<Vec<u8>> {
    let mut candidates = vec![password.to_vec()];
    candidates.extend(hex::decode(password));
    candidates.push(hex::encode(password).into_bytes());
    candidates.push(hex::encode_upper(password).into_bytes());
    candidates.dedup();
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Presented {
        Presented::from_headers([header.as_bytes()].into_iter())
    }

    #[test]
    fn the_vector_of_the_specification_is_bytes() {
        let Presented::Basic(basic) = read("Basic QUwxMDAwOgABAgMEBQYH////////////////") else {
            panic!("not read")
        };
        assert_eq!(basic.user, b"AL1000");
        assert_eq!(
            hex::encode_upper(basic.password),
            "0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF"
        );
    }

    #[test]
    fn what_is_not_basic_is_unreadable() {
        for header in ["Bearer abc", "Basic", "Basic !!!", "Basic QUwxMDAw", ""] {
            assert_eq!(read(header), Presented::Unreadable, "{header}");
        }
        let two = [b"Basic YTpi".as_slice(), b"Basic YTpi".as_slice()];
        assert_eq!(
            Presented::from_headers(two.into_iter()),
            Presented::Unreadable
        );
        assert_eq!(Presented::from_headers([].into_iter()), Presented::Nothing);
    }

    #[test]
    fn the_password_begins_after_the_first_colon() {
        let Presented::Basic(basic) = read("basic YTpiOmM=") else {
            panic!("not read")
        };
        assert_eq!(
            (basic.user.as_slice(), basic.password.as_slice()),
            (&b"a"[..], &b"b:c"[..])
        );
    }

    #[tokio::test]
    async fn a_changed_hash_is_never_served_from_memory() {
        let credentials = Credentials::default();
        let station = Uuid::from_u128(1);
        let (old, new) = (
            store::secrets::hash_password(b"old"),
            store::secrets::hash_password(b"new"),
        );
        assert!(credentials.verify(station, b"old", &old).await);
        assert!(credentials.verify(station, b"old", &old).await);
        assert!(!credentials.verify(station, b"old", &new).await);
        assert!(credentials.verify(station, b"new", &new).await);
    }

    #[tokio::test]
    async fn a_key_may_come_as_its_hexadecimal_digits_and_the_other_way_round() {
        let credentials = Credentials::default();
        let hash = store::secrets::hash_password(&[0xab; 20]);
        assert!(
            credentials
                .verify(Uuid::from_u128(1), "ab".repeat(20).as_bytes(), &hash)
                .await
        );
        let hash = store::secrets::hash_password("ab".repeat(20).as_bytes());
        assert!(
            credentials
                .verify(Uuid::from_u128(2), &[0xab; 20], &hash)
                .await
        );
    }
}
