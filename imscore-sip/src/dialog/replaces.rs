//! An INVITE that is to take the place of another dialog (RFC 3891).

use super::{Dialog, DialogId};
use crate::header::{Cause, HeaderError, Replaces, TypedHeader};
use crate::message::{Request, StatusCode};

impl Dialog {
    /// The header that asks the other side of a third dialog to let it be replaced, for a Refer-To.
    pub fn replaces(&self) -> Replaces {
        let DialogId { call_id, local_tag, remote_tag } = self.id();
        // RFC 3891 §3: tags as whoever gets it sees them, its own as to-tag.
        Replaces::new(&crate::header::CallId::new(call_id.clone()), remote_tag, local_tag)
    }
}

/// The dialog that an INVITE asks to replace, as its receiver knows it; `None` where it does not ask.
///
/// # Errors
/// A header that cannot be read, stands twice, or lacks a tag: 400.
pub fn replaces(invite: &Request) -> Result<Option<(DialogId, Replaces)>, HeaderError> {
    let malformed = HeaderError { name: Replaces::NAME, cause: Cause::Malformed };
    let Some(replaces) = invite.headers.get::<Replaces>()? else { return Ok(None) };
    if invite.headers.raw_all(Replaces::NAME).count() > 1 {
        return Err(HeaderError { name: Replaces::NAME, cause: Cause::Repeated });
    }
    let (Some(local), Some(remote)) = (replaces.to_tag(), replaces.from_tag()) else { return Err(malformed) };
    // RFC 3891 §6.1: a tag of 0 stands for none, as RFC 2543 phones have it.
    let remote = if remote == "0" { "" } else { remote };
    let id = DialogId { call_id: replaces.call_id().into(), local_tag: local.into(), remote_tag: remote.into() };
    Ok(Some((id, replaces)))
}

/// What becomes of an INVITE with Replaces (RFC 3891 §3). `found` is the dialog that it names, of the INVITEs alone; none
/// where there is none. `was_ended`: there was one, and it is over.
///
/// # Errors
/// The status to refuse with: 481, 486 or 603.
pub fn replaced(replaces: &Replaces, found: Option<&Dialog>, was_ended: bool) -> Result<(), StatusCode> {
    match found {
        None if was_ended => Err(StatusCode::DECLINE),
        None => Err(StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST),
        Some(dialog) if dialog.is_confirmed() && replaces.is_early_only() => Err(StatusCode::BUSY_HERE),
        Some(dialog) if dialog.is_confirmed() || dialog.is_caller() => Ok(()),
        // An early dialog may be replaced by whoever is being called, not by whoever calls.
        Some(_) => Err(StatusCode::CALL_TRANSACTION_DOES_NOT_EXIST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn invite(replaces: &[&str]) -> Request {
        let draft = testing::request("INVITE", "sip:bob@ims.example");
        replaces.iter().fold(draft, |draft, value| draft.add("Replaces", *value)).request()
    }

    #[test]
    fn the_dialog_that_is_named() {
        let own = Dialog::of_request(&invite(&[]), "b").unwrap();
        let named = replaces(&invite(&["1@h;to-tag=b;from-tag=a"])).unwrap().unwrap().0;
        assert_eq!((named.local_tag.as_ref(), named.remote_tag.as_ref()), ("b", "a"));
        // What the other end writes into a Refer-To names the dialog as its peer knows it.
        let of_peer = own.replaces().to_string();
        assert_eq!(replaces(&invite(&[&of_peer])).unwrap().unwrap().0, own.id().reversed());
        assert_eq!(replaces(&invite(&["1@h;to-tag=b;from-tag=0"])).unwrap().unwrap().0.remote_tag, "");
        assert!(replaces(&invite(&[])).unwrap().is_none());
        for wrong in [&["1@h;to-tag=b"][..], &["1@h;from-tag=a"], &["1;to-tag=b;from-tag=a", "2;to-tag=b;from-tag=a"]] {
            assert!(replaces(&invite(wrong)).is_err(), "{wrong:?}");
        }
    }

    /// RFC 3891 §3.
    #[test]
    fn verdicts() {
        let ringing = Dialog::of_request(&invite(&[]), "b").unwrap();
        let mut up = ringing.clone();
        up.confirm_as_callee();
        let answer = testing::response(&invite(&[]), 180).to_tag("b").response();
        let calling = Dialog::of_response(&invite(&[]), &answer).unwrap();
        let any = replaces(&invite(&["1;to-tag=b;from-tag=a"])).unwrap().unwrap().1;
        let early = replaces(&invite(&["1;to-tag=b;from-tag=a;early-only"])).unwrap().unwrap().1;
        for (header, found, was_ended, expected) in [
            (&any, None, false, Err(481)),
            (&any, None, true, Err(603)),
            (&any, Some(&up), false, Ok(())),
            (&early, Some(&up), false, Err(486)),
            (&any, Some(&calling), false, Ok(())),
            (&early, Some(&calling), false, Ok(())),
            (&any, Some(&ringing), false, Err(481)),
        ] {
            assert_eq!(replaced(header, found, was_ended).map_err(StatusCode::code), expected, "{header} {found:?}");
        }
    }
}
