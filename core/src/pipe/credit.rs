//! Credit for body bytes: what may be sent, and what the peer was allowed to send.

use super::error::Error;
use super::{WINDOW_BYTES_MAX, WINDOW_BYTES_MIN};

/// Whether a window may be announced.
pub(super) const fn is_window(bytes: u32) -> bool {
    bytes >= WINDOW_BYTES_MIN && bytes <= WINDOW_BYTES_MAX
}

/// What one side may still send on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit(u32);

impl Credit {
    /// The credit of a new stream: the window that the receiver announced.
    #[must_use]
    pub const fn new(window: u32) -> Self {
        Self(window)
    }

    /// Body bytes that may be sent now.
    #[must_use]
    pub const fn left(self) -> u32 {
        self.0
    }

    /// Takes note of bytes that are sent; `None`, and nothing changes, if there is not enough credit.
    #[must_use]
    pub fn spend(&mut self, bytes: u32) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }

    /// More credit has come.
    ///
    /// # Errors
    /// [`Error::BadCredit`] if it is none, or the sum is more than [`WINDOW_BYTES_MAX`].
    pub fn add(&mut self, bytes: u32) -> Result<(), Error> {
        match self.0.checked_add(bytes) {
            Some(sum @ ..=WINDOW_BYTES_MAX) if bytes > 0 => self.0 = sum,
            _ => return Err(Error::BadCredit),
        }
        Ok(())
    }
}

/// What the peer may still send on one stream, and what has been used up since it was last told.
///
/// `allowed + waiting to be used up + used` is the window at any time: no more than that is ever held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    window: u32,
    allowed: u32,
    used: u32,
}

impl Allowance {
    /// The allowance of a new stream.
    #[must_use]
    pub const fn new(window: u32) -> Self {
        Self { window, allowed: window, used: 0 }
    }

    /// Body bytes that have arrived and are held until they are used.
    #[must_use]
    pub const fn held(self) -> u32 {
        self.window - self.allowed - self.used
    }

    /// Bytes have arrived.
    ///
    /// # Errors
    /// [`Error::CreditExceeded`] if they are more than was allowed.
    pub fn on_bytes(&mut self, bytes: u32) -> Result<(), Error> {
        self.allowed = self.allowed.checked_sub(bytes).ok_or(Error::CreditExceeded)?;
        Ok(())
    }

    /// `bytes` of what is held have been used up: written to the client, or read by the application. More than is held
    /// counts as all of it.
    pub fn on_used(&mut self, bytes: u32) {
        self.used += bytes.min(self.held());
    }

    /// The credit to send in a WINDOW frame now, if it is worth one: half of the window has been used up.
    #[must_use]
    pub fn poll_grant(&mut self) -> Option<u32> {
        if self.used == 0 || self.used < self.window / 2 {
            return None;
        }
        self.allowed += self.used;
        Some(core::mem::take(&mut self.used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_spent_and_added_within_bounds() {
        let mut credit = Credit::new(10);
        assert_eq!((credit.spend(11), credit.spend(10), credit.left()), (None, Some(()), 0));
        assert_eq!(credit.add(0), Err(Error::BadCredit));
        assert_eq!(credit.add(WINDOW_BYTES_MAX), Ok(()));
        assert_eq!(credit.add(1), Err(Error::BadCredit));
        assert_eq!(credit.left(), WINDOW_BYTES_MAX);
    }

    #[test]
    fn an_allowance_is_the_window_and_is_renewed_by_halves() {
        let mut allowance = Allowance::new(8);
        assert_eq!(allowance.on_bytes(9), Err(Error::CreditExceeded));
        allowance.on_bytes(8).unwrap();
        assert_eq!(allowance.held(), 8);
        allowance.on_used(3);
        assert_eq!(allowance.poll_grant(), None);
        allowance.on_used(100);
        assert_eq!((allowance.poll_grant(), allowance.poll_grant(), allowance.held()), (Some(8), None, 0));
        assert_eq!(allowance.on_bytes(8), Ok(()));
    }
}
