//! Which tariff holds: the table of precedence.

use serde_json::json;

use super::*;
use crate::{
    Room, Scope, driver_groups, id_tokens, sites,
    stations::{self, NewStation, Registration},
    tariffs,
    testing::{TestDb, database},
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Two sites with a station each, and a driver group.
struct Town {
    db: TestDb,
    sites: [Uuid; 2],
    stations: [Uuid; 2],
    group: Uuid,
}

const LONG_AGO: &str = "2026-01-01T00:00:00Z";

async fn town() -> Town {
    let db = database().await;
    let mut c = db.pool.acquire().await.unwrap();
    let now = at(LONG_AGO);
    let mut town = (Vec::new(), Vec::new());
    for name in ["North", "South"] {
        let site = sites::add(&mut c, name, chrono_tz::UTC, now).await.unwrap();
        let station = NewStation {
            identity: &format!("CP-{name}"),
            site_id: Some(site),
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
        };
        town.0.push(site);
        town.1
            .push(stations::add(&mut c, &station, now).await.unwrap());
    }
    let group = driver_groups::create(&mut c, "Staff", now).await.unwrap();
    for token in ["MEMBER", "STRANGER"] {
        let token = id_tokens::IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: "accepted".to_owned(),
            parent: None,
            expires_at: None,
            max_active: None,
            owner: String::new(),
        };
        id_tokens::put(&mut c, &token, now).await.unwrap();
    }
    assert!(
        driver_groups::put_token(&mut c, "member", Some(group))
            .await
            .unwrap()
    );
    drop(c);
    Town {
        db,
        sites: town.0.try_into().unwrap(),
        stations: town.1.try_into().unwrap(),
        group,
    }
}

impl Town {
    /// A tariff of one version at a place.
    async fn assign(&self, name: &str, place: Place, from: &str, to: Option<&str>) -> Uuid {
        let mut db = self.db.pool.acquire().await.unwrap();
        let now = at(LONG_AGO);
        let tariff = tariffs::create(&mut db, name, "EUR", now).await.unwrap();
        let content = json!({"currency": "EUR"});
        tariffs::add_version(&mut db, tariff, now, &content, now)
            .await
            .unwrap();
        assign(&mut db, tariff, place, at(from), to.map(at), now)
            .await
            .unwrap();
        tariff
    }

    /// The name of the tariff that holds.
    async fn holds(&self, station: usize, evse: i32, token: &str, when: &str) -> String {
        let mut db = self.db.pool.acquire().await.unwrap();
        let found = resolve(&mut db, self.stations[station], evse, token, at(when))
            .await
            .unwrap();
        match found {
            Some(id) => tariffs::versions_of(&mut db, &[id]).await.unwrap()[0]
                .tariff
                .clone(),
            None => "none".to_owned(),
        }
    }
}

const NOON: &str = "2026-11-20T12:00:00Z";

#[tokio::test]
async fn the_narrowest_wins() {
    let town = town().await;
    assert_eq!(town.holds(0, 1, "MEMBER", NOON).await, "none");
    // From the widest to the narrowest; each takes the place of the one before, and only where it matches.
    let steps = [
        ("site", Place::Site(town.sites[0])),
        ("group", Place::Group(town.group)),
        (
            "group at site",
            Place::GroupAtSite {
                group_id: town.group,
                site_id: town.sites[0],
            },
        ),
        ("station", Place::Station(town.stations[0])),
        (
            "connector",
            Place::Connector {
                station_id: town.stations[0],
                evse: 1,
            },
        ),
    ];
    // Who charges where: (station, evse, token); and what holds after each step.
    let table = [
        (
            (0, 1, "Member"),
            ["site", "group", "group at site", "station", "connector"],
        ),
        (
            (0, 2, "MEMBER"),
            ["site", "group", "group at site", "station", "station"],
        ),
        (
            (0, 1, "STRANGER"),
            ["site", "site", "site", "station", "connector"],
        ),
        (
            (0, 2, "unknown"),
            ["site", "site", "site", "station", "station"],
        ),
        (
            (1, 1, "MEMBER"),
            ["none", "group", "group", "group", "group"],
        ),
        ((1, 1, "STRANGER"), ["none", "none", "none", "none", "none"]),
    ];
    for (step, (name, place)) in steps.into_iter().enumerate() {
        town.assign(name, place, LONG_AGO, None).await;
        for ((station, evse, token), expected) in table {
            assert_eq!(
                town.holds(station, evse, token, NOON).await,
                expected[step],
                "{token} at {station}.{evse} after {name}"
            );
        }
    }
    let mut all = Scope::All.begin(&town.db.pool).await.unwrap();
    let names: Vec<String> = list(&mut all, None)
        .await
        .unwrap()
        .into_iter()
        .map(|assignment| assignment.tariff)
        .collect();
    assert_eq!(
        names,
        ["connector", "station", "group at site", "group", "site"]
    );
}

