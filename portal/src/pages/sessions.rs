//! `/sessions`: charging sessions of a period, newest first, with totals over the whole filter. A station's page shows
//! the same list of its own.

use std::collections::HashMap;

use askama::{Template, filters::HtmlSafe};
use axum::{extract::State, response::Response};
use billing::pricing::{
    costs,
    running::{Cost, CostState},
};
use chrono::{DateTime, Datelike, DurationRound, TimeDelta, Utc};
use store::{
    Cursor, Scoped, connectors, prices,
    sessions::{self, Filter, Session, State as SessionState, Totals},
    sites::{self, Site},
};
use uuid::Uuid;

use super::{
    asked::{Parameters, query},
    frame::Frame,
    overview::{common_zone, midnight},
};
use crate::{
    AppState, Result,
    live::Part,
    view::{Chip, Moment, number, state::plain, time},
};

/// Sessions on one page.
const PAGE: i64 = 50;

/// Where the list stands: by itself, or on the page of the one station that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The path of the page.
    pub path: String,
    /// The identity of the station.
    pub station: Option<String>,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            path: "/sessions".to_owned(),
            station: None,
        }
    }
}

/// What the page was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    place: Place,
    filter: Filter,
    /// Whether the query names the period; else it is the last seven days.
    period: bool,
    after: Option<Cursor>,
}

impl Asked {
    /// Without a period it is the seven days that end with the running hour; active sessions are shown whenever they
    /// began, and so is everything with `from=all`.
    /// Who sees no id tokens cannot look for one either.
    fn read(
        place: Place,
        parameters: &Parameters,
        masks_tokens: bool,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let states = SessionState::ALL.map(SessionState::as_str).join(", ");
        let state = parameters.read("state", &format!("one of {states}"), SessionState::parse)?;
        let all = parameters.first("from") == Some("all");
        let (from, to) = if all {
            (None, parameters.instant("to", true)?)
        } else {
            (
                parameters.instant("from", false)?,
                parameters.instant("to", true)?,
            )
        };
        let period = all || from.is_some() || to.is_some();
        let held = parameters.first("price").is_some();
        let (from, to) = if period || held || state == Some(SessionState::Active) {
            // A range that ends before it begins is empty, not wrong.
            (from, to.map(|to| from.map_or(to, |from| to.max(from))))
        } else {
            let end = end_of_hour(now);
            (Some(end - TimeDelta::days(7)), Some(end))
        };
        let stations = match &place.station {
            Some(station) => vec![station.clone()],
            None => parameters.all("station"),
        };
        Ok(Asked {
            place,
            filter: Filter {
                from,
                to,
                stations,
                site_id: parameters.id("site")?,
                state,
                held: parameters
                    .read("price", "held", |text| (text == "held").then_some(()))?
                    .is_some(),
                id_token: parameters
                    .first("token")
                    .filter(|_| !masks_tokens)
                    .map(str::to_owned),
            },
            period,
            after: parameters.read("after", "a place that this list handed out", |text| {
                text.parse().ok()
            })?,
        })
    }

    fn any(&self) -> bool {
        let filter = &self.filter;
        self.period
            || !self.chosen_stations().is_empty()
            || filter.site_id.is_some()
            || filter.state.is_some()
            || filter.held
            || filter.id_token.is_some()
    }

    /// The stations that the query chose; on the page of one station none can be.
    fn chosen_stations(&self) -> &[String] {
        match self.place.station {
            Some(_) => &[],
            None => &self.filter.stations,
        }
    }

    /// The path of this list with a query.
    fn link(&self, pairs: &[(&str, String)]) -> String {
        format!("{}{}", self.place.path, query(pairs))
    }

    fn id_token(&self) -> &str {
        self.filter.id_token.as_deref().unwrap_or_default()
    }

    fn is_site(&self, site: &Uuid) -> bool {
        self.filter.site_id.as_ref() == Some(site)
    }

    fn is_state(&self, state: SessionState) -> bool {
        self.filter.state == Some(state)
    }

