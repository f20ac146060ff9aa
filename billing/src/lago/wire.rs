//! Lago's API as values: what is sent, and what an answer means. Written from its public documentation; what it may add
//! later (fields, words) is read past. Pure.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use store::lago::events::Outgoing;

/// Events of one request, at most (`LAGO_EVENTS_BATCH_MAX_LENGTH`).
pub const BATCH: usize = 100;

#[derive(Serialize)]
struct Event<'a> {
    transaction_id: &'a str,
    external_subscription_id: &'a str,
    code: &'a str,
    timestamp: i64,
    properties: Box<RawValue>,
}

#[derive(Serialize)]
struct Events<'a> {
    events: Vec<Event<'a>>,
}

/// The body of `POST /events/batch`. The same events are the same bytes.
///
/// # Errors
/// When an event's stored properties are no JSON, which nobody of ours writes.
pub fn batch(events: &[Outgoing]) -> serde_json::Result<Vec<u8>> {
    let events = events
        .iter()
        .map(|event| {
            Ok(Event {
                transaction_id: &event.event_id,
                external_subscription_id: &event.lago_subscription,
                code: &event.code,
                timestamp: event.at.timestamp(),
                properties: RawValue::from_string(event.properties.clone())?,
            })
        })
        .collect::<serde_json::Result<_>>()?;
    serde_json::to_vec(&Events { events })
}

/// What the answer to a batch means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All of it is taken.
    Taken,
    /// None of it is taken, because of these, by their place in the batch.
    Refused(BTreeMap<usize, Refused>),
    /// Not now; the server may have said how long to wait.
    Later {
        /// Why.
        why: String,
        /// Not before.
        wait: Option<Duration>,
    },
    /// This batch will not do, and it is not said which of it: try its parts.
    Part(String),
    /// Nothing will do until somebody changes a setting.
    Stop(String),
}

/// Why one event of a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Lago has it already: that counts as taken.
    Known,
    /// It will never do.
    Wrong(String),
}

/// The headers of an answer that say when to come again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wait {
    /// `Retry-After`, seconds.
    pub retry_after: Option<u64>,
    /// `X-RateLimit-Reset`, seconds until the window is over.
    pub rate_limit_reset: Option<u64>,
}

