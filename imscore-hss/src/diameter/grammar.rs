//! Commands and groups, written down as their specifications write them.
//!
//! ```text
//! grammar! {
//!     /// What it is.
//!     pub struct Example<'a> {
//!         /// Exactly one.
//!         { user_name: &'a str = USER_NAME }
//!         /// One or none.
//!         [ flags: u32 = UAR_FLAGS ]
//!         /// Any number.
//!         * [ identities: &'a str = PUBLIC_IDENTITY ]
//!         /// One at least.
//!         * { addresses: Address<'a> = HOST_IP_ADDRESS }
//!     }
//! }
//! ```
//!
//! This makes the struct (`&str`, `Option<u32>`, `Vec<&str>`, `Vec<Address>`), a `new` that takes what has to be there, and
//! [`Grammar`]. Every list ends in `* [ AVP ]`: what it does not name is ignored, unless nobody knows it and its M flag is
//! set. AVPs are read in any order and written in that of the list.

use super::avp::{Avp, Avps};
use super::dictionary::Definition;
use super::fault::Fault;
use super::value::Value;
use super::write::Writer;

/// A list of AVPs by their definitions: the contents of a command or of a group.
pub trait Grammar<'a>: Sized {
    /// What was read so far.
    type Draft: Default;

    /// Takes one AVP; false where it is none of the list.
    ///
    /// # Errors
    /// 5009 for one too many, and whatever the value has wrong.
    fn offer(draft: &mut Self::Draft, avp: &Avp<'a>) -> Result<bool, Fault>;

    /// The whole of what was taken.
    ///
    /// # Errors
    /// 5005 for an AVP that is missing.
    fn finish(draft: Self::Draft) -> Result<Self, Fault>;

    /// Writes the AVPs.
    fn write_avps(&self, out: &mut Writer);

    /// Reads AVPs that are of this list alone.
    ///
    /// # Errors
    /// 5001 for one that has to be known and is not, what [`offer`](Grammar::offer) and [`finish`](Grammar::finish) find,
    /// and AVPs that cannot be told apart.
    #[inline]
    fn read_avps(avps: Avps<'a>) -> Result<Self, Fault> {
        let mut draft = Self::Draft::default();
        for avp in avps {
            let avp = avp?;
            if !Self::offer(&mut draft, &avp)? {
                avp.ignore()?;
            }
        }
        Self::finish(draft)
    }
}

/// Where an AVP is put while a list is read, and taken from when it is written.
pub(crate) trait Slot<'a> {
    fn fill(&mut self, avp: &Avp<'a>, definition: &Definition) -> Result<(), Fault>;
    fn put(&self, definition: &Definition, out: &mut Writer);
}

impl<'a, T: Value<'a>> Slot<'a> for Option<T> {
    #[inline]
    fn fill(&mut self, avp: &Avp<'a>, definition: &Definition) -> Result<(), Fault> {
        if self.is_some() {
            return Err(Fault::too_many(avp));
        }
        *self = Some(avp.read(definition)?);
        Ok(())
    }

    #[inline]
    fn put(&self, definition: &Definition, out: &mut Writer) {
        if let Some(value) = self {
            out.avp(definition, value);
        }
    }
}

impl<'a, T: Value<'a>> Slot<'a> for Vec<T> {
    #[inline]
    fn fill(&mut self, avp: &Avp<'a>, definition: &Definition) -> Result<(), Fault> {
        self.push(avp.read(definition)?);
        Ok(())
    }

    #[inline]
    fn put(&self, definition: &Definition, out: &mut Writer) {
        self.iter().for_each(|value| out.avp(definition, value));
    }
}

