//! The ledgers of real CCF services in `tests/data`, with the keys that open them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Certificate, wrap::rsa_oaep_decrypt};
use kv::UNIT_KEY;
use ledger::{
    LedgerError,
    chunk::{ChunkName, ChunkReader, Selection, sequence},
    entry::{Entry, decode},
    files,
    secrets::{HistoricalSecret, LedgerSecrets, unwind},
    shares::{RecoveryShares, Share, combine},
    tables,
    verify::{Options, Report, VerifyError, verify_chunks},
};

pub const EXPIRED: &str = "expired_service";
pub const FLIPFLOP: &str = "cose_flipflop_service";

pub fn service(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/ccf-ledgers").join(name)
}

pub fn ledger(name: &str) -> PathBuf {
    service(name).join("ledger")
}

pub fn certificate(name: &str) -> Certificate {
    Certificate::from_pem(&fs::read_to_string(service(name).join("service_cert.pem")).unwrap()).unwrap()
}

/// All entries of a ledger, as bytes.
pub fn entries(name: &str) -> Vec<Vec<u8>> {
    let directory = ledger(name);
    let mut entries = Vec::new();
    for chunk in files::chunks(&directory, Selection::default()).unwrap() {
        let mut reader = files::open(&directory, chunk).unwrap();
        while let Some(entry) = reader.next_entry().unwrap() {
            assert_eq!(entry.seqno, entries.len() as u64 + 1);
            entries.push(entry.bytes);
        }
    }
    entries
}

pub fn decoded(entries: &[Vec<u8>]) -> Vec<Entry<'_>> {
    entries.iter().map(|bytes| decode(bytes).unwrap()).collect()
}

/// The latest value of a table of one value, and the seqno that wrote it.
pub fn latest(entries: &[Entry<'_>], table: &str) -> Option<(u64, Vec<u8>)> {
    entries.iter().rev().find_map(|entry| {
        let value = entry.public.get(table, &UNIT_KEY)??;
        Some((entry.tx_id.seqno, value.to_vec()))
    })
}

/// The ledger secrets, from recovery shares opened with the members' keys.
pub fn secrets(name: &str, entries: &[Entry<'_>]) -> LedgerSecrets {
    let (_, json) = latest(entries, tables::RECOVERY_SHARES).unwrap();
    let record = RecoveryShares::from_json(&json).unwrap();
    let shares: Vec<Share> = record.encrypted_shares.iter().map(|(id, share)| open_share(name, id, share)).collect();
    let wrapped = STANDARD.decode(&record.wrapped_latest_ledger_secret).unwrap();
    let latest = combine(&shares).unwrap().unwrap(&wrapped).unwrap();
    let records: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let json = entry.public.get(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, &UNIT_KEY)??;
            Some((entry.tx_id.seqno, HistoricalSecret::from_json(json).unwrap()))
        })
        .collect();
    unwind(latest, &records).unwrap()
}

/// Members are known by the digest of their certificate; their keys lie beside it.
pub fn open_share(name: &str, member: &str, share: &str) -> Share {
    let keys = service(name).join("keys");
    for index in 0.. {
        let pem = fs::read_to_string(keys.join(format!("member{index}_cert.pem"))).unwrap();
        if Certificate::from_pem(&pem).unwrap().id() == member {
            let key = fs::read_to_string(keys.join(format!("member{index}_enc_privk.pem"))).unwrap();
            return Share::from_bytes(&rsa_oaep_decrypt(&key, &STANDARD.decode(share).unwrap()).unwrap()).unwrap();
        }
    }
    unreachable!()
}

/// A ledger in memory, to be changed.
#[derive(Clone)]
pub struct Copy {
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Copy {
    pub fn of(name: &str) -> Self {
        Self::read(&ledger(name))
    }

    pub fn read(directory: &Path) -> Self {
        let files = fs::read_dir(directory).unwrap().map(|file| {
            let file = file.unwrap();
            (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
        });
        Self { files: files.collect() }
    }

    pub fn verify(&self, options: Options<'_>) -> Result<Report, VerifyError> {
        let names = sequence(self.files.keys().map(String::as_str), options.selection)
            .map_err(|source| fault("directory", source))?;
        verify_chunks(&names, |name| self.open(name), Vec::new(), options, &mut |_| {})
    }

    fn open(&self, name: ChunkName) -> Result<ChunkReader<Cursor<&[u8]>>, LedgerError> {
        ChunkReader::open(name, Cursor::new(self.files[&name.to_string()].as_slice()))
    }
}

fn fault(file: &str, source: LedgerError) -> VerifyError {
    VerifyError::new(file, None, source)
}
