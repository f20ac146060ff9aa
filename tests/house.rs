//! The walls of the house (ARCHITECTURE.md, "Invariants"), checked on the sources themselves: who may build on whom,
//! where SQL, clocks and floats may stand, and that every setting is documented.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What each crate may use of ours: in its code, and besides that in its tests.
const EDGES: &[(&str, &[&str], &[&str])] = &[
    ("ocpp", &[], &[]),
    ("service", &[], &[]),
    ("migrations", &[], &[]),
    ("certs", &[], &[]),
    // `service` only behind the feature `testing`: the tests' private cluster.
    ("store", &["migrations"], &["service"]),
    ("evse-core", &[], &["ocpp"]),
    (
        "simulators",
        &["ocpp", "evse-core", "service", "certs"],
        &[],
    ),
    ("billing", &["store", "service"], &["simulators"]),
    (
        "csms",
        &["ocpp", "store", "service", "certs", "billing"],
        &["simulators"],
    ),
    (
        "portal",
        &["store", "service", "billing", "ocpp"],
        &["simulators"],
    ),
    (
        "forecourt",
        &[
            "billing",
            "certs",
            "csms",
            "migrations",
            "portal",
            "service",
            "simulators",
            "store",
        ],
        &["ocpp"],
    ),
];

/// Who alone may build on a library: (library, crates).
const KEEPERS: &[(&str, &[&str])] = &[
    ("sqlx", &["migrations", "store"]),
    ("axum", &["service", "portal"]),
    ("lettre", &["service"]),
];

/// Crates that do no I/O, and what they therefore never use.
const PURE: &[&str] = &["ocpp", "evse-core"];
const NEVER_IN_PURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "sqlx",
    "hyper",
    "reqwest",
    "tokio-tungstenite",
];

/// Folders in which time is an argument.
const CLOCKLESS: &[&str] = &["crates/ocpp/src", "firmware/core/src", "csms/src/ops"];
const CLOCKS: &[&str] = &[
    "Utc::now",
    "Local::now",
    "SystemTime::",
    "Instant::now",
    "Clock::system",
];

/// Folders in which money and energy are counted.
const FLOATLESS: &[&str] = &["crates/store/src", "billing/src"];
/// But for the places of things on paper.
const PLACES: &str = "billing/src/pdf";

