//! Small names for the things the core talks about.

use core::fmt;

/// A pinned thread with a ring; counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// A slot in the worker table; counts from 0. Successive processes in one slot differ in their [`Generation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u16);

/// Counts the processes that lived in one slot of the worker table, from 1; 0 means that none ever did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// The generation of the slot's next process. Wraps past `u32::MAX` to 1.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(if self.0 == u32::MAX { 1 } else { self.0 + 1 })
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}", self.0)
    }
}

/// Names one exchange for logs and for the `X-Request-Id` header: 16 bytes, written as 32 lower-case hex digits.
///
/// The high half is random per process start (handed in), the low half counts: 16 bits of shard, 48 bits of exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// Differs from one start of the server to the next.
    pub boot: u64,
    /// Shard in the top 16 bits, running number below.
    pub serial: u64,
}

impl RequestId {
    /// The first id of `shard`.
    #[must_use]
    pub const fn first(boot: u64, shard: ShardId) -> Self {
        Self { boot, serial: (shard.0 as u64) << 48 }
    }

    /// The id after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { boot: self.boot, serial: self.serial.wrapping_add(1) }
    }

    /// The 32 hex digits.
    #[must_use]
    pub fn to_hex(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut out = [0; 32];
        for (half, word) in [self.boot, self.serial].into_iter().enumerate() {
            for i in 0..16 {
                out[half * 16 + i] = DIGITS[(word >> (60 - 4 * i)) as usize & 15];
            }
        }
        out
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.boot, self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_id_hex_is_its_display() {
        let id = RequestId::first(0x0123_4567_89ab_cdef, ShardId(3)).next();
        assert_eq!(std::str::from_utf8(&id.to_hex()).unwrap(), id.to_string());
        assert_eq!(id.to_string(), "0123456789abcdef0003000000000001");
    }
}
