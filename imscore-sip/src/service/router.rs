//! Which handler a request is for.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::{Answering, Handler, IntoResponse};
use crate::header::Allow;
use crate::message::{Method, Request, Response, StatusCode};

type Call<S> = Arc<dyn Fn(Request, &S) -> Answering + Send + Sync>;

/// Handlers by method, and the state that they share: a service of requests.
///
/// ```
/// use imscore_sip::service::Router;
/// use imscore_sip::{Method, StatusCode};
///
/// let router = Router::new(()).on(Method::Options, async || StatusCode::OK);
/// assert_eq!(router.methods(), [Method::Options]);
/// ```
#[derive(Clone)]
pub struct Router<S = ()> {
    state: S,
    routes: Vec<(Method, Call<S>)>,
    fallback: Call<S>,
}

impl<S: Send + Sync + 'static> Router<S> {
    /// No handlers yet: everything gets 405.
    pub fn new(state: S) -> Router<S> {
        let fallback = Arc::new(|request: Request, _: &S| -> Answering {
            Box::pin(async move { Ok(StatusCode::METHOD_NOT_ALLOWED.into_response(&request)) })
        });
        Router { state, routes: Vec::new(), fallback }
    }

    /// Has requests of that method answered so, in place of an earlier handler.
    #[must_use]
    pub fn on<T>(mut self, method: Method, handler: impl Handler<T, S>) -> Router<S> {
        self.routes.retain(|(known, _)| *known != method);
        self.routes.push((method, Arc::new(move |request, state| handler.call(request, state))));
        self
    }

    /// Has all others answered so.
    #[must_use]
    pub fn fallback<T>(self, handler: impl Handler<T, S>) -> Router<S> {
        Router { fallback: Arc::new(move |request, state| handler.call(request, state)), ..self }
    }

    /// The methods with a handler, for [`Config::methods`](crate::ua::Config::methods).
    pub fn methods(&self) -> Vec<Method> {
        self.routes.iter().map(|(method, _)| method.clone()).collect()
    }
}

impl<S: Clone + Send + Sync + 'static> Service<Request> for Router<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        if let Some((_, handler)) = self.routes.iter().find(|(method, _)| request.is(method)) {
            return handler(request, &self.state);
        }
        let (answer, methods) = ((self.fallback)(request, &self.state), self.methods());
        Box::pin(async move {
            let mut response = answer.await?;
            // RFC 3261 §21.4.6.
            if response.status() == StatusCode::METHOD_NOT_ALLOWED && !response.headers.contains("Allow") {
                methods.into_iter().for_each(|method| response.headers.push(&Allow(method)));
            }
            Ok(response)
        })
    }
}
