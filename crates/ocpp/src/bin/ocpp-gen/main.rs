//! `ocpp-gen`: writes the payload types, tables and actions of each OCPP version from the OCA's JSON Schemas.
//!
//! The schemas (CC BY-ND) are read from the PyPI package `ocpp` and never committed; only names, types and limits are
//! taken from them, no text. The output is committed. A new version of OCPP is a new [`plan::Plan`].

mod emit;
mod locate;
mod model;
mod plan;
mod read;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: ocpp-gen [--check] [SCHEMAS]

Writes crates/ocpp/src/v16 from the JSON Schemas of OCPP.

  --check   write nothing; fail if the committed files are not what would be written
  SCHEMAS   folder of the Python package `ocpp`, which holds v16/schemas
            (default: OCPP_SCHEMAS, else .venv/lib/python3*/site-packages/ocpp, made by scripts/setup)";

fn main() -> ExitCode {
    let mut is_check = false;
    let mut schemas = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--check" => is_check = true,
            option if option.starts_with('-') => {
                eprintln!("{USAGE}");
                return ExitCode::from(u8::from(option != "--help") * 2);
            }
            folder => schemas = Some(PathBuf::from(folder)),
        }
    }
    match run(schemas, is_check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ocpp-gen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(schemas: Option<PathBuf>, is_check: bool) -> Result<(), String> {
    let schemas = schemas.map_or_else(locate::schemas, Ok)?;
    for plan in plan::PLANS {
        let model = model::build(
            plan,
            &read::folder(&schemas.join(plan.folder).join("schemas"))?,
        )?;
        let target = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(plan.folder);
        for (name, source) in emit::files(plan, &model) {
            let source = emit::formatted(&source)?;
            let path = target.join(name);
            if is_check {
                compare(&path, &source)?;
            } else {
                std::fs::create_dir_all(&target)
                    .map_err(|error| format!("{}: {error}", target.display()))?;
                std::fs::write(&path, source)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn compare(path: &Path, expected: &str) -> Result<(), String> {
    let found =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if found == expected {
        return Ok(());
    }
    let line = 1 + found
        .lines()
        .zip(expected.lines())
        .take_while(|(a, b)| a == b)
        .count();
    Err(format!(
        "{}:{line} is not what the generator writes; run `cargo run -p ocpp --bin ocpp-gen`",
        path.display()
    ))
}
