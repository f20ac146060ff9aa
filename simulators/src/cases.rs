//! The command line of scenarios: `evsim test`, `evsim check`, `evsim schema`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use simulators::{
    fault::duration,
    scenario::{self, Failure, Kind, Place, Played, Scenario},
};

use crate::{BAD_ARGUMENTS, FAILED, NO_SETUP};

#[derive(Args)]
#[command(after_help = "Examples:
  evsim test simulators/scenarios/16/core/*.toml --url ws://127.0.0.1:9000/ocpp --api http://127.0.0.1:8080 --key KEY
  evsim test cold_boot.toml --key KEY --junit out.xml

The key needs the scopes read and control, of all sites. Each scenario makes stations and tokens of its own.
Exit codes: 0 all passed, 1 an assertion failed, 2 no connection or no set-up, 3 a bad file.")]
pub(crate) struct TestArgs {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The server's OCPP address; the station's identity is appended to it.
    #[arg(long, default_value = "ws://127.0.0.1:9000/ocpp")]
    url: String,
    /// The server's API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    api: String,
    /// An API key.
    #[arg(long)]
    key: String,
    /// A value that scenarios need, or @FILE with it; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = given)]
    var: Vec<(String, String)>,
    /// Write what became of them to this file as JUnit XML.
    #[arg(long)]
    junit: Option<PathBuf>,
    /// No step waits longer than this, whatever it says.
    #[arg(long, value_parser = duration)]
    patience: Option<Duration>,
    /// How many are played at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
}

#[derive(Args)]
#[command(after_help = "Examples:
  evsim check simulators/scenarios/16/*/*.toml")]
pub(crate) struct CheckArgs {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// `name=value`, or `name=@file`.
fn given(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected NAME=VALUE or NAME=@FILE")?;
    let value = match value.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

/// Reads files and says what is wrong with them.
pub(crate) fn check(args: &CheckArgs) -> ExitCode {
    match read(&args.files) {
        Some(scenarios) => {
            println!("{} scenarios, nothing wrong with them", scenarios.len());
            ExitCode::SUCCESS
        }
        None => ExitCode::from(BAD_ARGUMENTS),
    }
}

/// Prints the JSON Schema of the format.
pub(crate) fn schema() -> ExitCode {
    print!("{}", scenario::schema());
    ExitCode::SUCCESS
}

/// All files, or nothing and their problems on stderr.
fn read(files: &[PathBuf]) -> Option<Vec<Scenario>> {
    let mut good = Vec::new();
    for file in files {
        match Scenario::read(file) {
            Ok(scenario) => good.push(scenario),
            Err(problems) => problems.iter().for_each(|problem| eprintln!("{problem}")),
        }
    }
    (good.len() == files.len()).then_some(good)
}

/// Plays files against a server.
pub(crate) fn test(args: TestArgs) -> anyhow::Result<ExitCode> {
    let Some(scenarios) = read(&args.files) else {
        return Ok(ExitCode::from(BAD_ARGUMENTS));
    };
    let place = Place {
        url: args.url,
        api: args.api,
        key: args.key,
        patience: args.patience,
        given: args.var.into_iter().collect(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let played =
        runtime.block_on(scenario::play_all(
            scenarios,
            &place,
            args.jobs,
            |played| match &played.failure {
                None => println!("ok    {} ({} ms)", played.file, played.took.as_millis()),
                Some(failure) => println!("FAIL  {}: {failure}", played.file),
            },
        ));
    if let Some(path) = &args.junit {
        write_junit(path, &played)?;
    }
    let failures: Vec<_> = played
        .iter()
        .filter_map(|one| one.failure.as_ref())
        .collect();
    println!(
        "{} scenarios: {} passed",
        played.len(),
        played.len() - failures.len()
    );
    Ok(exit_code(&failures))
}

fn write_junit(path: &Path, played: &[Played]) -> anyhow::Result<()> {
    let text = scenario::junit(played)?;
    std::fs::write(path, text).with_context(|| format!("--junit {}", path.display()))
}

/// The gravest.
fn exit_code(failures: &[&Failure]) -> ExitCode {
    let code = failures.iter().map(|failure| match failure.kind {
        Kind::Assertion | Kind::Door => FAILED,
        Kind::SetUp => NO_SETUP,
        Kind::BadFile => BAD_ARGUMENTS,
    });
    code.max().map_or(ExitCode::SUCCESS, ExitCode::from)
}
