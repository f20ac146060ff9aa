//! What must be true of everything that went over the wire.

use std::fmt;

use ocpp::{Version, schema};
use serde_json::Value;

use super::{
    super::{
        file::Assertion,
        matching,
        wire::{Frame, Incoming, Passed},
    },
    Done, Play,
    simulated::energy_holds,
    wrong,
};
use crate::fault::Direction;

impl Play<'_> {
    /// Nothing of the server is unanswered, and all of it was as the standard has it.
    pub(super) fn nothing_is_left(&mut self) -> Done {
        for (name, waiting) in &self.waiting {
            if let Some(frame) = waiting.front() {
                let message = format!("on {name} the server sent {frame}, which nobody expected");
                return Err(wrong(message));
            }
        }
        for (name, wire) in &mut self.wires {
            if let Some(Incoming::Frame(frame, _)) = wire.left() {
                let message = format!("on {name} the server sent {frame}, which nobody expected");
                return Err(wrong(message));
            }
        }
        let log = self.shared.log();
        for (at, passed) in log.iter().enumerate() {
            if passed.direction == Direction::In {
                conforms(&log[..at], passed)?;
            }
        }
        Ok(())
    }

    pub(super) fn holds(&self, assertion: &Assertion) -> Done {
        let log = self.shared.log();
        let log: Vec<&Passed> = log
            .iter()
            .filter(|passed| {
                assertion
                    .on
                    .as_ref()
                    .is_none_or(|on| *on == passed.connection)
            })
            .collect();
        if let Some(action) = &assertion.sent {
            self.count(assertion, action, calls(&log, Some(Direction::Out)))
        } else if let Some(action) = &assertion.received {
            self.count(assertion, action, calls(&log, Some(Direction::In)))
        } else if let Some(action) = &assertion.absent {
            absent(action, &log)
        } else if let Some(order) = &assertion.order {
            in_order(order, &calls(&log, None))
        } else if let Some(range) = assertion.energy_kwh {
            energy_holds(&log, range)
        } else {
            Ok(())
        }
    }

    fn count(&self, assertion: &Assertion, action: &str, calls: Vec<(&str, &Value)>) -> Done {
        let pattern = assertion.matches.as_ref().map(|pattern| self.fill(pattern));
        let pattern = pattern.transpose()?;
        let now = self.now();
        let found = calls
            .iter()
            .filter(|(name, _)| *name == action)
            .filter(|(_, payload)| {
                pattern
                    .as_ref()
                    .is_none_or(|pattern| matching::matches(pattern, payload, now))
            })
            .count();
        let fits = assertion.times.map_or(found > 0, |times| found == times);
        if fits {
            return Ok(());
        }
        let expected = assertion
            .times
            .map_or("at least one".to_owned(), |times| times.to_string());
        let like = pattern.map_or(String::new(), |pattern| format!(" like {pattern}"));
        Err(wrong(format!(
            "{found} CALLs of {action}{like}: expected {expected}"
        )))
    }
}

/// The CALLs, in the order in which they passed.
fn calls<'l>(log: &[&'l Passed], direction: Option<Direction>) -> Vec<(&'l str, &'l Value)> {
    let wanted = log
        .iter()
        .filter(|passed| direction.is_none_or(|way| way == passed.direction));
    wanted
        .filter_map(|passed| match &passed.frame {
            Frame::Call {
                action, payload, ..
            } => Some((action.as_str(), payload)),
            _ => None,
        })
        .collect()
}

fn absent(action: &str, log: &[&Passed]) -> Done {
    let found = log.iter().find(|passed| match &passed.frame {
        Frame::Error { .. } => action == "CALLERROR",
        Frame::Call { action: came, .. } => came == action,
        _ => false,
    });
    match found {
        Some(passed) => Err(wrong(format!("{passed}: expected no {action}"))),
        None => Ok(()),
    }
}

fn in_order(order: &[String], calls: &[(&str, &Value)]) -> Done {
    let mut left = calls.iter().map(|(action, _)| *action);
    for action in order {
        if !left.any(|came| came == action) {
            let came: Vec<_> = calls.iter().map(|(action, _)| *action).collect();
            let (came, expected) = (came.join(", "), order.join(", "));
            return Err(wrong(format!(
                "the CALLs were {came}: expected the order {expected}"
            )));
        }
    }
    Ok(())
}

