//! What a broker believes of partitions: who leads them, and who has what they lead.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    pub leader: i32,
    /// Whoever is in sync, in ascending order.
    pub in_sync: Vec<i32>,
}

/// What one broker answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Belief {
    /// Brokers that are there.
    pub brokers: Vec<i32>,
    /// Of the topics that hold records of resources, in the order of their numbers.
    pub partitions: Vec<Partition>,
}

/// `None` where it doesn't answer soon.
pub async fn ask(broker: &str) -> Option<Belief> {
    let answer = tokio::time::timeout(Duration::from_secs(5), answer(broker)).await.ok()?.ok()?;
    Some(Reader(&answer).belief())
}

/// Of Kafka's request Metadata, version 1, for all topics, by nobody; the answer without its length.
async fn answer(broker: &str) -> std::io::Result<Vec<u8>> {
    const ASKED: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let mut broker = TcpStream::connect(broker).await?;
    broker.write_all(&ASKED).await?;
    let length = broker.read_u32().await?;
    let mut answer = vec![0; length as usize];
    broker.read_exact(&mut answer).await?;
    Ok(answer)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn belief(mut self) -> Belief {
        assert_eq!(self.int(), 7, "the answer to another request");
        let mut belief = Belief::default();
        for _ in 0..self.int() {
            belief.brokers.push(self.int());
            let (_host, _port, _rack) = (self.text(), self.int(), self.text());
        }
        belief.brokers.sort_unstable();
        let _controller = self.int();
        for _ in 0..self.int() {
            let (_error, name, _internal) = (self.short(), self.text(), self.bytes(1));
            let mut partitions: Vec<_> = (0..self.int()).map(|_| self.partition()).collect();
            partitions.sort_unstable_by_key(|(number, _)| *number);
            if name.contains("ct.r.") {
                belief.partitions.extend(partitions.into_iter().map(|(_, partition)| partition));
            }
        }
        assert!(self.0.is_empty(), "more than was asked for");
        belief
    }

    fn partition(&mut self) -> (i32, Partition) {
        let (_error, number, leader) = (self.short(), self.int(), self.int());
        let _replicas = self.ints();
        (number, Partition { leader, in_sync: self.ints() })
    }

    fn ints(&mut self) -> Vec<i32> {
        let mut all: Vec<i32> = (0..self.int()).map(|_| self.int()).collect();
        all.sort_unstable();
        all
    }

    fn text(&mut self) -> String {
        let length = usize::try_from(self.short()).unwrap_or(0);
        String::from_utf8(self.bytes(length).to_vec()).expect("a text")
    }

    fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.bytes(4).try_into().expect("four bytes"))
    }

    fn short(&mut self) -> i16 {
        i16::from_be_bytes(self.bytes(2).try_into().expect("two bytes"))
    }

    fn bytes(&mut self, count: usize) -> &[u8] {
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        bytes
    }
}
