//! Ending in order. Soft: take no new work, finish what is begun. Hard: give up what is left.

use std::{io, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Supervisors signal a process and its group, which is one request and not two.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// The two signals to end, and the tasks that must end before the process does. Clones share both.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// One that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when no new work may begin.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when begun work must be dropped.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Asks everything to end.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Spawns a task that [`Self::finish`] waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// While it lives, [`Self::finish`] waits: for tasks that are spawned elsewhere.
    pub fn token(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Begins at the first SIGTERM or Ctrl-C; a later one makes it hard at once.
    ///
    /// # Errors
    /// When the signals cannot be watched.
    pub fn on_signals(&self) -> io::Result<()> {
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let shutdown = self.clone();
        // Not tracked: it ends with the process.
        tokio::spawn(async move {
            for token in [&shutdown.soft, &shutdown.hard] {
                tokio::select! {
                    _ = terminate.recv() => tracing::info!("asked to end by SIGTERM"),
                    _ = interrupt.recv() => tracing::info!("asked to end by Ctrl-C"),
                }
                token.cancel();
                tokio::time::sleep(SAME_REQUEST).await;
                // What came meanwhile is forgotten with the old listeners.
                let (Ok(again), Ok(and_again)) = (
                    signal(SignalKind::terminate()),
                    signal(SignalKind::interrupt()),
                ) else {
                    return;
                };
                (terminate, interrupt) = (again, and_again);
            }
        });
        Ok(())
    }

    /// Waits for [`Self::begin`], then for the tasks: at most `grace` until it turns hard, and as long again after.
    /// False if some task did not end even then.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.soft.cancelled().await;
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => return true,
            () = tokio::time::sleep(grace) => {
                tracing::warn!(left = self.tasks.len(), "some work did not end in time; dropping it");
            }
            () = self.hard.cancelled() => {}
        }
        self.hard.cancel();
        tokio::time::timeout(grace, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, raise};

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn polite_tasks_end_at_once_and_stubborn_ones_by_force() {
        let shutdown = Shutdown::new();
        let (soft, hard) = (shutdown.soft().clone(), shutdown.hard().clone());
        let polite = shutdown.spawn(async move { soft.cancelled().await });
        let stubborn = shutdown.spawn(async move { hard.cancelled().await });
        let begun = tokio::time::Instant::now();
        shutdown.begin();
        assert!(shutdown.finish(GRACE).await);
        assert_eq!(begun.elapsed().as_secs(), GRACE.as_secs());
        assert!(polite.is_finished() && stubborn.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_never_ends_is_reported() {
        let shutdown = Shutdown::new();
        shutdown.spawn(std::future::pending::<()>());
        shutdown.begin();
        assert!(!shutdown.finish(GRACE).await);
    }

    #[tokio::test]
    async fn a_signal_that_comes_twice_at_once_is_one_request() {
        let shutdown = Shutdown::new();
        shutdown.on_signals().unwrap();
        for _ in 0..2 {
            raise(Signal::SIGTERM).unwrap();
        }
        shutdown.soft().cancelled().await;
        let hard = shutdown.hard().cancelled();
        assert!(tokio::time::timeout(SAME_REQUEST * 2, hard).await.is_err());
        raise(Signal::SIGTERM).unwrap();
        shutdown.hard().cancelled().await;
    }
}
