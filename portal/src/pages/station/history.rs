//! The tab History of a station: what happened to it in one line of time, newest first. Of what its connectors said only
//! faults are shown, unless all of it is asked for.

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde_json::Value;
use store::{
    Scoped,
    station_history::{self, Edit, Entry, Status, What},
};

use super::Head;
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    live::Part,
    pages::{
        asked::{Parameters, query},
        frame::Frame,
        html,
    },
    view::{Chip, Moment, number},
};

/// Lines on one page.
const PAGE: usize = 100;

/// What can be shown, by its name in the URL and in words.
const KINDS: [(&str, &str); 4] = [
    ("faults", "Faults"),
    ("statuses", "All states"),
    ("connections", "Connections and boots"),
    ("edits", "Changes by people"),
];

/// What the tab was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    /// Of [`KINDS`]; none is the usual choice.
    kind: Option<&'static str>,
    before: Option<DateTime<Utc>>,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self> {
        let names = KINDS.map(|kind| kind.0);
        let expected = format!("one of {}", names.join(", "));
        Ok(Asked {
            kind: parameters.read("show", &expected, |text| {
                names.into_iter().find(|name| *name == text)
            })?,
            before: parameters.instant("before", false)?,
        })
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        pairs.extend(self.kind.map(|kind| ("show", kind.to_owned())));
        pairs.extend(self.before.map(|before| ("before", before.to_rfc3339())));
        pairs
    }

    fn shows(&self, kind: &str) -> bool {
        self.kind.is_none_or(|asked| asked == kind)
    }
}

#[derive(Template)]
#[template(path = "station_history.html", blocks = ["list"])]
struct History {
    frame: Frame,
    head: Head,
    choices: Vec<Choice>,
    lines: Vec<Line>,
    newest_link: Option<String>,
    older_link: Option<String>,
}

/// A way to see something else.
struct Choice {
    title: &'static str,
    link: String,
    current: bool,
}

struct Line {
    at: Moment,
    chip: Option<Chip>,
    what: String,
    detail: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/stations/{identity}/history",
        Access::Read,
        page,
    )]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
    parameters: Parameters,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, "history").await?;
    html(&load(&mut db, frame, head, &parameters).await?)
}

/// What of it changes by itself.
pub(super) async fn parts(
    db: &mut Scoped<'_>,
    frame: Frame,
    head: Head,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    let page = load(db, frame, head, parameters).await?;
    Ok(vec![Part::render("history", &page.as_list())?])
}

async fn load(
    db: &mut Scoped<'_>,
    frame: Frame,
    mut head: Head,
    parameters: &Parameters,
) -> Result<History> {
    let asked = Asked::read(parameters)?;
    let station = head.station.id;
    head.live_query = query(&asked.pairs()).replacen('?', "&", 1);
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let all = asked.kind == Some("statuses");
    if all || asked.shows("faults") {
        found.extend(station_history::statuses(db, station, !all, asked.before, limit).await?);
    }
    if asked.shows("connections") {
        found.extend(station_history::comings(db, station, asked.before, limit).await?);
    }
    if asked.shows("edits") {
        found.extend(station_history::edits(db, station, asked.before, limit).await?);
    }
    found.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let link = |kind: Option<&'static str>, before: Option<DateTime<Utc>>| {
        let asked = Asked { kind, before };
        format!("{}{}", head.below("history"), query(&asked.pairs()))
    };
    let mut choices = vec![Choice {
        title: "Faults, connections, changes",
        link: link(None, None),
        current: asked.kind.is_none(),
    }];
    choices.extend(KINDS.map(|(kind, title)| Choice {
        title,
        link: link(Some(kind), None),
        current: asked.kind == Some(kind),
    }));
    Ok(History {
        choices,
        newest_link: asked.before.map(|_| link(asked.kind, None)),
        older_link: found
            .last()
            .filter(|_| more)
            .map(|last| link(asked.kind, Some(last.at))),
        lines: found.iter().map(|entry| line(entry, head.zone())).collect(),
        frame,
        head,
    })
}

fn line(entry: &Entry, zone: Option<&str>) -> Line {
    let (chip, what, detail) = match &entry.what {
        What::Status(status) => (
            Some(Chip::connector(&status.status)),
            whose(status.connector),
            said(status),
        ),
        What::Connected {
            protocol,
            address,
            gone_since,
        } => {
            let gone = gone_since
                .map(|gone| format!("after {} of absence", number::spell(entry.at - gone)));
            let from = (!address.is_empty()).then(|| format!("from {address}"));
            let words = [gone, from, Some(protocol.clone())];
            let said: Vec<String> = words.into_iter().flatten().collect();
            (
                Some(Chip::presence(true)),
                "Connected".to_owned(),
                said.join(" · "),
            )
        }
        What::Disconnected => (
            Some(Chip::presence(false)),
            "Disconnected".to_owned(),
            String::new(),
        ),
        What::Booted { what, accepted } => {
            let verdict = if *accepted {
                "accepted"
            } else {
                "not accepted"
            };
            (None, "Booted".to_owned(), format!("{what} · {verdict}"))
        }
        What::Edit(edit) => (None, done(edit), changed(edit)),
    };
    Line {
        at: Moment::new(entry.at, zone),
        chip,
        what,
        detail,
    }
}

