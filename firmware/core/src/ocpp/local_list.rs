//! The messages of the profile LocalAuthListManagement.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{msg16::IdTagInfo, words::words};

words! {
    /// UpdateType of a list.
    UpdateType {
        /// Changes to the list that is there.
        Differential = "Differential",
        /// The whole list.
        Full = "Full",
    }
}

words! {
    /// UpdateStatus: what became of a list.
    UpdateStatus {
        /// It is in use.
        Accepted = "Accepted",
        /// It is not; the old one is.
        Failed = "Failed",
        /// There are no local lists here.
        NotSupported = "NotSupported",
        /// A differential update of another version than ours.
        VersionMismatch = "VersionMismatch",
    }
}

/// SendLocalList.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendLocalList {
    /// The version that results.
    pub list_version: i64,
    /// Its tags, or the changes.
    #[serde(default)]
    pub local_authorization_list: Vec<AuthorizationData>,
    /// Which of the two.
    pub update_type: UpdateType,
}

/// One tag of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationData {
    /// The tag.
    pub id_tag: String,
    /// What it may do; absent in a differential update: the tag goes.
    #[serde(default)]
    pub id_tag_info: Option<IdTagInfo>,
}

/// GetLocalListVersion.conf
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetLocalListVersionConf {
    /// 0: empty; -1: not supported.
    pub list_version: i64,
}
