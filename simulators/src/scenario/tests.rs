//! Files that are good, files that are not, and the published schema.

use std::path::{Path, PathBuf};

use super::{Scenario, schema};

const HEAD: &str = "schema = 1\nname = \"x\"\n";

#[track_caller]
fn says(text: &str, expected: &[&str]) {
    let problems = Scenario::parse(Path::new("x.toml"), text).unwrap_err();
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let said = said.join("\n");
    for part in expected {
        assert!(said.contains(part), "{part:?} in {said}");
    }
}

#[test]
fn a_wrong_key_names_its_line_and_what_was_expected() {
    says(
        &format!("{HEAD}nme = 1\nsteps = []"),
        &["x.toml:3: unknown field `nme`", "`name`"],
    );
    says(
        &format!(
            "{HEAD}steps = [\n  {{ connect = {{}} }},\n  {{ boot = \"Accepted\", aswer = {{}} }},\n]"
        ),
        &["x.toml:5: boot: unknown field `aswer`", "`answer`"],
    );
    says(
        &format!("{HEAD}steps = [\n  {{ connect = {{ pasword = \"x\" }} }},\n]"),
        &["x.toml:4: connect: unknown field `pasword`", "`password`"],
    );
    says(
        &format!("{HEAD}steps = [{{ plugg = 1 }}]"),
        &["x.toml:3: a step of the keys plugg", "connect"],
    );
    says(
        &format!("{HEAD}steps = [{{ raw = \"x\", call = \"Heartbeat\" }}]"),
        &["x.toml:3:", "call and raw cannot stand together"],
    );
    says(
        &format!("{HEAD}steps = []\nassert = [{{ present = \"Heartbeat\" }}]"),
        &["x.toml:4: unknown field `present`"],
    );
    says(
        "schema = 2\nname = \"x\"\nsteps = []",
        &["schema = 2: expected 1"],
    );
    says(
        &format!("{HEAD}steps = [{{ boot = \"Accepted\", timeout = \"soon\" }}]"),
        &["x.toml:3:", "`soon`: expected a duration"],
    );
    says("not toml", &["x.toml:1:"]);
}

