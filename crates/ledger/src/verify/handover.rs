use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Digest, PublicKey, cose::Sign1};
use kv::{TxId, UNIT_KEY};
use serde::Deserialize;

use super::network::Network;
use crate::{LedgerError, entry::Entry, signature::digest, tables};

const TABLE: &str = tables::PREVIOUS_SERVICE_IDENTITY_ENDORSEMENT;

/// The chain of service identities: each opened service endorses itself, each recovered one the identity before, up to
/// the last root that this one signed (CCF, "COSE endorsement chain").
#[derive(Debug, Clone, Default)]
pub(super) struct Handovers {
    /// The last link and where it was written.
    last: Option<(u64, PublicKey)>,
    /// What a recovery says that the service before signed last.
    previous_root: Option<Digest>,
    links: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    endorsement: String,
    endorsement_epoch_begin: String,
    endorsement_epoch_end: Option<String>,
    endorsing_key: String,
    previous_version: Option<u64>,
}

impl Handovers {
    /// How many links were verified.
    pub(super) fn links(&self) -> u64 {
        self.links
    }

    /// Takes over what a transaction says of earlier identities; `signed` is the last root that was signed before it.
    pub(super) fn update(
        &mut self,
        entry: &Entry<'_>,
        network: &Network,
        signed: Option<Digest>,
    ) -> Result<(), LedgerError> {
        if let Some(json) = entry.public.get(tables::PREVIOUS_SERVICE_LAST_SIGNED_ROOT, &UNIT_KEY).flatten() {
            self.previous_root = Some(last_signed_root(json, signed)?);
        }
        let Some(json) = entry.public.get(TABLE, &UNIT_KEY).flatten() else { return Ok(()) };
        let link: Link = serde_json::from_slice(json).map_err(malformed)?;
        let key = self.check(&link, network)?;
        self.last = Some((entry.tx_id.seqno, key));
        self.links += 1;
        Ok(())
    }

    /// The endorsing key, if the link is good.
    fn check(&self, link: &Link, network: &Network) -> Result<PublicKey, LedgerError> {
        let service = network.service().ok_or_else(|| malformed("no service is known yet"))?.public_key()?;
        let key = PublicKey::from_spki_der(&STANDARD.decode(&link.endorsing_key).map_err(malformed)?)?;
        if key != service {
            return Err(LedgerError::differs("endorsing_key", service.id(), key.id()));
        }
        let bytes = STANDARD.decode(&link.endorsement).map_err(malformed)?;
        let message = Sign1::from_bytes(&bytes)?;
        message.verify(&key)?;
        let endorsed = PublicKey::from_spki_der(message.payload().unwrap_or_default())?;
        let expected =
            if endorsed == key { self.of_itself(&key, network)? } else { self.of_last(link, network, &key)? };
        expected.check(&Epoch::of(link, &message)?)?;
        let before = self.last.as_ref().filter(|_| endorsed != key).map(|(_, before)| before.clone());
        match before.filter(|before| *before != endorsed) {
            Some(before) => Err(LedgerError::differs("endorsed key", before.id(), endorsed.id())),
            None => Ok(key),
        }
    }

    fn of_itself(&self, key: &PublicKey, network: &Network) -> Result<Epoch, LedgerError> {
        Ok(Epoch { begin: begin_of(key, network)?, end: None, root: None })
    }

    fn of_last(&self, link: &Link, network: &Network, key: &PublicKey) -> Result<Epoch, LedgerError> {
        let (version, before) = self.last.as_ref().ok_or_else(|| malformed("it endorses a key that is not known"))?;
        if link.previous_version != Some(*version) {
            let got = link.previous_version.map_or("missing".into(), |version| version.to_string());
            return Err(LedgerError::differs("previous_version", version, got));
        }
        // The end's view is the one in which the earlier service might have gone on; only its seqno is fixed by the ledger.
        let end = begin_of(key, network)?.seqno.saturating_sub(1);
        Ok(Epoch { begin: begin_of(before, network)?, end: Some(TxId::new(0, end)), root: self.previous_root })
    }
}

/// The transactions that an identity stands for.
#[derive(Debug)]
struct Epoch {
    begin: TxId,
    end: Option<TxId>,
    root: Option<Digest>,
}

impl Epoch {
    /// What message and record say, which must be the same.
    fn of(link: &Link, message: &Sign1) -> Result<Self, LedgerError> {
        let fields = message.header("ccf.v1").and_then(|value| value.as_map());
        let fields = fields.ok_or_else(|| malformed("header ccf.v1 of the endorsement is missing"))?;
        let field =
            |wanted: &str| fields.iter().find(|(name, _)| name.as_text() == Some(wanted)).map(|(_, value)| value);
        let signed = |name: &str| field(name).and_then(|value| value.as_text());
        let (begin, end) = (signed("epoch.start.txid"), signed("epoch.end.txid"));
        if begin != Some(&link.endorsement_epoch_begin) || end != link.endorsement_epoch_end.as_deref() {
            let stands = format!("{} to {:?}", link.endorsement_epoch_begin, link.endorsement_epoch_end);
            return Err(LedgerError::differs("epoch in the endorsement", stands, format!("{begin:?} to {end:?}")));
        }
        let parse = |text: &str| text.parse().map_err(|_| malformed(format!("{text:?} is not VIEW.SEQNO")));
        let root = field("epoch.end.merkle.root").and_then(|value| value.as_bytes()).map(Vec::as_slice);
        let root = root.map(|root| root.try_into().map_err(|_| malformed("the root has not 32 bytes"))).transpose()?;
        Ok(Self { begin: parse(&link.endorsement_epoch_begin)?, end: end.map(parse).transpose()?, root })
    }

    fn check(&self, got: &Self) -> Result<(), LedgerError> {
        let seqno = |epoch: &Self| epoch.end.map(|end| end.seqno);
        if self.begin == got.begin && seqno(self) == seqno(got) && self.root == got.root {
            return Ok(());
        }
        Err(LedgerError::differs("epoch of the endorsed identity", self.describe(), got.describe()))
    }

    fn describe(&self) -> String {
        let end = self.end.map_or("open".into(), |end| end.seqno.to_string());
        format!("{} to {end} with root {}", self.begin, self.root.map_or("none".into(), hex::encode))
    }
}

/// Where a service with this key begins.
fn begin_of(key: &PublicKey, network: &Network) -> Result<TxId, LedgerError> {
    network.begin_of(key).ok_or_else(|| malformed(format!("the ledger knows no service with the key {}", key.id())))
}

fn last_signed_root(json: &[u8], signed: Option<Digest>) -> Result<Digest, LedgerError> {
    const ROOT: &str = tables::PREVIOUS_SERVICE_LAST_SIGNED_ROOT;
    let text: String = serde_json::from_slice(json).map_err(|error| LedgerError::malformed(ROOT, error))?;
    let root = digest(ROOT, &text)?;
    match signed {
        Some(signed) if signed != root => Err(LedgerError::differs(ROOT, hex::encode(signed), text)),
        _ => Ok(root),
    }
}

fn malformed(reason: impl std::fmt::Display) -> LedgerError {
    LedgerError::malformed(TABLE, reason)
}
