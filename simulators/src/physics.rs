//! One model of battery, charging curve and supply, from which power, energy, current, voltage and
//! state of charge follow together. Nothing here is random: a seed only shifts the mains' slow swing.

use std::borrow::Cow;

use evse_core::{Offer, Reading};

/// A vehicle's battery and how it takes power. Figures are publicly known, rounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Vehicle {
    /// Name for logs and demo data.
    pub name: &'static str,
    /// Usable battery, kWh.
    pub battery_kwh: f64,
    /// Most it takes from alternating current, kW.
    pub max_ac_kw: f64,
    /// Phases its charger uses.
    pub phases: u32,
    /// Most it takes from direct current, kW.
    pub max_dc_kw: f64,
    /// Share of the most it takes at a state of charge (percent, share), rising in percent.
    pub curve: Cow<'static, [(f64, f64)]>,
}

const GENTLE: Cow<'static, [(f64, f64)]> = Cow::Borrowed(&[
    (0.0, 0.9),
    (10.0, 1.0),
    (80.0, 1.0),
    (95.0, 0.4),
    (100.0, 0.05),
]);
const STEEP: Cow<'static, [(f64, f64)]> = Cow::Borrowed(&[
    (0.0, 0.8),
    (8.0, 1.0),
    (40.0, 0.95),
    (60.0, 0.65),
    (80.0, 0.38),
    (95.0, 0.12),
    (100.0, 0.03),
]);

/// The vehicles the simulators know.
pub const VEHICLES: &[Vehicle] = &[
    Vehicle {
        name: "leaf",
        battery_kwh: 39.0,
        max_ac_kw: 6.6,
        phases: 1,
        max_dc_kw: 46.0,
        curve: GENTLE,
    },
    Vehicle {
        name: "zoe",
        battery_kwh: 52.0,
        max_ac_kw: 22.0,
        phases: 3,
        max_dc_kw: 46.0,
        curve: GENTLE,
    },
    Vehicle {
        name: "id3",
        battery_kwh: 58.0,
        max_ac_kw: 11.0,
        phases: 3,
        max_dc_kw: 120.0,
        curve: STEEP,
    },
    Vehicle {
        name: "model3",
        battery_kwh: 57.5,
        max_ac_kw: 11.0,
        phases: 3,
        max_dc_kw: 170.0,
        curve: STEEP,
    },
    Vehicle {
        name: "kona",
        battery_kwh: 64.0,
        max_ac_kw: 11.0,
        phases: 3,
        max_dc_kw: 77.0,
        curve: STEEP,
    },
    Vehicle {
        name: "ioniq5",
        battery_kwh: 74.0,
        max_ac_kw: 11.0,
        phases: 3,
        max_dc_kw: 220.0,
        curve: STEEP,
    },
    Vehicle {
        name: "etron",
        battery_kwh: 89.0,
        max_ac_kw: 22.0,
        phases: 3,
        max_dc_kw: 155.0,
        curve: GENTLE,
    },
    Vehicle {
        name: "fiat500e",
        battery_kwh: 37.0,
        max_ac_kw: 11.0,
        phases: 3,
        max_dc_kw: 85.0,
        curve: STEEP,
    },
];

/// The vehicle of this name.
#[must_use]
pub fn vehicle(name: &str) -> Option<&'static Vehicle> {
    VEHICLES.iter().find(|v| v.name.eq_ignore_ascii_case(name))
}

/// What a connector can give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Supply {
    /// Alternating current, three phases at 230 V.
    Ac {
        /// Most it gives, kW.
        max_kw: f64,
    },
    /// Direct current at the battery's voltage.
    Dc {
        /// Most it gives, kW.
        max_kw: f64,
    },
}

impl Supply {
    /// Most it gives, kW.
    #[must_use]
    pub fn max_kw(self) -> f64 {
        match self {
            Self::Ac { max_kw } | Self::Dc { max_kw } => max_kw,
        }
    }

    /// Share of the metered energy that reaches the battery.
    fn efficiency(self) -> f64 {
        match self {
            Self::Ac { .. } => 0.91,
            Self::Dc { .. } => 0.95,
        }
    }
}

/// Power rises over this many seconds after the contactor closes.
const RAMP_S: f64 = 20.0;
/// Volts of a phase, as charge points convert watts and amperes.
const NOMINAL_V: f64 = 230.0;
/// Longest step of integration, s.
const STEP_S: f64 = 10.0;

/// A connector's meter, and the vehicle at it while one is plugged in.
#[derive(Clone, Debug)]
pub struct Meter {
    supply: Supply,
    vehicle: Option<(Vehicle, f64)>,
    energy_wh: f64,
    power_w: f64,
    closed_s: f64,
    clock_s: f64,
    phase: f64,
    offer: Option<Offer>,
}

