use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{CryptoError, ForeignKey, PublicKey, Result, Scheme, foreign, pem_text, sha256};

/// Bytes of a certificate, DER. TLS takes none that is larger either.
pub const MAX_CERTIFICATE_BYTES: usize = 64 << 10;
/// Certificates in one PEM text: what operating systems bring along is about 150.
pub const MAX_CERTIFICATES: usize = 256;
/// Bytes of a PEM text with certificates.
pub const MAX_PEM_BYTES: usize = 512 << 10;

/// PEM with LF line ends and a newline at the end, as OpenSSL writes it.
pub(crate) fn encode_pem(block: &pem::Pem) -> String {
    pem::encode_config(block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// An X.509 certificate (RFC 5280), as bytes with the parts that matter read out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    spki: Vec<u8>,
    subject: String,
    not_before: i64,
    not_after: i64,
}

impl Certificate {
    /// A certificate from DER.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`] if it cannot be parsed, something follows it, or it is longer than
    /// [`MAX_CERTIFICATE_BYTES`].
    pub fn from_der(der: &[u8]) -> Result<Self> {
        check_size("a certificate", der.len(), MAX_CERTIFICATE_BYTES)?;
        let parsed = parse(der)?;
        Ok(Self {
            der: der.to_vec(),
            spki: parsed.public_key().raw.to_vec(),
            subject: parsed.subject().to_string(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        })
    }

    /// The first certificate of a PEM text.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`]
    pub fn from_pem(text: &str) -> Result<Self> {
        let first = certificates_from_pem(text)?.into_iter().next();
        first.ok_or_else(|| CryptoError::Certificate("no PEM block of a certificate".into()))
    }

    /// The certificate as DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        encode_pem(&pem::Pem::new("CERTIFICATE", self.der.clone()))
    }

    /// SHA-256 of the DER in hex: the id of a member or user.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(sha256(&self.der))
    }

    /// The key that the certificate is for.
    ///
    /// # Errors
    /// [`CryptoError::Key`] if it is not an ECDSA key.
    pub fn public_key(&self) -> Result<PublicKey> {
        PublicKey::from_spki_der(&self.spki)
    }

    /// SubjectPublicKeyInfo DER of the key that the certificate is for, of whatever kind.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The subject as text, for example `CN=CCF Service`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Start of validity, in seconds since 1970.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// End of validity, in seconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// From when on the end is near and somebody should hear of it: 30 days before, or for the last third of a life that
    /// is shorter than 90 days. In seconds since 1970.
    #[must_use]
    pub fn ends_soon_from(&self) -> i64 {
        const NEAR: i64 = 30 * 86_400;
        self.not_after - NEAR.min(self.not_after.saturating_sub(self.not_before) / 3)
    }

    /// The key that the certificate is for, of a kind that outsiders use.
    ///
    /// # Errors
    /// [`CryptoError::Key`] if it is neither RSA nor ECDSA.
    pub fn foreign_key(&self) -> Result<ForeignKey> {
        ForeignKey::from_spki_der(&self.spki)
    }

    /// Checks that `issuer`'s key signed this certificate. Dates and extensions are not looked at.
    ///
    /// # Errors
    /// [`CryptoError::Signature`], or [`CryptoError::Certificate`] for an algorithm that is not ECDSA.
    pub fn verify_issued_by(&self, issuer: &Self) -> Result<()> {
        let parsed = parse(&self.der)?;
        match foreign::scheme_of(&parsed.signature_algorithm)? {
            Scheme::Ecdsa(_) => self.verify_foreign(issuer),
            _ => Err(CryptoError::Certificate("the signature is not ECDSA".into())),
        }
    }

    /// Like [`Self::verify_issued_by`], for certificates of outsiders, which may be signed with RSA.
    ///
    /// # Errors
    /// [`CryptoError::Signature`], or [`CryptoError::Certificate`] for an algorithm that is neither RSA nor ECDSA.
    pub fn verify_foreign(&self, issuer: &Self) -> Result<()> {
        let parsed = parse(&self.der)?;
        let signed = parsed.tbs_certificate.as_ref();
        let outer = unsigned_algorithm(&self.der, signed, &parsed.signature_value.data);
        let outer = outer.ok_or_else(|| CryptoError::Certificate("it is not DER around its signed part".into()))?;
        let is_same = !outer.is_empty() && signed.windows(outer.len()).any(|inner| inner == outer);
        if !is_same || parsed.signature_algorithm != parsed.tbs_certificate.signature {
            return Err(CryptoError::Certificate("two signature algorithms".into()));
        }
        let scheme = foreign::scheme_of(&parsed.signature_algorithm)?;
        issuer.foreign_key()?.verify(scheme, parsed.tbs_certificate.as_ref(), &parsed.signature_value.data)
    }
}

