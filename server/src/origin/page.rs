//! Answers that are pages: a status in words, a redirection, the application being offline.

use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Body;

/// What a `Location` cannot hold as it is.
const LOCATION_ENCODED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Seconds after which a client may look again whether the application is back.
const OFFLINE_RETRY: HeaderValue = HeaderValue::from_static("10");

/// A body that is there as a whole.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A page.
pub(super) fn html(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// A status in words; `reason` and `text` stand in for the usual ones.
pub(super) fn status(status: u16, reason: &str, text: &str) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let usual = status.canonical_reason().unwrap_or("Unknown");
    let title = escaped(if reason.is_empty() { usual } else { reason });
    let text = escaped(text);
    let code = status.as_u16();
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{code} {title}</title></head>\n\
         <body><h1>{code} {title}</h1><p>{text}</p></body></html>\n"
    );
    let mut response = html(status, page);
    if let Ok(phrase) = ReasonPhrase::try_from(reason.as_bytes().to_vec())
        && !reason.is_empty()
    {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// A redirection.
pub(super) fn redirect(code: u16, location: &str) -> Response<Body> {
    let mut response = status(code, "", "");
    let location = utf8_percent_encode(location, LOCATION_ENCODED).to_string();
    if let Ok(value) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// The page of an application that is offline, as its operator wrote it.
pub(super) async fn offline(page: &Path) -> Response<Body> {
    // It may be gone again, or unreadable: then the status has to do.
    let mut response = match tokio::fs::read(page).await {
        Ok(text) => {
            let mut response = html(StatusCode::SERVICE_UNAVAILABLE, text);
            // What it is encoded in, it says itself.
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            response
        }
        Err(_) => status(503, "", "The application is offline."),
    };
    response.headers_mut().insert(RETRY_AFTER, OFFLINE_RETRY);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why the configuration cannot be used, with the status that pages of errors for developers have. None: it can by now.
pub(super) fn misconfigured(why: Option<&String>) -> Response<Body> {
    let Some(why) = why else {
        let mut response = status(503, "", "The configuration was read again just now.");
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
        return response;
    };
    let text = escaped(why);
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Configuration error</title></head>\n\
         <body><h1>Configuration error</h1><pre>{text}</pre>\n\
         <p>You see this page, with status 200, because devErrorsEnabled (errors.dev_pages) is on.</p></body></html>\n"
    );
    let mut response = html(StatusCode::OK, page);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A text as HTML shows it; control characters are named.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(letter),
            control if control.is_control() => out.push_str(&format!("[x{:02X}]", u32::from(control))),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_place() {
        assert_eq!(escaped("a<b>&\"'\u{1b}[1m\n"), "a&lt;b&gt;&amp;&quot;&#39;[x1B][1m\n");
    }

    #[test]
    fn locations_are_one_line() {
        let response = redirect(302, "/a b\r\nX: y?c=\u{e9}");
        assert_eq!(response.headers()[LOCATION], "/a%20b%0D%0AX:%20y?c=%C3%A9");
        assert_eq!(response.status(), 302);
    }

    #[test]
    fn a_reason_of_ones_own() {
        assert!(status(403, "Not you", "go away").extensions().get::<ReasonPhrase>().is_some());
        assert!(status(403, "Not\r\nyou", "").extensions().get::<ReasonPhrase>().is_none());
    }
}
