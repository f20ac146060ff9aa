//! The socket that a file goes out on, and whether its reader still reads.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A socket; cut from elsewhere when its reader stalls.
#[derive(Clone, Default)]
pub(crate) struct Line {
    cut: CancellationToken,
}

impl Line {
    /// Returns when the socket is to be dropped.
    pub(crate) async fn is_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Watches one answer: the socket is cut when no [`Pulse`] comes for `patience`, and at the latest that long after
    /// the last: then the end of the file still waits for its reader.
    pub(super) fn watch(&self, patience: Duration) -> Pulse {
        let (beat, mut beats) = mpsc::channel::<()>(1);
        let cut = self.cut.clone();
        tokio::spawn(async move {
            while let Ok(Some(())) = timeout(patience, beats.recv()).await {}
            tokio::time::sleep(patience).await;
            cut.cancel();
        });
        Pulse { beat }
    }
}

/// Says that a reader takes what it is given.
pub(super) struct Pulse {
    beat: mpsc::Sender<()>,
}

impl Pulse {
    pub(super) fn beat(&self) {
        // A full channel says it already.
        let _ = self.beat.try_send(());
    }
}
