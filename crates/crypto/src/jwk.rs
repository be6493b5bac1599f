//! Public keys as the parts that a JSON Web Key (RFC 7517) holds. The JSON itself is made elsewhere.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::RsaPublicKeyComponents,
};
use x509_parser::{prelude::FromDer, public_key::PublicKey as Parsed, x509::SubjectPublicKeyInfo};

use crate::{CryptoError, Curve, PublicKey, Result, certificate::encode_pem, pem_text};

/// The largest RSA modulus that is converted, in bytes.
const RSA_BYTES: usize = 2048;
/// SubjectPublicKeyInfo (RFC 8410) up to the 32 bytes of the key.
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const X25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];

/// A public key, in parts. Numbers are big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyParts {
    /// `kty` EC (RFC 7518, section 6.2): coordinates of the full length of the curve.
    Ec {
        /// `crv`
        curve: Curve,
        /// `x`
        x: Vec<u8>,
        /// `y`
        y: Vec<u8>,
    },
    /// `kty` RSA (RFC 7518, section 6.3): numbers without leading zeros.
    Rsa {
        /// `n`
        n: Vec<u8>,
        /// `e`
        e: Vec<u8>,
    },
    /// `kty` OKP (RFC 8037).
    Okp {
        /// `crv`
        curve: OkpCurve,
        /// `x`
        x: [u8; 32],
    },
}

/// The curves of RFC 8037 that have keys of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OkpCurve {
    /// For signatures.
    Ed25519,
    /// For key agreement.
    X25519,
}

impl KeyParts {
    /// The parts of a PEM key (`PUBLIC KEY`).
    ///
    /// # Errors
    /// [`CryptoError::Key`] for another kind of key than those above.
    pub fn from_pem(text: &str) -> Result<Self> {
        let block = pem_text::first(text).map_err(refused)?;
        match block.tag() {
            "PUBLIC KEY" => Self::from_spki_der(block.contents()),
            tag => Err(refused(format!("PEM block is a {tag:?}"))),
        }
    }

    /// The parts of a key in SubjectPublicKeyInfo DER.
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        for curve in [OkpCurve::Ed25519, OkpCurve::X25519] {
            let key = der.strip_prefix(curve.prefix()).and_then(|key| <[u8; 32]>::try_from(key).ok());
            if let Some(x) = key {
                return Ok(Self::Okp { curve, x });
            }
        }
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(refused)?;
        if !rest.is_empty() {
            return Err(refused("bytes behind the key"));
        }
        match info.parsed() {
            Ok(Parsed::RSA(key)) => Ok(Self::Rsa { n: number(key.modulus), e: number(key.exponent) }),
            _ => Self::of_ec(&PublicKey::from_spki_der(der)?),
        }
    }

    fn of_ec(key: &PublicKey) -> Result<Self> {
        key.check_point()?;
        let coordinates = key.point().get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        Ok(Self::Ec { curve: key.curve(), x: x.to_vec(), y: y.to_vec() })
    }

    /// SubjectPublicKeyInfo DER.
    ///
    /// # Errors
    /// [`CryptoError::Key`] for parts of the wrong length, or that are no key.
    pub fn to_spki_der(&self) -> Result<Vec<u8>> {
        match self {
            Self::Ec { curve, x, y } => PublicKey::from_coordinates(*curve, x, y).map(|key| key.spki_der().to_vec()),
            Self::Rsa { n, e } => rsa(&number(n), &number(e)),
            Self::Okp { curve, x } => Ok([curve.prefix(), x].concat()),
        }
    }

    /// The key as PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// As [`Self::to_spki_der`].
    pub fn to_pem(&self) -> Result<String> {
        Ok(encode_pem(&pem::Pem::new("PUBLIC KEY", self.to_spki_der()?)))
    }
}

impl OkpCurve {
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &ED25519_PREFIX,
            Self::X25519 => &X25519_PREFIX,
        }
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Result<Vec<u8>> {
    if n.is_empty() || e.is_empty() || n.len() > RSA_BYTES || e.len() > n.len() {
        return Err(refused(format!("an RSA key has a modulus of 1 to {RSA_BYTES} bytes and a shorter exponent")));
    }
    let der: std::result::Result<PublicKeyX509Der<'_>, _> = RsaPublicKeyComponents { n, e }.as_der();
    der.map(|der| der.as_ref().to_vec()).map_err(|_| refused("not an RSA key"))
}

/// A big-endian number without leading zeros.
fn number(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn refused(why: impl ToString) -> CryptoError {
    CryptoError::key("public key", why.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SigningKey, wrap::generate_rsa_pair};

    #[test]
    fn every_kind_of_key_comes_back() {
        let rsa = generate_rsa_pair().unwrap().0;
        let curves = [Curve::P256, Curve::P384, Curve::P521];
        let ec = curves.map(|curve| SigningKey::generate(curve).unwrap().public().to_pem());
        // RFC 8410, section 10.1
        let ed = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        for pem in ec.into_iter().chain([rsa, ed.to_owned(), ed.replace("K2Vw", "K2Vu")]) {
            assert_eq!(KeyParts::from_pem(&pem).unwrap().to_pem().unwrap(), pem);
        }
    }

    #[test]
    fn parts_that_are_no_key_are_refused() {
        let (x, y) = (vec![1; 32], vec![2; 32]);
        for parts in [
            KeyParts::Ec { curve: Curve::P256, x: x.clone(), y: y.clone() },
            KeyParts::Ec { curve: Curve::P384, x: x.clone(), y: y.clone() },
            KeyParts::Ec { curve: Curve::P256, x: vec![1; 31], y: vec![1; 33] },
            KeyParts::Rsa { n: Vec::new(), e: vec![3] },
            KeyParts::Rsa { n: vec![0; 256], e: vec![3] },
            KeyParts::Rsa { n: vec![0xff; RSA_BYTES + 1], e: vec![3] },
            KeyParts::Rsa { n: vec![0xff; 256], e: vec![0] },
        ] {
            assert!(matches!(parts.to_pem(), Err(CryptoError::Key { .. })), "{parts:?}");
        }
        for text in ["", "no", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"] {
            assert!(KeyParts::from_pem(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_key_or_an_error(der: Vec<u8>, n: Vec<u8>, e: Vec<u8>) {
            let _ = KeyParts::from_spki_der(&der);
            if let Ok(der) = (KeyParts::Rsa { n: n.clone(), e: e.clone() }).to_spki_der() {
                prop_assert_eq!(KeyParts::from_spki_der(&der).unwrap(), KeyParts::Rsa { n: number(&n), e: number(&e) });
            }
        }
    }
}
