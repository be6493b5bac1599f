//! A ledger of our own, written as a node does.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::path::Path;

use crypto::{
    AesKey, Certificate, Curve, Digest, SigningKey,
    issue::{Validity, node_certificate, service_certificate},
    sha256,
};
use disk::RealDisk;
use kv::{TxId, UNIT_KEY, WriteSet};
use ledger::{
    LedgerError,
    chunk::ChunkWriter,
    entry::{Domains, EntryInput, FLAG_CHUNK_AFTER, decode, encode},
    merkle::Tree,
    secrets::LedgerSecrets,
    signature::Signer,
    tables,
    verify::{Options, Validator},
};

pub const VALIDITY: Validity = Validity { from: 1_700_000_000, days: 365 };

/// A service with one node that seals transactions as it likes.
pub struct Service {
    pub key: SigningKey,
    pub certificate: Certificate,
    pub node: SigningKey,
    pub node_pem: String,
    pub secrets: LedgerSecrets,
    pub tree: Tree,
    pub view: u64,
    pub signed: u64,
    pub entries: Vec<Vec<u8>>,
}

impl Service {
    pub fn new() -> Self {
        let key = SigningKey::generate(Curve::P384).unwrap();
        let certificate = service_certificate(&key, "CCF Service", VALIDITY).unwrap();
        let node = SigningKey::generate(Curve::P384).unwrap();
        let names = ["iPAddress:127.0.0.1".to_owned()];
        let endorsed = node_certificate(node.public(), "CCF Node", &names, VALIDITY, &key, &certificate).unwrap();
        let secrets = LedgerSecrets::from_keys([(1, AesKey::from_bytes([7; 32]).unwrap())]).unwrap();
        let (node_pem, entries) = (endorsed.to_pem(), Vec::new());
        Self { key, certificate, node, node_pem, secrets, tree: Tree::new(), view: 2, signed: 0, entries }
    }

    pub fn genesis(&self) -> WriteSet {
        let mut writes = WriteSet::default();
        let id = self.node.public().id();
        writes.put(tables::NODES_INFO, id.clone(), r#"{"status":"Trusted"}"#);
        writes.put(tables::NODES_ENDORSED_CERTIFICATES, id, self.node_pem.clone());
        writes.put(tables::SERVICE_INFO, UNIT_KEY.as_slice(), self.info("Opening"));
        writes
    }

    pub fn info(&self, status: &str) -> String {
        serde_json::json!({"cert": self.certificate.to_pem(), "status": status}).to_string()
    }

    pub fn next(&self) -> TxId {
        TxId::new(self.view, self.tree.size())
    }

    pub fn commit(&mut self, writes: &WriteSet, flags: u8) -> TxId {
        let is_signature = writes.maps().any(|(name, _)| name == tables::SIGNATURES);
        self.commit_claiming(writes, flags, if is_signature { [0; 32] } else { sha256(b"claims") })
    }

    pub fn commit_claiming(&mut self, writes: &WriteSet, flags: u8, claims_digest: Digest) -> TxId {
        let tx_id = self.next();
        let input = EntryInput { tx_id, flags, writes, claims_digest, secrets: &self.secrets };
        let sealed = encode(input).unwrap();
        let secret = self.secrets.for_seqno(tx_id.seqno).unwrap();
        let domains = Domains::from_writes(writes);
        assert_eq!(domains.entry_len(), sealed.bytes.len());
        assert_eq!(domains.seal(tx_id, flags, &claims_digest, secret).unwrap(), sealed);
        self.tree.append(sealed.leaf);
        self.entries.push(sealed.bytes);
        tx_id
    }

    pub fn signer(&self) -> Signer<'_> {
        Signer {
            node_key: &self.node,
            node_certificate: &self.node_pem,
            service_key: &self.key,
            issuer: "example.com",
            subject: "ledger.sig",
        }
    }

    pub fn signature(&self) -> WriteSet {
        self.signer().build(self.next(), &self.tree, self.signed, 1_700_000_000).unwrap()
    }

    pub fn sign(&mut self, flags: u8) {
        let writes = self.signature();
        self.signed = self.commit(&writes, flags).seqno;
    }

    pub fn validate(&self) -> Result<(), LedgerError> {
        let mut validator = Validator::new(Options { secrets: Some(&self.secrets), ..Options::default() });
        self.entries.iter().try_for_each(|bytes| validator.add(&decode(bytes)?))
    }
}

pub fn write(map: &str, key: &str, value: &str) -> WriteSet {
    let mut writes = WriteSet::default();
    writes.put(map, key.to_owned(), value.to_owned());
    writes
}

pub fn single(map: &str, value: impl Into<String>) -> WriteSet {
    let mut writes = WriteSet::default();
    writes.put(map, UNIT_KEY.as_slice(), value.into());
    writes
}

/// Three chunks, the last of them open: public and private writes, removals, a rekey, a new view.
pub fn build(directory: &Path) -> Service {
    let mut service = Service::new();
    let genesis = service.genesis();
    service.commit(&genesis, 0);
    service.sign(0);
    for round in 0..40 {
        service.commit(&write("public:app", &format!("key{round}"), "value"), 0);
        let mut both = write("private", "key", &format!("secret {round}"));
        both.remove("public:app", format!("key{}", round / 2).into_bytes());
        service.commit(&both, 0);
        service.commit(&write("private", &format!("only{round}"), ""), 0);
        if round == 20 {
            service.secrets.push(service.tree.size(), AesKey::from_bytes([8; 32]).unwrap()).unwrap();
            service.view = 5;
        }
        service.sign(if round % 15 == 14 { FLAG_CHUNK_AFTER } else { 0 });
    }
    write_chunks(&service, directory);
    service
}

pub fn write_chunks(service: &Service, directory: &Path) {
    let mut writer = ChunkWriter::create(&RealDisk, directory, 1).unwrap();
    for bytes in &service.entries {
        writer.append(bytes).unwrap();
        if decode(bytes).unwrap().header.flags & FLAG_CHUNK_AFTER != 0 {
            let next = writer.next_seqno();
            writer.complete(&RealDisk).unwrap();
            writer = ChunkWriter::create(&RealDisk, directory, next).unwrap();
        }
    }
}
