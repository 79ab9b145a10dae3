//! What clients do with a connection: polite ones, rude ones.

use std::rc::Rc;
use std::time::Duration;

use forebay_transports::Conn;

use crate::ask::Ask;
use crate::bytes::{Pieces, pattern, send};
use crate::client::{Talk, Then};
use crate::laws::Book;
use crate::plan::{below, chance, nap, now};

/// One client's life.
pub(crate) async fn client(book: Rc<Book>, number: u64) {
    for _ in 0..1 + below(6) {
        nap(1 << below(13)).await;
        let Some(mut talk) = Talk::new(&book).await else { continue };
        if chance(100) {
            talk.wire.pace = Some(Duration::from_millis(below(200)));
        }
        // Only where there are workers that speak frames, so that other worlds are what they always were.
        if book.plan.frames > 0 && chance(250) {
            talk.stall = Some(1 << (8 + below(5)));
        }
        let rude = if chance(book.plan.rudeness) { 1 + below(9) } else { 0 };
        let doing = format!("{rude} since {:?}", now());
        book.doing.borrow_mut().insert(number, doing);
        book.count(format!("manner {rude}"));
        match rude {
            1 => malformed(&mut talk).await,
            2 => idle(&mut talk).await,
            3 => {
                upgraded(&mut talk).await;
            }
            4 => stops_in_head(&mut talk).await,
            5 => stops_in_body(&mut talk).await,
            6 => half_closes(&mut talk).await,
            7 => one(&mut talk, Ask::drip(&book)).await,
            8 => bad_chunk(&mut talk).await,
            9 => {
                talk.abort_later();
                polite(&mut talk).await;
            }
            _ => polite(&mut talk).await,
        }
        talk.wire.conn.abort();
    }
    book.doing.borrow_mut().remove(&number);
    book.clients.set(book.clients.get() - 1);
}

/// Requests one after the other, or several at once.
async fn polite(talk: &mut Talk) {
    if chance(250) {
        return pipelined(talk).await;
    }
    for turn in 0..1 + below(5) {
        let ask = Ask::draw(&talk.book);
        talk.send(vec![ask.clone()]);
        match talk.hear(&ask).await {
            Then::Open => talk.sent().await,
            Then::Tunnel => return talk.book.violate(4, "101 unasked"),
            Then::Over => return leave(talk, &format!("after response {turn}")).await,
        }
        if chance(300) {
            nap(1 << below(12)).await;
        }
    }
    if chance(300) {
        talk.expect_end("kept alive").await;
    }
}

async fn pipelined(talk: &mut Talk) {
    let asks: Vec<Ask> = (0..2 + below(4)).map(|_| Ask { expects: false, ..Ask::draw(&talk.book) }).collect();
    let asks: Vec<Ask> = asks.into_iter().map(without_expect).collect();
    talk.send(asks.clone());
    for ask in &asks {
        if talk.hear(ask).await != Then::Open {
            return leave(talk, "pipelined").await;
        }
    }
}

fn without_expect(mut ask: Ask) -> Ask {
    let text = String::from_utf8(ask.head).unwrap().replace("Expect: 100-continue\r\n", "");
    ask.head = text.into_bytes();
    ask
}

/// The last response is there, or there is none: nothing comes behind it.
async fn leave(talk: &mut Talk, why: &str) {
    talk.expect_end(why).await;
}

async fn one(talk: &mut Talk, ask: Ask) {
    talk.send(vec![ask.clone()]);
    if talk.hear(&ask).await == Then::Over {
        leave(talk, "one request").await;
    }
}

async fn malformed(talk: &mut Talk) {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(5000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(30));
    let bad: [&str; 8] = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "\x16\x03\x01\r\n\r\n",
        &long,
        &many,
    ];
    let bytes = bad[below(8) as usize].as_bytes();
    send(&talk.wire.conn, bytes, Pieces::random()).await;
    refused(talk, "malformed").await;
}

