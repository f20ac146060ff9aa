//! `evsim analyze`: what a trace holds, by action: how many, how fast answered, what was refused.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use serde_json::Value;

use super::trace_lines::{self, Line};

/// The trace to read, and how to tell of it.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  evsim run --id CP001 --sessions 1 --speed max --trace out.jsonl
  evsim analyze out.jsonl
  evsim analyze out.jsonl --split-by connector --format html > out.html")]
pub struct Args {
    /// A trace, JSON lines.
    pub trace: PathBuf,
    /// How it is told.
    #[arg(long, default_value = "markdown")]
    pub format: Format,
    /// A table for each of these instead of one for all.
    #[arg(long)]
    pub split_by: Option<SplitBy>,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables in Markdown.
    Markdown,
    /// A page.
    Html,
}

/// What a report is split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitBy {
    /// The connectorId of the message.
    Connector,
}

/// The key of a row: group, who asked, action.
type Key = (String, &'static str, String);

/// One action of one side.
#[derive(Debug, Default)]
struct Row {
    calls: usize,
    results: usize,
    errors: usize,
    latencies_ms: Vec<i64>,
}

/// A refused message.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    at: String,
    action: String,
    code: String,
    words: String,
}

#[derive(Debug, Default)]
struct Report {
    frames: usize,
    unreadable: usize,
    from: Option<evse_core::Utc>,
    to: Option<evse_core::Utc>,
    rows: BTreeMap<Key, Row>,
    refused: Vec<Refused>,
}

/// Reads a trace and writes the report.
pub fn analyze(args: &Args) -> anyhow::Result<String> {
    let lines = trace_lines::read(&args.trace)?;
    let report = report(&lines, args.split_by);
    Ok(match args.format {
        Format::Markdown => markdown(&report),
        Format::Html => html(&report),
    })
}

fn group(line: &Line, split: Option<SplitBy>) -> String {
    match split {
        None => String::new(),
        Some(SplitBy::Connector) => {
            let connector = line
                .payload
                .as_ref()
                .and_then(|payload| payload["connectorId"].as_i64());
            connector.map_or_else(|| "none".to_owned(), |connector| connector.to_string())
        }
    }
}

fn report(lines: &[Line], split: Option<SplitBy>) -> Report {
    let mut report = Report {
        frames: lines.len(),
        from: lines.iter().map(|line| line.timestamp).min(),
        to: lines.iter().map(|line| line.timestamp).max(),
        ..Report::default()
    };
    // Open CALLs: who asked and the id, to the row and the time.
    let mut open: BTreeMap<(bool, &str), (Key, i64)> = BTreeMap::new();
    for line in lines {
        let id = line.message_id.as_deref().unwrap_or_default();
        match line.message_type.as_str() {
            "CALL" => {
                let asker = if line.of_station() {
                    "station"
                } else {
                    "server"
                };
                let key = (
                    group(line, split),
                    asker,
                    line.action.clone().unwrap_or_default(),
                );
                report.rows.entry(key.clone()).or_default().calls += 1;
                open.insert((line.of_station(), id), (key, line.timestamp.0));
            }
            "CALLRESULT" | "CALLERROR" => {
                let Some((key, asked)) = open.remove(&(!line.of_station(), id)) else {
                    continue;
                };
                let row = report.rows.entry(key.clone()).or_default();
                row.latencies_ms.push(line.timestamp.0 - asked);
                if line.message_type == "CALLRESULT" {
                    row.results += 1;
                } else {
                    row.errors += 1;
                    report.refused.push(refused(line, &key.2));
                }
            }
            _ => report.unreadable += 1,
        }
    }
    report
}

fn refused(line: &Line, action: &str) -> Refused {
    let raw: Value = serde_json::from_str(&line.raw).unwrap_or_default();
    let word = |at: usize| raw[at].as_str().unwrap_or_default().to_owned();
    Refused {
        at: line.timestamp.to_string(),
        action: action.to_owned(),
        code: word(2),
        words: word(3),
    }
}

/// The value that so many per cent are not above.
fn percentile(sorted: &[i64], percent: usize) -> String {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted
        .get(at)
        .map_or_else(|| "–".to_owned(), ToString::to_string)
}

const HEAD: [&str; 9] = [
    "Asked by",
    "Action",
    "Calls",
    "Results",
    "Errors",
    "Unanswered",
    "p50 ms",
    "p95 ms",
    "Max ms",
];

fn cells(key: &Key, row: &Row) -> [String; 9] {
    let mut sorted = row.latencies_ms.clone();
    sorted.sort_unstable();
    let unanswered = row.calls.saturating_sub(row.results + row.errors);
    [
        key.1.to_owned(),
        key.2.clone(),
        row.calls.to_string(),
        row.results.to_string(),
        row.errors.to_string(),
        unanswered.to_string(),
        percentile(&sorted, 50),
        percentile(&sorted, 95),
        percentile(&sorted, 100),
    ]
}

