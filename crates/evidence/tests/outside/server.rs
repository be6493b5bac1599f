use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and path with its query.
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Ok(Vec<u8>),
    Status(u16),
    /// A redirect to an address.
    Elsewhere(String),
    /// A head, and then nothing.
    Never,
    /// A body without end.
    Endless,
}

/// A small HTTP server that remembers what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (seen.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Reply) {
    let Some(request) = read(&stream) else { return };
    let reply = answer(&request);
    seen.lock().unwrap().push(request);
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{more}\r\n").into_bytes();
    // The other side may have gone away, which is not for the server to report.
    let _ = match reply {
        Reply::Ok(body) => {
            stream.write_all(&[head(200, &format!("content-length: {}\r\n", body.len())), body].concat())
        }
        Reply::Status(status) => stream.write_all(&head(status, "content-length: 0\r\n")),
        Reply::Elsewhere(url) => stream.write_all(&head(302, &format!("location: {url}\r\ncontent-length: 0\r\n"))),
        Reply::Never => {
            let written = stream.write_all(&head(200, "content-length: 10\r\n"));
            std::thread::sleep(Duration::from_secs(5));
            written
        }
        Reply::Endless => {
            let _ = stream.write_all(&head(200, ""));
            while stream.write_all(&[b' '; 8192]).is_ok() {}
            Ok(())
        }
    };
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let mut headers = lines.into_iter();
    let line = headers.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    Some(Request { line, headers: headers.collect(), body })
}
