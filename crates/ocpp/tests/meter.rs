//! Golden meter values of real chargers, and the samples made of them.
//! Each test names the row of `ocpp-quirks.md`, or the maker, it answers.

#[path = "support/golden.rs"]
mod golden;

use golden::call;
use ocpp::meter::{self, Flag, Habits, Readings};
use ocpp::v16::*;

fn meter(payload: &str) -> Readings {
    let (request, _): (MeterValuesRequest, _) = call("MeterValues", payload);
    meter::normalise(&request.meter_value, Habits::default())
}

/// Readings of one meter value at one good time.
fn sampled(readings: &str) -> Readings {
    meter(&format!(
        r#"{{"connectorId":1,"meterValue":[{{"timestamp":"2024-04-16T17:28:55Z","sampledValue":{readings}}}]}}"#
    ))
}

#[test]
fn huawei_sends_one_meter_value_without_its_array() {
    let readings = meter(
        r#"{"connectorId":1,"transactionId":1,"meterValue":{"timestamp":"2024-04-16T17:28:55.000Z","sampledValue":[{"value":"0.00","context":"Transaction.Begin","measurand":"Energy.Active.Import.Register","unit":"kWh"}]}}"#,
    );
    let [sample] = readings.samples.as_slice() else {
        panic!("{readings:?}")
    };
    assert_eq!(
        (sample.energy_wh, &sample.context),
        (Some(0), &ReadingContext::TransactionBegin)
    );
    assert_eq!(
        sample.at.map(|at| at.to_string()).as_deref(),
        Some("2024-04-16T17:28:55.000Z")
    );
    assert!(readings.flags.is_empty());
}

#[test]
fn heidelberg_sends_an_empty_value() {
    let readings = meter(
        r#"{"meterValue":[{"timestamp":"2025-01-07T11:18:59Z","sampledValue":[{"context":"Trigger","measurand":"Power.Active.Import","value":""}]}],"connectorId":0,"transactionId":0}"#,
    );
    assert_eq!(
        (readings.samples.len(), readings.flags),
        (0, vec![Flag::ValueDropped])
    );
}

