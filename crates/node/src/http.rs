//! Sockets, TLS sessions and HTTP/1.1 and 2: everything up to a request with its body, and from an answer on.
//!
//! What this layer refuses by itself: too many sessions, what is not HTTP, heads and bodies that are too large, sessions
//! that say nothing for too long. Everything else goes to the [`Handler`].

mod activity;
mod body;
mod connection;
mod head;
mod interface;
mod link;
mod listener;
mod opening;
mod respond;
mod room;

#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use http_body_util::Full;

pub use interface::{Counts, Interface};
pub(crate) use listener::stopped;
pub use listener::{Endpoint, serve};
pub use respond::{empty, refuse, respond, respond_within};

use crate::tls::ClientCertificate;

/// An answer.
pub type Response = http::Response<Full<Bytes>>;

/// Who is at the other end of a session.
#[derive(Debug)]
pub struct Peer {
    /// The client certificate whose key was proven, if there is one.
    pub certificate: Option<ClientCertificate>,
    /// The interface that the session came in by.
    pub interface: Arc<Interface>,
}

/// A request with its whole body.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Who sent it.
    pub peer: Arc<Peer>,
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The answer to one request.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;
}
