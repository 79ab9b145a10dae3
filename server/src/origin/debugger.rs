//! The debugger: a page that starts a process with its inspector open, and a way from a client's WebSocket to it.
//!
//! Who reaches the inspector runs any code, so: the page is there only where the debugger is on; it is for hosts that are
//! an address or `localhost`, since another site's name could lead here (DNS rebinding); each session has a secret that
//! nobody guesses, which the WebSocket must bring; other sites' pages are refused; and one client at a time is let in.
//! Requests that carry the session's cookie go to the process that is debugged, all others to the workers.

use std::net::{IpAddr, TcpListener};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SET_COOKIE,
    UPGRADE,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::Body;
use super::bridge::{self, Bridge};
use super::inspected::{Inspected, InspectedCell};
use super::page::{escaped, html, status, whole};
use crate::bulletin::{Bulletin, SESSION_COOKIE, is_same};
use crate::config::DebuggerConfig;
use crate::supervisor::Command;

/// What is waited for a process to open its inspector, or to end. 15 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often that is looked at. 20 ms.
const GLANCE: Duration = Duration::from_millis(20);

/// The debugger of one server.
pub struct Debugger {
    bulletin: Arc<Bulletin>,
    config: DebuggerConfig,
    inspected: Arc<InspectedCell>,
    commands: Sender<Command>,
    token: Mutex<Option<String>>,
    is_taken: Arc<AtomicBool>,
    /// Pages are made one after the other: each may start or end the process.
    turn: tokio::sync::Mutex<()>,
}

impl Debugger {
    /// A debugger without a session.
    #[must_use]
    pub fn new(
        bulletin: Arc<Bulletin>,
        config: DebuggerConfig,
        inspected: Arc<InspectedCell>,
        commands: Sender<Command>,
    ) -> Self {
        let (token, is_taken, turn) = (Mutex::default(), Arc::default(), tokio::sync::Mutex::default());
        Self { bulletin, config, inspected, commands, token, is_taken, turn }
    }

    /// Answers what is asked below its address.
    pub(super) async fn answer(&self, rest: &str, query: &str, request: Request<Incoming>) -> Response<Body> {
        let headers = request.headers();
        if !is_own_host(headers) || is_of_another_site(headers) {
            return status(
                403,
                "",
                "Open the debugger by an IP address or localhost, and not from another site's page.",
            );
        }
        match rest {
            "ws" => return self.bridge(query, request).await,
            "" => {}
            _ => return status(404, "", ""),
        }
        let _turn = self.turn.lock().await;
        if query.eq_ignore_ascii_case("kill") {
            return self.kill().await;
        }
        match self.start(query.eq_ignore_ascii_case("brk")).await {
            Ok(url) => self.page(&url, headers).await,
            Err(why) => no_cache(html(StatusCode::OK, format!("<h1>No debugger</h1><pre>{}</pre>\n", escaped(&why)))),
        }
    }

    /// The inspector's address, once there is a process with one.
    async fn start(&self, brk: bool) -> Result<String, String> {
        if let Inspected::Open(url) = self.inspected.look() {
            return Ok(url);
        }
        self.inspected.set(Inspected::Starting);
        let port = self.free_port()?;
        self.tell(Command::Inspect { port, brk })?;
        let until = Instant::now() + PATIENCE;
        loop {
            match self.inspected.look() {
                Inspected::Open(url) => {
                    self.begin()?;
                    return Ok(url);
                }
                Inspected::Failed(why) => return Err(why),
                Inspected::Nobody | Inspected::Starting if Instant::now() >= until => {
                    return Err("The process did not open its inspector in time.".into());
                }
                Inspected::Nobody | Inspected::Starting => tokio::time::sleep(GLANCE).await,
            }
        }
    }

    async fn kill(&self) -> Response<Body> {
        let text = if matches!(self.inspected.look(), Inspected::Open(_) | Inspected::Starting | Inspected::Failed(_)) {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.bulletin.gate().set_session(None);
            if let Err(why) = self.tell(Command::EndInspection) {
                return status(503, "", &why);
            }
            let until = Instant::now() + PATIENCE;
            while self.inspected.look() != Inspected::Nobody && Instant::now() < until {
                if matches!(self.inspected.look(), Inspected::Failed(_)) {
                    self.inspected.set(Inspected::Nobody);
                }
                tokio::time::sleep(GLANCE).await;
            }
            "The debugger and debugee processes have been killed."
        } else {
            "The debugger for the application is not running."
        };
        no_cache(html(StatusCode::OK, text))
    }

    fn tell(&self, command: Command) -> Result<(), String> {
        self.commands.try_send(command).map_err(|_| "The server is busy, or stops.".to_owned())
    }

    /// A port that nobody listens on.
    fn free_port(&self) -> Result<u16, String> {
        let (from, to) = self.config.ports;
        (from..=to)
            .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
            .ok_or_else(|| format!("No free port from {from} to {to} (debugger.ports)."))
    }

