//! Command line of the floor.

use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

pub const USAGE: &str = "usage: floor --cert PEM --key PEM [options]

The smallest honest server on the stack of the service: what it reaches is the
most that a service on this machine could reach. GET and POST on any path
answer a fixed JSON, PUT on any path takes a body of up to 1 MiB. TLS 1.3 and
1.2, HTTP/1.1 and HTTP/2, client certificates welcome and not required.

  --cert PEM         certificate of the server, with its chain if it has one
  --key PEM          private key of the certificate
  --address IP:PORT  where to listen (127.0.0.1:8443; port 0 picks a free one)
  --durable FILE     answer a PUT once its body is in FILE and synced: one
                     thread takes all that wait, appends them, calls fdatasync
                     once. FILE must not exist; 256 MiB are allocated at once,
                     and again when they are full. Without it a PUT is
                     answered as soon as it is read
  --threads N        threads that serve connections (the number of cores)
  --body-bytes N     length of the JSON, 16 to 16777216 (1024)
  --help             this text

It prints one line when it listens, and stops on Ctrl-C or SIGTERM; FILE is
then cut to what was written, and kept.

A certificate like that of a node:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 30 \\
    -subj /CN=floor -addext subjectAltName=IP:127.0.0.1 \\
    -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem
Clients trust it as it is (loadgen --ca cert.pem).";

/// `{"text":""}` and a little.
const LEAST_ANSWER: usize = 16;
const MOST_ANSWER: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub struct Args {
    pub address: SocketAddr,
    pub cert: PathBuf,
    pub key: PathBuf,
    pub durable: Option<PathBuf>,
    pub threads: usize,
    pub body_bytes: usize,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
        let (mut cert, mut key) = (None, None);
        let mut args = Args {
            address: SocketAddr::from(([127, 0, 0, 1], 8443)),
            cert: PathBuf::new(),
            key: PathBuf::new(),
            durable: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            body_bytes: 1024,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--address" => args.address = parsed(&word, &value()?)?,
                "--cert" => cert = Some(value()?.into()),
                "--key" => key = Some(value()?.into()),
                "--durable" => args.durable = Some(value()?.into()),
                "--threads" => args.threads = parsed(&word, &value()?)?,
                "--body-bytes" => args.body_bytes = parsed(&word, &value()?)?,
                _ => return Err(format!("unknown option {word}, see floor --help")),
            }
        }
        args.cert = cert.ok_or("--cert is missing, see floor --help")?;
        args.key = key.ok_or("--key is missing, see floor --help")?;
        if args.threads == 0 {
            return Err("--threads must be at least 1".into());
        }
        if !(LEAST_ANSWER..=MOST_ANSWER).contains(&args.body_bytes) {
            return Err(format!("--body-bytes must be {LEAST_ANSWER} to {MOST_ANSWER}"));
        }
        Ok(args)
    }

    /// The JSON that is answered, `body_bytes` long.
    pub fn answer(&self) -> Bytes {
        let (head, tail) = ("{\"text\":\"", "\"}");
        let filling = "x".repeat(self.body_bytes - head.len() - tail.len());
        format!("{head}{filling}{tail}").into()
    }
}

/// The settings that a figure depends on.
impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "threads {} body {} ", self.threads, self.body_bytes)?;
        match &self.durable {
            Some(path) => write!(f, "durable {}", path.display()),
            None => write!(f, "not durable"),
        }
    }
}

fn parsed<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{option} does not take {text:?}, see floor --help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Args, String> {
        Args::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn answers_have_the_length_asked_for() {
        for length in [LEAST_ANSWER, 1024] {
            let args = parse(&format!("--cert c --key k --body-bytes {length}")).unwrap();
            assert_eq!(args.answer().len(), length);
        }
    }

    #[test]
    fn refusals_name_the_option() {
        for (words, part) in [
            ("--key k", "--cert"),
            ("--cert c", "--key"),
            ("--cert c --key k --threads 0", "--threads"),
            ("--cert c --key k --threads many", "--threads"),
            ("--cert c --key k --body-bytes 15", "--body-bytes"),
            ("--cert c --key k --address 8443", "--address"),
            ("--cert c --key k --durable", "--durable"),
            ("--cert c --key k --nope", "--nope"),
        ] {
            let message = parse(words).unwrap_err();
            assert!(message.contains(part), "{words}: {message}");
        }
    }
}
