use crypto::{Digest, Zeroizing, hmac_sha256};

use super::encoding::Reader;
use crate::planted::{self, Fault as Planted};

const MAGIC: [u8; 4] = *b"cgsF";
const TAGGED: usize = 16;
const HEADER: usize = 56;
const CRC: usize = 4;
const OVERHEAD: usize = HEADER + 32 + CRC;
/// Frames begin at offsets that this divides.
const ALIGN: usize = 8;

/// What frames are authenticated with.
pub(super) struct Keys {
    header: Zeroizing<Digest>,
    frame: Zeroizing<Digest>,
}

impl Keys {
    pub(super) fn new(mac_key: &[u8; 32]) -> Self {
        Self {
            header: Zeroizing::new(hmac_sha256(mac_key, b"cgs raft log header")),
            frame: Zeroizing::new(hmac_sha256(mac_key, b"cgs raft log frame")),
        }
    }

    fn tag(&self, tagged: &[u8]) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = hmac_sha256(self.header.as_slice(), tagged);
        [a, b, c, d, e, f, g, h]
    }

    fn mac(&self, bytes: &[u8]) -> Digest {
        hmac_sha256(self.frame.as_slice(), bytes)
    }
}

/// The last frame, which the next one refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) number: u64,
    pub(super) mac: Digest,
}

impl Chain {
    /// Before the first frame of a log.
    pub(super) const START: Self = Self { number: 0, mac: [0; 32] };
}

/// A frame as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The frame it says it follows.
    pub(super) after: Chain,
    pub(super) body: &'a [u8],
    pub(super) mac: Digest,
    /// Bytes of the whole frame.
    pub(super) len: usize,
}

impl Frame<'_> {
    pub(super) fn chain(&self) -> Chain {
        Chain { number: self.after.number + 1, mac: self.mac }
    }
}

/// Why there is no frame where one was looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Only zeros from here on.
    End,
    /// Not a whole frame: it may be that its write was interrupted.
    Incomplete(&'static str),
    /// A whole frame that was not written under these keys.
    Unauthentic,
}

/// Bytes that a frame with a body of `body` bytes takes.
pub(super) fn frame_len(body: usize) -> usize {
    (OVERHEAD + body).next_multiple_of(ALIGN)
}

/// Appends the frame that follows `after` to `out` and returns its place in the chain. The body must be shorter than 4 GiB.
pub(super) fn seal(keys: &Keys, after: Chain, body: &[u8], out: &mut Vec<u8>) -> Chain {
    let start = out.len();
    let padded = frame_len(body.len()) - OVERHEAD;
    out.extend(MAGIC);
    out.extend(u32::try_from(padded).unwrap_or(u32::MAX).to_le_bytes());
    out.extend((after.number + 1).to_le_bytes());
    out.extend(keys.tag(written(out, start)));
    out.extend(after.mac);
    out.extend(body);
    out.resize(start + HEADER + padded, 0);
    let mac = keys.mac(written(out, start));
    out.extend(mac);
    out.extend(crc32fast::hash(written(out, start)).to_le_bytes());
    Chain { number: after.number + 1, mac }
}

fn written(out: &[u8], start: usize) -> &[u8] {
    out.get(start..).unwrap_or_default()
}

/// Reads the frame that `bytes` begin with.
pub(super) fn read<'a>(keys: &Keys, bytes: &'a [u8]) -> Result<Frame<'a>, Fault> {
    let frame = match whole(bytes) {
        Ok(frame) => frame,
        Err(_) if bytes.iter().all(|byte| *byte == 0) => return Err(Fault::End),
        Err(fault) => return Err(Fault::Incomplete(fault)),
    };
    if authentic(keys, bytes, &frame) || planted::is(Planted::TornTailAccepted) {
        Ok(frame)
    } else {
        Err(Fault::Unauthentic)
    }
}

/// Offset of the first authentic frame later than `after`, wherever it begins.
pub(super) fn find(keys: &Keys, bytes: &[u8], after: Chain) -> Option<usize> {
    let is_frame = |bytes: &[u8]| {
        bytes.starts_with(&MAGIC)
            && tagged(keys, bytes)
            && whole(bytes).is_ok_and(|frame| frame.after.number >= after.number && authentic(keys, bytes, &frame))
    };
    (0..bytes.len()).step_by(ALIGN).find(|at| bytes.get(*at..).is_some_and(is_frame))
}

