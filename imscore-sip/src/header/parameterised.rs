//! The shape that most headers have: a word, then parameters behind semicolons.

/// The accessors of a value with parameters, whose text `of` finds.
macro_rules! has_params {
    ($type:ident, $of:expr) => {
        impl $type {
            /// All parameters.
            pub fn params(&self) -> $crate::header::Params<'_> {
                let of: fn(&$type) -> &str = $of;
                $crate::header::Params::of(of(self))
            }

            /// The value of a parameter, without quotes and escapes; empty for one without a value.
            pub fn param(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
                self.params().value(name)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }
    };
}

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

        $crate::header::parameterised::has_params!($type, |value| value.params.text(&value.text));

        impl $type {
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

            fn read(value: bytestring::ByteString) -> Result<$type, $crate::header::Cause> {
                let text: &[u8] = value.as_bytes();
                let (head, params) = $crate::parse::grammar::headed(text, $head)?;
                let part = |piece| $crate::parse::part::Part::of(text, piece);
                Ok($type { head: part(head), params: part(params), text: value })
            }
        }

        $crate::uri::is_its_text!($type);
    )*};
}

/// `new` and the accessor of a head that is a token.
macro_rules! token_headed {
    ($($type:ident: $(#[$doc:meta])* $word:ident;)*) => {$(
        impl $type {
            /// That word, of which what no token may hold is left out, without parameters.
            pub fn new($word: &str) -> $type {
                let mut head = String::with_capacity($word.len());
                $crate::parse::params::push_token(&mut head, $word);
                $type::of(&head, "")
            }

            $(#[$doc])*
            pub fn $word(&self) -> &str {
                self.head.text(&self.text)
            }
        }
    )*};
}

/// Defines header types that are parameters and no word in front of them. `value` is the rule of their values.
macro_rules! only_params {
    ($($(#[$doc:meta])* $type:ident $name:ident list: $list:literal value: $value:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $type {
            text: bytestring::ByteString,
        }

        $crate::header::parameterised::has_params!($type, |value| &value.text);

        impl $type {
            /// The same with the parameter in place of any of its name, behind all others.
            #[must_use]
            pub fn with_param<'a>(&self, name: &str, value: impl Into<Option<&'a str>>) -> $type {
                let mut params = self.params().without(name);
                $crate::parse::params::push_param(&mut params, name, value.into());
                $type::of(params)
            }

            /// The same without the parameters of that name.
            #[must_use]
            pub fn without_param(&self, name: &str) -> $type {
                $type::of(self.params().without(name))
            }

            /// Parameters with a semicolon in front of each.
            fn of(mut params: String) -> $type {
                if params.starts_with(';') {
                    params.remove(0);
                }
                $type { text: params.into() }
            }
        }

        impl $crate::header::TypedHeader for $type {
            const NAME: $crate::header::Name = $crate::header::Name::$name;
            const LIST: bool = $list;

            fn read(value: bytestring::ByteString) -> Result<$type, $crate::header::Cause> {
                $crate::parse::grammar::only_params(value.as_bytes(), $value)?;
                Ok($type { text: value })
            }
        }

        $crate::uri::is_its_text!($type);
    )*};
}

pub(super) use {has_params, only_params, parameterised, token_headed};
