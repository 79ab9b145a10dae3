//! Laws 1 and 2: no split of the input changes anything, and what is written reads as what was meant.

use super::*;
use proptest::prelude::*;

/// What a body decoder makes of an input that arrives in pieces of `sizes`, over and over.
pub(super) struct Outcome {
    forwarded: Vec<u8>,
    /// The bytes of trailer fields, and the fields.
    trailer: Vec<u8>,
    trailers: Trailers,
    data_bytes: u64,
    consumed: usize,
    verdict: Result<bool, Reject>,
}

fn run(mut decoder: BodyDecoder, input: &[u8], sizes: &[usize]) -> Outcome {
    let (trailer, trailers) = (Vec::new(), Trailers::default());
    let mut outcome =
        Outcome { forwarded: Vec::new(), trailer, trailers, data_bytes: 0, consumed: 0, verdict: Ok(false) };
    let mut sizes = sizes.iter().copied().cycle();
    let mut end = 0;
    while outcome.consumed < input.len() && !decoder.is_done() {
        if outcome.consumed == end {
            end = (end + sizes.next().unwrap_or(usize::MAX).max(1)).min(input.len());
        }
        match decoder.decode(&input[outcome.consumed..end]) {
            Ok(run) => {
                assert!(run.consumed > 0 && run.forward.end <= run.consumed && run.trailer.end <= run.consumed);
                let trailer = &input[outcome.consumed..][run.trailer];
                outcome.trailer.extend_from_slice(trailer);
                outcome.trailers.take(trailer).unwrap();
                outcome.forwarded.extend_from_slice(&input[outcome.consumed..][run.forward]);
                outcome.data_bytes += run.data_bytes;
                outcome.consumed += run.consumed;
                assert_eq!(run.done, decoder.is_done());
            }
            Err(reject) => {
                assert_eq!(decoder.decode(&input[outcome.consumed..end]).unwrap_err(), reject);
                outcome.verdict = Err(reject);
                return outcome;
            }
        }
    }
    outcome.verdict = Ok(decoder.is_done());
    outcome
}

fn decoder(flavour: Flavour) -> BodyDecoder {
    BodyDecoder::new(Framing::Chunked, flavour, Side::Request)
}

fn data_of(body: &[u8]) -> Result<Vec<u8>, Option<Reject>> {
    let outcome = run(decoder(Flavour::DataOnly), body, &[]);
    assert_eq!(outcome.verdict.is_err(), decoder(Flavour::DataOnly).check(body).is_err());
    match outcome.verdict {
        Ok(true) => Ok(outcome.forwarded),
        Ok(false) => Err(None),
        Err(reject) => Err(Some(reject)),
    }
}

#[test]
fn chunked_bodies_that_are_accepted() {
    for (body, data, forwarded) in [
        ("0\r\n\r\n", "", "0\r\n\r\n"),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", "5\r\nhello\r\n0\r\n\r\n"),
        ("A\r\nhelloworld\r\n0\r\n\r\n", "helloworld", "A\r\nhelloworld\r\n0\r\n\r\n"),
        ("0000000000000005\r\nhello\r\n000\r\n\r\n", "hello", "0000000000000005\r\nhello\r\n000\r\n\r\n"),
        ("5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello", "5\r\nhello\r\n0\r\n\r\n"),
        ("5 ; a = \"\\\";\t\" ;b\r\nhello\r\n0\r\n\r\n", "hello", "5\r\nhello\r\n0\r\n\r\n"),
        ("0\r\nX-Sum: 1\r\nX-B:\r\n\r\n", "", "0\r\nX-Sum: 1\r\nX-B:\r\n\r\n"),
    ] {
        assert_eq!(data_of(body.as_bytes()), Ok(data.as_bytes().to_vec()), "{body:?}");
        let outcome = run(decoder(Flavour::Verbatim), body.as_bytes(), &[]);
        assert_eq!(outcome.forwarded, forwarded.as_bytes());
        assert_eq!(outcome.data_bytes, data.len() as u64);
    }
}

