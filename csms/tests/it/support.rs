//! A server on a free port with a database of its own, and a station that is driven by hand. No tests here.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use csms::Options;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use service::clock::Clock;
use service::shutdown::Shutdown;
use store::id_tokens::IdToken;
use store::sessions::{Filter, Session};
use store::stations::{NewStation, Registration};
use store::testing::{TestDb, database};
use store::{Room, Scope};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The chargers' room, running.
pub struct Server {
    pub db: TestDb,
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    options: Options,
    clock: Clock,
    task: tokio::task::JoinHandle<store::Result<()>>,
}

/// What the server is told the time is, until a test says otherwise.
pub fn noon() -> DateTime<Utc> {
    Clock::system().now()
}

impl Server {
    /// A server with one accepted station `CP1`, one accepted token `TAG1` and one blocked token `TAG2`.
    pub async fn start() -> Self {
        Self::with(Options {
            ping_interval: Duration::from_secs(5),
            ..Options::default()
        })
        .await
    }

    pub async fn with(options: Options) -> Self {
        Self::with_clock(options, Clock::system()).await
    }

    /// One that tells the time by this clock.
    pub async fn with_clock(options: Options, clock: Clock) -> Self {
        let db = database().await;
        let server = Self::on(db, options, clock).await;
        server.add_station("CP1", None).await;
        server.add_token("TAG1", "accepted").await;
        server.add_token("TAG2", "blocked").await;
        server
    }

    async fn on(db: TestDb, options: Options, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let room = csms::run(
            options.clone(),
            db.pool(Room::Csms),
            listener,
            clock.clone(),
            shutdown.clone(),
        );
        Server {
            task: tokio::spawn(room),
            db,
            address,
            shutdown,
            options,
            clock,
        }
    }

    /// Ends in order, then runs again on the same database.
    pub async fn restart(self) -> Self {
        self.shutdown.begin();
        let (db, options, clock) = (self.db, self.options, self.clock);
        ends(self.task).await;
        Self::on(db, options, clock).await
    }

    /// Runs anew on the same database without a word to the one before, as after a kill.
    pub async fn killed(self) -> Self {
        self.task.abort();
        Self::on(self.db, self.options, self.clock).await
    }

    /// Asks the room to end, and waits until it has.
    pub async fn end(self) -> TestDb {
        self.shutdown.begin();
        ends(self.task).await;
        self.db
    }

    pub async fn add_station(&self, identity: &str, password: Option<&str>) -> Uuid {
        let hash = password.map(|password| store::secrets::hash_password(password.as_bytes()));
        let station = NewStation {
            identity,
            site_id: None,
            registration: Registration::Accepted,
            security_profile: i16::from(password.is_some()),
            password_hash: hash.as_deref(),
        };
        let mut db = self.db.pool.acquire().await.unwrap();
        store::stations::add(&mut db, &station, noon())
            .await
            .unwrap()
    }

    pub async fn add_token(&self, token: &str, status: &str) {
        self.put_token(token, status, None).await;
    }

    pub async fn put_token(&self, token: &str, status: &str, parent: Option<&str>) {
        let token = IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: status.to_owned(),
            parent: parent.map(str::to_owned),
            expires_at: None,
            max_active: None,
            owner: String::new(),
        };
        let mut db = self.db.pool.acquire().await.unwrap();
        store::id_tokens::put(&mut db, &token, noon())
            .await
            .unwrap();
    }

    /// Every session, newest start first.
    pub async fn sessions(&self) -> Vec<Session> {
        let pool = self.db.pool(Room::Portal);
        let mut db = Scope::All.begin(&pool).await.unwrap();
        store::sessions::list(&mut db, &Filter::default(), None, 500)
            .await
            .unwrap()
    }

    /// A request for `/ocpp/{identity}` that offers `protocols`.
    pub fn request(&self, identity: &str, protocols: &str) -> Request<()> {
        let mut request = format!("ws://{}/ocpp/{identity}", self.address)
            .into_client_request()
            .unwrap();
        if !protocols.is_empty() {
            request.headers_mut().insert(
                "Sec-WebSocket-Protocol",
                HeaderValue::from_str(protocols).unwrap(),
            );
        }
        request
    }

    /// Connects; the status of a refusal otherwise.
    pub async fn connect(&self, request: Request<()>) -> Result<Station, u16> {
        Station::connect(self.address, request).await
    }

    /// `CP1`, connected and booted.
    pub async fn station(&self) -> Station {
        self.booted("CP1").await
    }

    pub async fn booted(&self, identity: &str) -> Station {
        let mut station = self
            .connect(self.request(identity, "ocpp1.6"))
            .await
            .expect("let in");
        let answer = station
            .call(
                "BootNotification",
                json!({ "chargePointVendor": "Acme", "chargePointModel": "One" }),
            )
            .await;
        assert_eq!(answer["status"], "Accepted");
        station
    }
}

