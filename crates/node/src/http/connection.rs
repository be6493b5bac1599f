use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use api::ApiError;
use bytes::Bytes;
use http::Version;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Handler, Peer, Request, Response,
    activity::{Activity, End, Place, Session},
    body::{self, NoBody},
    head,
    interface::count,
    link::Link,
    opening::{self, Opening},
    refuse,
    room::{NoRoom, Taken},
};
use crate::tls::ClientCertificate;

/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a session may take to end once it has to.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long a session of HTTP/2 that is one too many is told so; one of HTTP/1.1 ends with its first answer.
const SURPLUS: Duration = Duration::from_secs(1);
/// Longest head of a request, in bytes: all headers together.
const MAX_HEAD: usize = 128 << 10;
/// Bytes that a client of HTTP/2 may send ahead in all streams of a session, unless one stream alone may send more.
const MAX_AHEAD: u32 = 1 << 20;
/// How many headers more than allowed are read, to be able to say how many are allowed.
const MORE_HEADERS: usize = 64;

/// Serves one accepted connection until it ends.
pub(super) async fn run<H: Handler>(stream: TcpStream, tls: Option<TlsAcceptor>, session: Session, handler: Arc<H>) {
    // Without it a small answer would wait for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return converse(stream, None, None, session, handler).await;
    };
    // A client that cannot agree on keys is told so by an alert.
    let handshake = timeout(HANDSHAKE, tls.accept(stream)).await;
    let Ok(Ok(stream)) = handshake else { return count(&session.place.interface.refused.handshake) };
    let Ok(certificate) = client_certificate(&stream) else { return };
    let http2 = stream.get_ref().1.alpn_protocol().map(|protocol| protocol == b"h2");
    converse(stream, certificate, http2, session, handler).await;
}

fn client_certificate(stream: &TlsStream<TcpStream>) -> crypto::Result<Option<ClientCertificate>> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.first().map(|certificate| ClientCertificate::from_der(certificate)).transpose()
}

