//! Whether a phone answers by itself: Answer-Mode and Priv-Answer-Mode (RFC 5373), and who said so, P-Answer-State (RFC
//! 4964).

use super::parameterised::{parameterised, token_headed};
use crate::parse::grammar;

parameterised! {
    /// How the caller wants the call answered, or how it was (RFC 5373).
    ///
    /// ```
    /// use imscore_sip::header::{AnswerMode, PAnswerState, PrivAnswerMode};
    ///
    /// let push_to_talk = AnswerMode::new("Auto").with_param("require", None);
    /// assert!(push_to_talk.is_auto() && push_to_talk.is_required());
    /// assert!(!PrivAnswerMode::new("Manual").is_auto());
    /// assert!(PAnswerState::new("Confirmed").is_confirmed());
    /// ```
    AnswerMode ANSWER_MODE list: false head: grammar::token;
    /// As Answer-Mode, of a caller with the right to override what the called one has set (RFC 5373).
    PrivAnswerMode PRIV_ANSWER_MODE list: false head: grammar::token;
    /// Whether the called user itself answered, `Confirmed`, or a server for it, `Unconfirmed` (RFC 4964).
    PAnswerState P_ANSWER_STATE list: false head: grammar::token;
}

token_headed! {
    AnswerMode:
    /// The mode: `Manual`, `Auto`, or a word of an extension.
    mode;
    PrivAnswerMode:
    /// The mode: `Manual`, `Auto`, or a word of an extension.
    mode;
    PAnswerState:
    /// The state as it stands.
    state;
}

macro_rules! modes {
    ($($type:ident)*) => {$(
        impl $type {
            /// True for `Auto`, in any case.
            pub fn is_auto(&self) -> bool {
                self.mode().eq_ignore_ascii_case("auto")
            }

            /// True where the call is to fail rather than to be answered in another way: `require`.
            pub fn is_required(&self) -> bool {
                self.params().contains("require")
            }
        }
    )*};
}

modes!(AnswerMode PrivAnswerMode);

impl PAnswerState {
    /// True for `Confirmed`, in any case.
    pub fn is_confirmed(&self) -> bool {
        self.state().eq_ignore_ascii_case("confirmed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::TypedHeader;

    #[test]
    fn modes() {
        let auto = AnswerMode::decode(&"auto;require".into()).unwrap();
        assert!(auto.is_auto() && auto.is_required());
        let manual = PrivAnswerMode::new("Manual");
        assert!(!manual.is_auto() && !manual.is_required());
        assert_eq!(manual.with_param("require", None).to_string(), "Manual;require");
        assert!(PAnswerState::decode(&"Confirmed".into()).unwrap().is_confirmed());
        assert!(!PAnswerState::decode(&"Unconfirmed;x".into()).unwrap().is_confirmed());
        for text in ["", "Auto Manual", "Auto;", "Auto, Manual"] {
            assert!(AnswerMode::decode(&text.into()).is_err(), "{text}");
        }
    }
}
