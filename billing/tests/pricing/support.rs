//! A station at a site, what it says, and what comes of it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::{
    Pool, Room, Scope, ids,
    ingest::{self, Effect, EventRow, MeterRow, OddStop, Start, Status, Stop},
    partitions,
    prices::{self, Price},
    sites,
    stations::{self, NewStation, Registration},
    tariff_assignments::{self, Place},
    tariffs,
    testing::{TestDb, database},
};
use uuid::Uuid;

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// When everything is priced, if a test does not care.
pub const NOW: &str = "2026-11-26T12:00:00Z";

/// So much per kWh, and nothing else.
pub fn per_kwh(price: &str) -> Value {
    json!({
        "currency": "EUR",
        "elements": [{"components": [{"kind": "energy", "price": price}]}],
    })
}

pub struct Town {
    pub db: TestDb,
    /// As billing.
    pub pool: Pool,
    pub site: Uuid,
    pub station: Uuid,
}

impl Town {
    pub async fn new(zone: &str) -> Self {
        let db = database().await;
        let mut c = db.pool.acquire().await.unwrap();
        partitions::ensure(&mut c, 300, at(NOW)).await.unwrap();
        let long_ago = at("2026-01-01T00:00:00Z");
        let site = sites::add(&mut c, "North", zone.parse().unwrap(), long_ago)
            .await
            .unwrap();
        let station = NewStation {
            identity: "CP-1",
            site_id: Some(site),
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
        };
        let station = stations::add(&mut c, &station, long_ago).await.unwrap();
        drop(c);
        Town {
            pool: db.pool(Room::Billing),
            db,
            site,
            station,
        }
    }

    /// A town in UTC whose site has a tariff.
    pub async fn with(content: &Value) -> Self {
        let town = Self::new("UTC").await;
        town.tariff("Standard", content).await;
        town
    }

    /// A tariff of one version that has always held at the site.
    pub async fn tariff(&self, name: &str, content: &Value) -> Uuid {
        let mut db = self.db.pool.acquire().await.unwrap();
        let always = at("2026-01-01T00:00:00Z");
        let id = tariffs::create(&mut db, name, "EUR", always).await.unwrap();
        tariffs::add_version(&mut db, id, always, content, always)
            .await
            .unwrap()
            .unwrap();
        let here = Place::Site(self.site);
        tariff_assignments::assign(&mut db, id, here, always, None, always)
            .await
            .unwrap();
        id
    }

