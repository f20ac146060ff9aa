//! The floor server on a runtime of its own, so that it can be killed, with a record of every CALL it answered.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use simulators::floor::{self, Call, OnCall};
use tokio::{net::TcpListener, runtime::Runtime};

/// One CALL that was about to be answered.
#[derive(Clone, Debug)]
pub struct Seen {
    pub station: String,
    pub action: String,
    pub payload: Value,
    pub transaction_id: i64,
}

#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<Seen>>>);

impl Record {
    pub fn all(&self) -> Vec<Seen> {
        self.0
            .lock()
            .expect("no test panics while it writes")
            .clone()
    }

    pub fn of(&self, action: &str) -> Vec<Seen> {
        self.all()
            .into_iter()
            .filter(|seen| seen.action == action)
            .collect()
    }
}

impl OnCall for Record {
    async fn on_call(&self, call: Call<'_>) -> io::Result<()> {
        let seen = Seen {
            station: call.station.to_owned(),
            action: call.action.to_owned(),
            payload: serde_json::from_str(call.payload).map_err(io::Error::other)?,
            transaction_id: call.transaction_id,
        };
        self.0
            .lock()
            .expect("no test panics while it writes")
            .push(seen);
        Ok(())
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub record: Record,
    runtime: Option<Runtime>,
}

impl Server {
    pub fn start() -> Self {
        Self::on(
            "127.0.0.1:0".parse().expect("an address"),
            Record::default(),
        )
    }

    fn on(address: SocketAddr, record: Record) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        // A killed server's sockets take a moment to go.
        let listener = loop {
            match std::net::TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(problem) if problem.kind() == io::ErrorKind::AddrInUse => {
                    std::thread::yield_now()
                }
                Err(problem) => panic!("{address}: {problem}"),
            }
        };
        listener.set_nonblocking(true).expect("a socket option");
        let guard = runtime.enter();
        let listener = TcpListener::from_std(listener).expect("a listener");
        drop(guard);
        let address = listener.local_addr().expect("a bound listener");
        runtime.spawn(floor::serve(listener, record.clone()));
        Self {
            address,
            record,
            runtime: Some(runtime),
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ocpp", self.address)
    }

    /// As kill -9: every socket breaks, nothing is said.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Comes back at the same address with the same record.
    pub fn restart(&mut self) {
        self.kill();
        *self = Self::on(self.address, self.record.clone());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
