//! STUN: what is read is written and read again the same, and only a request has an answer.

use std::net::SocketAddr;

use imscore_sip::transport::stun::{Binding, Class, is_stun};

/// One datagram.
pub fn stun(data: &[u8]) {
    let Ok(binding) = Binding::read(data) else { return };
    assert!(is_stun(data));
    // What a request asks of us that nobody knows is not written again.
    if binding.class == Class::Error || binding.unknown.is_empty() {
        let written = binding.to_bytes();
        let again = Binding::read(&written).expect("what we write is STUN");
        assert_eq!(Binding { unknown: Vec::new(), ..binding.clone() }, again);
    }
    let source = SocketAddr::from(([192, 0, 2, 1], 5060));
    let answer = binding.answer(source);
    assert_eq!(answer.is_some(), binding.class == Class::Request);
    if let Some(answer) = answer {
        let read = Binding::read(&answer.to_bytes()).expect("an answer is STUN");
        assert_eq!((read.class, read.transaction, read.mapped), (answer.class, binding.transaction, answer.mapped));
        assert!(read.answer(source).is_none(), "two that answer each other");
    }
}
