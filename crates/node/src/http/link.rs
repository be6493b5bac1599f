use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::activity::Activity;

/// Most bytes that are read and dropped after a shutdown.
const LINGER_BYTES: usize = 8 << 20;
/// How long that may take.
const LINGER_TIME: Duration = Duration::from_secs(3);

/// A stream whose first bytes were read before, and which lingers when it is shut down before the client has ended.
///
/// A client may still be sending, for example a body that was refused. If its bytes were not read, the operating system
/// would answer them with a reset, which destroys the answer on its way. So they are read and dropped for a while.
pub(super) struct Link<S> {
    inner: S,
    prefix: Bytes,
    activity: Arc<Activity>,
    /// Whether the client has ended.
    ended: bool,
    lingering: Option<Lingering>,
}

struct Lingering {
    left: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Link<S> {
    /// The stream with `prefix` in front of what is still to be read.
    pub(super) fn new(inner: S, prefix: Bytes, activity: Arc<Activity>) -> Self {
        Self { inner, prefix, activity, ended: false, lingering: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Link<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            let before = buf.filled().len();
            let outcome = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
            self.ended |= outcome.is_err() || buf.filled().len() == before;
            return Poll::Ready(outcome);
        }
        let bytes = self.prefix.len().min(buf.remaining());
        buf.put_slice(self.prefix.get(..bytes).unwrap_or_default());
        self.prefix.advance(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Link<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if this.ended || this.activity.ending.load(Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let deadline = || Box::pin(tokio::time::sleep(LINGER_TIME));
        let lingering = this.lingering.get_or_insert_with(|| Lingering { left: LINGER_BYTES, deadline: deadline() });
        if lingering.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        lingering.drain(&mut this.inner, cx)
    }
}

impl Lingering {
    /// Reads and drops until the client ends, or has sent too much.
    fn drain<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 8192];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.left = self.left.saturating_sub(buf.filled().len()),
                _ => return Poll::Ready(Ok(())),
            }
            if self.left == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
