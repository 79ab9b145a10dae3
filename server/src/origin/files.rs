//! Files of the site: ranges, conditions and types by tower-http; what may be kept, and how to ask whether it changed.

use std::fs::Metadata;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use hyper::{Method, Request, Response, StatusCode};
use tower_http::services::ServeFile;

use super::{Body, page};
use crate::site::{Caching, Rules};

/// Serves a file below the site's root.
pub(super) async fn serve(rules: &Rules, path: &str, mut request: Request<Incoming>) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = page::status(405, "", "Only GET and HEAD are possible here.");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some((file, about)) = look(rules, path).await else { return page::status(404, "", "") };
    let tag = tag_of(&about);
    let date = about.modified().map(httpdate::fmt_http_date).unwrap_or_default();
    let mut response = match condition(&mut request, &tag, &date) {
        Some(StatusCode::NOT_MODIFIED) => {
            let mut response = Response::new(page::whole(""));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            if let Ok(date) = HeaderValue::from_str(&date) {
                response.headers_mut().insert(LAST_MODIFIED, date);
            }
            response
        }
        Some(other) => return page::status(other.as_u16(), "", ""),
        None => match ServeFile::new(file).precompressed_br().precompressed_gzip().try_call(request).await {
            Ok(response) => response.map(BodyExt::boxed_unsync),
            Err(_) => return page::status(404, "", ""),
        },
    };
    if response.status() == StatusCode::NOT_FOUND {
        return page::status(404, "", "");
    }
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    if let Some(Ok(mime)) = rules.mime(path).map(HeaderValue::from_str)
        && headers.contains_key(CONTENT_TYPE)
    {
        headers.insert(CONTENT_TYPE, mime);
    }
    let caching = match rules.caching {
        Caching::Unsaid => None,
        Caching::Never => Some("no-cache".to_owned()),
        Caching::For(time) => Some(format!("max-age={}", time.as_secs())),
    };
    if let Some(Ok(caching)) = caching.map(|caching| HeaderValue::from_str(&caching)) {
        headers.insert(CACHE_CONTROL, caching);
    }
    response
}

/// The file as it lies on the disk, if it lies below the root: a link may lead elsewhere by now.
async fn look(rules: &Rules, path: &str) -> Option<(PathBuf, Metadata)> {
    let root = tokio::fs::canonicalize(&rules.root).await.ok()?;
    let file = tokio::fs::canonicalize(root.join(path)).await.ok()?;
    let about = tokio::fs::metadata(&file).await.ok()?;
    (file.starts_with(&root) && about.is_file()).then_some((file, about))
}

/// Weak, since the same file may be sent as it is or compressed.
fn tag_of(about: &Metadata) -> String {
    let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("W/\"{:x}-{:x}\"", about.len(), changed.as_nanos())
}

/// What the request's conditions come to (RFC 9110 section 13.2.2); none for an answer as without them. Conditions that
/// others stand in for are taken off, those on dates are left to whoever serves the file.
fn condition<B>(request: &mut Request<B>, tag: &str, date: &str) -> Option<StatusCode> {
    let headers = request.headers_mut();
    if let Some(wanted) = headers.remove(IF_MATCH) {
        headers.remove(IF_UNMODIFIED_SINCE);
        // A weak tag is never strongly the same.
        if wanted != "*" {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
    }
    let has: Vec<_> = headers.get_all(IF_NONE_MATCH).iter().cloned().collect();
    if !has.is_empty() {
        headers.remove(IF_NONE_MATCH);
        headers.remove(IF_MODIFIED_SINCE);
        let opaque = tag.trim_start_matches("W/");
        let is_same = |one: &str| one == "*" || one.trim_start_matches("W/") == opaque;
        if has
            .iter()
            .filter_map(|list| list.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|one| is_same(one.trim()))
        {
            return Some(StatusCode::NOT_MODIFIED);
        }
    }
    if let Some(range_if) = headers.remove(IF_RANGE)
        && (date.is_empty() || range_if != date)
    {
        headers.remove(RANGE);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let (tag, date) = ("W/\"5-a\"", "Sun, 06 Nov 1994 08:49:37 GMT");
        let asked = |fields: &[(&str, &str)]| {
            let request = fields.iter().fold(Request::builder(), |it, (name, value)| it.header(*name, *value));
            let mut request = request.body(()).unwrap();
            let code = condition(&mut request, tag, date);
            (code.map(|code| code.as_u16()), request.headers().contains_key(RANGE), request.headers().len())
        };
        assert_eq!(asked(&[]), (None, false, 0));
        assert_eq!(asked(&[("if-none-match", "\"5-a\"")]).0, Some(304));
        assert_eq!(asked(&[("if-none-match", "\"x\", W/\"5-a\"")]).0, Some(304));
        assert_eq!(asked(&[("if-none-match", "*")]).0, Some(304));
        assert_eq!(asked(&[("if-none-match", "\"x\""), ("if-modified-since", date)]), (None, false, 0));
        assert_eq!(asked(&[("if-match", "\"5-a\"")]).0, Some(412));
        assert_eq!(asked(&[("if-match", "*"), ("if-unmodified-since", date)]), (None, false, 0));
        assert_eq!(asked(&[("range", "bytes=0-1"), ("if-range", date)]), (None, true, 1));
        assert_eq!(asked(&[("range", "bytes=0-1"), ("if-range", tag)]), (None, false, 0));
    }
}
