//! Requests for another protocol: raw bytes both ways, or an answer.

use std::time::Duration;

use forebay_core::pipe::{ResetCode, Signal, put_raw};
use forebay_transports::Conn;

use super::body::Manner;
use super::call::Call;
use crate::bytes::pattern;
use crate::mood::Mood;
use crate::plan::{below, chance, nap, sleep};

impl Call {
    /// Echoes until either side ends.
    pub(super) async fn tunnel(&self, id: u64) {
        self.pipe.process.book.count("tunnels in frames");
        let head =
            format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-Id: {id}\r\n\r\n");
        let lazy = below(3);
        let manner = Manner { bytes_max: [1, 1, 100, 64 * 1024][below(4) as usize], pause_ms: 0 };
        if !self.go_raw() || !self.send(head.as_bytes(), manner).await {
            return;
        }
        loop {
            let piece = self.come.take();
            if self.is_over() {
                return;
            }
            if piece.is_empty() && self.ended.get() {
                break;
            }
            if piece.is_empty() {
                self.pipe.bell.heard().await;
                continue;
            }
            self.grant(piece.len(), lazy).await;
            if !self.send(&piece, manner).await {
                return;
            }
            if !self.pipe.process.book.calm.get() && chance(20) {
                return self.pipe.reset(self.id, ResetCode::ALL[below(6) as usize]);
            }
        }
        self.end();
    }

    fn go_raw(&self) -> bool {
        let may = self.pipe.may(self.id, Signal::Raw);
        if may {
            self.pipe.say(|_, out| put_raw(self.id, out).unwrap());
        }
        may
    }

    fn end(&self) {
        if self.pipe.may(self.id, Signal::End { stop: false }) {
            self.pipe.say(|encoder, out| encoder.end(self.id, false, std::iter::empty(), out).unwrap());
        }
    }

    /// Answers without a change of protocols.
    pub(super) async fn refuse_upgrade(&self, id: u64, mood: Mood) {
        match mood {
            Mood::Refuses | Mood::DiesInHead => self.pipe.reset(self.id, ResetCode::Refused),
            Mood::Drops => self.pipe.reset(self.id, ResetCode::ShuttingDown),
            Mood::ClosesSilently => self.pipe.conn.abort(),
            Mood::Garbles => self.garble(id).await,
            Mood::Silent | Mood::Stuck => {
                while !self.is_over() && !self.pipe.process.book.calm.get() {
                    sleep(Duration::from_millis(100)).await;
                }
            }
            _ if chance(300) => {
                // As an application does that writes its answer itself.
                let length = below(5000) as usize;
                let head =
                    format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nX-Length: {length}\r\nContent-Length: {length}\r\n\r\n");
                let mut bytes = [head.into_bytes(), pattern(!id, length)].concat();
                if mood == Mood::DiesInBody {
                    bytes.truncate(below(bytes.len() as u64) as usize);
                }
                let manner = Manner { bytes_max: [100, 64 * 1024][below(2) as usize], pause_ms: 0 };
                if self.go_raw() && self.send(&bytes, manner).await {
                    nap(below(2) * 100).await;
                    self.end();
                }
            }
            _ => {
                self.respond(id, mood).await;
            }
        }
    }
}
