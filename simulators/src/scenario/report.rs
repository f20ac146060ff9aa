//! What became of scenarios, for people and as JUnit XML.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::play::{Failure, Kind};

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
                Kind::Assertion => NonSuccessKind::Failure,
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
