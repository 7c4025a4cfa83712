//! Positions in a tenant's log.
//!
//! A cursor is written `<seq>.<lineage>`: thirteen base32hex digits (RFC 4648 section 7, upper case, big end first) of
//! the sequence number, a dot, seven of the lineage. The width is fixed, so that texts compare as numbers do; clients
//! compare cursors and never build them. A cursor is valid for all channels of its tenant.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
const SEQ_DIGITS: usize = 13;
const LINEAGE_DIGITS: usize = 7;

/// Bytes of a cursor as text.
pub const CURSOR_BYTES: usize = SEQ_DIGITS + 1 + LINEAGE_DIGITS;

/// A sequence number in a tenant's log. The first event is 1; 0 is the position before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The position before the first event.
    pub const ZERO: Self = Self(0);
    /// The largest number: what SQL's signed 64 bits hold.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An unbroken run of a tenant's log: 35 random bits, drawn at each start of the log's writer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Lineage(u64);

impl Lineage {
    /// How many bits a lineage has.
    pub const BITS: u32 = 35;

    /// The lineage of the low 35 bits of `bits`.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// The number, below 2^35.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

/// A position in a tenant's log: a number, and the lineage under which it was given.
///
/// Ordering is by number first, as the texts order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Cursor {
    /// Everything up to and including this number lies behind the position.
    pub seq: Seq,
    /// The run of history that the number belongs to.
    pub lineage: Lineage,
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: pass back an id exactly as it was received (21 characters)")]
pub struct InvalidCursor;

fn write_digits(mut value: u64, out: &mut [u8]) {
    for slot in out.iter_mut().rev() {
        *slot = DIGITS[(value & 31) as usize];
        value >>= 5;
    }
}

fn read_digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'V' => byte - b'A' + 10,
            _ => return None,
        };
        value.checked_mul(32).map(|shifted| shifted | u64::from(digit))
    })
}

impl Cursor {
    /// The position `seq` of `lineage`.
    #[must_use]
    pub const fn new(seq: Seq, lineage: Lineage) -> Self {
        Self { seq, lineage }
    }

    /// The text, without an allocation.
    #[must_use]
    pub fn to_bytes(self) -> [u8; CURSOR_BYTES] {
        let mut text = [b'.'; CURSOR_BYTES];
        write_digits(self.seq.0, &mut text[..SEQ_DIGITS]);
        write_digits(self.lineage.0, &mut text[SEQ_DIGITS + 1..]);
        text
    }

    /// Reads a cursor from bytes that need not be UTF-8.
    ///
    /// # Errors
    /// [`InvalidCursor`] for anything but the one text that [`Cursor::to_bytes`] writes for a number.
    pub fn from_bytes(text: &[u8]) -> Result<Self, InvalidCursor> {
        if text.len() != CURSOR_BYTES || text[SEQ_DIGITS] != b'.' {
            return Err(InvalidCursor);
        }
        let seq = read_digits(&text[..SEQ_DIGITS]).ok_or(InvalidCursor)?;
        let lineage = read_digits(&text[SEQ_DIGITS + 1..]).ok_or(InvalidCursor)?;
        if seq > Seq::MAX.0 {
            return Err(InvalidCursor);
        }
        Ok(Self::new(Seq(seq), Lineage(lineage)))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.to_bytes() {
            fmt::Write::write_char(f, char::from(byte))?;
        }
        Ok(())
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a reader asks to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// With the oldest retained event.
    Start,
    /// With whatever comes next.
    Now,
    /// After the cursor.
    Cursor(Cursor),
}

impl FromStr for Since {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        match text {
            "start" => Ok(Self::Start),
            "now" => Ok(Self::Now),
            other => other.parse().map(Self::Cursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_fixed_width_base32hex() {
        let cursor = Cursor::new(Seq(33), Lineage::from_bits(31));
        assert_eq!(cursor.to_string(), "0000000000011.000000V");
        assert_eq!(Cursor::new(Seq::MAX, Lineage::from_bits(u64::MAX)).to_string(), "7VVVVVVVVVVVV.VVVVVVV");
    }

    #[test]
    fn anything_else_is_no_cursor() {
        for bad in [
            "",
            "0000000000011",
            "0000000000011.000000v",
            "0000000000011-000000V",
            "0000000000011.000000V ",
            "000000000001.0000000V",
            "VVVVVVVVVVVVV.0000000",
            "8000000000000.0000000",
            "earliest",
            "0000000000011.00000é",
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_cursor_reads_back_and_orders_as_its_text(
            a in 0..=Seq::MAX.0, b in 0..=Seq::MAX.0, x: u64, y: u64
        ) {
            let a = Cursor::new(Seq(a), Lineage::from_bits(x));
            let b = Cursor::new(Seq(b), Lineage::from_bits(y));
            prop_assert_eq!(a.to_string().parse::<Cursor>(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
