//! A socket that says whatever it likes, from an address of its own, and how long the server puts up with it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// Longer than the server may put up with anything.
const PATIENCE: Duration = Duration::from_secs(40);

/// What an attacker says, again and again.
#[derive(Debug, Clone)]
pub struct Attack {
    pub name: &'static str,
    /// First, once.
    pub opening: Vec<u8>,
    /// Then this, for as long as the socket takes it.
    pub refrain: Vec<u8>,
    /// After each.
    pub pause: Duration,
    /// Whether it reads what it is told.
    pub reads: bool,
}

impl Attack {
    /// This, over and over, as fast as it goes.
    pub fn flood(name: &'static str, opening: Vec<u8>, refrain: Vec<u8>) -> Self {
        Attack {
            name,
            opening,
            refrain,
            pause: Duration::ZERO,
            reads: true,
        }
    }

    /// Plays it; answers how long the socket was open.
    pub async fn play(&self, server: SocketAddr, from: IpAddr) -> io::Result<Duration> {
        let stream = connect(server, from).await?;
        let begun = Instant::now();
        let ended = timeout(PATIENCE, self.until_closed(stream)).await;
        ended.map_err(|_| io::Error::other(format!("{}: never closed", self.name)))?;
        Ok(begun.elapsed())
    }

    async fn until_closed(&self, stream: TcpStream) {
        let (mut reads, mut writes) = stream.into_split();
        let say = async {
            writes.write_all(&self.opening).await?;
            if self.refrain.is_empty() {
                return std::future::pending::<io::Result<()>>().await;
            }
            loop {
                writes.write_all(&self.refrain).await?;
                sleep(self.pause).await;
            }
        };
        let hear = async {
            if !self.reads {
                return std::future::pending().await;
            }
            let mut heard = [0; 4096];
            while reads.read(&mut heard).await.is_ok_and(|read| read > 0) {}
        };
        // Either way it is over: nothing can be written any more, or nothing will come.
        tokio::select! {
            _ = say => {}
            () = hear => {}
        }
    }
}

/// A socket from one of this machine's many loopback addresses.
pub async fn connect(server: SocketAddr, from: IpAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(server).await
}

/// The request of a station that opens a WebSocket.
pub fn request(identity: &str, more: &str) -> Vec<u8> {
    format!(
        "GET /ocpp/{identity} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: ocpp1.6\r\n{more}\r\n"
    )
    .into_bytes()
}

/// A frame of a client: its first byte, and a payload of at most 125 bytes, masked with zeros.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    assert!(length < 126, "a short payload");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}
