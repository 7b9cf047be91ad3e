//! Preconditions (RFC 3312, RFC 4032): what must be reserved on both sides before a phone rings.

use super::{Direction, Media, Section, SessionDescription};

/// Which ways something holds, seen from whoever writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flow {
    /// From the writer.
    pub send: bool,
    /// To the writer.
    pub recv: bool,
}

/// How much a condition is wanted. What is later in this order outweighs what is before it; `Failure` and `Unknown` stand
/// in a refusal only (RFC 3312 §5, §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// Not at all.
    #[default]
    None,
    /// Where it is to be had.
    Optional,
    /// Without it there is no session.
    Mandatory,
    /// It could not be had.
    Failure,
    /// The type of condition is not known.
    Unknown,
}

/// One segment's row of the table.
///
/// ```
/// use imscore_sip::sdp::{Flow, Preconditions, Status, Strength};
///
/// let mut needs = Preconditions::new(Strength::Mandatory, Strength::Optional);
/// assert!(!needs.are_met());
/// needs.local = Status { current: Flow::BOTH, ..Status::wanted(Strength::Mandatory) };
/// assert!(needs.are_met());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status {
    /// What is there.
    pub current: Flow,
    /// How much sending is wanted.
    pub send: Strength,
    /// How much receiving is wanted.
    pub recv: Strength,
    /// For which directions the other side asks to be told once they are there.
    pub confirm: Flow,
}

/// The table of one media section, for one type of condition. Of the segments either `end_to_end` is used, or the other
/// two are.
///
/// Each side keeps a table, and writes it in attributes of a media section:
///
/// ```text
///     a=curr:qos local none                 what is there on my side
///     a=curr:qos remote none                what is there on yours, as far as I know
///     a=des:qos mandatory local sendrecv    what there must be
///     a=des:qos optional remote sendrecv
///     a=conf:qos remote sendrecv            tell me when it is there on yours
/// ```
///
/// What one side calls local and sends, the other calls remote and receives: [`Preconditions::reversed`].
///
/// ```
/// use imscore_sip::sdp::{Flow, Preconditions, SessionDescription};
///
/// let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n\
///     a=curr:qos local sendrecv\r\na=curr:qos remote none\r\n\
///     a=des:qos mandatory local sendrecv\r\na=des:qos mandatory remote sendrecv\r\n";
/// let offer = SessionDescription::parse(text.into())?;
/// let mut ours = offer.media_at(0).and_then(|media| media.preconditions("qos")).expect("a table").reversed();
/// assert!(!ours.are_met());
/// ours.local.current = Flow::BOTH;
/// assert!(ours.are_met());
/// # Ok::<(), imscore_sip::sdp::SdpError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Preconditions {
    /// The access of the writer.
    pub local: Status,
    /// The access of its peer.
    pub remote: Status,
    /// Both in one.
    pub end_to_end: Status,
}

impl Flow {
    /// Both ways.
    pub const BOTH: Flow = Flow { send: true, recv: true };

    /// Neither way.
    pub const NONE: Flow = Flow { send: false, recv: false };

    fn reversed(self) -> Flow {
        Flow { send: self.recv, recv: self.send }
    }

    fn find(tag: &str) -> Option<Flow> {
        match tag {
            "none" => Some(Flow::NONE),
            "send" => Some(Flow { send: true, recv: false }),
            "recv" => Some(Flow { send: false, recv: true }),
            "sendrecv" => Some(Flow::BOTH),
            _ => None,
        }
    }

    fn tag(self) -> &'static str {
        match (self.send, self.recv) {
            (true, true) => "sendrecv",
            (true, false) => "send",
            (false, true) => "recv",
            (false, false) => "none",
        }
    }
}

impl From<Direction> for Flow {
    fn from(direction: Direction) -> Flow {
        Flow { send: direction.sends(), recv: direction.receives() }
    }
}

impl Strength {
    const ALL: [(Strength, &'static str); 5] = [
        (Strength::None, "none"),
        (Strength::Optional, "optional"),
        (Strength::Mandatory, "mandatory"),
        (Strength::Failure, "failure"),
        (Strength::Unknown, "unknown"),
    ];

    fn find(tag: &str) -> Option<Strength> {
        Strength::ALL.into_iter().find(|(_, known)| *known == tag).map(|(strength, _)| strength)
    }

    fn tag(self) -> &'static str {
        Strength::ALL[self as usize].1
    }
}

