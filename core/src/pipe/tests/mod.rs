//! Tests across the protocol's parts: laws as properties, vectors and the specification's tables.

mod http;
mod laws;
mod states;
mod vectors;

use super::*;

/// What bytes were decoded to: events as the lines of `vectors.txt`, body pieces of one frame put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) events: Vec<String>,
    /// The same events, written anew.
    pub(super) again: Vec<u8>,
    pub(super) error: Option<Error>,
}

#[derive(Default)]
struct Body {
    stream: u32,
    begins: u32,
    bytes: Vec<u8>,
    ends: bool,
}

/// Decodes what `from` sends behind its greeting (or bare), in pieces of the given sizes, over and over.
pub(super) fn decode(from: Role, bare: bool, bytes: &[u8], sizes: &[usize]) -> Decoded {
    let mut decoder = Decoder::new(from, DATA_BYTES_LIMIT_DEFAULT);
    if !bare {
        assert!(matches!(decoder.next(&mut vectors::greeting(from)), Ok(Some(_))));
    }
    let (mut decoded, mut body) = (Decoded::default(), Body::default());
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (mut input, after) = rest.split_at(size);
        rest = after;
        loop {
            match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Data { stream, begins, piece, ends })) => {
                    assert!(!piece.is_empty());
                    if begins > 0 || body.stream != stream.0 {
                        flush(&mut body, &mut decoded);
                        body.begins = begins;
                    }
                    body.stream = stream.0;
                    body.bytes.extend_from_slice(piece);
                    body.ends = ends;
                }
                Ok(Some(event)) => {
                    flush(&mut body, &mut decoded);
                    decoded.events.push(describe(&event));
                    write_again(&event, &mut decoded.again);
                }
                Err(error) => {
                    assert_eq!(decoder.next(&mut input), Err(error), "an error stays");
                    flush(&mut body, &mut decoded);
                    decoded.error = Some(error);
                    return decoded;
                }
            }
        }
        assert!(input.is_empty(), "all input is taken");
    }
    flush(&mut body, &mut decoded);
    decoded
}

fn flush(body: &mut Body, decoded: &mut Decoded) {
    let Body { stream, begins, bytes, ends } = core::mem::take(body);
    if bytes.is_empty() {
        return;
    }
    let text = quoted(&bytes);
    decoded
        .events
        .push(format!(r#"{{"type":"DATA","stream":{stream},"begins":{begins},"bytes":{text},"ends":{ends}}}"#));
    if begins > 0 {
        put_data(StreamId(stream), begins, &mut decoded.again).unwrap();
    }
    decoded.again.extend(bytes);
}

fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\t' => text += "\\t",
            8 => text += "\\b",
            12 => text += "\\f",
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text += &format!("\\u{byte:04x}"),
        }
    }
    text + "\""
}

fn list(fields: &FieldSection<'_>) -> String {
    assert_eq!(fields.iter().count(), fields.len());
    let words: Vec<_> = fields.iter().flat_map(|(name, value)| [quoted(name), quoted(value)]).collect();
    format!("[{}]", words.join(","))
}

