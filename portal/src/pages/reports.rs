//! `/reports`: what was charged and what it came to, by day, month, site or station; as a page, as CSV and as XLSX. One
//! query for all of them.

mod chart;
mod file;
pub mod invoiced;

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{Datelike, Days, Months, NaiveDate};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use store::{
    reports::{self, By, Filter, Row},
    sites::{self, Site},
};
use uuid::Uuid;

use super::{
    asked::{Parameters, query, refuse},
    frame::Frame,
    html,
    overview::{common_zone, midnight},
};
use crate::{
    AppState, Result,
    view::{number, time},
};
use chart::{Chart, charts};

pub use file::{csv, xlsx};

/// Rows on one page.
const PAGE: i64 = 200;
/// The longest period, in days: what a person reads, and the database reads in a moment.
const LONGEST: u64 = 3660;

/// What the report was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    by: By,
    filter: Filter,
    /// Whether the query names the period; else it is the last thirty days.
    period: bool,
    /// 1, 2, …
    page: i64,
}

impl Asked {
    fn read(parameters: &Parameters, today: NaiveDate) -> Result<Self> {
        let kinds = By::ALL.map(By::as_str).join(", ");
        let by = parameters.read("by", &format!("one of {kinds}"), By::parse)?;
        let day = |name| parameters.read(name, "a day such as 2026-11-20", read_day);
        let (from, to) = (day("from")?, day("to")?);
        let period = from.is_some() || to.is_some();
        let to_or_today = to.unwrap_or(today);
        let from = from.unwrap_or_else(|| to_or_today - Days::new(29));
        // A range that ends before it begins is empty, not wrong.
        if from + Days::new(LONGEST) < to_or_today {
            let shown = to_or_today.to_string();
            return Err(refuse("to", &shown, "within ten years of from"));
        }
        let currency =
            parameters.read("currency", "a currency of ISO 4217 such as EUR", |text| {
                let code = text.to_ascii_uppercase();
                code.parse::<store::Currency>().ok().map(|_| code)
            })?;
        Ok(Asked {
            by: by.unwrap_or_default(),
            filter: Filter {
                from,
                to: to_or_today,
                site_id: parameters.id("site")?,
                station: parameters.first("station").map(str::to_owned),
                currency,
            },
            period,
            page: parameters
                .read("page", "a whole number from 1", |text| {
                    text.parse()
                        .ok()
                        .filter(|page| (1..1_000_000).contains(page))
                })?
                .unwrap_or(1),
        })
    }

    fn any(&self) -> bool {
        let filter = &self.filter;
        self.period
            || filter.site_id.is_some()
            || filter.station.is_some()
            || filter.currency.is_some()
    }

    fn is_site(&self, site: &Uuid) -> bool {
        self.filter.site_id.as_ref() == Some(site)
    }

    fn is_currency(&self, currency: &str) -> bool {
        self.filter.currency.as_deref() == Some(currency)
    }

    fn station(&self) -> &str {
        self.filter.station.as_deref().unwrap_or_default()
    }

    /// The query of this report, in another kind.
    fn pairs(&self, by: By) -> Vec<(&'static str, String)> {
        let filter = &self.filter;
        let mut pairs = vec![("by", by.as_str().to_owned())];
        if self.period {
            pairs.push(("from", filter.from.to_string()));
            pairs.push(("to", filter.to.to_string()));
        }
        pairs.extend(filter.site_id.map(|site| ("site", site.to_string())));
        pairs.extend(filter.station.clone().map(|station| ("station", station)));
        pairs.extend(filter.currency.clone().map(|code| ("currency", code)));
        pairs
    }

    fn link(&self, ending: &str, by: By) -> String {
        format!("/reports{ending}{}", query(&self.pairs(by)))
    }

    fn of_period(&self, from: NaiveDate, to: NaiveDate) -> Self {
        let filter = Filter {
            from,
            to,
            ..self.filter.clone()
        };
        Asked {
            filter,
            period: true,
            page: 1,
            by: self.by,
        }
    }

    fn window(&self) -> String {
        let say = |day: NaiveDate| day.format("%-d %b %Y").to_string();
        format!(
            "Ended sessions that started from {} to {}, by the days of their site",
            say(self.filter.from),
            say(self.filter.to)
        )
    }
}

/// A day in years that everything here can hold.
fn read_day(text: &str) -> Option<NaiveDate> {
    text.parse::<NaiveDate>()
        .ok()
        .filter(|day| (1970..3000).contains(&day.year()))
}

struct Choice {
    name: &'static str,
    link: String,
    current: bool,
}

struct Line {
    name: String,
    /// What stands below the name.
    note: &'static str,
    link: Option<String>,
    currency: String,
    sessions: String,
    held: i64,
    held_link: Option<String>,
    energy_kwh: String,
    net: String,
    tax: String,
    total: String,
    /// Its share of the largest total in its currency, in hundredths.
    share: u32,
}

