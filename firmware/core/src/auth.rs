//! The authorization cache: what the server last said of a tag, used while it cannot be asked.

use alloc::{collections::VecDeque, string::String};

use serde::{Deserialize, Serialize};

use crate::{
    ocpp::msg16::{IdTagInfo, TagStatus},
    time::Utc,
};

/// A charge point's memory is small: the least recently heard tag makes room.
const CAPACITY: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AuthCache {
    entries: VecDeque<(String, IdTagInfo)>,
}

impl AuthCache {
    pub(crate) fn learn(&mut self, tag: &str, info: &IdTagInfo) {
        self.entries.retain(|(known, _)| known != tag);
        if self.entries.len() == CAPACITY {
            self.entries.pop_front();
        }
        self.entries.push_back((String::from(tag), info.clone()));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// What is known of the tag at this moment, if anything.
    pub(crate) fn lookup(&self, tag: &str, now: Utc) -> Option<IdTagInfo> {
        let (_, info) = self.entries.iter().find(|(known, _)| known == tag)?;
        Some(at(info, now))
    }
}

/// What is known of a tag, as of a moment: what was accepted may have expired.
pub(crate) fn at(info: &IdTagInfo, now: Utc) -> IdTagInfo {
    let expired = info
        .expiry_date
        .as_deref()
        .and_then(Utc::parse)
        .is_some_and(|at| at <= now);
    let mut info = info.clone();
    if expired && info.status == TagStatus::Accepted {
        info.status = TagStatus::Expired;
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn accepted(expiry: Option<&str>) -> IdTagInfo {
        IdTagInfo {
            status: TagStatus::Accepted,
            parent_id_tag: None,
            expiry_date: expiry.map(String::from),
        }
    }

    #[test]
    fn forgets_the_oldest_and_honours_expiry() {
        let mut cache = AuthCache::default();
        cache.learn("OLD", &accepted(None));
        for n in 0..CAPACITY - 1 {
            cache.learn(&format!("T{n}"), &accepted(None));
        }
        assert!(cache.lookup("OLD", Utc(0)).is_some());
        cache.learn("NEW", &accepted(Some("1970-01-01T00:00:10Z")));
        assert!(cache.lookup("OLD", Utc(0)).is_none());
        let status = |at| cache.lookup("NEW", Utc(at)).map(|info| info.status);
        assert_eq!(status(9_999), Some(TagStatus::Accepted));
        assert_eq!(status(10_000), Some(TagStatus::Expired));
    }
}
