//! What the stand-in keeps, and what it answers: a value without sockets or a clock.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::lists::{asked, found, invalid, ok, page, unprocessable};

/// Events of one batch, at most.
const BATCH: usize = 100;

/// An event that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The sender's id.
    pub transaction_id: String,
    /// The subscription.
    pub external_subscription_id: String,
    /// The metric.
    pub code: String,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What came with it.
    pub properties: Value,
    /// When it was taken.
    pub created_at: DateTime<Utc>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Value,
}

/// Everything that one organisation has.
#[derive(Debug, Default)]
pub struct World {
    customers: BTreeMap<String, Value>,
    subscriptions: Vec<Value>,
    metrics: BTreeMap<String, Value>,
    pub(super) invoices: Vec<Value>,
    /// As a Lago that is too old to list them, or whose key may not: `GET /events` is not found.
    pub hides_events: bool,
    events: Vec<Event>,
    /// Unique per subscription and transaction_id, as in Lago's Postgres store.
    known: HashMap<(String, String), usize>,
    /// Events that came when they were known already.
    pub duplicates: u64,
    /// Requests that brought events.
    pub batches: u64,
}

#[derive(Deserialize, Clone)]
struct Input {
    transaction_id: Option<String>,
    external_subscription_id: Option<String>,
    code: Option<String>,
    timestamp: Option<Value>,
    #[serde(default)]
    properties: Value,
}

impl World {
    /// What was taken, in its order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Adds a customer with one active subscription.
    pub fn add_customer(&mut self, customer: &str, subscription: &str) {
        self.put_customer(json!({ "external_id": customer, "name": customer }));
        self.put_subscription(json!({
            "external_id": subscription, "external_customer_id": customer, "plan_code": "charging", "status": "active"
        }));
    }

    /// Adds a customer, or changes it.
    pub fn put_customer(&mut self, customer: Value) {
        if let Some(id) = customer["external_id"].as_str() {
            self.customers.insert(id.to_owned(), customer);
        }
    }

    /// Adds a subscription, or changes it.
    pub fn put_subscription(&mut self, subscription: Value) {
        let id = subscription["external_id"].clone();
        self.subscriptions
            .retain(|known| known["external_id"] != id);
        self.subscriptions.push(subscription);
    }

    /// Adds a metric, or changes it.
    pub fn put_metric(&mut self, code: &str, aggregation: &str, field: Option<&str>) {
        let metric = json!({
            "code": code, "name": code, "aggregation_type": aggregation, "field_name": field, "recurring": false
        });
        self.metrics.insert(code.to_owned(), metric);
    }

    /// Forgets an event, as if it had been lost.
    pub fn lose(&mut self, transaction_id: &str) {
        self.events
            .retain(|event| event.transaction_id != transaction_id);
        self.known = self
            .events
            .iter()
            .enumerate()
            .map(|(place, event)| (key(event), place))
            .collect();
    }

    /// Takes every second event of a batch, as if somebody had sent it before.
    pub(super) fn take_every_second(&mut self, body: &[u8], now: DateTime<Utc>) {
        for input in inputs(body).into_iter().step_by(2) {
            if let Ok(event) = self.read(&input, now) {
                self.keep(event);
            }
        }
    }