#[derive(Template)]
#[template(path = "reports.html")]
struct Page {
    frame: Frame,
    asked: Asked,
    head: &'static str,
    from_input: String,
    to_input: String,
    window: String,
    kinds: Vec<Choice>,
    presets: Vec<Choice>,
    sites: Vec<Site>,
    currencies: Vec<String>,
    charts: Vec<Chart>,
    rows: Vec<Line>,
    of: String,
    totals: Vec<Line>,
    sums: Vec<Line>,
    csv_link: String,
    xlsx_link: String,
    previous: Option<String>,
    next: Option<String>,
}

/// `GET /reports`.
pub async fn page(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let sites = sites::list(&mut db).await?;
    let zone = common_zone(&sites);
    let today = app.clock.now().with_timezone(&zone).date_naive();
    let asked = Asked::read(&parameters, today)?;
    let skip = (asked.page - 1) * PAGE;
    let found = reports::page(&mut db, asked.by, &asked.filter, PAGE, skip).await?;
    let totals = reports::totals(&mut db, &asked.filter).await?;
    let to_page = |page: i64| {
        let mut pairs = asked.pairs(asked.by);
        pairs.push(("page", page.to_string()));
        format!("/reports{}", query(&pairs))
    };
    let at_page = |there: bool, page| there.then(|| to_page(page));
    let shares = Shares::of(&found.rows);
    let chosen = asked.filter.site_id;
    let of_site = sites.iter().find(|site| Some(site.id) == chosen);
    let day_zone = match (of_site, sites.as_slice()) {
        (Some(site), _) => Some(site.time_zone),
        (None, sites) if sites.iter().all(|site| site.time_zone == zone) => Some(zone),
        _ => None,
    };
    html(&Page {
        head: head(asked.by),
        from_input: asked.filter.from.to_string(),
        to_input: asked.filter.to.to_string(),
        window: asked.window(),
        kinds: kinds(&asked),
        presets: presets(&asked, today),
        currencies: reports::currencies(&mut db).await?,
        charts: charts(&asked, &found),
        rows: found
            .rows
            .iter()
            .map(|row| line(row, &shares, link(row, &asked, day_zone)))
            .collect(),
        of: number::count(found.of),
        totals: totals
            .iter()
            .filter(|row| !row.currency.is_empty())
            .map(|row| line(row, &shares, None))
            .collect(),
        sums: sum(&totals).map_or_else(Vec::new, |row| vec![line(&row, &shares, None)]),
        csv_link: asked.link(".csv", asked.by),
        xlsx_link: asked.link(".xlsx", asked.by),
        previous: at_page(asked.page > 1, asked.page - 1),
        next: at_page(skip + PAGE < found.of, asked.page + 1),
        sites,
        asked,
        frame,
    })
}

fn head(by: By) -> &'static str {
    match by {
        By::Day => "Day",
        By::Month => "Month",
        By::Site => "Site",
        By::Station => "Station",
    }
}

fn kinds(asked: &Asked) -> Vec<Choice> {
    By::ALL
        .into_iter()
        .map(|by| Choice {
            name: match by {
                By::Day => "By day",
                By::Month => "By month",
                By::Site => "By site",
                By::Station => "By station",
            },
            link: asked.link("", by),
            current: by == asked.by,
        })
        .collect()
}

/// The periods that are one click away.
fn presets(asked: &Asked, today: NaiveDate) -> Vec<Choice> {
    let month = today - Days::new(u64::from(today.day0()));
    let year = NaiveDate::from_ymd_opt(today.year(), 1, 1).unwrap_or(month);
    let named = [
        ("7 days", today - Days::new(6), today),
        ("30 days", today - Days::new(29), today),
        ("This month", month, today),
        ("Last month", month - Months::new(1), month - Days::new(1)),
        ("This year", year, today),
    ];
    named
        .into_iter()
        .map(|(name, from, to)| Choice {
            name,
            link: asked.of_period(from, to).link("", asked.by),
            current: (asked.filter.from, asked.filter.to) == (from, to),
        })
        .collect()
}

/// The largest total of each currency.
struct Shares(Vec<(String, Decimal)>);

impl Shares {
    fn of(rows: &[Row]) -> Self {
        let mut largest: Vec<(String, Decimal)> = Vec::new();
        for row in rows {
            match largest.iter_mut().find(|known| known.0 == row.currency) {
                Some(known) => known.1 = known.1.max(row.total),
                None => largest.push((row.currency.clone(), row.total)),
            }
        }
        Shares(largest)
    }

    fn share(&self, row: &Row) -> u32 {
        let largest = self.0.iter().find(|known| known.0 == row.currency);
        largest
            .filter(|known| !known.1.is_zero() && row.total.is_sign_positive())
            .and_then(|known| (row.total * Decimal::ONE_HUNDRED).checked_div(known.1))
            .and_then(|share| u32::try_from(share.round()).ok())
            .unwrap_or(0)
            .min(100)
    }
}