fn whose(connector: i32) -> String {
    if connector == 0 {
        "The station as a whole".to_owned()
    } else {
        format!("Connector {connector}")
    }
}

fn said(status: &Status) -> String {
    let error = (status.error_code != "NoError").then(|| status.error_code.clone());
    [error, status.vendor_error_code.clone(), status.info.clone()]
        .into_iter()
        .flatten()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" · ")
}

/// What was done: of a command, which.
fn done(edit: &Edit) -> String {
    let asked = edit.detail["action"].as_str().unwrap_or_default();
    match edit.action.as_str() {
        "command.queue" => format!("{asked} ordered"),
        "command.raw" => format!("{asked} ordered as JSON"),
        "command.rerun" => format!("{asked} ordered once more"),
        "command.cancel" => format!("{asked} taken back"),
        other => in_words(other),
    }
}

/// An action of the audit log for people: `station.change` as `Station change`.
fn in_words(action: &str) -> String {
    let words = action.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// What was changed and by whom.
fn changed(edit: &Edit) -> String {
    let by = match (&edit.actor, edit.actor_kind.as_str()) {
        (Some(name), "api_key") => format!("by the key {name}"),
        (Some(name), _) => format!("by {name}"),
        (None, "cli") => "at the command line".to_owned(),
        (None, "system") => "by the product itself".to_owned(),
        (None, _) => "by somebody who is gone".to_owned(),
    };
    let what = difference(&edit.detail);
    if what.is_empty() {
        by
    } else {
        format!("{what} · {by}")
    }
}

/// What is said in what was done, or nobody reads.
const UNTOLD: [&str; 5] = ["action", "command", "task", "job", "rerun_of"];

/// The detail of an audit entry in words. Of a whole before and a whole after, only what differs.
fn difference(detail: &Value) -> String {
    let listed = |words: Vec<String>| words.join(", ");
    let Some(fields) = detail.as_object() else {
        return String::new();
    };
    if let (Some(Value::Object(before)), Some(Value::Object(after))) =
        (fields.get("before"), fields.get("after"))
    {
        let changed = after
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(value))
            .map(|(name, value)| {
                let old = before.get(name).map_or_else(String::new, plainly);
                format!("{name}: {old} → {}", plainly(value))
            });
        return listed(changed.collect());
    }
    let told = fields
        .iter()
        .filter(|(name, value)| !value.is_null() && !UNTOLD.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", plainly(value)));
    listed(told.collect())
}

/// A value of the audit log: `{"before": a, "after": b}` as `a → b`.
fn plainly(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        Value::Object(pair) if pair.len() == 2 && pair.contains_key("before") => format!(
            "{} → {}",
            plainly(&pair["before"]),
            pair.get("after").map_or_else(String::new, plainly)
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_reads_as_people_say_it() {
        let edit = Edit {
            actor_kind: "user".to_owned(),
            actor: Some("Mara".to_owned()),
            action: "station.change".to_owned(),
            detail: json!({"registration": {"before": "pending", "after": "accepted"}}),
        };
        assert_eq!(in_words(&edit.action), "Station change");
        assert_eq!(changed(&edit), "registration: pending → accepted · by Mara");
        let gone = Edit {
            actor: None,
            detail: json!({}),
            ..edit
        };
        assert_eq!(changed(&gone), "by somebody who is gone");
        let order = json!({"command": "1", "action": "ChangeConfiguration", "task": null,
            "before": {"HeartbeatInterval": null}, "after": {"HeartbeatInterval": "60"}});
        assert_eq!(difference(&order), "HeartbeatInterval: nothing → 60");
        let reset = Edit {
            actor_kind: "cli".to_owned(),
            actor: None,
            action: "command.queue".to_owned(),
            detail: json!({"command": "1", "action": "Reset", "payload": {"type": "Soft"}, "before": null}),
        };
        assert_eq!(done(&reset), "Reset ordered");
        assert_eq!(
            changed(&reset),
            "payload: {\"type\":\"Soft\"} · at the command line"
        );
        let whole = json!({"before": {"site": "A", "strict": false}, "after": {"site": null, "strict": false}});
        assert_eq!(difference(&whole), "site: A → nothing");
    }
}
