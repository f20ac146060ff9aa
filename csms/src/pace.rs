//! What a socket may cost: bytes for a message, and how fast frames may follow each other. A charger never comes near;
//! whoever does is slowed down or closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A bucket of tokens, told by when it would be full again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long one takes in the long run.
    each: Duration,
    /// How much of that may be in advance.
    ahead: Duration,
    due: Instant,
}

impl Pace {
    /// `rate` a second, and `burst` at once.
    pub(crate) fn new(rate: u32, burst: u32, now: Instant) -> Self {
        let each = Duration::from_secs(1) / rate;
        Pace {
            each,
            ahead: each * burst,
            due: now,
        }
    }

    /// Takes one, and tells by how much it came too early: zero for what is within the pace.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        self.due = self.due.max(now) + self.each;
        self.early(now)
    }

    /// By how much the last one came too early.
    pub(crate) fn early(&self, now: Instant) -> Duration {
        self.due
            .saturating_duration_since(now)
            .saturating_sub(self.ahead)
    }

    /// Whether the next would come too early.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.due + self.each > now + self.ahead
    }

    /// Whether all may be taken at once again.
    pub(crate) fn is_whole(&self, now: Instant) -> bool {
        self.due <= now
    }
}

/// A socket of which only so many bytes are read until somebody grants more. A message in endless pieces, or in pieces
/// of no bytes, never comes to an end by itself, and the WebSocket library tells nothing of it before.
pub(crate) struct Metered<S> {
    socket: S,
    granted: usize,
}

/// The error of a socket that used up what was granted.
pub(crate) const USED_UP: io::ErrorKind = io::ErrorKind::QuotaExceeded;

impl<S> Metered<S> {
    pub(crate) fn new(socket: S, granted: usize) -> Self {
        Metered { socket, granted }
    }

    /// Grants that many from here on.
    pub(crate) fn grant(&mut self, bytes: usize) {
        self.granted = bytes;
    }

    /// Grants that many more: what was read was worth it.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        self.granted = self.granted.saturating_add(bytes);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.granted == 0 {
            return Poll::Ready(Err(USED_UP.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        self.granted = self.granted.saturating_sub(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[test]
    fn a_burst_is_within_the_pace_and_what_follows_is_early_until_time_has_passed() {
        let begin = Instant::now();
        let mut pace = Pace::new(10, 3, begin);
        let tenths = |n: u32| Duration::from_millis(100) * n;
        for _ in 0..3 {
            assert_eq!(pace.take(begin), Duration::ZERO);
        }
        assert_eq!(pace.take(begin), tenths(1));
        assert_eq!(pace.take(begin), tenths(2));
        assert_eq!(pace.early(begin + tenths(2)), Duration::ZERO);
        assert!(pace.is_over(begin + tenths(2)) && !pace.is_over(begin + tenths(3)));
        assert_eq!(pace.take(begin + tenths(3)), Duration::ZERO);
        assert!(!pace.is_whole(begin + tenths(5)) && pace.is_whole(begin + tenths(6)));
        // A pause gives back the burst and no more.
        let later = begin + Duration::from_secs(60);
        for _ in 0..3 {
            assert_eq!(pace.take(later), Duration::ZERO);
        }
        assert_eq!(pace.take(later), tenths(1));
    }

    #[tokio::test]
    async fn no_more_is_read_than_was_granted_until_more_is() {
        let mut metered = Metered::new(&b"abcdefgh"[..], 4);
        let mut four = [0; 4];
        metered.read_exact(&mut four).await.unwrap();
        let error = metered.read_exact(&mut four).await.unwrap_err();
        assert_eq!(error.kind(), USED_UP);
        metered.grant(2);
        metered.give_back(2);
        metered.read_exact(&mut four).await.unwrap();
        assert_eq!(&four, b"efgh");
    }
}
