//! Who may provision: whoever shows the token (RFC 6750 §2.1).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Problem;

/// Fewest characters of a token.
const SHORTEST: usize = 16;

/// What a client has to show. `Debug` does not.
#[derive(Clone)]
pub struct Token(Arc<Zeroizing<String>>);

impl Token {
    /// Reads it from a file, without the white space around it; none where no file is named.
    ///
    /// # Errors
    /// The file cannot be read, or what stands in it is too short or no token.
    pub fn read(file: &str) -> Result<Option<Token>> {
        if file.is_empty() {
            return Ok(None);
        }
        let text =
            Zeroizing::new(std::fs::read_to_string(Path::new(file)).with_context(|| format!("{file}: no token"))?);
        let token = text.trim();
        if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("{file}: a token has {SHORTEST} characters or more, letters, digits and signs");
        }
        Ok(Some(Token(Arc::new(Zeroizing::new(token.to_owned())))))
    }

    /// Compares in a time that does not tell where two differ.
    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Lets requests through that show the token.
pub(super) async fn check(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    if token.is_none_or(|token| shown.is_some_and(|shown| token.is(shown))) {
        return next.run(request).await;
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "show the token: Authorization: Bearer …");
    let mut response = problem.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The scheme's name has no case (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, shown) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(shown.trim_ascii())
}