    fn has_station(&self, station: &str) -> bool {
        self.filter
            .stations
            .iter()
            .any(|asked| asked.eq_ignore_ascii_case(station))
    }

    fn stations_summary(&self) -> String {
        match self.filter.stations.as_slice() {
            [] => "All stations".to_owned(),
            [one] => one.clone(),
            several => format!("{} stations", several.len()),
        }
    }

    /// The period in words.
    fn window(&self) -> String {
        let say = |at: DateTime<Utc>| at.format("%-d %b %Y %H:%M").to_string();
        match (self.filter.from, self.filter.to) {
            (None, None) => "Started at any time".to_owned(),
            (Some(from), None) => format!("Started from {} UTC", say(from)),
            (None, Some(to)) => format!("Started before {} UTC", say(to)),
            (Some(from), Some(to)) => format!("Started from {} to {} UTC", say(from), say(to)),
        }
    }

    /// The whole filter in words, for the page that found nothing.
    fn describe(&self) -> String {
        let mut words = vec![self.window().replacen("Started", "started", 1)];
        if !self.filter.stations.is_empty() {
            words.push(format!("at {}", self.filter.stations.join(", ")));
        }
        if self.filter.site_id.is_some() {
            words.push("at one site".to_owned());
        }
        if let Some(token) = &self.filter.id_token {
            words.push(format!("with the id token {token}"));
        }
        if let Some(state) = self.filter.state {
            words.push(format!("in the state {}", state.as_str()));
        }
        if self.filter.held {
            words.push("with a held price".to_owned());
        }
        words.join(", ")
    }

    /// The query of this list, with another period or place.
    fn pairs(&self, period: Option<Period>, after: Option<Cursor>) -> Vec<(&'static str, String)> {
        let filter = &self.filter;
        let mut pairs = Vec::new();
        let (from, to) = match period {
            Some(period) => (period.from, period.to),
            None if self.period => (filter.from, filter.to),
            None => (None, None),
        };
        let everything = match period {
            Some(period) => period.from.is_none() && period.to.is_none(),
            None => self.period && from.is_none() && to.is_none(),
        };
        if everything {
            pairs.push(("from", "all".to_owned()));
        }
        pairs.extend(from.map(|from| ("from", time::exact(from))));
        pairs.extend(to.map(|to| ("to", time::exact(to))));
        pairs.extend(filter.site_id.map(|site| ("site", site.to_string())));
        for station in self.chosen_stations() {
            pairs.push(("station", station.clone()));
        }
        pairs.extend(
            filter
                .state
                .map(|state| ("state", state.as_str().to_owned())),
        );
        if filter.held {
            pairs.push(("price", "held".to_owned()));
        }
        pairs.extend(filter.id_token.clone().map(|token| ("token", token)));
        pairs.extend(after.map(|after| ("after", after.to_string())));
        pairs
    }
}

