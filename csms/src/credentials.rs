//! HTTP Basic credentials of a station: bytes, not text (OCPP-J 1.6 6.2.2), and a cache that makes a reconnect storm cheap.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

use crate::attempts::{Attempt, Attempts};

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

/// What became of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the one of this stored hash.
    Fits(String),
    Wrong,
    /// Too many wrong ones came: it was not looked at.
    TooMany,
}

/// Whose password is checked, and who says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visitor<'a> {
    pub(crate) station: Uuid,
    /// From where it comes.
    pub(crate) source: IpAddr,
    /// From where the station last came.
    pub(crate) known: Option<&'a str>,
    pub(crate) now: Instant,
}

/// Remembers which password last fitted which stored hash: argon2 runs once per station and password, not once per
/// connection. A changed hash makes the memory worthless, so nothing needs to be told.
pub(crate) struct Credentials {
    /// Of this process alone, so that the digests are of no use elsewhere.
    salt: [u8; 32],
    verified: Mutex<HashMap<Uuid, Verified>>,
    attempts: Attempts,
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
            attempts: Attempts::default(),
            hashing: Arc::new(Semaphore::new(threads)),
        }
    }
}

impl Credentials {
    /// Whether the password opens the station by one of the hashes. Some chargers are given the hexadecimal form of their
    /// key and send that, some send the bytes it stands for (quirk 5): both count.
    pub(crate) async fn verify(
        &self,
        visitor: Visitor<'_>,
        password: &[u8],
        hashes: Vec<String>,
    ) -> Verdict {
        let digest = self.digest(password);
        if let Some(hash) = self.remembered(visitor.station, &digest, &hashes) {
            return Verdict::Fits(hash);
        }
        let candidates = candidates(password);
        let is_known = visitor.known == Some(visitor.source.to_string().as_str());
        let cost = u32::try_from(candidates.len() * hashes.len()).unwrap_or(u32::MAX);
        let asked = Attempt {
            station: visitor.station,
            source: visitor.source,
            is_known,
        };
        let is_stranger = !is_known && self.is_refused_often(visitor.source, visitor.now);
        if is_stranger || !self.attempts.may(asked, cost, visitor.now) {
            return Verdict::TooMany;
        }
        let Ok(permit) = self.hashing.clone().acquire_owned().await else {
            return Verdict::Wrong;
        };
        metrics::counter!("forecourt_password_checks_total").increment(cost.into());
        let fits = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let fits = |hash: &String| {
                let mut candidates = candidates.iter();
                candidates.any(|candidate| store::secrets::verify_password(candidate, hash))
            };
            hashes.into_iter().find(fits)
        });
        let Some(hash) = fits.await.unwrap_or_default() else {
            return Verdict::Wrong;
        };
        self.attempts.forgive(asked);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.insert(
            visitor.station,
            Verified {
                digest,
                hash: hash.clone(),
            },
        );
        Verdict::Fits(hash)
    }

    /// Looks at a password that can fit nothing, since there is no such station: who tries names learns no more from the
    /// time that the answer takes than from the answer.
    pub(crate) async fn pretend(
        &self,
        identity: &str,
        source: IpAddr,
        password: &[u8],
        now: Instant,
    ) -> Verdict {
        static NOBODYS: LazyLock<String> = LazyLock::new(|| {
            store::secrets::hash_password(store::secrets::random_hex(32).as_bytes())
        });
        let digest = self.digest(identity.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        let visitor = Visitor {
            station: Uuid::from_bytes(id),
            source,
            known: None,
            now,
        };
        self.verify(visitor, password, vec![NOBODYS.clone()]).await
    }

    /// Whether this source was refused so often that it learns nothing more for now.
    pub(crate) fn is_refused_often(&self, source: IpAddr, now: Instant) -> bool {
        self.attempts.is_refused_often(source, now)
    }

    /// Counts a refusal of this source.
    pub(crate) fn note_refusal(&self, source: IpAddr, now: Instant) {
        self.attempts.note_refusal(source, now);
    }

    fn remembered(&self, station: Uuid, digest: &[u8; 32], hashes: &[String]) -> Option<String> {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verified.get(&station)?;
        let same = subtle::ConstantTimeEq::ct_eq(&known.digest[..], &digest[..]).into();
        (same && hashes.contains(&known.hash)).then(|| known.hash.clone())
    }

    fn digest(&self, password: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.salt)
            .chain_update(password)
            .finalize()
            .into()
    }
}