/// Whether a frame of the server is one, and its payload what the standard has for it.
fn conforms(before: &[Passed], passed: &Passed) -> Done {
    let findings = match &passed.frame {
        Frame::Call {
            action, payload, ..
        } => schema::check_request(Version::V16, action, &payload.to_string()),
        Frame::Result { id, payload } => {
            let asked = before
                .iter()
                .rev()
                .find_map(|earlier| match &earlier.frame {
                    Frame::Call {
                        id: own, action, ..
                    } if own == id
                        && earlier.direction == Direction::Out
                        && earlier.connection == passed.connection =>
                    {
                        Some(action)
                    }
                    _ => None,
                });
            match asked {
                Some(action) => schema::check_response(Version::V16, action, &payload.to_string()),
                None => return Err(wrong(format!("{passed}: nobody asked for this"))),
            }
        }
        Frame::Error { .. } => return Ok(()),
        Frame::Other(_) => return Err(wrong(format!("{passed}: expected an OCPP frame"))),
    };
    let findings = findings.map_err(|problem| wrong(format!("{passed}: {problem}")))?;
    match findings.first() {
        Some(finding) => Err(wrong(format!("{passed}: {finding}"))),
        None => Ok(()),
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.direction {
            Direction::Out => "->",
            Direction::In => "<-",
        };
        write!(f, "{} {way} {}", self.connection, self.frame)
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call {
                action, payload, ..
            } => write!(f, "{action} {payload}"),
            Self::Result { payload, .. } => write!(f, "CALLRESULT {payload}"),
            Self::Error {
                code, description, ..
            } => write!(f, "CALLERROR {code} {description:?}"),
            Self::Other(text) => write!(f, "{text:?}"),
        }
    }
}

impl Frame {
    /// The message id.
    pub(in crate::scenario) fn id(&self) -> Option<&String> {
        match self {
            Self::Call { id, .. } | Self::Result { id, .. } | Self::Error { id, .. } => Some(id),
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(direction: Direction, text: &str) -> Passed {
        Passed {
            connection: "main".to_owned(),
            direction,
            frame: Frame::read(text),
        }
    }

    #[test]
    fn what_the_server_says_is_compared_with_the_standard() {
        let asked = [passed(
            Direction::Out,
            r#"[2,"1","Authorize",{"idTag":"A"}]"#,
        )];
        for (text, fault) in [
            (r#"[3,"1",{"idTagInfo":{"status":"Accepted"}}]"#, None),
            (
                r#"[3,"1",{"idTagInfo":{"status":"Fine"}}]"#,
                Some("/idTagInfo/status"),
            ),
            (r#"[3,"2",{}]"#, Some("nobody asked")),
            (r#"[2,"9","Reset",{"type":"Soft"}]"#, None),
            (r#"[2,"9","Reset",{}]"#, Some("/type")),
            (r#"[2,"9","Explode",{}]"#, Some("Explode")),
            (r#"[4,"1","InternalError","",{}]"#, None),
            ("[]", Some("expected an OCPP frame")),
        ] {
            let found = conforms(&asked, &passed(Direction::In, text)).err();
            let found = found.map(|trouble| trouble.message);
            assert_eq!(found.is_some(), fault.is_some(), "{text}: {found:?}");
            assert!(
                fault.is_none_or(|word| found.is_some_and(|found| found.contains(word))),
                "{text}"
            );
        }
    }

    #[test]
    fn order_lets_others_stand_between() {
        let log = [
            "BootNotification",
            "Heartbeat",
            "Authorize",
            "StartTransaction",
        ];
        let log = log.map(|action| passed(Direction::Out, &format!(r#"[2,"1","{action}",{{}}]"#)));
        let log: Vec<&Passed> = log.iter().collect();
        let order = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            in_order(&names, &calls(&log, None)).is_ok()
        };
        assert!(order(&[
            "BootNotification",
            "Authorize",
            "StartTransaction"
        ]));
        assert!(!order(&["Authorize", "BootNotification"]));
        assert!(!order(&["Authorize", "Authorize"]));
        assert!(absent("StopTransaction", &log).is_ok());
        assert!(absent("Heartbeat", &log).is_err());
    }
}
