//! A seller with a site, a station, a tariff and customers, for tests of money: sessions with prices as billing would have
//! written them.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Pool, Rounding, customers, ids,
    legal_entities::{self, Fields, Issuing, TaxPer},
    prices::{self, NewPrice, State},
    sites,
    stations::{self, NewStation, Registration},
    tag_mappings::{self, NewMapping},
    tariffs,
    testing::TestDb,
};

/// The seller, and where it sells.
#[derive(Debug, Clone)]
pub struct Shop {
    /// As the database's owner.
    pub pool: Pool,
    /// Who sells.
    pub entity: Uuid,
    /// Where.
    pub site: Uuid,
    /// At what.
    pub station: Uuid,
    /// At which price.
    pub version: Uuid,
    /// ISO 4217.
    pub currency: String,
    /// The time of the test.
    pub now: DateTime<Utc>,
}

/// What people set of the shop's seller.
pub fn fields(name: &str, currency: &str) -> Fields {
    Fields {
        name: name.to_owned(),
        address: "Am Kai 7\n20457 Hamburg".to_owned(),
        country: "DE".to_owned(),
        tax_id: "DE123456789".to_owned(),
        email: "billing@seller.example".to_owned(),
        currency: currency.parse().expect("a currency"),
        rounding: Rounding::HalfUp,
        tax_per: TaxPer::Line,
        payment_days: 14,
        payment_details: "IBAN DE02 1203 0000 0000 2020 51".to_owned(),
    }
}

impl Shop {
    /// A shop whose numbers begin with `prefix`; its prices do not include the tax.
    ///
    /// # Panics
    /// When the database refuses, as with everything here.
    pub async fn open(
        test: &TestDb,
        prefix: &str,
        currency: &str,
        zone: Tz,
        now: DateTime<Utc>,
    ) -> Self {
        let pool = test.pool.clone();
        let mut db = pool.acquire().await.expect("a connection");
        let name = format!("{prefix} Charging GmbH");
        let entity = legal_entities::create(&mut db, &fields(&name, currency), now)
            .await
            .expect("a seller");
        let issuing = Issuing {
            time_zone: zone,
            prefix: prefix.to_owned(),
            monthly: true,
        };
        legal_entities::set_issuing(&mut db, entity, &issuing)
            .await
            .expect("its numbers");
        let site = sites::add(&mut db, &format!("{prefix} Quay"), zone, now)
            .await
            .expect("a site");
        legal_entities::sell_at(&mut db, site, Some(entity))
            .await
            .expect("the seller sells there");
        let identity = format!("{prefix}-AC-01");
        let new = NewStation {
            identity: &identity,
            site_id: Some(site),
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
        };
        let station = stations::add(&mut db, &new, now).await.expect("a station");
        let tariff = tariffs::create(&mut db, &format!("{prefix} tariff"), currency, now)
            .await
            .expect("a tariff");
        let content = json!({ "currency": currency, "prices_include_tax": false, "elements": [] });
        let version =
            tariffs::add_version(&mut db, tariff, now - TimeDelta::days(900), &content, now)
                .await
                .expect("its version")
                .expect("the tariff is there");
        Shop {
            pool: pool.clone(),
            entity,
            site,
            station,
            version,
            currency: currency.to_owned(),
            now,
        }
    }

    /// A customer, known for two years, who charges with `token`.
    ///
    /// # Panics
    /// See [`Shop::open`].
    pub async fn customer(&self, name: &str, email: &str, token: &str) -> Uuid {
        let mut db = self.pool.acquire().await.expect("a connection");
        let fields = customers::Fields {
            name: name.to_owned(),
            email: email.to_owned(),
            address: "Hafenstraße 1\n20359 Hamburg".to_owned(),
            country: "DE".to_owned(),
            tax_id: String::new(),
            lago_external_id: None,
            active: true,
        };
        let since = self.now - TimeDelta::days(730);
        let id = customers::create(&mut db, &fields, since)
            .await
            .expect("a customer");
        let mapping = NewMapping {
            id_token: token.to_owned(),
            customer_id: id,
            subscription: None,
            display_name: String::new(),
            notes: String::new(),
            active: true,
        };
        tag_mappings::create(&mut db, &mapping, since)
            .await
            .expect("a mapping");
        id
    }

