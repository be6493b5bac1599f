use crypto::{Certificate, certificates_from_pem, sha256};

use crate::{Check, Rejection, Result, Trail, issuing};

use super::{Family, Report, extensions::Extensions};

/// Most bytes of a chain as PEM; genuine ones have less than 7 KiB.
const MOST_BYTES: usize = 32 * 1024;

/// The checks of a chain on its own, behind those of its form, in order.
pub(super) const CHECKS: [Check; 7] = [
    Check::ChainRoot,
    Check::ChainRootSignature,
    Check::ChainIntermediate,
    Check::ChainChip,
    Check::ChainNames,
    Check::ChainExtensions,
    Check::ChainProduct,
];

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
    pub(super) fn number(self) -> u32 {
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
    pub fn verify(pem: &str, trail: &mut Trail) -> Result<Self> {
        Self::of(parse(pem, trail)?, trail)
    }

    /// Verifies a chain up to one of AMD's roots.
    pub(super) fn of(certificates: [Certificate; 3], trail: &mut Trail) -> Result<Self> {
        let [.., root] = &certificates;
        let family = trail.note(Check::ChainRoot, pinned(root))?;
        Self::below(certificates, family, trail)
    }

    /// Verifies a chain below its root, of which somebody else has said that it is the family's.
    pub(crate) fn below(
        [chip, intermediate, root]: [Certificate; 3],
        family: Family,
        trail: &mut Trail,
    ) -> Result<Self> {
        signed(Check::ChainRootSignature, &root, &root, trail)?;
        signed(Check::ChainIntermediate, &intermediate, &root, trail)?;
        signed(Check::ChainChip, &chip, &intermediate, trail)?;
        let key = trail.note(Check::ChainNames, check_names(&chip, &intermediate, &root, family))?;
        let extensions = trail.note(Check::ChainExtensions, Extensions::read(&chip, family, key))?;
        let product = &extensions.product;
        trail.require(Check::ChainProduct, family.makes(product), family, product)?;
        Ok(Self { family, key, chip, extensions })
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

    /// The product that the certificate names, such as `Milan-B0` or `Genoa`.
    #[must_use]
    pub fn product(&self) -> &str {
        &self.extensions.product
    }

    /// The cloud provider to whom AMD lent the key, for a VLEK.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.extensions.provider.as_deref()
    }

    /// Checks that the chain is for the chip, its family, its firmware and the kind of key that a report names.
    ///
    /// # Errors
    /// [`Check::ChainFamily`], [`Check::ReportSigningKey`], [`Check::ChainChipId`], [`Check::ChainTcb`].
    pub(super) fn check_report(&self, report: &Report, trail: &mut Trail) -> Result<()> {
        trail.note(Check::ChainFamily, self.check_family(report))?;
        trail.note(Check::ReportSigningKey, self.check_key(report))?;
        trail.note(Check::ChainChipId, self.check_chip_id(report))?;
        let (certified, reported) = (self.extensions.tcb, report.reported_tcb(self.family));
        let fits = certified == reported && reported.is_reserved_zero();
        trail.require(Check::ChainTcb, fits, certified, format!("{reported} ({})", reported.to_hex()))
    }

    fn check_family(&self, report: &Report) -> Result<()> {
        let found = match report.cpuid() {
            None => return Ok(()),
            Some((family, model)) => format!("CPUID family {family:#04x}, model {model:#04x}"),
        };
        Rejection::unless(report.family() == Some(self.family), Check::ChainFamily, self.family, found)
    }

    fn check_key(&self, report: &Report) -> Result<()> {
        let (wanted, found) = (self.key.number(), report.signing_key());
        let name = match found {
            0 => "VCEK",
            1 => "VLEK",
            7 => "none: the host has switched signatures off",
            _ => "reserved",
        };
        let expected = format!("{wanted} ({})", self.key.name());
        Rejection::unless(wanted == found, Check::ReportSigningKey, expected, format!("{found} ({name})"))
    }

    /// A VLEK is not bound to a chip.
    fn check_chip_id(&self, report: &Report) -> Result<()> {
        let Some(certified) = &self.extensions.chip_id else { return Ok(()) };
        let reported = report.chip_id();
        let (used, rest) = reported.split_at(self.family.chip_id_bytes());
        let fits = certified == used && rest.iter().all(|byte| *byte == 0);
        let hidden = if reported == [0; 64] { "zeros, since the host hides it: " } else { "" };
        let found = format!("{hidden}{}", hex::encode(reported));
        Rejection::unless(fits, Check::ChainChipId, hex::encode(certified), found)
    }
}

