//! Masks: what of a value a consumer sees (conventions of domain.md 3.7). A rule that does not recognise its input
//! blanks it.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    Name,
    CitizenId,
    Mobile,
    Phone,
    Address,
    Email,
    Plate,
    BankCard,
    Ipv4,
    /// Keep the first character.
    First,
    /// Nothing is left: an empty string, null for other types.
    Blank,
    /// A pseudonym by the consumer agency's key, so that its own tables join (protocol.md 8).
    Hmac,
}
