//! What was let out and is not written yet: the bytes between a handler and the socket. They leave only while this
//! server's lease stands (protocol.md 10): a process that was paused past it finds them here when it goes on, and another
//! server may have changed meanwhile whatever they rest on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use changtong_connectors::gate::Alive;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose writes ask.
pub struct Guarded<S> {
    stream: S,
    /// `None`: what it says rests on no database.
    alive: Option<Alive>,
}

impl<S> Guarded<S> {
    pub fn new(stream: S, alive: Option<Alive>) -> Self {
        Self { stream, alive }
    }

    fn may_leave(&self) -> io::Result<()> {
        match self.alive.as_ref().map(Alive::check) {
            Some(Err(refusal)) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, refusal)),
            _ => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.may_leave()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.may_leave()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use changtong_catalog::clock::{Clock as _, ManualClock, Time};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn bytes_leave_only_while_the_lease_stands() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let clock = Arc::new(ManualClock::at(Time::UNIX_EPOCH));
        let alive = Alive::new(clock.clone());
        let mut written = Guarded::new(listener.accept().await.unwrap().0, Some(alive.clone()));
        alive.extend(clock.monotonic() + Duration::from_secs(10));
        written.write_all(b"an answer").await.unwrap();
        clock.advance(Duration::from_secs(10));
        let refused = written.write_all(b"; another").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionAborted);
        drop(written);
        let mut arrived = String::new();
        reader.read_to_string(&mut arrived).await.unwrap();
        assert_eq!(arrived, "an answer");
    }
}
