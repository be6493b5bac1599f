//! What AMD says about a chip in extensions of its certificate (AMD 57230, section 3).

use crypto::Certificate;
use x509_parser::{
    certificate::X509Certificate,
    der_parser::{asn1_rs::Integer, ber::BerObjectContent, der},
    prelude::FromDer,
};

use crate::{Check, Rejection, Result, issuing};

use super::{Family, Tcb, chain::ChipKey};

/// The arc of AMD's extensions for SEV.
const ARC: &str = "1.3.6.1.4.1.3704.1.";

/// The extensions of a chip's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extensions {
    /// The name of the product, such as `Milan-B0`.
    pub(super) product: String,
    /// The chip; in VCEKs only.
    pub(super) chip_id: Option<Vec<u8>>,
    /// The cloud provider; in VLEKs only.
    pub(super) provider: Option<String>,
    /// The firmware that the key was derived with.
    pub(super) tcb: Tcb,
}

impl Extensions {
    /// Reads the extensions of a certificate of a processor of `family`.
    pub(super) fn read(certificate: &Certificate, family: Family, key: ChipKey) -> Result<Self> {
        let certificate = issuing::parse(certificate).map_err(|why| odd("certificate", &why))?;
        let (chip_id, provider) = match key {
            ChipKey::Vcek => (Some(value(&certificate, "chip identifier", "4")?.to_vec()), None),
            ChipKey::Vlek => (None, Some(text(&certificate, "name of a cloud provider", "5")?)),
        };
        let product = text(&certificate, "product name", "2")?;
        Ok(Self { product, chip_id, provider, tcb: tcb(&certificate, family)? })
    }
}

fn tcb(certificate: &X509Certificate<'_>, family: Family) -> Result<Tcb> {
    let level = |name, arc: &str| version(certificate, name, arc);
    let (loader, tee) = (level("boot loader", "3.1")?, level("TEE", "3.2")?);
    let (snp, microcode) = (level("SNP", "3.3")?, level("microcode", "3.8")?);
    let bytes = match family {
        Family::Turin => [level("FMC", "3.9")?, loader, tee, snp, 0, 0, 0, microcode],
        _ => [loader, tee, 0, 0, 0, 0, snp, microcode],
    };
    Ok(Tcb::new(family, bytes))
}

/// The raw value of an extension, which must be there once.
fn value<'a>(certificate: &'a X509Certificate<'_>, name: &str, arc: &str) -> Result<&'a [u8]> {
    let oid = format!("{ARC}{arc}");
    let mut found = certificate.extensions().iter().filter(|extension| extension.oid.to_id_string() == oid);
    match (found.next(), found.next()) {
        (Some(extension), None) => Ok(extension.value),
        (None, _) => Err(odd(name, "none")),
        _ => Err(odd(name, "two")),
    }
}

/// A version: an INTEGER from 0 to 255.
fn version(certificate: &X509Certificate<'_>, name: &str, arc: &str) -> Result<u8> {
    let raw = value(certificate, name, arc)?;
    let number = || {
        let (rest, number) = Integer::from_der(raw).ok()?;
        number.as_u8().ok().filter(|_| rest.is_empty())
    };
    number().ok_or_else(|| odd(name, &hex::encode(raw)))
}

/// A name: an IA5String.
fn text(certificate: &X509Certificate<'_>, name: &str, arc: &str) -> Result<String> {
    let raw = value(certificate, name, arc)?;
    let text = || {
        let (rest, object) = der::parse_der(raw).ok()?;
        match object.content {
            BerObjectContent::IA5String(text) if rest.is_empty() => Some(text.to_owned()),
            _ => None,
        }
    };
    text().ok_or_else(|| odd(name, &hex::encode(raw)))
}

fn odd(name: &str, found: &str) -> Rejection {
    Rejection::new(Check::ChainExtensions, format!("one well-formed {name}"), found)
}
