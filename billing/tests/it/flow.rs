//! What a run does when nothing fails, and when Lago or a person says no.

use std::time::Duration;

use billing::{
    invoice::issue::{self, Order},
    lago::{Turn, reconcile, run::Wanted, worker},
};
use chrono::TimeDelta;
use service::config::{Cadence, MeterFlush};
use store::{
    Room, Scope,
    audit::Actor,
    customers, holds,
    lago::{
        events, reconciliations,
        runs::{self, Cause},
        state,
    },
    shop::Shop,
    tag_mappings,
};
use uuid::Uuid;

use crate::rig::Rig;

const QUARTER: Duration = Duration::from_secs(900);

#[tokio::test]
async fn v6_a_charge_is_two_events_that_sum_to_its_register() {
    let rig = Rig::new().await;
    let id = rig.begin("tag0", 1_200_000).await;
    rig.clock.advance(QUARTER);
    rig.meter(id, 1_203_450).await;
    let first = rig.run().await;
    assert_eq!((first.created, first.sent, first.errors.len()), (1, 1, 0));
    assert_eq!(rig.run().await.created, 0, "nothing came on the meter");
    rig.clock.advance(QUARTER);
    rig.stop(id, 1_218_250).await;
    assert_eq!(rig.run().await.created, 1);
    assert_eq!(rig.run().await.sessions, 0, "it is finished");

    let outbox = rig.outbox().await;
    let told: Vec<_> = outbox
        .iter()
        .map(|event| (event.kwh.to_string(), event.is_final, event.status.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("3.450".to_owned(), false, "sent"),
            ("14.800".to_owned(), true, "sent")
        ]
    );
    assert_eq!(outbox[1].at, rig.now());
    assert_eq!(outbox[0].event_id, format!("fc_{id}_1200000_1203450"));
    assert_eq!(outbox[0].lago_subscription.as_deref(), Some("sub-acme"));
    rig.assert_same(2).await;
}

#[tokio::test]
async fn v7_a_duplicate_in_the_middle_of_a_batch() {
    let rig = Rig::new().await;
    rig.sessions(1, 3).await;
    let mut local = rig.sync.clone();
    local.client = None;
    local.turn(scheduled()).await.unwrap();
    let outbox = rig.outbox().await;
    assert!(outbox.iter().all(|event| event.status == "pending"));
    let known = serde_json::json!({ "event": {
        "transaction_id": outbox[1].event_id, "external_subscription_id": "sub-acme", "code": "ev_charging_kwh",
        "timestamp": outbox[1].at.timestamp(), "properties": { "kwh": outbox[1].kwh.to_string() } } });
    let body = known.to_string();
    let reply = rig
        .lago
        .world()
        .answer("POST", "/events", &[], body.as_bytes(), rig.now());
    assert_eq!(reply.status, 200);

    let run = rig.run().await;
    assert_eq!((run.sent, run.duplicates, run.rejected), (2, 1, 0));
    let statuses: Vec<_> = rig
        .outbox()
        .await
        .into_iter()
        .map(|event| event.status)
        .collect();
    assert_eq!(statuses, ["sent", "duplicate", "sent"]);
    rig.assert_same(3).await;
}

fn scheduled() -> Wanted {
    Wanted {
        run: Some(Cause::Schedule),
        ..Wanted::default()
    }
}

#[tokio::test]
async fn v8_an_unmapped_child_is_billed_to_its_parents_customer() {
    let rig = Rig::new().await;
    rig.token("CHILD", "tag0").await;
    let id = rig.begin("child", 0).await;
    rig.stop(id, 1_000).await;
    let stranger = rig.begin("STRANGER", 0).await;
    rig.stop(stranger, 2_000).await;
    let run = rig.run().await;
    assert_eq!((run.created, run.unmapped), (1, 1));
    assert_eq!(rig.outbox().await[0].lago_customer, "acme");

    // Nothing is lost: once somebody pays for the stranger, all of it is billed.
    rig.map("STRANGER", "bolt", Some("sub-bolt")).await;
    let run = rig.run().await;
    assert_eq!((run.created, run.unmapped), (1, 0));
    rig.assert_same(2).await;
}

