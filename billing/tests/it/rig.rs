//! A database, a Lago, and a sync between them whose clock stands until it is moved.

use std::{collections::BTreeSet, time::Duration};

use billing::lago::{Client, Patience, Sync, Turn, run::Wanted};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use service::{
    clock::Clock,
    config::{Config, Env},
};
use simulators::lago::Handle;
use store::{
    Room, Scope,
    customers::{self, Fields},
    id_tokens::{self, IdToken},
    ingest::{self, Effect, MeterRow, Start, Stop},
    lago::{
        events::{self, Event, Filter},
        link::{self, Link},
        runs::{Cause, Tally},
        workload,
    },
    sites,
    tag_mappings::{self, NewMapping},
    tariff_assignments::{self, Place},
    tariffs,
    testing::{TestDb, database},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const KEY: &str = "a key";

pub struct Rig {
    pub db: TestDb,
    pub lago: Handle,
    pub sync: Sync,
    pub clock: Clock,
}

/// Pauses that a test can wait for; what is measured by the clock is as long as in earnest.
pub fn impatient() -> Patience {
    Patience {
        first: Duration::from_millis(1),
        most: Duration::from_millis(4),
        answer: Duration::from_millis(400),
        ..Patience::default()
    }
}

impl Rig {
    /// Lago knows customers acme and bolt; TAG0 charges on acme's account.
    pub async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (lago, _) = simulators::lago::start(listener, KEY);
        lago.world().add_customer("acme", "sub-acme");
        lago.world().add_customer("bolt", "sub-bolt");
        lago.world()
            .put_metric("ev_charging_kwh", "sum_agg", Some("kwh"));

        let settings = Config::from_env(Env::of([
            ("LAGO_API_URL", url.as_str()),
            ("LAGO_API_KEY", KEY),
        ]));
        let settings = settings.unwrap().lago;
        let db = database().await;
        let clock = Clock::fixed("2026-11-20T12:00:00Z".parse().unwrap());
        let patience = impatient();
        let api = settings.api.as_ref().unwrap();
        let sync = Sync {
            client: Some(Client::new(api, patience.answer).unwrap()),
            settings,
            patience,
            pool: db.pool(Room::Billing),
            clock: clock.clone(),
            cancel: CancellationToken::new(),
        };
        let rig = Self {
            db,
            lago,
            sync,
            clock,
        };
        rig.map("TAG0", "acme", None).await;
        rig
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Puts a token on a customer's account.
    pub async fn map(&self, token: &str, customer: &str, subscription: Option<&str>) -> Uuid {
        let mut db = self.db.pool.acquire().await.unwrap();
        let customer_id = match customers::find(&mut db, customer).await.unwrap() {
            Some(known) => known.id,
            None => {
                let fields = Fields {
                    name: customer.to_owned(),
                    email: String::new(),
                    address: String::new(),
                    country: String::new(),
                    tax_id: String::new(),
                    lago_external_id: Some(customer.to_owned()),
                    active: true,
                };
                customers::create(&mut db, &fields, self.now())
                    .await
                    .unwrap()
            }
        };
        let new = NewMapping {
            id_token: token.to_owned(),
            customer_id,
            subscription: subscription.map(str::to_owned),
            display_name: String::new(),
            notes: String::new(),
            active: true,
        };
        tag_mappings::create(&mut db, &new, self.now())
            .await
            .unwrap()
            .id
    }

    pub async fn token(&self, token: &str, parent: &str) {
        let mut db = self.db.pool.acquire().await.unwrap();
        let token = IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: "accepted".to_owned(),
            parent: Some(parent.to_owned()),
            expires_at: None,
            max_active: None,
            owner: String::new(),
        };
        id_tokens::put(&mut db, &token, self.now()).await.unwrap();
    }

    /// Ended sessions in bulk, all of TAG0.
    pub async fn sessions(&self, first: i64, count: i64) {
        let mut db = self.db.pool.acquire().await.unwrap();
        workload::ended(&mut db, first, count, "TAG", 1, self.now())
            .await
            .unwrap();
    }

    async fn commit(&self, effect: Effect) {
        let mut db = self.db.pool.acquire().await.unwrap();
        ingest::commit(&mut db, &[&effect]).await.unwrap();
    }

    /// A transaction that began an hour ago, and is heard of now.
    pub async fn begin(&self, token: &str, meter_start_wh: i64) -> Uuid {
        self.begin_at(token, meter_start_wh, None).await
    }

    /// The same at a site.
    pub async fn begin_at(&self, token: &str, meter_start_wh: i64, site_id: Option<Uuid>) -> Uuid {
        let ago = TimeDelta::hours(1);
        self.began(token, meter_start_wh, site_id, ago).await
    }

    /// A transaction that begins now, its register at zero.
    pub async fn begin_just_now(&self, token: &str) -> Uuid {
        self.began(token, 0, None, TimeDelta::zero()).await
    }

    async fn began(
        &self,
        token: &str,
        meter_start_wh: i64,
        site_id: Option<Uuid>,
        ago: TimeDelta,
    ) -> Uuid {
        let id = store::ids::new_id(self.now());
        let start = Start {
            id,
            station_id: Uuid::from_u128(7),
            number: i64::try_from(id.as_u128() & 0xffff_ffff_ffff).unwrap(),
            evse: 1,
            connector: 1,
            id_token: token.to_owned(),
            started_at: self.now() - ago,
            shown_at: self.now() - ago,
            received_at: self.now(),
            meter_start_wh,
            reservation_id: None,
            site_id,
            flags: vec![],
        };
        self.commit(Effect {
            starts: vec![start],
            ..Effect::default()
        })
        .await;
        id
    }

    /// A site where a kWh costs 0.50 EUR, without tax.
    pub async fn tariff(&self) -> Uuid {
        let mut db = self.db.pool.acquire().await.unwrap();
        let long_ago = self.now() - TimeDelta::days(30);
        let site = sites::add(&mut db, "Harbour", chrono_tz::UTC, long_ago)
            .await
            .unwrap();
        let content = json!({ "currency": "EUR", "elements": [{ "components": [{ "kind": "energy", "price": "0.50" }] }] });
        let id = tariffs::create(&mut db, "Quay", "EUR", long_ago)
            .await
            .unwrap();
        tariffs::add_version(&mut db, id, long_ago, &content, long_ago)
            .await
            .unwrap();
        tariff_assignments::assign(&mut db, id, Place::Site(site), long_ago, None, long_ago)
            .await
            .unwrap();
        site
    }

    /// Its meter shows this now.
    pub async fn meter(&self, id: Uuid, energy_wh: i64) {
        self.meter_at(id, 0, energy_wh).await;
    }

    /// Its meter shows this so many seconds from now.
    pub async fn meter_at(&self, id: Uuid, seconds: i64, energy_wh: i64) {
        let row = MeterRow {
            station_id: Uuid::from_u128(7),
            at: self.now() + TimeDelta::seconds(seconds),
            evse: 1,
            connector: 1,
            context: "Sample.Periodic",
            received_at: self.now(),
            odd: false,
            transaction_id: Some(id),
            energy_wh: Some(energy_wh),
            power_w: None,
            current_ma: [None; 3],
            voltage_mv: [None; 3],
            soc_pm: None,
            temperature_dc: None,
            offered_w: None,
            offered_ma: None,
            rest: None,
            flags: None,
        };
        self.commit(Effect {
            meter: vec![row],
            ..Effect::default()
        })
        .await;
    }

    /// It stops now.
    pub async fn stop(&self, id: Uuid, meter_stop_wh: i64) {
        self.stopped(id, meter_stop_wh, false, vec![]).await;
    }

    /// Another start on its connector ends it, by what that one's register says.
    pub async fn supersede(&self, id: Uuid, meter_stop_wh: i64) {
        let flags = vec!["superseded".to_owned()];
        self.stopped(id, meter_stop_wh, false, flags).await;
    }

    /// The station's own stop comes after all.
    pub async fn stop_late(&self, id: Uuid, meter_stop_wh: i64) {
        self.stopped(id, meter_stop_wh, true, vec![]).await;
    }

    async fn stopped(&self, id: Uuid, meter_stop_wh: i64, replaces: bool, flags: Vec<String>) {
        let stop = Stop {
            transaction_id: id,
            stopped_at: self.now(),
            received_at: self.now(),
            meter_stop_wh,
            reason: None,
            id_token: None,
            replaces,
            flags,
            figures: None,
        };
        self.commit(Effect {
            stops: vec![stop],
            ..Effect::default()
        })
        .await;
    }

    /// One run.
    pub async fn run(&self) -> Tally {
        let wanted = Wanted {
            run: Some(Cause::Schedule),
            ..Wanted::default()
        };
        let Turn::Ran(mut runs) = self.sync.turn(wanted).await.unwrap() else {
            panic!("nobody else has the turn");
        };
        assert_eq!(runs.len(), 1);
        runs.remove(0).1
    }

    pub async fn link(&self) -> Link {
        let mut db = self.db.pool.acquire().await.unwrap();
        link::load(&mut db).await.unwrap()
    }

    /// The outbox, the oldest first.
    pub async fn outbox(&self) -> Vec<Event> {
        let pool = self.db.pool(Room::Portal);
        let mut db = Scope::All.begin(&pool).await.unwrap();
        let mut events = events::list(&mut db, &Filter::default(), 10_000)
            .await
            .unwrap();
        events.sort_by_key(|event| (event.session_id, event.from_wh));
        events
    }

    pub async fn waiting(&self) -> i64 {
        let mut db = self.db.pool.acquire().await.unwrap();
        events::count_pending(&mut db).await.unwrap()
    }

    /// Lago has exactly the events of the outbox, each once.
    pub async fn assert_same(&self, count: usize) {
        let outbox = self.outbox().await;
        let ours: BTreeSet<String> = outbox.iter().map(|event| event.event_id.clone()).collect();
        let world = self.lago.world();
        let theirs: BTreeSet<String> = world
            .events()
            .iter()
            .map(|event| event.transaction_id.clone())
            .collect();
        assert_eq!(
            (ours.len(), theirs.len(), world.events().len()),
            (count, count, count)
        );
        assert!(ours == theirs);
        for event in world.events() {
            let sent = outbox
                .iter()
                .find(|ours| ours.event_id == event.transaction_id)
                .unwrap();
            assert_eq!(event.properties["kwh"], sent.kwh.to_string());
            assert_eq!(event.timestamp_ms / 1_000, sent.at.timestamp());
        }
    }
}
