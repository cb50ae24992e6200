//! A connection whose other end takes nothing of what is sent to it for too long is ended: whoever stops reading, or
//! reads a byte a second, holds up nobody and no memory.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::telemetry::HttpMetrics;

/// How long what is sent may stay untaken, and where it is counted that it did.
#[derive(Debug, Clone)]
pub struct Slow {
    within: Duration,
    metrics: HttpMetrics,
}

impl Slow {
    #[must_use]
    pub fn new(within: Duration, metrics: HttpMetrics) -> Self {
        Self { within, metrics }
    }

    /// The connection, which fails once its other end is too slow.
    #[must_use]
    pub fn watch(self, stream: TcpStream, peer: SocketAddr) -> Watched {
        Watched { stream, peer, slow: self, stalled: None }
    }
}

/// A connection whose writes are watched.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    peer: SocketAddr,
    slow: Slow,
    /// Since something was to be written and not taken.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn progress(
        &mut self,
        wrote: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let within = self.slow.within;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(within)));
        if stalled.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.slow.metrics.slow_consumer();
        tracing::warn!(peer = %self.peer, code = "slow_consumer", "a connection took nothing for too long");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "slow_consumer")))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(wrote, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.progress(wrote, context)
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
