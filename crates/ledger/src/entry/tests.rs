use bytes::Bytes;
use crypto::AesKey;
use kv::WriteSet;
use proptest::prelude::*;

use super::*;
use crate::secrets::LedgerSecrets;

#[test]
fn a_header_reads_what_it_writes() {
    for size in [0, 1, 0xbb, 0x0102_0304_0506, MAX_SIZE] {
        let header = Header { flags: 1, size };
        assert_eq!(Header::from_bytes(header.to_bytes().unwrap()).unwrap(), header);
    }
    assert_eq!(hex::encode(Header { flags: 0, size: 0xbb }.to_bytes().unwrap()), "0100bb0000000000");
    assert!(Header { flags: 0, size: MAX_SIZE + 1 }.to_bytes().is_err());
    assert!(Header::from_bytes([2, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert!(Header::from_bytes([1, 4, 0, 0, 0, 0, 0, 0]).is_err());
}

#[test]
fn a_view_needs_31_bits() {
    assert!(iv(TxId::new(MAX_VIEW, 1)).is_ok());
    assert!(iv(TxId::new(MAX_VIEW + 1, 1)).is_err());
    assert_eq!(hex::encode(iv(TxId::new(2, 17)).unwrap()), "110000000000000002000000");
}

#[test]
fn entries_are_split_at_their_sizes() {
    let bytes = [1, 0, 2, 0, 0, 0, 0, 0, 7, 8, 1, 0];
    let (first, rest) = split_first(&bytes).unwrap();
    assert_eq!((first.len(), rest), (10, [1, 0].as_slice()));
    assert!(split_first(rest).is_err());
    assert!(split_first(&bytes[..9]).is_err());
}

fn secrets() -> LedgerSecrets {
    LedgerSecrets::from_keys([(1, AesKey::from_bytes([7; 32]).unwrap())]).unwrap()
}

/// An entry of any type around the records of public maps.
fn entry_of(kind: u8, digests: &[[u8; 32]], maps: &[u8]) -> Vec<u8> {
    let mut domain = vec![kind];
    domain.extend_from_slice(&9u64.to_le_bytes());
    digests.iter().for_each(|digest| domain.extend_from_slice(digest));
    domain.extend_from_slice(&0u64.to_le_bytes());
    domain.extend_from_slice(maps);
    let tx_id = TxId::new(3, 9);
    let iv = iv(tx_id).unwrap();
    let key = secrets().for_seqno(9).unwrap().key().clone();
    let tag = key.seal_in_place(&iv, &domain, &mut []).unwrap();
    let size = (16 + 12 + 8 + domain.len()) as u64;
    let header = Header { flags: 0, size }.to_bytes().unwrap();
    [&header[..], &tag, &iv, &(domain.len() as u64).to_le_bytes(), &domain].concat()
}

fn framed(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A map record that removes these keys and writes those.
fn map(name: &str, written: &[&str], removed: &[&str]) -> Vec<u8> {
    let count = |keys: &[&str]| (keys.len() as u64).to_le_bytes().to_vec();
    let written_keys: Vec<u8> = written.iter().flat_map(|key| [framed(key), framed("value")].concat()).collect();
    let removed_keys: Vec<u8> = removed.iter().flat_map(|key| framed(key)).collect();
    [framed(name), vec![0; 16], count(written), written_keys, count(removed), removed_keys].concat()
}

#[test]
fn legacy_types_have_fewer_digests() {
    let maps = map("public:m", &["k"], &[]);
    let (evidence, claims) = ([1; 32], [2; 32]);
    for (kind, digests) in [(0, vec![]), (2, vec![claims]), (3, vec![evidence]), (4, vec![claims, evidence])] {
        let bytes = entry_of(kind, &digests, &maps);
        let entry = decode(&bytes).unwrap();
        assert_eq!((entry.entry_type as u8, entry.tx_id), (kind, TxId::new(3, 9)));
        assert_eq!(entry.claims_digest, (kind == 2 || kind == 4).then_some(claims));
        assert_eq!(entry.commit_evidence_digest, (kind >= 3).then_some(evidence));
        assert_eq!(entry.open(&secrets()).unwrap().get("public:m", b"k"), Some(Some(&Bytes::from("value"))));
        let digest = entry.write_set_digest();
        let expected = match kind {
            0 => digest,
            2 => sha256_parts(&[&digest, &claims]),
            3 => sha256_parts(&[&digest, &evidence]),
            _ => sha256_parts(&[&digest, &evidence, &claims]),
        };
        assert_eq!(entry.leaf(), expected);
    }
    assert!(decode(&entry_of(1, &[], &maps)).unwrap_err().to_string().contains("snapshot"));
    assert!(decode(&entry_of(5, &[], &maps)).is_err());
}

#[test]
fn only_the_order_of_a_ledger_is_accepted() {
    let refused = |maps: &[Vec<u8>], field: &str| {
        let error = decode(&entry_of(0, &[], &maps.concat())).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    };
    let one = map("public:m", &["a", "b"], &["c"]);
    assert!(decode(&entry_of(0, &[], &one)).is_ok());
    refused(&[one.clone(), one.clone()], "name of a map");
    refused(&[one.clone(), map("public:a", &["a"], &[])], "name of a map");
    refused(&[map("private", &["a"], &[])], "expected a public map");
    refused(&[map("public:m", &["b", "a"], &[])], "key is 61");
    refused(&[map("public:m", &["a", "a"], &[])], "key is 61");
    refused(&[map("public:m", &[], &["b", "a"])], "key is 61");
    refused(&[map("public:m", &["a"], &["a"])], "removed key");
    refused(&[map("public:m", &[], &[])], "number of changes");
    refused(&[one[..one.len() - 1].to_vec()], "end inside key");
}

#[test]
fn another_secret_or_a_changed_entry_does_not_open() {
    let mut writes = WriteSet::default();
    writes.put("private", "key", "value");
    let claims_digest = [0; 32];
    let input = EntryInput { tx_id: TxId::new(2, 5), flags: 0, writes: &writes, claims_digest, secrets: &secrets() };
    let sealed = encode(input).unwrap();
    assert_eq!(decode(&sealed.bytes).unwrap().open(&secrets()).unwrap(), writes);
    let other = LedgerSecrets::from_keys([(1, AesKey::from_bytes([8; 32]).unwrap())]).unwrap();
    assert!(decode(&sealed.bytes).unwrap().open(&other).is_err());
    let later = LedgerSecrets::from_keys([(6, AesKey::from_bytes([7; 32]).unwrap())]).unwrap();
    assert!(matches!(decode(&sealed.bytes).unwrap().open(&later), Err(LedgerError::NoSecret { seqno: 5 })));
    assert!(matches!(encode(EntryInput { secrets: &later, ..input }), Err(LedgerError::NoSecret { seqno: 5 })));
    for at in HEADER_LEN..sealed.bytes.len() {
        let mut changed = sealed.bytes.clone();
        changed[at] ^= 1;
        assert!(decode(&changed).and_then(|entry| entry.open(&secrets())).is_err(), "byte {at}");
    }
}

/// Few names, so that keys meet; some maps private.
fn write_sets() -> impl Strategy<Value = WriteSet> {
    let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    let change = ("(public:)?[a-c]{1,2}", prop::collection::vec(any::<u8>(), 0..3), value);
    prop::collection::vec(change, 0..20).prop_map(|changes| {
        let mut writes = WriteSet::default();
        changes.into_iter().for_each(|(map, key, value)| writes.set(&map, key.into(), value.map(Bytes::from)));
        writes
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        writes in write_sets(),
        (view, seqno) in (1..=MAX_VIEW, 1u64..),
        (flags, claims_digest) in (0u8..4, any::<[u8; 32]>()),
    ) {
        let secrets = secrets();
        let tx_id = TxId::new(view, seqno);
        let sealed = encode(EntryInput { tx_id, flags, writes: &writes, claims_digest, secrets: &secrets }).unwrap();
        let entry = decode(&sealed.bytes).unwrap();
        prop_assert_eq!((entry.tx_id, entry.header.flags), (tx_id, flags));
        prop_assert_eq!(entry.claims_digest, Some(claims_digest));
        prop_assert_eq!(entry.leaf(), sealed.leaf);
        prop_assert!(entry.public.maps().all(|(name, _)| kv::is_public(name)));
        prop_assert_eq!(entry.private.is_empty(), writes.maps().all(|(name, _)| kv::is_public(name)));
        prop_assert_eq!(entry.open(&secrets).unwrap(), writes);
        prop_assert_eq!(split_first(&sealed.bytes).unwrap(), (sealed.bytes.as_slice(), [].as_slice()));
    }
}
