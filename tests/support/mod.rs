//! The product in one process: chargers' room and people's room on free ports, over a database of the test's own.

use std::net::SocketAddr;

use portal::App;
use reqwest::Method;
use serde_json::Value;
use service::clock::Clock;
use service::shutdown::Shutdown;
use store::Room;
use store::api_keys::{KeyScope, NewKey};
use store::testing::{TestDb, database};
use tokio::net::TcpListener;

/// Both rooms, running.
pub struct Product {
    pub db: TestDb,
    pub ocpp: SocketAddr,
    pub portal: SocketAddr,
    http: reqwest::Client,
    shutdown: Shutdown,
}

impl Drop for Product {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl Product {
    /// With these settings for the chargers' room.
    pub async fn start(options: csms::Options) -> Self {
        let db = database().await;
        let (clock, shutdown) = (Clock::system(), Shutdown::new());
        let free = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (chargers, people) = (free().await, free().await);
        let (ocpp, address) = (chargers.local_addr().unwrap(), people.local_addr().unwrap());
        tokio::spawn(csms::run(
            options,
            db.pool(Room::Csms),
            chargers,
            clock.clone(),
            shutdown.clone(),
        ));
        let config = portal::Config {
            public_url: format!("http://{address}"),
            ocpp_public_url: format!("ws://{ocpp}/ocpp"),
            trusted_proxies: Vec::new(),
            demo: false,
            rates: portal::limits::Rates::none(),
            lago: service::config::Lago::default(),
        };
        let app = App::new(config, db.pool(Room::Portal), clock);
        let stop = shutdown.clone();
        tokio::spawn(async move { portal::run(app, people, &stop).await });
        // The process may hold one TLS provider; nothing here speaks TLS, but the client insists on one.
        drop(rustls::crypto::ring::default_provider().install_default());
        Product {
            db,
            ocpp,
            portal: address,
            http: reqwest::Client::new(),
            shutdown,
        }
    }

    pub fn ocpp_url(&self) -> String {
        format!("ws://{}/ocpp", self.ocpp)
    }

    /// A key of these scopes, for every site.
    pub async fn api_key(&self, scopes: &[&str]) -> String {
        let scopes: Vec<KeyScope> = scopes
            .iter()
            .map(|scope| KeyScope::parse(scope).unwrap())
            .collect();
        let key = NewKey {
            name: "test",
            scopes: &scopes,
            site_ids: None,
            expires_at: None,
        };
        let mut db = self.db.pool.acquire().await.unwrap();
        store::api_keys::create(&mut db, &key, Clock::system().now())
            .await
            .unwrap()
            .1
    }

    pub async fn get(&self, key: &str, path: &str) -> Value {
        self.send(Method::GET, key, path, "", &[200]).await
    }

    /// The body is JSON; `expected` are the statuses that will do.
    pub async fn send(
        &self,
        method: Method,
        key: &str,
        path: &str,
        body: &str,
        expected: &[u16],
    ) -> Value {
        let request = self
            .http
            .request(method, format!("http://{}{path}", self.portal))
            .bearer_auth(key)
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(expected.contains(&status), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }
}