    /// A new session, with a new secret.
    fn begin(&self) -> Result<(), String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| format!("The system has no random numbers: {error}"))?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.bulletin.gate().set_session(Some(token.clone()));
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(())
    }

    async fn page(&self, url: &str, headers: &HeaderMap) -> Response<Body> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
        let version = bridge::version(url).await.unwrap_or_else(|| "node".into());
        let host = text_of(headers, &HOST);
        let at = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let port = at.rsplit(':').next().unwrap_or_default();
        let page = PAGE
            .replace("{version}", &escaped(&version))
            .replace("{token}", &escaped(&token))
            .replace("{inspector}", &escaped(at))
            .replace("{port}", &escaped(port))
            .replace("{host}", &escaped(host.rsplit_once(':').map_or(&host, |(name, _)| name)));
        let mut response = no_cache(html(StatusCode::OK, page));
        let cookie = format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    /// Lets a client's WebSocket through to the inspector.
    async fn bridge(&self, query: &str, mut request: Request<Incoming>) -> Response<Body> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let brought = query.strip_prefix("token=").unwrap_or_default();
        if !token.is_some_and(|token| is_same(token.as_bytes(), brought.as_bytes())) {
            return status(403, "", "This is not the secret of the session.");
        }
        let is_websocket = text_of(request.headers(), &UPGRADE).eq_ignore_ascii_case("websocket");
        let Inspected::Open(url) = self.inspected.look() else { return status(503, "", "The process is gone.") };
        if !is_websocket {
            return status(426, "", "A WebSocket is expected here.");
        }
        let Some(place) = Place::take(&self.is_taken) else {
            return status(409, "", "Somebody debugs already.");
        };
        let Ok(Bridge { mut stream, accept, early }) = bridge::open(&url, request.headers()).await else {
            return status(502, "", "The inspector does not answer.");
        };
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::task::spawn_local(async move {
            let _place = place;
            let Ok(upgraded) = upgrade.await else { return };
            let mut client = TokioIo::new(upgraded);
            if client.write_all(&early).await.is_ok() {
                // Either end may leave as it likes.
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut stream).await;
            }
        });
        let mut response = Response::new(whole(""));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let fields = response.headers_mut();
        fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(SEC_WEBSOCKET_ACCEPT, accept);
        response
    }
}

/// The one place of a client that debugs; free again when dropped.
struct Place(Arc<AtomicBool>);

impl Place {
    fn take(is_taken: &Arc<AtomicBool>) -> Option<Self> {
        (!is_taken.swap(true, AcqRel)).then(|| Self(Arc::clone(is_taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.swap(false, AcqRel);
    }
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn no_cache(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Whether the host is one that no name server can make ours: an address, or `localhost`.
fn is_own_host(headers: &HeaderMap) -> bool {
    let host = text_of(headers, &HOST);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => &host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// Whether a page of another site is behind the request. A link in one may lead here, nothing else.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let origin = text_of(headers, &ORIGIN);
    let (host, site) = (text_of(headers, &HOST), text_of(headers, &HeaderName::from_static("sec-fetch-site")));
    let is_own = origin.is_empty()
        || origin.strip_prefix("http://").or(origin.strip_prefix("https://")).is_some_and(|it| it == host)
        // The tools of a browser are no page.
        || origin.starts_with("devtools://");
    let mode = text_of(headers, &HeaderName::from_static("sec-fetch-mode"));
    !is_own || matches!(&*site, "cross-site" | "same-site") && mode != "navigate" && !origin.starts_with("devtools://")
}

const PAGE: &str = include_str!("debugger.html");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn hosts_that_no_name_server_can_make_ours() {
        for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "10.0.0.1"] {
            assert!(is_own_host(&headers(&[("host", host)])), "{host}");
        }
        for host in ["example.com", "localhost.example.com", "127.0.0.1.example.com:80", "", "a:b", "evil:80"] {
            assert!(!is_own_host(&headers(&[("host", host)])), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "127.0.0.1:8080");
        for fields in [
            &[host][..],
            &[host, ("origin", "http://127.0.0.1:8080")],
            &[host, ("origin", "devtools://devtools")],
            &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
            &[host, ("sec-fetch-site", "same-origin")],
        ] {
            assert!(!is_of_another_site(&headers(fields)), "{fields:?}");
        }
        for fields in [
            &[host, ("origin", "http://evil.example")][..],
            &[host, ("origin", "http://127.0.0.1:80801")],
            &[host, ("origin", "null")],
            &[host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
        ] {
            assert!(is_of_another_site(&headers(fields)), "{fields:?}");
        }
    }

    #[test]
    fn secrets() {
        assert!(is_same(b"abc", b"abc") && !is_same(b"abc", b"abd") && !is_same(b"abc", b"ab") && !is_same(b"a", b""));
    }
}
