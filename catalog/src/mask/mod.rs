//! Masks: what of a value a consumer sees (conventions of domain.md 3.7). A rule that does not recognise its input
//! blanks it.
//!
//! The resource names the least mask of an item; agreeing may add, never loosen. Masks stand in four ranks: none,
//! the rules that keep some characters, `hmac`, `blank`. A mask may be replaced by one of a higher rank only: two rules
//! that keep characters show different parts of a value, so neither is stricter; `hmac` shows none, though equal values
//! stay recognisable; `blank` shows nothing.

mod rules;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Refusal};
use crate::ids::AgencyId;
use crate::mac::{MacKey, hex};
use crate::resource::{AvroType, Item};

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

impl Mask {
    pub const ALL: [Self; 12] = [
        Self::Name,
        Self::CitizenId,
        Self::Mobile,
        Self::Phone,
        Self::Address,
        Self::Email,
        Self::Plate,
        Self::BankCard,
        Self::Ipv4,
        Self::First,
        Self::Blank,
        Self::Hmac,
    ];

    /// The word in files, bodies and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::CitizenId => "citizen_id",
            Self::Mobile => "mobile",
            Self::Phone => "phone",
            Self::Address => "address",
            Self::Email => "email",
            Self::Plate => "plate",
            Self::BankCard => "bank_card",
            Self::Ipv4 => "ipv4",
            Self::First => "first",
            Self::Blank => "blank",
            Self::Hmac => "hmac",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|mask| mask.as_str() == text).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            Refusal::new(
                Code::Invalid,
                format!("没有脱敏规则“{text}”,可用:{all}"),
                format!("there is no mask \"{text}\"; there are {all}"),
            )
        })
    }

    /// Writes what is left of a string, in UTF-8. `pseudonyms` is the consumer agency's key, for `hmac`.
    pub fn apply(self, text: &str, pseudonyms: &MacKey, out: &mut Vec<u8>) {
        // What a rule doesn't recognise is left out: it never leaves unmasked.
        let _blanked = match self {
            Self::Name => rules::name(text, out),
            Self::CitizenId => rules::citizen_id(text, out),
            Self::Mobile => rules::mobile(text, out),
            Self::Phone => rules::phone(text, out),
            Self::Address => rules::address(text, out),
            Self::Email => rules::email(text, out),
            Self::Plate => rules::plate(text, out),
            Self::BankCard => rules::bank_card(text, out),
            Self::Ipv4 => rules::ipv4(text, out),
            Self::First => rules::first(text, out),
            Self::Blank => None,
            Self::Hmac => {
                out.extend_from_slice(hex(&pseudonyms.half(text.as_bytes())).as_bytes());
                Some(())
            }
        };
    }

    /// Whether an item of that type can carry the mask: a string any; of other items nothing but null can be left,
    /// so they take `blank` only.
    #[must_use]
    pub fn fits(self, avro: AvroType) -> bool {
        avro == AvroType::String || self == Self::Blank
    }

    pub fn check(self, item: &Item) -> Result<(), Refusal> {
        if self.fits(item.avro()) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::Invalid,
            format!("“{}”不是字符型,只能用脱敏规则 blank(值为空)", item.name),
            format!("\"{}\" is not a string: the only mask for it is blank (it becomes null)", item.name),
        )
        .with("item", item.name.as_str()))
    }

    /// What a consumer gets where the resource names `least` and agreeing names `added`; refused if that would loosen.
    pub fn compose(item: &str, least: Option<Self>, added: Option<Self>) -> Result<Option<Self>, Refusal> {
        match (least, added) {
            (Some(least), Some(added)) if added.looser_than(least) => Err(Refusal::new(
                Code::Invalid,
                format!("“{item}”的脱敏规则是 {least},不能换成 {added},只能换成更严的 hmac 或 blank"),
                format!("the mask of \"{item}\" is {least}; {added} would loosen it, only hmac or blank is stricter"),
            )
            .with("item", item)),
            (least, added) => Ok(added.or(least)),
        }
    }

    /// Whether using `self` instead of `least` would, or might, show more.
    #[must_use]
    pub fn looser_than(self, least: Self) -> bool {
        self != least && self.rank() <= least.rank()
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Blank => 3,
            Self::Hmac => 2,
            _ => 1,
        }
    }
}

/// The pseudonym key of a consumer agency, from a named master key: its own tables join, those of others don't.
#[must_use]
pub fn pseudonyms_of(master: &MacKey, consumer: AgencyId) -> MacKey {
    master.derive(consumer.to_string().as_bytes())
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mask {
    type Err = Refusal;
    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::parse(text)
    }
}
