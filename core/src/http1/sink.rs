//! Where encoded heads go, and the writing of field lines.

use super::field::Field;
use super::token::is_value_byte;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// Where encoded bytes go.
pub trait Sink {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// There is no room for all of them; how many were taken is not defined.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full>;

    /// Appends several pieces in order.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    fn put_all(&mut self, parts: &[&[u8]]) -> Result<(), Full> {
        parts.iter().try_for_each(|part| self.put(part))
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// A [`Sink`] has no room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer for a head is full")
    }
}

impl core::error::Error for Full {}

/// Writes field lines. Neighbours that already read as they would be written are copied in one piece: each byte of
/// theirs was checked when they were parsed, so this saves time and changes nothing.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    pending: Range<usize>,
}

impl<'a> Lines<'a> {
    /// Lines out of a head's bytes.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, pending: 0..0 }
    }

    pub(super) fn put(&mut self, field: &Field<'_>, out: &mut impl Sink) -> Result<(), Full> {
        debug_assert!(field.value.iter().all(|&byte| is_value_byte(byte)));
        let Some(line) = field.canonical_line() else {
            self.finish(out)?;
            return out.put_all(&[field.name, b": ", field.value, b"\r\n"]);
        };
        debug_assert!(
            self.bytes[line.clone()].iter().eq([field.name, b": ", field.value, b"\r\n"].into_iter().flatten())
        );
        if line.start != self.pending.end {
            self.finish(out)?;
            self.pending.start = line.start;
        }
        self.pending.end = line.end;
        Ok(())
    }

    /// Writes what is left. Lines can be put again afterwards.
    pub(super) fn finish(&mut self, out: &mut impl Sink) -> Result<(), Full> {
        let pending = core::mem::take(&mut self.pending);
        if pending.is_empty() { Ok(()) } else { out.put(&self.bytes[pending]) }
    }
}
