//! A network that breaks: passes what the station says, and of what the server says so many bytes as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One cable; every connection through it ends once its bytes are spent.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// How many more bytes of the server pass; without a number all do.
    left: Option<usize>,
    /// What the server said since the number was set, passed on or not.
    said: Vec<u8>,
}

impl Proxy {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((station, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                tokio::spawn(carry(station, server, shared.clone()));
            }
        });
        Proxy { address, state }
    }

    /// Lets everything pass.
    pub fn open(&self) {
        *self.state.lock().unwrap() = State::default();
    }

    /// After `bytes` more from the server the cable breaks.
    pub fn cut_after(&self, bytes: usize) {
        *self.state.lock().unwrap() = State {
            left: Some(bytes),
            said: Vec::new(),
        };
    }

    /// What the server has said since [`Self::cut_after`].
    pub fn said(&self) -> Vec<u8> {
        self.state.lock().unwrap().said.clone()
    }
}

async fn carry(station: TcpStream, server: TcpStream, state: Arc<Mutex<State>>) {
    let (mut from_station, mut to_station) = station.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async move { tokio::io::copy(&mut from_station, &mut to_server).await };
    let down = async move {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let passed = {
                let mut state = state.lock().unwrap();
                state.said.extend_from_slice(&buffer[..count]);
                let passed = state.left.map_or(count, |left| left.min(count));
                state.left = state.left.map(|left| left - passed);
                passed
            };
            if to_station.write_all(&buffer[..passed]).await.is_err() || passed < count {
                return;
            }
        }
    };
    // Whichever ends first takes both directions with it.
    tokio::select! {
        _ = up => {}
        () = down => {}
    }
}
