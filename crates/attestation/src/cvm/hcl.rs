use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{ForeignKey, sha256};
use serde_json::Value;
use unique_json::from_unique_json;

use crate::{
    Check, Rejection, Result,
    bytes::{is_zero, u32_at},
    snp::{self, Report},
};

/// The header before the processor's report: magic, version, size of all but the padding, kind of request, status, and
/// three words that are reserved; four bytes each.
const HEADER: usize = 32;
const MAGIC: &[u8; 4] = b"HCLA";
/// Versions of paravisors that are known; their reports are laid out alike.
const VERSIONS: std::ops::RangeInclusive<u32> = 1..=2;
/// The kind of request that a report for guests answers.
const FOR_GUESTS: u32 = 2;
/// The header behind the report: size with the claims, version, kind of report, kind of hash, size of the claims; four
/// bytes each.
const CLAIMS_HEADER: usize = 20;
/// Version and kinds: the report is one of SEV-SNP, the hash in its report data SHA-256.
const KINDS: [u32; 3] = [1, 2, 1];
/// The privilege level of the paravisor.
const PARAVISOR: u32 = 0;
/// The identifier of the virtual TPM's attestation key.
const ATTESTATION_KEY: &str = "HCLAkPub";

/// The processor's report and the bytes of the runtime claims in an HCL report. `beside` is a report that must be the
/// same one. Nobody has signed the headers; they must be as they should. Taking it apart proves nothing.
///
/// # Errors
/// [`Check::HclReport`]
pub fn parts<'a>(bytes: &'a [u8], beside: Option<&[u8]>) -> Result<(&'a [u8], &'a [u8])> {
    let odd = |found: &str| Rejection::new(Check::HclReport, "an HCL report with one processor's report", found);
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or_else(|| odd("too few bytes"))?;
    let (report, rest) = rest.split_at_checked(snp::SIZE).ok_or_else(|| odd("too few bytes"))?;
    let (claims_header, rest) = rest.split_at_checked(CLAIMS_HEADER).ok_or_else(|| odd("too few bytes"))?;
    let size = u32_at(claims_header, 16);
    let claims = usize::try_from(size).ok().and_then(|size| rest.split_at_checked(size));
    let (claims, padding) = claims.ok_or_else(|| odd("fewer bytes of claims than it says"))?;
    check_header(header, bytes.len() - padding.len()).map_err(odd)?;
    check_claims_header(claims_header, size).map_err(odd)?;
    if !is_zero(padding, 0..padding.len()) {
        return Err(odd("bytes behind the claims"));
    }
    match beside {
        Some(beside) if beside != report => Err(odd("another report than the one beside it")),
        _ => Ok((report, claims)),
    }
}

fn check_header(header: &[u8], size: usize) -> std::result::Result<(), &'static str> {
    if header.get(..4) != Some(MAGIC) {
        return Err("another magic");
    }
    if !VERSIONS.contains(&u32_at(header, 4)) {
        return Err("another version of the paravisor");
    }
    if usize::try_from(u32_at(header, 8)) != Ok(size) {
        return Err("another size than it says");
    }
    let is_for_guests = u32_at(header, 12) == FOR_GUESTS && is_zero(header, 16..HEADER);
    if is_for_guests { Ok(()) } else { Err("another kind of request, a status, or reserved bytes") }
}

fn check_claims_header(header: &[u8], size: u32) -> std::result::Result<(), &'static str> {
    if [4, 8, 12].map(|at| u32_at(header, at)) != KINDS {
        return Err("another version of the claims, kind of report or hash");
    }
    if Some(u32_at(header, 0)) == size.checked_add(20) { Ok(()) } else { Err("sizes of the claims that do not fit") }
}

/// The paravisor asked for the report, and not the guest: that one chooses the report data of its own reports as it likes,
/// and so could pass off any claims as the paravisor's.
pub(super) fn check_privilege(report: &Report) -> Result<()> {
    let found = report.vmpl();
    Rejection::unless(found == PARAVISOR, Check::HclPrivilege, format!("level {PARAVISOR}"), format!("level {found}"))
}

/// The report data begins with the digest of the claims; the rest is zero.
pub(super) fn check_binding(claims: &[u8], report: &Report) -> Result<()> {
    let expected = [sha256(claims), [0; 32]].concat();
    let found = report.report_data();
    Rejection::unless(expected == found, Check::HclBinding, hex::encode(expected), hex::encode(found))
}

/// The DER value that bytes begin with, if nothing but zeros follows it.
pub(super) fn der_prefix(bytes: &[u8]) -> Option<&[u8]> {
    let (rest, _) = x509_parser::der_parser::der::parse_der(bytes).ok()?;
    let der = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
    rest.iter().all(|byte| *byte == 0).then_some(der)
}

/// What the paravisor says of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeClaims {
    json: Value,
    attestation_key: ForeignKey,
}

impl RuntimeClaims {
    /// Reads runtime claims. That proves nothing: it is for the processor's report to bind them.
    ///
    /// # Errors
    /// [`Check::HclClaims`]
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let odd = |found: &dyn std::fmt::Display| {
            Rejection::new(Check::HclClaims, "JSON with one RSA key of the name HCLAkPub", found)
        };
        let json = from_unique_json(bytes).map_err(|why| odd(&why))?;
        let keys = json.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut named = keys.iter().filter(|key| key.get("kid").and_then(Value::as_str) == Some(ATTESTATION_KEY));
        let (Some(key), None) = (named.next(), named.next()) else { return Err(odd(&"none, or several")) };
        let attestation_key = rsa_key(key).ok_or_else(|| odd(&"another kind of key"))?;
        Ok(Self { json, attestation_key })
    }

    /// The claims as they are, JSON.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// What the guest gave to be bound, in hexadecimal digits (`user-data`).
    #[must_use]
    pub fn user_data(&self) -> Option<&str> {
        self.json.get("user-data")?.as_str()
    }

    /// The key that the virtual TPM signs quotes with.
    #[must_use]
    pub fn attestation_key(&self) -> &ForeignKey {
        &self.attestation_key
    }
}

/// An RSA key from a JWK (RFC 7518, section 6.3).
fn rsa_key(jwk: &Value) -> Option<ForeignKey> {
    let number = |name| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
    if jwk.get("kty")?.as_str()? != "RSA" {
        return None;
    }
    ForeignKey::from_rsa(&number("n")?, &number("e")?).ok()
}
