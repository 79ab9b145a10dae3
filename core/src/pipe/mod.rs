//! The pipe protocol: binary frames between the front and its workers, many exchanges on one connection.
//!
//! `PROTOCOL.md` beside this file is the specification, for any language; `vectors.txt` holds the bytes that every
//! codec is tested with. [`Decoder`] turns what one side sends into [`Event`]s, [`Streams`] judges them by the state of
//! their stream and keeps the credits. [`HeadEncoder`] writes heads, a request's straight from the client's; functions
//! called `put_*` write the other frames. [`Reply`] makes HTTP/1 of a response frame.
//!
//! Invariants: any split of the input gives the same events up to the cuts between pieces of a body. Body bytes are
//! never copied or looked at. No input panics, and none makes the decoder hold more than one head. What a worker sends
//! becomes valid HTTP or an [`Error`]. At steady state nothing allocates.
//!
//! What it deliberately does not do: hold bodies or frames to be sent, know time, decide when to grant credit to whom
//! beyond half a window.

mod control;
mod credit;
mod decode;
mod encode;
mod error;
mod event;
mod fields;
mod frame;
mod head;
mod id;
mod message;
mod names;
mod reply;
mod signal;
mod slot;
mod status;
mod stream;
#[cfg(test)]
mod tests;

pub use control::{Hello, MAGIC, Pong, Stats, VERSION, Welcome};
pub use credit::{Allowance, Credit};
pub use decode::Decoder;
pub use encode::{
    put_closing, put_data, put_demote, put_drain, put_hello, put_ping, put_pong, put_raw, put_reset, put_stack,
    put_stats, put_welcome, put_window,
};
pub use error::{Error, Unsendable};
pub use event::{Event, Input};
pub use fields::FieldSection;
pub use frame::{HEADER_BYTES, Header, Kind};
pub use head::{Client, HeadEncoder, Opening};
pub use id::{ResetCode, Role, StreamId};
pub use message::{End, Request, Response, flag};
pub use names::{METHOD_NUMBERS, NAMES};
pub use reply::{LengthDigits, Reply, encode_trailers};
pub use signal::{Misuse, Outcome, Signal};
pub use status::usual_reason;
pub use stream::Streams;

/// Bytes of the payload of a frame with a head, inline body included. 262,080: with its header it fits a buffer of
/// 256 KiB that has 56 bytes of its own.
pub const HEAD_FRAME_BYTES_MAX: u32 = 256 * 1024 - 64;
/// Fields of a head or trailer section. 2000: node's `maxHeadersCount`.
pub const FIELDS_MAX: usize = 2000;
/// Bytes of a field name that is not in the table. 8191.
pub const NAME_BYTES_MAX: usize = 0x1fff;
/// Bytes of the payload of a frame of the connection, but for DEMOTE and STACK. 512: room to grow.
pub const CONTROL_BYTES_MAX: u32 = 512;
/// Bytes of a DEMOTE frame's text. 1 KiB.
pub const DEMOTE_BYTES_MAX: u32 = 1024;
/// Bytes of a STACK frame's text. 64 KiB.
pub const STACK_BYTES_MAX: u32 = 64 * 1024;
/// Bytes of the runtime's version in HELLO. 64.
pub const NODE_VERSION_BYTES_MAX: usize = 64;
/// Bytes of the endpoint in HELLO. 256: longer than any path of a socket, and than most names of pipes.
pub const ENDPOINT_BYTES_MAX: usize = 256;
/// The least and most that may be announced as the bound of body bytes in a frame: 4 KiB and 1 MiB.
pub const DATA_BYTES_LIMIT_MIN: u32 = 4 * 1024;
/// See [`DATA_BYTES_LIMIT_MIN`].
pub const DATA_BYTES_LIMIT_MAX: u32 = 1024 * 1024;
/// Body bytes in a frame, unless something else is announced. 64 KiB: a frame of another stream waits no longer.
pub const DATA_BYTES_LIMIT_DEFAULT: u32 = 64 * 1024;
/// The least and most that may be announced as a stream's window: 1 KiB and 1 GiB, which is also the most credit a
/// stream can have.
pub const WINDOW_BYTES_MIN: u32 = 1024;
/// See [`WINDOW_BYTES_MIN`].
pub const WINDOW_BYTES_MAX: u32 = 1 << 30;
