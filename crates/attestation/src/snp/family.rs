use std::fmt;

/// A family of processors with SEV-SNP, each with a root of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// EPYC 7003 ("Milan").
    Milan,
    /// EPYC 9004 and 8004 ("Genoa", with "Bergamo" and "Siena").
    Genoa,
    /// EPYC 9005 ("Turin").
    Turin,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// The name that AMD's certificates use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// SHA-256 of the SubjectPublicKeyInfo of the family's root key (ARK), as AMD publishes it.
    #[must_use]
    pub fn root(self) -> &'static str {
        match self {
            Self::Milan => "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
            Self::Genoa => "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
            Self::Turin => "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
        }
    }

    /// The family of CPUID family and model (both with their extended parts), as reports from version 3 on have them.
    #[must_use]
    pub fn of_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(Self::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Self::Genoa),
            (0x1a, 0x00..=0x11) => Some(Self::Turin),
            _ => None,
        }
    }

    /// How many bytes of the chip's identifier are used; the others are zero.
    #[must_use]
    pub fn chip_id_bytes(self) -> usize {
        match self {
            Self::Milan | Self::Genoa => 64,
            Self::Turin => 8,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
