//! From our tariff to OCPI's. What OCPI 2.2.1 has no words for is refused by name.

use rust_decimal::Decimal;
use serde_json::Value;

use super::{Identity, wire};
use crate::tariff::{
    Component, Element, Kind, Limit, Price, Problem, Restrictions, Tariff, TimeOfDay, Weekday,
};

/// OCPI's numbers have at most so many decimals.
const MOST_DECIMALS: u32 = 4;

/// Writes an OCPI 2.2.1 Tariff object. What an imported tariff said of itself is said again; else `identity` says it.
pub fn export(tariff: &Tariff, identity: &Identity) -> Result<String, Vec<Problem>> {
    let mut refused = Refused(tariff.check());
    let text = |name: &str, else_: &str| {
        let known = tariff.extra.get(name).and_then(Value::as_str);
        known.unwrap_or(else_).to_owned()
    };
    let optional = |name: &str| {
        tariff
            .extra
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    refused.if_(
        tariff.prices_include_tax,
        "/prices_include_tax",
        "true",
        "false: OCPI's prices are without tax",
    );
    for (name, value) in &tariff.extra {
        let known = super::import::KEPT.contains(&name.as_str());
        refused.if_(
            !known,
            &format!("/extra/{name}"),
            &value.to_string(),
            "a field of an OCPI tariff",
        );
    }
    let kind = tariff
        .extra
        .get("type")
        .map(|kind| wire::TariffType::deserialize_from(kind, &mut refused));
    let elements = tariff.elements.iter().enumerate();
    let object = wire::Tariff {
        country_code: text("country_code", &identity.country_code),
        party_id: text("party_id", &identity.party_id),
        id: text("id", &identity.id),
        currency: tariff.currency.code().to_owned(),
        kind: kind.flatten(),
        tariff_alt_text: tariff.extra.get("tariff_alt_text").cloned(),
        tariff_alt_url: optional("tariff_alt_url"),
        min_price: refused.limit("/min_price", tariff.min_price),
        max_price: refused.limit("/max_price", tariff.max_price),
        elements: elements
            .flat_map(|(index, element)| {
                refused.element(&format!("/elements/{index}"), tariff, element)
            })
            .collect(),
        start_date_time: optional("start_date_time"),
        end_date_time: optional("end_date_time"),
        energy_mix: tariff.extra.get("energy_mix").cloned(),
        last_updated: text("last_updated", &identity.last_updated),
    };
    if !refused.0.is_empty() {
        return Err(refused.0);
    }
    serde_json::to_string_pretty(&object)
        .map_err(|error| vec![Problem::new("", "", error.to_string())])
}

impl wire::TariffType {
    fn deserialize_from(value: &Value, refused: &mut Refused) -> Option<Self> {
        let kind = serde_json::from_value(value.clone()).ok();
        refused.if_(
            kind.is_none(),
            "/extra/type",
            &value.to_string(),
            "a TariffType such as REGULAR",
        );
        kind
    }
}

/// What cannot be said.
struct Refused(Vec<Problem>);

impl Refused {
    fn if_(&mut self, wrong: bool, at: &str, value: &str, expected: &str) {
        if wrong {
            self.0.push(Problem::new(at, value, expected));
        }
    }

    fn number(&mut self, at: &str, number: Decimal) -> wire::Number {
        let wrong = number.normalize().scale() > MOST_DECIMALS;
        self.if_(
            wrong,
            at,
            &number.to_string(),
            "at most four decimals, as OCPI's numbers have",
        );
        wire::Number(number)
    }

    fn limit(&mut self, at: &str, limit: Option<Limit>) -> Option<wire::Price> {
        let limit = limit?;
        self.if_(
            limit.net.is_none(),
            &format!("{at}/net"),
            "nothing",
            "an amount: OCPI's limits are without tax first of all",
        );
        Some(wire::Price {
            excl_vat: wire::Number(limit.net?),
            incl_vat: limit.total.map(wire::Number),
        })
    }

    /// One element, or two if it prices reservations and sessions.
    fn element(&mut self, at: &str, tariff: &Tariff, element: &Element) -> Vec<wire::Element> {
        let when = self.restrictions(&format!("{at}/restrictions"), &element.restrictions);
        let mut of_session = Vec::new();
        let mut of_reservation = Vec::new();
        for (index, component) in element.components.iter().enumerate() {
            let at = format!("{at}/components/{index}");
            let written = self.component(&at, tariff, component);
            if matches!(component.kind, Kind::Reservation | Kind::ReservationFee) {
                of_reservation.extend(written);
            } else {
                of_session.extend(written);
            }
        }
        let reservation = if element.restrictions.reservation_expired {
            wire::Reservation::ReservationExpires
        } else {
            wire::Reservation::Reservation
        };
        let reserved = wire::Restrictions {
            reservation: Some(reservation),
            ..when.clone()
        };
        let is_restricted = element.restrictions != Restrictions::default();
        let parts = [
            (of_session, is_restricted.then_some(when)),
            (of_reservation, Some(reserved)),
        ];
        let parts = parts
            .into_iter()
            .filter(|(components, _)| !components.is_empty());
        parts
            .map(|(price_components, restrictions)| wire::Element {
                price_components,
                restrictions,
            })
            .collect()
    }

    fn component(
        &mut self,
        at: &str,
        tariff: &Tariff,
        component: &Component,
    ) -> Vec<wire::Component> {
        let price = match &component.price {
            Price::Fixed(price) => *price,
            Price::Dynamic(dynamic) => {
                let feed = format!("feed {:?}", dynamic.feed);
                self.if_(
                    true,
                    &format!("{at}/price"),
                    &feed,
                    "a fixed price: OCPI knows no feeds",
                );
                return Vec::new();
            }
        };
        let grace = component.grace_minutes;
        self.if_(
            grace > 0,
            &format!("{at}/grace_minutes"),
            &grace.to_string(),
            "0: OCPI knows no grace",
        );
        let vat = component
            .tax_rate
            .or(Some(tariff.tax_rate).filter(|rate| !rate.is_zero()));
        let written = wire::Component {
            dimension: dimension(component.kind),
            price: self.number(&format!("{at}/price"), price),
            vat: vat.map(|vat| self.number(&format!("{at}/tax_rate"), vat)),
            // OCPI bills whole Wh and seconds at the finest.
            step_size: component.step_size.max(1),
        };
        if component.kind != Kind::Time || component.while_charging {
            return vec![written];
        }
        // The time of the whole session is both of OCPI's.
        let mut idles = tariff
            .elements
            .iter()
            .filter_map(|element| element.component(Kind::Idle));
        self.if_(
            idles.next().is_some() || component.step_size > 1,
            &format!("{at}/while_charging"),
            "false",
            "true: beside idle time or with a step, OCPI knows only the time of charging",
        );
        let parked = wire::Component {
            dimension: wire::Dimension::ParkingTime,
            ..written
        };
        vec![written, parked]
    }

    fn restrictions(&mut self, at: &str, when: &Restrictions) -> wire::Restrictions {
        let season = when.season_from.is_some() || when.season_to.is_some();
        self.if_(
            season,
            &format!("{at}/season_from"),
            "a season",
            "dates with a year: OCPI knows no seasons",
        );
        self.if_(
            when.holidays.is_some(),
            &format!("{at}/holidays"),
            "holidays",
            "nothing: OCPI knows no holidays",
        );
        self.if_(
            when.source.is_some(),
            &format!("{at}/source"),
            "a source",
            "nothing: OCPI does not ask where energy comes from",
        );
        let thousands = |number: Option<u64>| {
            let number = number.map(|number| Decimal::from(number) / Decimal::ONE_THOUSAND);
            number.map(|number| wire::Number(number.normalize()))
        };
        let time =
            |time: TimeOfDay| TimeOfDay::from_minutes(time.minutes() % TimeOfDay::END.minutes());
        let whole_day = when
            .time_from
            .is_none_or(|from| from == TimeOfDay::MIDNIGHT)
            && when.time_to.is_none_or(|to| to == TimeOfDay::END);
        let [start_time, end_time] = [when.time_from, when.time_to].map(|given| {
            given
                .filter(|_| !whole_day)
                .and_then(time)
                .map(|time| time.to_string())
        });
        wire::Restrictions {
            start_time,
            end_time,
            start_date: when.date_from,
            end_date: when.date_to.and_then(|last| last.succ_opt()),
            min_kwh: thousands(when.energy_from_wh),
            max_kwh: thousands(when.energy_to_wh),
            min_current: None,
            max_current: None,
            min_power: thousands(when.power_from_w),
            max_power: thousands(when.power_to_w),
            min_duration: when.duration_from_s,
            max_duration: when.duration_to_s,
            day_of_week: when.weekdays.iter().map(|day| day_of_week(*day)).collect(),
            reservation: None,
        }
    }
}

fn dimension(kind: Kind) -> wire::Dimension {
    match kind {
        Kind::Start | Kind::ReservationFee => wire::Dimension::Flat,
        Kind::Energy => wire::Dimension::Energy,
        Kind::Time | Kind::Reservation => wire::Dimension::Time,
        Kind::Idle => wire::Dimension::ParkingTime,
    }
}

fn day_of_week(day: Weekday) -> wire::Day {
    wire::Day::ALL[day as usize]
}