impl Wait {
    fn longest(&self) -> Option<Duration> {
        self.retry_after
            .max(self.rate_limit_reset)
            .map(Duration::from_secs)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    error: Option<Value>,
    code: Option<String>,
    error_details: Option<Value>,
}

impl Problem {
    fn words(&self, status: u16) -> String {
        let said = [
            self.code.clone(),
            self.error.as_ref().map(|error| {
                error
                    .as_str()
                    .map_or_else(|| error.to_string(), str::to_owned)
            }),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        if said.is_empty() {
            format!("Lago answers {status}")
        } else {
            format!("Lago answers {status}: {}", said.join(", "))
        }
    }
}

/// Reads the answer to a batch of `count` events.
pub fn judge(status: u16, wait: &Wait, body: &[u8], count: usize) -> Answer {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let why = problem.words(status);
    match status {
        200..=299 => Answer::Taken,
        422 => refusals(&problem, count).map_or_else(
            || match &problem.error_details {
                Some(details) => Answer::Part(format!("{why}: {details}")),
                None => Answer::Part(why),
            },
            Answer::Refused,
        ),
        429 => Answer::Later {
            why,
            wait: wait.longest(),
        },
        408 | 500..=599 => Answer::Later {
            why,
            wait: wait.retry_after.map(Duration::from_secs),
        },
        400 | 413 => Answer::Part(why),
        _ => Answer::Stop(why),
    }
}

/// `{"3": {"transaction_id": ["value_already_exist"]}}`, if that is what it says, of places in this batch.
fn refusals(problem: &Problem, count: usize) -> Option<BTreeMap<usize, Refused>> {
    let details = problem.error_details.as_ref()?.as_object()?;
    let refused: BTreeMap<usize, Refused> = details
        .iter()
        .map(|(place, fields)| {
            let place = place.parse().ok().filter(|place| *place < count)?;
            Some((place, refusal(fields)))
        })
        .collect::<Option<_>>()?;
    (!refused.is_empty()).then_some(refused)
}

/// An event is known if that is all that is said against it.
fn refusal(fields: &Value) -> Refused {
    let only_known = fields.as_object().is_some_and(|fields| {
        fields.len() == 1
            && fields
                .get("transaction_id")
                .and_then(Value::as_array)
                .is_some_and(|codes| {
                    !codes.is_empty() && codes.iter().all(|code| code == "value_already_exist")
                })
    });
    if only_known {
        return Refused::Known;
    }
    let words = fields.as_object().map(|fields| {
        let said: Vec<String> = fields
            .iter()
            .map(|(field, codes)| {
                let codes: Vec<&str> = codes
                    .as_array()
                    .map(|codes| codes.iter().filter_map(Value::as_str).collect())
                    .unwrap_or_default();
                format!("{field}: {}", codes.join(", "))
            })
            .collect();
        said.join("; ")
    });
    Refused::Wrong(words.unwrap_or_else(|| fields.to_string()))
}

/// Where a list goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Meta {
    /// The page after this one.
    pub next_page: Option<u64>,
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Customer {
    /// What we call it.
    pub external_id: String,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Subscription {
    /// What we call it.
    pub external_id: String,
    /// Whose it is.
    pub external_customer_id: String,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// Its plan.
    #[serde(default)]
    pub plan_code: Option<String>,
    /// active, pending, terminated, canceled, incomplete, or a word that is still to come.
    #[serde(default)]
    pub status: String,
}

/// A billable metric.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metric {
    /// sum_agg, count_agg, …
    pub aggregation_type: String,
    /// The property that it sums.
    #[serde(default)]
    pub field_name: Option<String>,
}

/// An event as Lago keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Kept {
    /// Our id.
    pub transaction_id: String,
    /// What came with it.
    #[serde(default)]
    pub properties: Value,
}

/// Whether events may be sent to this metric; if not, why.
pub fn check_metric(metric: &Metric, property: &str) -> Result<String, String> {
    if metric.aggregation_type != "sum_agg" {
        return Err(format!(
            "the metric's aggregation is {}: expected sum_agg",
            metric.aggregation_type
        ));
    }
    match metric.field_name.as_deref() {
        Some(field) if field == property => Ok(format!("the metric sums {property}")),
        field => Err(format!(
            "the metric sums {}: expected {property}",
            field.unwrap_or("nothing")
        )),
    }
}

/// An invoice that Lago made (`InvoiceObject`), as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Invoice {
    /// Lago's id.
    pub lago_id: String,
    /// As printed; empty of a draft.
    #[serde(default)]
    pub number: Option<String>,
    /// When it was issued.
    #[serde(default)]
    pub issuing_date: Option<NaiveDate>,
    /// By when it is to be paid.
    #[serde(default)]
    pub payment_due_date: Option<NaiveDate>,
    /// draft, finalized, voided, failed, pending; others may come.
    #[serde(default)]
    pub status: String,
    /// pending, succeeded, failed.
    #[serde(default)]
    pub payment_status: String,
    /// Whether it is late.
    #[serde(default)]
    pub payment_overdue: bool,
    /// ISO 4217.
    #[serde(default)]
    pub currency: String,
    /// In the currency's smallest unit.
    #[serde(default)]
    pub total_amount_cents: i64,
    /// Where its PDF is, once it is made.
    #[serde(default)]
    pub file_url: Option<String>,
    /// Who pays.
    #[serde(default)]
    pub customer: Option<InvoiceCustomer>,
}

/// Who pays an [`Invoice`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InvoiceCustomer {
    /// The id that we gave it.
    pub external_id: String,
    /// What it is called.
    #[serde(default)]
    pub name: Option<String>,
}

/// What was used of a subscription in its running period (`CustomerUsageObject`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// Since when.
    pub from_datetime: DateTime<Utc>,
    /// Until when, inclusive.
    pub to_datetime: DateTime<Utc>,
    /// By charge.
    pub charges_usage: Vec<ChargeUsage>,
}

/// What was used of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChargeUsage {
    /// The sum, as text.
    pub units: String,
    /// Of how many events.
    pub events_count: i64,
    /// Of which metric.
    pub billable_metric: UsedMetric,
}