#[tokio::test]
async fn another_mapping_holds_from_the_next_event_on() {
    let rig = Rig::new().await;
    let mapping = rig.map("CARD", "acme", Some("sub-acme")).await;
    let id = rig.begin("CARD", 0).await;
    rig.meter(id, 1_000).await;
    rig.lago.fail(simulators::lago::Kind::Broken, None);
    rig.run().await;
    let mut db = rig.db.pool.acquire().await.unwrap();
    tag_mappings::delete(&mut db, mapping, rig.now())
        .await
        .unwrap();
    drop(db);
    rig.map("CARD", "bolt", Some("sub-bolt")).await;
    rig.lago.heal();
    rig.clock.advance(QUARTER);
    rig.stop(id, 3_000).await;
    rig.run().await;
    let whose: Vec<_> = rig
        .outbox()
        .await
        .into_iter()
        .map(|event| (event.lago_subscription.unwrap(), event.status))
        .collect();
    assert_eq!(
        whose,
        [
            ("sub-acme".to_owned(), "sent".to_owned()),
            ("sub-bolt".to_owned(), "sent".to_owned())
        ]
    );
}

#[tokio::test]
async fn a_meter_that_runs_back_bills_nothing_until_somebody_has_looked() {
    let rig = Rig::new().await;
    let id = rig.begin("TAG0", 1_000).await;
    rig.clock.advance(QUARTER);
    rig.meter(id, 5_000).await;
    assert_eq!(rig.run().await.created, 1);
    rig.clock.advance(QUARTER);
    rig.meter(id, 40).await;
    assert_eq!(rig.run().await.created, 0);
    let pool = rig.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let flagged = state::list(&mut db, true, 10).await.unwrap();
    assert_eq!(
        (flagged[0].session_id, flagged[0].flags.as_slice()),
        (id, ["meter-rollback".to_owned()].as_slice())
    );
    assert!(state::resolve(&mut db, id, rig.now()).await.unwrap());
    db.commit().await.unwrap();
    rig.clock.advance(QUARTER);
    rig.stop(id, 1_040).await;
    assert_eq!(rig.run().await.created, 1);
    let outbox = rig.outbox().await;
    let total: rust_decimal::Decimal = outbox.iter().map(|event| event.kwh).sum();
    assert_eq!(total.to_string(), "5.000");
}

#[tokio::test]
async fn a_later_stop_is_trued_up() {
    let rig = Rig::new().await;
    let id = rig.begin("TAG0", 0).await;
    // An end that another start implied is a guess.
    rig.supersede(id, 2_000).await;
    let run = rig.run().await;
    assert_eq!((run.created, run.held), (0, 1));
    let pool = rig.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let who = store::audit::Actor::Cli;
    let released = holds::release(&mut db, id, who, "seen", rig.now()).await;
    assert!(released.unwrap());
    db.commit().await.unwrap();
    assert_eq!(rig.run().await.created, 1);
    rig.clock.advance(QUARTER);
    rig.stop_late(id, 2_500).await;
    assert_eq!(rig.run().await.created, 1);
    let outbox = rig.outbox().await;
    assert_eq!(outbox[1].event_id, format!("fc_{id}_2000_2500"));
    rig.assert_same(2).await;
}

#[tokio::test]
async fn nothing_is_sent_to_a_metric_that_would_bill_otherwise() {
    let rig = Rig::new().await;
    rig.lago
        .world()
        .put_metric("ev_charging_kwh", "count_agg", None);
    rig.sessions(1, 2).await;
    let run = rig.run().await;
    assert_eq!((run.created, run.sent), (2, 0));
    assert!(run.errors[0].contains("count_agg"), "{:?}", run.errors);
    let link = rig.link().await;
    assert_eq!(link.metric_ok, Some(false));
    assert!(link.metric_detail.contains("expected sum_agg"));

    rig.lago
        .world()
        .put_metric("ev_charging_kwh", "sum_agg", Some("kwh"));
    assert_eq!(rig.run().await.sent, 2);
    assert_eq!(rig.link().await.metric_ok, Some(true));
}

