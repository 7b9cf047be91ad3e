//! Edits of a description. Each touches its own lines only.

use std::net::IpAddr;
use std::ops::Range;

use super::{Direction, Line, Origin, Section, SessionDescription};

impl SessionDescription {
    /// Puts an address in the section's `c=`, of which one is left; adds it where there is none. False: there is no
    /// such section.
    pub fn set_address(&mut self, section: Section, address: IpAddr) -> bool {
        let Some(lines) = self.range(section) else {
            return false;
        };
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        let line = self.add(b'c', format!("IN {family} {address}").as_bytes());
        match self.find(lines.clone(), b'c') {
            None => self.insert(lines, b"vmosiuep", line),
            Some(at) => {
                self.lines[at] = line;
                self.take_out(at + 1..lines.end, |kind, _| kind == b'c');
            }
        }
        true
    }

    /// Puts a port in a media section's `m=`; 0 refuses the section (RFC 3264 §6). False: there is no such section.
    pub fn set_port(&mut self, index: usize, port: u16) -> bool {
        let Some(media) = self.media_at(index) else {
            return false;
        };
        let at = media.lines.start;
        let (before, behind) = media.line.around_port(self.text(self.lines[at]));
        let value = format!("{before}{port}{behind}");
        self.lines[at] = self.add(b'm', value.as_bytes());
        true
    }

    /// Adds an attribute behind all others of a section. Line ends in it are written as spaces. False: there is no
    /// such section.
    pub fn add_attribute(&mut self, section: Section, name: &str, value: Option<&str>) -> bool {
        let Some(lines) = self.range(section) else {
            return false;
        };
        let line = match value {
            None => self.add(b'a', name.as_bytes()),
            Some(value) => self.add(b'a', format!("{name}:{value}").as_bytes()),
        };
        let end = self.lines[lines.clone()].iter().rposition(|line| line.kind != 0).map_or(0, |last| last + 1);
        self.insert_at(lines.start + end, line);
        true
    }

    /// Takes all attributes of that name out of a section and says how many they were.
    pub fn remove_attribute(&mut self, section: Section, name: &str) -> usize {
        let Some(lines) = self.range(section) else {
            return 0;
        };
        let is_named = |value: &[u8]| {
            let found = value.split(|byte| *byte == b':').next().unwrap_or_default();
            found.trim_ascii_end() == name.as_bytes()
        };
        self.take_out(lines, |kind, value| kind == b'a' && is_named(value))
    }

    /// Puts a direction in place of the section's own, behind all other attributes. False: there is no such section.
    pub fn set_direction(&mut self, section: Section, direction: Direction) -> bool {
        for other in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
            self.remove_attribute(section, other.as_str());
        }
        self.add_attribute(section, direction.as_str(), None)
    }

    /// Counts the version in `o=` up by one, as each change of what was sent wants it (RFC 3264 §8).
    pub fn increment_version(&mut self) {
        let session = self.range(Section::Session).unwrap_or_default();
        let Some(at) = self.find(session, b'o') else { return };
        let text = self.text(self.lines[at]).to_string();
        let Some(origin) = Origin::read(&text) else { return };
        let version = incremented(origin.session_version);
        let place = origin.session_version.as_ptr() as usize - text.as_ptr() as usize;
        let behind = &text[place + origin.session_version.len()..];
        self.lines[at] = self.add(b'o', format!("{}{version}{behind}", &text[..place]).as_bytes());
    }

    /// Line ends in `value` become spaces, so that no line can be smuggled in by a value.
    fn add(&mut self, kind: u8, value: &[u8]) -> Line {
        let start = self.added.len() as u32;
        self.added.extend_from_slice(&[kind, b'=']);
        self.added.extend(value.iter().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte }));
        self.added.extend_from_slice(b"\r\n");
        Line { kind, is_added: true, start, end: self.added.len() as u32 }
    }

    /// Puts a line behind the last of the section that RFC 8866 §5 has in front of it.
    fn insert(&mut self, lines: Range<usize>, in_front: &[u8], line: Line) {
        let first = self.lines[lines.clone()].iter().position(|line| !in_front.contains(&line.kind));
        self.insert_at(first.map_or(lines.end, |first| lines.start + first), line);
    }

    fn insert_at(&mut self, at: usize, line: Line) {
        if let Some(last) = at.checked_sub(1).map(|last| self.lines[last])
            && !self.source(last)[..last.end as usize].ends_with(b"\n")
        {
            let value = self.value(last).to_vec();
            self.lines[at - 1] = self.add(last.kind, &value);
        }
        self.lines.insert(at, line);
    }

    /// Takes lines out and says how many they were.
    pub(super) fn take_out(&mut self, within: Range<usize>, unwanted: impl Fn(u8, &[u8]) -> bool) -> usize {
        let before = std::mem::take(&mut self.lines);
        let keep = |(at, line): &(usize, &Line)| !within.contains(at) || !unwanted(line.kind, self.value(**line));
        let kept: Vec<Line> = before.iter().enumerate().filter(keep).map(|(_, line)| *line).collect();
        self.lines = kept;
        before.len() - self.lines.len()
    }
}