/// The forms in which the same key may have been stored. Only what has the length of a key (16 to 20 bytes) has others.
fn candidates(password: &[u8]) -> Vec<Vec<u8>> {
    let mut candidates = vec![password.to_vec()];
    if (32..=40).contains(&password.len()) {
        candidates.extend(hex::decode(password));
    }
    if (16..=20).contains(&password.len()) {
        candidates.push(hex::encode(password).into_bytes());
        candidates.push(hex::encode_upper(password).into_bytes());
    }
    candidates.dedup();
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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

    const STATION: Uuid = Uuid::from_u128(1);

    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

    fn from(last: u8, second: u64) -> Visitor<'static> {
        Visitor {
            station: STATION,
            source: IpAddr::from([192, 0, 2, last]),
            known: Some("192.0.2.1"),
            now: *BEGIN + Duration::from_secs(second),
        }
    }

    async fn fits(credentials: &Credentials, password: &[u8], hash: &str) -> bool {
        let verdict = credentials.verify(from(1, 0), password, vec![hash.to_owned()]);
        verdict.await == Verdict::Fits(hash.to_owned())
    }

    #[tokio::test]
    async fn a_changed_hash_is_never_served_from_memory() {
        let credentials = Credentials::default();
        let (old, new) = (
            store::secrets::hash_password(b"old"),
            store::secrets::hash_password(b"new"),
        );
        assert!(fits(&credentials, b"old", &old).await);
        assert!(fits(&credentials, b"old", &old).await);
        assert!(!fits(&credentials, b"old", &new).await);
        assert!(fits(&credentials, b"new", &new).await);
    }

    #[tokio::test]
    async fn quirk_05_a_key_may_come_as_its_hexadecimal_digits_and_the_other_way_round() {
        let credentials = Credentials::default();
        let hash = store::secrets::hash_password(&[0xab; 20]);
        assert!(fits(&credentials, "ab".repeat(20).as_bytes(), &hash).await);
        let hash = store::secrets::hash_password("ab".repeat(20).as_bytes());
        assert!(fits(&credentials, &[0xab; 20], &hash).await);
    }

    #[tokio::test]
    async fn an_ordered_password_fits_beside_the_old_one() {
        let credentials = Credentials::default();
        let hashes = [b"old", b"new"].map(|password| store::secrets::hash_password(password));
        for (password, hash) in [b"old", b"new", b"old"].iter().zip([0, 1, 0]) {
            let verdict = credentials.verify(from(1, 0), *password, hashes.to_vec());
            assert_eq!(verdict.await, Verdict::Fits(hashes[hash].clone()));
        }
    }

    /// T02: whoever guesses costs no more than ten hashes a minute, and the charger itself is let in meanwhile.
    #[tokio::test]
    async fn a_guesser_costs_little_and_locks_nobody_out() {
        let credentials = Credentials::default();
        let hash = store::secrets::hash_password(b"right");
        let mut looked_at = 0;
        for minute in 0..2_u64 {
            for guess in 0..5000_u32 {
                let source = u8::try_from(2 + guess % 200).unwrap();
                let second = minute * 60 + u64::from(guess / 100);
                let password = guess.to_string();
                let tried = credentials.verify(
                    from(source, second),
                    password.as_bytes(),
                    vec![hash.clone()],
                );
                looked_at += usize::from(tried.await == Verdict::Wrong);
            }
        }
        assert!(looked_at <= 20, "{looked_at} hashes in two minutes");
        // From where the charger always comes, with nothing in memory: it is looked at.
        let honest = credentials.verify(from(1, 110), b"right", vec![hash.clone()]);
        assert_eq!(honest.await, Verdict::Fits(hash.clone()));
        // And from anywhere, once its password is known, or the minute over.
        let moved = credentials.verify(from(99, 110), b"right", vec![hash.clone()]);
        assert_eq!(moved.await, Verdict::Fits(hash.clone()));
        let fresh = Credentials::default();
        for guess in 0..100_u32 {
            let password = guess.to_string();
            let tried = fresh.verify(from(99, 0), password.as_bytes(), vec![hash.clone()]);
            drop(tried.await);
        }
        let later = fresh.verify(from(99, 61), b"right", vec![hash.clone()]);
        assert_eq!(later.await, Verdict::Fits(hash));
    }
}