/// The algorithm between the signed part and the signature, if all around them is DER. The parser is not strict about tags
/// and lengths, and no signature covers them there.
fn unsigned_algorithm<'a>(der: &'a [u8], signed: &[u8], signature: &[u8]) -> Option<&'a [u8]> {
    let bits = [head(0x03, signature.len() + 1), vec![0], signature.to_vec()].concat();
    let heads = (2..=5).filter_map(|length| Some(head(0x30, der.len().checked_sub(length)?)));
    let head = heads.into_iter().find(|head| der.starts_with(head))?;
    der.strip_prefix(head.as_slice())?.strip_prefix(signed)?.strip_suffix(bits.as_slice())
}

/// The tag and length of a DER value.
fn head(tag: u8, length: usize) -> Vec<u8> {
    let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    match bytes.as_slice() {
        [] => vec![tag, 0],
        [one @ ..=0x7f] => vec![tag, *one],
        many => [&[tag, 0x80 | u8::try_from(many.len()).unwrap_or(0x7f)], many].concat(),
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>> {
    let (rest, parsed) = X509Certificate::from_der(der).map_err(|why| CryptoError::Certificate(why.to_string()))?;
    if rest.is_empty() { Ok(parsed) } else { Err(CryptoError::Certificate("bytes behind the certificate".into())) }
}

/// All certificates of a PEM text, which may hold other blocks too.
///
/// # Errors
/// [`CryptoError::Certificate`] if the text is not PEM or one of the certificates cannot be parsed, or beyond
/// [`MAX_PEM_BYTES`] and [`MAX_CERTIFICATES`].
pub fn certificates_from_pem(text: &str) -> Result<Vec<Certificate>> {
    check_size("a text with certificates", text.len(), MAX_PEM_BYTES)?;
    let blocks = pem_text::all(text).map_err(CryptoError::Certificate)?;
    let certificates: Vec<_> = blocks.iter().filter(|block| block.tag() == "CERTIFICATE").collect();
    if certificates.len() > MAX_CERTIFICATES {
        let why = format!("there are {} certificates; there may be {MAX_CERTIFICATES}", certificates.len());
        return Err(CryptoError::Certificate(why));
    }
    certificates.into_iter().map(|block| Certificate::from_der(block.contents())).collect()
}

fn check_size(what: &str, bytes: usize, most: usize) -> Result<()> {
    if bytes <= most {
        return Ok(());
    }
    Err(CryptoError::Certificate(format!("{what} has {bytes} bytes; there may be {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Curve, SigningKey, issue};

    #[test]
    fn d38_the_end_of_a_certificate_is_near_in_time_to_do_something() {
        let key = SigningKey::generate(Curve::P256).unwrap();
        let near = |days: u32| {
            let made = issue::self_signed(&key, "CN=x", &[], issue::Validity { from: 1_700_000_000, days }).unwrap();
            (made.not_after() - made.ends_soon_from()) / 3600
        };
        assert_eq!([near(365), near(90), near(30), near(1)], [30 * 24, 30 * 24 - 1, 10 * 24 - 1, 7]);
    }

    #[test]
    fn certificates_and_bundles_have_limits() {
        let refused = |text: &str| certificates_from_pem(text).unwrap_err().to_string();
        let key = SigningKey::generate(Curve::P256).unwrap();
        let one = issue::self_signed(&key, "CN=x", &[], issue::Validity { from: 0, days: 1 }).unwrap().to_pem();
        assert_eq!(certificates_from_pem(&one.repeat(MAX_CERTIFICATES)).unwrap().len(), MAX_CERTIFICATES);
        assert!(refused(&one.repeat(MAX_CERTIFICATES + 1)).contains("257 certificates; there may be 256"));
        assert!(refused(&" ".repeat(MAX_PEM_BYTES + 1)).contains("has 524289 bytes; there may be 524288"));
        let large = encode_pem(&pem::Pem::new("CERTIFICATE", vec![0x30; MAX_CERTIFICATE_BYTES + 1]));
        assert!(refused(&large).contains("a certificate has 65537 bytes; there may be 65536"));
    }

    #[test]
    fn a_certificate_is_written_in_one_way() {
        let key = SigningKey::generate(Curve::P384).unwrap();
        let validity = issue::Validity { from: 1_700_000_000, days: 2 };
        let made = issue::self_signed(&key, "CN=x", &[], validity).unwrap();
        made.verify_foreign(&made).unwrap();
        let refused =
            |der: &[u8]| Certificate::from_der(der).and_then(|changed| changed.verify_foreign(&made)).is_err();
        for at in 0..made.der().len() {
            for bit in 0..8 {
                let mut changed = made.der().to_vec();
                changed[at] ^= 1 << bit;
                assert!(refused(&changed), "byte {at}, bit {bit}");
            }
        }
        let [0x30, 0x82, rest @ ..] = made.der() else { panic!("a long sequence") };
        assert!(refused(&[&[0x30, 0x83, 0], rest].concat()), "a longer length");
    }

    #[test]
    fn heads_are_as_short_as_can_be() {
        let heads = [0, 0x7f, 0x80, 0xff, 0x100, 0x1_0000].map(|length| hex::encode(head(0x30, length)));
        assert_eq!(heads, ["3000", "307f", "308180", "3081ff", "30820100", "3083010000"]);
    }
}
