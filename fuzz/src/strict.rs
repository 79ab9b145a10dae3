//! A second reading of HTTP/1.1, as small and strict as can be: what the codec writes must pass here.
//!
//! Written from the grammar, without the codec's code, and without regard for speed. It knows only what a canonical
//! sender writes.

/// A message as read here.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The words of the first line.
    pub start: Vec<String>,
    /// Lower-case names and values; a byte is a character.
    pub fields: Vec<(String, String)>,
    /// The body's data.
    pub body: Vec<u8>,
    /// Bytes of the whole message.
    pub len: usize,
}

impl Message {
    /// The values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(it, _)| it == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// Reads a head: the words of its first line, its fields and its length.
///
/// # Errors
/// What is not canonical.
pub fn head(bytes: &[u8]) -> Result<Message, String> {
    let end = find(bytes, b"\r\n\r\n").ok_or("no empty line")?;
    let text: String = bytes[..end].iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned).collect::<Vec<_>>();
    if start.len() != 3 {
        return Err(format!("first line {start:?}"));
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("field line {line:?}"))?;
        let bad_name = |it: char| !it.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(it);
        if name.is_empty() || name.contains(bad_name) {
            return Err(format!("field name {name:?}"));
        }
        if value.contains(|it: char| it != '\t' && it.is_ascii_control()) || value.trim_matches([' ', '\t']) != value {
            return Err(format!("field value {value:?}"));
        }
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(Message { start, fields, body: Vec::new(), len: end + 4 })
}

/// Reads a request with its body, as a worker would.
///
/// # Errors
/// What is not canonical, or incomplete.
pub fn request(bytes: &[u8]) -> Result<Message, String> {
    let mut message = request_head(bytes)?;
    let rest = &bytes[message.len..];
    let (body, len) = if message.all("transfer-encoding") == ["chunked"] {
        chunked(rest)?
    } else {
        let len = message.all("content-length").first().map_or(Ok(0), |it| it.parse::<usize>());
        let len = len.map_err(|error| error.to_string())?;
        (rest.get(..len).ok_or("short body")?.to_vec(), len)
    };
    message.body = body;
    message.len += len;
    Ok(message)
}

/// Reads a request's head and checks that nothing in it is ambiguous.
///
/// # Errors
/// What is.
pub fn request_head(bytes: &[u8]) -> Result<Message, String> {
    let message = head(bytes)?;
    let [method, target, version] = &message.start[..] else { return Err("request line".into()) };
    if !method.chars().all(|it| it.is_ascii_uppercase() || it == '-') || method.is_empty() {
        return Err(format!("method {method:?}"));
    }
    if !(target.starts_with('/') || target == "*") || !target.chars().all(|it| it.is_ascii_graphic() && it != '#') {
        return Err(format!("target {target:?}"));
    }
    if version != "HTTP/1.1" {
        return Err(format!("version {version:?}"));
    }
    let (hosts, lengths) = (message.all("host"), message.all("content-length"));
    let codings = message.all("transfer-encoding");
    if hosts.len() != 1 || hosts[0].is_empty() || hosts[0].contains(['/', '@', ',', ' ', '"', '\\']) {
        return Err(format!("hosts {hosts:?}"));
    }
    if lengths.len() + codings.len() > 1 || codings.iter().any(|it| *it != "chunked") {
        return Err(format!("framing {lengths:?} {codings:?}"));
    }
    if lengths.iter().any(|it| it.parse::<u64>().map(|number| number.to_string()).as_deref() != Ok(*it)) {
        return Err(format!("length {lengths:?}"));
    }
    let hidden = ["keep-alive", "proxy-connection", "http2-settings"];
    if let Some(name) = hidden.iter().find(|it| !message.all(it).is_empty()) {
        return Err(format!("hop-by-hop field {name}"));
    }
    let upgrades = !message.all("upgrade").is_empty();
    let connection = message.all("connection");
    if upgrades != (connection == ["Upgrade"]) || !matches!(&connection[..], [] | ["Upgrade" | "TE"]) {
        return Err(format!("connection {connection:?}"));
    }
    for protocol in message.all("upgrade").iter().flat_map(|it| it.split(',')) {
        let name = protocol.trim().split('/').next().unwrap_or_default().to_ascii_lowercase();
        if ["", "h2c", "h2", "http"].contains(&&name[..]) {
            return Err(format!("upgrade to {protocol:?}"));
        }
    }
    Ok(message)
}

/// Reads a chunked body without extensions: its data and its length.
///
/// # Errors
/// What is not canonical, or incomplete.
pub fn chunked(bytes: &[u8]) -> Result<(Vec<u8>, usize), String> {
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let line = line(&bytes[at..])?;
        if line.is_empty() || line.len() > 16 || !line.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(format!("chunk size {line:?}"));
        }
        let size = usize::from_str_radix(line, 16).map_err(|error| error.to_string())?;
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size).filter(|end| *end <= bytes.len()).ok_or("short chunk")?;
        data.extend_from_slice(&bytes[at..end]);
        if bytes.get(end..end + 2) != Some(b"\r\n") {
            return Err("no CRLF after data".into());
        }
        at = end + 2;
    }
    let trailer_end = if bytes[at..].starts_with(b"\r\n") {
        at + 2
    } else {
        at + find(&bytes[at..], b"\r\n\r\n").ok_or("no end")? + 4
    };
    for line in bytes[at..trailer_end - 2].split(|&byte| byte == b'\n').filter(|it| !it.is_empty()) {
        let colon = line.iter().position(|&byte| byte == b':');
        if !line.ends_with(b"\r") || colon.is_none_or(|it| it == 0) || line[0].is_ascii_whitespace() {
            return Err(format!("trailer {}", line.escape_ascii()));
        }
    }
    Ok((data, trailer_end))
}

fn line(bytes: &[u8]) -> Result<&str, String> {
    let end = find(bytes, b"\r\n").ok_or("no CRLF")?;
    std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_canonical_from_ambiguous() {
        let good = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n";
        let message = request(good).unwrap();
        assert_eq!((&message.body[..], message.len), (&b"abc"[..], good.len()));
        for bad in [
            "GET /a HTTP/1.1\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nA: b\nC: d\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert!(request_head(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(chunked(b"3;a\r\nabc\r\n0\r\n\r\n").is_err() && chunked(b"3\r\nabcd\r\n0\r\n\r\n").is_err());
    }
}
