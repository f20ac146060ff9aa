//! Steps that ask the API, and what a scenario remembers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::scenario::file::Length;

/// Asks the API; a GET is repeated until what it answers is what is expected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiStep {
    /// The request and what must come of it.
    pub api: Request,
}

/// One request. Exactly one method with its path; a whole URL is asked without the key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// GET this path.
    pub get: Option<String>,
    /// POST to this path.
    pub post: Option<String>,
    /// PUT to this path.
    pub put: Option<String>,
    /// PATCH this path.
    pub patch: Option<String>,
    /// DELETE this path.
    pub delete: Option<String>,
    /// The JSON body.
    pub body: Option<Value>,
    /// A body of text.
    pub text: Option<String>,
    /// The status that must come; otherwise any from 200 to 299.
    pub status: Option<u16>,
    /// What must come; it may have more.
    pub expect: Option<Value>,
    /// Values to remember, by their paths.
    pub save: BTreeMap<String, String>,
    /// How long a GET is repeated.
    pub timeout: Option<Length>,
}

impl Request {
    /// The method and the path, if there is exactly one.
    pub(in crate::scenario) fn target(&self) -> Option<(&'static str, &str)> {
        let all = [
            ("GET", &self.get),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
        ];
        let mut given = all
            .iter()
            .filter_map(|(method, path)| Some((*method, path.as_deref()?)));
        let only = given.next()?;
        given.next().is_none().then_some(only)
    }
}

/// Remembers values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// By name.
    pub set: BTreeMap<String, Value>,
}

/// Makes a new key, remembered as `${key}`, and a request to have it certified, remembered as `${csr}`; both PEM.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csr {
    /// For whom.
    pub csr: Subject,
}

/// The subject of a certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The common name.
    pub cn: String,
    /// The organisation.
    pub o: String,
}
