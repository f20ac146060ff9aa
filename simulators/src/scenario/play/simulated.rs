//! Steps of a simulated station: the firmware's own core with a physical meter, in virtual time. What it says and hears it
//! decides by itself; a scenario acts on the world around it and waits for what it says.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{
    super::{
        file::{Range, SimulatedStation},
        matching,
        step::{
            Advance, ExpectCall, ExpectSent, Link, Network, NetworkMode, Plug, PowerCut, Swipe,
            Unplug, WaitBoot, WaitLink,
        },
        wire::{Frame, Passed},
    },
    Done, Length, MAIN, Play, Scenario, bad_file, set_up, wrong,
};
use crate::{Options, Station, StationEvent, fault::Direction, physics::VEHICLES};

/// A day: what is simulated lies in the past, for the server's clock stands still meanwhile.
const AGO_MS: i64 = 86_400_000;
/// How full a vehicle comes if nothing is said, percent.
const SOC: f64 = 20.0;

impl Play<'_> {
    /// Switches the station on, if the scenario has one.
    pub(super) fn switch_on(&mut self, scenario: &Scenario) -> Done {
        let Some(wanted) = &scenario.station else {
            return Ok(());
        };
        let options = self.options(wanted)?;
        let station = Station::spawn(options).map_err(|error| set_up(error.to_string()))?;
        self.station = Some(station);
        self.vehicles = scenario.vehicle.clone();
        Ok(())
    }

    fn options(&self, wanted: &SimulatedStation) -> Done<Options> {
        let (supply, connectors) = wanted.hardware().map_err(bad_file)?;
        Ok(Options {
            connectors,
            supply,
            seed: wanted.seed,
            start: Some(evse_core::Utc(crate::clock::utc_now().0 - AGO_MS)),
            sample_interval: wanted.sample_interval.map(|length| length.0),
            faults: wanted.faults().map_err(bad_file)?,
            quirks: wanted.quirks().map_err(bad_file)?,
            ..Options::new(&self.place.url, &self.values.text(super::STATION))
        })
    }

    /// The next event before `until`; frames are noted in the log and handed to `pick`.
    async fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut pick: impl FnMut(&Self, &StationEvent) -> Option<T>,
    ) -> Done<T> {
        let until = Instant::now() + limit;
        loop {
            let station = self.station.as_mut();
            let station = station.ok_or_else(|| bad_file("this needs a [station]"))?;
            let event = timeout_at(until, station.next_event()).await;
            let event = event.map_err(|_| wrong(format!("{what} did not come")))?;
            let event = event.ok_or_else(|| wrong("the station has ended"))?;
            match &event {
                StationEvent::Frame(_, direction, text) => {
                    self.shared.note(MAIN, *direction, Frame::read(text));
                }
                StationEvent::Connected => self.links.push_back(Link::Up),
                StationEvent::Disconnected => self.links.push_back(Link::Down),
                _ => {}
            }
            if let Some(found) = pick(self, &event) {
                return Ok(found);
            }
        }
    }

    /// A CALL that passed since this was last asked, or that passes in time.
    async fn passes(
        &mut self,
        direction: Direction,
        action: &str,
        pattern: Option<&Value>,
        limit: Duration,
    ) -> Done<Value> {
        let pattern = pattern.map(|pattern| self.fill(pattern)).transpose()?;
        let fits = |play: &Self, passed: &Passed| match &passed.frame {
            Frame::Call {
                action: came,
                payload,
                ..
            } => {
                let alike = || {
                    pattern
                        .as_ref()
                        .is_none_or(|pattern| matching::matches(pattern, payload, play.now()))
                };
                (passed.direction == direction && came == action && alike())
                    .then(|| payload.clone())
            }
            _ => None,
        };
        let log = self.shared.log();
        for (at, passed) in log.iter().enumerate().skip(self.read_to) {
            if let Some(payload) = fits(self, passed) {
                self.read_to = at + 1;
                return Ok(payload);
            }
        }
        let found = self
            .until(action, limit, |play, event| match event {
                StationEvent::Frame(..) => {
                    let log = play.shared.log();
                    log.last().and_then(|passed| fits(play, passed))
                }
                _ => None,
            })
            .await?;
        self.read_to = self.shared.log().len();
        Ok(found)
    }

    pub(super) async fn wait_boot(&mut self, step: &WaitBoot) -> Done {
        let expected = step.wait_boot.clone();
        self.until(
            "an answer to the boot",
            self.limit(step.timeout),
            |_, event| match event {
                StationEvent::Frame(_, Direction::In, text) => match Frame::read(text) {
                    Frame::Result { payload, .. } => {
                        (payload["status"] == expected.as_str()).then_some(())
                    }
                    _ => None,
                },
                _ => None,
            },
        )
        .await
    }

    fn world(&self) -> Done<&Station> {
        let station = self.station.as_ref();
        station.ok_or_else(|| bad_file("this needs a [station]"))
    }

    pub(super) fn plug(&mut self, step: &Plug) -> Done {
        let plug = &step.plug;
        let own = self.vehicles.get(&plug.vehicle);
        let known = VEHICLES.iter().find(|known| known.name == plug.vehicle);
        let base = known.or(own.map(|_| &VEHICLES[0])).ok_or_else(|| {
            let names: Vec<_> = VEHICLES.iter().map(|known| known.name).collect();
            let names = names.join(", ");
            bad_file(format!(
                "no vehicle {}: expected a [vehicle.…] or one of {names}",
                plug.vehicle
            ))
        })?;
        let vehicle = own.map_or_else(|| base.clone(), |own| own.of(base));
        let soc = plug.soc.or(own.and_then(|own| own.soc)).unwrap_or(SOC);
        self.world()?.plug(plug.connector, &vehicle, soc);
        Ok(())
    }

    pub(super) fn unplug(&mut self, step: &Unplug) -> Done {
        self.world()?.unplug(step.unplug.connector);
        Ok(())
    }

    pub(super) fn swipe(&mut self, step: &Swipe) -> Done {
        let tag = self.fill_text(&step.swipe.tag)?;
        self.world()?.swipe(step.swipe.connector, &tag);
        Ok(())
    }

    pub(super) fn power_cut(&mut self, _step: &PowerCut) -> Done {
        self.world()?.power_cut();
        Ok(())
    }

    pub(super) async fn advance(&mut self, step: &Advance) -> Done {
        self.pass_time(step.advance.0, step.timeout).await
    }

    async fn pass_time(&mut self, by: Duration, timeout: Option<Length>) -> Done {
        self.world()?.advance(by);
        let limit = self.limit(timeout);
        self.until("the end of that time", limit, |_, event| {
            matches!(event, StationEvent::Advanced).then_some(())
        })
        .await
    }

    pub(super) async fn network(&mut self, step: &Network) -> Done {
        let network = &step.network;
        let fault = network.fault().map_err(bad_file)?;
        let world = self.world()?;
        world.online();
        world.weather(fault.into_iter().collect());
        match network.mode {
            NetworkMode::Down => world.offline(),
            NetworkMode::Cut => world.crash(),
            NetworkMode::HalfOpen => world.half_open(),
            _ => {}
        }
        if let Some(by) = network.by {
            self.pass_time(by.0, step.timeout).await?;
            let world = self.world()?;
            world.online();
            world.weather(Vec::new());
        }
        Ok(())
    }

    pub(super) async fn wait_link(&mut self, step: &WaitLink) -> Done {
        let wanted = step.wait_link;
        while let Some(link) = self.links.pop_front() {
            if link == wanted {
                return Ok(());
            }
        }
        let what = format!("wait_link = {wanted:?}");
        let limit = self.limit(step.timeout);
        let came = |_: &Self, event: &StationEvent| match (event, wanted) {
            (StationEvent::Connected, Link::Up) | (StationEvent::Disconnected, Link::Down) => {
                Some(())
            }
            _ => None,
        };
        self.until(&what, limit, came).await?;
        self.links.clear();
        Ok(())
    }

    pub(super) async fn expect_sent(&mut self, step: &ExpectSent) -> Done {
        let (pattern, limit) = (step.matches.as_ref(), self.limit(step.timeout));
        let payload = self
            .passes(Direction::Out, &step.expect_sent, pattern, limit)
            .await?;
        self.save(&step.save, &payload)
    }

    /// The server's CALL, which the station answers by itself.
    pub(super) async fn hears_call(&mut self, step: &ExpectCall) -> Done {
        let (pattern, limit) = (step.matches.as_ref(), self.limit(step.timeout));
        let payload = self
            .passes(Direction::In, &step.expect_call, pattern, limit)
            .await?;
        self.save(&step.save, &payload)
    }

    /// As `command`, where the station answers by itself.
    pub(super) async fn hears(&mut self, action: &str, asked: &Value, limit: Duration) -> Done {
        let pattern = json!({ "$exactly": asked });
        self.passes(Direction::In, action, Some(&pattern), limit)
            .await
            .map(|_| ())
    }
}

