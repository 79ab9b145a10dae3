//! The codec: what a head costs from its bytes to its bytes, and how fast chunked bodies are followed.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use forebay_core::buf::{ChunkSize, Pool};
use forebay_core::http1::{
    Added, BodyDecoder, Delivery, Flavour, Forwarding, Framing, HeadScanner, RequestFacts, RequestHead, ResponseHead,
    Side, Variables, encode_request, encode_response, judge_request, judge_response,
};

const HEAD_BYTES_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 100;
const DATE: &[u8] = b"Thu, 01 Jan 1970 00:00:00 GMT";

const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";

/// What a browser sends along with a request for a page.
const BROWSER: &[u8] = b"GET /catalogue/turbines?page=3&sort=price HTTP/1.1\r\nHost: shop.example\r\n\
    Connection: keep-alive\r\nCache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n\
    Referer: https://shop.example/catalogue\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=1; basket=17%2C3%2C88\r\n\
    If-None-Match: W/\"2ee-18f3b1c2a40\"\r\n\r\n";

/// What node answers with.
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 10240\r\n\
    ETag: W/\"2ee-18f3b1c2a40\"\r\nVary: Accept-Encoding\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n";

fn scan(head: &[u8]) {
    let found = HeadScanner::default().scan(black_box(head), HEAD_BYTES_MAX);
    assert!(found.is_ok());
}

fn facts(head: &[u8]) -> RequestFacts {
    let head = RequestHead::parse(head, FIELDS_MAX).expect("the head is valid");
    judge_request(&head).expect("the head is acceptable")
}

fn forwarding() -> Forwarding<'static> {
    let add = Added { x_forwarded: true, real_ip: false, forwarded: true, request_id: true };
    Forwarding {
        peer: b"203.0.113.7",
        scheme: "http",
        trusted: false,
        request_id: [b'0'; 32],
        add,
        variables: Variables::default(),
    }
}

fn requests(c: &mut Criterion) {
    for (name, head) in [("request/small", SMALL), ("request/browser", BROWSER)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_function("scan", |b| b.iter(|| scan(head)));
        group.bench_function("parse", |b| b.iter(|| RequestHead::parse(black_box(head), FIELDS_MAX).is_ok()));
        let parsed = RequestHead::parse(head, FIELDS_MAX).expect("the head is valid");
        group.bench_function("judge", |b| b.iter(|| judge_request(black_box(&parsed))));
        let (facts, forwarding, pool) = (facts(head), forwarding(), Pool::new(1 << 20));
        let mut out = pool.take(ChunkSize::Medium);
        group.bench_function("encode", |b| {
            b.iter(|| {
                out.clear();
                encode_request(black_box(&parsed), &facts, Some(&forwarding), &mut out)
            });
        });
        group.bench_function("all", |b| {
            b.iter(|| {
                scan(head);
                let parsed = RequestHead::parse(black_box(head), FIELDS_MAX).expect("the head is valid");
                let facts = judge_request(&parsed).expect("the head is acceptable");
                let mut out = pool.take(ChunkSize::Medium);
                encode_request(&parsed, &facts, Some(&forwarding), &mut out).expect("it fits");
                out.freeze()
            });
        });
        group.finish();
    }
}

fn responses(c: &mut Criterion) {
    let (request, pool) = (facts(SMALL), Pool::new(1 << 20));
    let mut group = c.benchmark_group("response");
    group.throughput(Throughput::Bytes(RESPONSE.len() as u64));
    group.bench_function("parse", |b| b.iter(|| ResponseHead::parse(black_box(RESPONSE), 1000).is_ok()));
    group.bench_function("all", |b| {
        b.iter(|| {
            scan(RESPONSE);
            let head = ResponseHead::parse(black_box(RESPONSE), 1000).expect("the head is valid");
            let facts = judge_response(&head, &request).expect("the head is acceptable");
            let delivery = Delivery::plan(&request, &facts, true);
            let mut out = pool.take(ChunkSize::Medium);
            encode_response(&head, &facts, &delivery, Some(DATE), b"", &mut out).expect("it fits");
            out.freeze()
        });
    });
    group.finish();
}

fn chunked(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunked");
    for size in [64, 1024, 16 * 1024] {
        let mut body = Vec::new();
        for _ in 0..64 * 1024 / size {
            body.extend(format!("{size:x}\r\n").bytes());
            body.extend(std::iter::repeat_n(b'x', size));
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        group.throughput(Throughput::Bytes(body.len() as u64));
        for (name, flavour) in [("verbatim", Flavour::Verbatim), ("data", Flavour::DataOnly)] {
            group.bench_function(format!("{name}/chunks of {size}"), |b| b.iter(|| follow(black_box(&body), flavour)));
        }
    }
    group.finish();
}

fn follow(mut body: &[u8], flavour: Flavour) -> usize {
    let mut decoder = BodyDecoder::new(Framing::Chunked, flavour, Side::Response);
    let mut forwarded = 0;
    while !decoder.is_done() {
        let run = decoder.decode(body).expect("the body is valid");
        forwarded += run.forward.len();
        body = &body[run.consumed..];
    }
    forwarded
}

criterion_group!(benches, requests, responses, chunked);
criterion_main!(benches);
