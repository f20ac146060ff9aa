//! Waiting for commands to end. One listener serves everybody who waits; it runs while anybody does. The rows are the
//! truth: a ring only says which one to look at, and whoever waits also looks from time to time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use store::{
    Scope,
    bell::Doorbell,
    commands::{self, Command, ENDED_CHANNEL},
};
use tokio::{
    sync::broadcast::{self, Receiver, Sender},
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use crate::{AppState, Result};

/// Looked this often, should a ring be lost.
const POLL: Duration = Duration::from_secs(2);
/// The listener looks this often whether anybody still waits.
const IDLE: Duration = Duration::from_secs(1);
/// Rings that wait for a slow waiter; one that lags behind simply looks.
const BACKLOG: usize = 256;

/// Who waits for the end of commands.
#[derive(Debug, Default)]
pub struct Answers {
    sender: Mutex<Option<Sender<Uuid>>>,
}

impl Answers {
    /// The ids of commands that end from now on.
    fn listen(app: &AppState) -> Receiver<Uuid> {
        let mut slot = app.answers.slot();
        if let Some(sender) = slot.as_ref() {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BACKLOG);
        *slot = Some(sender.clone());
        tokio::spawn(hear(app.clone(), sender));
        receiver
    }

    /// Whether nobody waits any more; then the listener is forgotten, and the next to wait starts another.
    fn is_deserted(&self, sender: &Sender<Uuid>) -> bool {
        let mut slot = self.slot();
        let deserted = sender.receiver_count() == 0;
        if deserted {
            *slot = None;
        }
        deserted
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Sender<Uuid>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes rings on to everybody who waits.
async fn hear(app: AppState, sender: Sender<Uuid>) {
    let mut bell = Doorbell::new(&app.pool, &[ENDED_CHANNEL]);
    while !app.answers.is_deserted(&sender) {
        let ring = bell.wait(IDLE).await;
        if let Some(id) = ring.and_then(|ring| ring.text.parse().ok()) {
            // Nobody waiting is no error: the loop ends.
            let _ = sender.send(id);
        }
    }
}

/// The command once it ended, or as it is after `patience`. `None` if the scope shows no such command.
pub async fn wait(
    app: &AppState,
    scope: &Scope,
    id: Uuid,
    patience: Duration,
) -> Result<Option<Command>> {
    let until = Instant::now() + patience;
    // Listen first, look then: what ends in between rings.
    let mut rings = Answers::listen(app);
    loop {
        let command = commands::get(&mut scope.begin(&app.pool).await?, id).await?;
        match &command {
            Some(command) if !has_ended(command) && Instant::now() < until => {}
            _ => return Ok(command),
        }
        let look_at = until.min(Instant::now() + POLL);
        while let Ok(Ok(ended)) = timeout_at(look_at, rings.recv()).await {
            if ended == id {
                break;
            }
        }
    }
}

/// Whether nothing more is expected of it.
pub fn has_ended(command: &Command) -> bool {
    !matches!(command.status.as_str(), "queued" | "sent")
}