#[test]
fn chunked_bodies_that_are_refused() {
    let extension = format!("5;{}\r\n", "a".repeat(256));
    let extensions = format!("1;{}\r\nx\r\n", "a".repeat(200)).repeat(90);
    let trailers = format!("0\r\n{}", "X-A: b\r\n".repeat(33));
    let trailer = format!("0\r\nX-A: {}", "b".repeat(8200));
    for body in [
        "5;\r\nhello",
        "5;bad[=x\r\n",
        "5;a=\r\n",
        "5;a=\"b\r\n",
        "5;a \r\n",
        "5;\nhello",
        "5;\0a\r\n",
        "5;a\rX\r\n",
        "5 \r\nhello",
        " 5\r\n",
        "+5\r\n",
        "-1\r\n",
        "0x5\r\n",
        "1_0\r\n",
        "\r\n",
        "5\nhello",
        "5\rhello",
        "g\r\n",
        ";a\r\n",
        "5\r\nhello0\r\n",
        "5\r\nhello!!\r\n",
        "5\r\nhello\n0\r\n",
        "5\r\nhello\r0",
        "FFFFFFFFFFFFFFFF0\r\n",
        "00000000000000005\r\n",
        "0\r\n\n",
        "0\r\nA: b\n\r\n",
        "0\r\n A: b\r\n",
        "0\r\nA : b\r\n",
        "0\r\n: b\r\n",
        "0\r\nA\r\n\r\n",
        "0\r\nA: b\rc",
        "0\r\nA: \0",
        "0\r\nA: b\r\n c\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\ntransfer-encoding: chunked\r\n\r\n",
        "0\r\nHost: a\r\n\r\n",
        "0\r\nAuthorization: a\r\n\r\n",
        "0\r\nContent-Type: a\r\n\r\n",
        "0\r\nX-Forwarded-For-And-A-Very-Long-Name-Indeed: a\r\n\r\n",
        &extension,
        &extensions,
        &trailers,
        &trailer,
    ] {
        assert!(matches!(data_of(body.as_bytes()), Err(Some(_))), "{}", body.escape_default());
    }
    for body in ["", "5", "5\r\nhel", "5\r\nhello\r\n", "0\r\n", "0\r\n\r", "0\r\nA: b\r\n"] {
        assert_eq!(data_of(body.as_bytes()), Err(None), "{body:?}");
        assert!(decoder(Flavour::DataOnly).finish().is_err());
    }
}

#[test]
fn trailer_fields_are_told_apart() {
    let body = b"1\r\nx\r\n0\r\nX-Sum: \t a, b \r\nX-Empty:\r\nX-Sum:c:d\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n";
    for sizes in [&[][..], &[1], &[2, 3], &[12, 1]] {
        let outcome = run(decoder(Flavour::DataOnly), body, sizes);
        assert_eq!((outcome.verdict, &outcome.forwarded[..]), (Ok(true), &b"x"[..]));
        assert_eq!(outcome.trailer, b"X-Sum: \t a, b \r\nX-Empty:\r\nX-Sum:c:d\r\n");
        let fields: Vec<(&[u8], &[u8])> = outcome.trailers.iter().collect();
        assert_eq!(fields, [(&b"X-Sum"[..], &b"a, b"[..]), (b"X-Empty", b""), (b"X-Sum", b"c:d")]);
        assert!(run(decoder(Flavour::Verbatim), body, sizes).trailers.is_empty());
    }
    assert!(run(decoder(Flavour::DataOnly), b"0\r\n\r\n", &[]).trailers.is_empty());
}

#[test]
fn trailers_have_a_bound() {
    let mut trailers = Trailers::default();
    let line = format!("A: {}\r\n", "b".repeat(usize::from(TRAILER_BYTES_MAX) - 5));
    trailers.take(line.as_bytes()).unwrap();
    assert!(trailers.take(b"").is_ok() && trailers.take(b"C").is_err());
    assert_eq!(trailers.iter().count(), 1);
    trailers.clear();
    assert!(trailers.is_empty() && trailers.take(b"C").is_ok() && trailers.iter().count() == 0);
}

#[test]
fn applications_may_send_most_trailers() {
    let check =
        |body: &str| BodyDecoder::new(Framing::Chunked, Flavour::Verbatim, Side::Response).check(body.as_bytes());
    assert!(check("0\r\nServer-Timing: a\r\nSet-Cookie: a\r\nVary: b\r\n\r\n").is_ok());
    assert!(check("0\r\nContent-Length: 1\r\n\r\n").is_err() && check("0\r\nConnection: a\r\n\r\n").is_err());
}

