//! What passes the size of one body goes into a further event: a list of batches or holes is cut between its
//! members, never within one (protocol.md 3d, 4).

use serde_json::Value;

use super::code::What;
use super::event::{Actor, Event, LIMIT, Unencodable};
use super::fact::{Batch, Fact};
use super::facts_of::{Published, Settled};
use super::jcs;
use crate::ids::EventId;
use crate::visibility::Run;

impl Published {
    /// As many events as the batches need, in their order.
    pub fn split(self, actor: &Actor) -> Result<Vec<Self>, Unencodable> {
        let head = Self { batches: Vec::new(), ..self };
        let parts = cut(actor, head.clone().into(), self.batches)?;
        Ok(parts.into_iter().map(|batches: Vec<Batch>| Self { batches, ..head.clone() }).collect())
    }
}

impl Settled {
    pub fn split(self, actor: &Actor) -> Result<Vec<Self>, Unencodable> {
        let head = Self { holes: Vec::new(), ..self };
        let parts = cut(actor, head.clone().into(), self.holes)?;
        Ok(parts.into_iter().map(|holes: Vec<Run>| Self { holes, ..head.clone() }).collect())
    }
}

/// `head` is the event with an empty list.
fn cut<T: Fact>(actor: &Actor, head: What, members: Vec<T>) -> Result<Vec<Vec<T>>, Unencodable> {
    // Id and time have the same length in every event.
    let empty = Event::new(EventId(uuid::Uuid::nil()), chrono::DateTime::UNIX_EPOCH, actor.clone(), head);
    let frame = jcs::encode(&Value::Object(empty.to_object()))?.len();
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut left = 0;
    for member in members {
        let size = match member.to_value() {
            Some(value) => jcs::encode(&value)?.len(),
            None => 0,
        };
        match parts.last_mut() {
            // One byte for the comma.
            Some(part) if size < left => {
                part.push(member);
                left -= size + 1;
            }
            _ => {
                parts.push(vec![member]);
                left = LIMIT.saturating_sub(frame + size);
            }
        }
    }
    Ok(parts)
}
