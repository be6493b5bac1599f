use crypto::{ForeignKey, Hash, Scheme, sha256_parts};

use crate::{Check, Rejection, Result};

/// `TPM_GENERATED_VALUE`: the TPM itself made the structure.
const MAGIC: u32 = 0xff54_4347;
/// `TPM_ST_ATTEST_QUOTE`
const QUOTE: u16 = 0x8018;
/// `TPM_ALG_SHA256`
const SHA256: u16 = 0x000b;
/// `TPM_ALG_RSASSA`
const RSASSA: u16 = 0x0014;
/// Bytes of clock, reset count, restart count and the flag `safe`, and of the firmware version.
const CLOCK_AND_FIRMWARE: usize = 17 + 8;
/// Most selections in a quote.
const MOST_SELECTIONS: u32 = 16;

/// A quote: TPMS_ATTEST and its signature (TPM 2.0 Library, part 2, sections 10.12 and 11.3).
///
/// Reading one proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote<'a> {
    /// What is signed.
    attest: &'a [u8],
    extra_data: &'a [u8],
    /// Bank and bit map of each selection.
    selections: Vec<(u16, &'a [u8])>,
    digest: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Quote<'a> {
    /// The bytes that are signed.
    #[must_use]
    pub fn attest(&self) -> &'a [u8] {
        self.attest
    }

    /// Reads TPM2B_ATTEST and the TPMT_SIGNATURE behind it.
    ///
    /// # Errors
    /// [`Check::QuoteFormat`]
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        let quote = reader.quote().filter(|_| reader.0.is_empty());
        quote.ok_or_else(|| Rejection::new(Check::QuoteFormat, "a quote with its RSASSA signature", "something else"))
    }

    /// Checks that a key signed it.
    ///
    /// # Errors
    /// [`Check::QuoteSignature`]
    pub fn check_signature(&self, key: &ForeignKey) -> Result<()> {
        let expected = "a signature by the attestation key of the virtual TPM";
        key.verify(Scheme::RsaPkcs1(Hash::Sha256), self.attest, self.signature)
            .map_err(|why| Rejection::new(Check::QuoteSignature, expected, why))
    }

    /// Checks that it is over a nonce.
    ///
    /// # Errors
    /// [`Check::QuoteNonce`]
    pub fn check_nonce(&self, nonce: &[u8]) -> Result<()> {
        let (wanted, found) = (hex::encode(nonce), hex::encode(self.extra_data));
        Rejection::unless(self.extra_data == nonce, Check::QuoteNonce, wanted, found)
    }

    /// Checks that the registers, in ascending order, are exactly those that are selected, in one bank of SHA-256.
    ///
    /// # Errors
    /// [`Check::QuoteSelection`]
    pub fn check_selection(&self, registers: impl Iterator<Item = u8>) -> Result<()> {
        let wanted: Vec<u8> = registers.collect();
        let found = match self.selections.as_slice() {
            [(SHA256, map)] => Some(selected(map)),
            _ => None,
        };
        let fits = found.as_ref() == Some(&wanted);
        let shown = found.map_or_else(|| "not one bank of SHA-256".to_owned(), |found| format!("{found:?}"));
        Rejection::unless(fits, Check::QuoteSelection, format!("{wanted:?}"), shown)
    }

    /// Checks that its digest is that of the registers with these values, in ascending order.
    ///
    /// # Errors
    /// [`Check::QuoteDigest`]
    pub fn check_digest<'b>(&self, values: impl Iterator<Item = &'b [u8; 32]>) -> Result<()> {
        let values: Vec<&[u8]> = values.map(<[u8; 32]>::as_slice).collect();
        let wanted = sha256_parts(&values);
        let found = hex::encode(self.digest);
        Rejection::unless(self.digest == wanted, Check::QuoteDigest, hex::encode(wanted), found)
    }
}

/// The numbers of the bits that are set, the least significant bit of the first byte first.
fn selected(map: &[u8]) -> Vec<u8> {
    let bits = (0_u8..).zip(map).flat_map(|(at, byte)| (0..8).map(move |bit| (at * 8 + bit, byte >> bit & 1)));
    bits.filter(|(_, set)| *set == 1).map(|(number, _)| number).collect()
}

/// What is still to be read. All numbers are big-endian.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn quote(&mut self) -> Option<Quote<'a>> {
        let attest = self.sized()?;
        let (extra_data, selections, digest) = Reader(attest).attest()?;
        if (self.u16()?, self.u16()?) != (RSASSA, SHA256) {
            return None;
        }
        Some(Quote { attest, extra_data, selections, digest, signature: self.sized()? })
    }

    #[expect(clippy::type_complexity, reason = "the parts of a quote, named where they are put together")]
    fn attest(mut self) -> Option<(&'a [u8], Vec<(u16, &'a [u8])>, &'a [u8])> {
        if (self.u32()?, self.u16()?) != (MAGIC, QUOTE) {
            return None;
        }
        let _qualified_signer = self.sized()?;
        let extra_data = self.sized()?;
        self.take(CLOCK_AND_FIRMWARE)?;
        let count = self.u32().filter(|count| *count <= MOST_SELECTIONS)?;
        let selections = (0..count).map(|_| self.selection()).collect::<Option<_>>()?;
        let digest = self.sized()?;
        self.0.is_empty().then_some((extra_data, selections, digest))
    }

    fn selection(&mut self) -> Option<(u16, &'a [u8])> {
        let bank = self.u16()?;
        let size = self.take(1)?.first().copied().filter(|size| *size <= 4)?;
        Some((bank, self.take(usize::from(size))?))
    }

    /// Bytes behind their length (a TPM2B structure).
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().copied().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().copied().map(u32::from_be_bytes)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}