/// The metric of a [`ChargeUsage`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UsedMetric {
    /// Its code.
    pub code: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, body: &str, count: usize) -> Answer {
        judge(status, &Wait::default(), body.as_bytes(), count)
    }

    #[test]
    fn v7_a_duplicate_is_named_by_its_place() {
        let body = r#"{"status":422,"error":"Unprocessable Entity","code":"validation_errors",
            "error_details":{"1":{"transaction_id":["value_already_exist"]}}}"#;
        assert_eq!(
            answer(422, body, 3),
            Answer::Refused([(1, Refused::Known)].into())
        );
    }

    #[test]
    fn an_event_that_is_wrong_too_is_not_merely_known() {
        let body = r#"{"error_details":{"0":{"transaction_id":["value_already_exist"],"timestamp":["invalid_format"]},
            "2":{"code":["value_is_mandatory"]}}}"#;
        let Answer::Refused(refused) = answer(422, body, 3) else {
            panic!("refused")
        };
        assert!(
            matches!(&refused[&0], Refused::Wrong(why) if why.contains("timestamp: invalid_format"))
        );
        assert_eq!(
            refused[&2],
            Refused::Wrong("code: value_is_mandatory".to_owned())
        );
    }

    #[test]
    fn the_table_of_answers() {
        assert_eq!(answer(200, "", 1), Answer::Taken);
        for status in [500, 502, 503, 504] {
            assert!(matches!(answer(status, "<html>", 1), Answer::Later { .. }));
        }
        for status in [301, 401, 403, 404] {
            assert!(matches!(answer(status, "{}", 1), Answer::Stop(_)));
        }
        for body in [
            r#"{"error_details":{"7":{"transaction_id":["value_already_exist"]}}}"#,
            r#"{"error_details":{"transaction_id":["value_already_exist"]}}"#,
            r#"{"error_details":{}}"#,
            r#"{"code":"too_many_events"}"#,
            "",
        ] {
            assert!(matches!(answer(422, body, 3), Answer::Part(_)), "{body}");
        }
        let wait = Wait {
            retry_after: Some(3),
            rate_limit_reset: Some(7),
        };
        assert_eq!(
            judge(
                429,
                &wait,
                br#"{"error":"Too Many Requests","code":"too_many_provider_requests"}"#,
                1
            ),
            Answer::Later {
                why: "Lago answers 429: too_many_provider_requests, Too Many Requests".to_owned(),
                wait: Some(Duration::from_secs(7))
            }
        );
    }

    #[test]
    fn the_same_event_is_the_same_bytes() {
        let event = Outgoing {
            event_id: "fc_7_1_2".to_owned(),
            lago_subscription: "sub-1".to_owned(),
            code: "ev_charging_kwh".to_owned(),
            at: "2026-11-20T12:00:00.9Z".parse().unwrap(),
            properties: r#"{"kwh":"0.001"}"#.to_owned(),
        };
        assert_eq!(
            String::from_utf8(batch(&[event]).unwrap()).unwrap(),
            r#"{"events":[{"transaction_id":"fc_7_1_2","external_subscription_id":"sub-1","code":"ev_charging_kwh","timestamp":1795176000,"properties":{"kwh":"0.001"}}]}"#
        );
    }

    #[test]
    fn the_metric_must_sum_our_property() {
        let metric = |aggregation: &str, field: Option<&str>| Metric {
            aggregation_type: aggregation.to_owned(),
            field_name: field.map(str::to_owned),
        };
        assert!(check_metric(&metric("sum_agg", Some("kwh")), "kwh").is_ok());
        for (aggregation, field) in [
            ("count_agg", Some("kwh")),
            ("sum_agg", Some("value")),
            ("sum_agg", None),
            ("a_new_agg", Some("kwh")),
        ] {
            assert!(check_metric(&metric(aggregation, field), "kwh").is_err());
        }
    }

    #[test]
    fn words_that_are_still_to_come_are_read() {
        let read: Subscription = serde_json::from_str(
            r#"{"external_id":"s","external_customer_id":"c","status":"hibernating","new":{"x":1}}"#,
        )
        .unwrap();
        assert_eq!(read.status, "hibernating");
        let meta: Meta = serde_json::from_str(r#"{"next_page":null,"total_pages":1}"#).unwrap();
        assert_eq!(meta.next_page, None);
    }

    proptest! {
        #[test]
        fn no_answer_is_a_panic(status in 100_u16..600, body in ".{0,200}", count in 0_usize..101) {
            judge(status, &Wait::default(), body.as_bytes(), count);
        }
    }
}
