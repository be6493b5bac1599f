use std::fmt;

use super::Family;

/// Versions of the firmware below a guest, its *trusted computing base*, as eight bytes whose layout depends on the
/// family (AMD 56860, "TCB_VERSION").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcb {
    family: Family,
    bytes: [u8; 8],
}

impl Tcb {
    /// The versions in the eight bytes of a report.
    #[must_use]
    pub fn new(family: Family, bytes: [u8; 8]) -> Self {
        Self { family, bytes }
    }

    /// From 16 hexadecimal digits, the most significant byte first, as AMD's key service and Azure write it.
    #[must_use]
    pub fn from_hex(family: Family, text: &str) -> Option<Self> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        bytes.reverse();
        Some(Self { family, bytes })
    }

    /// As [`Self::from_hex`] reads it.
    #[must_use]
    pub fn to_hex(self) -> String {
        let mut bytes = self.bytes;
        bytes.reverse();
        hex::encode(bytes)
    }

    /// Firmware of the controller that loads the others; on Turin and later only.
    #[must_use]
    pub fn fmc(self) -> Option<u8> {
        match (self.family, self.bytes) {
            (Family::Turin, [fmc, ..]) => Some(fmc),
            _ => None,
        }
    }

    /// The boot loader of the security processor.
    #[must_use]
    pub fn boot_loader(self) -> u8 {
        match (self.family, self.bytes) {
            (Family::Turin, [_, loader, ..]) | (_, [loader, ..]) => loader,
        }
    }

    /// The operating system of the security processor.
    #[must_use]
    pub fn tee(self) -> u8 {
        match (self.family, self.bytes) {
            (Family::Turin, [_, _, tee, ..]) | (_, [_, tee, ..]) => tee,
        }
    }

    /// The firmware of SEV-SNP.
    #[must_use]
    pub fn snp(self) -> u8 {
        match (self.family, self.bytes) {
            (Family::Turin, [_, _, _, snp, ..]) | (_, [.., snp, _]) => snp,
        }
    }

    /// The lowest patch level of the microcode of all cores.
    #[must_use]
    pub fn microcode(self) -> u8 {
        let [.., microcode] = self.bytes;
        microcode
    }

    /// Whether no component is older than in `minimum`, which must be of the same family.
    #[must_use]
    pub fn is_at_least(self, minimum: Self) -> bool {
        self.family == minimum.family
            && self.components().iter().zip(minimum.components()).all(|((_, own), (_, least))| *own >= least)
    }

    /// The components with their names, in a fixed order.
    #[must_use]
    pub fn components(self) -> [(&'static str, u8); 5] {
        [
            ("fmc", self.fmc().unwrap_or_default()),
            ("boot_loader", self.boot_loader()),
            ("tee", self.tee()),
            ("snp", self.snp()),
            ("microcode", self.microcode()),
        ]
    }

    /// Whether the bytes that have no meaning in this family are zero.
    pub(super) fn is_reserved_zero(self) -> bool {
        match (self.family, self.bytes) {
            (Family::Turin, [_, _, _, _, a, b, c, _]) => [a, b, c] == [0; 3],
            (_, [_, _, a, b, c, d, _, _]) => [a, b, c, d] == [0; 4],
        }
    }
}

/// `boot_loader 4, tee 0, snp 24, microcode 219`, on Turin with `fmc` before.
impl fmt::Display for Tcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fmc) = self.fmc() {
            write!(f, "fmc {fmc}, ")?;
        }
        let (loader, tee, snp, microcode) = (self.boot_loader(), self.tee(), self.snp(), self.microcode());
        write!(f, "boot_loader {loader}, tee {tee}, snp {snp}, microcode {microcode}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layout_depends_on_the_family() {
        let text = |family| Tcb::from_hex(family, "db18000000000004").unwrap().to_string();
        assert_eq!(text(Family::Milan), "boot_loader 4, tee 0, snp 24, microcode 219");
        assert_eq!(text(Family::Genoa), text(Family::Milan));
        assert_eq!(text(Family::Turin), "fmc 4, boot_loader 0, tee 0, snp 0, microcode 219");
        let turin = Tcb::new(Family::Turin, [1, 2, 3, 4, 0, 0, 0, 5]);
        assert_eq!(turin.to_string(), "fmc 1, boot_loader 2, tee 3, snp 4, microcode 5");
        assert!(turin.is_reserved_zero() && !Tcb::new(Family::Milan, [1, 2, 3, 4, 0, 0, 0, 5]).is_reserved_zero());
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "db1800000000000", "db180000000000040", "zb18000000000004", "+b18000000000004"] {
            assert_eq!(Tcb::from_hex(Family::Milan, text), None, "{text:?}");
        }
    }

    #[test]
    fn another_family_is_never_enough() {
        let tcb = |family| Tcb::new(family, [9; 8]);
        assert!(!tcb(Family::Turin).is_at_least(Tcb::new(Family::Milan, [0; 8])));
        assert!(tcb(Family::Turin).is_at_least(tcb(Family::Turin)));
    }

    proptest! {
        #[test]
        fn hex_round_trips(bytes: [u8; 8]) {
            let tcb = Tcb::new(Family::Genoa, bytes);
            prop_assert_eq!(Tcb::from_hex(Family::Genoa, &tcb.to_hex()), Some(tcb));
        }

        #[test]
        fn one_older_component_is_too_old(mut bytes: [u8; 8], at in 0..4_usize) {
            let at = [0, 1, 6, 7][at];
            let minimum = Tcb::new(Family::Milan, bytes);
            prop_assert!(minimum.is_at_least(minimum));
            if let Some(less) = bytes[at].checked_sub(1) {
                bytes[at] = less;
                prop_assert!(!Tcb::new(Family::Milan, bytes).is_at_least(minimum));
            }
        }
    }
}
