//! Container files as requests of whole blocks, each request a file of its own behind the file's head.

use std::io::Read as _;
use std::iter::Peekable;
use std::vec::IntoIter;

use changtong_connectors::avro::container::{Block, Layout};

use super::super::failure::{Done, Failure};
use super::Input;
use super::chunk::{Chunk, MOST_BYTES};

pub struct Chunks {
    file: Vec<u8>,
    head: usize,
    blocks: Peekable<IntoIter<Block>>,
    batch: u64,
    first: u64,
}

impl Chunks {
    /// The file is read whole, and so is known to be whole before the first request.
    pub fn of(mut input: Input, batch: u32) -> Done<Self> {
        let mut file = Vec::new();
        let read = input.read_to_end(&mut file);
        read.map_err(|error| Failure::Failed(format!("the file cannot be read: {error}")))?;
        let (head, blocks) = laid_out(&file).map_err(|refusal| Failure::Failed(refusal.text.en))?;
        Ok(Self { file, head, blocks: blocks.into_iter().peekable(), batch: u64::from(batch), first: 0 })
    }
}

fn laid_out(file: &[u8]) -> Result<(usize, Vec<Block>), changtong_catalog::error::Refusal> {
    let mut layout = Layout::of(file)?;
    let head = layout.head();
    let mut blocks = Vec::new();
    while let Some(block) = layout.block()? {
        blocks.push(block);
    }
    Ok((head, blocks))
}

impl Iterator for Chunks {
    type Item = Done<Chunk>;

    /// As many blocks as fit; a block larger than a request may be goes alone, and the server says what it thinks of it.
    fn next(&mut self) -> Option<Done<Chunk>> {
        let block = self.blocks.next()?;
        let (mut records, mut whole) = (block.records, block.whole);
        while let Some(block) = self.blocks.next_if(|next| {
            records.saturating_add(next.records) <= self.batch && next.whole.end - whole.start <= MOST_BYTES
        }) {
            records += block.records;
            whole.end = block.whole.end;
        }
        let body = [&self.file[..self.head], &self.file[whole.clone()]].concat();
        let chunk = Chunk {
            media_type: "application/avro",
            body: body.into(),
            first: self.first,
            read: whole.end as u64,
        };
        self.first = self.first.saturating_add(records);
        Some(Ok(chunk))
    }
}

#[cfg(test)]
mod tests {
    use changtong_connectors::avro::container::{head, put_block};

    use super::*;

    fn file() -> Vec<u8> {
        let marker = [7; 16];
        let mut file = head(b"\"long\"", marker);
        for records in [2_u8, 2, 3, 9] {
            put_block(u64::from(records), &vec![2; usize::from(records)], marker, &mut file);
        }
        file
    }

    #[test]
    fn blocks_are_put_together_up_to_the_batch_and_each_request_is_a_file() {
        let file = file();
        let chunks: Vec<Chunk> = Chunks::of(Box::new(std::io::Cursor::new(file.clone())), 4)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let firsts: Vec<u64> = chunks.iter().map(|chunk| chunk.first).collect();
        assert_eq!(firsts, [0, 4, 7]);
        let mut behind = Vec::new();
        for chunk in &chunks {
            let (head, blocks) = laid_out(&chunk.body).unwrap();
            assert_eq!(blocks[0].whole.start, head);
            behind.extend_from_slice(&chunk.body[head..]);
        }
        let (head, _) = laid_out(&file).unwrap();
        assert_eq!(behind, &file[head..], "nothing is lost or doubled");
        assert_eq!(chunks[2].read, file.len() as u64);
    }

    #[test]
    fn a_file_that_is_cut_off_is_not_begun() {
        let file = file();
        let cut = Chunks::of(Box::new(std::io::Cursor::new(file[..file.len() - 1].to_vec())), 4);
        assert!(cut.is_err());
    }
}
