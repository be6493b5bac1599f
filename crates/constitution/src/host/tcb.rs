//! Versions of the trusted computing base of SEV-SNP, taken apart.

use rquickjs::{Ctx, Object};

/// The lowest versions that a node may have, as `nodes.snp.tcb_versions` holds them (CCF), in the order of their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TcbPolicy {
    boot_loader: u8,
    /// There is none before Turin.
    fmc: Option<u8>,
    hexstring: String,
    microcode: u8,
    snp: u8,
    tee: u8,
}

/// Families of processors (AMD CPUID specification, `Fn0000_0001_EAX`).
const MILAN_AND_GENOA: u32 = 0x19;
const TURIN: u32 = 0x1a;

impl TcbPolicy {
    /// Reads a `TCB_VERSION` of a processor that is named by its CPUID, both in hexadecimal digits, highest first. Where
    /// in it each version stands depends on the family (SEV-SNP ABI specification, `TCB_VERSION`).
    ///
    /// # Errors
    /// A text for the script.
    pub(super) fn of(cpuid: &str, version: &str) -> Result<Self, String> {
        let bytes: [u8; 8] = digits("TCB version", version)?;
        let hexstring = version.to_ascii_lowercase();
        match family(u32::from_be_bytes(digits("CPUID", cpuid)?)) {
            MILAN_AND_GENOA => {
                let [microcode, snp, _, _, _, _, tee, boot_loader] = bytes;
                Ok(Self { boot_loader, fmc: None, hexstring, microcode, snp, tee })
            }
            TURIN => {
                let [microcode, _, _, _, snp, tee, boot_loader, fmc] = bytes;
                Ok(Self { boot_loader, fmc: Some(fmc), hexstring, microcode, snp, tee })
            }
            other => {
                let known = format!("{MILAN_AND_GENOA:x} (Milan, Genoa) and {TURIN:x} (Turin)");
                Err(format!("CPUID {cpuid} is of family {other:x}; known are {known}"))
            }
        }
    }

    /// The object for the script.
    pub(super) fn to_object<'js>(&self, ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
        let object = Object::new(ctx.clone())?;
        object.set("boot_loader", self.boot_loader)?;
        if let Some(fmc) = self.fmc {
            object.set("fmc", fmc)?;
        }
        object.set("hexstring", self.hexstring.as_str())?;
        object.set("microcode", self.microcode)?;
        object.set("snp", self.snp)?;
        object.set("tee", self.tee)?;
        Ok(object)
    }
}

fn digits<const N: usize>(what: &str, text: &str) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map(|()| bytes)
        .map_err(|_| format!("{what} {text:?} must be {} hexadecimal digits", 2 * N))
}

/// Base family and extended family, added up.
fn family(cpuid: u32) -> u32 {
    ((cpuid >> 8) & 0xf) + ((cpuid >> 20) & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_layout() {
        let milan = TcbPolicy::of("00a00f11", "D315000000000804").unwrap();
        let hexstring = "d315000000000804".to_owned();
        let expected = TcbPolicy { boot_loader: 4, fmc: None, hexstring, microcode: 0xd3, snp: 0x15, tee: 8 };
        assert_eq!(milan, expected);
        assert_eq!(TcbPolicy::of("00a10f11", "d315000000000804"), Ok(expected));
        let hexstring = "5000000004030201".to_owned();
        let turin = TcbPolicy { boot_loader: 2, fmc: Some(1), hexstring, microcode: 0x50, snp: 4, tee: 3 };
        assert_eq!(TcbPolicy::of("00b00f21", "5000000004030201"), Ok(turin));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        let refusal = |cpuid, version| TcbPolicy::of(cpuid, version).unwrap_err();
        let ends = "is of family 17; known are 19 (Milan, Genoa) and 1a (Turin)";
        assert_eq!(refusal("00800f11", "d315000000000004"), format!("CPUID 00800f11 {ends}"));
        for (cpuid, version, text) in [
            ("zz", "d315000000000004", "CPUID \"zz\" must be 8 hexadecimal digits"),
            ("00a00f11", "1", "TCB version \"1\" must be 16 hexadecimal digits"),
            ("00a00f11", "d31500000000000é", "TCB version \"d31500000000000é\" must be 16 hexadecimal digits"),
        ] {
            assert_eq!(refusal(cpuid, version), text);
        }
    }
}