#[test]
fn other_framings() {
    let step = |framing, input: &[u8]| {
        let mut decoder = BodyDecoder::new(framing, Flavour::Verbatim, Side::Request);
        let run = decoder.decode(input).unwrap();
        (run.consumed, run.done, decoder.finish().is_ok())
    };
    assert_eq!(step(Framing::None, b"next"), (0, true, true));
    assert_eq!(step(Framing::Length(3), b"abcnext"), (3, true, true));
    assert_eq!(step(Framing::Length(9), b"abc"), (3, false, false));
    assert_eq!(step(Framing::UntilClose, b"abc"), (3, false, true));
    assert_eq!(step(Framing::Tunnel, b"abc"), (3, false, true));
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec![
        "\r\n",
        "\r",
        "\n",
        "0",
        "5",
        "a",
        "F",
        ";",
        "=",
        "\"",
        "\\",
        " ",
        "\t",
        "hello",
        "x",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        ";a=b",
        "X-A: b\r\n",
        "Host: a",
        ":",
        "\0",
        "1;e\r\nz\r\n",
        "0\r\n",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..14).prop_map(|parts| parts.concat().into_bytes())
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        "[A-Za-z][A-Za-z0-9_-]{0,20}",
        prop::sample::select(vec!["Cookie", "TE", "Connection", "Upgrade", "X-Forwarded-For", "Keep-Alive", "Expect"])
            .prop_map(str::to_owned),
    ];
    let value = prop_oneof![
        "[!-~]([ -~]{0,30}[!-~])?",
        prop::sample::select(vec!["", "close", "keep-alive, X-A", "upgrade", "websocket", "100-continue", "trailers"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec((name, value), 0..90)
}

proptest! {
    #[test]
    fn any_split_of_a_chunked_body_gives_the_same(input in soup(), sizes in prop::collection::vec(1_usize..9, 1..6)) {
        for flavour in [Flavour::Verbatim, Flavour::DataOnly] {
            let whole = run(decoder(flavour), &input, &[]);
            let split = run(decoder(flavour), &input, &sizes);
            prop_assert_eq!(whole.forwarded, split.forwarded);
            prop_assert_eq!(whole.data_bytes, split.data_bytes);
            prop_assert_eq!(whole.consumed, split.consumed);
            prop_assert_eq!(whole.trailer, split.trailer);
            prop_assert_eq!(whole.verdict, split.verdict);
        }
    }

    #[test]
    fn chunked_data_comes_back(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8),
        extension in prop::sample::select(vec!["", ";a", ";a=b", " ;a=\"\u{fc}\""]),
        trailer in prop::sample::select(vec!["", "X-A: b\r\n", "a:\r\nB: \t \r\na: c:\r\n"]),
        sizes in prop::collection::vec(1_usize..400, 1..6),
    ) {
        let (mut body, mut clean) = (Vec::new(), Vec::new());
        for chunk in &chunks {
            let line = format!("{:x}{extension}\r\n", chunk.len());
            body.extend([line.as_bytes(), chunk, b"\r\n"].concat());
            encode_chunk_size(chunk.len() as u64, &mut clean).unwrap();
            clean.extend([&chunk[..], b"\r\n"].concat());
        }
        body.extend(format!("0\r\n{trailer}\r\nGET /next").into_bytes());
        clean.extend(format!("0\r\n{trailer}\r\n").into_bytes());
        let data = run(decoder(Flavour::DataOnly), &body, &sizes);
        prop_assert_eq!(&data.forwarded, &chunks.concat());
        prop_assert_eq!(data.data_bytes, data.forwarded.len() as u64);
        prop_assert_eq!(&body[data.consumed..], b"GET /next");
        let verbatim = run(decoder(Flavour::Verbatim), &body, &sizes);
        prop_assert_eq!(&verbatim.forwarded, &clean);
        prop_assert_eq!((&data.trailer[..], verbatim.trailer.len()), (trailer.as_bytes(), 0));
        prop_assert_eq!(data.trailers.iter().count(), trailer.matches('\n').count());
    }

    #[test]
    fn what_is_encoded_parses_as_what_was_admitted(fields in fields(), body in 0..3_u8) {
        let mut request = String::from("GET /path HTTP/1.1\r\nHost: example\r\n");
        for (name, value) in &fields {
            request += &format!("{name}: {value}\r\n");
        }
        request += ["", "Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n"][usize::from(body)];
        request += "\r\n";
        let expects = fields.iter().any(|(name, value)| name.eq_ignore_ascii_case("expect") && value != "100-continue");
        let Ok((head, facts)) = admit(request.as_bytes()) else {
            // Nothing else that is generated is wrong, but for what Connection and the singletons may not say.
            let odd = |name: &str| ["connection", "host", "content-length", "transfer-encoding"].contains(&name);
            prop_assert!(expects || fields.iter().any(|(name, _)| odd(&name.to_lowercase())));
            return Ok(());
        };
        let text = encoded(&request);
        let (again, facts_again) = admit(text.as_bytes()).unwrap();
        prop_assert_eq!(facts.body, facts_again.body);
        prop_assert_eq!(facts.upgrade, facts_again.upgrade);
        let end_to_end = |head: &RequestHead<'_>| -> Vec<(String, String)> {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            head.fields.iter().filter(|it| it.kind == FieldKind::Other && !named(&request, it.name))
                .map(|it| (text(it.name), text(it.value))).collect()
        };
        prop_assert_eq!(end_to_end(&head), end_to_end(&again));
        prop_assert!(encoded(&text) == text);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = admit(&bytes);
        let _ = RequestHead::parse(&bytes, 10);
        let _ = ResponseHead::parse(&bytes, 10);
        let _ = data_of(&bytes);
    }
}

/// Whether a Connection field of `request` contains the name, which is then dropped rightly.
fn named(request: &str, name: &[u8]) -> bool {
    let name = String::from_utf8(name.to_vec()).unwrap().to_lowercase();
    request
        .lines()
        .filter(|it| it.to_lowercase().starts_with("connection:"))
        .any(|it| it.to_lowercase().contains(&name))
}