/// Finds out what the client speaks, and speaks it. `http2` is what was agreed on before, if anything was.
async fn converse<S, H>(
    mut stream: S,
    certificate: Option<ClientCertificate>,
    http2: Option<bool>,
    session: Session,
    handler: Arc<H>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Handler,
{
    let Session { activity, mut end, surplus, place } = session;
    let interface = place.interface.clone();
    let opening = match http2 {
        Some(true) => Opening::Http2(Bytes::new()),
        _ => tokio::select! {
            biased;
            opening = opening::read(&mut stream) => opening,
            _ = &mut end => return,
        },
    };
    let peer = Arc::new(Peer { certificate, interface });
    let conversation = Arc::new(Conversation { handler, peer, activity: activity.clone(), surplus, _place: place });
    match opening {
        Opening::Http1(prefix) => speak_http1(Link::new(stream, prefix, activity), conversation, end).await,
        Opening::Http2(prefix) => speak_http2(Link::new(stream, prefix, activity), conversation, end).await,
        Opening::Other(bytes) => {
            count(&conversation.peer.interface.refused.parsing);
            opening::refuse(&mut Link::new(stream, Bytes::new(), activity), &bytes).await;
        }
        Opening::Closed => {}
    }
}

async fn speak_http1<S, H>(link: Link<S>, conversation: Arc<Conversation<H>>, end: oneshot::Receiver<End>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let interface = conversation.peer.interface.clone();
    let service = service_fn(|request| conversation.clone().answer(request));
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .max_headers(interface.limits.max_headers_count + MORE_HEADERS)
        .serve_connection(TokioIo::new(link), service);
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        _ = end => {
            conversation.activity.ending.store(true, Relaxed);
            connection.as_mut().graceful_shutdown();
            timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome
        && error.is_parse()
    {
        count(if error.is_parse_too_large() {
            &interface.refused.header_too_large
        } else {
            &interface.refused.parsing
        });
    }
}

async fn speak_http2<S, H>(link: Link<S>, conversation: Arc<Conversation<H>>, end: oneshot::Receiver<End>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Handler,
{
    let (limits, activity) = (&conversation.peer.interface.limits.clone(), conversation.activity.clone());
    let surplus = conversation.surplus;
    let service = service_fn(move |request| conversation.clone().answer(request));
    let connection = http2::Builder::new(TokioExecutor::new())
        .auto_date_header(false)
        .initial_stream_window_size(limits.initial_window_size)
        .initial_connection_window_size(limits.initial_window_size.max(MAX_AHEAD))
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_frame_size(limits.max_frame_size)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(link), service);
    let mut connection = pin!(connection);
    let end = async {
        let limit = if surplus { SURPLUS } else { Duration::MAX };
        let _ = timeout(limit, end).await;
    };
    tokio::select! {
        biased;
        _ = connection.as_mut() => {}
        () = end => {
            activity.ending.store(true, Relaxed);
            connection.as_mut().graceful_shutdown();
            let _ = timeout(FAREWELL, connection).await;
        }
    }
}

/// What the requests of a session have in common.
struct Conversation<H> {
    handler: Arc<H>,
    peer: Arc<Peer>,
    activity: Arc<Activity>,
    surplus: bool,
    _place: Place,
}

impl<H: Handler> Conversation<H> {
    async fn answer(self: Arc<Self>, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
        let _busy = self.activity.begin();
        let version = request.version();
        let Some(_begun) = self.peer.interface.begin() else { return Ok(self.hang_up(too_many(), version)) };
        Ok(match self.receive(request).await {
            // What the request takes up is free when it is answered.
            Ok((request, _taken)) => self.handler.answer(request).await,
            Err(error) => self.hang_up(error, version),
        })
    }

    /// The request with its body, unless this layer refuses it, and the room that they take up.
    async fn receive(&self, request: hyper::Request<Incoming>) -> Result<(Request, [Option<Taken>; 2]), ApiError> {
        if self.surplus {
            let text = "Service is currently busy and unable to serve new connections";
            return Err(ApiError::new(503, "SessionCapExhausted", text).with_header("retry-after", "1"));
        }
        let (parts, body) = request.into_parts();
        let interface = &self.peer.interface;
        head::check(&parts.headers, &interface.limits).inspect_err(|_| count(&interface.refused.header_too_large))?;
        let head = head::room(&parts, &interface.room).map_err(|NoRoom| self.no_body(&NoBody::NoRoom))?;
        let limit = interface.limits.max_body_size.bytes;
        let (body, room) = body::read(body, limit, &interface.room).await.map_err(|why| self.no_body(&why))?;
        let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
        Ok((Request { method, uri, headers, body, peer: self.peer.clone() }, [head, room]))
    }

    fn no_body(&self, why: &NoBody) -> ApiError {
        let interface = &self.peer.interface;
        match why {
            NoBody::TooLarge => {
                count(&interface.refused.body_too_large);
                let most = &interface.limits.max_body_size.text;
                let text = format!("HTTP request body is too large (max size allowed: {most})");
                ApiError::new(413, "RequestBodyTooLarge", text)
            }
            NoBody::Late => ApiError::new(408, "InvalidInput", "The request body did not arrive in time."),
            NoBody::NoRoom => {
                count(&interface.refused.no_room);
                let text = "Too many request bodies are arriving or being answered. Retry later.";
                ApiError::new(503, "TooManyPendingTransactions", text).with_header("retry-after", "1")
            }
            NoBody::Broken => {
                count(&interface.refused.parsing);
                ApiError::bad_request("InvalidInput", "The request body cannot be read.")
            }
        }
    }

    /// Refuses a request after which the session cannot go on, since the rest of it was not read.
    fn hang_up(&self, error: ApiError, version: Version) -> Response {
        if version >= Version::HTTP_2 {
            return refuse(&error);
        }
        refuse(&error.with_header("connection", "close"))
    }
}

fn too_many() -> ApiError {
    let text = "Too many requests are being answered. Retry later.";
    ApiError::new(503, "TooManyPendingTransactions", text).with_header("retry-after", "1")
}
