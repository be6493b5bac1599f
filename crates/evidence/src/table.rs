use crypto::Certificate;

use crate::{EvidenceError, Result};

/// Bytes of an entry: an identifier, and where its certificate stands.
const ENTRY: usize = 24;
/// Most entries that are read.
const MAX_ENTRIES: usize = 16;

/// Identifiers of certificates as they stand in memory (GHCB specification 56421, section 4.1.8.1).
const VCEK: &str = "63da758de6644564adc5f4b93be8accd";
const VLEK: &str = "a8074bc2a25a483eaae639c045a0b8a1";
const ASK: &str = "4ab7b379bbac4fe4a02f05aef327c782";
const ARK: &str = "c0b406a4a803495297433fb6014cd0ae";

/// Certificates that a host gives its guest beside a report, in the clear: whatever it likes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// The certificate of the key that signed the report.
    pub(crate) chip: Option<Certificate>,
    /// Its issuer.
    pub(crate) intermediate: Option<Certificate>,
    /// The issuer of that.
    pub(crate) root: Option<Certificate>,
}

impl Table {
    /// Reads a table. Nothing at all is an empty one, and certificates of other kinds are left out.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut table = Self::default();
        for entry in bytes.chunks_exact(ENTRY).take(MAX_ENTRIES) {
            let (identifier, place) = entry.split_at(16);
            if identifier.iter().all(|byte| *byte == 0) {
                break;
            }
            table.add(&hex::encode(identifier), bytes, place)?;
        }
        Ok(table)
    }

    /// The chain in PEM, if it is complete.
    pub(crate) fn chain(&self) -> Option<String> {
        let certificates = [self.chip.as_ref()?, self.intermediate.as_ref()?, self.root.as_ref()?];
        Some(certificates.map(Certificate::to_pem).concat())
    }

    fn add(&mut self, identifier: &str, bytes: &[u8], place: &[u8]) -> Result<()> {
        let slot = match identifier {
            VCEK | VLEK => &mut self.chip,
            ASK => &mut self.intermediate,
            ARK => &mut self.root,
            _ => return Ok(()),
        };
        let odd = |why: String| EvidenceError::malformed("the certificates beside the report", why);
        let number = |at: usize| place.get(at..at + 4).and_then(<[u8]>::first_chunk).copied().map(u32::from_le_bytes);
        let (offset, length) = number(0).zip(number(4)).ok_or_else(|| odd("a short entry".into()))?;
        let (offset, length) = (offset as usize, length as usize);
        let der = offset.checked_add(length).and_then(|end| bytes.get(offset..end));
        let der = der.ok_or_else(|| odd(format!("{length} bytes from {offset} on are not there")))?;
        *slot = Some(certificate(der).map_err(|why| odd(why.to_string()))?);
        Ok(())
    }
}

/// DER, as the specification says, or PEM, as some hosts have it.
fn certificate(bytes: &[u8]) -> crypto::Result<Certificate> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.starts_with("-----BEGIN") => Certificate::from_pem(text.trim_end_matches('\0')),
        _ => Certificate::from_der(bytes),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A table of certificates under identifiers.
    pub(crate) fn table(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut offset = (entries.len() + 1) * ENTRY;
        let (mut heads, mut bodies) = (Vec::new(), Vec::new());
        for (identifier, body) in entries {
            heads.extend(hex::decode(identifier).unwrap());
            heads.extend(u32::try_from(offset).unwrap().to_le_bytes());
            heads.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
            offset += body.len();
            bodies.extend_from_slice(body);
        }
        heads.extend([0; ENTRY]);
        [heads, bodies].concat()
    }

    /// The table that a host gives for a genuine chain, and the chain.
    pub(crate) fn genuine(name: &str) -> (Vec<u8>, String) {
        let data = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation");
        let pem = std::fs::read_to_string(data.join(name).join("chain.pem")).unwrap();
        let chain = crypto::certificates_from_pem(&pem).unwrap();
        let ders: Vec<Vec<u8>> = chain.iter().map(|one| one.der().to_vec()).collect();
        let crl = ("92f81bc358114d3d97ffd19f88dc67ea", vec![1, 2, 3]);
        let entries = [(ARK, ders[2].clone()), crl, (VCEK, ders[0].clone()), (ASK, ders[1].clone())];
        (table(&entries), chain.iter().map(Certificate::to_pem).collect())
    }

    #[test]
    fn certificates_are_put_in_their_order() {
        let (bytes, chain) = genuine("genoa");
        let read = Table::read(&bytes).unwrap();
        assert_eq!(read.chain(), Some(chain.clone()));
        let pem = crypto::Certificate::from_pem(&chain).unwrap().to_pem() + "\0";
        let lent = Table::read(&table(&[(VLEK, pem.into_bytes())])).unwrap();
        assert_eq!((lent.chip, lent.intermediate, lent.root), (read.chip, None, None));
    }

    #[test]
    fn a_host_may_give_nothing_or_nonsense() {
        assert_eq!(Table::read(&[]).unwrap(), Table::default());
        assert_eq!(Table::read(&[0; 4096]).unwrap(), Table::default());
        assert_eq!(Table::read(&[1; 23]).unwrap().chain(), None);
        let (bytes, _) = genuine("genoa");
        let found = |bytes: &[u8]| Table::read(bytes).unwrap_err().to_string();
        assert!(found(&bytes[..bytes.len() - 1]).contains("are not there"));
        assert!(found(&table(&[(VCEK, vec![0x30])])).contains("the certificates beside the report"));
        let mut far = table(&[(VCEK, Vec::new())]);
        far[16..24].fill(0xff);
        assert!(found(&far).contains("4294967295 bytes from 4294967295 on are not there"));
        // More entries than there are kinds are not looked at.
        let many = table(&vec![("92f81bc358114d3d97ffd19f88dc67ea", Vec::new()); 16]);
        assert_eq!(Table::read(&[&many[..16 * ENTRY], &far].concat()).unwrap(), Table::default());
    }
}
