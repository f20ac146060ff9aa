//! How often one may ask, in a minute: little where nobody is known yet, least where one signs in. Counted in memory, for
//! each network address, or each login or key once it is known.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::{Error, Result};

/// What somebody who is asked to wait is told, seconds.
const RETRY_AFTER: u64 = 60;
/// Counters of those who have been quiet are forgotten when there are more than this.
const COUNTERS: usize = 10_000;

/// Requests a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of an address that is not signed in.
    pub general: u32,
    /// Of an address, at the doors of signing in.
    pub auth: u32,
    /// Of a login or key.
    pub known: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            general: 100,
            auth: 10,
            known: 1_200,
        }
    }
}

impl Rates {
    /// As good as none, for tests that do in a second what people do in a day.
    pub fn none() -> Self {
        Rates {
            general: u32::MAX,
            auth: u32::MAX,
            known: u32::MAX,
        }
    }
}

/// The counters.
#[derive(Debug)]
pub struct Limits {
    general: DefaultKeyedRateLimiter<String>,
    auth: DefaultKeyedRateLimiter<String>,
    known: DefaultKeyedRateLimiter<String>,
}

impl Limits {
    /// Counters for these rates.
    pub fn new(rates: Rates) -> Self {
        let limiter = |most: u32| {
            RateLimiter::keyed(Quota::per_minute(
                NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN),
            ))
        };
        Limits {
            general: limiter(rates.general),
            auth: limiter(rates.auth),
            known: limiter(rates.known),
        }
    }

    /// # Errors
    /// [`Error::TooMany`] for an address that asks too often.
    pub fn general(&self, address: &str) -> Result<()> {
        check(&self.general, address)
    }

    /// # Errors
    /// [`Error::TooMany`] for an address that tries too often to sign in.
    pub fn auth(&self, address: &str) -> Result<()> {
        check(&self.auth, address)
    }

    /// # Errors
    /// [`Error::TooMany`] for a login or key that asks too often.
    pub fn known(&self, who: &str) -> Result<()> {
        check(&self.known, who)
    }
}

fn check(limiter: &DefaultKeyedRateLimiter<String>, key: &str) -> Result<()> {
    if limiter.len() > COUNTERS {
        limiter.retain_recent();
    }
    limiter
        .check_key(&key.to_owned())
        .map_err(|_| Error::TooMany(RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_counter() {
        let limits = Limits::new(Rates {
            general: 3,
            ..Rates::default()
        });
        for _ in 0..3 {
            limits.general("192.0.2.1").unwrap();
        }
        let refused = limits.general("192.0.2.1").unwrap_err();
        assert!(matches!(refused, Error::TooMany(60)));
        limits.general("192.0.2.2").unwrap();
        limits.auth("192.0.2.1").unwrap();
    }
}