#[tokio::test]
async fn a_customer_without_an_active_subscription_waits() {
    let rig = Rig::new().await;
    rig.lago.world().put_subscription(serde_json::json!({
        "external_id": "sub-acme", "external_customer_id": "acme", "status": "terminated" }));
    rig.sessions(1, 1).await;
    let run = rig.run().await;
    assert_eq!((run.created, run.sent), (1, 0));
    let reason = rig.outbox().await[0].reason.clone().unwrap();
    assert!(reason.contains("no active subscription"), "{reason}");
    rig.lago.world().put_subscription(serde_json::json!({
        "external_id": "sub-new", "external_customer_id": "acme", "status": "active" }));
    assert_eq!(rig.run().await.sent, 1);
    assert_eq!(
        rig.outbox().await[0].lago_subscription.as_deref(),
        Some("sub-new")
    );
}

#[tokio::test]
async fn a_run_sent_again_bills_nothing_twice_and_mends_what_lago_lost() {
    let rig = Rig::new().await;
    rig.sessions(1, 5).await;
    rig.run().await;
    let mut db = rig.db.pool.acquire().await.unwrap();
    let run = runs::recent(&mut db, 1).await.unwrap()[0].id;
    let lost = rig.outbox().await[2].event_id.clone();
    rig.lago.world().lose(&lost);
    let wanted = Wanted {
        replay: Some(run),
        ..Wanted::default()
    };
    let Turn::Ran(ran) = rig.sync.turn(wanted).await.unwrap() else {
        panic!("nobody else has the turn")
    };
    let tally = &ran[0].1;
    assert_eq!((tally.sent, tally.duplicates), (1, 4));
    rig.assert_same(5).await;
    let replay = runs::get(&mut db, ran[0].0).await.unwrap().unwrap();
    assert_eq!(
        (replay.cause.as_str(), replay.replay_of),
        ("replay", Some(run))
    );
    let log = runs::log_of(&mut db, ran[0].0, 10).await.unwrap();
    assert!(log[0].line.contains("5 events"), "{log:?}");
}

#[tokio::test]
async fn one_process_runs_at_a_time_and_a_request_is_heard_by_whoever_does() {
    let rig = Rig::new().await;
    let mut other = rig.db.pool.acquire().await.unwrap();
    assert!(runs::take_turn(&mut other).await.unwrap());
    assert_eq!(rig.sync.turn(scheduled()).await.unwrap(), Turn::Taken);
    runs::end_turn(&mut other).await.unwrap();

    runs::request(&mut other, "portal", None, rig.now())
        .await
        .unwrap();
    worker::look(&rig.sync, false, false, rig.now())
        .await
        .unwrap();
    let last = runs::recent(&mut other, 5).await.unwrap();
    assert_eq!((last.len(), last[0].cause.as_str()), (1, "request"));
    worker::look(&rig.sync, false, false, rig.now())
        .await
        .unwrap();
    assert_eq!(runs::recent(&mut other, 5).await.unwrap().len(), 1);
}

