//! Command line of the load generator.

use std::time::Duration;

pub const USAGE: &str = "usage: loadgen --url https://host:port/path [options]
  --method M             request method (GET)
  --body TEXT            request body; {n} is a counter, {r} the run identifier
  --body-file FILE       the same, read from a file
  --header 'name: value' extra header, may be repeated
  --cert PEM --key PEM   client certificate and its private key
  --ca PEM               certificate authorities to trust
  --insecure             do not verify the server certificate
  --connections N        connections, one request in flight on each (1)
  --seconds S            measuring time (10)
  --warmup S             time before measuring (1)
  --requests N           stop after N requests in all, those of the warm-up
                         included, if the time is not up before (0: no limit)
  --first N              first value of the counter (0)
  --run-id TEXT          value of {r} (milliseconds since the epoch)
  --threads N            worker threads (1)
  --no-keepalive         a new connection for every request
  --commit-path PATH     after each 2xx, poll this path until committed; {tx}
  --commit-header NAME   response header holding {tx} (x-ms-ccf-transaction-id)
  --commit-marker TEXT   text in the polled body that means committed (Committed)
  --commit-poll-ms MS    pause between polls (1)
  --json                 print one JSON object instead of text
  --help                 this text";

pub struct Target {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    pub authority: String,
    pub path: String,
}

pub struct Args {
    pub target: Target,
    pub url: String,
    pub method: String,
    pub body: String,
    pub headers: Vec<(String, String)>,
    pub cert: Option<String>,
    pub key: Option<String>,
    pub ca: Option<String>,
    pub insecure: bool,
    pub connections: usize,
    pub duration: Duration,
    pub warmup: Duration,
    pub requests: u64,
    pub first: u64,
    pub run_id: String,
    pub threads: usize,
    pub no_keepalive: bool,
    pub commit_path: Option<String>,
    pub commit_header: String,
    pub commit_marker: String,
    pub commit_poll: Duration,
    pub json: bool,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
        let mut url = None;
        let mut args = Args {
            target: Target { tls: false, host: String::new(), port: 0, authority: String::new(), path: String::new() },
            url: String::new(),
            method: "GET".into(),
            body: String::new(),
            headers: Vec::new(),
            cert: None,
            key: None,
            ca: None,
            insecure: false,
            connections: 1,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            requests: 0,
            first: 0,
            run_id: String::new(),
            threads: 1,
            no_keepalive: false,
            commit_path: None,
            commit_header: "x-ms-ccf-transaction-id".into(),
            commit_marker: "Committed".into(),
            commit_poll: Duration::from_millis(1),
            json: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--url" => url = Some(value()?),
                "--method" => args.method = value()?,
                "--body" => args.body = value()?,
                "--body-file" => {
                    let name = value()?;
                    args.body = std::fs::read_to_string(&name).map_err(|e| format!("{name}: {e}"))?;
                }
                "--header" => {
                    let text = value()?;
                    let (name, rest) = text.split_once(':').ok_or_else(|| format!("not a header: {text}"))?;
                    args.headers.push((name.trim().to_owned(), rest.trim().to_owned()));
                }
                "--cert" => args.cert = Some(value()?),
                "--key" => args.key = Some(value()?),
                "--ca" => args.ca = Some(value()?),
                "--insecure" => args.insecure = true,
                "--connections" => args.connections = number(&value()?)?,
                "--seconds" => args.duration = seconds(&value()?)?,
                "--warmup" => args.warmup = seconds(&value()?)?,
                "--requests" => args.requests = number(&value()?)?,
                "--first" => args.first = number(&value()?)?,
                "--run-id" => args.run_id = value()?,
                "--threads" => args.threads = number(&value()?)?,
                "--no-keepalive" => args.no_keepalive = true,
                "--commit-path" => args.commit_path = Some(value()?),
                "--commit-header" => args.commit_header = value()?,
                "--commit-marker" => args.commit_marker = value()?,
                "--commit-poll-ms" => args.commit_poll = Duration::from_millis(number(&value()?)?),
                "--json" => args.json = true,
                _ => return Err(format!("unknown option {word}\n{USAGE}")),
            }
        }
        args.url = url.ok_or_else(|| USAGE.to_owned())?;
        args.target = parse_url(&args.url)?;
        if args.connections == 0 || args.threads == 0 || args.commit_marker.is_empty() {
            return Err("connections, threads and commit marker must not be empty".into());
        }
        if args.cert.is_some() != args.key.is_some() {
            return Err("--cert and --key go together".into());
        }
        if args.run_id.is_empty() {
            let now = std::time::SystemTime::now();
            let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            args.run_id = since.as_millis().to_string();
        }
        Ok(args)
    }

    /// Replaces the placeholders in a template.
    pub fn fill(&self, template: &str, n: u64) -> String {
        if !template.contains('{') {
            return template.to_owned();
        }
        template.replace("{n}", &n.to_string()).replace("{r}", &self.run_id)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = number(text)?;
    Duration::try_from_secs_f64(value).map_err(|_| format!("not a time: {text}"))
}

fn parse_url(url: &str) -> Result<Target, String> {
    let (tls, rest) = if let Some(rest) = url.strip_prefix("https://") {
        (true, rest)
    } else if let Some(rest) = url.strip_prefix("http://") {
        (false, rest)
    } else {
        return Err(format!("not an http(s) URL: {url}"));
    };
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) if rest[at..].starts_with('/') => (&rest[..at], rest[at..].to_owned()),
        Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
        None => (rest, "/".to_owned()),
    };
    let default_port = if tls { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, number(port)?),
        _ => (authority, default_port),
    };
    if host.is_empty() {
        return Err(format!("no host in {url}"));
    }
    Ok(Target { tls, host: host.trim_matches(['[', ']']).to_owned(), port, authority: authority.to_owned(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Args, String> {
        Args::parse(words.iter().map(|w| w.to_string()))
    }

    #[test]
    fn url_parts() {
        let t = parse_url("https://127.0.0.1:8080/app/x?y=1").unwrap();
        assert!(t.tls);
        assert_eq!((t.host.as_str(), t.port), ("127.0.0.1", 8080));
        assert_eq!(t.authority, "127.0.0.1:8080");
        assert_eq!(t.path, "/app/x?y=1");
        let t = parse_url("http://[::1]").unwrap();
        assert_eq!((t.host.as_str(), t.port, t.path.as_str()), ("::1", 80, "/"));
        assert!(parse_url("ftp://x").is_err());
        assert!(parse_url("https://:1/").is_err());
    }

    #[test]
    fn templates() {
        let a = parse(&["--url", "https://h/c-{r}-{n}", "--run-id", "q"]).unwrap();
        assert_eq!(a.fill(&a.target.path, 7), "/c-q-7");
    }

    #[test]
    fn bad_words() {
        assert!(parse(&[]).is_err());
        assert!(parse(&["--url", "https://h", "--cert", "x"]).is_err());
        assert!(parse(&["--url", "https://h", "--connections", "0"]).is_err());
        assert!(parse(&["--url", "https://h", "--nope"]).is_err());
        assert!(parse(&["--url", "https://h", "--seconds", "-1"]).is_err());
    }
}
