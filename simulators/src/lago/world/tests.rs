//! The stand-in answers as Lago does.

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn send(world: &mut World, ids: &[&str]) -> Reply {
    let events: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({ "transaction_id": id, "external_subscription_id": "sub", "code": "kwh",
                    "timestamp": "1795176000.250", "properties": { "kwh": "1.500" } })
        })
        .collect();
    let body = json!({ "events": events }).to_string();
    world.answer("POST", "/events/batch", &[], body.as_bytes(), now())
}

#[test]
fn a_batch_is_all_or_nothing_and_names_what_it_refuses_by_place() {
    let mut world = World::default();
    assert_eq!(send(&mut world, &["b"]).status, 200);
    let refused = send(&mut world, &["a", "b", "c"]);
    assert_eq!(
        refused.body["error_details"],
        json!({ "1": { "transaction_id": ["value_already_exist"] } })
    );
    assert_eq!(world.events().len(), 1);
    assert_eq!(world.events()[0].timestamp_ms, 1_795_176_000_250);
    assert_eq!(send(&mut world, &["a", "a"]).status, 422);
    assert_eq!(send(&mut world, &[]).body["code"], "no_events");
    assert_eq!(
        send(&mut world, &["x"; 101]).body["code"],
        "too_many_events"
    );
}

#[test]
fn lists_come_in_pages() {
    let mut world = World::default();
    for n in 0..250 {
        world.add_customer(&format!("c{n:03}"), &format!("s{n:03}"));
    }
    let get = |world: &mut World, page: &str| {
        let query = [("page".to_owned(), page.to_owned())];
        world.answer("GET", "/customers", &query, b"", now()).body
    };
    let first = get(&mut world, "1");
    assert_eq!(first["customers"].as_array().unwrap().len(), 100);
    assert_eq!(first["meta"]["next_page"], 2);
    let last = get(&mut world, "3");
    assert_eq!(last["customers"].as_array().unwrap().len(), 50);
    assert_eq!(last["meta"]["next_page"], Value::Null);
}

#[test]
fn usage_is_summed_by_the_metrics_field() {
    let mut world = World::default();
    world.add_customer("acme", "sub");
    world.put_metric("kwh", "sum_agg", Some("kwh"));
    send(&mut world, &["a", "b"]);
    let query = [("external_subscription_id".to_owned(), "sub".to_owned())];
    let usage = world.answer("GET", "/customers/acme/current_usage", &query, b"", now());
    let charge = &usage.body["customer_usage"]["charges_usage"][0];
    assert_eq!(
        (&charge["units"], &charge["events_count"]),
        (&json!("3.000"), &json!(2))
    );
    world.lose("a");
    assert_eq!(world.events().len(), 1);
    assert_eq!(send(&mut world, &["a"]).status, 200);
}

#[test]
fn only_active_subscriptions_unless_asked_otherwise() {
    let mut world = World::default();
    world.add_customer("acme", "old");
    world.put_subscription(
        json!({ "external_id": "old", "external_customer_id": "acme", "status": "terminated" }),
    );
    let get = |world: &mut World, query: &[(String, String)]| {
        let body = world
            .answer("GET", "/subscriptions", query, b"", now())
            .body;
        body["subscriptions"].as_array().unwrap().len()
    };
    assert_eq!(get(&mut world, &[]), 0);
    let query = [("status[]".to_owned(), "terminated".to_owned())];
    assert_eq!(get(&mut world, &query), 1);
}
