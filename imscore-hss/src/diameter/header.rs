//! The twenty bytes in front of every message (RFC 6733 §3).

use std::fmt;

use super::{Fault, ResultCode};

/// Bytes of a header.
pub const HEADER: usize = 20;

/// Header of a message, without its length, which is that of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version, 1 in all that is written here.
    pub version: u8,
    /// Request or answer, and how it may be treated.
    pub flags: CommandFlags,
    /// What is asked or answered; 24 bits.
    pub command: CommandCode,
    /// The application that the command belongs to.
    pub application: ApplicationId,
    /// Matches an answer to its request on one connection.
    pub hop_by_hop: u32,
    /// With Origin-Host, tells a request from its repetitions.
    pub end_to_end: u32,
}

/// Command flags, the eight bits of the header.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CommandFlags(pub u8);

/// Code of a command; request and answer share it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandCode(pub u32);

/// Application identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(pub u32);

impl CommandFlags {
    /// The message is a request.
    pub const REQUEST: CommandFlags = CommandFlags(0x80);
    /// Agents may pass the message on.
    pub const PROXIABLE: CommandFlags = CommandFlags(0x40);
    /// The answer reports a protocol error and has the form of RFC 6733 §7.2.
    pub const ERROR: CommandFlags = CommandFlags(0x20);
    /// The request was perhaps sent before.
    pub const RETRANSMITTED: CommandFlags = CommandFlags(0x10);

    /// True where every flag of `other` is set.
    pub const fn contains(self, other: CommandFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and those of `other`.
    #[must_use]
    pub const fn with(self, other: CommandFlags) -> CommandFlags {
        CommandFlags(self.0 | other.0)
    }

    /// These flags without those of `other`.
    #[must_use]
    pub const fn without(self, other: CommandFlags) -> CommandFlags {
        CommandFlags(self.0 & !other.0)
    }
}

impl Header {
    /// A request with identifiers yet to be set.
    pub const fn request(command: CommandCode, application: ApplicationId, flags: CommandFlags) -> Header {
        let flags = flags.with(CommandFlags::REQUEST);
        Header { version: 1, flags, command, application, hop_by_hop: 0, end_to_end: 0 }
    }

    /// The header of an answer to this request: its identifiers and its P flag (RFC 6733 §6.2).
    #[must_use]
    pub const fn answer(&self) -> Header {
        Header { version: 1, flags: CommandFlags(self.flags.0 & CommandFlags::PROXIABLE.0), ..*self }
    }

    /// True for a request.
    pub const fn is_request(&self) -> bool {
        self.flags.contains(CommandFlags::REQUEST)
    }

    /// True for an answer in the form of RFC 6733 §7.2.
    pub const fn is_error(&self) -> bool {
        self.flags.contains(CommandFlags::ERROR)
    }

    /// What is wrong with the header itself: another version, or flags that exclude each other (RFC 6733 §3). Reserved
    /// flags are ignored.
    pub fn check(&self) -> Result<(), Fault> {
        if self.version != 1 {
            return Err(Fault::new(ResultCode::UNSUPPORTED_VERSION, "version of the header"));
        }
        let other = if self.is_request() { CommandFlags::ERROR } else { CommandFlags::RETRANSMITTED };
        if self.flags.contains(other) {
            return Err(Fault::new(ResultCode::INVALID_HDR_BITS, "flags of the header exclude each other"));
        }
        Ok(())
    }

    /// Reads header and length field; the length is not compared with anything.
    pub(super) fn read(bytes: &[u8]) -> Option<(Header, usize)> {
        let [first, second, application, hop_by_hop, end_to_end] = words(bytes)?;
        let [version, l2, l1, l0] = first.to_be_bytes();
        let header = Header {
            version,
            flags: CommandFlags((second >> 24) as u8),
            command: CommandCode(second & 0x00ff_ffff),
            application: ApplicationId(application),
            hop_by_hop,
            end_to_end,
        };
        Some((header, usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0)))
    }

    /// The header with a length of zero, to be patched when that is known.
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let words = [
            u32::from(self.version) << 24,
            u32::from(self.flags.0) << 24 | self.command.0 & 0x00ff_ffff,
            self.application.0,
            self.hop_by_hop,
            self.end_to_end,
        ];
        let mut bytes = [0; HEADER];
        for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = word.to_be_bytes();
        }
        bytes
    }
}

/// The first five words.
fn words(bytes: &[u8]) -> Option<[u32; 5]> {
    let mut words = [0; 5];
    for (word, chunk) in words.iter_mut().zip(bytes.first_chunk::<HEADER>()?.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*chunk);
    }
    Some(words)
}

