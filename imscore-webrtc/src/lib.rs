//! WebRTC for an IMS core: what a browser says in its SDP.
//!
//! A browser's offer differs from that of an IMS phone in everything around the codecs: ICE finds the way, DTLS makes the
//! keys, all media share one transport. [`interwork`] reads and writes these parts.
//!
//! ```text
//!  offer of a browser ──▶ SessionDescription ──▶ BrowserOffer ──▶ media: profile, codecs' feedback, sources
//!                          (imscore-sip)              └──────────▶ transports: ICE, DTLS fingerprints, setup
//! ```
//!
//! It is sans-IO to the point of having no state: text in, values out, and each value writes itself. No socket, clock,
//! task or randomness, with any feature. Media themselves, ICE checks and DTLS are not here.
//!
//! # What it follows, and what shows it
//!
//! Table tests stand in the file of each part.
//!
//! | specification | shown by |
//! | --- | --- |
//! | RFC 8839 §5: candidates, ufrag, pwd; RFC 8840 §8.2: end of candidates | `src/interwork/ice.rs`, `src/interwork/offer.rs` |
//! | RFC 8122 §5, RFC 4145 §4, RFC 5763 §5: fingerprint, setup | `src/interwork/dtls.rs` |
//! | RFC 5888, RFC 9143: mid, BUNDLE | `src/interwork/bundle.rs`, `src/interwork/offer.rs` |
//! | RFC 4585 §4.2, RFC 5576 §4.1, RFC 5761 §5.1.1: feedback, sources, one port for RTP and RTCP | `src/interwork/rtp.rs`, `src/interwork/offer.rs` |
//!
//! # A first look
//!
//! [`BrowserOffer::read`] gathers what an offer says:
//!
//! ```
//! use imscore_sip::sdp::SessionDescription;
//! use imscore_webrtc::interwork::{BrowserOffer, Profile};
//!
//! let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
//!     m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
//!     a=ice-ufrag:F7gI\r\na=ice-pwd:x9cml/YzichV2+XlhiMu8g\r\na=setup:actpass\r\n\
//!     a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n\
//!     a=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n";
//! let offer = BrowserOffer::read(&SessionDescription::parse(sdp.into())?)?;
//! assert_eq!(offer.media[0].profile, Some(Profile::UdpTlsRtpSavpf));
//! assert_eq!(offer.media[0].transport.as_ref().map(|found| found.ice.ufrag()), Some("F7gI"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`BrowserOffer::read`]: interwork::BrowserOffer::read

pub mod interwork;

/// Its examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
