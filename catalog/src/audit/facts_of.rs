//! The fields of every kind of event, by area. docs/events.md says what each field means.

mod bus;
mod catalog;
mod participants;
mod registry;
mod server;

pub use bus::*;
pub use catalog::*;
pub use participants::*;
pub use registry::*;
pub use server::*;

/// Declares events: the struct people fill, and how it stands in the body.
macro_rules! events {
    ($($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $about:literal])* $field:ident: $kind:ty,)* })*) => { $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[doc = $about])* pub $field: $kind,)* }

        impl crate::audit::code::Typed for $name {
            #[cfg(test)]
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn put(&self, object: &mut serde_json::Map<String, serde_json::Value>) {
                $(crate::audit::fact::put(object, stringify!($field), &self.$field);)*
            }

            #[cfg(test)]
            fn sample() -> Self {
                Self { $($field: crate::audit::fact::Fact::sample()),* }
            }
        }
    )* };
}
use events;
