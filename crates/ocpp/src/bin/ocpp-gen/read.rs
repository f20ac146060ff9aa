//! Reads JSON Schema files. A keyword it does not know is an error: nothing of a schema is passed over unseen.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Number;

/// The part of JSON Schema that the OCA uses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Schema {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub properties: Properties,
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(rename = "enum")]
    pub choices: Option<Vec<String>>,
    pub items: Option<Box<Schema>>,
    pub max_length: Option<usize>,
    #[serde(default)]
    pub min_items: usize,
    pub format: Option<String>,
    pub multiple_of: Option<Number>,
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    #[serde(default)]
    pub definitions: BTreeMap<String, Schema>,
    #[serde(default, rename = "$schema")]
    _dialect: IgnoredAny,
    #[serde(default, rename = "$id")]
    _id: IgnoredAny,
    #[serde(default, rename = "title")]
    _title: IgnoredAny,
    #[serde(default, rename = "javaType")]
    _java_type: IgnoredAny,
    #[serde(default, rename = "additionalProperties")]
    _additional_properties: IgnoredAny,
    #[serde(default, rename = "additionalItems")]
    _additional_items: IgnoredAny,
}

/// Properties in the order of the file, which is the order of the standard's tables.
#[derive(Debug, Default)]
pub struct Properties(pub Vec<(String, Schema)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut properties = Vec::new();
                while let Some(property) = map.next_entry()? {
                    properties.push(property);
                }
                Ok(Properties(properties))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Every schema of a folder by file name without `.json`.
pub fn folder(folder: &Path) -> Result<BTreeMap<String, Schema>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut schemas = BTreeMap::new();
    for entry in entries {
        let path = entry
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .path();
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".json"))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let schema =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        schemas.insert(name.to_owned(), schema);
    }
    Ok(schemas)
}