    /// Answers a request below `/api/v1`.
    pub fn answer(
        &mut self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Reply {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["events", "batch"]) => self.take_batch(body, false, now),
            ("POST", ["events"]) => self.take_one(body, now),
            ("GET", ["events"]) if self.hides_events => found("event", None),
            ("GET", ["events"]) => self.list_events(query),
            ("GET", ["events", id]) => found(
                "event",
                self.events
                    .iter()
                    .find(|event| event.transaction_id == *id)
                    .map(event_json),
            ),
            ("GET", ["customers"]) => page("customers", self.customers.values().cloned(), query),
            ("POST", ["customers"]) => {
                let customer = inner(body, "customer");
                if customer["external_id"].is_string() {
                    self.put_customer(customer.clone());
                    ok(json!({ "customer": customer }))
                } else {
                    invalid(json!({ "external_id": ["value_is_mandatory"] }))
                }
            }
            ("GET", ["customers", id]) => found("customer", self.customers.get(*id).cloned()),
            ("GET", ["customers", id, "current_usage"]) => self.current_usage(id, query),
            ("GET", ["billable_metrics"]) => {
                page("billable_metrics", self.metrics.values().cloned(), query)
            }
            ("GET", ["billable_metrics", code]) => {
                found("billable_metric", self.metrics.get(*code).cloned())
            }
            ("POST", ["billable_metrics"]) => {
                let metric = inner(body, "billable_metric");
                match (metric["code"].as_str(), metric["aggregation_type"].as_str()) {
                    (Some(code), Some(aggregation)) => {
                        self.put_metric(code, aggregation, metric["field_name"].as_str());
                        ok(json!({ "billable_metric": metric }))
                    }
                    _ => invalid(json!({ "code": ["value_is_mandatory"] })),
                }
            }
            ("GET", ["invoices"]) => self.list_invoices(query),
            ("GET", ["invoices", id]) => self.invoice(id),
            ("GET", ["subscriptions"]) => self.list_subscriptions(query),
            ("POST", ["subscriptions"]) => {
                let mut subscription = inner(body, "subscription");
                subscription["status"] = json!("active");
                self.put_subscription(subscription.clone());
                ok(json!({ "subscription": subscription }))
            }
            _ => Reply {
                status: 404,
                body: json!({ "status": 404, "error": "Not Found" }),
            },
        }
    }

    /// All or nothing: one event that will not do, and none is kept.
    pub(super) fn take_batch(
        &mut self,
        body: &[u8],
        every_second_is_bad: bool,
        now: DateTime<Utc>,
    ) -> Reply {
        self.batches += 1;
        let inputs = inputs(body);
        if inputs.is_empty() {
            return unprocessable("no_events", None);
        }
        if inputs.len() > BATCH {
            return unprocessable("too_many_events", None);
        }
        let (mut new, mut wrong): (Vec<Event>, Map<String, Value>) = Default::default();
        for (place, input) in inputs.iter().enumerate() {
            match self.read(input, now) {
                Ok(_) if every_second_is_bad && place % 2 == 0 => {
                    wrong.insert(place.to_string(), json!({ "code": ["value_is_invalid"] }));
                }
                Ok(event) if self.is_known(&event, &new) => {
                    self.duplicates += 1;
                    let taken = json!({ "transaction_id": ["value_already_exist"] });
                    wrong.insert(place.to_string(), taken);
                }
                Ok(event) => new.push(event),
                Err(why) => {
                    wrong.insert(place.to_string(), why);
                }
            }
        }
        if !wrong.is_empty() {
            return invalid(Value::Object(wrong));
        }
        let shown: Vec<Value> = new.iter().map(event_json).collect();
        for event in new {
            self.keep(event);
        }
        ok(json!({ "events": shown }))
    }

    fn take_one(&mut self, body: &[u8], now: DateTime<Utc>) -> Reply {
        self.batches += 1;
        let Ok(input) = serde_json::from_value::<Input>(inner(body, "event")) else {
            return invalid(json!({ "event": ["value_is_mandatory"] }));
        };
        match self.read(&input, now) {
            Err(why) => invalid(why),
            Ok(event) if self.is_known(&event, &[]) => {
                self.duplicates += 1;
                invalid(json!({ "transaction_id": ["value_already_exist"] }))
            }
            Ok(event) => {
                let shown = event_json(&event);
                self.keep(event);
                ok(json!({ "event": shown }))
            }
        }
    }

    fn read(&self, input: &Input, now: DateTime<Utc>) -> Result<Event, Value> {
        let mut wrong = Map::new();
        let mut text = |name: &str, value: &Option<String>| {
            let value = value.clone().filter(|value| !value.is_empty());
            if value.is_none() {
                wrong.insert(name.to_owned(), json!(["value_is_mandatory"]));
            }
            value.unwrap_or_default()
        };
        let (transaction_id, external_subscription_id, code) = (
            text("transaction_id", &input.transaction_id),
            text("external_subscription_id", &input.external_subscription_id),
            text("code", &input.code),
        );
        let timestamp_ms = match &input.timestamp {
            None | Some(Value::Null) => Some(now.timestamp_millis()),
            Some(value) => milliseconds(value),
        };
        if timestamp_ms.is_none() {
            wrong.insert("timestamp".to_owned(), json!(["invalid_format"]));
        }
        if !wrong.is_empty() {
            return Err(Value::Object(wrong));
        }
        Ok(Event {
            transaction_id,
            external_subscription_id,
            code,
            timestamp_ms: timestamp_ms.unwrap_or_default(),
            properties: input.properties.clone(),
            created_at: now,
        })
    }

    fn is_known(&self, event: &Event, before: &[Event]) -> bool {
        self.known.contains_key(&key(event)) || before.iter().any(|other| key(other) == key(event))
    }

    fn keep(&mut self, event: Event) {
        let place = self.events.len();
        if let std::collections::hash_map::Entry::Vacant(entry) = self.known.entry(key(&event)) {
            entry.insert(place);
            self.events.push(event);
        }
    }

    fn list_events(&self, query: &[(String, String)]) -> Reply {
        let from = asked(query, "timestamp_from").map(moment);
        let to = asked(query, "timestamp_to").map(moment);
        if matches!(from, Some(None)) || matches!(to, Some(None)) {
            return invalid(json!({ "timestamp": ["invalid_format"] }));
        }
        let (from, to) = (from.flatten(), to.flatten());
        let (code, subscription) = (
            asked(query, "code"),
            asked(query, "external_subscription_id"),
        );
        let wanted = |event: &&Event| {
            code.is_none_or(|code| event.code == code)
                && subscription.is_none_or(|id| event.external_subscription_id == id)
                && from.is_none_or(|from| event.timestamp_ms >= from)
                && to.is_none_or(|to| event.timestamp_ms <= to)
        };
        page(
            "events",
            self.events.iter().filter(wanted).map(event_json),
            query,
        )
    }

    fn list_subscriptions(&self, query: &[(String, String)]) -> Reply {
        let statuses: Vec<&str> = query
            .iter()
            .filter(|(name, _)| name == "status[]")
            .map(|(_, value)| value.as_str())
            .collect();
        let customer = asked(query, "external_customer_id");
        let wanted = |subscription: &&Value| {
            let status = subscription["status"].as_str().unwrap_or_default();
            let fits = if statuses.is_empty() {
                status == "active"
            } else {
                statuses.contains(&status)
            };
            fits && customer.is_none_or(|id| subscription["external_customer_id"] == id)
        };
        page(
            "subscriptions",
            self.subscriptions.iter().filter(wanted).cloned(),
            query,
        )
    }

    fn current_usage(&self, customer: &str, query: &[(String, String)]) -> Reply {
        let Some(subscription) = asked(query, "external_subscription_id") else {
            return invalid(json!({ "external_subscription_id": ["value_is_mandatory"] }));
        };
        if !self.customers.contains_key(customer) {
            return found("customer", None);
        }
        let charges: Vec<Value> = self
            .metrics
            .iter()
            .map(|(code, metric)| {
                let of: Vec<&Event> = self
                    .events
                    .iter()
                    .filter(|event| event.code == *code && event.external_subscription_id == subscription)
                    .filter(|event| {
                        let (from, to) = self.period(subscription);
                        (from.timestamp_millis()..=to.timestamp_millis()).contains(&event.timestamp_ms)
                    })
                    .collect();
                let field = metric["field_name"].as_str().unwrap_or_default();
                let wh: i64 = of.iter().map(|event| thousandths(&event.properties[field])).sum();
                json!({
                    "units": format!("{}.{:03}", wh / 1_000, wh % 1_000), "events_count": of.len(),
                    "billable_metric": { "code": code, "aggregation_type": metric["aggregation_type"] }
                })
            })
            .collect();
        let period = self.period(subscription);
        ok(json!({ "customer_usage": {
            "from_datetime": period.0.to_rfc3339_opts(SecondsFormat::Secs, true),
            "to_datetime": period.1.to_rfc3339_opts(SecondsFormat::Secs, true),
            "currency": "EUR", "charges_usage": charges
        } }))
    }
}

