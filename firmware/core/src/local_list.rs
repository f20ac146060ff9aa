//! The local authorization list: versioned, sent whole or as changes, asked before the cache.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    auth,
    config::Key,
    ocpp::{
        local_list::{GetLocalListVersionConf, SendLocalList, UpdateStatus, UpdateType},
        msg16::IdTagInfo,
    },
    point::ChargePoint,
    reply::{Answer, Refusal, read, status},
    time::{Millis, Utc},
    wire::json,
};

/// The profile's name in SupportedFeatureProfiles.
const PROFILE: &str = "LocalAuthListManagement";

/// The list; empty with version 0 at first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LocalList {
    version: i64,
    entries: Vec<(String, IdTagInfo)>,
}

impl LocalList {
    /// What the list says of a tag at this moment, if it names it.
    pub(crate) fn lookup(&self, tag: &str, now: Utc) -> Option<IdTagInfo> {
        let (_, info) = self.entries.iter().find(|(known, _)| known == tag)?;
        Some(auth::at(info, now))
    }

    /// Applies an update whole, or not at all.
    fn update(&mut self, request: SendLocalList, longest: usize) -> UpdateStatus {
        let differential = request.update_type == UpdateType::Differential;
        if request.list_version <= 0 {
            return UpdateStatus::Failed;
        }
        if differential && request.list_version <= self.version {
            return UpdateStatus::VersionMismatch;
        }
        let mut entries = if differential {
            self.entries.clone()
        } else {
            Vec::new()
        };
        for entry in request.local_authorization_list {
            let known = entries.iter().position(|(tag, _)| *tag == entry.id_tag);
            match (entry.id_tag_info, known) {
                // A list that names a tag twice contradicts itself.
                (Some(_), Some(_)) if !differential => return UpdateStatus::Failed,
                (Some(info), Some(at)) => entries[at].1 = info,
                (Some(info), None) => entries.push((entry.id_tag, info)),
                (None, _) if !differential => return UpdateStatus::Failed,
                (None, Some(at)) => {
                    entries.remove(at);
                }
                (None, None) => {}
            }
        }
        if entries.len() > longest {
            return UpdateStatus::Failed;
        }
        *self = Self {
            version: request.list_version,
            entries,
        };
        UpdateStatus::Accepted
    }
}

impl ChargePoint {
    /// What this charge point itself knows of a tag: by its list, or else by its cache.
    pub(crate) fn known_tag(&self, tag: &str, now: Millis) -> Option<IdTagInfo> {
        let utc = self.clock.utc(now);
        let listed = self.config.flag(Key::LocalAuthListEnabled) && self.config.feature(PROFILE);
        let cached = self.config.flag(Key::AuthorizationCacheEnabled);
        let by_list = listed.then(|| self.local_list.lookup(tag, utc)).flatten();
        by_list.or_else(|| cached.then(|| self.cache.lookup(tag, utc)).flatten())
    }

    /// Answers the requests of this profile.
    pub(crate) fn local_list_call(&mut self, action: &str, payload: &str) -> Answer {
        let supported = self.config.feature(PROFILE);
        match action {
            "GetLocalListVersion" => Ok(json(&GetLocalListVersionConf {
                list_version: if supported {
                    self.local_list.version
                } else {
                    -1
                },
            })),
            "SendLocalList" => {
                let request: SendLocalList = read(payload)?;
                Ok(status(self.send_local_list(request, supported).as_str()))
            }
            _ => Err(Refusal::not_implemented(action)),
        }
    }

    fn send_local_list(&mut self, request: SendLocalList, supported: bool) -> UpdateStatus {
        if !supported || !self.config.flag(Key::LocalAuthListEnabled) {
            return UpdateStatus::NotSupported;
        }
        let limit = |key| usize::try_from(self.config.number(key)).unwrap_or(usize::MAX);
        if request.local_authorization_list.len() > limit(Key::SendLocalListMaxLength) {
            return UpdateStatus::Failed;
        }
        let outcome = self
            .local_list
            .update(request, limit(Key::LocalAuthListMaxLength));
        self.dirty |= outcome == UpdateStatus::Accepted;
        outcome
    }

    /// A profile that SupportedFeatureProfiles does not name is not there.
    pub(crate) fn must_have(&self, profile: &str) -> Result<(), Refusal> {
        if self.config.feature(profile) {
            return Ok(());
        }
        Err(Refusal::new(
            "NotSupported",
            format!("no {profile} at this charge point"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::{local_list::AuthorizationData, msg16::TagStatus};

    fn accepted() -> Option<IdTagInfo> {
        Some(IdTagInfo {
            status: TagStatus::Accepted,
            parent_id_tag: None,
            expiry_date: None,
        })
    }

    fn update(version: i64, kind: UpdateType, tags: &[(&str, Option<IdTagInfo>)]) -> SendLocalList {
        SendLocalList {
            list_version: version,
            update_type: kind,
            local_authorization_list: tags
                .iter()
                .map(|(tag, info)| AuthorizationData {
                    id_tag: String::from(*tag),
                    id_tag_info: info.clone(),
                })
                .collect(),
        }
    }

    #[test]
    fn changes_apply_to_the_version_before_and_a_bad_one_changes_nothing() {
        use UpdateType::{Differential, Full};
        let mut list = LocalList::default();
        let steps = [
            (
                update(1, Full, &[("A", accepted()), ("B", accepted())]),
                UpdateStatus::Accepted,
            ),
            (
                update(2, Differential, &[("A", None), ("C", accepted())]),
                UpdateStatus::Accepted,
            ),
            (
                update(2, Differential, &[("D", accepted())]),
                UpdateStatus::VersionMismatch,
            ),
            (update(3, Full, &[("D", None)]), UpdateStatus::Failed),
            (
                update(3, Full, &[("D", accepted()), ("D", accepted())]),
                UpdateStatus::Failed,
            ),
            (update(0, Full, &[]), UpdateStatus::Failed),
            (
                update(3, Differential, &[("D", accepted()), ("E", accepted())]),
                UpdateStatus::Failed,
            ),
        ];
        for (request, expected) in steps {
            assert_eq!(list.update(request, 3), expected);
        }
        assert_eq!(list.version, 2);
        let known = |tag| list.lookup(tag, Utc(0)).is_some();
        assert!(!known("A") && known("B") && known("C") && !known("D"));
    }
}