/// At most one answer, of the front's own, and the end.
async fn refused(talk: &mut Talk, why: &str) {
    let Ok(head) = talk.wire.head().await else { return };
    let status: u16 = head.start[1].parse().unwrap_or(0);
    talk.book.count(format!("refused with {status}"));
    if !(400..=505).contains(&status) || !head.says("connection", "close") {
        talk.book.violate(3, format!("{why}: {head:?}"));
    }
    let mut body = Vec::new();
    let framing = head.body(crate::wire::Body::UntilClose);
    if talk.wire.body(framing, &mut body).await.is_ok() {
        talk.expect_end(why).await;
    }
}

/// Says nothing. It is closed without a word, or told that there are too many.
async fn idle(talk: &mut Talk) {
    if let Ok(head) = talk.wire.head().await
        && head.start[1] != "503"
    {
        talk.book.violate(3, format!("idle: {head:?}"));
    }
}

async fn stops_in_head(talk: &mut Talk) {
    send(&talk.wire.conn, b"GET /x HTTP/1.1\r\nHost:", Pieces::WHOLE).await;
    refused(talk, "stopped in a head").await;
}

async fn stops_in_body(talk: &mut Talk) {
    let mut ask = Ask { expects: false, ..Ask::plain(&talk.book, "POST") };
    ask.body.truncate(ask.body.len() / 2);
    ask.pieces.pause_ms = 1; // It may be late.
    talk.send(vec![ask.clone()]);
    if talk.hear(&ask).await == Then::Open && ask.length > 0 {
        talk.book.count("answered early, body never came");
    }
    talk.expect_end("stopped in a body").await;
}

/// Ends its direction behind a request: it may be answered or not.
async fn half_closes(talk: &mut Talk) {
    let ask = Ask { expects: false, ..Ask::plain(&talk.book, "GET") };
    send(&talk.wire.conn, &ask.head, ask.pieces).await;
    talk.wire.conn.finish();
    talk.send(vec![]);
    let _then = talk.hear(&ask).await;
    talk.expect_end("half closed").await;
}

async fn bad_chunk(talk: &mut Talk) {
    let id = talk.book.ask("POST");
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nX-Id: {id}\r\nX-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n");
    let bytes = format!("{head}2\r\n{}\r\nzz\r\n\r\n", String::from_utf8(pattern(id, 2)).unwrap());
    send(&talk.wire.conn, bytes.as_bytes(), Pieces::random()).await;
    // A worker may have answered early, which is its right.
    while talk.wire.fill().await.is_ok() {}
    let heard = String::from_utf8_lossy(&talk.wire.take_all()).into_owned();
    let answers = heard.matches("HTTP/1.1 ").count() - heard.matches("HTTP/1.1 1").count();
    if answers > 1 {
        talk.book.violate(3, format!("a bad chunk got {heard}"));
    }
}

/// Speaks another protocol, sometimes before it was told that it may; none if it was not switched, else whether all
/// came back.
pub(crate) async fn upgraded(talk: &mut Talk) -> Option<bool> {
    let mut ask = Ask::upgrade(&talk.book);
    if talk.book.plan.frames > 0 && !talk.book.calm.get() && chance(500) {
        // Who does not read is owed what was said in many small frames.
        talk.stall = Some(1 << (10 + below(4)));
    }
    let eager = if chance(400) { below(600) as usize } else { 0 };
    ask.body = pattern(ask.id, eager);
    talk.send(vec![ask.clone()]);
    match talk.hear(&ask).await {
        Then::Tunnel => {
            talk.sent().await;
            Some(talk.echo(&ask, eager).await)
        }
        Then::Open | Then::Over => None,
    }
}

/// A request that has to be answered with 200; the time it took, or what went wrong.
pub(crate) async fn must_succeed(book: &Rc<Book>, method: &'static str) -> Result<Duration, String> {
    let since = now();
    let mut talk = Talk::new(book).await.ok_or("no connection")?;
    let ask = Ask { expects: false, ..Ask::plain(book, method) };
    let ask = without_expect(ask);
    talk.send(vec![ask.clone()]);
    talk.hear(&ask).await;
    if talk.status == 200 { Ok(now().since(since)) } else { Err(format!("status {}", talk.status)) }
}