impl fmt::Debug for CommandFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (flag, letter) in [(0x80, "R"), (0x40, "P"), (0x20, "E"), (0x10, "T")] {
            f.write_str(if self.0 & flag == 0 { "-" } else { letter })?;
        }
        match self.0 & 0x0f {
            0 => Ok(()),
            reserved => write!(f, "+{reserved:#x}"),
        }
    }
}

macro_rules! numbers {
    ($type:ident: $($(#[$doc:meta])* $constant:ident = $number:literal $name:literal;)*) => {
        impl $type {
            $($(#[$doc])* #[doc = concat!("`", $name, "`")] pub const $constant: $type = $type($number);)*

            /// The name, for numbers that have one here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}
pub(crate) use numbers;

numbers! { CommandCode:
    CAPABILITIES_EXCHANGE = 257 "Capabilities-Exchange";
    RE_AUTH = 258 "Re-Auth";
    AA = 265 "AA";
    ACCOUNTING = 271 "Accounting";
    CREDIT_CONTROL = 272 "Credit-Control";
    ABORT_SESSION = 274 "Abort-Session";
    SESSION_TERMINATION = 275 "Session-Termination";
    DEVICE_WATCHDOG = 280 "Device-Watchdog";
    DISCONNECT_PEER = 282 "Disconnect-Peer";
    USER_AUTHORIZATION = 300 "User-Authorization";
    SERVER_ASSIGNMENT = 301 "Server-Assignment";
    LOCATION_INFO = 302 "Location-Info";
    MULTIMEDIA_AUTH = 303 "Multimedia-Auth";
    REGISTRATION_TERMINATION = 304 "Registration-Termination";
    PUSH_PROFILE = 305 "Push-Profile";
    USER_DATA = 306 "User-Data";
    PROFILE_UPDATE = 307 "Profile-Update";
    SUBSCRIBE_NOTIFICATIONS = 308 "Subscribe-Notifications";
    PUSH_NOTIFICATION = 309 "Push-Notification";
}

numbers! { ApplicationId:
    /// What peers say to each other.
    COMMON = 0 "common messages";
    /// Rf (RFC 6733 §9).
    ACCOUNTING = 3 "base accounting";
    /// Ro (RFC 8506).
    CREDIT_CONTROL = 4 "credit control";
    /// TS 29.229.
    CX = 16_777_216 "Cx";
    /// TS 29.329.
    SH = 16_777_217 "Sh";
    /// TS 29.214.
    RX = 16_777_236 "Rx";
    /// An agent that passes on every application (RFC 6733 §2.4).
    RELAY = 4_294_967_295 "relay";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_again() {
        let header = Header {
            hop_by_hop: 0x0102_0304,
            end_to_end: u32::MAX,
            ..Header::request(CommandCode::MULTIMEDIA_AUTH, ApplicationId::CX, CommandFlags::PROXIABLE)
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes[..8], [1, 0, 0, 0, 0xc0, 0, 1, 47]);
        assert_eq!(Header::read(&bytes), Some((header, 0)));
        assert_eq!(Header::read(&bytes[..19]), None);
        assert_eq!(
            format!("{:?} {:?} {:?}", header.flags, header.command, header.application),
            "RP-- Multimedia-Auth Cx"
        );
    }

    #[test]
    fn answer_keeps_identifiers_and_the_p_flag() {
        let mut header = Header::request(CommandCode::LOCATION_INFO, ApplicationId::CX, CommandFlags(0x5f));
        (header.hop_by_hop, header.end_to_end) = (7, 8);
        let answer = header.answer();
        assert_eq!((answer.flags, answer.hop_by_hop, answer.end_to_end), (CommandFlags::PROXIABLE, 7, 8));
    }

    /// RFC 6733 §3, §7.1.3, §7.1.5.
    #[test]
    fn faults_of_the_header() {
        let check = |version, flags, expected| {
            let request = Header::request(CommandCode::ACCOUNTING, ApplicationId::ACCOUNTING, CommandFlags::default());
            let header = Header { version, flags: CommandFlags(flags), ..request };
            assert_eq!(header.check().map_err(|fault| fault.result()), expected, "{version} {flags:#x}");
        };
        check(1, 0xc0, Ok(()));
        check(1, 0xd0, Ok(()));
        check(1, 0xcf, Ok(()));
        check(1, 0x60, Ok(()));
        check(0, 0xc0, Err(ResultCode::UNSUPPORTED_VERSION));
        check(2, 0xc0, Err(ResultCode::UNSUPPORTED_VERSION));
        check(1, 0xe0, Err(ResultCode::INVALID_HDR_BITS));
        check(1, 0x50, Err(ResultCode::INVALID_HDR_BITS));
    }
}
