//! An issuer of tokens: a TLS server with an authority of its own, that publishes its keys, or misbehaves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::issue::{Validity, node_certificate, service_certificate};
use crypto::{Curve, SigningKey, sign_rs256};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use suites::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Longer than the node waits for an answer.
const SLOW: Duration = Duration::from_secs(20);

/// How the issuer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Good,
    /// With its keys behind a redirect to where they are.
    Redirects,
    /// With the address of its keys without TLS.
    PlainKeys,
    /// In the name of somebody else.
    OtherIssuer,
    /// With more bytes than anybody wants.
    Huge,
    /// With something else.
    NoJson,
    /// With a set of no keys.
    NoKeys,
    /// Much later.
    Slow,
}

/// A key that signs tokens.
pub enum Key {
    Rsa { public: String, private: String },
    Ec(SigningKey),
}

impl Key {
    /// A fresh RSA key.
    pub fn rsa() -> Result<Self> {
        let (public, private) = crypto::wrap::generate_rsa_pair()?;
        Ok(Self::Rsa { public, private: private.to_string() })
    }

    /// A fresh key on P-256.
    pub fn ec() -> Result<Self> {
        Ok(Self::Ec(SigningKey::generate(Curve::P256)?))
    }

    fn jwk(&self, kid: &str) -> Value {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa { public, .. } => {
                let text: String = public.lines().filter(|line| !line.starts_with('-')).collect();
                let der = STANDARD.decode(text).expect("base64 of a PEM block");
                // A key of 2048 bits ends with its modulus and the exponent 65537 (02 03 01 00 01).
                let modulus = &der[der.len() - 261..der.len() - 5];
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": number(modulus), "e": "AQAB"})
            }
            Self::Ec(key) => {
                let spki = key.public().spki_der();
                let point = &spki[spki.len() - 64..];
                json!({"kty": "EC", "kid": kid, "crv": "P-256", "x": number(&point[..32]), "y": number(&point[32..])})
            }
        }
    }

    /// A token with these claims, beside those that every token of `issuer` has.
    pub fn token(&self, kid: &str, issuer: &str, claims: &Value) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut payload = json!({"iss": issuer, "nbf": now - 10, "exp": now + 600});
        let members = payload.as_object_mut().ok_or("an object")?;
        members.extend(claims.as_object().ok_or("claims are an object")?.clone());
        let algorithm = if matches!(self, Self::Rsa { .. }) { "RS256" } else { "ES256" };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": algorithm, "kid": kid, "typ": "JWT"})), part(&payload));
        let signature = match self {
            Self::Rsa { private, .. } => sign_rs256(private, signed.as_bytes())?,
            Self::Ec(key) => key.sign(signed.as_bytes())?,
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The server. It ends with the runtime of the test.
pub struct Idp {
    /// Its URL, which is its name.
    pub issuer: String,
    /// The certificate of its authority, PEM.
    pub authority: String,
    shared: Arc<Shared>,
}

struct Shared {
    issuer: String,
    manner: Mutex<Manner>,
    keys: Mutex<BTreeMap<String, Value>>,
    requests: AtomicUsize,
}

impl Idp {
    /// Starts one on a free port of this machine.
    pub async fn start() -> Result<Self> {
        let (authority, key) = (SigningKey::generate(Curve::P384)?, SigningKey::generate(Curve::P256)?);
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let validity = Validity { from: now - 60, days: 1 };
        let root = service_certificate(&authority, "CN=authority of the issuer", validity)?;
        let names = ["dNSName:localhost".to_owned()];
        let leaf = node_certificate(key.public(), "CN=issuer", &names, validity, &authority, &root)?;
        let chain = vec![CertificateDer::from(leaf.der().to_vec())];
        let private = PrivateKeyDer::Pkcs8(key.to_pkcs8_der()?.to_vec().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let issuer = format!("https://localhost:{}/idp", listener.local_addr()?.port());
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            manner: Mutex::new(Manner::Good),
            keys: Mutex::default(),
            requests: AtomicUsize::new(0),
        });
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), shared.clone()));
        Ok(Self { issuer, authority: root.to_pem(), shared })
    }

    /// Publishes this key and no other.
    pub fn publish(&self, kid: &str, key: &Key) {
        *self.shared.keys.lock().expect("no panic") = BTreeMap::from([(kid.to_owned(), key.jwk(kid))]);
    }

    /// Answers in another way from now on.
    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().expect("no panic") = manner;
    }

    /// How often it was asked something over a connection that was believed.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), shared.clone());
        tokio::spawn(async move {
            // A client that does not believe the certificate hangs up, and so does one that has seen enough.
            let _ = answer(stream, &acceptor, &shared).await;
        });
    }
}

async fn answer(stream: TcpStream, acceptor: &TlsAcceptor, shared: &Shared) -> Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = vec![0; 8192];
    let length = stream.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    shared.requests.fetch_add(1, SeqCst);
    let manner = *shared.manner.lock().expect("no panic");
    if manner == Manner::Slow {
        tokio::time::sleep(SLOW).await;
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (head, body) = shared.page(path, manner);
    stream.write_all(format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

impl Shared {
    fn page(&self, path: &str, manner: Manner) -> (String, String) {
        let ok = |body: String| ("200 OK".to_owned(), body);
        match (path, manner) {
            ("/idp/.well-known/openid-configuration", _) => ok(self.document(manner).to_string()),
            ("/keys", Manner::Redirects) => ("307 Temporary Redirect\r\nlocation: /moved".into(), String::new()),
            ("/keys" | "/moved", Manner::Huge) => ok(" ".repeat(2 << 20) + &self.set().to_string()),
            ("/keys" | "/moved", Manner::NoJson) => ok("<html></html>".into()),
            ("/keys" | "/moved", Manner::NoKeys) => ok(json!({"keys": []}).to_string()),
            ("/keys" | "/moved", _) => ok(self.set().to_string()),
            _ => ("404 Not Found".into(), String::new()),
        }
    }

    fn document(&self, manner: Manner) -> Value {
        let base = self.issuer.trim_end_matches("/idp");
        let issuer = if manner == Manner::OtherIssuer { format!("{base}/other") } else { self.issuer.clone() };
        let keys = format!("{base}/keys");
        let keys = if manner == Manner::PlainKeys { keys.replacen("https", "http", 1) } else { keys };
        json!({"issuer": issuer, "jwks_uri": keys})
    }

    fn set(&self) -> Value {
        let keys: Vec<Value> = self.keys.lock().expect("no panic").values().cloned().collect();
        json!({"keys": keys})
    }
}
