//! The floor: the smallest honest server on the stack that the service is built on.
//!
//! It does what a request costs anyway, and nothing else: TLS with an optional
//! client certificate, HTTP, a fixed JSON answer, and for a `PUT` one group
//! commit to a file. A service on the same stack cannot be faster, so its
//! figures are best given as a share of the floor's, taken in the same run.
//!
//! `GET` and `POST` on any path answer the JSON, `PUT` on any path takes a
//! body; anything else is 405.

mod args;
mod durable;
mod tls;

use args::Args;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{header::CONTENT_TYPE, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use durable::Log;
use std::future::Future;
use std::net::TcpListener;
use std::time::Duration;
use tokio::signal::unix::{signal, SignalKind};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Largest body of a `PUT`, in bytes; a longer one is answered with 413.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long a stop waits for requests that are being answered.
const STOP_WAIT: Duration = Duration::from_secs(1);

fn main() {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        println!("{}", args::USAGE);
        return;
    }
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("floor: {message}");
            std::process::exit(2);
        }
    };
    if let Err(error) = run(&args) {
        eprintln!("floor: {error}");
        std::process::exit(1);
    }
}

fn run(args: &Args) -> Result<(), BoxError> {
    // What can be refused is refused before the log file is made.
    let tls = tls::config(&args.cert, &args.key)?;
    let listener = TcpListener::bind(args.address).map_err(|e| format!("{}: {e}", args.address))?;
    let (log, writer) = match &args.durable {
        Some(path) => {
            let (log, writer) = Log::create(path)?;
            (Some(log), Some(writer))
        }
        None => (None, None),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(args.threads).enable_all().build()?;
    println!("floor: https://{} {args}", listener.local_addr()?);
    let app = router(args.answer(), log);
    let served = runtime.block_on(serve(listener, RustlsConfig::from_config(tls), app));
    // Ends the connections; with the last of them the queue of the writer closes.
    drop(runtime);
    if let Some(writer) = writer {
        writer.join().map_err(|_| "the writer thread panicked")?;
    }
    Ok(served?)
}

/// Serves until Ctrl-C or SIGTERM.
async fn serve(listener: TcpListener, tls: RustlsConfig, app: Router) -> std::io::Result<()> {
    let handle = axum_server::Handle::new();
    let stopped = stop_signal()?;
    let stopper = handle.clone();
    tokio::spawn(async move {
        stopped.await;
        stopper.graceful_shutdown(Some(STOP_WAIT));
    });
    axum_server::from_tcp(listener)?
        .acceptor(RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new()))
        .handle(handle)
        .serve(app.into_make_service())
        .await
}

/// The signals are caught from the call on, not only once the future is polled.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[derive(Clone)]
struct Floor {
    answer: Bytes,
    log: Option<Log>,
}

fn router(answer: Bytes, log: Option<Log>) -> Router {
    Router::new()
        .fallback(get(read).post(read).put(write))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Floor { answer, log })
}

async fn read(State(floor): State<Floor>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], floor.answer)
}

async fn write(State(floor): State<Floor>, body: Bytes) -> StatusCode {
    match &floor.log {
        Some(log) if !log.append(body).await => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    }
}
