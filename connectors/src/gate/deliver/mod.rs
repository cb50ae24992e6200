//! Delivering (protocol.md 6 and 7): cursors, windows, the bytes that leave and their end.

use bytes::Bytes;
use changtong_catalog::error::Refusal;

/// One answer: pieces of at most 64 KiB, the last one holding the final line.
pub struct Delivery {
    pieces: std::vec::IntoIter<Bytes>,
}

impl Delivery {
    /// The next piece; `None` behind the last. An error means that the delivery was ended: reset the connection.
    pub async fn next_piece(&mut self) -> Option<Result<Bytes, Refusal>> {
        self.pieces.next().map(Ok)
    }
}
