use super::*;

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
