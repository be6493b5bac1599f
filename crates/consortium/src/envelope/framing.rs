//! The outer form of a signed request, taken apart without building anything: whoever sends it has proven nothing yet.

use api::ApiError;

use super::header::malformed;

/// Bytes of each of the two headers of a request; the reference tools write less than 300.
pub const MAX_HEADER_BYTES: usize = 8 << 10;
/// Lists, maps and tags in each other in a request.
pub const MAX_NESTING: usize = 16;

const SIGN1_TAG: u64 = 18;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const NULL: u8 = 0xf6;
const BREAK: u8 = 0xff;
/// The additional information of an item of indefinite length.
const INDEFINITE: u8 = 31;

/// Why bytes are not one item of CBOR (RFC 8949).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Malformed,
    TooDeep,
}

/// The items of a COSE_Sign1 that are read here.
pub(super) struct Parts<'a> {
    /// A byte string, with its head.
    pub(super) protected: &'a [u8],
    /// A map, with its head.
    pub(super) unprotected: &'a [u8],
}

/// Takes a message apart.
pub(super) fn parts(message: &[u8]) -> Result<Parts<'_>, ApiError> {
    let (first, rest) = match head(message) {
        Some((TAG, Some(SIGN1_TAG), rest)) => (item(rest)?, rest),
        Some((LIST, ..)) => return Err(malformed("COSE_Sign1 is not tagged")),
        Some((TAG, Some(tag), _)) => return Err(malformed(&format!("COSE_Sign1 is not tagged: the tag is {tag}"))),
        _ => return Err(malformed("Failed to parse COSE_Sign1 outer array")),
    };
    if first.len() < rest.len() {
        return Err(malformed(&format!("{} bytes follow the COSE_Sign1", rest.len() - first.len())));
    }
    let four = elements(first)?;
    let [protected, unprotected, payload, signature] = four.as_slice() else {
        return Err(malformed("expected protected header, unprotected header, payload and signature"));
    };
    let kinds = [kind(protected), kind(unprotected), kind(signature)] == [Some(BYTES), Some(MAP), Some(BYTES)];
    if !kinds || (kind(payload) != Some(BYTES) && **payload != [NULL]) {
        return Err(malformed("expected protected header, unprotected header, payload and signature"));
    }
    check_size("protected", protected)?;
    check_size("unprotected", unprotected)?;
    Ok(Parts { protected, unprotected })
}

fn check_size(which: &str, header: &[u8]) -> Result<(), ApiError> {
    if header.len() <= MAX_HEADER_BYTES {
        return Ok(());
    }
    Err(malformed(&format!("the {which} header has {} bytes; there may be {MAX_HEADER_BYTES}", header.len())))
}

/// The elements of a list of definite length, up to five of them.
fn elements(list: &[u8]) -> Result<Vec<&[u8]>, ApiError> {
    let Some((LIST, Some(count), mut rest)) = head(list) else {
        return Err(malformed("Failed to parse COSE_Sign1 outer array"));
    };
    let mut elements = Vec::new();
    for _ in 0..count.min(5) {
        let element = item(rest)?;
        rest = rest.get(element.len()..).unwrap_or_default();
        elements.push(element);
    }
    Ok(elements)
}

fn kind(item: &[u8]) -> Option<u8> {
    item.first().map(|first| first >> 5)
}

/// The item that the bytes begin with.
fn item(bytes: &[u8]) -> Result<&[u8], ApiError> {
    let behind = skip(bytes, MAX_NESTING).map_err(|odd| match odd {
        Odd::Malformed => malformed("Failed to parse COSE_Sign1 outer array"),
        Odd::TooDeep => malformed(&format!("more than {MAX_NESTING} lists, maps and tags are in each other")),
    })?;
    Ok(bytes.get(..bytes.len() - behind.len()).unwrap_or_default())
}