async fn ends(room: tokio::task::JoinHandle<store::Result<()>>) {
    let ended = tokio::time::timeout(PATIENCE, room).await;
    ended.expect("the room ends").unwrap().unwrap();
}

/// A socket, plain or within TLS.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A station driven by hand.
pub struct Station {
    socket: WebSocketStream<Box<dyn Bytes>>,
    pub protocol: Option<String>,
    count: usize,
    /// CALLs that came while an answer was waited for: the two directions know nothing of each other.
    crossed: VecDeque<Value>,
}

impl Station {
    /// Connects to `address`; the status of a refusal otherwise.
    pub async fn connect(address: SocketAddr, request: Request<()>) -> Result<Self, u16> {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(Box::new(stream), request).await
    }

    /// Connects over a socket that is open.
    pub async fn over(stream: Box<dyn Bytes>, request: Request<()>) -> Result<Self, u16> {
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, answer)) => {
                let protocol = answer.headers().get("Sec-WebSocket-Protocol");
                let protocol = protocol.map(|value| value.to_str().unwrap().to_owned());
                Ok(Station {
                    socket,
                    protocol,
                    count: 0,
                    crossed: VecDeque::new(),
                })
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            // tungstenite's client wants the header that the standard tells us to leave out.
            Err(Error::Protocol(_)) => Err(101),
            Err(error) => panic!("{error}"),
        }
    }

    /// Asks, and waits for the CALLRESULT's payload.
    pub async fn call(&mut self, action: &str, payload: Value) -> Value {
        let answer = self.ask(action, payload).await;
        assert_eq!(answer[0], 3, "{answer}");
        answer[2].clone()
    }

    /// Asks, and waits for the whole answer.
    pub async fn ask(&mut self, action: &str, payload: Value) -> Value {
        self.count += 1;
        let id = format!("call-{}", self.count);
        self.send(&json!([2, id, action, payload]).to_string())
            .await;
        loop {
            let answer = self.arrived().await;
            if answer[0] == 2 {
                self.crossed.push_back(answer);
                continue;
            }
            assert_eq!(answer[1], id, "{answer}");
            return answer;
        }
    }

    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        let frame = Message::binary(bytes.to_vec());
        self.socket.send(frame).await.unwrap();
    }

    /// Waits for a ping (and answers it).
    pub async fn ping_seen(&mut self) {
        while !matches!(self.next().await.expect("an open socket"), Message::Ping(_)) {}
    }

    /// Whether a ping comes within this time.
    pub async fn pinged_within(&mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.ping_seen()).await.is_ok()
    }

    /// The next frame; or the code of the Close frame that came instead.
    pub async fn try_receive(&mut self) -> Result<Value, Option<u16>> {
        if let Some(call) = self.crossed.pop_front() {
            return Ok(call);
        }
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Message::Close(frame)) => return Err(frame.map(|frame| frame.code.into())),
                Some(_) => {}
                None => return Err(None),
            }
        }
    }

    /// The next text frame, however long it takes.
    pub async fn receive_whenever(&mut self) -> Value {
        if let Some(call) = self.crossed.pop_front() {
            return call;
        }
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("expected a text frame, got {other:?}"),
            }
        }
    }

    /// The next frame.
    pub async fn receive(&mut self) -> Value {
        match self.crossed.pop_front() {
            Some(call) => call,
            None => self.arrived().await,
        }
    }

    async fn arrived(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Ping(_)) => {}
                other => panic!("expected a text frame, got {other:?}"),
            }
        }
    }

    /// The code of the Close frame that ends the connection.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }

    async fn next(&mut self) -> Option<Message> {
        let frame = tokio::time::timeout(PATIENCE, self.socket.next())
            .await
            .expect("a frame in time");
        frame.and_then(Result::ok)
    }

    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while self.next().await.is_some() {}
    }
}

/// Waits until `found` finds something.
pub async fn eventually<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}
