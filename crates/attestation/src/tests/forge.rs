//! A maker of processors that exists in these tests only: what AMD signs, signed by keys of our own. The verifier is asked
//! below the one check that keeps it out, that the root is AMD's.

use crypto::{Certificate, Curve, SigningKey};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::{
    Result, Trail,
    snp::{self, Chain, Family, Report},
};

/// What goes into a chain.
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) family: Family,
    pub(super) root: String,
    pub(super) intermediate: String,
    pub(super) chip: String,
    /// AMD's extensions of the chip's certificate: the last parts of their identifiers, and their values.
    pub(super) extensions: Vec<(Vec<u64>, Vec<u8>)>,
    /// Whether the chip's certificate is one of an authority.
    pub(super) chip_is_authority: bool,
    /// What the intermediate's key may be used for.
    pub(super) intermediate_usage: KeyUsagePurpose,
    /// Whether the intermediate is one of an authority.
    pub(super) intermediate_is_authority: bool,
    /// How many authorities the root allows below it.
    pub(super) root_allows: u8,
}

/// A chip with its certificates, and the key that signs its reports.
pub(super) struct Chip {
    pub(super) family: Family,
    pub(super) certificates: [Certificate; 3],
    pub(super) key: SigningKey,
}

impl Maker {
    /// As AMD does it for VCEKs; the chip is 0x11 repeated, its firmware the one of [`report`].
    pub(super) fn of(family: Family) -> Self {
        let integer = |value| vec![2, 1, value];
        let mut extensions = vec![
            (vec![2], ia5(family.name())),
            (vec![3, 1], integer(4)),
            (vec![3, 2], integer(0)),
            (vec![3, 3], integer(0x18)),
            (vec![3, 8], vec![2, 2, 0, 0xdb]),
            (vec![4], vec![0x11; family.chip_id_bytes()]),
        ];
        if family == Family::Turin {
            extensions.push((vec![3, 9], integer(1)));
        }
        Self {
            family,
            root: format!("ARK-{family}"),
            intermediate: format!("SEV-{family}"),
            chip: "SEV-VCEK".into(),
            extensions,
            chip_is_authority: false,
            intermediate_usage: KeyUsagePurpose::KeyCertSign,
            intermediate_is_authority: true,
            root_allows: 1,
        }
    }

    /// As AMD does it for VLEKs.
    pub(super) fn lending(family: Family) -> Self {
        let mut maker = Self::of(family);
        maker.chip = "SEV-VLEK".into();
        maker.intermediate = format!("SEV-VLEK-{family}");
        maker.extensions.retain(|(arc, _)| arc != &[4]);
        maker.extensions.push((vec![5], ia5("CN=provider")));
        maker
    }

    /// Replaces the value of an extension, or takes it away.
    pub(super) fn with(mut self, arc: &[u64], value: Option<&[u8]>) -> Self {
        self.extensions.retain(|(one, _)| one != arc);
        self.extensions.extend(value.map(|value| (arc.to_vec(), value.to_vec())));
        self
    }

    /// Root, intermediate and chip.
    pub(super) fn authorities(&self) -> (Authority, Authority, Authority) {
        let root = Authority::root(&self.root, self.root_allows);
        let mut params = authority(&self.intermediate, self.intermediate_usage);
        if !self.intermediate_is_authority {
            params.is_ca = IsCa::ExplicitNoCa;
        }
        let intermediate = root.issue(params);
        let mut params = named(&self.chip);
        if self.chip_is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        for (arc, value) in &self.extensions {
            let oid = [&[1, 3, 6, 1, 4, 1, 3704, 1], &arc[..]].concat();
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, value.clone()));
        }
        let chip = intermediate.issue(params);
        (root, intermediate, chip)
    }

    pub(super) fn make(&self) -> Chip {
        let (root, intermediate, chip) = self.authorities();
        let certificates = [chip.certificate, intermediate.certificate, root.certificate];
        Chip { family: self.family, certificates, key: chip.key }
    }
}

impl Chip {
    /// The chain, verified but for its root's name.
    pub(super) fn chain(&self, trail: &mut Trail) -> Result<Chain> {
        Chain::below(self.certificates.clone(), self.family, trail)
    }

    /// Signs a report.
    pub(super) fn sign(&self, report: &mut [u8; snp::SIZE]) {
        let signature = self.key.sign(&report[..0x2a0]).unwrap();
        for (at, number) in [(0x2a0, &signature[..48]), (0x2a0 + 72, &signature[48..])] {
            report[at..at + 48].copy_from_slice(number);
            report[at..at + 48].reverse();
        }
    }

    /// Verifies a report of this chip, after signing it.
    pub(super) fn verify(&self, report: &mut [u8; snp::SIZE]) -> Result<snp::Verified> {
        self.sign(report);
        let mut trail = Trail::new();
        let report = Report::parse(report, &mut trail)?;
        snp::conclude(report, self.chain(&mut trail)?, None, &mut trail)
    }
}

/// A report that fits [`Maker::of`] this family.
pub(super) fn report(family: Family) -> [u8; snp::SIZE] {
    let mut report = [0; snp::SIZE];
    report[0] = 3;
    report[0x08..0x0b].copy_from_slice(&[0x1f, 0, 3]);
    report[0x34] = 1;
    let (tcb, model): (_, [u8; 2]) = match family {
        Family::Milan => ([4, 0, 0, 0, 0, 0, 0x18, 0xdb], [0x19, 0x01]),
        Family::Genoa => ([4, 0, 0, 0, 0, 0, 0x18, 0xdb], [0x19, 0xa0]),
        Family::Turin => ([1, 4, 0, 0x18, 0, 0, 0, 0xdb], [0x1a, 0x02]),
    };
    report[0x180..0x188].copy_from_slice(&tcb);
    report[0x188..0x18a].copy_from_slice(&model);
    report[0x1a0..0x1a0 + family.chip_id_bytes()].fill(0x11);
    report
}

/// A certificate with its key.
pub(super) struct Authority {
    pub(super) certificate: Certificate,
    pub(super) key: SigningKey,
    params: CertificateParams,
}

impl Authority {
    pub(super) fn root(name: &str, allows: u8) -> Self {
        let mut params = authority(name, KeyUsagePurpose::KeyCertSign);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(allows));
        Self::self_signed(params)
    }

    pub(super) fn self_signed(params: CertificateParams) -> Self {
        let (key, pair) = keys();
        let certificate = Certificate::from_der(params.self_signed(&pair).unwrap().der()).unwrap();
        Self { certificate, key, params }
    }

    /// What its certificate was made of.
    pub(super) fn params(&self) -> &CertificateParams {
        &self.params
    }

    pub(super) fn issue(&self, params: CertificateParams) -> Self {
        let (key, pair) = keys();
        let issuer = Issuer::from_params(&self.params, pair_of(&self.key));
        let certificate = Certificate::from_der(params.signed_by(&pair, &issuer).unwrap().der()).unwrap();
        Self { certificate, key, params }
    }
}

pub(super) fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(super) fn authority(name: &str, usage: KeyUsagePurpose) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![usage];
    params
}

fn keys() -> (SigningKey, KeyPair) {
    let key = SigningKey::generate(Curve::P384).unwrap();
    let pair = pair_of(&key);
    (key, pair)
}

fn pair_of(key: &SigningKey) -> KeyPair {
    let der = key.to_pkcs8_der().unwrap();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &rcgen::PKCS_ECDSA_P384_SHA384).unwrap()
}

fn ia5(text: &str) -> Vec<u8> {
    [&[0x16, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}
