//! Who is registered where: the records of cscf in a [`StateStore`](imscore_hss::state::StateStore).
//!
//! One record is one implicit registration set, under its default public identity; each other identity of the set has a
//! short record that points there. So a call to the default identity costs one read, a call to another one two.
//! All times in a record count from the end of the record, which the store alone keeps, so nodes need not agree on the
//! time. Any S-CSCF of a pool serves any set.

mod bindings;
mod record;
mod request;
mod store;

pub(crate) use bindings::{Change, ChangeError, Terms};
pub(crate) use record::{Binding, Registration};
pub(crate) use request::{Contacts, RegisterError, RegisterRequest};
pub(crate) use store::{Registrations, StoreError, Stored};