fn authentic(keys: &Keys, bytes: &[u8], frame: &Frame<'_>) -> bool {
    let signed = bytes.get(..HEADER + frame.body.len()).unwrap_or_default();
    tagged(keys, bytes) && equal(&keys.mac(signed), &frame.mac)
}

fn tagged(keys: &Keys, bytes: &[u8]) -> bool {
    let mut reader = Reader(bytes);
    match (reader.bytes(TAGGED), reader.array::<8>()) {
        (Some(head), Some(tag)) => equal(&keys.tag(head), &tag),
        _ => false,
    }
}

/// Takes the same time wherever they differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Splits a frame and checks what needs no key.
fn whole(bytes: &[u8]) -> Result<Frame<'_>, &'static str> {
    let mut reader = Reader(bytes);
    if reader.array() != Some(MAGIC) {
        return Err("no frame begins here");
    }
    let (frame, crc) = fields(reader).ok_or("the file ends inside a frame")?;
    let checked = bytes.get(..frame.len - CRC).unwrap_or_default();
    if planted::is(Planted::TornTailAccepted) {
        return Ok(frame);
    }
    if crc32fast::hash(checked) != crc || !frame.len.is_multiple_of(ALIGN) {
        return Err("the checksum of the frame does not fit");
    }
    Ok(frame)
}

/// The fields behind the magic, unchecked, and the checksum.
fn fields(mut reader: Reader<'_>) -> Option<(Frame<'_>, u32)> {
    let len = usize::try_from(reader.u32()?).ok()?;
    let number = reader.u64()?;
    let _tag: [u8; 8] = reader.array()?;
    let after = Chain { number: number.saturating_sub(1), mac: reader.array()? };
    let body = reader.bytes(len)?;
    let mac = reader.array()?;
    Some((Frame { after, body, mac, len: OVERHEAD + len }, reader.u32()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> Keys {
        Keys::new(&[7; 32])
    }

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        seal(&keys(), Chain { number: 41, mac: [9; 32] }, body, &mut bytes);
        bytes
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = sealed(b"some records of a frame");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&keys(), &bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let bytes = sealed(b"records");
        assert_eq!(read(&Keys::new(&[8; 32]), &bytes), Err(Fault::Unauthentic));
        assert_eq!(find(&Keys::new(&[8; 32]), &bytes, Chain::START), None);
    }

    #[test]
    fn zeros_are_the_end() {
        assert_eq!(read(&keys(), &[0; 500]), Err(Fault::End));
        assert_eq!(read(&keys(), &[]), Err(Fault::End));
        assert_eq!(read(&keys(), b"\0\0\x01"), Err(Fault::Incomplete("no frame begins here")));
    }

    #[test]
    fn only_later_frames_are_found() {
        let mut bytes = vec![0xee; 64];
        bytes.extend(sealed(b"records")); // number 42
        let after = |number| Chain { number, mac: [0; 32] };
        assert_eq!(find(&keys(), &bytes, after(40)), Some(64));
        assert_eq!(find(&keys(), &bytes, after(41)), Some(64));
        assert_eq!(find(&keys(), &bytes, after(42)), None);
    }

    proptest! {
        #[test]
        fn a_frame_reads_back(body in prop::collection::vec(any::<u8>(), 0..300), behind in prop::collection::vec(any::<u8>(), 0..50)) {
            let mut bytes = sealed(&body);
            prop_assert_eq!(bytes.len(), frame_len(body.len()));
            let chain = Chain { number: 42, mac: bytes[bytes.len() - 36..bytes.len() - 4].try_into().unwrap() };
            bytes.extend(behind);
            let frame = read(&keys(), &bytes).unwrap();
            prop_assert_eq!(frame.chain(), chain);
            prop_assert_eq!(frame.after, Chain { number: 41, mac: [9; 32] });
            prop_assert_eq!(&frame.body[..body.len()], &body[..]);
            prop_assert!(frame.body[body.len()..].iter().all(|byte| *byte == 0));
            prop_assert_eq!(frame.len % 8, 0);
        }

        #[test]
        fn a_cut_frame_is_incomplete(body in prop::collection::vec(any::<u8>(), 0..300), keep in any::<prop::sample::Index>()) {
            let bytes = sealed(&body);
            let keep = keep.index(bytes.len() - 1) + 1;
            prop_assert!(matches!(read(&keys(), &bytes[..keep]), Err(Fault::Incomplete(_))));
            let mut zeroed = bytes.clone();
            zeroed[keep..].fill(0);
            if zeroed != bytes {
                prop_assert!(matches!(read(&keys(), &zeroed), Err(Fault::Incomplete(_))));
            }
        }
    }
}
