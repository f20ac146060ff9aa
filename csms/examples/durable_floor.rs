//! The durable floor of `make bench`: a bare server that keeps every CALL by one batched insert and then answers.
//! What our own server costs beyond this is the price of doing the work properly.

use std::io;

use simulators::floor::{Call, OnCall, serve};
use store::floor::{Row, insert, prepare};
use store::{Pool, Room};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// The most CALLs in one insert.
const MOST: usize = 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(url), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: durable_floor ADDRESS DATABASE_URL".into());
    };
    let pool = store::pool::connect(&url, Room::Owner, 4)?;
    prepare(&mut *pool.acquire().await?).await?;
    let listener = TcpListener::bind(listen).await?;
    Ok(serve(listener, Gathered::start(&pool)).await?)
}

/// CALLs gather while the insert before them runs.
struct Gathered {
    rows: mpsc::UnboundedSender<(Row, oneshot::Sender<()>)>,
}

impl Gathered {
    fn start(pool: &Pool) -> Self {
        let (rows, gathered) = mpsc::unbounded_channel();
        tokio::spawn(write_forever(pool.clone(), gathered));
        Gathered { rows }
    }
}

async fn write_forever(
    pool: Pool,
    mut gathered: mpsc::UnboundedReceiver<(Row, oneshot::Sender<()>)>,
) {
    let mut waiting = Vec::with_capacity(MOST);
    while gathered.recv_many(&mut waiting, MOST).await > 0 {
        let (rows, tells): (Vec<Row>, Vec<_>) = waiting.drain(..).unzip();
        let written = async { insert(&mut *pool.acquire().await?, &rows).await };
        match written.await {
            Ok(()) => {
                for tell in tells {
                    // A connection that has gone needs no answer.
                    let _ = tell.send(());
                }
            }
            Err(error) => eprintln!("durable_floor: {error}"),
        }
    }
}

impl OnCall for Gathered {
    async fn on_call(&self, call: Call<'_>) -> io::Result<()> {
        let row = Row {
            station: call.station.to_owned(),
            action: call.action.to_owned(),
            payload: call.payload.to_owned(),
        };
        let (tell, told) = oneshot::channel();
        let gone = |_| io::Error::other("the writer is gone");
        self.rows.send((row, tell)).map_err(|_| gone(()))?;
        told.await.map_err(|_| gone(()))
    }
}
