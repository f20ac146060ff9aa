//! A portal for a browser to look at, over a database of its own, in real time.

use chrono::TimeDelta;
use portal::{App, Config};
use service::{clock::Clock, shutdown::Shutdown};
use store::{
    Room,
    people::{self, Role},
    sign_in::{self, NewLogin},
    testing::{self, TestDb},
};

use crate::chromium::Browser;

/// A portal on a port of its own, over a database of its own, in real time.
pub struct Running {
    pub db: TestDb,
    pub url: String,
    pub clock: Clock,
    shutdown: Shutdown,
}

impl Running {
    pub async fn start() -> Self {
        let db = testing::database().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = Config {
            public_url: url.clone(),
            ocpp_public_url: "ws://127.0.0.1:9000/ocpp".to_owned(),
            trusted_proxies: Vec::new(),
            demo: false,
            rates: portal::limits::Rates::none(),
            lago: service::config::Lago::default(),
        };
        let clock = Clock::system();
        let app = App::new(config, db.pool(Room::Portal), clock.clone());
        let shutdown = Shutdown::new();
        let ends = shutdown.clone();
        tokio::spawn(async move { portal::run(app, listener, &ends).await });
        Running {
            db,
            url,
            clock,
            shutdown,
        }
    }

    /// The cookie of an admin who has signed in.
    pub async fn admin(&self) -> String {
        let mut db = self.db.pool.acquire().await.unwrap();
        let now = self.clock.now();
        let user_id = people::add(
            &mut db,
            "mara.lind@forecourt.example",
            "Mara Lind",
            Role::Admin,
            now,
        )
        .await
        .unwrap();
        let login = NewLogin {
            user_id,
            address: "",
            user_agent: "",
            expires_at: now + TimeDelta::days(1),
        };
        sign_in::open(&mut db, &login, now).await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl Browser {
    /// Signs in by the cookie of a login.
    pub async fn carry(&self, running: &Running, token: &str) {
        self.driver
            .goto(format!("{}/assets/icon.svg", running.url))
            .await
            .unwrap();
        self.cookie("forecourt", token).await;
    }
}
