//! Values of AVPs: one Rust type for each data format (RFC 6733 §4.2, §4.3).

use std::net::IpAddr;

use super::avp::{Avp, Avps};
use super::dictionary::{Definition, Kind};
use super::fault::Fault;
use super::write::Writer;

/// A type that AVP data is read as and written from.
///
/// ```
/// use imscore_hss::diameter::{Address, Group, Level, Secret, Time, Value, dictionary::Kind};
///
/// let address = Address::Ip("192.0.2.1".parse()?);
/// assert_eq!(<Address<'_> as Value>::KINDS, [Kind::Address]);
/// assert_eq!(address, Address::Ip("192.0.2.1".parse()?));
/// assert_eq!(Time::from_unix(1_767_225_600).map(Time::unix), Some(1_767_225_600));
/// assert_eq!(Level::<4>::new(5), None);
/// assert_eq!(format!("{:?}", Secret(b"1234")).find("1234"), None);
/// assert_eq!(Group(b"").avps().count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Value<'a>: Sized {
    /// Formats that it stands for.
    const KINDS: &'static [Kind];

    /// Reads the data of an AVP of this definition, whose length fits it.
    ///
    /// # Errors
    /// 5004 for a value that is none of the type's; what a group's own AVPs may have wrong.
    fn read(avp: &Avp<'a>, definition: &Definition) -> Result<Self, Fault>;

    /// Writes the data.
    fn write(&self, out: &mut Writer);
}

impl<'a> Value<'a> for &'a [u8] {
    const KINDS: &'static [Kind] = &[Kind::OctetString];

    #[inline]
    fn read(avp: &Avp<'a>, _: &Definition) -> Result<&'a [u8], Fault> {
        Ok(avp.data())
    }

    #[inline]
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }
}

/// Text of every format that has one. Names of nodes hold nothing but visible ASCII, and so do URIs and filters, where
/// spaces are possible as well; an OctetString can be text where its specification says so.
impl<'a> Value<'a> for &'a str {
    const KINDS: &'static [Kind] =
        &[Kind::Utf8String, Kind::DiameterIdentity, Kind::DiameterUri, Kind::IpFilterRule, Kind::OctetString];

    #[inline]
    fn read(avp: &Avp<'a>, definition: &Definition) -> Result<&'a str, Fault> {
        let text = str::from_utf8(avp.data()).map_err(|_| Fault::value(avp))?;
        // No early end: so that many bytes are looked at together.
        let has = |strange: fn(u8) -> bool| avp.data().iter().fold(false, |found, byte| found | strange(*byte));
        let fits = if definition.kind == Kind::DiameterIdentity {
            !has(|byte| !byte.is_ascii_graphic())
        } else if matches!(definition.kind, Kind::DiameterUri | Kind::IpFilterRule) {
            !has(|byte| !matches!(byte, b' '..=b'~'))
        } else {
            true
        };
        if fits { Ok(text) } else { Err(Fault::value(avp)) }
    }

    #[inline]
    fn write(&self, out: &mut Writer) {
        out.bytes(self.as_bytes());
    }
}

macro_rules! numbers {
    ($($type:ty: $($kind:ident),*;)*) => {$(
        impl<'a> Value<'a> for $type {
            const KINDS: &'static [Kind] = &[$(Kind::$kind),*];

            #[inline]
            fn read(avp: &Avp<'a>, _: &Definition) -> Result<$type, Fault> {
                match avp.data().try_into() {
                    Ok(bytes) => Ok(<$type>::from_be_bytes(bytes)),
                    Err(_) => Err(Fault::length(avp)),
                }
            }

            #[inline]
            fn write(&self, out: &mut Writer) {
                out.bytes(&self.to_be_bytes());
            }
        }
    )*};
}

numbers! {
    u32: Unsigned32;
    u64: Unsigned64;
    i32: Integer32, Enumerated;
    i64: Integer64;
    f32: Float32;
    f64: Float64;
}

/// The AVPs of a group, unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a>(pub &'a [u8]);

impl<'a> Group<'a> {
    /// The AVPs one by one.
    pub fn avps(self) -> Avps<'a> {
        Avps::new(self.0)
    }
}

