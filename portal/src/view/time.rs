//! Times for people: in the site's zone with its name, in UTC on hover, and never without either.

use chrono::{DateTime, LocalResult, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;

/// An instant as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// For `<time datetime>`: RFC 3339, UTC.
    pub machine: String,
    /// For the hover: `2026-11-20 13:03:05 UTC`.
    pub utc: String,
    /// `20 Nov 2026`, in the zone.
    pub day: String,
    /// `14:03`, in the zone.
    pub clock: String,
    /// `14:03:05`, in the zone.
    pub second: String,
    /// `CET`; `+04` where the zone has no letters.
    pub zone: String,
}

impl Moment {
    /// `at` in the zone of an IANA name; in UTC where that is unknown.
    pub fn new(at: DateTime<Utc>, zone: Option<&str>) -> Self {
        let zone: Tz = zone.and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC);
        let local = at.with_timezone(&zone);
        Moment {
            machine: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            utc: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            day: local.format("%-d %b %Y").to_string(),
            clock: local.format("%H:%M").to_string(),
            second: local.format("%H:%M:%S").to_string(),
            zone: local.format("%Z").to_string(),
        }
    }
}

/// An instant of a query parameter: RFC 3339, or `2026-11-20T14:03` or `2026-11-20` as UTC. A day alone is its first
/// moment, or the first moment after it where `ends` says that it closes a range.
pub fn parse_utc(text: &str, ends: bool) -> Option<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.with_timezone(&Utc));
    }
    if let Some(minute) = clock_time(text) {
        return Some(minute.and_utc());
    }
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let day = if ends { day.succ_opt()? } else { day };
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

/// What `<input type="datetime-local">` says.
fn clock_time(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// A time by the clocks of a zone, in UTC where that is unknown. Of an hour that there is twice, the first is meant; one
/// that clocks leave out there is not.
pub fn parse_in(text: &str, zone: Option<&str>) -> Option<DateTime<Utc>> {
    let zone: Tz = zone.and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC);
    match zone.from_local_datetime(&clock_time(text)?) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
        LocalResult::None => None,
    }
}

/// As `<input type="datetime-local">` wants it: `2026-11-20T14:03`.
pub fn for_input(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M").to_string()
}

/// For a query, as short as it can be said: to the minute where that is exact.
pub fn exact(at: DateTime<Utc>) -> String {
    if at.timestamp() % 60 == 0 && at.timestamp_subsec_nanos() == 0 {
        for_input(at)
    } else {
        at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_stands_in_the_sites_zone_and_keeps_utc_beside_it() {
        let moment = Moment::new(at("2026-11-20T23:03:05Z"), Some("Europe/Amsterdam"));
        assert_eq!(
            (
                moment.day.as_str(),
                moment.clock.as_str(),
                moment.zone.as_str()
            ),
            ("21 Nov 2026", "00:03", "CET")
        );
        assert_eq!(moment.utc, "2026-11-20 23:03:05 UTC");
        assert_eq!(moment.machine, "2026-11-20T23:03:05.000Z");
        assert_eq!(
            Moment::new(at("2026-07-01T12:00:00Z"), Some("Europe/Amsterdam")).zone,
            "CEST"
        );
        assert_eq!(
            Moment::new(at("2026-07-01T12:00:00Z"), Some("No/Where")).zone,
            "UTC"
        );
        assert_eq!(Moment::new(at("2026-07-01T12:00:00Z"), None).clock, "12:00");
    }

    #[test]
    fn a_time_of_a_site_is_read_by_its_clocks() {
        let read = |text| parse_in(text, Some("Europe/Amsterdam")).map(|at| at.to_rfc3339());
        assert_eq!(
            read("2026-11-21T03:00").as_deref(),
            Some("2026-11-21T02:00:00+00:00")
        );
        assert_eq!(read("2026-03-29T02:30"), None, "left out in spring");
        assert_eq!(
            read("2026-10-25T02:30").as_deref(),
            Some("2026-10-25T00:30:00+00:00"),
            "the first of two in autumn"
        );
        assert_eq!(read("tomorrow"), None);
        assert_eq!(
            parse_in("2026-11-21T03:00", None).map(|at| at.to_rfc3339()),
            Some("2026-11-21T03:00:00+00:00".to_owned())
        );
    }

    #[test]
    fn a_range_may_be_given_by_days_minutes_or_instants() {
        let parse = |text, ends| parse_utc(text, ends).map(|at| at.to_rfc3339());
        assert_eq!(
            parse("2026-11-20", false).as_deref(),
            Some("2026-11-20T00:00:00+00:00")
        );
        assert_eq!(
            parse("2026-11-20", true).as_deref(),
            Some("2026-11-21T00:00:00+00:00")
        );
        assert_eq!(
            parse("2026-11-20T14:03", true).as_deref(),
            Some("2026-11-20T14:03:00+00:00")
        );
        assert_eq!(
            parse("2026-11-20T14:03:00+01:00", false).as_deref(),
            Some("2026-11-20T13:03:00+00:00")
        );
        for broken in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "20.11.2026",
            "2026-11-20T25:00",
        ] {
            assert_eq!(parse(broken, false), None, "{broken}");
        }
    }
}
