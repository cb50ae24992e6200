//! Copies of what a consumer brings, in blocks of memory that many share: two allocations for each small record cost as
//! much as reading it.

use bytes::{Bytes, BytesMut};

const BLOCK: usize = 64 << 10;

/// Its memory goes with the last copy in it.
#[derive(Debug, Default)]
pub(super) struct Copies(BytesMut);

impl Copies {
    pub fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if self.0.capacity() < bytes.len() {
            self.0 = BytesMut::with_capacity(BLOCK.max(bytes.len()));
        }
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stay_what_they_are() {
        let mut copies = Copies::default();
        let parts: Vec<Vec<u8>> = [0, 1, 300, BLOCK - 301, BLOCK - 1, 2, BLOCK + 1, 7]
            .iter()
            .map(|len| vec![*len as u8; *len])
            .collect();
        let copied: Vec<Bytes> = parts.iter().map(|part| copies.copy(part)).collect();
        assert_eq!(copied, parts);
        let behind = copied[2].as_ptr().wrapping_add(copied[2].len());
        assert_eq!(copied[3].as_ptr(), behind, "they share a block");
    }
}
