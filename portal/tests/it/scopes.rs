//! Two sites, two operators, two keys: no route shows or changes what is the other's. One loop over the route table.

use axum::http::{Method, StatusCode};
use portal::{Access, Route};
use serde_json::json;
use store::{
    Pool, Room, Scope,
    audit::Actor,
    connectors, messages,
    people::{self, Role, SiteRole},
    sessions,
    shop::Shop,
    stations_read, transactions,
};
use uuid::Uuid;

use crate::{
    data,
    harness::{Answer, BOTH, Browser, Portal},
};

/// A site with a station that has charged, and a command of it.
struct Side {
    site: Uuid,
    session: Uuid,
    task: String,
    command: String,
}

async fn side(portal: &Portal, name: &str, number: i64) -> Side {
    let site = portal.site(&format!("Site {name}")).await;
    let charged = data::charged(portal, Some(site), &format!("CP-{name}"), number).await;
    let key = portal.key(BOTH, &[]).await;
    let body =
        json!({"action": "Reset", "payload": {"type": "Soft"}, "stations": [format!("CP-{name}")]});
    let task = key.json(Method::POST, "/api/v1/tasks", &body).await.json();
    let task = task["id"].as_str().unwrap().to_owned();
    let commands = key
        .get(&format!("/api/v1/commands?task={task}"))
        .await
        .json();
    Side {
        site,
        session: charged.session,
        task,
        command: commands["items"][0]["id"].as_str().unwrap().to_owned(),
    }
}

/// The route with every variable part filled in for the other side. A new part must be added here.
fn filled(route: &Route, other: &Side, name: &str) -> String {
    let id = if route.path.contains("commands") {
        other.command.clone()
    } else if route.path.contains("tasks") {
        other.task.clone()
    } else {
        other.session.to_string()
    };
    let path = route
        .path
        .replace("{identity}", &format!("CP-{name}"))
        .replace("{token}", "04A1")
        .replace("{id}", &id)
        .replace("{version}", "1")
        .replace("{assignment}", &id)
        .replace("{number}", INVOICE)
        .replace("{name}", "app.css");
    assert!(!path.contains('{'), "how is {} filled in?", route.path);
    path
}

/// The number of an invoice of the other side.
const INVOICE: &str = "SOUTH-000001";