impl<'a> Value<'a> for Group<'a> {
    const KINDS: &'static [Kind] = &[Kind::Grouped];

    fn read(avp: &Avp<'a>, _: &Definition) -> Result<Group<'a>, Fault> {
        avp.avps().try_for_each(|inner| inner.map(drop)).map_err(|fault| fault.within(avp))?;
        Ok(Group(avp.data()))
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(self.0);
    }
}

/// Address family and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address<'a> {
    /// IPv4 or IPv6.
    Ip(IpAddr),
    /// Something else: a telephone number (8), for instance.
    Other {
        /// Number of the address family, neither 1 nor 2.
        family: u16,
        /// The address as it came.
        bytes: &'a [u8],
    },
}

const IPV4: u16 = 1;
const IPV6: u16 = 2;

impl<'a> Value<'a> for Address<'a> {
    const KINDS: &'static [Kind] = &[Kind::Address];

    fn read(avp: &Avp<'a>, _: &Definition) -> Result<Address<'a>, Fault> {
        let (family, bytes) = avp.data().split_first_chunk::<2>().ok_or_else(|| Fault::value(avp))?;
        let ip = match u16::from_be_bytes(*family) {
            IPV4 => <[u8; 4]>::try_from(bytes).map(IpAddr::from),
            IPV6 => <[u8; 16]>::try_from(bytes).map(IpAddr::from),
            family => return Ok(Address::Other { family, bytes }),
        };
        ip.map(Address::Ip).map_err(|_| Fault::value(avp))
    }

    fn write(&self, out: &mut Writer) {
        let mut put = |family: u16, bytes: &[u8]| {
            out.bytes(&family.to_be_bytes());
            out.bytes(bytes);
        };
        match self {
            Address::Ip(IpAddr::V4(address)) => put(IPV4, &address.octets()),
            Address::Ip(IpAddr::V6(address)) => put(IPV6, &address.octets()),
            Address::Other { family, bytes } => put(*family, bytes),
        }
    }
}

/// A moment between 1968 and 2104, to the second: as NTP writes it, with the era told by the highest bit
/// (RFC 6733 §4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time(u32);

/// From 1900 to 1970, in seconds.
const NTP_TO_UNIX: i64 = 2_208_988_800;

impl Time {
    /// From seconds since 1970; none outside of what can be written.
    pub fn from_unix(seconds: i64) -> Option<Time> {
        let ntp = seconds.checked_add(NTP_TO_UNIX)?;
        matches!(ntp, 0x8000_0000..0x1_8000_0000).then_some(Time(ntp as u32))
    }

    /// Seconds since 1970.
    pub fn unix(self) -> i64 {
        let era = if self.0 & 0x8000_0000 == 0 { 1 << 32 } else { 0 };
        i64::from(self.0) + era - NTP_TO_UNIX
    }
}

impl<'a> Value<'a> for Time {
    const KINDS: &'static [Kind] = &[Kind::Time];

    fn read(avp: &Avp<'a>, _: &Definition) -> Result<Time, Fault> {
        avp.data().try_into().map(|bytes| Time(u32::from_be_bytes(bytes))).map_err(|_| Fault::length(avp))
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(&self.0.to_be_bytes());
    }
}

/// `false` is 0 and `true` 1, for enumerations that say no and yes.
impl<'a> Value<'a> for bool {
    const KINDS: &'static [Kind] = &[Kind::Enumerated];

    #[inline]
    fn read(avp: &Avp<'a>, definition: &Definition) -> Result<bool, Fault> {
        match i32::read(avp, definition)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::value(avp)),
        }
    }

    #[inline]
    fn write(&self, out: &mut Writer) {
        i32::from(*self).write(out);
    }
}

/// One of the levels 0, the highest, to `LOWEST` (Session-Priority, DRMP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level<const LOWEST: u8>(u8);