#[tokio::test]
async fn meters_have_their_say_between_runs() {
    let mut rig = Rig::new().await;
    rig.sync.settings.meter = Some(MeterFlush {
        seconds: 60,
        wh: 1_000,
    });
    let id = rig.begin_just_now("TAG0").await;
    let look = async |rig: &Rig| {
        worker::look(&rig.sync, false, false, rig.now())
            .await
            .unwrap();
        rig.outbox().await.len()
    };
    rig.clock.advance(Duration::from_secs(10));
    rig.meter(id, 900).await;
    assert_eq!(look(&rig).await, 0, "too little, too soon");
    rig.clock.advance(Duration::from_secs(10));
    rig.meter(id, 1_000).await;
    assert_eq!(look(&rig).await, 1);
    rig.clock.advance(Duration::from_secs(50));
    rig.meter(id, 1_100).await;
    assert_eq!(look(&rig).await, 1);
    rig.clock.advance(Duration::from_secs(10));
    assert_eq!(look(&rig).await, 2, "a minute after the last one");
    rig.stop(id, 1_150).await;
    assert_eq!(look(&rig).await, 3, "the rest");
    assert_eq!(look(&rig).await, 3);
    rig.assert_same(3).await;
    let mut db = rig.db.pool.acquire().await.unwrap();
    assert_eq!(runs::recent(&mut db, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn ticks_are_skipped_while_nothing_happens() {
    let mut rig = Rig::new().await;
    rig.sync.settings.cadence = Cadence::Adaptive;
    for _ in 0..12 {
        worker::look(&rig.sync, false, true, rig.now())
            .await
            .unwrap();
        rig.clock.advance(QUARTER);
    }
    let mut db = rig.db.pool.acquire().await.unwrap();
    // Two quiet ones, then one an hour.
    assert_eq!(runs::recent(&mut db, 20).await.unwrap().len(), 4);
    assert_eq!(rig.link().await.cadence, "idle");
    rig.begin("TAG0", 0).await;
    worker::look(&rig.sync, false, true, rig.now())
        .await
        .unwrap();
    assert_eq!(rig.link().await.cadence, "active");
}

#[tokio::test]
async fn the_night_compares_both_books() {
    let rig = Rig::new().await;
    rig.sessions(1, 130).await;
    rig.run().await;
    rig.clock.advance(Duration::from_secs(86_400));
    let words = reconcile::run(&rig.sync, rig.now()).await.unwrap();
    assert_eq!(words, "1 compared, 0 differ");
    let lost = rig.outbox().await[7].event_id.clone();
    rig.lago.world().lose(&lost);
    let words = reconcile::run(&rig.sync, rig.now()).await.unwrap();
    assert_eq!(words, "1 compared, 1 differ");
    let mut db = rig.db.pool.acquire().await.unwrap();
    let wrong = reconciliations::recent(&mut db, true, 5).await.unwrap();
    assert_eq!(
        (wrong[0].our_events, wrong[0].lago_events, &wrong[0].missing),
        (130, 129, &vec![lost])
    );
}

#[tokio::test]
async fn a_lago_that_lists_no_events_is_compared_by_what_it_counted() {
    let rig = Rig::new().await;
    rig.sessions(1, 30).await;
    rig.run().await;
    rig.lago.world().hides_events = true;
    rig.clock.advance(Duration::from_secs(86_400));
    let words = reconcile::run(&rig.sync, rig.now()).await.unwrap();
    assert_eq!(words, "1 compared, 0 differ");
    let lost = rig.outbox().await[7].event_id.clone();
    rig.lago.world().lose(&lost);
    let words = reconcile::run(&rig.sync, rig.now()).await.unwrap();
    assert_eq!(words, "1 compared, 1 differ");
    let mut db = rig.db.pool.acquire().await.unwrap();
    let wrong = reconciliations::recent(&mut db, true, 5).await.unwrap();
    assert_eq!((wrong[0].our_events, wrong[0].lago_events), (30, 29));
    assert_ne!(wrong[0].our_kwh, wrong[0].lago_kwh);
}

#[tokio::test]
async fn lagos_invoices_come_in_pages_the_newest_first() {
    let rig = Rig::new().await;
    for n in 0..120 {
        let day = format!("2026-{:02}-{:02}", 1 + n / 28, 1 + n % 28);
        rig.lago.world().put_invoice(serde_json::json!({
            "lago_id": format!("i{n}"), "number": format!("LAG-{n}"), "issuing_date": day, "status": "finalized",
            "payment_status": "pending", "currency": "EUR", "total_amount_cents": 100 + n, "something_new": [1],
            "customer": { "external_id": if n % 2 == 0 { "acme" } else { "bolt" } }
        }));
    }
    let client = rig.sync.client.as_ref().unwrap();
    let (first, next) = client.invoices(None, 1).await.unwrap();
    assert_eq!((first.len(), next), (100, Some(2)));
    assert_eq!(first[0].number.as_deref(), Some("LAG-119"));
    let (second, next) = client.invoices(None, 2).await.unwrap();
    assert_eq!((second.len(), next), (20, None));
    let (of_one, _) = client.invoices(Some("bolt"), 1).await.unwrap();
    assert_eq!((of_one.len(), of_one[0].total_amount_cents), (60, 219));
}

#[tokio::test]
async fn lists_of_lago_are_read_to_their_end() {
    let rig = Rig::new().await;
    for n in 0..250 {
        let (customer, subscription) = (format!("c{n}"), format!("s{n}"));
        rig.lago.world().add_customer(&customer, &subscription);
    }
    let client = rig.sync.client.as_ref().unwrap();
    assert_eq!(client.customers().await.unwrap().len(), 252);
    assert_eq!(client.subscriptions(None).await.unwrap().len(), 252);
    let of_one = client.subscriptions(Some("c7")).await.unwrap();
    assert_eq!(of_one[0].external_id, "s7");
}

#[tokio::test]
async fn a_wrong_key_stops_the_run_and_is_told() {
    let mut rig = Rig::new().await;
    let api = service::config::LagoApi {
        key: service::config::Secret("another".to_owned()),
        ..rig.sync.settings.api.clone().unwrap()
    };
    rig.sync.client = Some(billing::lago::Client::new(&api, Duration::from_secs(1)).unwrap());
    rig.sessions(1, 1).await;
    let run = rig.run().await;
    assert!(run.errors[0].contains("LAGO_API_KEY"), "{:?}", run.errors);
    assert_eq!(rig.waiting().await, 1);
    let mut db = rig.db.pool.acquire().await.unwrap();
    assert_eq!(events::count_pending(&mut db).await.unwrap(), 1);
}

#[tokio::test]
async fn usage_that_cannot_be_waits_until_a_person_lets_it_go() {
    let rig = Rig::new().await;
    // No tariff holds here: nothing is priced, and the meter alone is judged.
    let wild = rig.begin("TAG0", 0).await;
    rig.meter(wild, 3_000).await;
    rig.meter_at(wild, 1, 90_000_000).await;
    let plain = rig.begin("TAG0", 500).await;
    rig.stop(plain, 1_500).await;
    rig.clock.advance(QUARTER);
    let run = rig.run().await;
    assert_eq!((run.created, run.held, run.errors.len()), (1, 1, 0));
    rig.assert_same(1).await;
    let pool = rig.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let held = holds::list(&mut db, None, None, 9).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].session_id, held[0].usage), (wild, true));
    assert_eq!(held[0].reasons, ["over-registered"]);
    assert_eq!(
        rig.run().await.created,
        0,
        "as often as one looks: it waits"
    );
    let who = store::audit::Actor::Cli;
    let released = holds::release(&mut db, wild, who, "a test bench", rig.now()).await;
    assert!(released.unwrap());
    let again = holds::release(&mut db, wild, who, "a test bench", rig.now()).await;
    assert!(!again.unwrap());
    db.commit().await.unwrap();
    let run = rig.run().await;
    assert_eq!((run.created, run.held), (1, 0));
    rig.clock.advance(QUARTER);
    rig.stop(wild, 90_001_000).await;
    assert_eq!(
        rig.run().await.created,
        1,
        "what it was let go for stays so"
    );
    rig.assert_same(3).await;
}

