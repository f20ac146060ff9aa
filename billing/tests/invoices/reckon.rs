//! What a bill says adds up, whatever is on it.

use billing::invoice::reckon::{Rules, reckon, reverse, taxes};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::{Rounding, invoices::Billable, legal_entities::TaxPer, shop};
use uuid::Uuid;

use super::at;

fn billable(lines: Vec<Value>, currency: &str, prices_include_tax: bool) -> Billable {
    Billable {
        session_id: Uuid::from_u128(1),
        revision: 1,
        id_token: "04A1".to_owned(),
        site_id: None,
        site: "Quay".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        station: "AC-01".to_owned(),
        connector: 1,
        started_at: at("2026-10-03T06:00:00Z"),
        ended_at: at("2026-10-03T07:00:00Z"),
        energy_wh: Some(16_700),
        register_start_wh: Some(0),
        register_stop_wh: Some(16_700),
        signed: Vec::new(),
        currency: currency.to_owned(),
        prices_include_tax,
        lines: Value::Array(lines),
    }
}

fn rules(currency: &str, tax_per: TaxPer, rounding: Rounding) -> Rules {
    Rules {
        tax_per,
        rounding,
        currency: currency.parse().unwrap(),
    }
}

/// A line whose net, or total, is given; the other follows.
fn line(amount: Decimal, rate: Decimal, exponent: u32, included: bool) -> Value {
    let round = |value| Rounding::HalfUp.round(value, exponent);
    let (net, total) = if included {
        (
            round(amount * Decimal::ONE_HUNDRED / (Decimal::ONE_HUNDRED + rate)),
            amount,
        )
    } else {
        (amount, amount + round(amount * rate / Decimal::ONE_HUNDRED))
    };
    json!({
        "kind": "energy", "quantity": "1", "unit_price": amount.to_string(), "tax_rate": rate.to_string(),
        "net": net.to_string(), "tax": (total - net).to_string(), "total": total.to_string(),
        "from": "2026-10-03T06:00:00Z", "to": "2026-10-03T07:00:00Z",
    })
}

#[derive(Debug, Clone)]
struct Bill {
    sessions: Vec<(bool, Vec<(i64, u32)>)>,
    currency: &'static str,
    per_rate: bool,
    even: bool,
}

fn bills() -> impl Strategy<Value = Bill> {
    let lines = prop::collection::vec((-500_i64..100_000, 0_u32..4), 1..6);
    let sessions = prop::collection::vec((any::<bool>(), lines), 1..8);
    let currency = prop::sample::select(vec!["EUR", "JPY", "KWD"]);
    (sessions, currency, any::<bool>(), any::<bool>()).prop_map(
        |(sessions, currency, per_rate, even)| Bill {
            sessions,
            currency,
            per_rate,
            even,
        },
    )
}

const RATES: [&str; 4] = ["0", "7", "19", "8.1"];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn the_total_is_the_sum_of_what_is_shown(bill in bills()) {
        let rules = rules(
            bill.currency,
            if bill.per_rate { TaxPer::Rate } else { TaxPer::Line },
            if bill.even { Rounding::HalfEven } else { Rounding::HalfUp },
        );
        let minor = rules.currency.exponent();
        let sessions: Vec<Billable> = bill.sessions.iter().map(|(included, lines)| {
            let lines = lines.iter().map(|(amount, rate)| {
                let rate = RATES[usize::try_from(*rate).unwrap()].parse().unwrap();
                line(Decimal::new(*amount, minor), rate, minor, *included)
            }).collect();
            billable(lines, bill.currency, *included)
        }).collect();
        let made = reckon(&sessions, rules).unwrap();
        let sum = |of: fn(&store::invoices::LineOf) -> Decimal| made.lines.iter().map(of).sum::<Decimal>();
        prop_assert_eq!(sum(|l| l.net), made.net);
        prop_assert_eq!(sum(|l| l.tax), made.tax);
        prop_assert_eq!(sum(|l| l.total), made.total);
        prop_assert_eq!(made.net + made.tax, made.total);
        let unit = Decimal::new(1, minor);
        for (line, given) in made.lines.iter().zip(sessions.iter().flat_map(|s| s.lines.as_array().unwrap())) {
            prop_assert_eq!(line.net + line.tax, line.total);
            prop_assert!(line.total.normalize().scale() <= minor);
            // A line is never off by more than a minor unit from what it was priced at.
            let priced: Decimal = given["tax"].as_str().unwrap().parse().unwrap();
            prop_assert!((line.tax - priced).abs() <= unit, "{} {}", line.tax, priced);
        }
        let by_rate = taxes(&made.lines);
        prop_assert_eq!(by_rate.iter().map(|t| t.1).sum::<Decimal>(), made.net);
        prop_assert_eq!(by_rate.iter().map(|t| t.2).sum::<Decimal>(), made.tax);
        if bill.per_rate && bill.sessions.iter().all(|(included, _)| !included) {
            for (rate, net, tax) in by_rate {
                prop_assert_eq!(tax, rules.rounding.round(net * rate / Decimal::ONE_HUNDRED, minor));
            }
        }
        let taken_back = reverse(&made.sessions, &made.lines);
        prop_assert_eq!(taken_back.total + made.total, Decimal::ZERO);
        prop_assert_eq!(taken_back.tax + made.tax, Decimal::ZERO);
    }
}

