//! Endorsements of the *utility VM*, the small virtual machine in which Azure runs the containers of one deployment: its
//! maker says which launch measurement is which version of it.
//!
//! A COSE_Sign1 message (RFC 9052) with the maker's certificates (`x5chain`, RFC 9360), the maker as a did:x509 (`iss`)
//! and the name of the product line (`feed`). Whether that maker is trusted is for the caller, or its policy, to say.

use crypto::{Certificate, Digest, cose::Sign1, sha256};
use serde::Deserialize;
use unique_json::from_unique_json;

use crate::{Check, Rejection, Result, Trail, did, issuing};

/// Most bytes of an endorsement; genuine ones have about 11 KiB.
const MOST_BYTES: usize = 64 * 1024;
/// Most certificates in a chain.
const MOST_CERTIFICATES: usize = 8;
/// What the payload is.
const CONTENT_TYPE: &str = "application/json";

/// What the maker of a utility VM has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endorsement {
    /// The maker: a did:x509 that its certificates resolve.
    pub did: String,
    /// The product line.
    pub feed: String,
    /// The security version; it only grows.
    pub svn: String,
    /// The launch measurement.
    pub measurement: [u8; 48],
    /// SHA-256 over the bytes that the maker has signed.
    pub statement: Digest,
}

/// The payload, as far as it is used.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "x-ms-sevsnpvm-launchmeasurement")]
    measurement: String,
    #[serde(rename = "x-ms-sevsnpvm-guestsvn")]
    svn: String,
}

/// Verifies an endorsement. `trail` gets the checks that were passed.
///
/// # Errors
/// The first `uvm.*` check that fails.
pub fn verify(message: &[u8], trail: &mut Trail) -> Result<Endorsement> {
    let (message, did, feed) = trail.note(Check::UvmFormat, parse(message))?;
    let chain = trail.note(Check::UvmChain, chain(&message))?;
    trail.note(Check::UvmIssuer, did::resolve(&did, &chain))?;
    trail.note(Check::UvmSignature, check_signature(&message, &chain))?;
    let (measurement, svn) = trail.note(Check::UvmPayload, payload(&message))?;
    Ok(Endorsement { did, feed, svn, measurement, statement: sha256(&message.signed()) })
}

impl Endorsement {
    /// Checks that a guest was launched as endorsed.
    ///
    /// # Errors
    /// [`Check::UvmMeasurement`]
    pub fn check_measurement(&self, measurement: &[u8; 48]) -> Result<()> {
        let (wanted, found) = (hex::encode(self.measurement), hex::encode(measurement));
        Rejection::unless(self.measurement == *measurement, Check::UvmMeasurement, wanted, found)
    }
}

/// Headers count in the protected part only; beside it stands a time stamp, which nobody has signed.
fn parse(bytes: &[u8]) -> Result<(Sign1, String, String)> {
    let odd = |found: String| Rejection::new(Check::UvmFormat, "a COSE_Sign1 message with iss and feed", found);
    if bytes.len() > MOST_BYTES {
        return Err(odd(format!("{} bytes, which is more than {MOST_BYTES}", bytes.len())));
    }
    let message = Sign1::from_bytes(bytes).map_err(|why| odd(why.to_string()))?;
    if message.has_critical_headers() {
        return Err(odd("headers that must be understood, and are not".into()));
    }
    if message.content_type() != Some(CONTENT_TYPE) {
        return Err(odd(format!("another type of content than {CONTENT_TYPE}")));
    }
    let text = |name: &str| message.text_header(name).map(str::to_owned).ok_or_else(|| odd(format!("no {name}")));
    let (did, feed) = (text("iss")?, text("feed")?);
    Ok((message, did, feed))
}

/// The certificates, each issued by the next. Dates do not matter (D30).
fn chain(message: &Sign1) -> Result<Vec<Certificate>> {
    let odd = |found: &dyn std::fmt::Display| Rejection::new(Check::UvmChain, "a chain of certificates", found);
    let chain = message.x5chain().ok_or_else(|| odd(&"no x5chain"))?;
    if !(2..=MOST_CERTIFICATES).contains(&chain.len()) {
        return Err(odd(&format!("{} certificates; 2 to {MOST_CERTIFICATES} are read", chain.len())));
    }
    let chain: Vec<Certificate> =
        chain.into_iter().map(Certificate::from_der).collect::<crypto::Result<_>>().map_err(|why| odd(&why))?;
    check_chain(&chain).map_err(|(subject, why)| odd(&format!("{subject}: {why}")))?;
    Ok(chain)
}

/// The subject of the certificate that is not as it should be, and why.
fn check_chain(chain: &[Certificate]) -> std::result::Result<(), (String, String)> {
    for (between, pair) in chain.windows(2).enumerate() {
        let [certificate, issuer] = pair else { continue };
        check_issued(certificate, issuer, between).map_err(|why| (certificate.subject().to_owned(), why))?;
    }
    let (Some(signer), Some(last)) = (chain.first(), chain.last()) else { return Ok(()) };
    issuing::check_signer(signer).map_err(|why| (signer.subject().to_owned(), why))?;
    // An authority in the middle may be the one that is trusted; a root must hold together.
    if issuing::is_self_issued(last) {
        check_issued(last, last, chain.len() - 2).map_err(|why| (last.subject().to_owned(), why))?;
    }
    Ok(())
}

fn check_issued(certificate: &Certificate, issuer: &Certificate, between: usize) -> std::result::Result<(), String> {
    issuing::check_allowed(certificate, issuer, between)?;
    certificate.verify_foreign(issuer).map_err(|why| why.to_string())
}

fn check_signature(message: &Sign1, chain: &[Certificate]) -> Result<()> {
    let odd = |found: String| Rejection::new(Check::UvmSignature, "a signature by the first certificate", found);
    let signer = chain.first().ok_or_else(|| odd("no certificate".into()))?;
    let key = signer.foreign_key().map_err(|why| odd(why.to_string()))?;
    message.verify_foreign(&key).map_err(|why| odd(why.to_string()))
}

fn payload(message: &Sign1) -> Result<([u8; 48], String)> {
    let odd = |found: &dyn std::fmt::Display| {
        Rejection::new(Check::UvmPayload, "a launch measurement of 96 hexadecimal digits and a decimal version", found)
    };
    let bytes = message.payload().unwrap_or_default();
    let json = from_unique_json(bytes).and_then(Payload::deserialize);
    let Payload { measurement, svn } = json.map_err(|why| odd(&why))?;
    let mut bytes = [0; 48];
    hex::decode_to_slice(&measurement, &mut bytes).map_err(|why| odd(&why))?;
    let decimal = !svn.is_empty() && svn.len() <= 20 && svn.bytes().all(|digit| digit.is_ascii_digit());
    if decimal { Ok((bytes, svn)) } else { Err(odd(&svn)) }
}
