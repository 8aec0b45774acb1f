//! Enums whose variants are words of the language.

/// The list of all variants, and the word of each.
macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),* $(,)? }) => {
        impl $type {
            /// Every value, in the order documentation lists them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word of the language for it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }
    };
}
pub(crate) use words;
