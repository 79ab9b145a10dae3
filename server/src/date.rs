//! Dates as text, in UTC. The calendar is httpdate's, only the order is ours.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// As in RFC 3339, to the second: `2026-11-22T18:24:01Z`. What was before 1970 is 1970.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    ordered(at, |year, month, day, time| {
        let month = MONTHS.iter().position(|name| *name == month).map_or(0, |at| at + 1);
        format!("{year}-{month:02}-{day}T{time}Z")
    })
}

/// As in Apache's log formats: `22/Nov/2026:18:24:01 +0000`.
#[must_use]
pub fn common(at: SystemTime) -> String {
    ordered(at, |year, month, day, time| format!("{day}/{month}/{year}:{time} +0000"))
}

/// Gives year, name of the month, day and time.
fn ordered(at: SystemTime, order: impl Fn(&str, &str, &str, &str) -> String) -> String {
    // "Sun, 22 Nov 2026 18:24:01 GMT"
    let date = httpdate::fmt_http_date(at.max(UNIX_EPOCH));
    let words: Vec<_> = date.split(' ').collect();
    let &[_, day, month, year, time, _] = words.as_slice() else { return date };
    order(year, month, day, time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_read_like_dates() {
        let at = UNIX_EPOCH + Duration::from_millis(1_795_371_841_999);
        assert_eq!((rfc3339(at), common(at)), ("2026-11-22T18:24:01Z".into(), "22/Nov/2026:18:24:01 +0000".into()));
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
    }
}