#[test]
fn a_frequency_in_hz_is_kept_as_it_came() {
    let readings = sampled(r#"[{"value":"49.98","measurand":"Frequency","unit":"Hz"}]"#);
    let expected = r#"[{"value":"49.98","measurand":"Frequency","unit":"Hz"}]"#;
    assert_eq!(readings.samples[0].rest.as_deref(), Some(expected));
    assert!(readings.flags.is_empty());
}

#[test]
fn a_temperature_may_be_a_number_in_celcius() {
    for unit in ["Celsius", "Celcius"] {
        let readings = sampled(&format!(
            r#"[{{"value":12.5,"measurand":"Temperature","unit":"{unit}"}}]"#
        ));
        assert_eq!(
            (
                readings.samples[0].temperature_dc,
                readings.flags.as_slice()
            ),
            (Some(125), [].as_slice())
        );
    }
}

#[test]
fn quirk_30_energy_comes_in_many_units() {
    for (reading, energy, flags) in [
        (r#"{"value":"1234"}"#, Some(1234), vec![]),
        (r#"{"value":"1.2345","unit":"kWh"}"#, Some(1235), vec![]),
        (
            r#"{"value":"1.2","unit":"KWH"}"#,
            Some(1200),
            vec![Flag::UnitMended],
        ),
        (
            r#"{"value":"1234","unit":"VAh"}"#,
            Some(1234),
            vec![Flag::UnitMended],
        ),
        (
            r#"{"value":"1234","unit":""}"#,
            Some(1234),
            vec![Flag::UnitAssumed],
        ),
        (
            r#"{"value":"1234","unit":"furlong"}"#,
            None,
            vec![Flag::UnitUnknown],
        ),
    ] {
        let readings = sampled(&format!("[{reading}]"));
        assert_eq!(
            (readings.samples[0].energy_wh, &readings.flags),
            (energy, &flags),
            "{reading}"
        );
        assert_eq!(readings.samples[0].rest.is_some(), energy.is_none());
    }
    let (request, _): (MeterValuesRequest, _) = call(
        "MeterValues",
        r#"{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"1.5","unit":"Wh"},{"value":"2","context":"Trigger","unit":"kWh"}]}]}"#,
    );
    let readings = meter::normalise(&request.meter_value, Habits { wh_means_kwh: true });
    assert_eq!(
        (readings.samples[0].energy_wh, readings.samples[1].energy_wh),
        (Some(1500), Some(2000))
    );
}

#[test]
fn quirk_30_temperatures_are_celsius_in_the_end() {
    for (value, unit, expected) in [
        ("20", "°C", 200),
        ("293.15", "K", 200),
        ("68", "Fahrenheit", 200),
        ("-4", "f", -200),
    ] {
        let readings = sampled(&format!(
            r#"[{{"value":"{value}","measurand":"Temperature","unit":"{unit}"}}]"#
        ));
        assert_eq!(
            readings.samples[0].temperature_dc,
            Some(expected),
            "{value} {unit}"
        );
    }
}

#[test]
fn quirk_31_numbers_are_read_as_they_come_and_only_the_bad_one_is_dropped() {
    let readings = sampled(
        r#"[{"value":"7,25","measurand":"Current.Import"},{"value":"nan","measurand":"Voltage"},{"value":230.04,"measurand":"Voltage"},{"value":"","measurand":"SoC"},{"value":"1e3","measurand":"Power.Active.Import"}]"#,
    );
    let sample = &readings.samples[0];
    assert_eq!(
        (
            sample.current_ma[0],
            sample.voltage_mv[0],
            sample.power_w,
            sample.soc_pm
        ),
        (Some(7250), Some(230_040), Some(1000), None)
    );
    assert_eq!(readings.flags, [Flag::ValueDropped]);
    let readings = sampled(
        r#"[{"value":"door open"},{"value":"99999999999999999999999"},{"value":"1000000000001"},{"value":"101","measurand":"SoC"}]"#,
    );
    assert_eq!(readings.flags, [Flag::ValueOdd]);
    assert!(
        readings.samples[0]
            .rest
            .as_deref()
            .unwrap()
            .contains("door open")
    );
}

#[test]
fn quirk_32_empty_arrays_are_fine() {
    for payload in [
        r#"{"connectorId":1,"meterValue":[]}"#,
        r#"{"connectorId":1,"meterValue":[{"timestamp":"2024-04-16T17:28:55Z","sampledValue":[]}]}"#,
        r#"{"connectorId":1}"#,
        r#"{"connectorId":1,"meterValue":null}"#,
        r#"{"connectorId":1,"meterValue":["x",null,{}]}"#,
    ] {
        assert_eq!(meter(payload), Readings::default(), "{payload}");
    }
}

#[test]
fn quirk_33_readings_without_a_time_are_kept() {
    let readings = meter(r#"{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"5"}]}]}"#);
    assert_eq!(
        (readings.samples[0].at, readings.samples[0].energy_wh),
        (None, Some(5))
    );
    assert_eq!(readings.flags, [Flag::TimeMissing]);
}

#[test]
fn quirk_34_phases_are_sorted_into_columns_and_totals_computed() {
    let readings = sampled(
        r#"[{"value":"10","measurand":"Current.Import","phase":"L1-N"},{"value":"11","measurand":"Current.Import","phase":"L2"},{"value":"12","measurand":"Current.Import","phase":"l3-n"},
            {"value":"230","measurand":"Voltage","phase":"L1-N"},{"value":"400","measurand":"Voltage","phase":"L1-L2"},
            {"value":"2300","measurand":"Power.Active.Import","phase":"L1"},{"value":"2.5","unit":"kW","measurand":"Power.Active.Import","phase":"L2"},
            {"value":"33","measurand":"Current.Import"}]"#,
    );
    let sample = &readings.samples[0];
    assert_eq!(
        sample.current_ma,
        [Some(10_000), Some(11_000), Some(12_000)]
    );
    assert_eq!(sample.voltage_mv, [Some(230_000), None, None]);
    assert_eq!(sample.power_w, Some(4800));
    let rest = sample.rest.as_deref().unwrap();
    assert!(
        rest.contains(r#""phase":"L1-L2""#)
            && rest.contains(r#""value":"2300""#)
            && rest.contains(r#""value":"33""#)
    );
    assert_eq!(readings.flags, [Flag::ValueContradicts, Flag::Summed]);
}

#[test]
fn quirk_35_readings_of_another_context_are_another_sample() {
    let readings = sampled(
        r#"[{"value":"5","context":"Sample.Clock"},{"value":"5"},{"value":"3","measurand":"SoC","context":"sample.periodic"},{"value":"1","measurand":"SoC","context":"Vendor.Whim"}]"#,
    );
    let seen: Vec<_> = readings
        .samples
        .iter()
        .map(|s| (s.context.as_str(), s.energy_wh, s.soc_pm))
        .collect();
    assert_eq!(
        seen,
        [
            ("Sample.Clock", Some(5), None),
            ("Sample.Periodic", Some(5), Some(30)),
            ("Other", None, Some(10))
        ]
    );
    assert_eq!(readings.flags, [Flag::ContextUnknown]);
}

#[test]
fn a_second_value_of_a_column_is_kept_beside_it() {
    let readings = sampled(
        r#"[{"value":"7","location":"Inlet"},{"value":"5"},{"value":"5"},{"value":"80","measurand":"SoC","location":"EV"}]"#,
    );
    let sample = &readings.samples[0];
    assert_eq!((sample.energy_wh, sample.soc_pm), (Some(5), Some(800)));
    assert_eq!(
        sample.rest.as_deref(),
        Some(r#"[{"value":"7","location":"Inlet"}]"#)
    );
    assert_eq!(readings.flags, [Flag::ValueContradicts]);
}

#[test]
fn signed_data_is_kept_to_the_letter() {
    let value = r#"OCMF|{\"FV\":\"1.0\",\"RV\":1234.5600}|{\"SD\":\"30  46\"}"#;
    let readings = sampled(&format!(
        r#"[{{"value":"{value}","format":"SignedData","context":"Transaction.End"}},{{"value":"9"}}]"#
    ));
    let [signed] = readings.signed.as_slice() else {
        panic!("{readings:?}")
    };
    assert_eq!(signed.value, value.replace("\\\"", "\""));
    assert_eq!(
        (signed.measurand.as_str(), &signed.context),
        (
            "Energy.Active.Import.Register",
            &ReadingContext::TransactionEnd
        )
    );
    assert_eq!(readings.samples.len(), 1);
}

#[test]
fn digits_are_not_lost() {
    let readings =
        sampled(r#"[{"value":1234.56789012345678,"measurand":"Energy.Reactive.Import.Register"}]"#);
    assert!(
        readings.samples[0]
            .rest
            .as_deref()
            .unwrap()
            .contains(r#""value":"1234.56789012345678""#)
    );
}
