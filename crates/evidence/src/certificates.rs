//! The chain of a processor: from a directory, or from who knows processors.

mod cache;
mod online;

use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use attestation::{
    Trail,
    snp::{self, ChainCache, ChipKey, Family, Report, Tcb},
};
use crypto::Certificate;

use crate::{EvidenceError, Result, http::Http};
use cache::Cache;
pub use online::Online;

/// Chains that are remembered, about 7 KiB each.
const REMEMBERED: usize = 16;
/// Bytes of a file with certificates; genuine ones have less than 5 KiB.
const MAX_FILE: u64 = 32 << 10;

/// Where the chain of a processor is looked for: first in memory, then in a directory, then online. A chain is handed out
/// and remembered only if it proves the report that it is for.
///
/// In the directory, files are named as in AMD's service: `vcek/v1/Genoa/CHIP-TCB.der` (in hexadecimal digits, as
/// [`Tcb::to_hex`] has it), and `vcek/v1/Genoa/cert_chain` with the two authorities in PEM.
#[derive(Debug)]
pub struct Certificates {
    directory: Option<PathBuf>,
    online: Option<(Online, Http)>,
    cache: Cache,
}

impl Certificates {
    /// Looks in a directory, if there is one, and online, if that is allowed, where each question has so much time.
    ///
    /// # Errors
    /// [`EvidenceError::Unreachable`] if no client can be made.
    pub fn new(directory: Option<PathBuf>, online: Option<Online>, limit: Duration) -> Result<Self> {
        let online = online.map(|online| Ok((online, Http::new(limit)?))).transpose()?;
        Ok(Self { directory, online, cache: Cache::new(REMEMBERED) })
    }

    /// The chain in PEM that proves a report, with the certificate of its key if that is known already: a lent key's is
    /// known to the host alone.
    ///
    /// # Errors
    /// [`EvidenceError`]
    pub async fn chain_of(&self, report: &[u8], chip: Option<&Certificate>) -> Result<String> {
        let wanted = Wanted::of(report)?;
        if let Some(chain) = self.cache.find(|chain| wanted.is_proven_by(chain).is_ok()) {
            return Ok(chain);
        }
        let (place, chain) = self.look(&wanted, chip).await?;
        wanted.is_proven_by(&chain).map_err(|source| EvidenceError::NotProven { place, source })?;
        self.cache.keep(chain.clone());
        Ok(chain)
    }

    /// Where a chain was found, and the chain.
    async fn look(&self, wanted: &Wanted, chip: Option<&Certificate>) -> Result<(String, String)> {
        if let Some(directory) = &self.directory
            && let Some(chain) = wanted.in_directory(directory, chip)?
        {
            return Ok((directory.display().to_string(), chain));
        }
        match &self.online {
            Some((online, http)) => Ok((online.url().to_owned(), online.chain(http, wanted, chip).await?)),
            None => Err(EvidenceError::NotFound(format!(
                "there is no {}, and nobody else may be asked",
                wanted.chip_file().map_or_else(|| "file for a lent key".into(), |file| file.display().to_string())
            ))),
        }
    }
}

/// What a chain must be for.
struct Wanted {
    bytes: Vec<u8>,
    family: Family,
    key: ChipKey,
    chip_id: Vec<u8>,
    tcb: Tcb,
}

impl Wanted {
    fn of(bytes: &[u8]) -> Result<Self> {
        let report = Report::parse(bytes, &mut Trail::new());
        let report = report.map_err(|why| EvidenceError::malformed("the report", why))?;
        let family = report.family();
        let family = family.ok_or(EvidenceError::Unnamed("the report does not say of which family it is"))?;
        let key = match report.signing_key() {
            0 => ChipKey::Vcek,
            1 => ChipKey::Vlek,
            _ => return Err(EvidenceError::Unnamed("the host has switched signatures off")),
        };
        let chip_id = report.chip_id();
        let chip_id = chip_id.get(..family.chip_id_bytes()).unwrap_or_default().to_vec();
        if key == ChipKey::Vcek && chip_id.iter().all(|byte| *byte == 0) {
            return Err(EvidenceError::Unnamed("the host hides which chip it has; let it give the certificates"));
        }
        Ok(Self { bytes: bytes.to_vec(), family, key, chip_id, tcb: report.reported_tcb(family) })
    }

