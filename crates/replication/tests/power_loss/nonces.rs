//! Nothing is ever encrypted twice with one key and one IV, whatever the host does with the disks.

use std::{collections::BTreeMap, io::Cursor, path::Path, sync::Arc};

use disk::{Disk, ForgetfulDisk};
use ledger::{
    chunk::{ChunkReader, Selection, sequence},
    entry::{self, split_first},
    secrets::LedgerSecrets,
};
use openraft::EntryPayload;
use replication::log::{LogOptions, SegmentLog};

use crate::{
    seeds::text,
    service::{LEDGER, MAC_KEY, STATE},
};

/// Where an entry has its IV: behind its header and the tag.
const IV: std::ops::Range<usize> = 24..36;

/// Every ciphertext so far, by key and IV.
#[derive(Clone, Default)]
pub(crate) struct Nonces(BTreeMap<([u8; 32], Vec<u8>), crypto::Digest>);

impl Nonces {
    /// Takes down what a process has encrypted, whether it became durable or not.
    pub(crate) fn note(&mut self, disk: &ForgetfulDisk, secrets: &LedgerSecrets) -> Result<(), String> {
        let disk = disk.copy();
        let directory = Path::new(LEDGER);
        if !disk.exists(&Path::new(STATE).join("log")).map_err(text)? {
            return Ok(());
        }
        for name in sequence(disk.list(directory).map_err(text)?.iter().map(String::as_str), Selection::default())
            .map_err(text)?
            .into_iter()
            .filter(|name| name.committed)
        {
            let bytes = disk.read(&directory.join(name.to_string())).map_err(text)?;
            let mut reader = ChunkReader::open(name, Cursor::new(bytes)).map_err(text)?;
            while let Some(found) = reader.next_entry().map_err(text)? {
                self.entry(&found.bytes, secrets)?;
            }
        }
        // A process that was interrupted while it made its log has encrypted nothing.
        let options = LogOptions { segment_bytes: 1024, ..LogOptions::new(MAC_KEY) };
        let Ok((log, _)) = SegmentLog::open(Arc::new(disk), Path::new(STATE).join("log"), options) else {
            return Ok(());
        };
        for found in log.entries() {
            if let EntryPayload::Normal(batch) = found.payload {
                // Behind the version of the layout, the view and the first seqno.
                let mut rest = batch.0.get(17..).unwrap_or_default();
                while !rest.is_empty() {
                    let (bytes, behind) = split_first(rest).map_err(text)?;
                    self.entry(bytes, secrets)?;
                    rest = behind;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, bytes: &[u8], secrets: &LedgerSecrets) -> Result<(), String> {
        let decoded = entry::decode(bytes).map_err(text)?;
        // What was never answered may be under a secret of another process, which is not known any more.
        let Some(secret) = secrets.for_seqno(decoded.tx_id.seqno) else { return Ok(()) };
        let iv = bytes.get(IV).unwrap_or_default().to_vec();
        let digest = crypto::sha256(bytes);
        let other = self.0.insert((*secret.key().as_bytes(), iv), digest);
        if other.is_some_and(|other| other != digest) {
            return Err(format!("the IV of {} was used twice with one key", decoded.tx_id));
        }
        Ok(())
    }
}
