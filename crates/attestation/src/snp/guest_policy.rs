/// What the owner of a guest allows the host to do with it (AMD 56860, "Guest Policy").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestPolicy(pub u64);

/// Bits that have no meaning and are zero; bit 17 has none and is one.
const RESERVED: u64 = !0x03ff_ffff;
const RESERVED_ONE: u32 = 17;

impl GuestPolicy {
    /// The least version of the interface, as major and minor.
    #[must_use]
    pub fn abi(self) -> (u8, u8) {
        let [minor, major, ..] = self.0.to_le_bytes();
        (major, minor)
    }

    /// Whether simultaneous multithreading is allowed.
    #[must_use]
    pub fn smt(self) -> bool {
        self.bit(16)
    }

    /// Whether an agent may be associated that migrates the guest.
    #[must_use]
    pub fn migration_agent(self) -> bool {
        self.bit(18)
    }

    /// Whether the host may read and change the guest's memory.
    #[must_use]
    pub fn debug(self) -> bool {
        self.bit(19)
    }

    /// Whether the guest runs on one socket only.
    #[must_use]
    pub fn single_socket(self) -> bool {
        self.bit(20)
    }

    pub(super) fn is_well_formed(self) -> bool {
        self.0 & RESERVED == 0 && self.bit(RESERVED_ONE)
    }

    fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits() {
        let azure = GuestPolicy(0x3001f);
        assert_eq!((azure.abi(), azure.smt(), azure.debug(), azure.migration_agent()), ((0, 31), true, false, false));
        assert!(azure.is_well_formed() && !azure.single_socket());
        assert!(GuestPolicy(1 << 19).debug() && GuestPolicy(1 << 18).migration_agent());
        assert!(GuestPolicy(1 << 20).single_socket() && GuestPolicy(0x0200).abi() == (2, 0));
        assert!(!GuestPolicy(0x2001f).smt());
        assert!(!GuestPolicy(0x1001f).is_well_formed(), "bit 17 is zero");
        for bit in 26..64 {
            assert!(!GuestPolicy(0x3001f | 1 << bit).is_well_formed(), "{bit}");
        }
    }
}