/// An invoice at a site that only readers of all sites see.
async fn invoice(portal: &Portal) {
    let now = portal.clock.now();
    let shop = Shop::open(&portal.db, "SOUTH", "EUR", chrono_tz::UTC, now).await;
    let session = shop
        .sale(
            "TAG-CP-south",
            now - chrono::TimeDelta::days(1),
            1_000,
            "0.50",
        )
        .await;
    let mut tx = portal.db.pool.begin().await.unwrap();
    billing::invoice::issue::receipt(&mut tx, session, None, Actor::Cli, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// A body that the route would take from its owner.
fn fitting(route: &Route) -> serde_json::Value {
    if route.path.ends_with("/commands") {
        json!({"action": "Reset", "payload": {"type": "Soft"}})
    } else if route.path.ends_with("/firmware-jobs") {
        json!({"location": "https://files.example/fw.bin"})
    } else {
        json!({})
    }
}

async fn call(who: &Browser<'_>, route: &Route, path: &str) -> Answer {
    if route.method == Method::GET {
        who.get(path).await
    } else if route.path.starts_with("/api/") {
        who.json(route.method.clone(), path, &fitting(route)).await
    } else {
        who.post(path, "").await
    }
}

#[tokio::test]
async fn no_route_shows_or_changes_what_is_the_others() {
    let portal = Portal::start().await;
    let (north, south) = (
        side(&portal, "north", 1).await,
        side(&portal, "south", 2).await,
    );
    invoice(&portal).await;
    let signed_in = portal
        .signed_in("north@example.org", Role::Operator, &[north.site])
        .await;
    let key = portal.key(BOTH, &[north.site]).await;
    let routes = portal::router::routes();
    assert!(routes.len() > 15);
    // Streams never end, and webhooks are signed; their own tests show what they let in.
    for route in routes
        .iter()
        .filter(|route| !["/events", "/logout", "/webhooks/lago"].contains(&route.path))
    {
        let path = filled(route, &south, "south");
        for (who, name) in [(&signed_in, "login"), (&key, "key")] {
            if name == "key" && !route.path.starts_with("/api/") {
                continue;
            }
            let answer = call(who, route, &path).await;
            let told = format!(
                "{} {path} by {name}: {} {}",
                route.method, answer.status, answer.body
            );
            let mine =
                route.path.contains('{') && matches!(route.access, Access::Read | Access::Control);
            match route.access {
                Access::ReadAll | Access::ControlAll => {
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{told}")
                }
                // Making a station under an identity that is taken: its own answer, and it names nothing else.
                _ if route.method == Method::PUT => {
                    assert!(answer.status.is_client_error(), "{told}")
                }
                _ if mine => assert_eq!(answer.status, StatusCode::NOT_FOUND, "{told}"),
                Access::Demo => assert_eq!(answer.status, StatusCode::NOT_FOUND, "{told}"),
                _ => assert!(
                    answer.status.is_success()
                        || answer.status.is_redirection()
                        || answer.status == StatusCode::UNPROCESSABLE_ENTITY,
                    "{told}"
                ),
            }
            // What the request itself named may be repeated; nothing else of the other side.
            let session = south.session.to_string();
            for secret in [
                "TAG-CP-south",
                "Site south",
                "SN-CP-south",
                &session,
                &south.command,
                &south.task,
                INVOICE,
            ] {
                let asked_for = path.contains(secret) || path.contains("CP-south");
                assert!(
                    asked_for || !answer.body.contains(secret),
                    "{secret} in {told}"
                );
                if answer.status.is_success() {
                    assert!(!answer.body.contains(secret), "{secret} in {told}");
                }
            }
        }
    }
    // The other side is as it was.
    let all = portal.key(BOTH, &[]).await;
    let station = all.get("/api/v1/stations/CP-south").await.json();
    assert_eq!(station["site"], "Site south");
    let commands = all.get("/api/v1/commands?station=CP-south").await.json();
    assert_eq!(commands["items"].as_array().unwrap().len(), 1);
    let found = all.get(&format!("/api/v1/invoices/{INVOICE}")).await;
    assert_eq!(found.status, StatusCode::OK, "or its 404 proved nothing");
    // And the own side is shown, or the loop above proved nothing.
    for who in [&signed_in, &key] {
        for list in [
            "stations",
            "sessions",
            "transactions",
            "messages",
            "commands",
            "tasks",
        ] {
            let items = who.get(&format!("/api/v1/{list}")).await.json();
            assert_eq!(items["items"].as_array().unwrap().len(), 1, "{list}");
        }
        assert_eq!(
            who.get("/api/v1/stations/CP-north").await.status,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn nobody_comes_in_without_a_login_or_a_key() {
    let portal = Portal::start().await;
    let south = side(&portal, "south", 1).await;
    let nobody = portal.nobody();
    for route in portal::router::routes() {
        let path = filled(&route, &south, "south");
        let answer = call(&nobody, &route, &path).await;
        let told = format!("{} {path}: {} {}", route.method, answer.status, answer.body);
        match route.access {
            Access::Public => {
                assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{told}")
            }
            Access::Demo => assert_eq!(answer.status, StatusCode::NOT_FOUND, "{told}"),
            _ if route.path.starts_with("/api/") => {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{told}")
            }
            _ => assert!(answer.header("location").starts_with("/login"), "{told}"),
        }
    }
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    let portal = Portal::start().await;
    let (north, south) = (
        side(&portal, "north", 1).await,
        side(&portal, "south", 2).await,
    );
    let who = portal
        .signed_in("viewer@example.org", Role::Operator, &[north.site])
        .await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let user = people::find(&mut db, "viewer@example.org")
        .await
        .unwrap()
        .unwrap();
    people::join(
        &mut db,
        user.id,
        south.site,
        SiteRole::Viewer,
        portal.clock.now(),
    )
    .await
    .unwrap();

    assert_eq!(
        who.get("/api/v1/stations/CP-south").await.status,
        StatusCode::OK
    );
    let reset = json!({"action": "Reset", "payload": {"type": "Soft"}});
    for (identity, expected) in [
        ("CP-south", StatusCode::FORBIDDEN),
        ("CP-north", StatusCode::ACCEPTED),
    ] {
        let path = format!("/api/v1/stations/{identity}/commands");
        assert_eq!(
            who.json(Method::POST, &path, &reset).await.status,
            expected,
            "{identity}"
        );
    }
    for body in [
        json!({"registration": "rejected"}),
        json!({"site": "Site north"}),
    ] {
        let answer = who
            .json(Method::PATCH, "/api/v1/stations/CP-south", &body)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{body}");
    }
    let away = who
        .json(
            Method::PATCH,
            "/api/v1/stations/CP-north",
            &json!({"site": "Site south"}),
        )
        .await;
    assert_eq!(
        away.status,
        StatusCode::FORBIDDEN,
        "nor is a station moved to where one may only look"
    );
    let homeless = who
        .json(Method::PUT, "/api/v1/stations/CP-new", &json!({}))
        .await;
    assert_eq!(
        homeless.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a station of no site is for readers of all sites"
    );
    let made = who
        .json(
            Method::PUT,
            "/api/v1/stations/CP-new",
            &json!({"site": "Site north"}),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

#[tokio::test]
async fn without_a_membership_there_is_no_data() {
    let portal = Portal::start().await;
    side(&portal, "north", 1).await;
    for role in [Role::Operator, Role::Partner, Role::Driver] {
        let email = format!("{}@example.org", role.as_str());
        let who = portal.signed_in(&email, role, &[]).await;
        for list in [
            "stations",
            "sessions",
            "transactions",
            "messages",
            "commands",
            "tasks",
        ] {
            let answer = who.get(&format!("/api/v1/{list}")).await;
            assert_eq!(
                answer.json()["items"],
                json!([]),
                "{list} to a {}",
                role.as_str()
            );
        }
    }
}

/// How many rows each question that people ask finds in a scope.
async fn found(pool: &Pool, scope: &Scope) -> Vec<usize> {
    let mut db = scope.begin(pool).await.unwrap();
    vec![
        stations_read::list(&mut db, &stations_read::Filter::default(), None, 10)
            .await
            .unwrap()
            .len(),
        connectors::list(&mut db, &connectors::Filter::default(), None, 10)
            .await
            .unwrap()
            .len(),
        sessions::list(&mut db, &sessions::Filter::default(), None, 10)
            .await
            .unwrap()
            .len(),
        transactions::list(&mut db, &transactions::Filter::default(), None, 10)
            .await
            .unwrap()
            .len(),
        messages::list(&mut db, &messages::Filter::default(), None, 10)
            .await
            .unwrap()
            .len(),
        store::commands::list(&mut db, &store::commands::Filter::default(), None, 10)
            .await
            .unwrap()
            .len(),
        store::tasks::list(&mut db, None, 10).await.unwrap().len(),
        store::sites::list(&mut db).await.unwrap().len(),
    ]
}

#[tokio::test]
async fn postgres_itself_shows_nothing_of_others() {
    let portal = Portal::start().await;
    let (north, south) = (
        side(&portal, "north", 1).await,
        side(&portal, "south", 2).await,
    );
    let pool = portal.db.pool(Room::Portal);
    // A role that row policies do not bind is not even asked.
    let unbound = Scope::Sites(vec![north.site]).begin(&portal.db.pool).await;
    assert!(matches!(unbound, Err(store::Error::Unbound)));
    assert_eq!(found(&pool, &Scope::Nothing).await, [0; 8]);
    assert_eq!(
        found(&pool, &Scope::Sites(vec![Uuid::from_u128(1)])).await,
        [0; 8]
    );
    assert_eq!(found(&pool, &Scope::Sites(vec![north.site])).await, [1; 8]);
    assert_eq!(found(&pool, &Scope::Sites(vec![south.site])).await, [1; 8]);
    assert_eq!(found(&pool, &Scope::All).await, [2; 8]);
    // The questions above have no filter of their own: these rows were there, and row policies alone hid them.
    let mut db = Scope::Sites(vec![north.site]).begin(&pool).await.unwrap();
    let session = sessions::get(&mut db, south.session).await.unwrap();
    assert_eq!(session, None);
    assert_eq!(stations_read::get(&mut db, "CP-south").await.unwrap(), None);
}