    /// An ended session of an hour and so many Wh, without a price.
    ///
    /// # Panics
    /// See [`Shop::open`].
    pub async fn session(&self, token: &str, ended_at: DateTime<Utc>, wh: i64) -> Uuid {
        let started_at = ended_at - TimeDelta::hours(1);
        let id = ids::new_id(started_at);
        let number = i64::try_from(id.as_u128() >> 66 & 0x3fff_ffff).expect("thirty bits")
            + i64::from(rand::random::<u16>()) * 0x4000_0000;
        let mut tx = self.pool.begin().await.expect("a transaction");
        sqlx::query(
            "insert into transactions (id, station_id, number, evse, connector, id_token, started_at, shown_at,
               start_received_at, meter_start_wh, stopped_at, stop_received_at, meter_stop_wh, site_id)
             values ($1, $2, $3, 1, 1, $4, $5, $5, $5, 1284037, $6, $6, 1284037 + $7, $8)",
        )
        .bind(id)
        .bind(self.station)
        .bind(number)
        .bind(token)
        .bind(started_at)
        .bind(ended_at)
        .bind(wh)
        .bind(self.site)
        .execute(&mut *tx)
        .await
        .expect("a transaction of the station");
        sqlx::query(
            "insert into charging_sessions (id, transaction_id, number, station_id, site_id, evse, connector, id_token,
               state, started_at, ended_at, energy_wh)
             values ($1, $1, $2, $3, $4, 1, 1, $5, 'ended', $6, $7, $8)",
        )
        .bind(id)
        .bind(number)
        .bind(self.station)
        .bind(self.site)
        .bind(token)
        .bind(started_at)
        .bind(ended_at)
        .bind(wh)
        .execute(&mut *tx)
        .await
        .expect("a session");
        tx.commit().await.expect("it is kept");
        id
    }

    /// A new revision of a session's price.
    ///
    /// # Panics
    /// See [`Shop::open`].
    pub async fn price(&self, session: Uuid, lines: &[Value], held: bool) {
        let sum = |name: &str| -> Decimal {
            lines
                .iter()
                .map(|line| {
                    let text = line[name].as_str().expect("amounts are strings");
                    text.parse::<Decimal>().expect("amounts are decimal")
                })
                .sum()
        };
        let price = NewPrice {
            session_id: session,
            site_id: Some(self.site),
            station_id: Some(self.station),
            tariff_version_id: self.version,
            state: if held { State::Held } else { State::Priced },
            reasons: Vec::new(),
            currency: self.currency.clone(),
            net: sum("net"),
            tax: sum("tax"),
            total: sum("total"),
            lines: serde_json::to_string(lines).expect("JSON"),
            made_from: rand::random(),
        };
        let mut tx = self.pool.begin().await.expect("a transaction");
        prices::take_turn(&mut tx).await.expect("the turn");
        prices::write(&mut tx, &[price], self.now)
            .await
            .expect("a price");
        tx.commit().await.expect("it is kept");
    }

    /// An ended session with the price of its energy.
    ///
    /// # Panics
    /// See [`Shop::open`].
    pub async fn sale(
        &self,
        token: &str,
        ended_at: DateTime<Utc>,
        wh: i64,
        unit_price: &str,
    ) -> Uuid {
        let session = self.session(token, ended_at, wh).await;
        let line = energy(wh, unit_price, "19", None, ended_at);
        self.price(session, &[line], false).await;
        session
    }
}

/// A line of energy, rounded to two decimals; tax on top.
///
/// # Panics
/// On amounts that are none.
pub fn energy(
    wh: i64,
    unit_price: &str,
    rate: &str,
    source: Option<&str>,
    to: DateTime<Utc>,
) -> Value {
    let unit: Decimal = unit_price.parse().expect("a price");
    let percent: Decimal = rate.parse().expect("a rate");
    let kwh = Decimal::new(wh, 3);
    let net = Rounding::HalfUp.round(kwh * unit, 2);
    let tax = Rounding::HalfUp.round(net * percent / Decimal::ONE_HUNDRED, 2);
    let mut line = json!({
        "kind": "energy", "quantity": kwh.to_string(), "unit_price": unit_price, "tax_rate": rate,
        "net": net.to_string(), "tax": tax.to_string(), "total": (net + tax).to_string(),
        "from": to - TimeDelta::hours(1), "to": to,
    });
    if let Some(source) = source {
        line["source"] = json!(source);
    }
    line
}

/// A reservation of connector 1 that the station accepted at `from`: used by a session, or by nobody, which is told.
pub async fn reservation(
    db: &mut PgConnection,
    (station, site, token): (Uuid, Uuid, &str),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    used: Option<Uuid>,
) -> Uuid {
    let id = ids::new_id(from);
    let status = if used.is_some() { "used" } else { "expired" };
    sqlx::query!(
        "with kept as (
           insert into reservations (id, number, station_id, site_id, connector, id_token, expires_at, status, created_at,
             accepted_at, ended_at, transaction_id, actor_kind)
           values ($1, 1, $2, $3, 1, $4, $6, $8, $5, $5, $6, $7, 'system') returning id)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $6, 'reservation.' || $8, $3, $2, id, '{}' from kept",
        id,
        station,
        site,
        token,
        from,
        to,
        used,
        status
    )
    .execute(db)
    .await
    .unwrap();
    id
}
