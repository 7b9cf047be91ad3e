//! Headers that name a dialog other than their own: Replaces (RFC 3891), Join (RFC 3911), Target-Dialog (RFC 4538).

use nom::Parser;
use nom::bytes::complete::take_while1;

use super::parameterised::parameterised;
use super::{CallId, Cause};
use crate::parse::grammar::{MAX_NAME, Parsed, fail};

parameterised! {
    /// The dialog that an INVITE is to take the place of (RFC 3891).
    Replaces REPLACES list: false head: call_id;
    /// The dialog that an INVITE is to be put together with (RFC 3911).
    ///
    /// ```
    /// use imscore_sip::header::{CallId, Join, TargetDialog};
    ///
    /// let call = CallId::new("a84b@pc33");
    /// let join = Join::new(&call, "to", "from");
    /// assert_eq!((join.call_id(), join.to_tag(), join.from_tag()), ("a84b@pc33", Some("to"), Some("from")));
    /// let target = TargetDialog::new(&call, "local", "remote");
    /// assert_eq!(target.to_string(), "a84b@pc33;local-tag=local;remote-tag=remote");
    /// ```
    Join JOIN list: false head: call_id;
    /// The dialog whose peer a request comes from, which shows that it may (RFC 4538).
    TargetDialog TARGET_DIALOG list: false head: call_id;
}

macro_rules! dialogs {
    ($($type:ident $first:ident $first_name:literal $second:ident $second_name:literal;)*) => {$(
        impl $type {
            /// The dialog of that Call-ID and those tags. Of a Call-ID, what would end it here is left out.
            pub fn new(call_id: &CallId, $first: &str, $second: &str) -> $type {
                let head: String = call_id.as_str().bytes().filter(|byte| is_call_id(*byte)).map(char::from).collect();
                $type::of(&head, "").with_param($first_name, $first).with_param($second_name, $second)
            }

            /// The Call-ID of the dialog.
            pub fn call_id(&self) -> &str {
                self.head.text(&self.text)
            }

            #[doc = concat!("The value of `", $first_name, "`, without which the header names no dialog.")]
            pub fn $first(&self) -> Option<&str> {
                self.params().get($first_name)
            }

            #[doc = concat!("The value of `", $second_name, "`, without which the header names no dialog.")]
            pub fn $second(&self) -> Option<&str> {
                self.params().get($second_name)
            }
        }
    )*};
}

dialogs! {
    Replaces to_tag "to-tag" from_tag "from-tag";
    Join to_tag "to-tag" from_tag "from-tag";
    TargetDialog local_tag "local-tag" remote_tag "remote-tag";
}

impl Replaces {
    /// True where a dialog that is confirmed is not to be replaced: `early-only`.
    pub fn is_early_only(&self) -> bool {
        self.params().contains("early-only")
    }
}

/// `callid`, one that a semicolon or comma would end.
fn call_id(input: &[u8]) -> Parsed<'_> {
    let (rest, text) = take_while1(is_call_id).parse(input)?;
    if text.len() > MAX_NAME { fail(Cause::Limit) } else { Ok((rest, text)) }
}

fn is_call_id(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b';' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::{Cause, TypedHeader};

    #[test]
    fn dialogs_are_named() {
        let text = "98732@sip.example ;from-tag=r33th4x0r ; to-tag=ff87ff;early-only";
        let replaces = Replaces::decode(&text.into()).unwrap();
        assert_eq!((replaces.call_id(), replaces.is_early_only()), ("98732@sip.example", true));
        assert_eq!((replaces.to_tag(), replaces.from_tag()), (Some("ff87ff"), Some("r33th4x0r")));
        assert_eq!(replaces.to_string(), text);
        let join = Join::decode(&"a<b>[c]@h;to-tag=1".into()).unwrap();
        assert_eq!((join.call_id(), join.to_tag(), join.from_tag()), ("a<b>[c]@h", Some("1"), None));
        let target = TargetDialog::new(&CallId::new("1@h"), "mine", "theirs");
        assert_eq!(target.to_string(), "1@h;local-tag=mine;remote-tag=theirs");
        let read = TargetDialog::decode(&target.to_string().into()).unwrap();
        assert_eq!((read.local_tag(), read.remote_tag()), (Some("mine"), Some("theirs")));
    }

    #[test]
    fn refusals() {
        let long = "c".repeat(257);
        for (text, cause) in [
            ("", Cause::Malformed),
            (";to-tag=1", Cause::Malformed),
            ("1@h;to-tag=", Cause::Malformed),
            ("1@h 2@h", Cause::Malformed),
            ("1@h, 2@h", Cause::Malformed),
            (&long, Cause::Limit),
        ] {
            assert_eq!(Replaces::decode(&text.into()).map_err(|error| error.cause), Err(cause), "{text}");
        }
    }
}
