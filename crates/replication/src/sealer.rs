//! From transactions to the bytes of the ledger.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bytes::BytesMut;
use crypto::{Digest, SigningKey};
use kv::{State, TxId, WriteSet};
use ledger::{
    LedgerError,
    entry::{Domains, FLAG_CHUNK_AFTER, Sealed},
    merkle::Tree,
    secrets::LedgerSecrets,
    signature,
};

use crate::{batch::BatchContent, types::Batch};

/// Who signs the ledger, and what the signatures say besides the root.
pub struct Signer {
    /// The key of the service: COSE signatures.
    pub service_key: SigningKey,
    /// The key of this node: plain signatures, verified with the node's endorsed certificate.
    pub node_key: SigningKey,
    /// The endorsed certificate of this node, which can be renewed meanwhile.
    pub node_certificate: NodeCertificate,
    /// `iss` of the COSE signatures (`command.start.cose_signatures.issuer`).
    pub issuer: String,
    /// `sub` of the COSE signatures.
    pub subject: String,
    /// The time, in seconds since 1970, for `iat`. The ledger claims it, nobody relies on it.
    pub now: fn() -> i64,
}

/// The endorsed certificate that signatures carry, PEM. Clones share it, so that it can be replaced by one for the same
/// key while batches are signed.
#[derive(Debug, Clone)]
pub struct NodeCertificate(Arc<ArcSwap<String>>);

impl NodeCertificate {
    /// The next signature carries this one.
    pub fn replace(&self, pem: String) {
        self.0.store(Arc::new(pem));
    }
}

impl From<String> for NodeCertificate {
    fn from(pem: String) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(pem)))
    }
}

/// One transaction that has its place.
pub(crate) struct Placed {
    pub(crate) tx_id: TxId,
    pub(crate) domains: Domains,
    pub(crate) claims_digest: Digest,
}

/// A batch as bytes, and what is to be remembered of it.
pub(crate) struct SealedBatch {
    pub(crate) batch: Batch,
    /// Length and leaf of each entry, the signature's last.
    pub(crate) entries: Vec<(usize, Digest)>,
    /// The root over everything, the signature included.
    pub(crate) root: Digest,
    /// Whether a chunk file ends with this batch.
    pub(crate) ends_chunk: bool,
}

/// Turns batches into ledger entries, each batch ending with its signature transaction.
pub(crate) struct Sealer {
    signer: Signer,
    tree: Tree,
    chunk_size: u64,
    chunk_bytes: u64,
    last_signature: u64,
}

impl Sealer {
    pub(crate) fn new(signer: Signer, tree: Tree, last_signature: u64, chunk_size: u64, chunk_bytes: u64) -> Self {
        Self { signer, tree, chunk_size, chunk_bytes, last_signature }
    }

    /// Seals `placed` and signs; the signature transaction is applied to `head` too. Each entry is under the secret that
    /// applies at its place, so behind a rekey in the middle of the batch it is the new one.
    pub(crate) fn seal(
        &mut self,
        first: TxId,
        placed: Vec<Placed>,
        force_chunk: bool,
        head: &mut State,
        secrets: &LedgerSecrets,
    ) -> Result<SealedBatch, LedgerError> {
        let capacity = placed.iter().map(|one| one.domains.entry_len()).sum::<usize>() + 4096;
        let mut bytes = BatchContent::start(first, capacity);
        let mut entries = Vec::with_capacity(placed.len() + 1);
        let mut next = first;
        for Placed { tx_id, domains, claims_digest } in placed {
            let sealed = domains.seal(tx_id, 0, &claims_digest, secrets.require(tx_id.seqno)?)?;
            self.take(&mut bytes, &mut entries, &sealed);
            next.seqno = tx_id.seqno + 1;
        }
        let writes = self.signature(next)?;
        let ends_chunk = force_chunk || self.chunk_bytes >= self.chunk_size;
        let flags = if ends_chunk { FLAG_CHUNK_AFTER } else { 0 };
        let secret = secrets.require(next.seqno)?;
        let sealed = Domains::from_writes(&writes).seal(next, flags, &[0; 32], secret)?;
        self.take(&mut bytes, &mut entries, &sealed);
        self.last_signature = next.seqno;
        // The next signature carries the tree from here on; nobody asks the sealer for more.
        self.tree.forget(next.seqno);
        if ends_chunk {
            self.chunk_bytes = 0;
        }
        head.apply(next, &writes);
        Ok(SealedBatch { batch: Batch(bytes.freeze()), entries, root: self.tree.root(), ends_chunk })
    }

    fn signature(&self, tx_id: TxId) -> Result<WriteSet, LedgerError> {
        let node_certificate = self.signer.node_certificate.0.load();
        let signer = signature::Signer {
            node_key: &self.signer.node_key,
            node_certificate: &node_certificate,
            service_key: &self.signer.service_key,
            issuer: &self.signer.issuer,
            subject: &self.signer.subject,
        };
        signer.build(tx_id, &self.tree, self.last_signature, (self.signer.now)())
    }

    fn take(&mut self, bytes: &mut BytesMut, entries: &mut Vec<(usize, Digest)>, sealed: &Sealed) {
        bytes.extend_from_slice(&sealed.bytes);
        entries.push((sealed.bytes.len(), sealed.leaf));
        self.chunk_bytes += sealed.bytes.len() as u64;
        self.tree.append(sealed.leaf);
    }
}

/// A lock that nobody can poison: what it guards is replaced as a whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
