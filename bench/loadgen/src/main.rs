//! A small closed-loop HTTPS load generator.
//!
//! It opens a fixed number of connections (optionally presenting a TLS client
//! certificate), keeps exactly one request in flight on each of them for a
//! fixed time, and prints the rate, the latency percentiles and the number of
//! answers outside 2xx. `{n}` in the URL, the headers or the body is replaced
//! by a counter that is unique across the run; `{r}` by a run identifier, so
//! that successive runs do not collide.
//!
//! With `--commit-path '/node/tx?transaction_id={tx}'` every request is followed
//! by polling that path on the same connection until the body contains
//! `--commit-marker`; the time from sending the request until then is reported
//! as a second latency distribution. `{tx}` is taken from the response header
//! named by `--commit-header`.

mod args;
mod report;
mod tls;

use args::Args;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HeaderName, HeaderValue, CONTENT_LENGTH, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use report::Sample;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Sender = SendRequest<Full<Bytes>>;

fn main() {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        println!("{}", args::USAGE);
        return;
    }
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    };
    let mut builder = if args.threads > 1 {
        let mut b = tokio::runtime::Builder::new_multi_thread();
        b.worker_threads(args.threads);
        b
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = builder.enable_all().build().expect("cannot start runtime");
    if let Err(error) = runtime.block_on(run(Arc::new(args))) {
        eprintln!("loadgen: {error}");
        std::process::exit(1);
    }
}

async fn run(args: Arc<Args>) -> Result<(), BoxError> {
    let tls = match args.target.tls {
        true => Some(tls::connector(&args)?),
        false => None,
    };
    let counter = Arc::new(AtomicU64::new(args.first));

    // All connections are up before the clock starts.
    let mut connections = Vec::with_capacity(args.connections);
    let mut handshakes = Vec::with_capacity(args.connections);
    for _ in 0..args.connections {
        let started = Instant::now();
        connections.push(connect(&args, tls.as_ref()).await?);
        handshakes.push(started.elapsed());
    }

    let start = Instant::now();
    let measure_from = start + args.warmup;
    let deadline = measure_from + args.duration;
    let mut workers = Vec::with_capacity(args.connections);
    for connection in connections {
        let (args, tls, counter) = (args.clone(), tls.clone(), counter.clone());
        workers.push(tokio::spawn(async move { worker(args, tls, counter, connection, measure_from, deadline).await }));
    }
    let mut total = report::Totals::default();
    for worker in workers {
        total.merge(worker.await?);
    }
    // Shorter than asked for when a request limit ended the run.
    let measured = Instant::now().min(deadline).saturating_duration_since(measure_from);
    report::print(&args, measured, total, &mut handshakes);
    Ok(())
}

async fn connect(args: &Args, tls: Option<&tls::Connector>) -> Result<Sender, BoxError> {
    let tcp = TcpStream::connect((args.target.host.as_str(), args.target.port)).await?;
    tcp.set_nodelay(true)?;
    match tls {
        Some(tls) => handshake(tls.connect(tcp).await?).await,
        None => handshake(tcp).await,
    }
}

async fn handshake<S>(stream: S) -> Result<Sender, BoxError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection future ends by itself when the sender is dropped.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

async fn worker(
    args: Arc<Args>,
    tls: Option<tls::Connector>,
    counter: Arc<AtomicU64>,
    connection: Sender,
    measure_from: Instant,
    deadline: Instant,
) -> report::Totals {
    let mut totals = report::Totals::default();
    let mut connection = Some(connection);
    let issued = |n: u64| args.requests == 0 || n < args.first + args.requests;
    loop {
        let sent = Instant::now();
        if sent >= deadline {
            return totals;
        }
        let n = counter.fetch_add(1, Ordering::Relaxed);
        if !issued(n) {
            return totals;
        }
        let ready = match connection.take() {
            Some(c) if !c.is_closed() => Ok(c),
            _ => {
                totals.reconnects += 1;
                connect(&args, tls.as_ref()).await
            }
        };
        let outcome = match ready {
            Ok(mut c) => match exchange(&args, &mut c, n, sent).await {
                Ok(sample) => {
                    connection = (!args.no_keepalive).then_some(c);
                    Ok(sample)
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let counted = sent >= measure_from;
        match outcome {
            Ok(sample) if counted => totals.add(sample, Instant::now() < deadline),
            Ok(_) => {}
            Err(error) => {
                if counted {
                    totals.add_error(error.to_string());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

/// Sends request number `n`, reads the whole answer and, if asked to, waits
/// until the transaction it reports is committed.
async fn exchange(args: &Args, connection: &mut Sender, n: u64, sent: Instant) -> Result<Sample, BoxError> {
    let path = args.fill(&args.target.path, n);
    let body = Bytes::from(args.fill(&args.body, n));
    let request = request(args, &args.method, &path, body, n)?;
    connection.ready().await?;
    let response = connection.send_request(request).await?;
    let status = response.status().as_u16();
    let tx = response.headers().get(args.commit_header.as_str()).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let answer = response.into_body().collect().await?.to_bytes();
    let latency = sent.elapsed();

    let mut commit = None;
    if let (Some(path), true) = (&args.commit_path, (200..300).contains(&status)) {
        let tx = tx.ok_or("answer lacks the transaction header")?;
        let path = path.replace("{tx}", &tx);
        loop {
            let poll = plain_get(args, &path)?;
            connection.ready().await?;
            let response = connection.send_request(poll).await?;
            let body = response.into_body().collect().await?.to_bytes();
            if contains(&body, args.commit_marker.as_bytes()) {
                commit = Some(sent.elapsed());
                break;
            }
            tokio::time::sleep(args.commit_poll).await;
        }
    }
    let excerpt = if (200..300).contains(&status) {
        None
    } else {
        Some(String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned())
    };
    Ok(Sample { status, latency, commit, bytes: answer.len() as u64, excerpt })
}

fn request(args: &Args, method: &str, path: &str, body: Bytes, n: u64) -> Result<Request<Full<Bytes>>, BoxError> {
    let mut builder = Request::builder()
        .method(Method::from_bytes(method.as_bytes())?)
        .uri(path)
        .header(HOST, args.target.authority.as_str());
    if !body.is_empty() || method != "GET" {
        builder = builder.header(CONTENT_LENGTH, body.len());
    }
    for (name, value) in &args.headers {
        builder =
            builder.header(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(&args.fill(value, n))?);
    }
    Ok(builder.body(Full::new(body))?)
}

fn plain_get(args: &Args, path: &str) -> Result<Request<Full<Bytes>>, BoxError> {
    Ok(Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(HOST, args.target.authority.as_str())
        .body(Full::new(Bytes::new()))?)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}
