//! The page for developers that explains why the application failed: `errors.dev_pages`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use forebay_core::id::{Generation, WorkerId};
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Response, StatusCode};

use super::Body;
use super::board::{Board, Last};
use super::page::{escaped, html};
use crate::status::Cause;

/// What is waited for the supervisor to learn of an end that a shard has seen already. 500 ms.
const NEWS: Duration = Duration::from_millis(500);

/// How often the board is looked at meanwhile. 10 ms.
const GLANCE: Duration = Duration::from_millis(10);

/// `E_FAIL`, where a cause has no number of Win32.
const UNSPECIFIED: u32 = 0x8000_4005;

/// What turns a number of Win32 into an HRESULT.
const FROM_WIN32: u32 = 0x8007_0000;

/// The page about a failure; `process` is whose it was.
pub(super) async fn page(board: &Board, cause: Cause, process: Option<(WorkerId, Generation)>) -> Response<Body> {
    let last = match process {
        Some((worker, generation)) => look(board, worker, generation, may_have_ended(cause)).await,
        None => None,
    };
    let mut response = html(StatusCode::OK, text(cause, process, last.as_ref()));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What the board has; where there is more to come, after a while.
async fn look(board: &Board, worker: WorkerId, generation: Generation, waits: bool) -> Option<Last> {
    let until = Instant::now() + if waits { NEWS } else { Duration::ZERO };
    loop {
        let found = board.of(worker, generation);
        if found.is_some() || Instant::now() >= until {
            return found;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Whether the process was probably gone when that came to pass.
fn may_have_ended(cause: Cause) -> bool {
    !matches!(cause, Cause::Silent | Cause::NotHttp | Cause::BadAnswerHead | Cause::AnswerTooLarge | Cause::NoWorker)
}

fn text(cause: Cause, process: Option<(WorkerId, Generation)>, last: Option<&Last>) -> String {
    let row = cause.row();
    let code = if row.iisnode.status == 0 { row.native } else { row.iisnode };
    let reason = StatusCode::from_u16(code.status).ok().and_then(|it| it.canonical_reason()).unwrap_or("Unknown");
    let hresult = row.win32.map_or(UNSPECIFIED, |number| FROM_WIN32 | number);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{sentence}</title>\n\
         <style>body{{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
         pre{{background:#eee;padding:1em;overflow:auto}}</style></head>\n<body><h1>{sentence}</h1>\n\
         <pre>HRESULT: 0x{hresult:x}\nHTTP status: {status}\nHTTP subStatus: {sub}\nHTTP reason: {reason}</pre>\n\
         <p>You see this page, with status 200, because devErrorsEnabled (errors.dev_pages) is on. Turn it off in \
         production.</p>\n<h2>What it means</h2><p>{likely}</p>\n<h2>What to do</h2><p>{remedy}</p>\n",
        sentence = escaped(row.sentence),
        status = code.status,
        sub = code.sub,
        likely = escaped(row.likely),
        remedy = escaped(row.remedy),
    );
    // Writing to a text does not fail.
    let _fits = match (process, last) {
        (_, Some(last)) => write!(
            page,
            "<h2>The process</h2><p>{}</p>\n{}",
            escaped(&last.story),
            if last.stderr.is_empty() {
                "<p>It wrote nothing to stderr.</p>\n".to_owned()
            } else {
                format!("<p>The last it wrote to stderr:</p><pre>{}</pre>\n", escaped(&last.stderr.join("\n")))
            }
        ),
        (Some((worker, _)), None) => {
            writeln!(page, "<h2>The process</h2><p>Worker {worker} runs on. What it writes is in Forebay's output.</p>")
        }
        (None, None) => Ok(()),
    };
    let _fits =
        writeln!(page, "<p><code>forebay explain {}</code> says the same in a terminal.</p></body></html>", row.name);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_application_writes_stays_text() {
        let last = Last {
            worker: WorkerId(1),
            generation: Generation(2),
            story: "exited with code 1".into(),
            stderr: vec!["SyntaxError: <script>alert(\"&'\u{1b}[1m\")</script>".into()],
        };
        let page = text(Cause::Exited, Some((WorkerId(1), Generation(2))), Some(&last));
        assert!(page.contains("&lt;script&gt;alert(&quot;&amp;&#39;[x1B][1m&quot;)&lt;/script&gt;"), "{page}");
        assert!(page.contains("HTTP status: 500\nHTTP subStatus: 1002\nHTTP reason: Internal Server Error"), "{page}");
        assert!(page.contains("HRESULT: 0x800700") && page.contains("exited with code 1"), "{page}");
    }

    #[test]
    fn every_cause_has_a_page() {
        for row in &crate::status::TABLE {
            assert!(text(row.cause, None, None).contains("HTTP subStatus: "));
        }
    }
}
