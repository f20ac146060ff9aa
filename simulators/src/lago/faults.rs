//! What may go wrong with a request, and for how many of them.

use serde::{Deserialize, Serialize};

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The connection is closed without an answer.
    Down,
    /// The request is read and never answered.
    Hang,
    /// The answer comes this many milliseconds late.
    Slow(u64),
    /// 429; the window is over in so many seconds.
    TooMany(u64),
    /// 500.
    Broken,
    /// 503 with `Retry-After` of so many seconds.
    Unavailable(u64),
    /// The events are taken, and the connection is closed without an answer.
    LostReply,
    /// Every second event of a batch was taken before, as if somebody had sent it already.
    Duplicate,
    /// Every second event of a batch is refused for its own sake.
    HalfBad,
    /// The server's clock is wrong by so many seconds.
    ClockSkew(i64),
}

/// A fault that is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// To how many requests that send events; to all until it is switched off, if nothing is said.
    #[serde(default)]
    pub times: Option<u64>,
}

/// The faults that are on, in the order they were set: the first one is the one that happens.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn set(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// What happens to this request. A clock that is wrong is wrong for every one, besides what else happens.
    pub(super) fn next(&mut self) -> (Option<Kind>, i64) {
        let skew = self
            .0
            .iter()
            .find_map(|fault| match fault.kind {
                Kind::ClockSkew(seconds) => Some(seconds),
                _ => None,
            })
            .unwrap_or(0);
        let hit = self
            .0
            .iter()
            .position(|fault| !matches!(fault.kind, Kind::ClockSkew(_)));
        let Some(place) = hit else {
            return (None, skew);
        };
        let fault = &mut self.0[place];
        let kind = fault.kind;
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.0.remove(place);
            }
        }
        (Some(kind), skew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_happen_as_often_as_they_should_and_one_after_the_other() {
        let mut faults = Faults::default();
        faults.set(Fault {
            kind: Kind::ClockSkew(90),
            times: None,
        });
        faults.set(Fault {
            kind: Kind::Down,
            times: Some(2),
        });
        faults.set(Fault {
            kind: Kind::Broken,
            times: None,
        });
        let kinds: Vec<_> = (0..4).map(|_| faults.next()).collect();
        assert_eq!(
            kinds,
            [
                (Some(Kind::Down), 90),
                (Some(Kind::Down), 90),
                (Some(Kind::Broken), 90),
                (Some(Kind::Broken), 90)
            ]
        );
        faults.clear();
        assert_eq!(faults.next(), (None, 0));
    }
}
