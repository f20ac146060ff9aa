//! Worked examples: the acceptance vectors V1, V4, V5 and V19, and rounding.

use super::*;

#[test]
fn v1_a_fee_energy_and_minutes() {
    // 32.418 kWh in 38.2 min: 1.00 + 32.418 × 0.45 = 14.5881 + 38.2 × 0.05 = 1.91 (3.00 an hour).
    let tariff = tariff(
        r#""elements": [{"components": [
            {"kind": "start", "price": "1.00"},
            {"kind": "energy", "price": "0.45"},
            {"kind": "time", "price": "3.00"}
        ]}]"#,
    );
    let charge = charge(
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:38:12Z",
        125_000,
        157_418,
    );
    let priced = priced(&tariff, &charge);
    assert_eq!(
        said(&priced),
        [
            "start 1 x 1.00 = 1.00",
            "energy 32.418 x 0.45 = 14.59",
            "time 0.636667 x 3.00 = 1.91",
        ]
    );
    assert_eq!(priced.total, dec("17.50"));
    assert_eq!(priced.energy_kwh, dec("32.418"));
}

#[test]
fn v4_power_alone_is_integrated() {
    let tariff = tariff(r#""elements": [{"components": [{"kind": "energy", "price": "100"}]}]"#);
    let charge = Charge {
        register_start_wh: None,
        register_stop_wh: None,
        samples: vec![
            power("2026-03-01T10:00:00Z", 7360, None),
            power("2026-03-01T10:00:10Z", 7360, None),
        ],
        ..charge("2026-03-01T10:00:00Z", "2026-03-01T10:00:10Z", 0, 0)
    };
    let priced = priced(&tariff, &charge);
    // 7360 W × 10 s = 73 600 Ws = 20.4444… Wh.
    assert_eq!(priced.energy_kwh, dec("0.020444"));
    assert_eq!(priced.total, dec("2.04"));
    assert_eq!(priced.flags, ["integrated"]);
}

const SOLAR: &str = r#""currency": "JMD", "elements": [
    {"components": [{"kind": "energy", "price": "10"}], "restrictions": {"source": "solar"}},
    {"components": [{"kind": "energy", "price": "50"}], "restrictions": {"source": "grid"}}
]"#;

#[test]
fn v5_solar_and_grid_have_prices_of_their_own() {
    let charge = Charge {
        samples: vec![
            Sample {
                source: Some(Source::Solar),
                ..register("2026-03-01T10:00:00Z", 5_000)
            },
            Sample {
                source: Some(Source::Grid),
                ..register("2026-03-01T11:00:00Z", 17_500)
            },
        ],
        ..charge(
            "2026-03-01T10:00:00Z",
            "2026-03-01T12:00:00Z",
            5_000,
            21_700,
        )
    };
    let tariff = tariff(SOLAR);
    let price = priced(&tariff, &charge);
    assert_eq!(
        said(&price),
        ["energy 12.5 x 10 = 125.00", "energy 4.2 x 50 = 210.00"]
    );
    assert_eq!(price.lines[0].source, Some(Source::Solar));
    assert_eq!(price.lines[1].source, Some(Source::Grid));
    assert_eq!(price.total, dec("335.00"));
    let all_grid = priced(&tariff, &charge.all_grid());
    assert_eq!(all_grid.total - price.total, dec("500.00"));
}

#[test]
fn the_split_by_power_is_scaled_to_the_register() {
    // 30 s of sun at 6 kW and 30 s of grid at 2 kW are 3 to 1; the register says 80 Wh.
    let half_minutes = |from: i64, w: i64, source: Source| {
        (0..3).map(move |index| Sample {
            at: utc("2026-03-01T10:00:00Z") + TimeDelta::seconds(from + 10 * index),
            energy_wh: None,
            power_w: Some(w),
            source: Some(source),
        })
    };
    let mut samples: Vec<_> = half_minutes(0, 6000, Source::Solar).collect();
    // At 30 s both are true: the sun's last reading and the grid's first.
    samples.push(power(
        "2026-03-01T10:00:29.999999Z",
        6000,
        Some(Source::Solar),
    ));
    samples.extend(half_minutes(30, 2000, Source::Grid));
    samples.push(power("2026-03-01T10:01:00Z", 2000, Some(Source::Grid)));
    let charge = Charge {
        samples,
        ..charge("2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z", 1_000, 1_080)
    };
    let priced = priced(&tariff(SOLAR), &charge);
    assert_eq!(
        said(&priced),
        ["energy 0.06 x 10 = 0.60", "energy 0.02 x 50 = 1.00"]
    );
    assert_eq!(
        priced.energy_kwh,
        dec("0.08"),
        "solar and grid are what the register says"
    );
}

#[test]
fn v19_a_rate_that_changes_at_half_past_eleven() {
    // 50.05 kWh from 22:00 to 06:00, evenly: 1.5 h of 8 h at 0.30 = 9.384375 kWh = 2.8153125; the rest at 0.12.
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "energy", "price": "0.12"}], "restrictions": {"time_from": "23:30", "time_to": "06:00"}},
            {"components": [{"kind": "energy", "price": "0.30"}]}
        ]"#,
    );
    let charge = charge("2026-03-01T21:00:00Z", "2026-03-02T05:00:00Z", 0, 50_050);
    let priced = priced(&tariff, &charge);
    assert_eq!(
        said(&priced),
        [
            "energy 9.384375 x 0.30 = 2.82",
            "energy 40.665625 x 0.12 = 4.88"
        ]
    );
    assert_eq!(priced.total, dec("7.70"));
    assert_eq!(
        priced.flags,
        ["split-estimated"],
        "nothing was read in those eight hours"
    );
}

