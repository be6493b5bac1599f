use ledger::{LedgerError, chunk::ChunkName, entry, merkle::Tree, signature::NodeSignature, tables};

use crate::{
    ReplicationError,
    history::{Part, watched_keys},
    replay::check_root,
    store::EntryReader,
};

/// What a chunk file says of itself. With a `tree` over everything before it, each of its signatures must be over exactly
/// that and what comes before it in the chunk.
pub(super) fn read(
    reader: &EntryReader,
    name: ChunkName,
    mut tree: Option<&mut Tree>,
) -> Result<Part, ReplicationError> {
    let failed = |seqno, why: LedgerError| ReplicationError::ledger(name, seqno, why);
    let mut chunk = reader.read_chunk(name)?;
    let mut part = Part::new(name.start);
    while let Some(found) = chunk.next_entry().map_err(|why| failed(part.last() + 1, why))? {
        let seqno = found.seqno;
        take(&mut part, &mut tree, seqno, found.offset, &found.bytes).map_err(|why| failed(seqno, why))?;
    }
    Ok(part)
}

fn take(
    part: &mut Part,
    tree: &mut Option<&mut Tree>,
    seqno: u64,
    offset: u64,
    bytes: &[u8],
) -> Result<(), LedgerError> {
    let decoded = entry::decode(bytes)?;
    if decoded.tx_id.seqno != seqno {
        let (expected, got) = (seqno.to_string(), decoded.tx_id.seqno.to_string());
        return Err(LedgerError::Differs { field: "seqno", expected, got });
    }
    let signature = decoded.public.get(tables::SIGNATURES, &kv::UNIT_KEY).flatten();
    let leaf = decoded.leaf();
    if let Some(tree) = tree {
        if let Some(json) = signature {
            check_root(&tree.root(), &NodeSignature::from_json(json)?)?;
            tree.forget(seqno - 1);
        }
        tree.append(leaf);
    }
    part.entry(offset, leaf);
    if signature.is_some() {
        part.signed();
    }
    for (map, key) in watched_keys(&decoded.public) {
        part.wrote(map, key, seqno);
    }
    Ok(())
}
