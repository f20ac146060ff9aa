//! Messages of the Local Auth List Management profile.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use serde::{Deserialize, Serialize};

use super::{AuthorizationData, UpdateStatus, UpdateType};
use crate::salvage::{objects, required, scalar};

/// `GetLocalListVersion.req`: we ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetLocalListVersionRequest {}

/// `GetLocalListVersion.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetLocalListVersionResponse {
    /// `listVersion`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub list_version: Option<i64>,
}

/// `SendLocalList.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendLocalListRequest {
    /// `listVersion`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub list_version: i64,
    /// `localAuthorizationList`: a list.
    #[serde(
        default,
        deserialize_with = "objects",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub local_authorization_list: Vec<AuthorizationData>,
    /// `updateType`, required: one of a list.
    pub update_type: UpdateType,
}

/// `SendLocalList.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SendLocalListResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<UpdateStatus>,
}