impl Meter {
    /// A meter whose register stands at `energy_wh`.
    #[must_use]
    pub fn new(supply: Supply, energy_wh: f64, seed: u64) -> Self {
        let phase = (seed % 628) as f64 / 100.0;
        Self {
            supply,
            vehicle: None,
            energy_wh,
            power_w: 0.0,
            closed_s: 0.0,
            clock_s: 0.0,
            phase,
            offer: None,
        }
    }

    /// The charge point offers so much from now on; a vehicle takes no more.
    pub fn offer(&mut self, offer: Offer) {
        self.offer = Some(offer);
    }

    /// The most that the offer leaves a vehicle with so many phases, W.
    fn offered_w(&self, phases: u32) -> f64 {
        let Some(offer) = self.offer else {
            return f64::INFINITY;
        };
        let whole = f64::from(offer.power_w);
        match self.supply {
            Supply::Ac { .. } => {
                let used = phases.min(offer.phases);
                whole.min(f64::from(offer.current_da) / 10.0 * NOMINAL_V * f64::from(used))
            }
            Supply::Dc { .. } => whole,
        }
    }

    /// A vehicle arrives with this state of charge, percent.
    pub fn plug(&mut self, vehicle: Vehicle, soc: f64) {
        self.vehicle = Some((vehicle, soc.clamp(0.0, 100.0)));
    }

    /// The vehicle leaves.
    pub fn unplug(&mut self) {
        self.vehicle = None;
        self.power_w = 0.0;
    }

    /// The vehicle's state of charge, percent.
    #[must_use]
    pub fn soc(&self) -> Option<f64> {
        self.vehicle.as_ref().map(|(_, soc)| *soc)
    }

    /// Whether the vehicle would take energy.
    #[must_use]
    pub fn hungry(&self) -> bool {
        self.soc().is_some_and(|soc| soc < 100.0)
    }

    /// Lets time pass with the contactor closed or open.
    pub fn advance(&mut self, seconds: f64, closed: bool) {
        let mut left = seconds;
        while left > 0.0 {
            let step = left.min(STEP_S);
            self.step(step, closed);
            left -= step;
        }
    }

    fn step(&mut self, seconds: f64, closed: bool) {
        self.clock_s += seconds;
        self.closed_s = if closed { self.closed_s + seconds } else { 0.0 };
        self.power_w = if closed {
            self.wanted_w() * (self.closed_s / RAMP_S).min(1.0)
        } else {
            0.0
        };
        let energy_wh = self.power_w * seconds / 3600.0;
        self.energy_wh += energy_wh;
        let efficiency = self.supply.efficiency();
        if let Some((vehicle, soc)) = &mut self.vehicle {
            *soc = (*soc + energy_wh * efficiency / (vehicle.battery_kwh * 10.0)).min(100.0);
        }
    }

    /// What the vehicle takes at its state of charge, W.
    fn wanted_w(&self) -> f64 {
        let Some((vehicle, soc)) = &self.vehicle else {
            return 0.0;
        };
        if *soc >= 100.0 {
            return 0.0;
        }
        let own = match self.supply {
            Supply::Ac { .. } => vehicle.max_ac_kw,
            Supply::Dc { .. } => vehicle.max_dc_kw,
        };
        let single_phase = match self.supply {
            Supply::Ac { max_kw } if vehicle.phases == 1 => max_kw / 3.0,
            _ => f64::INFINITY,
        };
        // An 11 kW point gives a one-phase vehicle more than a third only if its phase can: 32 A.
        let per_phase = single_phase.max(if vehicle.phases == 1 { 7.36 } else { 0.0 });
        let wanted = (own * share(&vehicle.curve, *soc))
            .min(self.supply.max_kw())
            .min(per_phase);
        // What only the wires limit is given as before: an offer of all they bear is no limit.
        let limited = self
            .offer
            .is_some_and(|offer| f64::from(offer.power_w) < self.supply.max_kw() * 1000.0);
        if limited {
            (wanted * 1000.0).min(self.offered_w(vehicle.phases))
        } else {
            wanted * 1000.0
        }
    }

    /// Volts at this moment: the mains swing slowly, a battery's voltage rises with its charge.
    fn voltage(&self) -> f64 {
        let swing =
            1.6 * (self.clock_s / 900.0 + self.phase).sin() + 0.5 * (self.clock_s / 61.0).sin();
        match (self.supply, &self.vehicle) {
            (Supply::Dc { .. }, Some((vehicle, soc))) => {
                let nominal = if vehicle.max_dc_kw > 200.0 {
                    640.0
                } else {
                    345.0
                };
                nominal * (1.0 + soc / 100.0 * 0.14)
            }
            _ => 231.0 + swing - self.power_w / 11_000.0,
        }
    }

