//! Reading traces: one JSON object a line, as [`crate::trace`] writes them.

use std::{fs, path::Path};

use anyhow::Context as _;
use evse_core::Utc;
use serde::Deserialize;
use serde_json::Value;

/// One frame of a trace.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) timestamp: Utc,
    pub(super) direction: String,
    pub(super) message_type: String,
    #[serde(default)]
    pub(super) message_id: Option<String>,
    #[serde(default)]
    pub(super) action: Option<String>,
    #[serde(default)]
    pub(super) payload: Option<Value>,
    pub(super) raw: String,
}

impl Line {
    /// Whether the station said it.
    pub(super) fn of_station(&self) -> bool {
        self.direction == "cp-to-csms"
    }
}

/// Every line of a trace; an error names the line.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Line>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}:{}: no line of a trace", path.display(), number + 1))
        })
        .collect()
}