#[tokio::test]
async fn usage_waits_for_the_release_of_its_price() {
    let rig = Rig::new().await;
    let site = rig.tariff().await;
    let held = rig.begin_at("TAG0", 0, Some(site)).await;
    rig.supersede(held, 7_000).await;
    let good = rig.begin_at("TAG0", 50, Some(site)).await;
    rig.stop(good, 4_050).await;
    // Nobody has priced anything yet: the sync does it before it tells Lago.
    let run = rig.run().await;
    assert_eq!((run.created, run.held), (1, 1));
    let pool = rig.db.pool(Room::Portal);
    let mut db = Scope::Sites(vec![site]).begin(&pool).await.unwrap();
    let waits = holds::list(&mut db, Some(site), None, 9).await.unwrap();
    assert_eq!(waits.len(), 1);
    assert_eq!(
        (waits[0].reasons.as_slice(), waits[0].usage),
        (["superseded".to_owned()].as_slice(), true)
    );
    assert_eq!(waits[0].total.unwrap().to_string(), "3.50");
    // Going on from the meter is no release of the price.
    assert!(state::resolve(&mut db, held, rig.now()).await.unwrap());
    db.commit().await.unwrap();
    assert_eq!(rig.run().await.held, 1);

    // A person says what it charged: its price and its usage follow.
    let mut db = Scope::Sites(vec![site]).begin(&pool).await.unwrap();
    let session = store::sessions::get(&mut db, held).await.unwrap().unwrap();
    let who = store::audit::Actor::Cli;
    holds::correct(&mut db, &session, 6_500, who, "read on site", rig.now())
        .await
        .unwrap();
    db.commit().await.unwrap();
    let run = rig.run().await;
    assert_eq!((run.created, run.held), (1, 0));
    let told: Vec<_> = rig
        .outbox()
        .await
        .into_iter()
        .map(|event| event.kwh)
        .collect();
    assert!(told.contains(&"6.500".parse().unwrap()), "{told:?}");

    // More is billed than a later correction says: that is flagged, and nothing is taken back in silence.
    rig.clock.advance(QUARTER);
    let mut db = Scope::Sites(vec![site]).begin(&pool).await.unwrap();
    holds::correct(&mut db, &session, 100, who, "read again", rig.now())
        .await
        .unwrap();
    db.commit().await.unwrap();
    assert_eq!(rig.run().await.created, 0);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let flagged = state::list(&mut db, true, 9).await.unwrap();
    assert_eq!(flagged.len(), 1);
    assert_eq!(flagged[0].flags, [state::OVER_BILLED]);
    rig.assert_same(2).await;
}

