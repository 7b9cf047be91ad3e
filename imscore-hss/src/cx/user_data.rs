//! The profile as it stands in User-Data.

use std::fmt;

use crate::UserProfile;

/// How profiles are written into User-Data and read from it (TS 29.228 annex B has it as XML).
#[derive(Clone, Copy)]
pub struct UserData {
    /// Reads a profile; none where the bytes are no profile.
    pub read: fn(&[u8]) -> Option<UserProfile>,
    /// Writes a profile.
    pub write: fn(&UserProfile) -> Vec<u8>,
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserData")
    }
}

/// A line for the private identity and one for each public one, a service profile behind each empty line: for tests.
#[cfg(test)]
pub(crate) const LINES: UserData = UserData {
    read: |bytes| {
        use crate::{ProfileIdentity, ServiceProfile};
        let text = str::from_utf8(bytes).ok()?;
        let (private, profiles) = text.split_once("\n\n")?;
        let profile = |lines: &str| {
            let identity = |line: &str| match line.strip_prefix('!') {
                Some(barred) => barred.parse().ok().map(ProfileIdentity::barred),
                None => line.parse().ok().map(ProfileIdentity::new),
            };
            lines.lines().map(identity).collect::<Option<_>>().map(ServiceProfile::new)
        };
        let profiles = profiles.split("\n\n").map(profile).collect::<Option<_>>()?;
        Some(UserProfile::new(private.parse().ok()?, profiles))
    },
    write: |profile| {
        let mut text = profile.private_identity.to_string();
        for service in &profile.service_profiles {
            text.push('\n');
            for entry in &service.identities {
                text.extend(["\n", if entry.barred { "!" } else { "" }, entry.identity.as_str()]);
            }
        }
        text.into_bytes()
    },
};