#[test]
fn what_can_be_known_before_is_said_before() {
    let step = |step: &str| format!("{HEAD}steps = [\n  {step},\n]");
    for (text, expected) in [
        (r#"{ call = "Heartbeet" }"#, "no action \"Heartbeet\""),
        (r#"{ call = "Reset" }"#, "Reset is not sent by a station"),
        (
            r#"{ expect_call = "Heartbeat" }"#,
            "Heartbeat is not sent by the server",
        ),
        (
            r#"{ call = "Heartbeat", payload = { a = "${b}" } }"#,
            "`${b}` is not set before this",
        ),
        (
            r#"{ call = "Heartbeat", answer = { a = { "$gte" = 1 } } }"#,
            "`$gte` is no operator",
        ),
        (
            r#"{ call = "Heartbeat", save = { a = "currentTime" } }"#,
            "expected a path",
        ),
        (
            r#"{ api = { get = "/a", post = "/b" } }"#,
            "expected exactly one of get",
        ),
        (
            r#"{ expect_call = "Reset", reply = "Accepted", error = { code = "InternalError" } }"#,
            "reply and error",
        ),
    ] {
        says(&step(text), &["x.toml:4:", expected]);
    }
    says(
        &format!("{HEAD}steps = []\nassert = [{{ order = [\"Heartbeet\"] }}, {{ times = 1 }}]"),
        &["no action \"Heartbeet\"", "says one thing"],
    );
}

#[test]
fn a_world_that_cannot_be_is_said_before() {
    let world = |step: &str, rest: &str| {
        format!("{HEAD}steps = [\n  {step},\n]\n[station]\ntemplate = \"generic-ac-11kw\"\n{rest}")
    };
    for (step, expected) in [
        (
            r#"{ plug = { connector = 1, vehicle = "lorry" } }"#,
            "no vehicle lorry",
        ),
        (r#"{ network = { mode = "fog" } }"#, "unknown variant `fog`"),
        (
            r#"{ network = { mode = "drop", chance = 1 } }"#,
            "unknown field `chance`",
        ),
        (
            r#"{ network = { mode = "drop", share = 1.5 } }"#,
            "share = 1.5",
        ),
        (
            r#"{ network = { mode = "drop", delay = "1s" } }"#,
            "delay is of delay",
        ),
        (r#"{ network = { mode = "delay" } }"#, "expected a delay"),
        (
            r#"{ network = { mode = "down", share = 0.5 } }"#,
            "share is of drop",
        ),
        (
            r#"{ network = { mode = "half_open", action = "Heartbeat" } }"#,
            "action is of faults",
        ),
        (
            r#"{ network = { mode = "cut", for = "1m" } }"#,
            "for is of what lasts",
        ),
        (
            r#"{ network = { mode = "drop", direction = "up" } }"#,
            "unknown variant `up`",
        ),
        (
            r#"{ network = { mode = "drop", action = "Heartbeet" } }"#,
            "no action \"Heartbeet\"",
        ),
        (
            r#"{ expect_sent = "Reset" }"#,
            "Reset is not sent by a station",
        ),
        (
            r#"{ wait_link = "sideways" }"#,
            "unknown variant `sideways`",
        ),
    ] {
        says(&world(step, ""), &["x.toml:4:", expected]);
    }
    for (rest, expected) in [
        ("quirks = [\"magic\"]", "[station]: `magic` is no quirk"),
        ("faults = [\"fog=1\"]", "[station]: `fog`"),
        ("connectors = 0", "connectors = 0: expected 1 or more"),
        ("[vehicle.a]\ncurve = []", "[vehicle.a]: curve = []"),
        (
            "[vehicle.a]\ncurve = [[0, 1.0], [80, 1.5]]",
            "shares from 0 to 1",
        ),
        (
            "[vehicle.a]\ncurve = [[80, 1.0], [0, 1.0]]",
            "percents that rise",
        ),
        (
            "[vehicle.a]\ncurve = [[80, 1.0, 2.0]]",
            "expected [percent, share]",
        ),
        (
            "[vehicle.a]\nbattery_kwh = 0.0",
            "battery_kwh = 0: expected more than 0",
        ),
        ("[vehicle.a]\nsoc = 101.0", "soc = 101: expected 0 to 100"),
        ("[vehicle.a]\ncolour = \"red\"", "unknown field `colour`"),
    ] {
        says(&world(r#"{ wait_boot = "Accepted" }"#, rest), &[expected]);
    }
    says(
        &format!("{HEAD}steps = [\n  {{ advance = \"1m\" }},\n]"),
        &["x.toml:4: this needs a [station]"],
    );
    says(
        &format!("{HEAD}steps = []\n[station]\ntemplate = \"generic\""),
        &["template = \"generic\": expected generic-ac-11kw"],
    );
}

#[test]
fn names_are_known_from_where_they_are_set() {
    let text = format!(
        "{HEAD}setup.tokens = {{ tag = \"accepted\" }}\nvars = {{ from = \"${{now-4h}}\" }}\nsteps = [
  {{ start = \"Accepted\", payload = {{ timestamp = \"${{from}}\" }}, save = {{ again = \"$.transactionId\" }} }},
  {{ call = \"Heartbeat\", payload = {{ a = \"${{tx}} ${{again}} ${{station}} ${{run}} ${{now}}\" }} }},
]"
    );
    assert!(Scenario::parse(Path::new("x.toml"), &text).is_ok());
}

fn shipped() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the scenarios") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&folder(), &mut found);
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

#[test]
fn the_published_schema_is_the_format() {
    let path = folder().join("schema.json");
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    let how = "evsim schema > simulators/scenarios/schema.json";
    assert!(published == schema(), "the format has changed: {how}");

    let published = serde_json::from_str(&published).expect("JSON");
    let validator = jsonschema::validator_for(&published).expect("a JSON Schema");
    let files = shipped();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a scenario");
        let value: serde_json::Value = toml::from_str(&text).expect("TOML");
        if let Err(problem) = validator.validate(&value) {
            panic!("{}: {} {problem}", file.display(), problem.instance_path());
        }
    }
    for bad in [
        serde_json::json!({ "schema": 1, "name": "x", "steps": [], "stps": [] }),
        serde_json::json!({ "schema": 1, "name": "x", "steps": [{ "boot": "Accepted", "x": 1 }] }),
        serde_json::json!({ "schema": 1, "name": "x", "steps": [{ "network": { "mode": "drop", "x": 1 } }] }),
        serde_json::json!({ "schema": 1, "name": "x", "steps": [], "vehicle": { "a": { "x": 1 } } }),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}

#[test]
fn every_shipped_scenario_is_good() {
    for file in shipped() {
        if let Err(problems) = Scenario::read(&file) {
            let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", said.join("\n"));
        }
    }
}
