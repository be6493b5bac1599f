//! A maker of utility VMs that exists in these tests only.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use coset::{CoseSign1Builder, Header, HeaderBuilder, Label, TaggedCborSerializable as _, cbor::value::Value, iana};
use crypto::sha256;
use rcgen::{ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use super::forge::{Authority, authority, named};
use crate::{Check, Trail, uvm};

/// The extended key usage of whoever makes utility VMs.
pub(super) const USAGE: &str = "1.3.6.1.4.1.311.76.59.1.2";

/// A maker of utility VMs: signer, authority, root.
pub(super) struct Maker {
    pub(super) chain: Vec<Authority>,
    /// The headers of the next endorsement.
    pub(super) iss: Option<Value>,
    pub(super) feed: Option<Value>,
    pub(super) content_type: Option<&'static str>,
    pub(super) more: Vec<(Label, Value)>,
    pub(super) critical: bool,
    pub(super) payload: Vec<u8>,
}

impl Maker {
    pub(super) fn new() -> Self {
        Self::of(Authority::root("root", 1), authority("issuer", KeyUsagePurpose::KeyCertSign), signer())
    }

    pub(super) fn of(root: Authority, issuer: rcgen::CertificateParams, signer: rcgen::CertificateParams) -> Self {
        let issuer = root.issue(issuer);
        let signer = issuer.issue(signer);
        Self::with_chain(vec![signer, issuer, root])
    }

    pub(super) fn with_chain(chain: Vec<Authority>) -> Self {
        let mut maker = Self {
            chain,
            iss: None,
            feed: Some("feed".into()),
            content_type: Some("application/json"),
            more: Vec::new(),
            critical: false,
            payload: payload(&"ab".repeat(48), "7"),
        };
        maker.iss = Some(maker.did(maker.chain.len() - 1, &format!("::eku:{USAGE}")).into());
        maker
    }

    pub(super) fn did(&self, authority: usize, policies: &str) -> String {
        let fingerprint = URL_SAFE_NO_PAD.encode(sha256(self.chain[authority].certificate.der()));
        format!("did:x509:0:sha256:{fingerprint}{policies}")
    }

    pub(super) fn certificates(&self) -> Value {
        Value::Array(self.chain.iter().map(|one| Value::Bytes(one.certificate.der().to_vec())).collect())
    }

    pub(super) fn header(&self) -> Header {
        let mut header = HeaderBuilder::new().algorithm(iana::Algorithm::ES384).build();
        header.content_type = self.content_type.map(|text| coset::ContentType::Text(text.into()));
        if self.more.iter().all(|(label, _)| *label != Label::Int(33)) {
            header.rest.push((Label::Int(33), self.certificates()));
        }
        for (name, value) in [("iss", &self.iss), ("feed", &self.feed)] {
            header.rest.extend(value.clone().map(|value| (Label::Text(name.into()), value)));
        }
        header.rest.extend(self.more.clone());
        if self.critical {
            header.crit.push(coset::RegisteredLabelWithPrivate::Text("feed".into()));
        }
        header
    }

    pub(super) fn sign(&self) -> Vec<u8> {
        let key = &self.chain[0].key;
        let message = CoseSign1Builder::new()
            .protected(self.header())
            .payload(self.payload.clone())
            .create_signature(b"", |data| key.sign(data).unwrap())
            .build();
        message.to_tagged_vec().unwrap()
    }

    pub(super) fn verify(&self) -> Result<uvm::Endorsement, Check> {
        verify(&self.sign())
    }
}

/// The certificate of whoever signs.
pub(super) fn signer() -> rcgen::CertificateParams {
    let mut params = named("signer");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let usage: Vec<u64> = USAGE.split('.').map(|part| part.parse().unwrap()).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(usage)];
    params
}

pub(super) fn payload(measurement: &str, svn: &str) -> Vec<u8> {
    format!(r#"{{"x-ms-sevsnpvm-launchmeasurement":"{measurement}","x-ms-sevsnpvm-guestsvn":"{svn}"}}"#).into_bytes()
}

pub(super) fn verify(message: &[u8]) -> Result<uvm::Endorsement, Check> {
    uvm::verify(message, &mut Trail::new()).map_err(|rejection| rejection.check)
}

/// Why an endorsement is refused that says nothing.
pub(super) fn without_payload() -> crate::Rejection {
    let maker = Maker { payload: Vec::new(), ..Maker::new() };
    uvm::verify(&maker.sign(), &mut Trail::new()).unwrap_err()
}