#[tokio::test]
async fn of_equals_the_latest_holds_while_it_is_valid() {
    let town = town().await;
    let here = Place::Site(town.sites[0]);
    town.assign("old", here, LONG_AGO, None).await;
    let summer = town
        .assign(
            "summer",
            here,
            "2026-06-01T00:00:00Z",
            Some("2026-09-01T00:00:00Z"),
        )
        .await;
    for (when, expected) in [
        ("2025-12-31T23:59:59Z", "none"),
        ("2026-05-31T23:59:59Z", "old"),
        ("2026-06-01T00:00:00Z", "summer"),
        ("2026-08-31T23:59:59Z", "summer"),
        ("2026-09-01T00:00:00Z", "old"),
    ] {
        assert_eq!(town.holds(0, 1, "", when).await, expected, "{when}");
    }
    let mut db = town.db.pool.acquire().await.unwrap();
    tariffs::archive(&mut db, summer, at("2026-07-01T00:00:00Z"))
        .await
        .unwrap();
    assert_eq!(town.holds(0, 1, "", "2026-06-30T00:00:00Z").await, "summer");
    assert_eq!(town.holds(0, 1, "", "2026-07-01T00:00:00Z").await, "old");

    // A tariff that says nothing yet leaves the place to the next.
    let later = tariffs::create(&mut db, "later", "EUR", at(LONG_AGO))
        .await
        .unwrap();
    let station = Place::Station(town.stations[0]);
    let id = assign(&mut db, later, station, at(LONG_AGO), None, at(LONG_AGO))
        .await
        .unwrap();
    assert_eq!(town.holds(0, 1, "", NOON).await, "old");
    let content = json!({"currency": "EUR"});
    tariffs::add_version(&mut db, later, at(NOON), &content, at(LONG_AGO))
        .await
        .unwrap();
    assert_eq!(town.holds(0, 1, "", NOON).await, "later");
    assert!(end(&mut db, id, at(NOON)).await.unwrap());
    assert!(!end(&mut db, id, at(NOON)).await.unwrap());
    assert_eq!(town.holds(0, 1, "", NOON).await, "old");
    let reversed = assign(&mut db, later, station, at(NOON), Some(at(NOON)), at(NOON)).await;
    let reversed = reversed.unwrap_err();
    assert!(
        reversed.is_conflict("tariff_assignments_period_check"),
        "{reversed}"
    );
}

#[tokio::test]
async fn a_reader_sees_the_assignments_of_its_sites() {
    let town = town().await;
    town.assign("north", Place::Site(town.sites[0]), LONG_AGO, None)
        .await;
    town.assign("south", Place::Station(town.stations[1]), LONG_AGO, None)
        .await;
    town.assign("staff", Place::Group(town.group), LONG_AGO, None)
        .await;
    let portal = town.db.pool(Room::Portal);
    for (scope, expected) in [
        (Scope::Sites(vec![town.sites[0]]), vec!["north"]),
        (Scope::Sites(vec![town.sites[1]]), vec!["south"]),
        (Scope::All, vec!["south", "staff", "north"]),
        (Scope::Nothing, vec![]),
    ] {
        let mut db = scope.begin(&portal).await.unwrap();
        let names: Vec<String> = list(&mut db, None)
            .await
            .unwrap()
            .into_iter()
            .map(|assignment| assignment.tariff)
            .collect();
        assert_eq!(names, expected);
    }
}
