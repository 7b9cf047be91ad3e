//! User profiles: what is read is written, and read again it is the same, with nothing passed over.

use imscore_hss::{UserDataError, UserProfile};

/// The bytes of User-Data.
pub fn profile(data: &[u8]) {
    let Ok(read) = UserProfile::from_xml(data) else { return };
    match UserProfile::from_xml(read.profile.to_xml().as_bytes()) {
        // What needs escapes is longer than it was.
        Err(UserDataError::TooLong) => {}
        again => {
            let again = again.expect("what was written is read");
            assert_eq!((again.profile, again.ignored), (read.profile, 0));
        }
    }
}
