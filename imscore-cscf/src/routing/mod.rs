//! Where requests go: what kind of destination a Request-URI is, and which S-CSCF takes a user.

mod destination;
mod pool;

pub(crate) use destination::{Destination, is_originating, number_of};
pub(crate) use pool::{Pool, Unserved};

pub use pool::ScscfServer;
