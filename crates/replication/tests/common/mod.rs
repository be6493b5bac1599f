//! A small service on any disk: genesis, private and public writes, resumes under fresh ledger secrets, rekeys.

#![allow(dead_code, reason = "each test uses its part")]

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use crypto::{
    AesKey, Certificate, Curve, SigningKey,
    issue::{self, Validity},
};
use disk::Disk;
use kv::{State, Tx, TxId, UNIT_KEY};
use ledger::{
    secrets::{HistoricalSecret, LedgerSecrets, PreviousSecret, Secret},
    tables,
};
use replication::{
    Background, Opened, Options, Order, Range, Replica, ReplicationError, Signer, SnapshotOptions, SubmitError,
    Transaction, Unavailable, open,
    planted::{self, Fault},
};

/// What outlives a process: keys, and the ledger secrets (which a node seals and syncs before it uses them).
pub(crate) struct Keys {
    service_key: Vec<u8>,
    node_key: Vec<u8>,
    node_certificate: String,
    service_certificate: Certificate,
    pub(crate) secrets: LedgerSecrets,
    /// The secret in waiting: the next rekey introduces it.
    pub(crate) waiting: Option<AesKey>,
    /// Size of a segment of the raft log.
    pub(crate) segment_bytes: u64,
    /// Transactions between two snapshots, if any are taken.
    pub(crate) snapshots: Option<u64>,
    /// The secret that the next start draws, if it shall be the one of another: as if memory had been copied.
    pub(crate) drawn: Option<AesKey>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let validity = Validity { from: 1_700_000_000, days: 1000 };
        let service = SigningKey::generate(Curve::P384).unwrap();
        let node = SigningKey::generate(Curve::P384).unwrap();
        let certificate = issue::service_certificate(&service, "CCF Service", validity).unwrap();
        let endorsed = issue::node_certificate(node.public(), "CCF Node", &[], validity, &service, &certificate);
        Self {
            service_key: service.to_pkcs8_der().unwrap().to_vec(),
            node_key: node.to_pkcs8_der().unwrap().to_vec(),
            node_certificate: endorsed.unwrap().to_pem(),
            service_certificate: certificate,
            secrets: LedgerSecrets::new(),
            waiting: None,
            segment_bytes: 8 * 1024,
            snapshots: None,
            drawn: None,
        }
    }

    /// What lies on a copy of the disk.
    pub(crate) fn copy(&self) -> Self {
        Self {
            service_key: self.service_key.clone(),
            node_key: self.node_key.clone(),
            node_certificate: self.node_certificate.clone(),
            service_certificate: self.service_certificate.clone(),
            secrets: self.secrets.clone(),
            waiting: self.waiting.clone(),
            segment_bytes: self.segment_bytes,
            snapshots: self.snapshots,
            drawn: self.drawn.clone(),
        }
    }

    pub(crate) fn signer(&self) -> Signer {
        Signer {
            service_key: SigningKey::from_pkcs8_der(&self.service_key).unwrap(),
            node_key: SigningKey::from_pkcs8_der(&self.node_key).unwrap(),
            node_certificate: self.node_certificate.clone().into(),
            issuer: "service.example.com".into(),
            subject: "ledger.signature".into(),
            now: || 1_700_000_000,
        }
    }

    pub(crate) fn service_certificate(&self) -> &Certificate {
        &self.service_certificate
    }

    fn node_id(&self) -> String {
        SigningKey::from_pkcs8_der(&self.node_key).unwrap().public().id()
    }

    /// Opens the ledger.
    pub(crate) fn open(
        &self,
        disk: Arc<dyn Disk>,
        directory: &str,
        chunk_size: u64,
    ) -> Result<Opened, ReplicationError> {
        let options = Options {
            disk,
            ledger_directory: PathBuf::from(directory).join("ledger"),
            state_directory: PathBuf::from(directory).join("ledger.state"),
            mac_key: [9; 32],
            chunk_size,
            segment_bytes: self.segment_bytes,
            background: Background::Inline,
            snapshots: self.snapshots.map(|tx_count| SnapshotOptions {
                directory: PathBuf::from(directory).join("snapshots"),
                read_only_directory: None,
                tx_count,
                service_certificate: self.service_certificate.clone(),
            }),
        };
        open(options, &self.secrets, self.waiting.as_slice())
    }

    /// Opens the ledger and goes on with it under a fresh secret; the first transaction says so.
    pub(crate) async fn start(
        &mut self,
        disk: Arc<dyn Disk>,
        directory: &str,
        chunk_size: u64,
    ) -> Result<Replica, ReplicationError> {
        let opened = self.open(disk, directory, chunk_size)?;
        let next = opened.last().seqno + 1;
        self.secrets = opened.secrets();
        let is_new = next == 1;
        let is_fresh = is_new || !planted::is(Fault::SecretReused);
        if is_fresh {
            let fresh = self.drawn.take().unwrap_or_else(|| AesKey::generate().unwrap());
            self.secrets.push(next, fresh).unwrap();
        }
        self.waiting = Some(AesKey::generate().unwrap());
        let replica = opened.start(self.secrets.clone(), self.signer()).await?;
        let mut tx = Tx::new(replica.committed().state.clone());
        if is_new {
            self.found(&mut tx);
        } else if is_fresh {
            tx.put("public:test.resumes", next.to_le_bytes().to_vec(), "resumed");
            let fresh = self.secrets.latest().unwrap();
            put_record(&mut tx, self.secrets.for_seqno(next - 1).unwrap(), fresh.key(), Some(next));
        }
        match replica.submit(Transaction::new(tx, [0; 32])).await {
            Ok(_) => Ok(replica),
            Err(SubmitError::Stopping) => Err(ReplicationError::Raft(replica.stopped().await.unwrap_err())),
            Err(why) => Err(ReplicationError::Raft(why.to_string())),
        }
    }

    /// As much of a service as the verification of its ledger asks for.
    fn found(&self, tx: &mut Tx) {
        let service = serde_json::json!({ "cert": self.service_certificate.to_pem(), "status": "Opening" });
        tx.put(tables::SERVICE_INFO, UNIT_KEY.to_vec(), service.to_string());
        tx.put(tables::NODES_INFO, self.node_id(), r#"{"status":"Trusted"}"#);
        tx.put(tables::NODES_ENDORSED_CERTIFICATES, self.node_id(), self.node_certificate.clone());
    }

    /// A rekey that is decided on what is committed, and the secret that it introduces, kept before.
    pub(crate) fn rekey(&mut self, replica: &Replica) -> Transaction {
        let known = replica.secrets();
        if self.waiting.as_ref().is_none_or(|waiting| known.contains(waiting)) {
            self.secrets = (*known).clone();
            self.waiting = Some(AesKey::generate().unwrap());
        }
        let mut tx = Tx::new(replica.committed().state.clone());
        let next = self.waiting.clone().unwrap();
        let current = known.for_seqno(tx.base().tx_id().seqno + 1).unwrap();
        put_record(&mut tx, current, &next, None);
        Transaction::new(tx, [0; 32]).with_next_secret(next)
    }
}