impl World {
    /// The month of a subscription's newest event: what stands for the billing period.
    fn period(&self, subscription: &str) -> (DateTime<Utc>, DateTime<Utc>) {
        let newest = self
            .events
            .iter()
            .filter(|event| event.external_subscription_id == subscription)
            .map(|event| event.timestamp_ms)
            .max();
        let newest =
            DateTime::from_timestamp_millis(newest.unwrap_or_default()).unwrap_or_default();
        let first = newest.date_naive().with_day(1).unwrap_or_default();
        let next = first + Months::new(1);
        let begins = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        (begins(first), begins(next) - TimeDelta::seconds(1))
    }
}

fn key(event: &Event) -> (String, String) {
    (
        event.external_subscription_id.clone(),
        event.transaction_id.clone(),
    )
}

fn inputs(body: &[u8]) -> Vec<Input> {
    #[derive(Deserialize)]
    struct Body {
        events: Vec<Input>,
    }
    serde_json::from_slice::<Body>(body).map_or_else(|_| Vec::new(), |body| body.events)
}

fn inner(body: &[u8], name: &str) -> Value {
    let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get_mut(name).map(Value::take).unwrap_or_default()
}

/// Seconds since 1970 as a number or text, with decimals for milliseconds; no floats, so that nothing is rounded.
fn milliseconds(value: &Value) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (seconds, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let decimals: String = decimals.chars().chain("000".chars()).take(3).collect();
    let millis: i64 = decimals.parse().ok()?;
    seconds.checked_mul(1_000)?.checked_add(millis)
}

/// `3.45` as 3450.
fn thousandths(value: &Value) -> i64 {
    milliseconds(value).unwrap_or(0)
}

fn moment(text: &str) -> Option<i64> {
    let at: DateTime<Utc> = text.parse().ok()?;
    Some(at.timestamp_millis())
}

fn event_json(event: &Event) -> Value {
    let at = DateTime::from_timestamp_millis(event.timestamp_ms).unwrap_or_default();
    json!({
        "transaction_id": event.transaction_id, "code": event.code, "properties": event.properties,
        "external_subscription_id": event.external_subscription_id,
        "timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "created_at": event.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

#[cfg(test)]
mod tests;
