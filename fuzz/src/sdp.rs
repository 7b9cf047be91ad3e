//! Session descriptions: read and written without a loss, edited in their own lines only.

use std::net::IpAddr;

use bytes::Bytes;
use imscore_sip::sdp::{
    Direction, MediaAnswer, SdpLimits, Section, SessionDescription, check_answer, check_successor, continues,
};

use super::input::Input;

/// Lines of edits up to an empty one, each an edit, a section and a text; then the description.
pub fn sdp(data: &[u8]) {
    let mut input = Input::new(data);
    let mut edits = Vec::new();
    while edits.len() < 16 {
        match input.line() {
            [] => break,
            line => edits.push(line),
        }
    }
    let received = input.rest();
    let Ok(mut description) = SessionDescription::parse(Bytes::copy_from_slice(received)) else { return };
    assert_eq!(description.to_bytes(), received, "what nobody edited has changed");
    looked_up(&description);
    answered(&description);
    held(&description);
    for line in edits {
        edit(&mut description, &mut Input::new(line));
    }
    let mut limits = SdpLimits::default();
    limits.bytes += 1 << 16;
    limits.attributes += 16;
    let again = SessionDescription::parse_with(description.to_bytes(), &limits).expect("an edited one can be read");
    assert!(again.lines().eq(description.lines()), "other lines when read again");
    looked_up(&again);
}

fn looked_up(description: &SessionDescription) {
    let _ = (description.origin(), description.connection(), description.direction());
    let sections = description.lines().filter(|(kind, _)| *kind == 'm').count();
    assert_eq!(description.media().count(), sections);
    assert!(description.media_at(sections).is_none());
    for media in description.media() {
        let _ = (media.kind(), media.port_count(), media.protocol(), media.connection(), media.direction());
        let _ = media.connection().map(|connection| connection.ip());
        for format in media.formats() {
            let _ = media.fmtp(format);
        }
        for map in media.rtpmaps() {
            assert!(media.rtpmap(map.payload).is_some());
        }
        for attribute in media.attributes() {
            assert!(media.attribute(attribute.name).is_some());
        }
        let _ = (media.ptime(), media.max_ptime(), media.rtcp(), media.cryptos().count(), media.bandwidth("AS"));
        if let Some(table) = media.preconditions("qos") {
            assert_eq!(table.reversed().reversed(), table);
        }
    }
}

/// A change of direction and the version that goes with it.
fn held(description: &SessionDescription) {
    let mut held = description.clone();
    held.increment_version();
    let mut limits = SdpLimits::default();
    limits.bytes += 1 << 16;
    limits.attributes += 16;
    for (index, _) in description.media().enumerate() {
        assert!(held.set_direction(Section::Media(index), Direction::Inactive));
    }
    let again = SessionDescription::parse_with(held.to_bytes(), &limits).expect("a description on hold is one");
    assert!(again.media().all(|media| media.direction() == Direction::Inactive && media.is_hold()));
    assert!(continues(description, &again) && !continues(&again, description));
}

/// Whatever is offered can be answered, and the answer goes with it.
fn answered(offer: &SessionDescription) {
    let text = offer.answer([192, 0, 2, 7].into(), (1, 1), |_, media| {
        let formats = media.formats().map(String::from).collect();
        Some(MediaAnswer { port: 9, formats, direction: Direction::SendRecv, attributes: Vec::new() })
    });
    let mut limits = SdpLimits::default();
    limits.bytes += 1 << 16;
    let answer = SessionDescription::parse_with(text, &limits).expect("an answer can be read");
    assert_eq!(check_answer(offer, &answer), Ok(()));
    assert_eq!(check_successor(offer, offer), Ok(()));
}

fn edit(description: &mut SessionDescription, input: &mut Input<'_>) {
    let sections = description.media().count();
    let (what, which) = (input.choice(5), input.choice(sections + 2));
    let section = if which == 0 { Section::Session } else { Section::Media(which - 1) };
    let there = which <= sections;
    let before: Vec<(char, Vec<u8>)> = lines(description);
    match what {
        0 => {
            let addresses: [IpAddr; 2] = [[192, 0, 2, 7].into(), [0x2001, 0xdb8, 0, 0, 0, 0, 0, 7].into()];
            let address = input.pick(&addresses);
            assert_eq!(description.set_address(section, address), there);
            let found = match section {
                Section::Session => description.connection(),
                Section::Media(index) => description.media_at(index).and_then(|media| media.connection()),
            };
            assert!(!there || found.and_then(|connection| connection.ip()) == Some(address));
            assert_eq!(without(before, 'c'), without(lines(description), 'c'));
        }
        1 if which > 0 => {
            let port = u16::from_be_bytes([input.byte(), input.byte()]);
            assert_eq!(description.set_port(which - 1, port), there);
            assert_eq!(description.media_at(which - 1).map(|media| media.port()), there.then_some(port));
            assert_eq!(without(before, 'm'), without(lines(description), 'm'));
        }
        2 | 3 => {
            let value = (what == 3).then(|| input.text());
            assert_eq!(description.add_attribute(section, "x-y", value.as_deref()), there);
            let count = lines(description).len() - before.len();
            assert_eq!(count, usize::from(there));
            assert_eq!(without(before, 'a'), without(lines(description), 'a'));
        }
        4 => {
            let name = input.text();
            let count = description.remove_attribute(section, &name);
            assert_eq!(description.remove_attribute(section, &name), 0);
            assert_eq!(lines(description).len() + count, before.len());
            assert_eq!(without(before, 'a'), without(lines(description), 'a'));
        }
        _ => {}
    }
}

fn lines(description: &SessionDescription) -> Vec<(char, Vec<u8>)> {
    description.lines().map(|(kind, value)| (kind, value.to_vec())).collect()
}

fn without(mut lines: Vec<(char, Vec<u8>)>, kind: char) -> Vec<(char, Vec<u8>)> {
    lines.retain(|line| line.0 != kind);
    lines
}
