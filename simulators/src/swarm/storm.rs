//! The storm: stations that only connect, are cut all at once, and come back. Accepted means HTTP 101.

use std::{rc::Rc, sync::atomic::Ordering, time::Duration};

use super::worker::{Phase, Worker};
use crate::{
    socket::{ConnectError, Socket},
    wire,
};

/// A refused station knocks again after this.
const KNOCK_AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn station(worker: Rc<Worker>, number: usize) {
    let name = worker.options.ids.name(number);
    let password = worker
        .options
        .passwords
        .as_ref()
        .map(|format| format.name(number));
    let mut phase = worker.shared.phase.clone();
    let mut socket = accepted(&worker, &name, password.as_deref()).await;
    worker.shared.arrived.fetch_add(1, Ordering::Relaxed);
    while phase.changed().await.is_ok() {
        let now = *phase.borrow_and_update();
        match now {
            Phase::Connecting | Phase::Measuring => continue,
            Phase::Cut(_) => cut(socket.take(), &worker),
            Phase::Return(_) => socket = accepted(&worker, &name, password.as_deref()).await,
            Phase::Ended => return,
        }
        worker.shared.arrived.fetch_add(1, Ordering::Relaxed);
    }
}

/// As a power cut does it: a reset, no closing handshake (and no port left in TIME_WAIT).
fn cut(socket: Option<Socket>, worker: &Worker) {
    if let Some(socket) = socket
        && let Err(problem) = wire::set_zero_linger(socket.get_ref())
    {
        worker
            .shared
            .problem(|| format!("cannot cut a socket hard: {problem}"));
    }
}

/// Knocks until let in; `None` if the run ended meanwhile.
async fn accepted(worker: &Worker, name: &str, password: Option<&str>) -> Option<Socket> {
    while !worker.ended.get() {
        let dialled = {
            let _permit = worker.dialling.acquire().await.ok()?;
            worker
                .target
                .connect(name, password.map(str::as_bytes))
                .await
        };
        match dialled {
            Ok(socket) => return Some(socket),
            Err(problem) => {
                worker.shared.problem(|| problem.to_string());
                let kind = match problem {
                    ConnectError::Refused { .. } => "refused",
                    _ => "connect",
                };
                if kind == "refused" {
                    worker.counts.borrow_mut().refused += 1;
                } else {
                    worker.counts.borrow_mut().error(kind);
                }
                worker.shared.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(KNOCK_AGAIN).await;
            }
        }
    }
    None
}
