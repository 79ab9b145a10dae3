//! The fixed tables of version 1: field names and methods that travel as numbers.
//!
//! `PROTOCOL.md` lists them, and a test holds all three copies (this one, the document's, the JavaScript codec's) to
//! each other. Nothing may be inserted, removed or reordered without a new version; appending needs a feature bit.

use crate::http1::METHODS;

/// Field names in the spelling that applications and browsers use.
const TEXT: &str = "\
    Host User-Agent Accept Accept-Encoding Accept-Language Accept-Charset Connection Cookie Referer Origin \
    Authorization Cache-Control Pragma Content-Type Content-Length Content-Encoding Content-Language \
    Content-Location Transfer-Encoding Upgrade Upgrade-Insecure-Requests DNT TE Expect From Range If-Match \
    If-None-Match If-Modified-Since If-Unmodified-Since If-Range Max-Forwards Date Trailer Via Warning Forwarded \
    X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Server X-Real-IP X-Client-IP \
    X-Request-Id X-Correlation-Id X-Requested-With X-CSRF-Token X-XSRF-TOKEN X-Api-Key X-HTTP-Method-Override \
    X-Original-URL Idempotency-Key Prefer Priority Purpose Save-Data Early-Data Last-Event-ID Service-Worker \
    Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-User Sec-Fetch-Dest Sec-Purpose Sec-GPC Sec-CH-UA Sec-CH-UA-Mobile \
    Sec-CH-UA-Platform Sec-WebSocket-Key Sec-WebSocket-Version Sec-WebSocket-Extensions Sec-WebSocket-Protocol \
    Sec-WebSocket-Accept Access-Control-Request-Method Access-Control-Request-Headers Proxy-Authorization \
    Traceparent Tracestate Baggage B3 X-B3-TraceId X-B3-SpanId X-B3-ParentSpanId X-B3-Sampled X-Amzn-Trace-Id \
    X-Cloud-Trace-Context CDN-Loop CF-Ray CF-Connecting-IP CF-IPCountry CF-Visitor True-Client-IP X-ARR-LOG-ID \
    X-ARR-SSL X-Azure-Ref Server ETag Last-Modified Expires Age Vary Location Set-Cookie Content-Disposition \
    Content-Range Accept-Ranges Accept-Patch Accept-Post Allow Retry-After Link WWW-Authenticate \
    Proxy-Authenticate Authentication-Info Strict-Transport-Security Content-Security-Policy \
    Content-Security-Policy-Report-Only X-Content-Type-Options X-Frame-Options X-XSS-Protection \
    X-DNS-Prefetch-Control X-Download-Options X-Permitted-Cross-Domain-Policies Referrer-Policy Permissions-Policy \
    Cross-Origin-Opener-Policy Cross-Origin-Embedder-Policy Cross-Origin-Resource-Policy Origin-Agent-Cluster \
    Access-Control-Allow-Origin Access-Control-Allow-Credentials Access-Control-Allow-Methods \
    Access-Control-Allow-Headers Access-Control-Expose-Headers Access-Control-Max-Age Timing-Allow-Origin \
    X-Powered-By X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset RateLimit RateLimit-Policy \
    RateLimit-Limit RateLimit-Remaining RateLimit-Reset Server-Timing X-Response-Time X-Cache X-Accel-Buffering \
    X-Robots-Tag X-UA-Compatible Alt-Svc Clear-Site-Data Surrogate-Control CDN-Cache-Control Report-To \
    Reporting-Endpoints NEL Refresh SourceMap Deprecation Sunset Accept-CH Critical-CH X-Nextjs-Cache X-Vercel-Id \
    X-AspNet-Version Keep-Alive";
const LOWER_TEXT: &[u8; TEXT.len()] = &lower(TEXT);

/// How many names there are.
const COUNT: usize = spaces(TEXT.as_bytes()) + 1;

/// Field names by number, in the spelling that applications and browsers use.
pub static NAMES: [&[u8]; COUNT] = words(TEXT.as_bytes());
/// The same in lower case: an entry stands for both.
static LOWER_NAMES: [&[u8]; COUNT] = words(LOWER_TEXT);

