//! The HTTP/1.1 codec: heads judged strictly and encoded anew, bodies followed as ranges. RFC 9110, RFC 9112.
//!
//! A request's way: [`HeadScanner`] finds the end of the head, [`RequestHead::parse`] takes it apart,
//! [`judge_request`] refuses it or tells what the server has to know, [`encode_request`] writes the head for the
//! worker, [`BodyDecoder`] says which bytes of the body follow. A response goes through [`ResponseHead::parse`],
//! [`judge_response`], [`Delivery::plan`] and [`encode_response`].
//!
//! ```
//! use forebay_core::http1::*;
//!
//! let bytes = b"GET http://shop.example/cart HTTP/1.0\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n\r\n";
//! let mut scanner = HeadScanner::default();
//! assert_eq!(scanner.scan(&bytes[..20], 16 * 1024)?, Scan::Incomplete);
//! let Scan::Complete { head_len } = scanner.scan(bytes, 16 * 1024)? else { unreachable!() };
//!
//! let head = RequestHead::parse(&bytes[scanner.skipped()..][..head_len], 100)?;
//! let facts = judge_request(&head)?;
//! assert_eq!((facts.body, facts.keep_alive), (Framing::None, true));
//!
//! let mut upstream = Vec::new();
//! encode_request(&head, &facts, None, &mut upstream).unwrap();
//! assert_eq!(upstream, b"GET /cart HTTP/1.1\r\nHost: shop.example\r\n\r\n");
//!
//! let head = ResponseHead::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 256).unwrap();
//! let response = judge_response(&head, &facts).unwrap();
//! let delivery = Delivery::plan(&facts, &response, true);
//! let mut downstream = Vec::new();
//! encode_response(&head, &response, &delivery, Some(b"Thu, 01 Jan 1970 00:00:00 GMT"), b"", &mut downstream).unwrap();
//! assert!(downstream.ends_with(b"\r\nConnection: close\r\n\r\n")); // 1.0 knows no chunks: data, then close
//! let _body = BodyDecoder::new(delivery.framing, delivery.flavour, Side::Response);
//! # Ok::<(), Reject>(())
//! ```
//!
//! Invariants: any split of the input gives the same verdict and the same bytes. A head that is passed on was written
//! by this module, never copied whole, and reads the same to any parser: one Host, one framing, CRLF, no controls.
//! What RFC 9112 lets a recipient repair is refused. Nothing allocates up to [`FIELDS_INLINE`] fields.
//!
//! What it deliberately does not do: hold buffers, bodies or time; bound a body (it counts, the server compares);
//! escape or normalize paths (the application sees what the client sent).

mod body;
mod chunked;
mod encode;
mod error;
mod field;
mod framing;
mod head;
mod method;
mod reply;
mod response;
mod scan;
mod sink;
mod target;
#[cfg(test)]
mod tests;
mod token;
mod trailer;
mod variable;

pub use body::{BodyDecoder, Flavour, Run, Side};
pub use chunked::{ChunkedDecoder, EXTENSION_BYTES_MAX, SIZE_LINE_BYTES_MAX};
pub use encode::{Added, Forwarding, LAST_CHUNK, encode_request};
pub(crate) use encode::{FieldWriter, put_upstream_fields, upstream_target};
pub use error::{BadResponse, Reject};
pub use field::{Field, FieldKind, is_critical};
pub use framing::{CONNECTION_OPTIONS_MAX, Framing, RequestFacts, judge_request};
pub use head::{FIELDS_INLINE, Fields, RequestHead, ResponseHead, Version};
pub use method::{METHODS, MethodClass};
pub use reply::{CONTINUE, Reply, encode_chunk_size, encode_reply, encode_response, reason_phrase};
pub use response::{Delivery, ResponseFacts, judge_response};
pub use scan::{HeadScanner, LEADING_LINES_MAX, Scan};
pub use sink::{Full, Sink};
pub use target::Target;
pub(crate) use token::{is_token, is_value_byte, trim, write_decimal};
pub use trailer::{TRAILER_BYTES_MAX, TRAILER_FIELDS_MAX, Trailers};
pub use variable::{Variable, Variables, is_https};
