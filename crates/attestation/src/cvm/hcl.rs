use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{ForeignKey, TokenKey, sha256};
use serde_json::Value;

use crate::{
    Check, Rejection, Result,
    bytes::u32_at,
    snp::{self, Report},
};

/// The header before the processor's report: a magic, a version, sizes.
const HEADER: usize = 32;
const MAGIC: &[u8; 4] = b"HCLA";
/// The header behind it: data size, version, kind of report, kind of hash, size of the claims; four bytes each.
const CLAIMS_HEADER: usize = 20;
/// Kinds: the report is one of SEV-SNP, the hash in its report data SHA-256.
const KIND_SNP: u32 = 2;
const HASH_SHA256: u32 = 1;
/// The identifier of the virtual TPM's attestation key.
const ATTESTATION_KEY: &str = "HCLAkPub";

/// The processor's report and the bytes of the runtime claims in an HCL report. `beside` is a report that must be the
/// same one.
pub(super) fn parts<'a>(bytes: &'a [u8], beside: Option<&[u8]>) -> Result<(&'a [u8], &'a [u8])> {
    let odd = |found: &str| Rejection::new(Check::HclReport, "an HCL report with one processor's report", found);
    if bytes.get(..4) != Some(MAGIC) {
        return Err(odd("another magic"));
    }
    let report = bytes.get(HEADER..HEADER + snp::SIZE).ok_or_else(|| odd("too few bytes"))?;
    let rest = bytes.get(HEADER + snp::SIZE..).unwrap_or_default();
    let (header, claims) = rest.split_at_checked(CLAIMS_HEADER).ok_or_else(|| odd("too few bytes"))?;
    if (u32_at(header, 8), u32_at(header, 12)) != (KIND_SNP, HASH_SHA256) {
        return Err(odd("another kind of report or hash"));
    }
    let size = u32_at(header, 16);
    if u32_at(header, 0) != size.saturating_add(20) {
        return Err(odd("sizes that do not fit"));
    }
    let claims = usize::try_from(size).ok().and_then(|size| claims.split_at_checked(size));
    let (claims, padding) = claims.ok_or_else(|| odd("fewer bytes of claims than it says"))?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(odd("bytes behind the claims"));
    }
    match beside {
        Some(beside) if beside != report => Err(odd("another report than the one beside it")),
        _ => Ok((report, claims)),
    }
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
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let odd = |found: &dyn std::fmt::Display| {
            Rejection::new(Check::HclClaims, "JSON with one RSA key of the name HCLAkPub", found)
        };
        let json: Value = serde_json::from_slice(bytes).map_err(|why| odd(&why))?;
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
    let key = TokenKey::from_rsa(&number("n")?, &number("e")?).ok()?;
    ForeignKey::from_spki_der(key.spki_der()).ok()
}