    /// The meter's display.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let voltage = self.voltage();
        let phases = match (self.supply, &self.vehicle) {
            (Supply::Ac { .. }, Some((vehicle, _))) => f64::from(vehicle.phases),
            _ => 1.0,
        };
        Reading {
            energy_wh: self.energy_wh as u64,
            power_w: self.power_w.round() as u32,
            current_da: (self.power_w / (voltage * phases) * 10.0).round() as u32,
            voltage_dv: (voltage * 10.0).round() as u32,
            soc_percent: self.soc().map(|soc| soc as u8),
            offered_w: (self.supply.max_kw() * 1000.0) as u32,
            ..Reading::default()
        }
    }
}

/// Linear interpolation in a charging curve; before its first point and after its last it is flat.
fn share(curve: &[(f64, f64)], soc: f64) -> f64 {
    let Some(after) = curve.iter().position(|(at, _)| *at >= soc) else {
        return curve.last().map_or(1.0, |(_, share)| *share);
    };
    let (high_at, high) = curve[after];
    let (low_at, low) = curve[after.saturating_sub(1)];
    if high_at <= low_at {
        return high;
    }
    low + (high - low) * (soc - low_at) / (high_at - low_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn charging(supply: Supply, name: &str, soc: f64) -> Meter {
        let mut meter = Meter::new(supply, 1_000_000.0, 7);
        meter.plug(vehicle(name).expect("a known vehicle").clone(), soc);
        meter
    }

    proptest! {
        #[test]
        fn energy_is_the_integral_of_power_and_soc_never_falls(
            index in 0..VEHICLES.len(),
            soc in 0.0..99.0f64,
            dc in any::<bool>(),
            gaps in prop::collection::vec((1u32..600, any::<bool>()), 1..60),
        ) {
            let supply = if dc { Supply::Dc { max_kw: 150.0 } } else { Supply::Ac { max_kw: 22.0 } };
            let mut meter = charging(supply, VEHICLES[index].name, soc);
            let (mut integral, mut before) = (0.0, meter.clone());
            for (seconds, closed) in gaps {
                for _ in 0..seconds {
                    meter.advance(1.0, closed);
                    integral += meter.power_w / 3600.0;
                    prop_assert!(meter.soc() >= before.soc());
                    prop_assert!(meter.energy_wh >= before.energy_wh);
                    prop_assert!(meter.power_w <= supply.max_kw() * 1000.0);
                    before = meter.clone();
                }
            }
            prop_assert!((meter.energy_wh - 1_000_000.0 - integral).abs() < 1.0);
        }
    }

    #[test]
    fn direct_current_tapers() {
        let mut meter = charging(Supply::Dc { max_kw: 150.0 }, "model3", 20.0);
        let mut at = [0.0; 101];
        while meter.soc().expect("plugged") < 99.0 {
            meter.advance(5.0, true);
            at[meter.soc().expect("plugged") as usize] = meter.power_w;
        }
        assert!(at[30] > 140_000.0, "{}", at[30]);
        assert!(at[80] < at[60] && at[60] < at[40] && at[95] < 25_000.0);
    }

    #[test]
    fn a_reading_is_coherent() {
        let mut meter = charging(Supply::Ac { max_kw: 11.0 }, "id3", 30.0);
        meter.advance(120.0, true);
        let reading = meter.reading();
        let power =
            f64::from(reading.current_da) / 10.0 * f64::from(reading.voltage_dv) / 10.0 * 3.0;
        assert!(
            (power - f64::from(reading.power_w)).abs() < 60.0,
            "{reading:?}"
        );
        assert_eq!(reading.soc_percent, Some(30));
    }

    #[test]
    fn a_curve_is_flat_beyond_its_ends_and_straight_between_its_points() {
        let curve = [(20.0, 1.0), (60.0, 0.5), (80.0, 0.5)];
        for (soc, expected) in [
            (5.0, 1.0),
            (20.0, 1.0),
            (40.0, 0.75),
            (70.0, 0.5),
            (99.0, 0.5),
        ] {
            assert!((share(&curve, soc) - expected).abs() < 1e-9, "{soc}");
        }
        assert!((share(&[], 50.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_full_battery_takes_nothing() {
        let mut meter = charging(Supply::Ac { max_kw: 22.0 }, "zoe", 99.9);
        meter.advance(3.0 * 3600.0, true);
        assert_eq!(meter.reading().power_w, 0);
        assert!(!meter.hungry());
    }
}
