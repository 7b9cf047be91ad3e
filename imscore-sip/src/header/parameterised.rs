//! The shape that most headers have: a word, then parameters behind semicolons.

/// Defines header types of one word and parameters. `head` is the rule of the word.
macro_rules! parameterised {
    ($($(#[$doc:meta])* $type:ident $name:ident list: $list:literal head: $head:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $type {
            text: bytestring::ByteString,
            head: $crate::parse::part::Part,
            params: $crate::parse::part::Part,
        }

        impl $type {
            /// All parameters.
            pub fn params(&self) -> $crate::header::Params<'_> {
                $crate::header::Params::of(self.params.text(&self.text))
            }

            /// The value of a parameter, without quotes and escapes; empty for one without a value.
            pub fn param(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
                self.params().value(name)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.text
            }

            /// The same with the parameter in place of any of its name, behind all others. A value that is neither
            /// token nor host is written in quotes.
            #[must_use]
            pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> $type {
                let mut params = self.params().without(name);
                $crate::parse::params::push_param(&mut params, name, value.into());
                $type::of(self.head.text(&self.text), &params)
            }

            fn of(head: &str, params: &str) -> $type {
                let mut text = String::with_capacity(head.len() + params.len());
                let head = $crate::parse::part::push(&mut text, head);
                let params = $crate::parse::part::push(&mut text, params);
                $type { text: text.into(), head, params }
            }
        }

        impl $crate::header::TypedHeader for $type {
            const NAME: $crate::header::Name = $crate::header::Name::$name;
            const LIST: bool = $list;

            fn decode(value: &bytestring::ByteString) -> Result<$type, $crate::header::HeaderError> {
                $crate::header::decode::<$type, _>(value, |value| {
                    let text: &[u8] = value.as_bytes();
                    let (head, params) = $crate::parse::grammar::headed(text, $head)?;
                    let part = |piece| $crate::parse::part::Part::of(text, piece);
                    Ok($type { head: part(head), params: part(params), text: value.clone() })
                })
            }
        }

        $crate::uri::is_its_text!($type);
    )*};
}

pub(super) use parameterised;