impl Status {
    /// Nothing there yet, and both ways wanted so much.
    pub fn wanted(strength: Strength) -> Status {
        Status { send: strength, recv: strength, ..Status::default() }
    }

    /// True where all that is mandatory is there.
    pub fn is_met(&self) -> bool {
        (self.send < Strength::Mandatory || self.current.send) && (self.recv < Strength::Mandatory || self.current.recv)
    }

    /// True where something was wanted, there, or asked to be confirmed.
    fn is_used(&self) -> bool {
        *self != Status::default()
    }

    fn reversed(self) -> Status {
        Status { current: self.current.reversed(), send: self.recv, recv: self.send, confirm: self.confirm.reversed() }
    }
}

impl Preconditions {
    /// A table as an offer of a phone has it: nothing there yet, both ways wanted on both sides.
    pub fn new(local: Strength, remote: Strength) -> Preconditions {
        Preconditions { local: Status::wanted(local), remote: Status::wanted(remote), end_to_end: Status::default() }
    }

    /// True where all that is mandatory is there, so that the session may go on: the phone rings (RFC 3312 §6).
    pub fn are_met(&self) -> bool {
        [self.local, self.remote, self.end_to_end].iter().all(Status::is_met)
    }

    /// The table as the other side has it.
    #[must_use]
    pub fn reversed(&self) -> Preconditions {
        Preconditions {
            local: self.remote.reversed(),
            remote: self.local.reversed(),
            end_to_end: self.end_to_end.reversed(),
        }
    }

    /// Our table once a description of the peer has come (RFC 3312 §5): what we know of our own side stays,
    /// what the peer says of its own side holds, and a strength is never lowered.
    #[must_use]
    pub fn updated(&self, peer: &Preconditions) -> Preconditions {
        let seen = peer.reversed();
        let merged = |own: Status, seen: Status, current: Flow| Status {
            current,
            send: own.send.max(seen.send),
            recv: own.recv.max(seen.recv),
            confirm: seen.confirm,
        };
        let either = |one: Flow, other: Flow| Flow { send: one.send || other.send, recv: one.recv || other.recv };
        Preconditions {
            local: merged(self.local, seen.local, self.local.current),
            remote: merged(self.remote, seen.remote, seen.remote.current),
            end_to_end: merged(
                self.end_to_end,
                seen.end_to_end,
                either(self.end_to_end.current, seen.end_to_end.current),
            ),
        }
    }

    /// True where the peer is to be told, in an UPDATE with an offer, that what it asked about is there: all of the
    /// `conf` directions of our own side (RFC 3312 §7).
    pub fn owes_confirmation(&self) -> bool {
        let due = |status: Status| {
            status.confirm != Flow::NONE
                && (!status.confirm.send || status.current.send)
                && (!status.confirm.recv || status.current.recv)
        };
        due(self.local) || due(self.end_to_end)
    }

    /// The attributes of the table, without `a=`: current status, desired status, what is to be confirmed. A
    /// confirmation is asked for of the peer's side, so those of ours are not written.
    pub fn attributes(&self, kind: &str) -> Vec<String> {
        let rows = if self.end_to_end.is_used() {
            vec![("e2e", self.end_to_end)]
        } else {
            vec![("local", self.local), ("remote", self.remote)]
        };
        let mut lines: Vec<String> =
            rows.iter().map(|(segment, status)| format!("curr:{kind} {segment} {}", status.current.tag())).collect();
        for (segment, status) in &rows {
            if status.send == status.recv {
                lines.push(format!("des:{kind} {} {segment} sendrecv", status.send.tag()));
                continue;
            }
            lines.push(format!("des:{kind} {} {segment} send", status.send.tag()));
            lines.push(format!("des:{kind} {} {segment} recv", status.recv.tag()));
        }
        let asked = rows.iter().filter(|(segment, status)| *segment != "local" && status.confirm != Flow::NONE);
        lines.extend(asked.map(|(segment, status)| format!("conf:{kind} {segment} {}", status.confirm.tag())));
        lines
    }
}

impl Media<'_> {
    /// The table of that type, `qos` or `sec`, from its writer's point of view. `None` where the section has no such
    /// conditions. Lines that cannot be read are left out.
    pub fn preconditions(&self, kind: &str) -> Option<Preconditions> {
        let mut table = Preconditions::default();
        let mut found = false;
        for attribute in self.attributes() {
            let mut words = attribute.value.unwrap_or_default().split_ascii_whitespace();
            if words.next() != Some(kind) {
                continue;
            }
            let read = match attribute.name {
                "curr" => table.read_current(words),
                "des" => table.read_desired(words),
                "conf" => table.read_confirm(words),
                _ => None,
            };
            found |= read.is_some();
        }
        found.then_some(table)
    }
}