/// What is behind the item that the bytes begin with.
fn skip(bytes: &[u8], depth: usize) -> Result<&[u8], Odd> {
    let (major, argument, rest) = head(bytes).ok_or(Odd::Malformed)?;
    let within = || depth.checked_sub(1).ok_or(Odd::TooDeep);
    match (major, argument) {
        (BYTES | TEXT, Some(length)) => {
            let length = usize::try_from(length).map_err(|_| Odd::Malformed)?;
            rest.get(length..).ok_or(Odd::Malformed)
        }
        (BYTES..=MAP, None) => skip_to_break(rest, within()?),
        (LIST, Some(count)) => skip_many(rest, count, within()?),
        (MAP, Some(count)) => skip_many(rest, count.checked_mul(2).ok_or(Odd::Malformed)?, within()?),
        (TAG, Some(_)) => skip(rest, within()?),
        (_, Some(_)) => Ok(rest),
        (_, None) => Err(Odd::Malformed),
    }
}

/// Ends with the bytes at the latest: an item has at least one.
fn skip_many(mut rest: &[u8], count: u64, depth: usize) -> Result<&[u8], Odd> {
    for _ in 0..count {
        rest = skip(rest, depth)?;
    }
    Ok(rest)
}

fn skip_to_break(mut rest: &[u8], depth: usize) -> Result<&[u8], Odd> {
    loop {
        match rest.split_first() {
            Some((&BREAK, behind)) => return Ok(behind),
            _ => rest = skip(rest, depth)?,
        }
    }
}

/// Kind and argument of the first item, and what is behind its head. No argument means an indefinite length.
fn head(bytes: &[u8]) -> Option<(u8, Option<u64>, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, info) = (first >> 5, first & 0x1f);
    let length = match info {
        0..=23 => return Some((major, Some(info.into()), rest)),
        24..=27 => 1_usize << (info - 24),
        INDEFINITE => return Some((major, None, rest)),
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(length)?;
    let argument = number.iter().fold(0_u64, |argument, byte| argument << 8 | u64::from(*byte));
    Some((major, Some(argument), rest))
}

#[cfg(test)]
mod tests {
    use coset::cbor::{Value, de::from_reader, ser::into_writer};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_item_ends_where_it_ends() {
        for (hex, behind) in [
            ("00", 0),
            ("1818ff", 1),
            ("1bffffffffffffffff00", 1),
            ("4301020300", 1),
            ("5f41014102ff00", 1),
            ("83010203", 0),
            ("9f0102ff01", 1),
            ("a1016161", 0),
            ("bf01026161f4ff", 0),
            ("d28443a0", usize::MAX),
            ("c11a514b67b0", 0),
            ("fb3ff199999999999a", 0),
            ("", usize::MAX),
            ("ff", usize::MAX),
            ("1c", usize::MAX),
            ("9f", usize::MAX),
            ("9bffffffffffffffff00", usize::MAX),
            ("bbffffffffffffffff0000", usize::MAX),
            ("5bffffffffffffffff00", usize::MAX),
        ] {
            let bytes = hex::decode(hex).unwrap();
            assert_eq!(skip(&bytes, 4).map_or(usize::MAX, <[u8]>::len), behind, "{hex}");
        }
    }

    #[test]
    fn nesting_is_counted() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0]].concat();
        assert_eq!(skip(&nested(MAX_NESTING), MAX_NESTING), Ok(&[][..]));
        assert_eq!(skip(&nested(MAX_NESTING + 1), MAX_NESTING), Err(Odd::TooDeep));
        assert_eq!(skip(&vec![0xc1; 1 << 20], MAX_NESTING), Err(Odd::TooDeep));
        assert_eq!(skip(&vec![0x9f; 1 << 20], MAX_NESTING), Err(Odd::TooDeep));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            any::<String>().prop_map(Value::Text),
            any::<f64>().prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Map),
                (any::<u64>(), inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_skipped_as_a_whole(value in value(), behind: Vec<u8>) {
            let mut bytes = Vec::new();
            into_writer(&value, &mut bytes).unwrap();
            bytes.extend(&behind);
            prop_assert_eq!(skip(&bytes, MAX_NESTING), Ok(behind.as_slice()));
        }

        #[test]
        fn whatever_a_parser_takes_is_skipped_in_the_same_way(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut rest = bytes.as_slice();
            if from_reader::<Value, _>(&mut rest).is_ok() {
                prop_assert_eq!(skip(&bytes, 64), Ok(rest));
            }
        }
    }
}
