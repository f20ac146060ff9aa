//! What stands around every route: policies, faces of errors, headers.

use axum::http::StatusCode;
use portal::App;
use service::{clock::Clock, shutdown::Shutdown};
use store::{Room, people::Role, testing};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::harness::{Portal, config};

#[tokio::test]
async fn an_unknown_route_is_a_problem_to_programs_and_a_page_to_people() {
    let portal = Portal::start().await;
    let api = portal.nobody().get("/api/v1/nothing").await;
    assert_eq!(api.status, StatusCode::NOT_FOUND);
    assert_eq!(api.header("content-type"), "application/problem+json");
    let problem = api.json();
    assert_eq!(
        (&problem["status"], &problem["title"]),
        (&404.into(), &"Not Found".into())
    );
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("/api/v1/nothing")
    );

    let admin = portal
        .signed_in("admin@example.org", Role::Admin, &[])
        .await;
    let page = admin.get("/nothing").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.body.contains("<h1>Not Found</h1>"), "{}", page.body);
    assert!(page.body.contains(page.header("x-request-id")));
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_it() {
    let portal = Portal::start().await;
    let answer = portal.nobody().get("/nothing").await;
    assert!(
        answer
            .header("content-security-policy")
            .starts_with("default-src 'none'; script-src 'self'")
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("cache-control"), "no-store");
    let forged = portal.as_who(vec![("x-request-id", "forged".to_owned())]);
    assert_ne!(
        forged.get("/nothing").await.header("x-request-id"),
        "forged"
    );
}

#[tokio::test]
async fn the_portal_serves_a_socket_until_it_is_told_to_end() {
    let db = testing::database().await;
    let app = App::new(config(), db.pool(Room::Portal), Clock::system());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let served = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { portal::run(app, listener, &shutdown).await }
    });
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = b"GET /login HTTP/1.1\r\nHost: portal.test\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    shutdown.begin();
    served.await.unwrap();
}
