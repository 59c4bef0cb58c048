//! The encoding of a window's marks: LEB128 numbers in base64.
//!
//! Times are delta-encoded: the first one is absolute, each further one relative to the
//! one before. Each is followed by its amount or, for a distinct thing, by its mark of
//! six bytes.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer, Serializer, de};

/// Bytes of a distinct thing's mark: the chance that it is mistaken for one of a thousand
/// others is about one in 10¹¹.
pub(super) const MARK_BYTES: usize = 6;

/// Marks that can be packed.
pub(super) trait Packed: Sized {
    fn at(&self) -> u64;
    fn write(&self, bytes: &mut Vec<u8>);
    fn read(at: u64, bytes: &mut &[u8]) -> Option<Self>;
}

pub(super) fn serialize<T: Packed, S: Serializer>(
    marks: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let (mut bytes, mut before) = (Vec::with_capacity(marks.len() * 8), 0);
    for mark in marks {
        write_number(mark.at() - before, &mut bytes);
        mark.write(&mut bytes);
        before = mark.at();
    }
    serializer.serialize_str(&BASE64_STANDARD_NO_PAD.encode(bytes))
}

pub(super) fn deserialize<'de, T: Packed, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    let bytes = BASE64_STANDARD_NO_PAD.decode(text.as_bytes());
    let bytes = bytes.map_err(de::Error::custom)?;
    unpack(&bytes).ok_or_else(|| de::Error::custom("not a window's marks"))
}

fn unpack<T: Packed>(mut bytes: &[u8]) -> Option<Vec<T>> {
    // A mark has two bytes at least.
    let (mut marks, mut at) = (Vec::with_capacity(bytes.len() / 2), 0_u64);
    while !bytes.is_empty() {
        at = at.checked_add(read_number(&mut bytes)?)?;
        marks.push(T::read(at, &mut bytes)?);
    }
    Some(marks)
}

pub(super) fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

pub(super) fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        number |= part.checked_shl(shift).filter(|it| it >> shift == part)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_back_and_truncated_ones_are_rejected(number in any::<u64>()) {
            let mut bytes = Vec::new();
            write_number(number, &mut bytes);
            let mut all = bytes.as_slice();
            prop_assert_eq!(read_number(&mut all), Some(number));
            prop_assert!(all.is_empty());
            let mut half = &bytes[..bytes.len() - 1];
            prop_assert_eq!(read_number(&mut half), None);
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_none() {
        for bytes in [
            [0xff_u8; 11].as_slice(),
            &[0x80; 10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] {
            assert_eq!(read_number(&mut &*bytes), None);
        }
    }
}
