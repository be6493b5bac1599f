//! The subject of a certificate, to be written once more.

use rcgen::{DistinguishedName, DnType, DnValue};
use x509_parser::{asn1_rs::Tag, prelude::AttributeTypeAndValue};

use super::failed;
use crate::{Certificate, Result};

/// The subject, attribute by attribute.
pub(super) fn of_subject(certificate: &Certificate) -> Result<DistinguishedName> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).map_err(failed)?;
    let mut name = DistinguishedName::new();
    for attribute in parsed.subject().iter_attributes() {
        let number: Vec<u64> = attribute.attr_type().iter().into_iter().flatten().collect();
        name.push(DnType::from_oid(&number), value(attribute)?);
    }
    Ok(name)
}

/// The bytes of the subject, which is what issuers and subjects are matched by.
pub(super) fn raw_subject(certificate: &Certificate) -> Result<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).map_err(failed)?;
    Ok(parsed.subject().as_raw().to_vec())
}

fn value(attribute: &AttributeTypeAndValue<'_>) -> Result<DnValue> {
    let text = attribute.as_str().map_err(failed)?;
    match attribute.attr_value().tag() {
        Tag::PrintableString => text.try_into().map(DnValue::PrintableString).map_err(failed),
        Tag::Ia5String => text.try_into().map(DnValue::Ia5String).map_err(failed),
        _ => Ok(DnValue::Utf8String(text.to_owned())),
    }
}
