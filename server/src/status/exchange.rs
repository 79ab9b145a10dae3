//! Causes while a worker had the request, in the order in which an exchange goes on.

use super::{Cause, Row, Shown};

const ENDED: &str = "The application ended the connection before it had answered.";
const GARBLED: &str = "The application's response is not valid HTTP.";
const BROKEN: &str = "The application's response broke off.";
const LEFT: &str = "The client has left.";

const CRASH: &str = "Forebay's log says whether the process ended, how, and what it wrote last. If it runs on, something \
     closes its sockets: server.timeout, server.requestTimeout or a socket.destroy() of the application.";

const THEIRS: &str = "Nothing, as a rule: clients leave. Many of them leave when answers are slow: see the time in the \
     access log.";

/// In the order of [`Cause`].
pub(super) static ROWS: [Row; 20] = [
    Row::new(Cause::HeadTooLarge, "head_too_large", "431", "500.1005")
        .win32(1816)
        .says("The head is larger than this server accepts.")
        .likely(
            "The request's head, with the fields that Forebay adds, does not fit the form in which workers get it. A head \
             beyond limits.head_bytes_max is refused before, with 431.",
        )
        .remedy("Usually it is cookies: keep them small. limits.head_bytes_max (maxRequestBufferSize) is the bound."),
    Row::new(Cause::HeadUnsent, "head_unsent", "502.1004", "500.1004")
        .win32(109)
        .says(ENDED)
        .likely("The connection to the worker ended before it took a byte of the request, as often as it was tried.")
        .remedy(CRASH),
    Row::new(Cause::HeadPart, "head_broken_off", "502.1006", "500.1006")
        .win32(109)
        .says(ENDED)
        .likely("The connection to the worker ended while it took the request's head, or before it had read any of it.")
        .remedy(CRASH),
    Row::new(Cause::ClientLeftWaiting, "client_left_waiting", "", "500.1007")
        .win32(64)
        .shown(Shown::Logged)
        .says(LEFT)
        .likely("The client left, or its body broke off, while the request waited for a worker.")
        .remedy(THEIRS),
    Row::new(Cause::ClientLeftSending, "client_left_sending", "", "500.1008")
        .win32(64)
        .shown(Shown::Logged)
        .says(LEFT)
        .likely("The client left before it had sent the whole body. The worker was told so.")
        .remedy(THEIRS),
    Row::new(Cause::BodyUnsent, "body_unsent", "502.1009", "500.1009")
        .win32(109)
        .says(ENDED)
        .likely("The connection to the worker ended before it took a byte of the request's body.")
        .remedy(CRASH),
    Row::new(Cause::BodyPart, "body_broken_off", "502.1010", "500.1010")
        .win32(109)
        .says(ENDED)
        .likely("The connection to the worker ended while it took the request's body.")
        .remedy(CRASH),
    Row::new(Cause::ResetBeforeAnswer, "reset_before_answer", "502.1011", "500.1011")
        .win32(109)
        .says(ENDED)
        .likely(
            "The worker had the request, and its connection broke before the first byte of a response: as a rule the \
             process died of this very request. A connection that merely rested too long is noticed, and costs nothing.",
        )
        .remedy(CRASH),
    Row::new(Cause::AnswerTooLarge, "answer_head_too_large", "502.1012", "500.1012")
        .win32(1816)
        .says(GARBLED)
        .likely(
            "The head of the response is larger than 128 KiB, or 256 KiB of informational responses came before it: that is \
             where Forebay's memory for one exchange ends.",
        )
        .remedy("Usually it is Set-Cookie, in a loop. Send less in headers."),
    Row::new(Cause::ClosedBeforeAnswer, "closed_before_answer", "502.1013", "500.1013")
        .win32(109)
        .says(ENDED)
        .likely(
            "The worker closed this exchange in good order and without an answer: res.destroy(), or a server.timeout. Under \
             iisnode this was mostly the race with node's keepAliveTimeout; Forebay looks before it uses a connection again, \
             heeds what node says about its time, and repeats what was certainly not read.",
        )
        .remedy(CRASH),
    Row::new(Cause::NotHttp, "not_http", "502.1013", "500.1013")
        .win32(11)
        .says(GARBLED)
        .likely("What the worker sent does not begin with a status line.")
        .remedy("Forebay's log says what is wrong with it. Something writes to the socket itself, past node's response."),
    Row::new(Cause::Silent, "silent", "504", "500.1013")
        .win32(121)
        .says("The application did not begin to answer in time.")
        .likely(
            "No byte of a response within limits.response_start_timeout. iisnode itself knew no such bound; its users met \
             node's old server.timeout of two minutes, as 500.1013.",
        )
        .remedy("Find out what the request waits for; raise limits.response_start_timeout where it is meant to be slow."),
    Row::new(Cause::AnswerHeadPart, "answer_head_broken_off", "502.1014", "500.1014")
        .win32(109)
        .says(ENDED)
        .likely("The worker's connection ended within the head of the response.")
        .remedy(CRASH),
    Row::new(Cause::BadAnswerHead, "bad_answer_head", "502.1014", "500.1014")
        .win32(11)
        .says(GARBLED)
        .likely("The response has a status line, and a field that is malformed or two that contradict each other.")
        .remedy("Forebay's log says what is wrong with it. Two different Content-Length fields are the usual case."),
    Row::new(Cause::BadChunk, "bad_chunk", "502.1015", "500.1015")
        .win32(11)
        .shown(Shown::Cut)
        .says(BROKEN)
        .likely("A chunk of the response does not begin as it should, or the connection ended where one was to begin.")
        .remedy(CRASH),
    Row::new(Cause::AnswerPart, "answer_broken_off", "502.1016", "500.1016")
        .win32(109)
        .shown(Shown::Cut)
        .says(BROKEN)
        .likely("The worker's connection ended within the body of the response, or the body is shorter than announced.")
        .remedy(CRASH),
    Row::new(Cause::AnswerStalled, "answer_stalled", "504.1016", "500.1016")
        .win32(121)
        .shown(Shown::Cut)
        .says(BROKEN)
        .likely("The response began, and nothing more of it came within limits.response_idle_timeout.")
        .remedy("Let a stream say something now and then, a comment line for instance, or raise the limit."),
    Row::new(Cause::ClientLeftReading, "client_left_reading", "", "500.1017")
        .win32(64)
        .shown(Shown::Logged)
        .says(LEFT)
        .likely("The client left while the response was sent. The worker was told so at once.")
        .remedy(THEIRS),
    Row::new(Cause::ClientTooSlow, "client_too_slow", "", "500.1018")
        .win32(1236)
        .shown(Shown::Logged)
        .says(LEFT)
        .likely("The client took nothing of the response for limits.send_timeout.")
        .remedy("Raise limits.send_timeout if clients may be that slow."),
    Row::new(Cause::ClientLeft, "client_left", "", "")
        .shown(Shown::Logged)
        .says(LEFT)
        .likely(
            "The client left while the application worked on its request. iisnode did not notice before it had something \
             to send; here the application hears of it at once, as `close` on its request.",
        )
        .remedy(THEIRS),
];
