//! Loop detection by what decides the route of a request: RFC 3261 §16.6 step 8 as RFC 5393 §4.2 has it.

use std::hash::{BuildHasher, Hasher};

use crate::hash::Keyed;
use crate::header::{Name, Via};
use crate::message::Request;
use crate::transaction::loop_key;

/// Finds requests that came back unchanged in all that decides where they go.
pub(super) struct Loops {
    keyed: Keyed,
}

impl Loops {
    pub(super) fn new(keyed: Keyed) -> Loops {
        Loops { keyed }
    }

    /// What our branch remembers of a request as it came in: Request-URI, Route, tags, Call-ID, CSeq number and the headers
    /// that a proxy acts on. A spiral differs in one of them, a loop in none.
    pub(super) fn key(&self, request: &Request) -> u32 {
        let mut hasher = self.keyed.build_hasher();
        let mut put = |part: &[u8]| {
            hasher.write(part);
            hasher.write_u8(0);
        };
        put(request.target().as_bytes());
        let names = [Name::ROUTE, Name::PROXY_REQUIRE, Name::PROXY_AUTHORIZATION, Name::CALL_ID];
        for name in names {
            request.headers.raw_all(name).for_each(&mut put);
        }
        for tag in [request.headers.from_tag(), request.headers.to_tag()] {
            put(tag.unwrap_or_default().as_bytes());
        }
        let number = request.headers.raw(Name::CSEQ).unwrap_or_default();
        put(number.split(u8::is_ascii_whitespace).next().unwrap_or_default());
        hasher.finish() as u32
    }

    /// True where a Via of ours remembers the same.
    pub(super) fn is_loop(&self, request: &Request) -> bool {
        let mut remembered =
            request.headers.typed::<Via>().flatten().filter_map(|via| loop_key(via.branch()?)).peekable();
        if remembered.peek().is_none() {
            return false;
        }
        let key = self.key(request);
        remembered.any(|other| other == key)
    }
}