#[test]
fn minor_units_and_halves_are_the_currencys_and_the_contracts() {
    let one = |currency: &str, unit: &str, wh: i64, rounding: Rounding| {
        let tariff = tariff(&format!(
            r#""currency": "{currency}", "elements": [{{"components": [{{"kind": "energy", "price": "{unit}"}}]}}]"#
        ));
        let charge = charge("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", 0, wh);
        price(
            &tariff,
            &charge,
            &Context {
                rounding,
                ..berlin()
            },
        )
        .total
        .to_string()
    };
    use Rounding::{HalfEven, HalfUp};
    assert_eq!(one("JPY", "31", 1_500, HalfUp), "47");
    assert_eq!(one("JPY", "31", 1_500, HalfEven), "46");
    assert_eq!(one("KWD", "0.013", 2_500, HalfUp), "0.033");
    assert_eq!(one("KWD", "0.013", 2_500, HalfEven), "0.032");
    assert_eq!(one("EUR", "0.25", 500, HalfUp), "0.13");
    assert_eq!(one("EUR", "0.25", 500, HalfEven), "0.12");
    assert_eq!(one("EUR", "0.25", 499, HalfUp), "0.12");
}

#[test]
fn an_exact_half_is_seen_though_its_parts_are_thirds() {
    // A third of 0.5 kWh is before 11:00 local: 1/6 kWh × 0.03 is exactly half a cent.
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "energy", "price": "0.03"}], "restrictions": {"time_to": "11:00"}},
            {"components": [{"kind": "energy", "price": "0"}]}
        ]"#,
    );
    let charge = charge("2026-03-01T09:50:00Z", "2026-03-01T10:20:00Z", 0, 500);
    let price = priced(&tariff, &charge);
    assert_eq!(said(&price)[0], "energy 0.166667 x 0.03 = 0.01");
}

#[test]
fn tax_is_on_top_or_inside() {
    let elements = r#""tax_rate": "19", "elements": [{"components": [
        {"kind": "energy", "price": "0.45"}, {"kind": "start", "price": "1", "tax_rate": "7"}]}]"#;
    let charge = charge("2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", 0, 10_000);
    let on_top = priced(&tariff(elements), &charge);
    // 4.50 + 0.855, 1.00 + 0.07
    assert_eq!(
        (on_top.net, on_top.tax, on_top.total),
        (dec("5.50"), dec("0.93"), dec("6.43"))
    );
    let inside = priced(
        &tariff(&format!(r#""prices_include_tax": true, {elements}"#)),
        &charge,
    );
    // 4.50 = 3.78 + 0.72, 1.00 = 0.93 + 0.07
    assert_eq!(
        (inside.net, inside.tax, inside.total),
        (dec("4.71"), dec("0.79"), dec("5.50"))
    );
    assert!(inside.prices_include_tax);
}

#[test]
fn a_price_is_explained_and_solar_energy_saves() {
    let charge = Charge {
        samples: vec![
            Sample {
                source: Some(Source::Solar),
                ..register("2026-03-01T10:00:00Z", 5_000)
            },
            Sample {
                source: Some(Source::Grid),
                ..register("2026-03-01T11:00:00Z", 17_500)
            },
        ],
        ..charge(
            "2026-03-01T10:00:00Z",
            "2026-03-01T12:00:00Z",
            5_000,
            21_700,
        )
    };
    let simulated = simulate(&tariff(SOLAR), &charge, &berlin());
    assert_eq!(simulated.savings, Some(dec("500.00")));
    assert_eq!(
        simulated.explained,
        [
            "12.5 kWh of solar energy at 10 JMD each: 125.00 JMD. Element 1: for solar energy. \
             Between 2026-03-01 11:00:00 CET and 2026-03-01 12:00:00 CET.",
            "4.2 kWh of grid energy at 50 JMD each: 210.00 JMD. Element 2: for grid energy. \
             Between 2026-03-01 12:00:00 CET and 2026-03-01 13:00:00 CET.",
        ]
    );
    let night = tariff(
        r#""tax_rate": "19", "elements": [
            {"components": [{"kind": "start", "price": "1"}, {"kind": "energy", "price": "0.45", "step_size": 500}],
             "restrictions": {"weekdays": ["saturday", "sunday"], "time_from": "22:00", "time_to": "06:00",
                              "season_from": "11-01", "season_to": "03-31", "holidays": "never",
                              "energy_to_wh": 20500, "power_from_w": 4000, "duration_to_s": 5400}},
            {"components": [{"kind": "start", "price": "1"}, {"kind": "energy", "price": "0.45", "step_size": 500}]}
        ], "min_price": {"net": "10"}"#,
    );
    let simulated = simulate(&night, &charge, &berlin());
    assert_eq!(
        simulated.savings, None,
        "it does not ask where energy comes from"
    );
    assert_eq!(
        simulated.explained,
        [
            "Start fee: 1.00 EUR, plus 19 % tax of 0.19 EUR. Element 2: always.",
            "17 kWh of energy at 0.45 EUR each: 7.65 EUR, plus 19 % tax of 1.45 EUR; \
             0.3 kWh of it make the last step full. Element 2: always. \
             Between 2026-03-01 11:00:00 CET and 2026-03-01 13:00:00 CET.",
            "Up to the lowest price: 1.35 EUR, plus 19 % tax of 0.26 EUR.",
        ]
    );
    assert_eq!(
        night.elements[0].restrictions.in_words(),
        "on Saturdays and Sundays, from 22:00 to 06:00, from 1 November to 31 March of each year, not on holidays, \
         up to 20.5 kWh, at 4 kW, for the first 90 min"
    );
}
