//! The character classes and small grammars that every part of the codec shares (RFC 9110 section 5.6).

const TCHAR: u8 = 1;
const VALUE: u8 = 2;
const HOST: u8 = 4;

/// One byte of class bits per character.
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        if byte.is_ascii_alphanumeric() {
            table[i] |= TCHAR | HOST;
        }
        if byte == b'\t' || byte == b' ' || byte.is_ascii_graphic() || byte >= 0x80 {
            table[i] |= VALUE;
        }
        i += 1;
    }
    mark(&mut table, b"!#$%&'*+-.^_`|~", TCHAR);
    // RFC 3986's unreserved and sub-delims. The comma is left out: it would let two hosts hide in one field.
    mark(&mut table, b"-._~!$&'()*+;=", HOST);
    table
}

const fn mark(table: &mut [u8; 256], of: &[u8], class: u8) {
    let mut i = 0;
    while i < of.len() {
        table[of[i] as usize] |= class;
        i += 1;
    }
}

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
pub(super) fn is_tchar(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TCHAR != 0
}

/// Whether `byte` may stand in a field value or reason phrase: no controls but HTAB (RFC 9110 section 5.5).
pub(crate) fn is_value_byte(byte: u8) -> bool {
    CLASS[usize::from(byte)] & VALUE != 0
}

/// Whether `byte` may stand unescaped in a registered name (RFC 3986 section 3.2.2), the comma excepted.
pub(super) fn is_host_byte(byte: u8) -> bool {
    CLASS[usize::from(byte)] & HOST != 0
}

/// Whether `bytes` is a token: not empty, token characters only.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_tchar(byte))
}

/// `bytes` without the spaces and tabs at both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma-separated list, trimmed; empty elements are kept, for the caller to judge.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Whether `name` starts with the lower-case `prefix`, letter case aside.
pub(super) fn has_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// A decimal number without sign, space, leading zero or overflow of 64 bits; `None` for anything else.
pub(super) fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || (bytes.len() > 1 && bytes[0] == b'0') {
        return None;
    }
    bytes.iter().try_fold(0_u64, |sum, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Writes `value` in decimal at the end of `buffer` and returns the digits.
pub(crate) fn write_decimal(mut value: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &buffer[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_takes_one_spelling_only() {
        for (text, value) in [("0", 0), ("7", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(decimal(text.as_bytes()), Some(value));
            assert_eq!(write_decimal(value, &mut [0; 20]), text.as_bytes());
        }
        for bad in ["", "00", "05", "+5", "-0", " 5", "5 ", "0x5", "1_0", "5,5", "18446744073709551616", "5\u{0664}"] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn classes_follow_the_grammar() {
        assert!((0..=255).filter(|&b| is_tchar(b)).count() == 77);
        assert!(!is_value_byte(0x7f) && !is_value_byte(b'\r') && is_value_byte(b'\t') && is_value_byte(0xff));
        assert!(is_token(b"M-SEARCH") && !is_token(b"") && !is_token(b"a b"));
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(elements(b"a, ,b").collect::<Vec<_>>(), [&b"a"[..], b"", b"b"]);
    }
}
