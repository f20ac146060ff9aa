//! What a station's answer says in one word.

use serde_json::Value;

use super::Outcome;

/// The `status` of an answer to the letter. GetLocalListVersion has none; -1 is its way to say that it keeps no list.
pub fn verdict(action: &str, outcome: &Outcome) -> Option<String> {
    let Outcome::Answered(answer) = outcome else {
        return None;
    };
    let answer: Value = serde_json::from_str(answer).ok()?;
    let is_listless = action == "GetLocalListVersion" && answer["listVersion"] == -1;
    if is_listless {
        return Some("NotSupported".to_owned());
    }
    let status = answer.get("status")?.as_str()?;
    (!status.is_empty()).then(|| status.replace('\0', "\u{fffd}"))
}

/// Whether the station did, or is about to do, what it was asked for. An answer without a verdict says so by being one.
pub fn is_agreed(verdict: Option<&str>) -> bool {
    verdict.is_none_or(|verdict| {
        matches!(
            verdict,
            "Accepted" | "AcceptedCanceled" | "Scheduled" | "Unlocked" | "RebootRequired"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_the_stations_own_word() {
        for (action, answer, expected) in [
            ("Reset", r#"{"status": "Accepted"}"#, Some("Accepted")),
            (
                "UnlockConnector",
                r#"{"status":"Tampered"}"#,
                Some("Tampered"),
            ),
            ("GetConfiguration", r#"{"configurationKey":[]}"#, None),
            (
                "GetLocalListVersion",
                r#"{"listVersion":-1}"#,
                Some("NotSupported"),
            ),
            ("GetLocalListVersion", r#"{"listVersion":0}"#, None),
            ("Reset", r#"{"status":7}"#, None),
            ("Reset", "null", None),
        ] {
            let outcome = Outcome::Answered(answer.to_owned());
            assert_eq!(verdict(action, &outcome).as_deref(), expected, "{answer}");
        }
        assert_eq!(verdict("Reset", &Outcome::Timeout), None);
    }
}
