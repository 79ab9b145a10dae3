//! Field sections: for each field one number, then a name that is not in the table, then the value.

use super::error::{Error, Unsendable};
use super::names::{Name, code_of, name_of};
use super::{FIELDS_MAX, HEAD_FRAME_BYTES_MAX};
use crate::http1::{Field, FieldWriter, is_token, is_value_byte};
use alloc::vec::Vec;

/// Bits of a field's number that hold the length of the value; the name's code is above them.
const VALUE_BITS: u32 = 18;
const VALUE_MASK: u32 = (1 << VALUE_BITS) - 1;

const _: () = assert!(HEAD_FRAME_BYTES_MAX <= VALUE_MASK, "a value's length fits its bits");

/// The fields of a head or trailer section, checked: names are tokens, values hold no controls but HTAB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSection<'a> {
    bytes: &'a [u8],
    count: u16,
}

impl<'a> FieldSection<'a> {
    /// No fields.
    pub const EMPTY: Self = Self { bytes: &[], count: 0 };

    /// Checks that `bytes` are `count` fields.
    pub(super) fn parse(bytes: &'a [u8], count: u16) -> Result<Self, Error> {
        if usize::from(count) > FIELDS_MAX {
            return Err(Error::TooManyFields);
        }
        let mut rest = bytes;
        for _ in 0..count {
            let (field, after) = split(rest)?;
            if !field.is_known && !is_token(field.name) {
                return Err(Error::BadName);
            }
            if !field.value.iter().all(|&byte| is_value_byte(byte)) {
                return Err(Error::BadValue);
            }
            rest = after;
        }
        if rest.is_empty() { Ok(Self { bytes, count }) } else { Err(Error::BadLength) }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names and values, in the sender's order and case.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let (field, after) = split(rest).ok()?;
            rest = after;
            Some((field.name, field.value))
        })
    }
}

struct Split<'a> {
    name: &'a [u8],
    value: &'a [u8],
    is_known: bool,
}

/// Takes the first field off.
fn split(bytes: &[u8]) -> Result<(Split<'_>, &[u8]), Error> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Error::BadLength)?;
    let number = u32::from_le_bytes(*number);
    let (name, rest, is_known) = match name_of(number >> VALUE_BITS).ok_or(Error::BadName)? {
        Name::Known(name) => (name, rest, true),
        Name::Literal(len) => {
            let (name, rest) = rest.split_at_checked(len).ok_or(Error::BadLength)?;
            (name, rest, false)
        }
    };
    let (value, rest) = rest.split_at_checked((number & VALUE_MASK) as usize).ok_or(Error::BadLength)?;
    Ok((Split { name, value, is_known }, rest))
}

/// Appends one field, its value in parts, and counts it.
fn put_field(out: &mut Vec<u8>, count: &mut u16, name: &[u8], value: &[&[u8]]) -> Result<(), Unsendable> {
    if usize::from(*count) == FIELDS_MAX {
        return Err(Unsendable::TooManyFields);
    }
    *count += 1;
    let len = value.iter().map(|part| part.len()).sum::<usize>();
    let code = code_of(name).ok_or(Unsendable::TooLarge)?;
    let len = u32::try_from(len).ok().filter(|len| *len <= VALUE_MASK).ok_or(Unsendable::TooLarge)?;
    out.extend_from_slice(&(code << VALUE_BITS | len).to_le_bytes());
    if matches!(name_of(code), Some(Name::Literal(_))) {
        out.extend_from_slice(name);
    }
    for part in value {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// The variable part of a head, being written.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    count: u16,
}

impl FieldWriter for Writer<'_> {
    type Error = Unsendable;

    fn received(&mut self, field: &Field<'_>) -> Result<(), Unsendable> {
        put_field(self.out, &mut self.count, field.name, &[field.value])
    }

    fn added(&mut self, name: &[u8], value: &[&[u8]]) -> Result<(), Unsendable> {
        put_field(self.out, &mut self.count, name, value)
    }
}

/// Writes fields behind `bytes` and tells how many there are.
pub(super) fn written(
    bytes: &mut Vec<u8>,
    fields: impl FnOnce(&mut Writer<'_>) -> Result<(), Unsendable>,
) -> Result<u16, Unsendable> {
    let mut writer = Writer { out: bytes, count: 0 };
    fields(&mut writer)?;
    Ok(writer.count)
}

pub(super) fn all<'f>(
    fields: impl IntoIterator<Item = (&'f [u8], &'f [u8])>,
    out: &mut Writer<'_>,
) -> Result<(), Unsendable> {
    fields.into_iter().try_for_each(|(name, value)| put_field(out.out, &mut out.count, name, &[value]))
}