impl Preconditions {
    fn segment(&mut self, tag: &str) -> Option<&mut Status> {
        match tag {
            "local" => Some(&mut self.local),
            "remote" => Some(&mut self.remote),
            "e2e" => Some(&mut self.end_to_end),
            _ => None,
        }
    }

    fn read_current<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) -> Option<()> {
        let status = self.segment(words.next()?)?;
        status.current = Flow::find(words.next()?)?;
        Some(())
    }

    fn read_desired<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) -> Option<()> {
        let strength = Strength::find(words.next()?)?;
        let status = self.segment(words.next()?)?;
        let flow = Flow::find(words.next()?)?;
        if flow.send {
            status.send = strength;
        }
        if flow.recv {
            status.recv = strength;
        }
        Some(())
    }

    fn read_confirm<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) -> Option<()> {
        let status = self.segment(words.next()?)?;
        status.confirm = Flow::find(words.next()?)?;
        Some(())
    }
}

impl SessionDescription {
    /// Puts a table in place of a media section's table of that type. False: there is no such section.
    pub fn set_preconditions(&mut self, index: usize, kind: &str, table: &Preconditions) -> bool {
        let Some(lines) = self.range(Section::Media(index)) else {
            return false;
        };
        let is_of_kind = |value: &[u8]| {
            let text = std::str::from_utf8(value).unwrap_or_default();
            let (name, rest) = text.split_once(':').unwrap_or_default();
            ["curr", "des", "conf"].contains(&name) && rest.split_ascii_whitespace().next() == Some(kind)
        };
        self.take_out(lines, |letter, value| letter == b'a' && is_of_kind(value));
        for line in table.attributes(kind) {
            let (name, value) = line.split_once(':').unwrap_or_default();
            self.add_attribute(Section::Media(index), name, Some(value));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn described(attributes: &str) -> SessionDescription {
        let text =
            format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n{attributes}a=x\r\n");
        SessionDescription::parse(text.into()).unwrap()
    }

    fn table(attributes: &str) -> Option<Preconditions> {
        described(attributes).media_at(0)?.preconditions("qos")
    }

    #[test]
    fn tables_read_back() {
        for attributes in [
            "a=curr:qos local none\r\na=curr:qos remote none\r\na=des:qos mandatory local sendrecv\r\na=des:qos optional remote sendrecv\r\na=conf:qos remote sendrecv\r\n",
            "a=curr:qos local send\r\na=curr:qos remote recv\r\na=des:qos mandatory local send\r\na=des:qos none local recv\r\na=des:qos failure remote sendrecv\r\n",
            "a=curr:qos e2e none\r\na=des:qos mandatory e2e sendrecv\r\na=conf:qos e2e recv\r\n",
        ] {
            let found = table(attributes).unwrap();
            assert_eq!(found.reversed().reversed(), found);
            let mut other = described("a=curr:qos local sendrecv\r\na=curr:sec e2e none\r\n");
            assert!(other.set_preconditions(0, "qos", &found) && !other.set_preconditions(1, "qos", &found));
            let expected = described(&format!("a=curr:sec e2e none\r\na=x\r\n{attributes}"));
            assert_eq!(other.to_string(), expected.to_string().trim_end_matches("a=x\r\n"));
        }
    }

    #[test]
    fn the_other_side_sees_it_the_other_way_round() {
        let found =
            table("a=curr:qos local send\r\na=des:qos mandatory local send\r\na=conf:qos remote recv\r\n").unwrap();
        let seen = found.reversed();
        assert_eq!(seen.remote.current, Flow { send: false, recv: true });
        assert_eq!((seen.remote.send, seen.remote.recv), (Strength::None, Strength::Mandatory));
        assert_eq!(seen.local.confirm, Flow { send: true, recv: false });
        let lines = seen.attributes("qos");
        assert!(
            lines.contains(&"curr:qos remote recv".to_string()) && !lines.iter().any(|line| line.starts_with("conf"))
        );
    }

    #[test]
    fn what_is_no_table() {
        for attributes in [
            "",
            "a=curr:sec local none\r\n",
            "a=curr:qos\r\n",
            "a=curr:qos here none\r\n",
            "a=curr:qos local maybe\r\n",
            "a=des:qos must local send\r\n",
            "a=des:qos mandatory local\r\n",
        ] {
            assert_eq!(table(attributes), None, "{attributes}");
        }
    }

    /// RFC 3312 §5.
    #[test]
    fn conditions_are_met() {
        let send = Flow { send: true, recv: false };
        for (strength, current, expected) in [
            (Strength::Mandatory, Flow::NONE, false),
            (Strength::Mandatory, send, false),
            (Strength::Mandatory, Flow::BOTH, true),
            (Strength::Optional, Flow::NONE, true),
            (Strength::None, Flow::NONE, true),
            (Strength::Failure, Flow::NONE, false),
        ] {
            let remote = Status { current, ..Status::wanted(strength) };
            assert_eq!(
                Preconditions { remote, ..Preconditions::default() }.are_met(),
                expected,
                "{strength:?} {current:?}"
            );
        }
        for failed in [
            Status { send: Strength::Failure, ..Status::default() },
            Status { recv: Strength::Unknown, ..Status::default() },
        ] {
            assert!(!failed.is_met());
        }
        let one_way = Status { send: Strength::Mandatory, current: send, ..Status::default() };
        assert!(Preconditions { end_to_end: one_way, ..Preconditions::default() }.are_met());
    }

    /// A VoLTE call: offer, 183, UPDATE, 200.
    #[test]
    fn both_sides_reserve() {
        let mut caller = Preconditions::new(Strength::Mandatory, Strength::Optional);
        let offered = caller;
        let mut callee = Preconditions::new(Strength::Mandatory, Strength::Mandatory).updated(&offered);
        assert_eq!((callee.local.send, callee.remote.send), (Strength::Mandatory, Strength::Mandatory));
        assert!(!callee.are_met());
        callee.remote.confirm = Flow::BOTH;
        caller = caller.updated(&callee);
        assert_eq!((caller.remote.recv, caller.local.confirm), (Strength::Mandatory, Flow::BOTH));
        assert!(!caller.owes_confirmation());
        caller.local.current = Flow::BOTH;
        assert!(caller.owes_confirmation() && !caller.are_met());
        callee.local.current = Flow::BOTH;
        callee = callee.updated(&caller);
        assert!(callee.are_met(), "the phone rings");
        caller = caller.updated(&callee);
        assert!(caller.are_met());
    }

    fn status() -> impl Strategy<Value = Status> {
        let flow = || (any::<bool>(), any::<bool>()).prop_map(|(send, recv)| Flow { send, recv });
        let strength = || (0..5_usize).prop_map(|at| Strength::ALL[at].0);
        (flow(), strength(), strength(), flow()).prop_map(|(current, send, recv, confirm)| Status {
            current,
            send,
            recv,
            confirm,
        })
    }

    fn segmented() -> impl Strategy<Value = Preconditions> {
        (status(), status()).prop_map(|(local, remote)| Preconditions { local, remote, ..Preconditions::default() })
    }

    proptest! {
        /// RFC 3312 §5: strengths only grow, the same description changes nothing when it comes again.
        #[test]
        fn tables_are_merged(ours in segmented(), theirs in segmented()) {
            let once = ours.updated(&theirs);
            prop_assert_eq!(once.updated(&theirs), once);
            prop_assert_eq!((once.local.current, once.remote.current), (ours.local.current, theirs.reversed().remote.current));
            prop_assert!(once.local.send >= ours.local.send && once.remote.recv >= theirs.local.send);
            prop_assert_eq!(theirs.reversed().reversed(), theirs);
        }

        /// All that the peer is to know is written.
        #[test]
        fn tables_are_written_whole(ours in segmented()) {
            let lines: String = ours.attributes("qos").iter().map(|line| format!("a={line}\r\n")).collect();
            let mut read = table(&lines).unwrap();
            prop_assert_eq!(read.local.confirm, Flow::NONE);
            read.local.confirm = ours.local.confirm;
            prop_assert_eq!(read, ours);
        }
    }

    /// What a peer says of our side does not change what we know of it.
    #[test]
    fn a_peer_cannot_reserve_for_us() {
        let ours = Preconditions::new(Strength::Mandatory, Strength::None);
        let lie =
            Preconditions { remote: Status { current: Flow::BOTH, ..Status::default() }, ..Preconditions::default() };
        let after = ours.updated(&lie);
        assert_eq!((after.local.current, after.local.send), (Flow::NONE, Strength::Mandatory));
    }
}
