use attestation::snp::ChipKey;
use crypto::Certificate;
use serde::Deserialize;
use unique_json::from_unique_json;

use super::{Wanted, chain_url, chip_url, joined};
use crate::{EvidenceError, Result, http::Http};

/// Who is asked for the chain of a processor. What they answer is believed as far as it verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Online {
    /// AMD's key distribution service, at an address without a path. It knows every chip, and answers the same question
    /// once in a while only.
    Amd(String),
    /// Azure's trusted hardware identity management, at an address without a path. It knows the chip of the machine that
    /// asks.
    Azure(String),
}

/// The answer of Azure.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thim {
    vcek_cert: String,
    certificate_chain: String,
}

impl Online {
    /// Where AMD answers.
    pub const AMD: &str = "https://kdsintf.amd.com";
    /// Where Azure answers, from inside a machine.
    pub const AZURE: &str = "http://169.254.169.254";

    /// The address.
    pub(super) fn url(&self) -> &str {
        let (Self::Amd(url) | Self::Azure(url)) = self;
        url
    }

    pub(super) async fn chain(&self, http: &Http, wanted: &Wanted, chip: Option<&Certificate>) -> Result<String> {
        match self {
            Self::Amd(base) => of_amd(base, http, wanted, chip).await,
            Self::Azure(base) => of_azure(base, http).await,
        }
    }
}

async fn of_amd(base: &str, http: &Http, wanted: &Wanted, chip: Option<&Certificate>) -> Result<String> {
    let chip = match (wanted.key, chip) {
        (ChipKey::Vlek, Some(chip)) => chip.clone(),
        (ChipKey::Vlek, None) => {
            return Err(EvidenceError::Unnamed(
                "the report is signed by a lent key, whose certificate only its host has",
            ));
        }
        (ChipKey::Vcek, _) => {
            let url = chip_url(base, wanted.family, &wanted.chip_id, wanted.tcb);
            let der = http.get(&url, &[]).await?;
            Certificate::from_der(&der).map_err(|why| EvidenceError::malformed(url, why))?
        }
    };
    let authorities = http.get(&chain_url(base, wanted.family, wanted.key), &[]).await?;
    Ok(joined(&chip, &authorities))
}

async fn of_azure(base: &str, http: &Http) -> Result<String> {
    let url = format!("{}/metadata/THIM/amd/certification", base.trim_end_matches('/'));
    let answer = http.get(&url, &[("metadata", "true")]).await?;
    let thim = from_unique_json(&answer).and_then(Thim::deserialize);
    let thim = thim.map_err(|why| EvidenceError::malformed(url, why))?;
    Ok(format!("{}\n{}", thim.vcek_cert, thim.certificate_chain))
}