#[test]
fn crates_build_only_on_what_they_may() {
    let crates = dependencies();
    let ours: BTreeSet<&str> = crates.keys().map(String::as_str).collect();
    let mut broken = Vec::new();
    for (name, uses) in &crates {
        let Some((_, normal, in_tests)) = EDGES.iter().find(|(edge, ..)| edge == name) else {
            broken.push(format!(
                "{name} is new: give it a row in EDGES and in ARCHITECTURE.md"
            ));
            continue;
        };
        for Dependency { on, kind, optional } in uses {
            let may = match kind.as_str() {
                _ if !ours.contains(on.as_str()) || normal.contains(&on.as_str()) => true,
                "dev" => in_tests.contains(&on.as_str()),
                _ => *optional && in_tests.contains(&on.as_str()),
            };
            if !may {
                broken.push(format!("{name} must not use {on} ({kind})"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn libraries_stay_with_their_keepers() {
    let mut broken = Vec::new();
    for (name, uses) in dependencies() {
        for Dependency { on, kind, .. } in uses {
            if let Some((_, keepers)) = KEEPERS.iter().find(|(library, _)| *library == on)
                && !keepers.contains(&name.as_str())
                && kind != "dev"
            {
                broken.push(format!(
                    "{name} must not use {on}: only {} may",
                    keepers.join(", ")
                ));
            }
            if PURE.contains(&name.as_str())
                && kind != "dev"
                && NEVER_IN_PURE.contains(&on.as_str())
            {
                broken.push(format!("{name} does no I/O and must not use {on}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn sql_is_in_store() {
    // This file, and the launcher's test, which asks the server about itself through psql.
    const MAY: &[&str] = &[
        "crates/store",
        "migrations",
        "tests/house.rs",
        "crates/service/tests/postgres.rs",
    ];
    let hits = lines_with(&sources(), |file, line| {
        !MAY.iter().any(|place| file.starts_with(place))
            && (line.contains("sqlx::") || string_literals(line).any(is_sql))
    });
    assert!(
        hits.is_empty(),
        "SQL outside of crates/store:\n{}",
        hits.join("\n")
    );
}

fn is_sql(text: &str) -> bool {
    let text = text.trim_start().to_lowercase();
    let begins = |start: &str, then: &str| {
        text.strip_prefix(start)
            .is_some_and(|rest| rest.contains(then))
    };
    begins("select ", " from ")
        || begins("insert into ", " ")
        || begins("update ", " set ")
        || begins("delete from ", "")
        || begins("with ", " as (")
}

#[test]
fn the_portal_orders_commands_in_one_place() {
    // Checked, within the viewer's rights, and audited: `orders` sees to all three.
    let hits = lines_with(&sources(), |file, line| {
        file.starts_with("portal/src")
            && !file.ends_with("portal/src/orders.rs")
            && (line.contains("NewCommand") || line.contains("commands::queue("))
    });
    assert!(
        hits.is_empty(),
        "commands beside portal/src/orders.rs:\n{}",
        hits.join("\n")
    );
}

#[test]
fn time_is_an_argument_of_decisions() {
    let hits = lines_with(&sources(), |file, line| {
        CLOCKLESS.iter().any(|folder| file.starts_with(folder))
            && CLOCKS.iter().any(|clock| line.contains(clock))
    });
    assert!(
        hits.is_empty(),
        "a clock where `now` must be an argument:\n{}",
        hits.join("\n")
    );
}

#[test]
fn money_and_energy_are_no_floats() {
    let is_word = |line: &str, word: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|part| part == word)
    };
    let mut hits = lines_with(&sources(), |file, line| {
        FLOATLESS.iter().any(|folder| file.starts_with(folder))
            && !file.to_string_lossy().starts_with(PLACES)
            && (is_word(line, "f32") || is_word(line, "f64"))
    });
    let is_sql = |path: &Path| path.extension().is_some_and(|extension| extension == "sql");
    hits.extend(lines_with(
        &files(Path::new("migrations"), &is_sql),
        |_, line| {
            let line = line.split("--").next().unwrap_or_default().to_lowercase();
            ["real", "float", "float4", "float8", "double"]
                .iter()
                .any(|word| is_word(&line, word))
        },
    ));
    assert!(
        hits.is_empty(),
        "floats where money and energy are counted:\n{}",
        hits.join("\n")
    );
}

#[test]
fn every_setting_is_documented_and_every_documented_one_is_read() {
    let documented: BTreeSet<String> = read(Path::new(".env.example"))
        .lines()
        .filter_map(|line| {
            line.trim_start_matches('#')
                .trim()
                .split_once('=')
                .map(|(name, _)| name.to_owned())
        })
        .filter(|name| is_variable(name))
        .collect();
    let mut used = BTreeMap::new();
    for file in sources() {
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        // Tests below the code name variables that do not exist.
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in variables(code) {
            used.entry(name).or_insert_with(|| file.clone());
        }
    }
    let undocumented: Vec<_> = used
        .iter()
        .filter(|(name, _)| !documented.contains(*name))
        .collect();
    let unread: Vec<_> = documented
        .iter()
        .filter(|name| !used.contains_key(*name))
        .collect();
    assert!(
        undocumented.is_empty(),
        "read, but not in .env.example: {undocumented:?}"
    );
    assert!(
        unread.is_empty(),
        "in .env.example, but read nowhere: {unread:?}"
    );
    assert!(
        used.len() > 10,
        "the search for settings found only {used:?}"
    );
}

/// Every row of the list of quirks names tests that there are, by the number of the row.
#[test]
fn every_quirk_has_its_tests() {
    let text = read(Path::new("docs/ocpp-quirks.md"));
    let code: String = sources().iter().map(|file| read(file)).collect();
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let Ok(number) = cells[0].trim_start_matches("| ").parse::<u32>() else {
            continue;
        };
        rows += 1;
        assert_eq!(number, rows, "the rows are in order");
        let shown = cells.last().expect("a cell").split('`');
        let tests: Vec<&str> = shown.filter(|name| name.starts_with("quirk_")).collect();
        assert!(!tests.is_empty(), "row {number} names no test");
        for test in tests {
            assert!(
                test.contains(&format!("{number:02}_")),
                "row {number}: {test}"
            );
            assert!(
                code.contains(&format!("fn {test}(")),
                "row {number}: no test {test}"
            );
        }
    }
    assert_eq!(rows, 58);
}

#[test]
fn files_say_what_they_are() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|file| !read(file).starts_with("//!"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(
        silent.is_empty(),
        "these files do not open with `//!`:\n{}",
        silent.join("\n")
    );
}

/// One entry of a crate's manifest.
struct Dependency {
    on: String,
    /// `normal`, `dev` or `build`.
    kind: String,
    optional: bool,
}

/// Each workspace crate's dependencies, from cargo itself.
fn dependencies() -> BTreeMap<String, Vec<Dependency>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("run cargo metadata");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"].as_array().expect("dependencies");
            let uses = uses.iter().map(|dependency| Dependency {
                on: text(&dependency["name"]),
                kind: dependency["kind"].as_str().unwrap_or("normal").to_owned(),
                optional: dependency["optional"] == true,
            });
            (text(&package["name"]), uses.collect())
        })
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file))
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every Rust file of the workspace, relative to its root.
fn sources() -> Vec<PathBuf> {
    let is_rust = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
    let found = files(Path::new(""), &is_rust);
    assert!(found.len() > 40, "found only {} sources", found.len());
    found
}

fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(root().join(folder))
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("list a folder");
        let path = folder.join(entry.file_name());
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().expect("ask for a file's type").is_dir() {
            if !name.starts_with('.')
                && !["target", "node_modules", "data", "artefacts"].contains(&name.as_ref())
            {
                found.extend(files(&path, wanted));
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `file:line: text` of every line of code that is a hit; comments are no code.
fn lines_with(files: &[PathBuf], hit: impl Fn(&Path, &str) -> bool) -> Vec<String> {
    let mut hits = Vec::new();
    for file in files {
        for (number, line) in read(file).lines().enumerate() {
            if !line.trim_start().starts_with("//") && hit(file, line) {
                hits.push(format!(
                    "{}:{}: {}",
                    file.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    hits
}

/// What stands between quotes on a line; escapes are of no interest here.
fn string_literals(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

fn is_variable(name: &str) -> bool {
    name.len() > 2
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The environment variables that `code` reads: the first argument of `env.or("X", …)`, `env::var("X")` and their like.
fn variables(code: &str) -> Vec<String> {
    const READERS: &[&str] = &[
        "env.text",
        "env.read",
        "env.secret",
        "env.or",
        "env.choice",
        "env.flag",
        "env.list",
        "env.days",
        "env.count",
        "env::var",
        "env::var_os",
    ];
    const LONGEST: usize = "env::var_os".len();
    const THE_SYSTEMS_OWN: &[&str] = &["PATH", "HOME", "TMPDIR"];
    let mut names = Vec::new();
    for (at, _) in code.match_indices('"') {
        let Some((name, _)) = code[at + 1..].split_once('"') else {
            continue;
        };
        // rustfmt breaks long calls anywhere: spaces mean nothing.
        let visible = code[..at].chars().rev().filter(|c| !c.is_whitespace());
        let before: String = visible
            .take(LONGEST + 1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let call = before.strip_suffix('(').unwrap_or_default();
        let read = READERS.iter().any(|reader| call.ends_with(reader));
        if read && is_variable(name) && !THE_SYSTEMS_OWN.contains(&name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn the_search_for_settings_sees_what_it_should() {
    let code = r#"env.or("A_B", 1, "x"); env.secret(
        "DATABASE_URL", "…"); std::env::var_os("FORECOURT_PG_BIN"); other("NOT_ONE"); env::var("PATH")"#;
    assert_eq!(variables(code), ["A_B", "DATABASE_URL", "FORECOURT_PG_BIN"]);
}
