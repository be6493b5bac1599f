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

    /// Whether a product, as certificates name it (`Milan-B0`, `Genoa`), is one of this family.
    #[must_use]
    pub fn makes(self, product: &str) -> bool {
        let name = product.split('-').next().unwrap_or_default();
        // Genoa's root is also that of its siblings.
        let siblings: &[&str] = if self == Self::Genoa { &["Bergamo", "Siena"] } else { &[] };
        name == self.name() || siblings.contains(&name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_belong_to_families() {
        for (family, model, expected) in [
            (0x19, 0x01, Some(Family::Milan)),
            (0x19, 0x0f, Some(Family::Milan)),
            (0x19, 0x10, Some(Family::Genoa)),
            (0x19, 0x11, Some(Family::Genoa)),
            (0x19, 0x1f, Some(Family::Genoa)),
            (0x19, 0x20, None),
            (0x19, 0x9f, None),
            (0x19, 0xa0, Some(Family::Genoa)),
            (0x19, 0xaf, Some(Family::Genoa)),
            (0x19, 0xb0, None),
            (0x1a, 0x02, Some(Family::Turin)),
            (0x1a, 0x11, Some(Family::Turin)),
            (0x1a, 0x12, None),
            (0x17, 0x31, None),
        ] {
            assert_eq!(Family::of_cpuid(family, model), expected, "{family:#x}, {model:#x}");
        }
    }

    #[test]
    fn products_belong_to_families() {
        let made = |product| Family::ALL.into_iter().filter(|family| family.makes(product)).collect::<Vec<_>>();
        assert_eq!((made("Milan"), made("Milan-B0")), (vec![Family::Milan], vec![Family::Milan]));
        for product in ["Genoa", "Genoa-B1", "Bergamo-A2", "Siena"] {
            assert_eq!(made(product), [Family::Genoa], "{product}");
        }
        assert_eq!(made("Turin-C1"), [Family::Turin]);
        for product in ["", "-", "milan", "MilanX", "Rome", "Milan B0"] {
            assert_eq!(made(product), [], "{product}");
        }
    }
}