fn describe(event: &Event<'_, &[u8]>) -> String {
    match event {
        Event::Hello(it) => format!(
            r#"{{"type":"HELLO","version":{},"worker":{},"features":{},"generation":{},"pid":{},"window":{},"data_bytes_max":{},"node_version":{},"endpoint":{}}}"#,
            it.version,
            it.worker.0,
            it.features,
            it.generation.0,
            it.pid,
            it.window,
            it.data_bytes_max,
            quoted(it.node_version),
            quoted(it.endpoint.as_bytes())
        ),
        Event::Welcome(it) => format!(
            r#"{{"type":"WELCOME","version":{},"streams_max":{},"features":{},"window":{},"data_bytes_max":{},"shards":{}}}"#,
            it.version, it.streams_max, it.features, it.window, it.data_bytes_max, it.shards
        ),
        Event::Ping(token) => format!(r#"{{"type":"PING","token":"{:016x}"}}"#, token.swap_bytes()),
        Event::Pong(it) => {
            format!(r#"{{"type":"PONG","token":"{:016x}","delay_us":{}}}"#, it.token.swap_bytes(), it.delay_us)
        }
        Event::Stats(it) => format!(
            r#"{{"type":"STATS","utilisation":{},"delay_max_us":{},"heap_used":{},"heap_total":{},"external":{},"array_buffers":{},"rss":{},"gc_pause_us":{},"gc_count":{},"handles":{},"outbound":{},"in_flight":{}}}"#,
            it.utilisation,
            it.delay_max_us,
            it.heap_used,
            it.heap_total,
            it.external,
            it.array_buffers,
            it.rss,
            it.gc_pause_us,
            it.gc_count,
            it.handles,
            it.outbound,
            it.in_flight
        ),
        Event::Drain => r#"{"type":"DRAIN"}"#.into(),
        Event::Closing => r#"{"type":"CLOSING"}"#.into(),
        Event::Demote(text) => format!(r#"{{"type":"DEMOTE","text":{}}}"#, quoted(text)),
        Event::Stack(text) => format!(r#"{{"type":"STACK","text":{}}}"#, quoted(text)),
        Event::Request { .. }
        | Event::Response { .. }
        | Event::Inform { .. }
        | Event::Data { .. }
        | Event::End { .. }
        | Event::Reset { .. }
        | Event::Window { .. }
        | Event::Raw(_) => describe_of_stream(event),
    }
}

fn describe_of_stream(event: &Event<'_, &[u8]>) -> String {
    match event {
        Event::Request { stream, head, body } => format!(
            r#"{{"type":"REQUEST","stream":{},"flags":{},"method":{},"target":{},"client":{},"client_port":{},"local_port":{},"fields":{},"body":{body}}}"#,
            stream.0,
            head.flags,
            quoted(head.method),
            quoted(head.target),
            quoted(head.client_address),
            head.client_port,
            head.local_port,
            list(&head.fields)
        ),
        Event::Response { stream, head, body } => format!(
            r#"{{"type":"RESPONSE","stream":{},"flags":{},"status":{},"reason":{},"fields":{},"body":{body}}}"#,
            stream.0,
            head.flags,
            head.status,
            quoted(head.reason),
            list(&head.fields)
        ),
        Event::Inform { stream, head } => format!(
            r#"{{"type":"INFORM","stream":{},"status":{},"reason":{},"fields":{}}}"#,
            stream.0,
            head.status,
            quoted(head.reason),
            list(&head.fields)
        ),
        Event::End { stream, end } => {
            format!(r#"{{"type":"END","stream":{},"stop":{},"trailers":{}}}"#, stream.0, end.stop, list(&end.trailers))
        }
        Event::Reset { stream, code } => {
            format!(r#"{{"type":"RESET","stream":{},"code":{}}}"#, stream.0, *code as u8)
        }
        Event::Window { stream, credit } => {
            format!(r#"{{"type":"WINDOW","stream":{},"credit":{credit}}}"#, stream.0)
        }
        Event::Raw(stream) => format!(r#"{{"type":"RAW","stream":{}}}"#, stream.0),
        Event::Hello(_)
        | Event::Welcome(_)
        | Event::Ping(_)
        | Event::Pong(_)
        | Event::Stats(_)
        | Event::Drain
        | Event::Closing
        | Event::Demote(_)
        | Event::Stack(_)
        | Event::Data { .. } => unreachable!("described elsewhere"),
    }
}

fn write_again(event: &Event<'_, &[u8]>, out: &mut Vec<u8>) {
    let mut heads = HeadEncoder::default();
    match event {
        Event::Hello(it) => put_hello(it, out).unwrap(),
        Event::Welcome(it) => put_welcome(it, out).unwrap(),
        Event::Ping(token) => put_ping(*token, out).unwrap(),
        Event::Pong(it) => put_pong(it, out).unwrap(),
        Event::Stats(it) => put_stats(it, out).unwrap(),
        Event::Drain => put_drain(out).unwrap(),
        Event::Closing => put_closing(out).unwrap(),
        Event::Demote(text) => put_demote(text, out).unwrap(),
        Event::Stack(text) => put_stack(text, out).unwrap(),
        Event::Request { stream, head, body } => {
            let client = Client {
                address: head.client_address,
                port: head.client_port,
                local_port: head.local_port,
                https: head.flags & flag::HTTPS != 0,
            };
            let opening = Opening { stream: *stream, body: *body, ends: head.flags & flag::END != 0, client };
            heads.plain_request(head.flags, head.method, head.target, head.fields.iter(), &opening, out).unwrap();
        }
        Event::Response { stream, head, body } => {
            heads.response(*stream, head.flags, head.status, head.reason, head.fields.iter(), *body, out).unwrap()
        }
        Event::Inform { stream, head } => heads.inform(*stream, head.status, head.fields.iter(), out).unwrap(),
        Event::Data { .. } => unreachable!("written elsewhere"),
        Event::End { stream, end } => heads.end(*stream, end.stop, end.trailers.iter(), out).unwrap(),
        Event::Reset { stream, code } => put_reset(*stream, *code, out).unwrap(),
        Event::Window { stream, credit } => put_window(*stream, *credit, out).unwrap(),
        Event::Raw(stream) => put_raw(*stream, out).unwrap(),
    }
}
