//! The subscribers of an HSS: where they are kept, who is there from the start, and how they are written and shown.

mod import;
mod provisioned;
mod shown;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use imscore_hss::tokio::{OpenError, RedbSubscribers};
use imscore_hss::{Credentials, DigestCredentials, Hss, PrivateIdentity, PublicIdentity, StoreError, Subscription};
use imscore_sip::tokio::seed;

pub use import::{Import, ImportError, LineError, Report};
pub use provisioned::{Provisioned, Rejected, private_identity};
pub use shown::Shown;

/// Who is there from the start on a laptop: name, number, password.
const DEMO: [(&str, &str, &str); 2] =
    [("alice", "+12015550101", "alice-secret"), ("bob", "+12015550102", "bob-secret")];

/// A subscriber who is there from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// Private identity.
    pub private_identity: PrivateIdentity,
    /// Public identities.
    pub public_identities: Vec<PublicIdentity>,
    /// The password, unless somebody has given it another one since.
    pub password: Option<&'static str>,
}

/// An HSS, its subscribers in the folder, or in memory where none is named.
///
/// # Errors
/// The folder cannot be used, or is in use, and what to do about it.
pub async fn open(data: &str) -> Result<Hss> {
    if data.is_empty() {
        return Ok(Hss::with_subscribers([], seed()?)?);
    }
    let folder = Path::new(data);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: the folder cannot be made; choose another with --data", folder.display()))?;
    let file = folder.join("subscribers.redb");
    match RedbSubscribers::open(&file) {
        Ok(subscribers) => {
            let opened = Hss::open(subscribers, seed()?).await;
            opened.with_context(|| format!("{}: it cannot be read", file.display()))
        }
        Err(OpenError::InUse) => bail!(
            "{}: another core or HSS uses it; stop that one, or choose another folder with --data",
            file.display()
        ),
        Err(error) => {
            Err(error).with_context(|| format!("{}: choose a folder that can be written with --data", file.display()))
        }
    }
}

/// Puts alice and bob in, unless there are such subscribers.
///
/// # Errors
/// The subscriber base failed, or the domain is none.
pub async fn add_demo(hss: &Hss, domain: &str) -> Result<Vec<Demo>> {
    let mut demo = Vec::new();
    for (name, number, password) in DEMO {
        let private: PrivateIdentity = format!("{name}@{domain}").parse()?;
        let credentials = Credentials::Digest(DigestCredentials::from_password(&private, domain, password)?);
        let present = match hss.get(&private).await? {
            Some(present) => present,
            None => {
                let publics = [format!("sip:{name}@{domain}").parse()?, format!("tel:{number}").parse()?];
                let added = Subscription::new(private.clone(), publics, credentials.clone())?;
                match hss.put(added.clone()).await {
                    Ok(_) => Arc::new(added),
                    // Somebody else has the number by now.
                    Err(StoreError::Conflict { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        demo.push(Demo {
            password: (present.credentials_of(&private) == Some(&credentials)).then_some(password),
            public_identities: present.public_identities().cloned().collect(),
            private_identity: private,
        });
    }
    Ok(demo)
}

/// A line for each of them, for people.
pub fn demo_lines(demo: &[Demo]) -> impl Iterator<Item = String> {
    demo.iter().map(|Demo { private_identity, public_identities, password }| {
        let identities: Vec<_> = public_identities.iter().map(ToString::to_string).collect();
        let password = password.map_or("as it was provisioned".to_owned(), |password| format!("password {password}"));
        format!("  {private_identity}   {password}   {}", identities.join(", "))
    })
}