fn line(row: &Row, shares: &Shares, link: Option<String>) -> Line {
    let money = |amount| match row.currency.as_str() {
        "" => String::new(),
        currency => number::money(amount, currency),
    };
    Line {
        name: shown(&row.name),
        note: if row.currency.is_empty() {
            "no tariff held"
        } else {
            ""
        },
        held_link: link.as_ref().map(|link| format!("{link}&price=held")),
        link,
        currency: row.currency.clone(),
        sessions: number::count(row.sessions),
        held: row.held,
        energy_kwh: number::kilo(row.energy_wh),
        net: money(row.net),
        tax: money(row.tax),
        total: money(row.total),
        share: shares.share(row),
    }
}

/// A day as `Fri 20 Nov 2026`, a month as `November 2026`, no site as that; any other name as it is.
fn shown(name: &str) -> String {
    if name.is_empty() {
        return "Without a site".to_owned();
    }
    if let Some(day) = read_day(name) {
        return day.format("%a %-d %b %Y").to_string();
    }
    if let Some(month) = read_day(&format!("{name}-01")) {
        return month.format("%B %Y").to_string();
    }
    name.to_owned()
}

/// Where the sessions of a row are; none where their list cannot say the same.
fn link(row: &Row, asked: &Asked, zone: Option<Tz>) -> Option<String> {
    let zone = zone?;
    let (mut from, mut to) = (asked.filter.from, asked.filter.to);
    let mut pairs = Vec::new();
    match asked.by {
        By::Day => (from, to) = (read_day(&row.name)?, read_day(&row.name)?),
        By::Month => {
            let first = read_day(&format!("{}-01", row.name))?;
            from = from.max(first);
            to = to.min(first + Months::new(1) - Days::new(1));
        }
        By::Site => pairs.push(("site", row.id?.to_string())),
        By::Station => pairs.push(("station", row.name.clone())),
    }
    let noon = |day: NaiveDate| day.and_hms_opt(12, 0, 0).map(|noon| noon.and_utc());
    let begins = midnight(noon(from)?, zone);
    let ends = midnight(noon(to + Days::new(1))?, zone);
    pairs.insert(0, ("from", time::for_input(begins)));
    pairs.insert(1, ("to", time::for_input(ends)));
    if asked.by != By::Site {
        pairs.extend(asked.filter.site_id.map(|site| ("site", site.to_string())));
    }
    if asked.by != By::Station {
        pairs.extend(
            asked
                .filter
                .station
                .clone()
                .map(|station| ("station", station)),
        );
    }
    pairs.push(("state", "ended".to_owned()));
    Some(format!("/sessions{}", query(&pairs)))
}

/// Everything together, without money: amounts of several currencies have no sum.
fn sum(totals: &[Row]) -> Option<Row> {
    let is_told_already = matches!(totals, [one] if !one.currency.is_empty());
    if totals.is_empty() || is_told_already {
        return None;
    }
    let zero = Decimal::ZERO;
    Some(Row {
        id: None,
        name: String::new(),
        currency: String::new(),
        sessions: totals.iter().map(|row| row.sessions).sum(),
        held: totals.iter().map(|row| row.held).sum(),
        energy_wh: totals.iter().map(|row| row.energy_wh).sum(),
        net: zero,
        tax: zero,
        total: zero,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<Asked> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>();
        Asked::read(&pairs.into(), "2026-11-20".parse().unwrap())
    }

    #[test]
    fn a_report_is_asked_for_by_its_own_query() {
        let usual = asked(&[]).unwrap();
        assert!(!usual.any());
        assert_eq!(usual.filter.from.to_string(), "2026-10-22");
        let pairs = [
            ("by", "station"),
            ("from", "2026-11-01"),
            ("to", "2026-11-20"),
            ("station", "A&1"),
            ("currency", "EUR"),
        ];
        let first = asked(&pairs).unwrap();
        let again = first.pairs(first.by);
        let again: Vec<(&str, &str)> = again.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(asked(&again).unwrap(), first);
        for wrong in [
            ("by", "driver"),
            ("from", "yesterday"),
            ("from", "1900-01-01"),
            ("from", "2001-01-01"),
            ("currency", "gold"),
            ("site", "Delta"),
            ("page", "0"),
        ] {
            assert!(asked(&[wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_link_of_a_day_is_that_day_at_the_site() {
        let asked = asked(&[("by", "day")]).unwrap();
        let row = Row {
            id: None,
            name: "2026-10-25".to_owned(),
            currency: "EUR".to_owned(),
            sessions: 1,
            held: 0,
            energy_wh: 0,
            net: Decimal::ZERO,
            tax: Decimal::ZERO,
            total: Decimal::ZERO,
        };
        let zone = "Europe/Amsterdam".parse().ok();
        assert_eq!(
            link(&row, &asked, zone).unwrap(),
            "/sessions?from=2026-10-24T22%3A00&to=2026-10-25T23%3A00&state=ended",
            "a day of 25 hours"
        );
        assert_eq!(link(&row, &asked, None), None);
    }
}
