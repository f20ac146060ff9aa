//! Transaction numbers: positive, unique, and not guessable from the one before (CVE-2026-28230). Blocks of a thousand
//! come from a sequence, so that a start costs no question to the database.

use store::Pool;
use tokio::sync::Mutex;

/// The source of transactionIds.
pub(crate) struct Numbers {
    pool: Pool,
    left: Mutex<std::ops::Range<i64>>,
}

impl Numbers {
    pub(crate) fn new(pool: Pool) -> Self {
        Numbers {
            pool,
            left: Mutex::new(0..0),
        }
    }

    /// A number that nobody has had.
    pub(crate) async fn next(&self) -> store::Result<i64> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            // Boxed: it is rare, and its room would be part of every message in the works.
            let end = Box::pin(self.block()).await?;
            *left = end - 999..end + 1;
        }
        Ok(scatter(left.next().expect("a fresh block is not empty")))
    }

    async fn block(&self) -> store::Result<i64> {
        let mut connection = self.pool.acquire().await?;
        store::lookup::next_transaction_block(&mut connection).await
    }
}

/// The transactionId for the nth number of the sequence: spreads 1, 2, 3, … over the positive 31-bit integers, each hit
/// once. Chargers store a signed 32-bit number.
pub fn scatter(n: i64) -> i64 {
    const MODULUS: i64 = 0x7fff_ffff; // prime, so that every multiplier has an inverse
    const MULTIPLIER: i64 = 1_583_458_089;
    n.rem_euclid(MODULUS) * MULTIPLIER % MODULUS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_positive_distinct_and_not_in_a_row() {
        let numbers: Vec<i64> = (1..100_000).map(scatter).collect();
        assert!(
            numbers
                .iter()
                .all(|n| (1..=i64::from(i32::MAX)).contains(n))
        );
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
        assert!(
            numbers
                .windows(2)
                .all(|pair| pair[0].abs_diff(pair[1]) > 1000)
        );
    }
}