/// Makes somebody a customer of Lago's, or of nobody's but ours.
async fn put_in_lago(rig: &Rig, customer: Uuid, id: Option<&str>) {
    let mut db = rig.db.pool.acquire().await.unwrap();
    let known = customers::get(&mut db, customer).await.unwrap().unwrap();
    let fields = customers::Fields {
        lago_external_id: id.map(str::to_owned),
        ..known.fields
    };
    customers::update(&mut db, customer, &fields).await.unwrap();
}

/// The statements of the month before, to everybody: how many were issued.
async fn state_last_month(rig: &Rig, shop: &Shop) -> usize {
    let order = Order {
        entity: shop.entity,
        month: rig.now().date_naive() - TimeDelta::days(31),
        customer: None,
        draft: false,
    };
    let run = issue::statements(&rig.sync.pool, order, Actor::Cli, rig.now()).await;
    run.unwrap().issued.len()
}

#[tokio::test]
async fn nothing_is_invoiced_both_here_and_in_lago_when_a_customer_moves() {
    let rig = Rig::new().await;
    let shop = Shop::open(&rig.db, "HC", "EUR", chrono_tz::UTC, rig.now()).await;
    let ada = shop.customer("Ada", "", "04A1").await;
    let last_month = rig.now() - TimeDelta::days(30);
    shop.sale("04A1", last_month, 10_000, "0.50").await;
    assert_eq!(state_last_month(&rig, &shop).await, 1);

    put_in_lago(&rig, ada, Some("bolt")).await;
    let later = shop.sale("04A1", rig.now(), 4_000, "0.50").await;
    let run = rig.run().await;
    assert_eq!((run.sessions, run.created, run.sent), (1, 1, 1));
    assert_eq!(rig.outbox().await[0].session_id, later);

    put_in_lago(&rig, ada, None).await;
    rig.clock.advance(TimeDelta::days(30).to_std().unwrap());
    assert_eq!(state_last_month(&rig, &shop).await, 0);
}

#[tokio::test]
async fn what_ended_on_somebodys_account_is_not_told_to_lago_when_the_token_moves() {
    let rig = Rig::new().await;
    let shop = Shop::open(&rig.db, "HC", "EUR", chrono_tz::UTC, rig.now()).await;
    let ada = shop.customer("Ada", "", "04A1").await;
    let bolt = shop.customer("Bolt", "", "04B2").await;
    put_in_lago(&rig, bolt, Some("bolt")).await;
    let last_month = rig.now() - TimeDelta::days(30);
    shop.sale("04A1", last_month, 10_000, "0.50").await;
    let mut db = rig.db.pool.acquire().await.unwrap();
    let all = tag_mappings::list(&mut db).await.unwrap();
    let of_ada = all.iter().find(|mapping| mapping.customer_id == ada);
    let new = tag_mappings::NewMapping {
        id_token: "04A1".to_owned(),
        customer_id: bolt,
        subscription: None,
        display_name: String::new(),
        notes: String::new(),
        active: true,
    };
    let yesterday = rig.now() - TimeDelta::days(1);
    tag_mappings::update(&mut db, of_ada.unwrap().id, &new, yesterday)
        .await
        .unwrap();
    let later = shop.sale("04A1", rig.now(), 4_000, "0.50").await;

    assert_eq!(rig.run().await.created, 1);
    assert_eq!(rig.outbox().await[0].session_id, later);
    assert_eq!(state_last_month(&rig, &shop).await, 1);
}