    /// What the tariff says from an instant on.
    pub async fn says(&self, tariff: Uuid, from: &str, content: &Value) -> Uuid {
        let mut db = self.db.pool.acquire().await.unwrap();
        tariffs::add_version(&mut db, tariff, at(from), content, at(from))
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn commit(&self, effect: Effect) {
        let mut db = self.db.pool.acquire().await.unwrap();
        ingest::commit(&mut db, &[&effect]).await.unwrap();
    }

    fn event(&self, kind: &'static str, session: Uuid, at: DateTime<Utc>) -> EventRow {
        EventRow {
            at,
            kind,
            site_id: Some(self.site),
            station_id: self.station,
            subject: Some(session),
            detail: json!({}),
        }
    }

    pub async fn start(&self, start: &str, wh: i64) -> Uuid {
        let start = at(start);
        let id = ids::new_id(start);
        self.commit(Effect {
            starts: vec![self.started(id, start, wh)],
            events: vec![self.event("transaction.started", id, start)],
            ..Effect::default()
        })
        .await;
        id
    }

    fn started(&self, id: Uuid, start: DateTime<Utc>, wh: i64) -> Start {
        Start {
            id,
            station_id: self.station,
            number: i64::from(id.as_fields().2) << 16
                | i64::try_from(id.as_u128() & 0xff_ffff).unwrap(),
            evse: 1,
            connector: 1,
            id_token: "TAG".to_owned(),
            started_at: start,
            shown_at: start,
            received_at: start,
            meter_start_wh: wh,
            reservation_id: None,
            site_id: Some(self.site),
            flags: Vec::new(),
        }
    }

    pub fn reading(&self, session: Uuid, time: DateTime<Utc>, wh: i64) -> MeterRow {
        MeterRow {
            station_id: self.station,
            at: time,
            evse: 1,
            connector: 1,
            context: "Sample.Periodic",
            received_at: time,
            odd: false,
            transaction_id: Some(session),
            energy_wh: Some(wh),
            power_w: None,
            current_ma: [None; 3],
            voltage_mv: [None; 3],
            soc_pm: None,
            temperature_dc: None,
            offered_w: None,
            offered_ma: None,
            rest: None,
            flags: None,
        }
    }

    pub async fn samples(&self, session: Uuid, readings: &[(&str, i64)]) {
        let meter = readings
            .iter()
            .map(|(time, wh)| self.reading(session, at(time), *wh))
            .collect();
        self.commit(Effect {
            meter,
            ..Effect::default()
        })
        .await;
    }

    /// Samples that come after the stop, as the csms tells of them.
    pub async fn late(&self, session: Uuid, readings: &[(&str, i64)]) {
        let meter = readings
            .iter()
            .map(|(time, wh)| self.reading(session, at(time), *wh))
            .collect();
        self.commit(Effect {
            meter,
            late: vec![session],
            events: vec![self.event("session.late", session, at(NOW))],
            ..Effect::default()
        })
        .await;
    }

    pub async fn stop(&self, session: Uuid, stop: &str, wh: i64) {
        self.stop_flagged(session, stop, wh, &[]).await;
    }

    pub async fn stop_flagged(&self, session: Uuid, stop: &str, wh: i64, flags: &[&str]) {
        self.stop_told("transaction.stopped", session, stop, wh, flags)
            .await;
    }

    /// The station's own stop, after one that was concluded.
    pub async fn stop_after_all(&self, session: Uuid, stop: &str, wh: i64) {
        self.stop_told("transaction.corrected", session, stop, wh, &[])
            .await;
    }

    async fn stop_told(
        &self,
        kind: &'static str,
        session: Uuid,
        stop: &str,
        wh: i64,
        flags: &[&str],
    ) {
        let stopped_at = at(stop);
        self.commit(Effect {
            stops: vec![Stop {
                transaction_id: session,
                stopped_at,
                received_at: stopped_at,
                meter_stop_wh: wh,
                reason: None,
                id_token: None,
                replaces: !flags.contains(&"superseded"),
                flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
                figures: None,
            }],
            events: vec![self.event(kind, session, stopped_at)],
            ..Effect::default()
        })
        .await;
    }

    /// A stop that fits nothing, or contradicts the first one of a session.
    pub async fn odd_stop(&self, of: Option<Uuid>, stop: &str, wh: i64) -> Uuid {
        let stopped_at = at(stop);
        let id = ids::new_id(stopped_at);
        let (kind, why) = match of {
            Some(_) => ("transaction.contradicted", "second-stop"),
            None => ("transaction.orphaned", "unknown-transaction"),
        };
        self.commit(Effect {
            odd_stops: vec![OddStop {
                id,
                station_id: self.station,
                number: 4711,
                transaction_id: of,
                stopped_at,
                received_at: stopped_at,
                meter_stop_wh: wh,
                reason: None,
                id_token: None,
                site_id: Some(self.site),
                why,
            }],
            events: vec![self.event(kind, of.unwrap_or(id), stopped_at)],
            ..Effect::default()
        })
        .await;
        id
    }

    pub async fn status(&self, time: &str, word: &str) {
        self.commit(Effect {
            statuses: vec![Status {
                station_id: self.station,
                evse: 1,
                connector: 1,
                status: word.to_owned(),
                error_code: "NoError".to_owned(),
                vendor_error_code: None,
                info: None,
                at: at(time),
                received_at: at(time),
            }],
            ..Effect::default()
        })
        .await;
    }

    /// A session of an hour that takes 10 kWh.
    pub async fn charged(&self, start: &str) -> Uuid {
        let id = self.start(start, 1000).await;
        let stop = (at(start) + TimeDelta::hours(1)).to_rfc3339();
        self.stop(id, &stop, 11_000).await;
        id
    }

    /// A reservation at its connector from one instant to the other, used by a session or by nobody.
    pub async fn reserved(&self, from: &str, to: &str, used: Option<Uuid>) -> Uuid {
        let mut db = self.db.pool.acquire().await.unwrap();
        let here = (self.station, self.site, "TAG");
        store::shop::reservation(&mut db, here, (at(from), at(to)), used).await
    }

    /// Prices what there is to price; answers how many revisions were written.
    pub async fn price(&self) -> usize {
        self.db.settle().await;
        billing::pricing::price_pending(&self.pool, at(NOW))
            .await
            .unwrap()
    }

    /// The revisions of a session's price, the oldest first.
    pub async fn prices(&self, session: Uuid) -> Vec<Price> {
        let mut db = Scope::All.begin(&self.db.pool).await.unwrap();
        let mut prices = prices::revisions(&mut db, session).await.unwrap();
        prices.reverse();
        prices
    }

    /// Total, state and reasons of each revision, in words.
    pub async fn told(&self, session: Uuid) -> Vec<String> {
        self.prices(session)
            .await
            .iter()
            .map(|price| {
                let words = [
                    format!("{} {}", price.total, price.currency),
                    price.state.as_str().to_owned(),
                    price.reasons.join("+"),
                ];
                words.join(" ").trim().to_owned()
            })
            .collect()
    }

    /// How many events tell of the session's price.
    pub async fn events(&self, session: Uuid) -> i64 {
        self.db.count_events("session.priced", session).await
    }
}
