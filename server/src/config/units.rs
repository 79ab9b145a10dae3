//! Quantities as people write them: `16KiB`, `60s`, `[::1]:8080`, `10.0.0.0/8`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::Network;

/// Units of memory and their bytes, largest first.
const BYTE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
    ("B", 1),
];

/// Units of time and their milliseconds, largest first.
const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Digits, then a unit; `bare` is the unit of digits alone. None if it is something else or more than a `u64`.
fn quantity(text: &str, units: &[(&str, u64)], bare: u64) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim();
    let factor = match unit {
        "" => bare,
        named => units.iter().find(|(name, _)| name.eq_ignore_ascii_case(named))?.1,
    };
    number.checked_mul(factor)
}

/// The largest unit that gives a whole number. Binary units win over decimal ones.
fn shown(value: u64, units: &[(&str, u64)]) -> String {
    let exact = |&&(_, factor): &&(&str, u64)| value >= factor && value.is_multiple_of(factor);
    match units.iter().find(exact) {
        Some((name, factor)) => format!("{}{name}", value / factor),
        None => format!("{value}"),
    }
}

/// Reads bytes: a whole number, or one with B, kB, KiB, MB, MiB, GB, GiB, TB or TiB.
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    quantity(text, &BYTE_UNITS, 1)
}

/// Writes bytes so that [`parse_bytes`] reads the same.
pub(super) fn show_bytes(bytes: u64) -> String {
    shown(bytes, &BYTE_UNITS)
}

/// Reads a time: whole seconds, or a whole number with ms, s, m, h or d.
pub(super) fn parse_time(text: &str) -> Option<Duration> {
    quantity(text, &TIME_UNITS, 1000).map(Duration::from_millis)
}

/// Writes a time so that [`parse_time`] reads the same.
pub(super) fn show_time(time: Duration) -> String {
    shown(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &TIME_UNITS)
}

/// Reads `IP:PORT`, `localhost:PORT`, or `*:PORT`, `:PORT` and `PORT` alone, which are every IPv4 address.
pub(crate) fn parse_address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let ip: IpAddr = match host {
        "" | "*" => Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, parse_port(port)?))
}

/// Reads a port, digits only (`u16::from_str` would take a plus sign).
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Reads `ADDRESS/BITS`, or an address alone, which is a block of full length.
pub(super) fn parse_network(text: &str) -> Option<Network> {
    let text = text.trim();
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().ok()?;
    let full = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match bits {
        None => full,
        Some(bits) => u8::try_from(parse_port(bits)?).ok().filter(|&bits| bits <= full)?,
    };
    Some(Network { address, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_and_written_alike() {
        for (text, bytes) in [("16KiB", 16 << 10), ("30MB", 30_000_000), ("1GiB", 1 << 30), ("7B", 7), ("0", 0)] {
            assert_eq!((parse_bytes(text), show_bytes(bytes)), (Some(bytes), text.to_owned()));
        }
        assert_eq!((parse_bytes("1_000"), parse_bytes(" 2 mib ")), (Some(1000), Some(2 << 20)));
        for bad in ["", "k", "16k", "-1", "1.5MB", "99999999999GiB", "٣"] {
            assert_eq!(parse_bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_read_and_written_alike() {
        for (text, ms) in [("100ms", 100), ("75s", 75_000), ("1h", 3_600_000), ("2m", 120_000), ("1500ms", 1500)] {
            let time = Duration::from_millis(ms);
            assert_eq!((parse_time(text), show_time(time)), (Some(time), text.to_owned()));
        }
        assert_eq!(parse_time("60"), Some(Duration::from_secs(60)));
        assert_eq!((parse_time("60 sec"), parse_time("1m30s")), (None, None));
    }

    #[test]
    fn addresses_have_short_forms() {
        let has = |text, address: &str| assert_eq!(parse_address(text), address.parse().ok(), "{text}");
        has("3000", "0.0.0.0:3000");
        has(":3000", "0.0.0.0:3000");
        has("*:80", "0.0.0.0:80");
        has("localhost:80", "127.0.0.1:80");
        has("[::]:80", "[::]:80");
        for bad in ["", "example.com:80", "1.2.3.4", "1.2.3.4:99999", "::1:80:", "+80", "/tmp/x.sock"] {
            assert_eq!(parse_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn networks_are_checked() {
        assert!(parse_network("10.0.0.0/8").is_some() && parse_network("::1").is_some());
        for bad in ["10.0.0.0/33", "10.0.0/8", "x", "1.2.3.4/", "1.2.3.4/+8"] {
            assert_eq!(parse_network(bad), None, "{bad}");
        }
    }
}
