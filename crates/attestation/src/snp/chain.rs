use crypto::{Certificate, certificates_from_pem, sha256};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{Check, Rejection, Result};

use super::{Family, Report, extensions::Extensions};

/// Most bytes of a chain as PEM; genuine ones have less than 7 KiB.
const MOST_BYTES: usize = 32 * 1024;

/// Which key of a chip signs its reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipKey {
    /// *Versioned chip endorsement key*: the chip's own.
    Vcek,
    /// *Versioned loaded endorsement key*: one that AMD lent to a cloud provider.
    Vlek,
}

impl ChipKey {
    /// The name as AMD writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vcek => "VCEK",
            Self::Vlek => "VLEK",
        }
    }

    /// What a report's field for the signing key says.
    fn number(self) -> u32 {
        match self {
            Self::Vcek => 0,
            Self::Vlek => 1,
        }
    }

    /// The names of the certificate of the key, and of the intermediate that issues it.
    fn common_names(self, family: Family) -> (String, String) {
        match self {
            Self::Vcek => ("SEV-VCEK".to_owned(), format!("SEV-{family}")),
            Self::Vlek => ("SEV-VLEK".to_owned(), format!("SEV-VLEK-{family}")),
        }
    }
}

/// A chain that leads from the key of a chip to one of AMD's roots: every signature in it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    family: Family,
    key: ChipKey,
    chip: Certificate,
    extensions: Extensions,
}

impl Chain {
    /// Verifies a chain: three certificates in PEM, the chip's first and the root's last.
    ///
    /// # Errors
    /// The `chain.*` checks.
    pub fn verify(pem: &str) -> Result<Self> {
        let [chip, intermediate, root] = parse(pem)?;
        let family = pinned(&root)?;
        signed(Check::ChainRootSignature, &root, &root)?;
        signed(Check::ChainIntermediate, &intermediate, &root)?;
        signed(Check::ChainChip, &chip, &intermediate)?;
        let key = check_names(&chip, &intermediate, &root, family)?;
        let extensions = Extensions::read(chip.der(), family, key)?;
        let chain = Self { family, key, chip, extensions };
        chain.check_product()?;
        Ok(chain)
    }

    /// The family that the root is for.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// Which key of the chip the chain is for.
    #[must_use]
    pub fn key(&self) -> ChipKey {
        self.key
    }

    /// The certificate of that key.
    #[must_use]
    pub fn chip(&self) -> &Certificate {
        &self.chip
    }

    /// Checks that the chain is for the chip, its family, its firmware and the kind of key that a report names.
    ///
    /// # Errors
    /// [`Check::ChainFamily`], [`Check::ReportSigningKey`], [`Check::ChainChipId`], [`Check::ChainTcb`].
    pub(super) fn check_report(&self, report: &Report) -> Result<()> {
        self.check_family(report)?;
        let (wanted, found) = (self.key.number(), report.signing_key());
        Rejection::unless(wanted == found, Check::ReportSigningKey, format!("{wanted} ({})", self.key.name()), found)?;
        self.check_chip_id(report)?;
        let (certified, reported) = (self.extensions.tcb, report.reported_tcb(self.family));
        let fits = certified == reported && reported.is_reserved_zero();
        Rejection::unless(fits, Check::ChainTcb, certified, format!("{reported} ({})", reported.to_hex()))
    }

    fn check_family(&self, report: &Report) -> Result<()> {
        let found = match report.cpuid() {
            None => return Ok(()),
            Some((family, model)) => format!("CPUID family {family:#04x}, model {model:#04x}"),
        };
        Rejection::unless(report.family() == Some(self.family), Check::ChainFamily, self.family, found)
    }

    /// A VLEK is not bound to a chip.
    fn check_chip_id(&self, report: &Report) -> Result<()> {
        let Some(certified) = &self.extensions.chip_id else { return Ok(()) };
        let reported = report.chip_id();
        let (used, rest) = reported.split_at(self.family.chip_id_bytes());
        let fits = certified == used && rest.iter().all(|byte| *byte == 0);
        Rejection::unless(fits, Check::ChainChipId, hex::encode(certified), hex::encode(reported))
    }

    /// The product that the certificate names, such as `Milan-B0`, is one of the family.
    fn check_product(&self) -> Result<()> {
        let Some(product) = &self.extensions.product else { return Ok(()) };
        let name = product.split('-').next().unwrap_or_default();
        // Genoa's root is also that of its siblings.
        let siblings: &[&str] = if self.family == Family::Genoa { &["Bergamo", "Siena"] } else { &[] };
        let fits = name == self.family.name() || siblings.contains(&name);
        Rejection::unless(fits, Check::ChainFamily, self.family, product)
    }
}

fn parse(pem: &str) -> Result<[Certificate; 3]> {
    let format = |found: String| Rejection::new(Check::ChainFormat, "certificates in PEM, at most 32 KiB", found);
    if pem.len() > MOST_BYTES {
        return Err(format(format!("{} bytes", pem.len())));
    }
    let certificates = certificates_from_pem(pem.trim_end_matches('\0')).map_err(|why| format(why.to_string()))?;
    <[Certificate; 3]>::try_from(certificates).map_err(|found| Rejection::new(Check::ChainCount, 3, found.len()))
}

fn pinned(root: &Certificate) -> Result<Family> {
    let digest = hex::encode(sha256(root.spki_der()));
    let family = Family::ALL.into_iter().find(|family| family.root() == digest);
    family.ok_or_else(|| Rejection::new(Check::ChainRoot, "a root key of AMD's", digest))
}

fn signed(check: Check, certificate: &Certificate, issuer: &Certificate) -> Result<()> {
    let expected = || format!("a signature by {}", issuer.subject());
    certificate.verify_foreign(issuer).map_err(|why| Rejection::new(check, expected(), why))
}

fn check_names(chip: &Certificate, intermediate: &Certificate, root: &Certificate, family: Family) -> Result<ChipKey> {
    let key = [ChipKey::Vcek, ChipKey::Vlek].into_iter().find(|key| {
        let (own, issuer) = key.common_names(family);
        (common_name(chip), common_name(intermediate)) == (Some(own), Some(issuer))
    });
    let named = || [chip, intermediate, root].map(|one| common_name(one).unwrap_or_default()).join(", ");
    let expected = || format!("SEV-VCEK, SEV-{family}, ARK-{family}, of which only the first is no authority");
    let is_root = common_name(root) == Some(format!("ARK-{family}"));
    let authorities = is_authority(intermediate) && is_authority(root) && !is_authority(chip);
    key.filter(|_| is_root && authorities).ok_or_else(|| Rejection::new(Check::ChainNames, expected(), named()))
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate.der()).ok()?;
    let mut names = parsed.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}

fn is_authority(certificate: &Certificate) -> bool {
    X509Certificate::from_der(certificate.der()).is_ok_and(|(_, parsed)| parsed.is_ca())
}