/// The certificates of a chain in PEM, and nothing between them.
pub(super) fn parse(pem: &str, trail: &mut Trail) -> Result<[Certificate; 3]> {
    let certificates = trail.note(Check::ChainFormat, certificates(pem))?;
    let three = <[Certificate; 3]>::try_from(certificates);
    trail.note(Check::ChainCount, three.map_err(|found| Rejection::new(Check::ChainCount, 3, found.len())))
}

fn certificates(pem: &str) -> Result<Vec<Certificate>> {
    let format = |found: String| Rejection::new(Check::ChainFormat, "certificates in PEM, at most 32 KiB", found);
    if pem.len() > MOST_BYTES {
        return Err(format(format!("{} bytes", pem.len())));
    }
    let pem = pem.trim_end_matches('\0');
    if let Some(line) = first_other_line(pem) {
        return Err(format(format!("the line {line:?}")));
    }
    certificates_from_pem(pem).map_err(|why| format(why.to_string()))
}

/// The first line that belongs to no certificate.
fn first_other_line(pem: &str) -> Option<&str> {
    let mut inside = false;
    pem.lines().map(str::trim).find(|line| match (*line, inside) {
        ("-----BEGIN CERTIFICATE-----", false) | ("-----END CERTIFICATE-----", true) => {
            inside = !inside;
            false
        }
        ("", false) => false,
        (line, inside) => !(inside && line.bytes().all(is_base64)),
    })
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn pinned(root: &Certificate) -> Result<Family> {
    let digest = hex::encode(sha256(root.spki_der()));
    let family = Family::ALL.into_iter().find(|family| family.root() == digest);
    family.ok_or_else(|| Rejection::new(Check::ChainRoot, "a root key of AMD's", digest))
}

fn signed(check: Check, certificate: &Certificate, issuer: &Certificate, trail: &mut Trail) -> Result<()> {
    let expected = || format!("a signature by {}", issuer.subject());
    trail.note(check, certificate.verify_foreign(issuer).map_err(|why| Rejection::new(check, expected(), why)))
}

fn check_names(chip: &Certificate, intermediate: &Certificate, root: &Certificate, family: Family) -> Result<ChipKey> {
    let expected = || format!("SEV-VCEK below SEV-{family}, or SEV-VLEK below SEV-VLEK-{family}, and ARK-{family}");
    let odd = |found: String| Rejection::new(Check::ChainNames, expected(), found);
    let names = [chip, intermediate, root].map(|one| common_name(one).unwrap_or_default());
    let key = [ChipKey::Vcek, ChipKey::Vlek].into_iter().find(|key| {
        let (own, issuer) = key.common_names(family);
        names == [own, issuer, format!("ARK-{family}")]
    });
    let key = key.ok_or_else(|| odd(names.join(", ")))?;
    if issuing::is_authority(chip) {
        return Err(odd("a certificate of a chip that is an authority".into()));
    }
    for (certificate, issuer, between) in [(chip, intermediate, 0), (intermediate, root, 1), (root, root, 1)] {
        issuing::check_allowed(certificate, issuer, between)
            .map_err(|why| odd(format!("{}: {why}", certificate.subject())))?;
    }
    Ok(key)
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let parsed = issuing::parse(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}