/// Some thousand; more by PROPTEST_CASES.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(3_000)
}

#[test]
fn tax_per_rate_is_rounded_once() {
    let to = at("2026-10-03T07:00:00Z");
    // Three times 0.05 net at 19 %: 0.0095 each is 0.01 each per line, but 0.0285 is 0.03 for all.
    let lines: Vec<Value> = (0..5)
        .map(|_| shop::energy(100, "0.50", "19", None, to))
        .collect();
    let of = |per| {
        reckon(
            &[billable(lines.clone(), "EUR", false)],
            rules("EUR", per, Rounding::HalfUp),
        )
        .unwrap()
    };
    let dec = |text: &str| text.parse::<Decimal>().unwrap();
    assert_eq!(
        (of(TaxPer::Line).tax, of(TaxPer::Line).total),
        (dec("0.05"), dec("0.30"))
    );
    // 0.25 at 19 % is 0.0475.
    assert_eq!(
        (of(TaxPer::Rate).tax, of(TaxPer::Rate).total),
        (dec("0.05"), dec("0.30"))
    );
    let many: Vec<Value> = (0..20)
        .map(|_| shop::energy(100, "0.50", "19", None, to))
        .collect();
    let session = [billable(many, "EUR", false)];
    let per_line = reckon(&session, rules("EUR", TaxPer::Line, Rounding::HalfUp)).unwrap();
    let per_rate = reckon(&session, rules("EUR", TaxPer::Rate, Rounding::HalfUp)).unwrap();
    assert_eq!((per_line.tax, per_rate.tax), (dec("0.20"), dec("0.19")));
}

/// V5: 12.5 kWh of the sun at 10 and 4.2 kWh of the grid at 50 cost 335.00, and save 500.00.
#[test]
fn the_sun_saves_what_the_grid_would_have_cost() {
    let to = at("2026-10-03T07:00:00Z");
    let lines = vec![
        shop::energy(12_500, "10", "0", Some("solar"), to),
        shop::energy(4_200, "50", "0", Some("grid"), to),
    ];
    let session = [billable(lines, "JMD", false)];
    let bill = reckon(&session, rules("JMD", TaxPer::Line, Rounding::HalfUp)).unwrap();
    assert_eq!(bill.total.to_string(), "335.00");
    assert_eq!(bill.sessions[0].saved.unwrap().to_string(), "500.00");
    // Without a price of the grid nobody knows.
    let lines = vec![shop::energy(12_500, "10", "0", Some("solar"), to)];
    let session = [billable(lines, "JMD", false)];
    let bill = reckon(&session, rules("JMD", TaxPer::Line, Rounding::HalfUp)).unwrap();
    assert_eq!(bill.sessions[0].saved, None);
}

#[test]
fn a_price_that_cannot_be_read_is_refused() {
    let to = at("2026-10-03T07:00:00Z");
    let good = shop::energy(1_000, "0.50", "19", None, to);
    let eur = rules("EUR", TaxPer::Line, Rounding::HalfUp);
    let mut off = good.clone();
    off["total"] = json!("9.99");
    let mut fine = good.clone();
    fine["net"] = json!("0.5001");
    fine["total"] = json!("0.6001");
    fine["tax"] = json!("0.10");
    for (lines, currency, words) in [
        (vec![off], "EUR", "is not 9.99 EUR"),
        (vec![fine], "EUR", "0.5001"),
        (vec![json!({ "kind": "energy" })], "EUR", "missing field"),
        (vec![good], "USD", "it is in USD"),
    ] {
        let error = reckon(&[billable(lines, currency, false)], eur).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