/// A number of any length, one larger.
fn incremented(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let nines = digits.len() - kept.len();
    let (front, last) = kept.split_at(kept.len().saturating_sub(1));
    let last = last.bytes().next().map_or('1', |digit| char::from(digit + 1));
    format!("{front}{last}{}", "0".repeat(nines))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
        m=audio 49170/2 RTP/AVP 0\r\ni=voice\r\nb=AS:64\r\na=ptime:20\r\na=sendrecv \r\n\
        m=video 0 RTP/AVP 99\r\nc=IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.3\r\na=x:\u{fc}";

    /// One edit, and what it puts in place of what.
    fn check<T: PartialEq + std::fmt::Debug>(
        edit: impl FnOnce(&mut SessionDescription) -> T,
        result: T,
        from: &str,
        to: &str,
    ) {
        let mut description = SessionDescription::parse(OFFER.into()).unwrap();
        assert_eq!(edit(&mut description), result);
        assert!(OFFER.contains(from), "{from}");
        assert_eq!(description.to_string(), OFFER.replacen(from, to, 1));
        SessionDescription::parse(description.to_bytes()).unwrap();
    }

    #[test]
    fn an_address_is_put_where_it_belongs() {
        let v4: IpAddr = "198.51.100.7".parse().unwrap();
        let v6: IpAddr = "2001:db8::7".parse().unwrap();
        check(|sdp| sdp.set_address(Section::Session, v4), true, "t=0", "c=IN IP4 198.51.100.7\r\nt=0");
        check(|sdp| sdp.set_address(Section::Media(0), v6), true, "b=AS", "c=IN IP6 2001:db8::7\r\nb=AS");
        let two = "c=IN IP4 192.0.2.2\r\nc=IN IP4 192.0.2.3\r\n";
        check(|sdp| sdp.set_address(Section::Media(1), v6), true, two, "c=IN IP6 2001:db8::7\r\n");
        check(|sdp| sdp.set_address(Section::Media(2), v6), false, "", "");
    }

    #[test]
    fn a_port_is_put_in_place_of_the_port() {
        check(|sdp| sdp.set_port(0, 7), true, "audio 49170/2 RTP", "audio 7/2 RTP");
        check(|sdp| sdp.set_port(1, 65_535), true, "video 0", "video 65535");
        check(|sdp| sdp.set_port(2, 7), false, "", "");
    }

    #[test]
    fn attributes_come_and_go() {
        check(|sdp| sdp.remove_attribute(Section::Media(0), "ptime"), 1, "a=ptime:20\r\n", "");
        check(|sdp| sdp.remove_attribute(Section::Media(0), "sendrecv"), 1, "a=sendrecv \r\n", "");
        check(|sdp| sdp.remove_attribute(Section::Session, "ptime"), 0, "", "");
        check(|sdp| sdp.remove_attribute(Section::Media(0), "voice"), 0, "", "");
        check(|sdp| sdp.remove_attribute(Section::Session, "group"), 1, "a=group:BUNDLE 0 1\r\n", "");
        check(|sdp| sdp.remove_attribute(Section::Media(9), "group"), 0, "", "");
        let add = |section, value| move |sdp: &mut SessionDescription| sdp.add_attribute(section, "mid", value);
        check(add(Section::Session, None), true, "m=audio", "a=mid\r\nm=audio");
        check(add(Section::Media(0), Some("a")), true, "m=video", "a=mid:a\r\nm=video");
        check(add(Section::Media(1), Some("b\r\nm=x")), true, "x:\u{fc}", "x:\u{fc}\r\na=mid:b  m=x\r\n");
        check(add(Section::Media(2), None), false, "", "");
    }

    #[test]
    fn a_direction_stands_once() {
        let hold = |section| move |sdp: &mut SessionDescription| sdp.set_direction(section, Direction::SendOnly);
        check(hold(Section::Media(0)), true, "a=sendrecv \r\n", "a=sendonly\r\n");
        check(hold(Section::Session), true, "m=audio", "a=sendonly\r\nm=audio");
        check(hold(Section::Media(2)), false, "", "");
    }

    #[test]
    fn versions_count_up() {
        check(SessionDescription::increment_version, (), "o=- 1 1 IN", "o=- 1 2 IN");
        for (before, after) in [
            ("0", "1"),
            ("9", "10"),
            ("1999", "2000"),
            ("18446744073709551615", "18446744073709551616"),
            ("99999999999999999999", "100000000000000000000"),
            ("009", "010"),
        ] {
            assert_eq!(incremented(before), after);
        }
        let text = "v=0\r\no=A B 7 9 IN IP4 h \r\n";
        let mut description = SessionDescription::parse(text.into()).unwrap();
        description.increment_version();
        assert_eq!(description.to_string(), "v=0\r\no=A B 7 10 IN IP4 h \r\n");
    }

    #[test]
    fn what_is_not_utf_8_can_be_edited_around() {
        let text = b"v=0\no=- 1 1 IN IP4 h\ns=\xfc\na=x:\xfc\nm=a 1 b c\na=x:\xfc\n\n";
        let mut description = SessionDescription::parse(text.as_slice().into()).unwrap();
        assert_eq!(description.to_bytes(), text.as_slice());
        assert_eq!(description.remove_attribute(Section::Media(0), "x"), 1);
        assert!(description.add_attribute(Section::Media(0), "y", None));
        let expected = b"v=0\no=- 1 1 IN IP4 h\ns=\xfc\na=x:\xfc\nm=a 1 b c\na=y\r\n\n";
        assert_eq!(description.to_bytes(), expected.as_slice());
    }
}