fn end_of_hour(now: DateTime<Utc>) -> DateTime<Utc> {
    let hour = TimeDelta::hours(1);
    match now.duration_trunc(hour) {
        Ok(start) if start == now => now,
        Ok(start) => start + hour,
        Err(_) => now,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

struct Preset {
    name: &'static str,
    link: String,
    current: bool,
}

/// The periods that are one click away; days and months are those of the sites, if they share a zone.
fn presets(asked: &Asked, now: DateTime<Utc>, zone: chrono_tz::Tz) -> Vec<Preset> {
    let today = midnight(now, zone);
    let local = now.with_timezone(&zone);
    let month = midnight(now - TimeDelta::days(i64::from(local.day0())), zone);
    let since = |from| Period {
        from: Some(from),
        to: None,
    };
    let named = [
        ("Today", Some(since(today))),
        ("7 days", None),
        ("This month", Some(since(month))),
        (
            "30 days",
            Some(since(midnight(now - TimeDelta::days(30), zone))),
        ),
        (
            "All",
            Some(Period {
                from: None,
                to: None,
            }),
        ),
    ];
    let is_active = asked.filter.state == Some(SessionState::Active);
    named
        .into_iter()
        .map(|(name, period)| Preset {
            name,
            link: match period {
                Some(_) => asked.link(&asked.pairs(period, None)),
                None => {
                    let mut pairs = asked.pairs(Some(since(today)), None);
                    pairs.retain(|pair| pair.0 != "from");
                    asked.link(&pairs)
                }
            },
            current: match period {
                Some(period) => {
                    asked.period && asked.filter.from == period.from && asked.filter.to == period.to
                }
                None => !asked.period && !is_active,
            },
        })
        .collect()
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct Sessions {
    frame: Frame,
    as_of: Moment,
    list: List,
}

/// The filter and what it finds.
#[derive(Template)]
#[template(path = "sessions_list.html", blocks = ["list"])]
pub(super) struct List {
    nothing_to_see: bool,
    from_input: String,
    to_input: String,
    window: String,
    presets: Vec<Preset>,
    sites: Vec<Site>,
    stations: Vec<String>,
    rows: Vec<Row>,
    total_count: String,
    total_kwh: String,
    average: String,
    /// Amount and currency, one of each currency.
    revenue: Vec<(String, String)>,
    first_link: String,
    next_link: Option<String>,
    all_link: String,
    /// The query of this very page, to be asked for again by its live stream.
    pub live_query: String,
    ocpp_url: String,
    masks_tokens: bool,
    asked: Asked,
}

struct Row {
    id: Uuid,
    started: Moment,
    station: String,
    connector: i32,
    site: String,
    id_token: String,
    energy_kwh: String,
    max_kw: String,
    soc: String,
    duration: String,
    cost: String,
    currency: String,
    /// What the sum alone does not say: that it grows.
    cost_note: &'static str,
    held: Option<Chip>,
    chip: Chip,
    flags: usize,
    flag_words: String,
}

/// `GET /sessions`.
pub async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    frame.position = store::events::now(&mut db).await?;
    let list = List::load(&app, &mut db, &frame, Place::default(), &parameters).await?;
    super::html(&Sessions {
        as_of: Moment::new(app.clock.now(), None),
        frame,
        list,
    })
}

/// What of the page changes by itself.
pub(crate) async fn parts(
    app: &AppState,
    db: &mut Scoped<'_>,
    frame: &Frame,
    parameters: &Parameters,
) -> Result<Vec<Part>> {
    let list = List::load(app, db, frame, Place::default(), parameters).await?;
    Ok(vec![list.part()?])
}

/// It stands in another template as it is: what it shows was escaped when it was rendered.
impl HtmlSafe for List {}

impl List {
    /// What `parameters` ask for.
    pub(super) async fn load(
        app: &AppState,
        db: &mut Scoped<'_>,
        frame: &Frame,
        place: Place,
        parameters: &Parameters,
    ) -> Result<Self> {
        let now = app.clock.now();
        let asked = Asked::read(place, parameters, frame.masks_tokens, now)?;
        let mut found = sessions::list(db, &asked.filter, asked.after, PAGE + 1).await?;
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let more = found.len() > page;
        found.truncate(page);
        let next = found.last().filter(|_| more).map(Cursor::from);
        let Totals {
            count,
            energy_wh,
            average_duration_s,
        } = sessions::totals(db, &asked.filter).await?;
        let revenue = prices::revenue(db, &asked.filter).await?;
        let ids: Vec<Uuid> = found.iter().map(|session| session.id).collect();
        let costs: HashMap<Uuid, Cost> = costs(db, &ids, now).await?;
        let sites = sites::list(db).await?;
        let link = |after| asked.link(&asked.pairs(None, after));
        let input = |at: Option<DateTime<Utc>>| at.map_or_else(String::new, time::for_input);
        let all = Period {
            from: None,
            to: None,
        };
        let is_of_one = asked.place.station.is_some();
        Ok(List {
            nothing_to_see: frame.sees_nothing(),
            from_input: input(asked.filter.from),
            to_input: input(asked.filter.to),
            window: asked.window(),
            presets: presets(&asked, now, common_zone(&sites)),
            sites: if is_of_one { Vec::new() } else { sites },
            stations: if is_of_one {
                Vec::new()
            } else {
                connectors::identities(db).await?
            },
            rows: found
                .iter()
                .map(|session| row(session, costs.get(&session.id), frame, now))
                .collect(),
            total_count: number::count(count),
            total_kwh: number::kilo(energy_wh),
            average: average_duration_s.map_or_else(String::new, |seconds| {
                number::hours(TimeDelta::seconds(seconds))
            }),
            revenue: revenue
                .into_iter()
                .map(|sum| (number::money(sum.total, &sum.currency), sum.currency))
                .collect(),
            first_link: link(None),
            next_link: next.map(|next| link(Some(next))),
            all_link: asked.link(&asked.pairs(Some(all), None)),
            live_query: query(&asked.pairs(None, asked.after)).replacen('?', "&", 1),
            ocpp_url: app.config.ocpp_public_url.clone(),
            masks_tokens: frame.masks_tokens,
            asked,
        })
    }

    /// What of it changes by itself.
    pub(super) fn part(&self) -> Result<Part> {
        Part::render("sessions", &self.as_list())
    }
}

fn row(session: &Session, cost: Option<&Cost>, frame: &Frame, now: DateTime<Utc>) -> Row {
    let is = |state| cost.is_some_and(|cost| cost.state == state);
    Row {
        cost: cost.map_or_else(String::new, |cost| {
            number::money(cost.total, &cost.currency)
        }),
        currency: cost.map_or_else(String::new, |cost| cost.currency.clone()),
        cost_note: if is(CostState::Running) { "so far" } else { "" },
        held: is(CostState::Held).then(Chip::held),
        id: session.id,
        started: Moment::new(session.started_at, session.time_zone.as_deref()),
        station: session.station.clone().unwrap_or_default(),
        connector: session.evse,
        site: session.site.clone().unwrap_or_default(),
        id_token: frame.token(&session.id_token),
        energy_kwh: number::kilo_or_blank(session.energy_wh),
        max_kw: number::kilo_or_blank(session.max_power_w),
        soc: number::soc_range(session.soc_start_pm, session.soc_end_pm),
        duration: number::hours(session.duration(now)),
        chip: Chip::session(session.state),
        flags: session.flags.len(),
        flag_words: session
            .flags
            .iter()
            .map(|flag| plain(flag))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<Asked> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>();
        Asked::read(
            Place::default(),
            &pairs.into(),
            false,
            "2026-11-20T12:34:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn without_a_period_it_is_the_seven_days_to_the_end_of_the_hour() {
        let default = asked(&[]).unwrap();
        assert_eq!(
            default.window(),
            "Started from 13 Nov 2026 13:00 to 20 Nov 2026 13:00 UTC"
        );
        assert!(!default.any() && default.pairs(None, None).is_empty());
        let active = asked(&[("state", "active")]).unwrap();
        assert_eq!(active.window(), "Started at any time");
        assert_eq!(
            asked(&[("from", "all")]).unwrap().window(),
            "Started at any time"
        );
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_empty() {
        let asked = asked(&[("from", "2026-11-10"), ("to", "2026-11-01")]).unwrap();
        assert_eq!(asked.filter.from, asked.filter.to);
    }

    #[test]
    fn a_list_can_be_asked_for_again_by_its_own_query() {
        let pairs = [
            ("from", "2026-11-01T00:00"),
            ("to", "2026-11-20T12:00:00.250Z"),
            ("station", "A 1"),
            ("station", "b&2"),
            ("state", "ended"),
            ("price", "held"),
        ];
        let first = asked(&pairs).unwrap();
        let again = first.pairs(None, None);
        let again: Vec<(&str, &str)> = again.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(asked(&again).unwrap(), first);
        for broken in [
            ("state", "running"),
            ("site", "Delta"),
            ("after", "1"),
            ("from", "x"),
        ] {
            assert!(asked(&[broken]).is_err(), "{broken:?}");
        }
    }
}
