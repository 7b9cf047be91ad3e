//! Application servers, for whoever knows axum: handlers are async functions from what they need of a request to what a
//! response is made of, and a [`Router`] finds them by method.
//!
//! A [`Router`] is a [`tower_service::Service`] from [`Request`](crate::Request) to [`Response`](crate::Response), so that the
//! layers of tower go around it; any such service does in its place. [`Server`] is the engine that runs it over a
//! [`UserAgent`](crate::ua::UserAgent), which sees to transactions and dialogs: a handler of INVITE that answers 200 with a
//! description is in a call, whose ACK, PRACK, UPDATE and BYE are seen to.
//!
//! Neither needs a runtime. Under `imscore_sip::tokio` a handler may use what needs one.
//!
//! ```
//! use imscore_sip::header::{Contact, Subject};
//! use imscore_sip::service::{Header, IntoResponse, Router, State};
//! use imscore_sip::uri::Uri;
//! use imscore_sip::{Method, StatusCode};
//!
//! #[derive(Clone)]
//! struct Voicemail(Uri);
//!
//! /// Calls are sent elsewhere.
//! async fn divert(State(voicemail): State<Voicemail>) -> impl IntoResponse {
//!     (StatusCode::MOVED_TEMPORARILY, Header(Contact::new(voicemail.0)))
//! }
//!
//! /// A message without a Subject is answered with 400 before it comes here.
//! async fn take(Header(subject): Header<Subject>, text: String) -> Result<StatusCode, StatusCode> {
//!     println!("{subject}: {text}");
//!     if text.is_empty() { Err(StatusCode::NOT_ACCEPTABLE_HERE) } else { Ok(StatusCode::ACCEPTED) }
//! }
//!
//! let voicemail = Voicemail("sip:voicemail@ims.example".parse()?);
//! let router = Router::new(voicemail).on(Method::Invite, divert).on(Method::Message, take);
//! assert_eq!(router.methods(), [Method::Invite, Method::Message]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod extract;
mod handler;
mod ready;
mod respond;
mod router;
mod server;
#[cfg(test)]
mod tests;

pub use extract::{All, FromRequest, Header, NoDescription, NoText, State};
pub use handler::{Answering, Handler};
pub use respond::IntoResponse;
pub use router::Router;
pub use server::Server;
