//! Codes of people and organisations and their check characters (modelled on the national standards as domain.md 3
//! tells them). A code is taken as written: no lower case, no blanks, no full-width digits.

mod citizen;
mod organisation;
mod uscc;

pub use citizen::CitizenId;
pub use organisation::organisation_check;
pub use uscc::Uscc;

use crate::error::{Code, Refusal};

/// Why a code is wrong, with what would be right where that is known.
fn wrong(what_zh: &str, what_en: &str, text: &str, zh: String, en: String) -> Refusal {
    Refusal::new(
        Code::InvalidCode,
        format!("“{text}”不是{what_zh}:{zh}"),
        format!("\"{text}\" is not a {what_en}: {en}"),
    )
}
