//! The listener of the operator: plain HTTP, by default on the loopback address, with nothing to change and no secrets.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    http::stopped,
    metrics::{CONTENT_TYPE, Metrics},
};

/// Connections at a time; more are dropped.
const MAX_CONNECTIONS: usize = 8;
/// How long a connection may last: one request and its answer.
const LIFETIME: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes; the least that hyper takes.
const MAX_HEAD: usize = 8192;
/// How long to wait when a connection could not be accepted.
const RECOVERY: Duration = Duration::from_millis(100);

/// Answers until `stop` holds `true`.
pub(crate) async fn serve(listener: TcpListener, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let Ok(place) = room.clone().try_acquire_owned() else { continue };
                    let metrics = metrics.clone();
                    connections.spawn(async move {
                        let _place = place;
                        let _ = timeout(LIFETIME, converse(stream, metrics)).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the admin listener could not be accepted");
                    sleep(RECOVERY).await;
                }
            },
        }
        while connections.try_join_next().is_some() {}
    }
    // Nobody relies on the last figures of a node that stops.
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, metrics: Arc<Metrics>) {
    let service = service_fn(|request| answer(request, metrics.clone()));
    let connection = http1::Builder::new()
        .keep_alive(false)
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A client that went away does not matter.
    let _ = connection.await;
}

async fn answer(request: Request<Incoming>, metrics: Arc<Metrics>) -> Result<Response<Full<Bytes>>, Infallible> {
    let known = ["/metrics", "/livez"].contains(&request.uri().path());
    let response = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match tokio::task::spawn_blocking(move || metrics.page()).await {
            Ok(Ok(page)) => text(StatusCode::OK, CONTENT_TYPE, page),
            _ => text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "The metrics cannot be written.\n".into()),
        },
        (&Method::GET, "/livez") => text(StatusCode::OK, "text/plain", "ok\n".into()),
        _ if known => {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "Only GET.\n".into());
            refused.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET"));
            refused
        }
        _ => text(StatusCode::NOT_FOUND, "text/plain", "There are /metrics and /livez.\n".into()),
    };
    Ok(response)
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
