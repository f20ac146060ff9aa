//! docs/ocpp-conformance.md: every test that it names exists, and no message, case or scenario is missing from it. And every
//! case looks at what the server keeps.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use ocpp::{Version, schema};

const DOCUMENT: &str = "docs/ocpp-conformance.md";
const SCENARIOS: &str = "simulators/scenarios";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    fs::read_to_string(root().join(DOCUMENT)).unwrap()
}

/// The cells of every row of a table, heads and rules left out.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("|--"));
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands between backticks in the last cell of the rows: tests and scenarios.
fn named(text: &str) -> BTreeSet<&str> {
    let cells = rows(text)
        .into_iter()
        .filter_map(|cells| cells.last().copied());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "data", "artefacts"].contains(&name.as_str()) {
                files(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

#[test]
fn house_every_named_test_exists() {
    let text = document();
    let mut sources = Vec::new();
    files(root(), "rs", &mut sources);
    let functions: BTreeSet<String> = sources
        .iter()
        .flat_map(|path| {
            let code = fs::read_to_string(path).unwrap();
            let functions = code.lines().filter_map(|line| line.split_once("fn "));
            let names =
                functions.filter_map(|(_, after)| Some(after.split_once('(')?.0.to_owned()));
            names.collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<&str> = named(&text)
        .into_iter()
        .filter(|name| match name.ends_with(".toml") {
            true => !root().join(SCENARIOS).join(name).is_file(),
            // A path into the sources or another document is no test.
            false => !name.contains(['/', ':', '.']) && !functions.contains(*name),
        })
        .collect();
    assert!(
        missing.is_empty(),
        "{DOCUMENT} names what is not there: {missing:?}"
    );
}

#[test]
fn house_every_row_has_a_test_or_says_why_not() {
    let text = document();
    let bare: Vec<String> = rows(&text)
        .into_iter()
        .filter(|cells| {
            let last = cells.last().copied().unwrap_or_default();
            let head = ["tests", "scenario", "tests, or why not"].contains(&last);
            let told = last.contains('`') || last.starts_with("Deviation:");
            !head && !told
        })
        .map(|cells| cells.join(" | "))
        .collect();
    assert!(
        bare.is_empty(),
        "neither a test nor a deviation:\n{}",
        bare.join("\n")
    );
}

#[test]
fn house_every_message_and_every_scenario_is_listed() {
    let text = document();
    let first: BTreeSet<&str> = rows(&text).iter().map(|cells| cells[0]).collect();
    let messages = schema::messages(Version::V16)
        .iter()
        .map(|message| message.action);
    let unlisted: Vec<&str> = messages.filter(|action| !first.contains(action)).collect();
    assert!(unlisted.is_empty(), "{DOCUMENT} has no row of {unlisted:?}");

    let listed = named(&text);
    let folder = root().join(SCENARIOS);
    let mut found = Vec::new();
    files(&folder, "toml", &mut found);
    let names = found.iter().map(|path| path.strip_prefix(&folder).unwrap());
    let names = names.map(|path| path.to_string_lossy().into_owned());
    let unlisted: Vec<String> = names
        .filter(|name| !listed.contains(name.as_str()))
        .collect();
    assert!(unlisted.is_empty(), "{DOCUMENT} does not list {unlisted:?}");
}

/// What is seen on the wire alone may be forgotten a moment later. (A command's row is read by its step.)
#[test]
fn house_every_case_reads_rows_through_the_api() {
    let mut found = Vec::new();
    files(&root().join(SCENARIOS).join("16"), "toml", &mut found);
    let blind: Vec<String> = found
        .iter()
        .filter(|path| {
            let case = fs::read_to_string(path).unwrap();
            !["{ api = { get = ", "{ command = "]
                .iter()
                .any(|step| case.contains(step))
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(blind.is_empty(), "these read no row: {blind:?}");
}