const fn lower(text: &str) -> [u8; TEXT.len()] {
    let mut lower = [0; TEXT.len()];
    let mut at = 0;
    while at < text.len() {
        lower[at] = text.as_bytes()[at].to_ascii_lowercase();
        at += 1;
    }
    lower
}

const fn spaces(text: &[u8]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < text.len() {
        count += (text[at] == b' ') as usize;
        at += 1;
    }
    count
}

const fn words(text: &'static [u8]) -> [&'static [u8]; COUNT] {
    let mut words: [&'static [u8]; COUNT] = [&[]; COUNT];
    let mut rest = text;
    let mut number = 0;
    while number < COUNT {
        let mut len = 0;
        while len < rest.len() && rest[len] != b' ' {
            len += 1;
        }
        let (word, after) = rest.split_at(len);
        words[number] = word;
        rest = if after.is_empty() { after } else { after.split_at(1).1 };
        number += 1;
    }
    words
}

/// Methods by their number in a REQUEST frame, which counts from 1. What node's parser knows, in version 1's order.
pub const METHOD_NUMBERS: &[&[u8]] = METHODS;

/// In a field's code: a name of the table rather than the length of a literal one.
const TABLE: u32 = 0x2000;
/// Slots of the index: a power of two, sparse enough that most names are found at once.
const INDEX_SLOTS: usize = 1024;
/// Where to look for a name: its hash leads to its number plus one, or to one of the slots behind it.
static INDEX: [u8; INDEX_SLOTS] = index();

const _: () = assert!(COUNT < 255, "a name's number plus one fits a byte");

const fn index() -> [u8; INDEX_SLOTS] {
    let mut slots = [0; INDEX_SLOTS];
    let mut number = 0;
    let names = words(TEXT.as_bytes());
    while number < COUNT {
        let mut at = hash(names[number]);
        while slots[at] != 0 {
            at = (at + 1) % INDEX_SLOTS;
        }
        slots[at] = number as u8 + 1;
        number += 1;
    }
    slots
}

/// Letter case aside. Length, first, middle and the two last bytes tell nearly all names apart.
const fn hash(name: &[u8]) -> usize {
    let len = name.len();
    if len < 2 {
        return 0;
    }
    let ends = folded(name[0], 7) ^ folded(name[len - 1], 3) ^ folded(name[len - 2], 31);
    (len.wrapping_mul(67) ^ ends ^ folded(name[len / 2], 157)) % INDEX_SLOTS
}

const fn folded(byte: u8, factor: usize) -> usize {
    (byte | 0x20) as usize * factor
}

/// The code of a field's name: a table entry where both spelling and case allow, else the length of the literal.
///
/// `None` for a name longer than [`NAME_BYTES_MAX`](super::NAME_BYTES_MAX).
pub(super) fn code_of(name: &[u8]) -> Option<u32> {
    let mut at = hash(name);
    while let Some(number) = usize::from(INDEX[at]).checked_sub(1) {
        let known = NAMES[number];
        if known.len() == name.len() {
            if known == name {
                return Some(TABLE | (number as u32) << 1);
            }
            if known.iter().zip(name).all(|(known, byte)| known.to_ascii_lowercase() == *byte) {
                return Some(TABLE | (number as u32) << 1 | 1);
            }
        }
        at = (at + 1) % INDEX_SLOTS;
    }
    (name.len() <= super::NAME_BYTES_MAX).then_some(name.len() as u32)
}

/// What a field's code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// An entry of the table.
    Known(&'static [u8]),
    /// So many bytes follow.
    Literal(usize),
}

/// Reads a code; `None` if it is not one.
pub(super) fn name_of(code: u32) -> Option<Name> {
    if code & TABLE == 0 {
        return (code > 0).then_some(Name::Literal(code as usize));
    }
    let number = (code ^ TABLE) as usize;
    let spellings: &[&'static [u8]] = if number & 1 == 0 { &NAMES } else { &LOWER_NAMES };
    spellings.get(number >> 1).copied().map(Name::Known)
}

/// The number of a method, from 1; 0 for one that is written out.
pub(super) fn method_number(method: &[u8]) -> u8 {
    METHOD_NUMBERS.iter().position(|known| *known == method).map_or(0, |at| at as u8 + 1)
}
