use crypto::{Digest, sha256};

use crate::{
    Check, Rejection, Result, Trail,
    bytes::{array, is_zero, u32_at, u64_at},
};

use super::{Family, GuestPolicy, Tcb};

/// Bytes of a report.
pub const SIZE: usize = 1184;

/// Versions of the format that are read.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=5;

/// Bytes of a report that are signed; the signature follows them.
pub(super) const SIGNED: usize = 0x2a0;

/// A report as its processor made it (AMD 56860, "ATTESTATION_REPORT"). Parsing proves nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    bytes: Box<[u8; SIZE]>,
}

/// A field of fixed size at a fixed place.
macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $name:ident: $bytes:literal at $at:literal,)+) => {
        $($(#[doc = $doc])+
        #[must_use]
        pub fn $name(&self) -> [u8; $bytes] {
            array(&*self.bytes, $at)
        })+
    };
}

impl Report {
    /// Reads a report. `trail` gets the checks that were passed, also when a later one fails.
    ///
    /// # Errors
    /// [`Check::ReportSize`], [`Check::ReportVersion`], [`Check::ReportReserved`].
    pub fn parse(bytes: &[u8], trail: &mut Trail) -> Result<Self> {
        let array = bytes.try_into().map_err(|_| Rejection::new(Check::ReportSize, SIZE, bytes.len()));
        let report = Self { bytes: Box::new(trail.note(Check::ReportSize, array)?) };
        let version = report.version();
        trail.require(Check::ReportVersion, VERSIONS.contains(&version), "2, 3, 4 or 5", version)?;
        trail.note(Check::ReportReserved, report.check_reserved())?;
        Ok(report)
    }

    /// The version of the format: 3 adds the processor's model, 5 the vectors of mitigations.
    #[must_use]
    pub fn version(&self) -> u32 {
        u32_at(&*self.bytes, 0)
    }

    /// The security version that the guest's owner gave it.
    #[must_use]
    pub fn guest_svn(&self) -> u32 {
        u32_at(&*self.bytes, 0x04)
    }

    /// What the host may do.
    #[must_use]
    pub fn policy(&self) -> GuestPolicy {
        GuestPolicy(u64_at(&*self.bytes, 0x08))
    }

    /// The privilege level of who asked for the report; above 3 if it was the host.
    #[must_use]
    pub fn vmpl(&self) -> u32 {
        u32_at(&*self.bytes, 0x30)
    }

    /// The signature algorithm; 1 is ECDSA on P-384 with SHA-384.
    #[must_use]
    pub fn signature_algorithm(&self) -> u32 {
        u32_at(&*self.bytes, 0x34)
    }

    /// Properties of the platform, as bits: multithreading, memory encryption, and so on.
    #[must_use]
    pub fn platform_info(&self) -> u64 {
        u64_at(&*self.bytes, 0x40)
    }

    /// Which kind of key signed: 0 VCEK, 1 VLEK, 7 none.
    #[must_use]
    pub fn signing_key(&self) -> u32 {
        u32_at(&*self.bytes, 0x48) >> 2 & 7
    }

    fields! {
        /// The family of guests, as its owner named it.
        family_id: 16 at 0x10,
        /// The image of the guest, as its owner named it.
        image_id: 16 at 0x20,
        /// What the guest asked to be signed.
        report_data: 64 at 0x50,
        /// SHA-384 over the guest's memory as it was launched.
        measurement: 48 at 0x90,
        /// What the host gave at launch; with Azure's containers, SHA-256 of the container policy.
        host_data: 32 at 0xc0,
        /// SHA-384 of the key that signed the identity block.
        id_key_digest: 48 at 0xe0,
        /// SHA-384 of the key that certified that key.
        author_key_digest: 48 at 0x110,
        /// The identifier of this guest, new at each launch.
        report_id: 32 at 0x140,
        /// The identifier of its migration agent; all ones if there is none.
        report_id_ma: 32 at 0x160,
        /// The chip, or zeros if the host hides it.
        chip_id: 64 at 0x1a0,
    }

    /// CPUID family and model, with their extended parts; from version 3 on.
    #[must_use]
    pub fn cpuid(&self) -> Option<(u8, u8)> {
        let [family, model] = array(&*self.bytes, 0x188);
        (self.version() >= 3).then_some((family, model))
    }

    /// The family of processors, as far as the report says it.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        self.cpuid().and_then(|(family, model)| Family::of_cpuid(family, model))
    }

    /// The firmware versions that the key of the signature was derived with.
    #[must_use]
    pub fn reported_tcb(&self, family: Family) -> Tcb {
        Tcb::new(family, array(&*self.bytes, 0x180))
    }

    /// The firmware versions that run.
    #[must_use]
    pub fn current_tcb(&self, family: Family) -> Tcb {
        Tcb::new(family, array(&*self.bytes, 0x38))
    }

    /// The firmware versions that cannot be gone back behind.
    #[must_use]
    pub fn committed_tcb(&self, family: Family) -> Tcb {
        Tcb::new(family, array(&*self.bytes, 0x1e0))
    }

    /// The firmware versions at the launch of the guest.
    #[must_use]
    pub fn launch_tcb(&self, family: Family) -> Tcb {
        Tcb::new(family, array(&*self.bytes, 0x1f0))
    }

    /// r and s of the signature, big-endian, if both are in their range of 48 bytes.
    #[must_use]
    pub fn signature(&self) -> Option<([u8; 48], [u8; 48])> {
        Some((self.number(SIGNED)?, self.number(SIGNED + 72)?))
    }

    /// A number of 72 bytes, little-endian, of which 48 are used.
    fn number(&self, at: usize) -> Option<[u8; 48]> {
        let mut number: [u8; 48] = array(&*self.bytes, at);
        number.reverse();
        is_zero(&*self.bytes, at + 48..at + 72).then_some(number)
    }

    /// SHA-256 over the bytes that are signed.
    #[must_use]
    pub fn statement(&self) -> Digest {
        sha256(self.signed())
    }

    /// The bytes that are signed.
    pub(super) fn signed(&self) -> &[u8] {
        self.bytes.get(..SIGNED).unwrap_or_default()
    }

    fn check_reserved(&self) -> Result<()> {
        let bytes = &*self.bytes;
        let key_info = u32_at(bytes, 0x48);
        let from_version = |version, range| self.version() >= version || is_zero(bytes, range);
        let places = [
            ("policy", self.policy().is_well_formed()),
            ("key information", key_info >> 5 == 0 && is_zero(bytes, 0x4c..0x50)),
            ("processor model", from_version(3, 0x188..0x18b) && is_zero(bytes, 0x18b..0x1a0)),
            ("firmware build", bytes.get(0x1eb) == Some(&0) && bytes.get(0x1ef) == Some(&0)),
            ("vectors of mitigations", from_version(5, 0x1f8..0x208)),
            ("bytes before the signature", is_zero(bytes, 0x208..SIGNED)),
            ("bytes behind the signature", is_zero(bytes, SIGNED + 144..SIZE)),
        ];
        let odd = places.iter().find(|(_, holds)| !holds);
        odd.map_or(Ok(()), |(place, _)| {
            Err(Rejection::new(
                Check::ReportReserved,
                "reserved bits as AMD defines them",
                format!("others in {place}"),
            ))
        })
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report")
            .field("version", &self.version())
            .field("measurement", &hex::encode(self.measurement()))
            .field("host_data", &hex::encode(self.host_data()))
            .finish_non_exhaustive()
    }
}
