//! Every scenario file as a test of its own, against the whole product: chargers' room and people's room over one
//! database. And against a server that only answers, where each of them must fail.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use libtest_mimic::{Arguments, Failed, Trial};
use simulators::{
    floor,
    scenario::{self, Failure, Kind, Place, Scenario},
    wire,
};

mod support;
use support::Product;
#[path = "support/pki.rs"]
mod pki;
use pki::{OPERATOR, Pki};

/// Scenarios of the mutant at the same time: they mostly wait for what does not come.
const AT_ONCE: u32 = 16;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = files()
        .into_iter()
        .map(|file| Trial::test(name_of(&file), move || case(&file)))
        .collect();
    trials.push(Trial::test(
        "a_server_that_only_answers_passes_none",
        mutant,
    ));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Where the scenarios are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("simulators/scenarios")
}

fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&folder(), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no scenarios in {}", folder().display());
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
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

/// `16::core::tc_001_cold_boot`.
fn name_of(file: &Path) -> String {
    let path = file.strip_prefix(folder()).unwrap().with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("::")
}

fn read(file: &Path) -> Result<Scenario, Failed> {
    let told = |problems: Vec<scenario::Problem>| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Failed::from(lines.join("\n"))
    };
    Scenario::read(file).map_err(told)
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// A product that speaks ws and wss, with a key to it.
async fn place(pki: &Pki) -> (Product, Place) {
    let product = Product::start(pki.into()).await;
    let place = Place {
        url: product.ocpp_url(),
        api: format!("http://{}", product.portal),
        key: product.api_key(&["read", "control"]).await,
        patience: None,
        given: BTreeMap::from([
            ("ca".to_owned(), pki.root.certificate.clone()),
            ("operator".to_owned(), OPERATOR.to_owned()),
        ]),
    };
    (product, place)
}

fn case(file: &Path) -> Result<(), Failed> {
    let scenario = read(file)?;
    runtime().block_on(async {
        let pki = Pki::new();
        let (_product, place) = place(&pki).await;
        let played = scenario::play(&scenario, &place).await;
        played.map_err(|failure| format!("{}: {failure}", file.display()).into())
    })
}

/// Stations reach a server that lets everybody in, by ws and wss, and answers with the least that the standard lets pass; the
/// API is that of the product, which hears nothing of them. A case that passes here proves nothing, and one that does not get
/// through the door was not tried.
fn mutant() -> Result<(), Failed> {
    let scenarios: Vec<_> = files()
        .iter()
        .map(|file| read(file))
        .collect::<Result<_, _>>()?;
    let count = scenarios.len();
    let survivors = runtime().block_on(async {
        let pki = Pki::new();
        let (product, place) = place(&pki).await;
        let key = place.key.clone();
        let listener = floor::listen(([127, 0, 0, 1], 0).into()).unwrap();
        let place = Place {
            url: format!("ws://{}/ocpp", listener.local_addr().unwrap()),
            patience: Some(Duration::from_secs(2)),
            ..place
        };
        let (certificate, own) = (&pki.server.certificate, &pki.server.key);
        let tls = wire::acceptor(certificate.as_bytes(), own.as_bytes()).unwrap();
        tokio::spawn(floor::serve_both(listener, Some(tls), floor::Bare));
        let mut survivors = scenario::play_all(scenarios, &place, AT_ONCE, |_| {}).await;
        let fails = |failure: &Failure| failure.kind == Kind::Assertion;
        survivors.retain(|played| !played.failure.as_ref().is_some_and(fails));
        let reached = product.get(&key, "/api/v1/transactions").await;
        assert_eq!(
            reached["items"],
            serde_json::json!([]),
            "a station reached the product"
        );
        survivors
    });
    let failed = count - survivors.len();
    println!("{failed} of {count} scenarios fail against a server that only answers");
    let told = survivors.iter().map(|played| match &played.failure {
        None => format!("{}: passes", played.file),
        Some(failure) => format!("{}: could not be tried: {failure}", played.file),
    });
    let told: Vec<_> = told.collect();
    if told.is_empty() {
        Ok(())
    } else {
        Err(told.join("\n").into())
    }
}
