//! What stands above every tab of a station: who it is, whether it is there, and the way to the other tabs.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, TimeDelta, Utc};
use store::{
    Scoped,
    skew::WORTH_A_WARNING_S,
    stations_read::{self, Station},
};

use super::{TABS, no_such_station};
use crate::{
    AppState, Error, Result,
    live::Part,
    pages::frame::Frame,
    view::{Chip, Moment, number},
};

/// The head of a station's page. It is a template of its own, since it changes by itself whatever the tab.
#[derive(Template)]
#[template(path = "station_head.html")]
pub(crate) struct Head {
    /// All that is known of the station.
    pub station: Station,
    /// The path of its first tab; those of the others are below it.
    pub path: String,
    /// The last part of this tab's path.
    pub slug: &'static str,
    /// What this tab is called.
    pub title: &'static str,
    /// The tabs that this reader is shown.
    pub tabs: Vec<Line>,
    /// Whether this reader may change the station.
    pub may_control: bool,
    /// When the page was made.
    pub as_of: Moment,
    /// The tab's part of the live stream's query: what the list is filtered by.
    pub live_query: String,
    chip: Chip,
    since: Option<Since>,
    seen: Option<Since>,
    booted: Option<Moment>,
    /// What its clock says, and when that was found.
    clock: Option<Clock>,
    registered: Moment,
    registration: Option<Chip>,
    model: String,
    profile: String,
}

/// A tab as the page links it.
pub(crate) struct Line {
    pub title: &'static str,
    pub path: String,
    pub current: bool,
}

/// A station's clock in words.
struct Clock {
    words: String,
    /// So far off that somebody should see to it.
    wrong: bool,
    found: Moment,
}

/// An instant, and how long ago it was.
struct Since {
    at: Moment,
    age: String,
}

/// It stands in another template as it is: what it shows was escaped when it was rendered.
impl HtmlSafe for Head {}

impl Head {
    /// Opens the database as the reader, notes where the page's live stream goes on, and loads the head of the tab `slug`.
    ///
    /// # Errors
    /// 404 where the scope shows no such station; 403 where the tab is not for this reader.
    pub async fn open<'p>(
        app: &'p AppState,
        frame: &mut Frame,
        identity: &str,
        slug: &'static str,
    ) -> Result<(Scoped<'p>, Self)> {
        let mut db = frame.scope.begin(&app.pool).await?;
        frame.position = store::events::now(&mut db).await?;
        let head = Head::load(app, &mut db, frame, identity, slug).await?;
        Ok((db, head))
    }

    /// The same in a transaction that is open.
    pub async fn load(
        app: &AppState,
        db: &mut Scoped<'_>,
        frame: &Frame,
        identity: &str,
        slug: &str,
    ) -> Result<Self> {
        let station = stations_read::get(db, identity)
            .await?
            .ok_or_else(no_such_station)?;
        let tab = TABS
            .iter()
            .find(|tab| tab.slug == slug)
            .ok_or_else(|| Error::NotFound("a station has no such tab".to_owned()))?;
        if !(tab.sees)(&frame.viewer, &station) {
            let not_yours = format!("your role does not see the {} of stations", tab.title);
            return Err(Error::Forbidden(not_yours));
        }
        Ok(Head::of(station, frame, tab.slug, app.clock.now()))
    }

    fn of(station: Station, frame: &Frame, slug: &'static str, now: DateTime<Utc>) -> Self {
        let identity = askama::filters::urlencode_strict(&station.identity)
            .expect("percent-encoding cannot fail");
        let path = format!("/stations/{identity}");
        let zone = station.time_zone.clone();
        let since = |at: DateTime<Utc>| Since {
            at: Moment::new(at, zone.as_deref()),
            age: number::age_by_the_minute(now - at),
        };
        let moment = |at: DateTime<Utc>| Moment::new(at, zone.as_deref());
        let tabs: Vec<Line> = TABS
            .iter()
            .filter(|tab| (tab.sees)(&frame.viewer, &station))
            .map(|tab| Line {
                title: tab.title,
                path: below(&path, tab.slug),
                current: tab.slug == slug,
            })
            .collect();
        Head {
            title: TABS
                .iter()
                .find(|tab| tab.slug == slug)
                .map_or("", |tab| tab.title),
            tabs,
            slug,
            path,
            may_control: frame.viewer.may_control(station.site_id),
            as_of: Moment::new(now, None),
            live_query: String::new(),
            chip: Chip::presence(station.connected),
            since: if station.connected {
                station.connected_at.map(since)
            } else {
                station.disconnected_at.map(since)
            },
            seen: station.last_seen_at.map(since),
            booted: station.last_boot_at.map(moment),
            clock: station
                .clock_skew_s
                .zip(station.clock_measured_at)
                .map(|(skew_s, at)| Clock {
                    words: clock(skew_s),
                    wrong: skew_s.unsigned_abs() > WORTH_A_WARNING_S.unsigned_abs(),
                    found: moment(at),
                }),
            registered: moment(station.created_at),
            registration: Chip::registration(&station.registration),
            model: [station.vendor.as_deref(), station.model.as_deref()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            profile: profile(&station),
            station,
        }
    }

    /// The station's identity, as registered.
    pub fn identity(&self) -> &str {
        &self.station.identity
    }

    /// IANA name of the zone of its times.
    pub fn zone(&self) -> Option<&str> {
        self.station.time_zone.as_deref()
    }

    /// A path below the station's.
    pub fn below(&self, rest: &str) -> String {
        below(&self.path, rest)
    }

    /// What of it changes by itself.
    pub fn part(&self) -> Result<Part> {
        Part::render("station-head", self)
    }
}

fn below(path: &str, rest: &str) -> String {
    if rest.is_empty() {
        path.to_owned()
    } else {
        format!("{path}/{rest}")
    }
}

/// How far a clock is off, in words; what a message takes on its way is no fault of it.
fn clock(skew_s: i32) -> String {
    let off = number::age(TimeDelta::seconds(skew_s.unsigned_abs().into()));
    match skew_s {
        -9..=9 => "right".to_owned(),
        10.. => format!("{off} ahead"),
        _ => format!("{off} behind"),
    }
}

/// The security profile in words.
fn profile(station: &Station) -> String {
    let words = match (station.security_profile, station.has_password) {
        (0, true) => "no TLS asked for, password set",
        (0, false) => "no TLS and no password asked for",
        (1, true) => "password",
        (1, false) => "password, none set yet",
        (2, true) => "TLS and password",
        (2, false) => "TLS and password, none set yet",
        _ => "TLS with a certificate of its own",
    };
    format!("{} · {words}", station.security_profile)
}