/// What all transactions of a log have taken, by their registers.
pub(super) fn energy_holds(log: &[&Passed], range: Range) -> Done {
    let mut wh = 0;
    for (at, passed) in log.iter().enumerate() {
        let Frame::Call {
            action, payload, ..
        } = &passed.frame
        else {
            continue;
        };
        if action == "StopTransaction" {
            let number = &payload["transactionId"];
            let begun = register_at_start(&log[..at], number);
            let begun = begun.ok_or_else(|| wrong(format!("{passed}: nobody saw its start")))?;
            wh += payload["meterStop"].as_i64().unwrap_or_default() - begun;
        }
    }
    let kwh = wh as f64 / 1000.0;
    if (range.min..=range.max).contains(&kwh) {
        Ok(())
    } else {
        let (min, max) = (range.min, range.max);
        Err(wrong(format!(
            "{kwh} kWh were charged: expected {min} to {max}"
        )))
    }
}

/// The register with which the transaction of this number began.
fn register_at_start(log: &[&Passed], number: &Value) -> Option<i64> {
    let answered = log.iter().find_map(|passed| match &passed.frame {
        Frame::Result { id, payload } if payload["transactionId"] == *number => Some(id),
        _ => None,
    })?;
    log.iter().find_map(|passed| match &passed.frame {
        Frame::Call {
            id,
            action,
            payload,
        } if id == answered && action == "StartTransaction" => payload["meterStart"].as_i64(),
        _ => None,
    })
}
