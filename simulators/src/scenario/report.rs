//! Playing many scenarios, and what became of them as JUnit XML.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{
    file::Scenario,
    play::{Failure, Kind, Place, play},
};

/// A scenario that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// Its file.
    pub file: String,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// Why it did not pass.
    pub failure: Option<Failure>,
}

/// Plays all, at most `jobs` at a time; `tell` hears of each when it ends. The result is in the order of `scenarios`.
pub async fn play_all(
    scenarios: Vec<Scenario>,
    place: &Place,
    jobs: u32,
    tell: impl Fn(&Played),
) -> Vec<Played> {
    let waiting = Mutex::new(scenarios.into_iter().enumerate());
    let workers = (0..jobs).map(|_| async {
        let mut played = Vec::new();
        let next = || waiting.lock().expect("nobody panics with it").next();
        while let Some((number, scenario)) = next() {
            let one = play_one(&scenario, place).await;
            tell(&one);
            played.push((number, one));
        }
        played
    });
    let mut played = futures_util::future::join_all(workers).await.concat();
    played.sort_by_key(|(number, _)| *number);
    played.into_iter().map(|(_, played)| played).collect()
}

async fn play_one(scenario: &Scenario, place: &Place) -> Played {
    let begun = Instant::now();
    let failure = play(scenario, place).await.err();
    Played {
        file: scenario.path().display().to_string(),
        name: scenario.name.clone(),
        took: begun.elapsed(),
        failure,
    }
}

/// JUnit XML of all of them.
///
/// # Errors
/// Never for texts; the writer may fail to allocate.
pub fn junit(played: &[Played]) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("scenarios");
    suite.add_test_cases(played.iter().map(case));
    let mut report = Report::new("evsim test");
    report.add_test_suite(suite);
    report.to_string()
}

fn case(played: &Played) -> TestCase {
    let status = match &played.failure {
        None => TestCaseStatus::success(),
        Some(failure) => {
            let kind = match failure.kind {
                Kind::Assertion | Kind::Door => NonSuccessKind::Failure,
                Kind::SetUp | Kind::BadFile => NonSuccessKind::Error,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(failure.message.clone());
            status.set_description(failure.to_string());
            status
        }
    };
    let mut case = TestCase::new(played.name.clone(), status);
    case.set_classname(played.file.clone())
        .set_time(played.took);
    case
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_failures_from_errors() {
        let played = |name: &str, kind: Option<Kind>| Played {
            file: format!("{name}.toml"),
            name: name.to_owned(),
            took: Duration::from_millis(1500),
            failure: kind.map(|kind| Failure {
                kind,
                line: Some(7),
                message: "the answer is <wrong>".to_owned(),
                wire: vec!["main -> Heartbeat {}".to_owned()],
            }),
        };
        let cases = [
            played("good", None),
            played("bad", Some(Kind::Assertion)),
            played("alone", Some(Kind::SetUp)),
        ];
        let text = junit(&cases).expect("texts");
        for part in [
            r#"tests="3""#,
            r#"failures="1""#,
            r#"errors="1""#,
            r#"classname="bad.toml""#,
            "the answer is &lt;wrong&gt;",
            "line 7:",
            r#"time="1.500""#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
