use proptest::prelude::*;

use super::*;

/// Cuts as `cuts` says, over and over.
fn pieces<'a>(mut bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    cuts.iter().cycle().map_while(move |cut| {
        let (piece, rest) = bytes.split_at((*cut).min(bytes.len()));
        let more = !bytes.is_empty();
        bytes = rest;
        more.then_some(piece)
    })
}

fn start(key: &AesKey, iv: &[u8; 12], aad: &[u8], cuts: &[usize]) -> GcmStream {
    let mut stream = key.gcm_stream(iv).unwrap();
    pieces(aad, cuts).for_each(|piece| stream.aad(piece).unwrap());
    stream
}

/// Encrypts piece by piece.
fn seal(key: &AesKey, iv: &[u8; 12], aad: &[u8], plain: &[u8], cuts: &[usize]) -> (Vec<u8>, [u8; 16]) {
    let mut stream = start(key, iv, aad, cuts);
    let mut out = Vec::new();
    for piece in pieces(plain, cuts) {
        let mut piece = piece.to_vec();
        stream.encrypt(&mut piece).unwrap();
        out.extend(piece);
    }
    (out, stream.finish())
}

proptest! {
    #[test]
    fn pieces_make_what_the_provider_makes_of_the_whole(
        key in any::<[u8; 32]>(),
        iv in any::<[u8; 12]>(),
        aad in prop::collection::vec(any::<u8>(), 0..200),
        plain in prop::collection::vec(any::<u8>(), 0..700),
        cuts in prop::collection::vec(1usize..70, 1..6),
        flip in any::<prop::sample::Index>(),
    ) {
        let key = AesKey::from_bytes(key).unwrap();
        let mut whole = plain.clone();
        let tag = key.seal_in_place(&iv, &aad, &mut whole).unwrap();
        prop_assert_eq!(seal(&key, &iv, &aad, &plain, &cuts), (whole.clone(), tag));

        let authenticated = |aad: &[u8], data: &[u8]| {
            let mut stream = start(&key, &iv, aad, &cuts);
            pieces(data, &cuts).for_each(|piece| stream.authenticate(piece).unwrap());
            stream
        };
        let mut opened = authenticated(&aad, &whole).open(&tag).unwrap();
        let mut read = Vec::new();
        for piece in pieces(&whole, &cuts) {
            let mut piece = piece.to_vec();
            opened.decrypt(&mut piece).unwrap();
            read.extend(piece);
        }
        prop_assert_eq!(read, plain);
        prop_assert_eq!(opened.decrypt(&mut [0]), Err(CryptoError::Decryption));

        // One byte of any of it, changed.
        let mut all = [&aad[..], &whole, &tag].concat();
        let at = flip.index(all.len());
        all[at] ^= 1;
        let (aad, rest) = all.split_at(aad.len());
        let (data, tag) = rest.split_at(whole.len());
        let changed = authenticated(aad, data).open(tag.try_into().unwrap());
        prop_assert_eq!(changed.err(), Some(CryptoError::Decryption));
    }
}

#[test]
fn pieces_larger_than_the_scratch() {
    let key = AesKey::from_bytes([3; 32]).unwrap();
    for length in [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17] {
        let plain: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let mut whole = plain.clone();
        let tag = key.seal_in_place(&[1; 12], b"aad", &mut whole).unwrap();
        for cut in [length, 5 * PIECE, PIECE + 3, 1000] {
            assert_eq!(seal(&key, &[1; 12], b"aad", &plain, &[cut]), (whole.clone(), tag), "{length} {cut}");
        }
    }
}

/// NIST, test vectors of GCM (McGrew and Viega), cases 13 to 16: AES-256 with IVs of 12 bytes.
#[test]
fn known_answers() {
    let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let cipher = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                  8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    let (zeros, iv) = ("00".repeat(32), "cafebabefacedbaddecaf888");
    let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    let cases = [
        (&*zeros, &*"00".repeat(12), "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            &zeros,
            &"00".repeat(12),
            "",
            &"00".repeat(16),
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (key, iv, "", plain, cipher, "b094dac5d93471bdec1a502270e3cc6c"),
        (key, iv, aad, &plain[..120], &cipher[..120], "76fc6ece0f4e1768cddf8853bb2d551b"),
    ];
    let bytes = |text: &str| hex::decode(text.replace(' ', "")).unwrap();
    for (key, iv, aad, plain, cipher, tag) in cases {
        let key = AesKey::from_bytes(bytes(key).try_into().unwrap()).unwrap();
        let iv = bytes(iv).try_into().unwrap();
        for cut in [1, 16, 64] {
            let (sealed, computed) = seal(&key, &iv, &bytes(aad), &bytes(plain), &[cut]);
            assert_eq!((hex::encode(sealed), hex::encode(computed)), (cipher.replace(' ', ""), tag.to_owned()));
        }
    }
}

#[test]
fn additional_data_comes_first() {
    let mut stream = AesKey::from_bytes([3; 32]).unwrap().gcm_stream(&[1; 12]).unwrap();
    stream.aad(b"first").unwrap();
    stream.encrypt(&mut []).unwrap();
    assert_eq!(stream.aad(b"late"), Err(CryptoError::Encryption));
    stream.data = MAX_DATA;
    assert_eq!(stream.encrypt(&mut [0]), Err(CryptoError::Encryption), "the counter would wrap");
    assert!(!format!("{stream:?}").contains("mask"));
}
