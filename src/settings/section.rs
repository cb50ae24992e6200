//! How a section is written: a struct whose field docs are the help, and the text of each default beside its field.

/// Declares a section: `name: type = "default as text";` under a doc comment each.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $section:ident in $table:literal {
            $($(#[doc = $doc:literal])* $name:ident: $type:ty = $default:literal;)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $section { $($(#[doc = $doc])* pub $name: $type),* }

        impl $section {
            pub(in crate::settings) const KEYS: &'static [$crate::settings::Key] = &[$($crate::settings::Key {
                section: $table,
                name: stringify!($name),
                doc: concat!($($doc),*),
                default: $default,
            }),*];

            pub(in crate::settings) fn read(
                values: &$crate::settings::source::Values,
            ) -> Result<Self, $crate::settings::SettingsError> {
                Ok(Self { $($name: values.get($table, stringify!($name))?),* })
            }
        }
    };
}

pub(super) use section;