macro_rules! grammar {
    (
        $(#[$about:meta])*
        pub struct $name:ident $(<$life:lifetime>)? { $($fields:tt)* }
    ) => {
        grammar! { @read [$(#[$about])* $name ($($life)?)] [] [] $($fields)* }
    };

    (@read $head:tt [$($field:tt)*] [$($needed:tt)*]
        $(#[$about:meta])* { $at:ident: $type:ty = $avp:ident } $($rest:tt)*
    ) => {
        grammar! { @read $head [$($field)* (one [$(#[$about])*] $at [$type] $avp)] [$($needed)* ($at [$type])] $($rest)* }
    };
    (@read $head:tt [$($field:tt)*] [$($needed:tt)*]
        $(#[$about:meta])* [ $at:ident: $type:ty = $avp:ident ] $($rest:tt)*
    ) => {
        grammar! { @read $head [$($field)* (maybe [$(#[$about])*] $at [$type] $avp)] [$($needed)*] $($rest)* }
    };
    (@read $head:tt [$($field:tt)*] [$($needed:tt)*]
        $(#[$about:meta])* * [ $at:ident: $type:ty = $avp:ident ] $($rest:tt)*
    ) => {
        grammar! { @read $head [$($field)* (any [$(#[$about])*] $at [$type] $avp)] [$($needed)*] $($rest)* }
    };
    (@read $head:tt [$($field:tt)*] [$($needed:tt)*]
        $(#[$about:meta])* * { $at:ident: $type:ty = $avp:ident } $($rest:tt)*
    ) => {
        grammar! { @read $head [$($field)* (some [$(#[$about])*] $at [$type] $avp)] [$($needed)* ($at [Vec<$type>])] $($rest)* }
    };

    (@read
        [$(#[$about:meta])* $name:ident ($($life:lifetime)?)]
        [$(($many:ident [$(#[$what:meta])*] $at:ident [$type:ty] $avp:ident))*]
        [$(($needed:ident [$needs:ty]))*]
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name $(<$life>)? {
            $($(#[$what])* pub $at: grammar!(@type $many $type),)*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// With what has to be there and nothing else.
            #[allow(clippy::too_many_arguments, clippy::new_without_default)]
            pub fn new($($needed: $needs),*) -> Self {
                Self { $($at: grammar!(@new $many $at),)* }
            }
        }

        const _: () = {
            #[allow(unused_imports)]
            use $crate::diameter::{Avp, Fault, Grammar, Writer, dictionary, grammar::Slot as _};

            #[derive(Default)]
            #[allow(missing_docs)]
            pub struct Draft $(<$life>)? {
                $($at: grammar!(@slot $many $type),)*
            }

            #[allow(unused_variables)]
            impl<'a> Grammar<'a> for $name $(<$life>)? {
                type Draft = Draft $(<$life>)?;

                #[inline]
                fn offer(draft: &mut Self::Draft, avp: &Avp<'a>) -> Result<bool, Fault> {
                    $(if avp.is(&dictionary::$avp) {
                        draft.$at.fill(avp, &dictionary::$avp)?;
                        return Ok(true);
                    })*
                    Ok(false)
                }

                #[inline]
                fn finish(draft: Self::Draft) -> Result<Self, Fault> {
                    Ok(Self { $($at: grammar!(@done $many (draft.$at) $avp),)* })
                }

                #[inline]
                fn write_avps(&self, out: &mut Writer) {
                    $(grammar!(@write $many (self.$at) $avp out);)*
                }
            }
        };
    };

    (@type one $type:ty) => { $type };
    (@type maybe $type:ty) => { Option<$type> };
    (@type any $type:ty) => { Vec<$type> };
    (@type some $type:ty) => { Vec<$type> };

    (@slot one $type:ty) => { Option<$type> };
    (@slot $many:ident $type:ty) => { grammar!(@type $many $type) };

    (@new one $at:ident) => { $at };
    (@new some $at:ident) => { $at };
    (@new $many:ident $at:ident) => { Default::default() };

    (@done one ($value:expr) $avp:ident) => { $value.ok_or_else(|| Fault::missing(&dictionary::$avp))? };
    (@done some ($value:expr) $avp:ident) => {{
        if $value.is_empty() {
            return Err(Fault::missing(&dictionary::$avp));
        }
        $value
    }};
    (@done $many:ident ($value:expr) $avp:ident) => { $value };

    (@write one ($value:expr) $avp:ident $out:ident) => { $out.avp(&dictionary::$avp, &$value) };
    (@write $many:ident ($value:expr) $avp:ident $out:ident) => { $value.put(&dictionary::$avp, $out) };
}
pub(crate) use grammar;

/// As `grammar!`, for what is the data of one AVP.
macro_rules! group {
    ($($(#[$about:meta])* pub struct $name:ident $(<$life:lifetime>)? { $($fields:tt)* })*) => {$(
        $crate::diameter::grammar::grammar! { $(#[$about])* pub struct $name $(<$life>)? { $($fields)* } }

        const _: () = {
            use $crate::diameter::{Avp, Fault, Grammar as _, Value, Writer, dictionary::{Definition, Kind}};

            impl<'a> Value<'a> for $name $(<$life>)? {
                const KINDS: &'static [Kind] = &[Kind::Grouped];

                #[inline]
                fn read(avp: &Avp<'a>, _: &Definition) -> Result<Self, Fault> {
                    Self::read_avps(avp.avps()).map_err(|fault| fault.within(avp))
                }

                #[inline]
                fn write(&self, out: &mut Writer) {
                    self.write_avps(out);
                }
            }
        };
    )*};
}
pub(crate) use group;

#[cfg(test)]
#[allow(unreachable_pub)]
mod tests {
    use super::super::dictionary as avp;
    use super::super::message::sample;
    use super::super::{Message, ResultCode};
    use super::*;

    grammar! {
        /// A list with one of each.
        pub struct Example<'a> {
            /// Exactly one.
            { user_name: &'a str = USER_NAME }
            /// One or none.
            [ flags: u32 = UAR_FLAGS ]
            /// Any number.
            * [ identities: &'a str = PUBLIC_IDENTITY ]
            /// One at least.
            * { capabilities: u32 = MANDATORY_CAPABILITY }
            /// A group.
            [ inner: Inner = SUPPORTED_FEATURES ]
        }
    }

    group! {
        /// A group.
        pub struct Inner {
            /// Exactly one.
            { vendor: u32 = VENDOR_ID }
        }
    }

    /// What is wrong with an example to which these are added.
    fn fault(write: impl FnOnce(&mut Writer)) -> Option<(ResultCode, Vec<u8>)> {
        let message = sample(|out| {
            Example::new("alice", vec![1]).write_avps(out);
            write(out);
        });
        let fault = Example::read_avps(message.avps()).err()?;
        Some((fault.result(), fault.failed_avp().unwrap().to_vec()))
    }

    #[test]
    fn written_and_read_again() {
        let mut example = Example::new("alice", vec![1, 2]);
        example.identities = vec!["sip:alice@ims.example", "tel:+1"];
        example.flags = Some(1);
        example.inner = Some(Inner::new(10_415));
        let message = sample(|out| example.write_avps(out));
        assert_eq!(Example::read_avps(message.avps()), Ok(example));
    }

    #[test]
    fn missing() {
        let empty = sample(|_| ());
        let missing = |message: &Message| Example::read_avps(message.avps()).unwrap_err().to_string();
        assert_eq!(missing(&empty), "User-Name: missing (DIAMETER_MISSING_AVP)");
        let named = sample(|out| out.avp(&avp::USER_NAME, &"alice"));
        assert_eq!(missing(&named), "Mandatory-Capability: missing (DIAMETER_MISSING_AVP)");
    }

    #[test]
    fn too_many() {
        assert_eq!(fault(|out| out.avp(&avp::UAR_FLAGS, &1u32)), None);
        let twice = fault(|out| out.avp(&avp::USER_NAME, &"bob"));
        assert_eq!(twice, Some((ResultCode::AVP_OCCURS_TOO_MANY_TIMES, b"\0\0\0\x01\x40\0\0\x0bbob\0".to_vec())));
    }

    /// RFC 6733 §4.1, §7.1.5.
    #[test]
    fn unknown_ones() {
        let unknown = |mandatory| avp::Definition { vendor: 4711, mandatory, ..avp::USER_NAME };
        assert_eq!(fault(|out| out.avp(&unknown(false), &"x")), None);
        assert_eq!(fault(|out| out.avp(&avp::ORIGIN_HOST, &"known, and of no use here")), None);
        let (result, failed) = fault(|out| out.avp(&unknown(true), &"x")).unwrap();
        assert_eq!(result, ResultCode::AVP_UNSUPPORTED);
        assert_eq!(failed, b"\0\0\0\x01\xc0\0\0\x0d\0\0\x12\x67x\0\0\0");
    }

    /// RFC 6733 §7.5: the groups around the AVP at fault are shown with it, and nothing else of them.
    #[test]
    fn fault_in_a_group() {
        let (result, failed) = fault(|out| {
            out.group(&avp::SUPPORTED_FEATURES, |out| {
                out.avp(&avp::VENDOR_ID, &1u32);
                out.avp(&avp::VENDOR_ID, &2u32);
            });
        })
        .unwrap();
        assert_eq!(result, ResultCode::AVP_OCCURS_TOO_MANY_TIMES);
        let group = Avps::new(&failed).next().unwrap().unwrap();
        assert!(group.is(&avp::SUPPORTED_FEATURES));
        assert_eq!(group.avps().map(|avp| avp.unwrap().read(&avp::VENDOR_ID)).collect::<Vec<_>>(), [Ok(2u32)]);
    }
}
