//! Async functions as handlers.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;

use super::{FromRequest, IntoResponse};
use crate::message::{Request, Response};

/// A response on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Answers requests: an async function of up to eight arguments that are each a [`FromRequest`], whose result is an
/// [`IntoResponse`]. `T` says which arguments.
///
/// ```
/// use imscore_sip::service::Handler;
/// use imscore_sip::{Method, StatusCode};
///
/// // Functions are handlers: what they ask for is taken from the request.
/// fn is_handler<T>(_: impl Handler<T, ()>) {}
/// is_handler(async |_: Method| StatusCode::OK);
/// ```
pub trait Handler<T, S>: Send + Sync + 'static {
    /// Answers one.
    fn call(&self, request: Request, state: &S) -> Answering;
}

macro_rules! handlers {
    ($(($($argument:ident)*))*) => {$(
        impl<F, Answer, S, $($argument),*> Handler<($($argument,)*), S> for F
        where
            F: Fn($($argument),*) -> Answer + Send + Sync + 'static,
            Answer: Future<Output: IntoResponse> + Send + 'static,
            $($argument: FromRequest<S>,)*
        {
            #[allow(non_snake_case, unused_variables)]
            fn call(&self, request: Request, state: &S) -> Answering {
                $(let $argument = match $argument::from_request(&request, state) {
                    Ok(found) => found,
                    Err(rejection) => return Box::pin(ready(Ok(rejection.into_response(&request)))),
                };)*
                let answer = self($($argument),*);
                Box::pin(async move { Ok(answer.await.into_response(&request)) })
            }
        }
    )*};
}

handlers! {
    () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I)
}
