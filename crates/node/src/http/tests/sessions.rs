//! How many sessions there are, and how they end.

use super::*;

#[tokio::test]
async fn sessions_have_a_soft_and_a_hard_limit() {
    let limits = RpcInterface { max_open_sessions_soft: 1, max_open_sessions_hard: 2, ..settings() };
    let server = serve_with(limits, Duration::from_secs(60)).await;
    let mut first = server.connect(None, b"http/1.1").await.unwrap();
    one(&mut first, "GET / HTTP/1.1\r\n\r\n").await;
    let mut second = server.connect(None, b"http/1.1").await.unwrap();
    assert!(server.connect(None, b"http/1.1").await.is_err(), "dropped above the hard limit");
    second.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let text = rest(&mut second).await;
    assert!(text.starts_with("HTTP/1.1 503 SERVICE_UNAVAILABLE\r\n") && text.contains("SessionCapExhausted"), "{text}");
    assert!(text.contains("retry-after: 1\r\n"), "{text}");
    one(&mut first, "GET / HTTP/1.1\r\n\r\n").await;
    let counts = server.interface.counts();
    assert_eq!((counts.peak, counts.opened, counts.surplus, counts.dropped), (2, 1, 1, 1));
    // There is room again.
    server.counts(|counts| counts.active == 1).await;
    drop(first);
    server.counts(|counts| counts.active == 0).await;
    let mut third = server.connect(None, b"http/1.1").await.unwrap();
    one(&mut third, "GET / HTTP/1.1\r\n\r\n").await;
}

#[tokio::test]
async fn a_client_that_does_not_agree_on_keys_is_counted() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    server.counts(|counts| counts.handshake == 1 && counts.active == 0).await;
}

#[tokio::test]
async fn a_session_too_many_is_told_so_in_http2_as_well() {
    let limits = RpcInterface { max_open_sessions_soft: 1, max_open_sessions_hard: 2, ..settings() };
    let server = serve_with(limits, Duration::from_secs(60)).await;
    let _first = server.connect(None, b"http/1.1").await.unwrap();
    let stream = server.connect(None, b"h2").await.unwrap();
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("https://127.0.0.1/").body(Full::new(Bytes::new())).unwrap();
    assert_eq!(send.send_request(request).await.unwrap().status(), 503);
    timeout(Duration::from_secs(8), connection).await.expect("the server ends the session").unwrap().unwrap();
}

#[tokio::test]
async fn sessions_that_say_nothing_are_ended_and_busy_ones_are_not() {
    let server = serve_with(settings(), Duration::from_millis(300)).await;
    let mut silent = server.connect(None, b"http/1.1").await.unwrap();
    let mut slow_head = server.connect(None, b"http/1.1").await.unwrap();
    slow_head.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let mut busy = server.connect(None, b"http/1.1").await.unwrap();
    let text = one(&mut busy, "GET /slow HTTP/1.1\r\n\r\n").await;
    assert!(text.ends_with("GET /slow 0 nobody"), "{text}");
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut slow_head).await, "");
    assert_eq!(rest(&mut busy).await, "");
    server.counts(|counts| counts.active == 0).await;
}

#[tokio::test]
async fn a_stop_lets_requests_finish() {
    let server = server().await;
    let mut idle = server.connect(None, b"http/1.1").await.unwrap();
    one(&mut idle, "GET / HTTP/1.1\r\n\r\n").await;
    let mut busy = server.connect(None, b"http/1.1").await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.stop.send(true).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    assert!(rest(&mut busy).await.ends_with("GET /slow 0 nobody"));
    timeout(Duration::from_secs(4), server.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

/// Requests whose bodies do not come, a hundred in each session: there are many places, but not without end.
#[tokio::test]
async fn requests_at_a_time_are_bounded() {
    let server = server().await;
    let begun: Vec<_> = std::iter::from_fn(|| server.interface.begin()).collect();
    assert_eq!(begun.len(), 16 << 10);
    let text = server.exchange(b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 503 SERVICE_UNAVAILABLE\r\nconnection: close\r\n"), "{text}");
    assert!(text.contains("retry-after: 1\r\n") && text.contains("Too many requests"), "{text}");
    drop(begun);
    assert!(server.exchange(b"GET / HTTP/1.1\r\n\r\n").await.ends_with("GET / 0 nobody"));
    // The one that was turned away, and the last one that could not begin here.
    assert_eq!(server.interface.counts().busy, 2);
}