impl<const LOWEST: u8> Level<LOWEST> {
    /// None where there is no such level.
    pub const fn new(level: u8) -> Option<Level<LOWEST>> {
        if level <= LOWEST { Some(Level(level)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl<'a, const LOWEST: u8> Value<'a> for Level<LOWEST> {
    const KINDS: &'static [Kind] = &[Kind::Enumerated];

    fn read(avp: &Avp<'a>, definition: &Definition) -> Result<Level<LOWEST>, Fault> {
        let level = u8::try_from(i32::read(avp, definition)?).ok().and_then(Level::new);
        level.ok_or_else(|| Fault::value(avp))
    }

    fn write(&self, out: &mut Writer) {
        i32::from(self.0).write(out);
    }
}

/// Bytes that no log shows: keys, expected responses, hashes of passwords.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(pub &'a [u8]);

impl std::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret[{}]", self.0.len())
    }
}

impl<'a> Value<'a> for Secret<'a> {
    const KINDS: &'static [Kind] = &[Kind::OctetString, Kind::Utf8String];

    fn read(avp: &Avp<'a>, definition: &Definition) -> Result<Secret<'a>, Fault> {
        if definition.kind == Kind::Utf8String {
            <&str>::read(avp, definition)?;
        }
        Ok(Secret(avp.data()))
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(self.0);
    }
}

/// Implements [`Value`] for enums by the numbers of their variants; any other number is 5004.
macro_rules! enumerated {
    ($($type:ident { $($variant:ident = $number:literal),* $(,)? })*) => {$(
        const _: () = {
            use $crate::diameter::{Avp, Fault, Value, Writer, dictionary::{Definition, Kind}};

            impl<'a> Value<'a> for $type {
                const KINDS: &'static [Kind] = &[Kind::Enumerated];

                #[inline]
                fn read(avp: &Avp<'a>, definition: &Definition) -> Result<$type, Fault> {
                    match i32::read(avp, definition)? {
                        $($number => Ok($type::$variant),)*
                        _ => Err(Fault::value(avp)),
                    }
                }

                #[inline]
                fn write(&self, out: &mut Writer) {
                    let number: i32 = match self {
                        $($type::$variant => $number,)*
                    };
                    number.write(out);
                }
            }
        };
    )*};
}
pub(crate) use enumerated;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ResultCode;
    use super::super::dictionary::{self as avp, find};
    use super::super::message::sample;
    use super::*;

    fn round<T: for<'a> Value<'a> + PartialEq + std::fmt::Debug>(definition: &Definition, value: T) {
        let message = sample(|out| out.avp(definition, &value));
        assert_eq!(message.find(definition).unwrap().read::<T>(definition), Ok(value));
    }

    #[test]
    fn every_format_is_written_and_read() {
        round(&avp::RESULT_CODE, 2001u32);
        round(&avp::CC_TOTAL_OCTETS, u64::MAX);
        round(&avp::CAUSE_CODE, -1i32);
        round(&avp::VALUE_DIGITS, i64::MIN);
        round(&avp::EXPIRY_TIME, Time::from_unix(1_795_574_400).unwrap());
        let addresses = [
            Address::Ip([192, 0, 2, 1].into()),
            Address::Ip([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].into()),
            Address::Other { family: 8, bytes: b"12015550123" },
        ];
        for address in addresses {
            let message = sample(|out| out.avp(&avp::HOST_IP_ADDRESS, &address));
            let found = message.find(&avp::HOST_IP_ADDRESS).unwrap();
            assert_eq!(found.read::<Address<'_>>(&avp::HOST_IP_ADDRESS), Ok(address));
        }
    }

    #[test]
    fn eras_of_time() {
        assert_eq!(Time(0).unix(), 2_085_978_496, "2036-02-07 06:28:16");
        assert_eq!(Time(u32::MAX).unix() + 1, Time(0).unix());
        assert_eq!(Time(0x83aa_7e80).unix(), 0);
        assert_eq!(Time::from_unix(2_085_978_496), Some(Time(0)));
        let (first, last) = (Time(0x8000_0000), Time(0x7fff_ffff));
        assert_eq!((Time::from_unix(first.unix()), Time::from_unix(first.unix() - 1)), (Some(first), None));
        assert_eq!((Time::from_unix(last.unix()), Time::from_unix(last.unix() + 1)), (Some(last), None));
    }

    /// Reads one AVP as what its format is.
    fn read(definition: &Definition, data: &[u8]) -> Result<(), Fault> {
        let group = Definition { kind: Kind::OctetString, ..*definition };
        let message = sample(|out| out.avp(&group, &data));
        let found = message.find(definition).unwrap();
        match definition.kind {
            Kind::OctetString => found.read::<&[u8]>(definition).map(drop),
            Kind::Integer32 | Kind::Enumerated => found.read::<i32>(definition).map(drop),
            Kind::Integer64 => found.read::<i64>(definition).map(drop),
            Kind::Unsigned32 => found.read::<u32>(definition).map(drop),
            Kind::Unsigned64 => found.read::<u64>(definition).map(drop),
            Kind::Float32 => found.read::<f32>(definition).map(drop),
            Kind::Float64 => found.read::<f64>(definition).map(drop),
            Kind::Grouped => found.read::<Group<'_>>(definition).map(drop),
            Kind::Address => found.read::<Address<'_>>(definition).map(drop),
            Kind::Time => found.read::<Time>(definition).map(drop),
            Kind::Utf8String | Kind::DiameterIdentity | Kind::DiameterUri | Kind::IpFilterRule => {
                found.read::<&str>(definition).map(drop)
            }
        }
    }

    /// Threat X6: every AVP of fixed size with 0, 1, n-1, n, n+1 and 65,000 bytes.
    #[test]
    fn x06_sizes_that_cannot_be() {
        let mut fixed = 0;
        for definition in avp::all().iter().filter(|definition| definition.least == definition.most) {
            let size = definition.least;
            fixed += 1;
            assert!(read(definition, &vec![0; size]).is_ok(), "{}", definition.name);
            let code =
                if definition.kind.is_fixed() { ResultCode::INVALID_AVP_LENGTH } else { ResultCode::INVALID_AVP_VALUE };
            for wrong in [0, 1, size - 1, size + 1, 65_000] {
                let fault = read(definition, &vec![0; wrong]).unwrap_err();
                assert_eq!(fault.result(), code, "{} with {wrong} bytes", definition.name);
                let failed = fault.failed_avp().unwrap();
                let shown = Avps::new(failed).next().unwrap().unwrap();
                assert!(shown.is(definition) && failed.len() < 100, "{}", definition.name);
            }
        }
        assert!(fixed > 150, "{fixed}");
    }

    #[test]
    fn values_that_cannot_be() {
        let check = |definition: &Definition, data: &[u8], result: Option<ResultCode>| {
            assert_eq!(read(definition, data).err().map(|fault| fault.result()), result, "{}", definition.name);
        };
        let value = Some(ResultCode::INVALID_AVP_VALUE);
        check(&avp::PUBLIC_IDENTITY, b"", value);
        check(&avp::USER_NAME, b"", value);
        check(&avp::USER_NAME, &[b'a'; 2049], value);
        check(&avp::USER_NAME, &[b'a'; 2048], None);
        check(&avp::PUBLIC_IDENTITY, b"sip:\xff", value);
        check(&avp::ORIGIN_HOST, b"hss ims", value);
        check(&avp::ORIGIN_HOST, b"hss\0ims", value);
        check(&avp::ORIGIN_HOST, &[b'a'; 255], None);
        check(&avp::ORIGIN_HOST, &[b'a'; 256], value);
        check(&avp::REDIRECT_HOST, b"aaa://a\r\n", value);
        check(&avp::HOST_IP_ADDRESS, b"", value);
        check(&avp::HOST_IP_ADDRESS, &[0, 1, 192, 0, 2], value);
        check(&avp::HOST_IP_ADDRESS, &[0, 1, 192, 0, 2, 1, 1], value);
        check(&avp::HOST_IP_ADDRESS, &[0, 2, 192, 0, 2, 1], value);
        check(&avp::HOST_IP_ADDRESS, &[0, 9], None);
        check(&avp::FAILED_AVP, &[0, 0, 0, 1, 0, 0, 0, 9], Some(ResultCode::INVALID_AVP_LENGTH));
    }

    proptest! {
        #[test]
        fn any_data_of_any_format(at in 0usize..1000, data in proptest::collection::vec(any::<u8>(), 0..40)) {
            let all = avp::all();
            let definition = &all[at % all.len()];
            prop_assert_eq!(find(definition.vendor, definition.code), Some(definition));
            let _ = read(definition, &data);
        }

        #[test]
        fn any_time(seconds in -100_000_000i64..4_300_000_000) {
            if let Some(time) = Time::from_unix(seconds) {
                prop_assert_eq!(time.unix(), seconds);
            }
        }
    }
}