/// The record that leads from one ledger secret to the next.
pub(crate) fn put_record(tx: &mut Tx, previous: &Secret, next: &AesKey, next_version: Option<u64>) {
    let table = tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET;
    let stored = tx.written(table, &UNIT_KEY).map(|written| written.seqno);
    let iv = crypto::random_bytes().unwrap();
    let sealed = PreviousSecret::seal((previous.version(), previous.key()), next, iv, stored).unwrap();
    let record = HistoricalSecret { next_version, previous_ledger_secret: Some(sealed) };
    tx.put(table, UNIT_KEY.to_vec(), record.to_json().unwrap());
}

/// Writes `value` under `key`, publicly and privately, in one transaction.
pub(crate) fn write(state: State, key: &str, value: &[u8]) -> Transaction {
    let mut tx = Tx::new(state);
    tx.put("public:test.values", key.to_owned(), value.to_vec());
    tx.put("test.secrets", key.to_owned(), value.to_vec());
    Transaction::new(tx, crypto::sha256(value))
}

/// Whether the state has what [`write`] wrote in `tx_id`.
pub(crate) fn has(state: &State, key: &str, value: &[u8], tx_id: TxId) -> bool {
    let found = |map| state.get(map, key.as_bytes()).is_some_and(|v| v.value == value && v.written == tx_id);
    found("public:test.values") && found("test.secrets")
}

/// All committed writes to a key of a watched map, oldest first.
pub(crate) fn all_writes(replica: &Replica, map: &str, key: &[u8]) -> Result<Vec<(u64, Option<Bytes>)>, Unavailable> {
    let range = Range { from: 1, to: u64::MAX, at_most: 100_000, order: Order::OldestFirst };
    let page = replica.writes_to(map, key, &range)?;
    assert_eq!(page.next, None);
    Ok(page.writes.into_iter().map(|write| (write.seqno, write.value)).collect())
}