/// The tables: the name of each group, and its lines of cells.
fn tables(report: &Report) -> Vec<(String, Vec<[String; 9]>)> {
    let mut tables: Vec<(String, Vec<[String; 9]>)> = Vec::new();
    for (key, row) in &report.rows {
        let name = match key.0.as_str() {
            "" => "Messages".to_owned(),
            "none" => "Without a connector".to_owned(),
            connector => format!("Connector {connector}"),
        };
        if tables.last().is_none_or(|(last, _)| *last != name) {
            tables.push((name, Vec::new()));
        }
        if let Some((_, lines)) = tables.last_mut() {
            lines.push(cells(key, row));
        }
    }
    tables
}

fn summary(report: &Report) -> String {
    let time = |at: Option<evse_core::Utc>| at.map_or_else(|| "–".to_owned(), |at| at.to_string());
    format!(
        "{} frames from {} to {}, {} unreadable, {} refused",
        report.frames,
        time(report.from),
        time(report.to),
        report.unreadable,
        report.refused.len()
    )
}

fn markdown(report: &Report) -> String {
    let mut out = format!("# Trace\n\n{}\n", summary(report));
    for (name, lines) in tables(report) {
        let _ = writeln!(
            out,
            "\n## {name}\n\n| {} |\n|{}",
            HEAD.join(" | "),
            "---|".repeat(HEAD.len())
        );
        for cells in lines {
            let _ = writeln!(
                out,
                "| {} |",
                cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
            );
        }
    }
    if !report.refused.is_empty() {
        out.push_str("\n## Refused\n\n");
        for refused in &report.refused {
            let _ = writeln!(
                out,
                "- {} {}: {} {}",
                refused.at, refused.action, refused.code, refused.words
            );
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn html(report: &Report) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Trace</title>\n<style>\
         body{{font:16px/1.5 system-ui,sans-serif;margin:2rem}}\
         table{{border-collapse:collapse}}th,td{{padding:.2rem .8rem;border-bottom:1px solid #ccc;text-align:left}}\
         </style></head><body>\n<h1>Trace</h1>\n<p>{}</p>\n",
        escaped(&summary(report))
    );
    for (name, lines) in tables(report) {
        let head: String = HEAD
            .map(|cell| format!("<th scope=\"col\">{cell}</th>"))
            .concat();
        let _ = writeln!(
            out,
            "<h2>{}</h2>\n<table><thead><tr>{head}</tr></thead><tbody>",
            escaped(&name)
        );
        for cells in lines {
            let cells: String = cells
                .map(|cell| format!("<td>{}</td>", escaped(&cell)))
                .concat();
            let _ = writeln!(out, "<tr>{cells}</tr>");
        }
        out.push_str("</tbody></table>\n");
    }
    if !report.refused.is_empty() {
        out.push_str("<h2>Refused</h2>\n<ul>\n");
        for refused in &report.refused {
            let text = format!(
                "{} {}: {} {}",
                refused.at, refused.action, refused.code, refused.words
            );
            let _ = writeln!(out, "<li>{}</li>", escaped(&text));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</body></html>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Direction, trace::Tracer};
    use evse_core::Utc;

    fn lines() -> Vec<Line> {
        let mut tracer = Tracer::default();
        [
            (
                0,
                Direction::Out,
                r#"[2,"1","StatusNotification",{"connectorId":1}]"#,
            ),
            (40, Direction::In, r#"[3,"1",{}]"#),
            (
                50,
                Direction::Out,
                r#"[2,"2","StatusNotification",{"connectorId":2}]"#,
            ),
            (150, Direction::In, r#"[4,"2","InternalError","<away>",{}]"#),
            (160, Direction::In, r#"[2,"a","Reset",{"type":"Soft"}]"#),
            (170, Direction::Out, "nonsense"),
        ]
        .map(|(at, direction, raw)| {
            serde_json::from_str(&tracer.line(Utc(at), direction, raw)).expect("a line")
        })
        .to_vec()
    }

    #[test]
    fn a_row_counts_and_times_its_answers() {
        let text = markdown(&report(&lines(), None));
        assert!(
            text.contains("| station | StatusNotification | 2 | 1 | 1 | 0 | 40 | 100 | 100 |"),
            "{text}"
        );
        assert!(
            text.contains("| server | Reset | 1 | 0 | 0 | 1 | – | – | – |"),
            "{text}"
        );
        assert!(
            text.contains("6 frames") && text.contains("1 unreadable"),
            "{text}"
        );
        assert!(
            text.contains("StatusNotification: InternalError <away>"),
            "{text}"
        );
    }

    #[test]
    fn a_page_escapes_and_splits_by_connector() {
        let text = html(&report(&lines(), Some(SplitBy::Connector)));
        assert!(text.contains("InternalError &lt;away&gt;"), "{text}");
        for name in ["Connector 1", "Connector 2", "Without a connector"] {
            assert!(
                text.contains(&format!("<h2>{name}</h2>")),
                "{name} in {text}"
            );
        }
    }
}