    /// Whether a chain proves the report.
    fn is_proven_by(&self, chain: &str) -> attestation::Result<()> {
        let evidence = snp::Evidence { report: &self.bytes, chain, endorsed_tcb: None };
        snp::verify(&evidence, &mut ChainCache::new(0), &mut Trail::new()).map(|_| ())
    }

    /// `vcek` or `vlek`.
    fn kind(&self) -> &'static str {
        match self.key {
            ChipKey::Vcek => "vcek",
            ChipKey::Vlek => "vlek",
        }
    }

    /// The place of the authorities in AMD's service.
    fn authorities(&self) -> String {
        format!("{}/v1/{}/cert_chain", self.kind(), self.family)
    }

    /// The place of a chip's certificate in a directory.
    fn chip_file(&self) -> Option<PathBuf> {
        let name = format!("vcek/v1/{}/{}-{}.der", self.family, hex::encode(&self.chip_id), self.tcb.to_hex());
        (self.key == ChipKey::Vcek).then(|| PathBuf::from(name))
    }

    /// The chain, if the directory has all of it.
    fn in_directory(&self, directory: &Path, chip: Option<&Certificate>) -> Result<Option<String>> {
        let known = chip.filter(|_| self.key == ChipKey::Vlek).cloned();
        let chip = match (known, self.chip_file()) {
            (Some(chip), _) => Some(chip),
            (None, Some(file)) => {
                let file = directory.join(file);
                let odd = |why: crypto::CryptoError| EvidenceError::malformed(file.display().to_string(), why);
                present(&file)?.map(|der| Certificate::from_der(&der).map_err(odd)).transpose()?
            }
            (None, None) => None,
        };
        let authorities = present(&directory.join(self.authorities()))?;
        Ok(chip.zip(authorities).map(|(chip, authorities)| joined(&chip, &authorities)))
    }
}

/// A file that may be missing. What is too large is cut, and so no certificate any more.
fn present(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(EvidenceError::file(path)(why)),
    }
}

/// A chain out of the certificate of a chip and PEM of its authorities.
fn joined(chip: &Certificate, authorities: &[u8]) -> String {
    format!("{}{}", chip.to_pem(), String::from_utf8_lossy(authorities))
}

/// Where AMD's service has the certificate of a chip with these versions of its firmware (57230, section 4.1). The chip is
/// named by as many bytes as its family uses.
#[must_use]
pub fn chip_url(base: &str, family: Family, chip_id: &[u8], tcb: Tcb) -> String {
    let chip = hex::encode(chip_id.get(..family.chip_id_bytes()).unwrap_or(chip_id));
    let fmc = tcb.fmc().map(|level| format!("fmcSPL={level:02}&")).unwrap_or_default();
    let (loader, tee, snp, microcode) = (tcb.boot_loader(), tcb.tee(), tcb.snp(), tcb.microcode());
    let levels = format!("{fmc}blSPL={loader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}");
    format!("{}/vcek/v1/{family}/{chip}?{levels}", base.trim_end_matches('/'))
}

/// Where AMD's service has the authorities of a family, for one of its kinds of keys.
#[must_use]
pub fn chain_url(base: &str, family: Family, key: ChipKey) -> String {
    format!("{}/{}/v1/{family}/cert_chain", base.trim_end_matches('/'), key.name().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_at_amd_are_those_of_the_specification() {
        let id: Vec<u8> = (0..64).collect();
        let url = |family, bytes| chip_url("https://kdsintf.amd.com/", family, &id, Tcb::new(family, bytes));
        let chip = hex::encode(&id);
        assert_eq!(
            url(Family::Milan, [3, 0, 0, 0, 0, 0, 8, 115]),
            format!("https://kdsintf.amd.com/vcek/v1/Milan/{chip}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115")
        );
        assert!(
            url(Family::Genoa, [10, 0, 0, 0, 0, 0, 23, 84]).contains(&format!("/Genoa/{chip}?blSPL=10&teeSPL=00&"))
        );
        assert_eq!(
            url(Family::Turin, [1, 2, 3, 4, 0, 0, 0, 9]),
            "https://kdsintf.amd.com/vcek/v1/Turin/0001020304050607?fmcSPL=01&blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=09"
        );
        let chain = |family, key| chain_url("https://kdsintf.amd.com", family, key);
        assert_eq!(chain(Family::Genoa, ChipKey::Vcek), "https://kdsintf.amd.com/vcek/v1/Genoa/cert_chain");
        assert_eq!(chain(Family::Milan, ChipKey::Vlek), "https://kdsintf.amd.com/vlek/v1/Milan/cert_chain");
    }
}
