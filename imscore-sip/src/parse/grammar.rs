//! The rules of RFC 3261 §25.1 that typed headers and URIs are made of: one rule, one function.
//!
//! They read values with folds taken out, so that white space is SP and HTAB. Where phones in the field write more
//! than the rule allows and nothing is ambiguous about it, the rule here is the wider one and says so.

use std::net::Ipv6Addr;

use nom::branch::alt;
use nom::bytes::complete::{take_till, take_while, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{map, opt, recognize, verify};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::{delimited, pair, preceded};
use nom::{Err, IResult, Parser};

use super::class::Class;
use super::lines::is_token;
use super::list::quote_end;
use crate::header::Cause;

/// What a rule leaves over and what it found.
pub(crate) type Parsed<'a, T = &'a [u8]> = IResult<&'a [u8], T, Cause>;

/// Parameters of one element, `;a=b;c`.
pub(crate) const MAX_PARAMS: usize = 64;

/// Bytes of a parameter's name, a tag, a branch, a Call-ID.
pub(crate) const MAX_NAME: usize = 256;

impl ParseError<&[u8]> for Cause {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Cause {
        Cause::Malformed
    }

    fn append(_: &[u8], _: ErrorKind, other: Cause) -> Cause {
        other
    }
}

/// Reads a whole value with one rule; white space may stand around it.
pub(crate) fn whole<'a, T>(value: &'a [u8], rule: impl FnOnce(&'a [u8]) -> Parsed<'a, T>) -> Result<T, Cause> {
    match rule(value.trim_ascii()) {
        Ok(([], found)) => Ok(found),
        Ok(_) | Err(Err::Incomplete(_)) => Err(Cause::Malformed),
        Err(Err::Error(cause) | Err::Failure(cause)) => Err(cause),
    }
}

/// A failure with a cause of its own.
pub(crate) fn fail<T>(cause: Cause) -> Result<T, Err<Cause>> {
    Err(Err::Failure(cause))
}

/// `token`
pub(crate) fn token(input: &[u8]) -> Parsed<'_> {
    take_while1(is_token).parse(input)
}

/// `LWS`
pub(crate) fn lws(input: &[u8]) -> Parsed<'_> {
    take_while1(is_blank).parse(input)
}

/// `SWS`
pub(crate) fn sws(input: &[u8]) -> Parsed<'_> {
    take_while(is_blank).parse(input)
}

/// `SEMI`, `EQUAL`, `COMMA`, `SLASH`, `COLON`: the byte with white space around it.
pub(crate) fn spaced<'a>(byte: u8) -> impl Parser<&'a [u8], Output = char, Error = Cause> {
    delimited(sws, char(byte as char), sws)
}

/// `1*DIGIT`; what does not fit in 64 bits is the largest number that does.
pub(crate) fn number(input: &[u8]) -> Parsed<'_, u64> {
    map(digit1, |digits: &[u8]| {
        digits.iter().fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
    .parse(input)
}

/// `1*DIGIT` of at most `max`.
pub(crate) fn number_to(max: u64) -> impl Fn(&[u8]) -> Parsed<'_, u64> {
    move |input| match number(input)? {
        (_, value) if value > max => fail(Cause::TooLarge),
        found => Ok(found),
    }
}

/// `delta-seconds`: less than 2^32 (RFC 3261 §20.19).
pub(crate) fn delta_seconds(input: &[u8]) -> Parsed<'_, u32> {
    map(number_to(u64::from(u32::MAX)), |seconds| seconds as u32).parse(input)
}

/// `quoted-string`, its quotes included.
pub(crate) fn quoted_string(input: &[u8]) -> Parsed<'_> {
    match input {
        [b'"', ..] => match quote_end(input, 0) {
            Some(end) if end <= input.len() => Ok((&input[end..], &input[..end])),
            _ => Err(Err::Error(Cause::Malformed)),
        },
        _ => Err(Err::Error(Cause::Malformed)),
    }
}

/// `host`. Labels may hold `_` and may begin with a digit, as names inside networks do.
pub(crate) fn host(input: &[u8]) -> Parsed<'_> {
    if input.first() == Some(&b'[') { ipv6_reference(input) } else { host_name(input) }
}

/// `IPv6reference`, brackets included.
fn ipv6_reference(input: &[u8]) -> Parsed<'_> {
    let address = verify(take_till(|byte| byte == b']'), |text: &[u8]| {
        std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
    });
    recognize(delimited(char('['), address, char(']'))).parse(input)
}

/// `hostname` and `IPv4address`, at most 255 bytes.
fn host_name(input: &[u8]) -> Parsed<'_> {
    // As if a label had ended in front of the first.
    let mut last = b'.';
    let mut end = 0;
    while let Some(byte) = input.get(end).copied().filter(|byte| Class::HOST.has(*byte)) {
        if byte == b'.' && last == b'.' {
            return Err(Err::Error(Cause::Malformed));
        }
        (last, end) = (byte, end + 1);
    }
    if end == 0 || end > 255 {
        return Err(Err::Error(Cause::Malformed));
    }
    Ok((&input[end..], &input[..end]))
}

/// `port`, 0 to 65,535.
pub(crate) fn port(input: &[u8]) -> Parsed<'_, u16> {
    map(number_to(u64::from(u16::MAX)), |port| port as u16).parse(input)
}

/// `gen-value`: a token, a host or a quoted string; also what is written without the quotes that it needs, as
/// base64 in `icid-value` and the bare IPv6 address in `received`.
pub(crate) fn gen_value(input: &[u8]) -> Parsed<'_> {
    match input {
        [b'"', ..] => quoted_string(input),
        [b'=', ..] => Err(Err::Error(Cause::Malformed)),
        _ => take_while1(|byte| Class::VALUE.has(byte)).parse(input),
    }
}

/// `gen-value`, or a URI in angle brackets, which a few headers have as the value of a parameter.
pub(crate) fn gen_value_or_uri(input: &[u8]) -> Parsed<'_> {
    alt((gen_value, bracketed)).parse(input)
}

/// `LAQUOT … RAQUOT`, its brackets included, around bytes that a URI may hold.
pub(crate) fn bracketed(input: &[u8]) -> Parsed<'_> {
    let inner = take_while1(|byte| Class::URI.has(byte));
    recognize(delimited(char('<'), inner, char('>'))).parse(input)
}

/// `generic-param`: a name and, behind an equals sign, a value by that rule.
fn generic_param<'a>(
    input: &'a [u8],
    value: impl Fn(&'a [u8]) -> Parsed<'a>,
) -> Parsed<'a, (&'a [u8], Option<&'a [u8]>)> {
    let (rest, (name, value)) = pair(token, opt(preceded(spaced(b'='), value))).parse(input)?;
    if name.len() > MAX_NAME { fail(Cause::Limit) } else { Ok((rest, (name, value))) }
}

/// `*( SEMI generic-param )`, each handed to `each`; the text of them all.
pub(crate) fn params<'a>(
    input: &'a [u8],
    each: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Result<(), Cause>,
) -> Parsed<'a> {
    params_of(input, gen_value, each)
}

/// As [`params`], with values by that rule.
pub(crate) fn params_of<'a>(
    input: &'a [u8],
    value: impl Fn(&'a [u8]) -> Parsed<'a>,
    mut each: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Result<(), Cause>,
) -> Parsed<'a> {
    let mut rest = input;
    let mut count = 0;
    while let Ok((behind, _)) = spaced(b';').parse(rest) {
        let (behind, (name, value)) = generic_param(behind, &value)?;
        count += 1;
        if count > MAX_PARAMS {
            return fail(Cause::Limit);
        }
        each(name, value).or_else(fail)?;
        rest = behind;
    }
    Ok((rest, &input[..input.len() - rest.len()]))
}

/// A value of one word, read by `head`, and `*( SEMI generic-param )`.
pub(crate) fn headed<'a>(
    value: &'a [u8],
    head: impl FnOnce(&'a [u8]) -> Parsed<'a>,
) -> Result<(&'a [u8], &'a [u8]), Cause> {
    whole(value, |input| {
        let (rest, head) = head(input)?;
        let (rest, params) = params(rest, |_, _| Ok(()))?;
        Ok((rest, (head, params)))
    })
}

/// `token / quoted-string`
pub(crate) fn token_or_quoted(input: &[u8]) -> Parsed<'_> {
    alt((token, quoted_string)).parse(input)
}

/// `m-type SLASH m-subtype`
pub(crate) fn media_type(input: &[u8]) -> Parsed<'_> {
    recognize((token, spaced(b'/'), token)).parse(input)
}

/// Parameters with semicolons between them and none in front, their values by that rule.
pub(crate) fn only_params(value: &[u8], rule: fn(&[u8]) -> Parsed<'_>) -> Result<(), Cause> {
    whole(value, |input| {
        let (rest, _) = generic_param(input, rule)?;
        let (rest, _) = params_of(rest, rule, |_, _| Ok(()))?;
        Ok((rest, ()))
    })
}

/// Digits of base 16, at least one.
pub(crate) fn hexadecimal(input: &[u8]) -> Parsed<'_> {
    take_while1(|byte: u8| byte.is_ascii_hexdigit()).parse(input)
}

/// `"*"`
pub(crate) fn star(input: &[u8]) -> Parsed<'_> {
    recognize(char('*')).parse(input)
}

/// `hostport`
pub(crate) fn host_port(input: &[u8]) -> Parsed<'_> {
    recognize((host, opt((char(':'), port)))).parse(input)
}

/// `comment`, nested ones and quoted pairs included.
pub(crate) fn comment(input: &[u8]) -> Parsed<'_> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = input.get(at) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'\\' => at += 1,
            _ => (),
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    match input {
        [b'(', ..] if depth == 0 => Ok((&input[at..], &input[..at])),
        _ => Err(Err::Error(Cause::Malformed)),
    }
}

/// Fills the slot of a parameter that may stand once and must have a value, one without quotes.
pub(crate) fn once<'a>(slot: &mut Option<&'a [u8]>, value: Option<&'a [u8]>) -> Result<(), Cause> {
    match (slot.is_some(), value) {
        (true, _) => Err(Cause::Repeated),
        (false, None | Some([b'"', ..])) => Err(Cause::Malformed),
        (false, Some(value)) if value.len() > MAX_NAME => Err(Cause::Limit),
        (false, Some(_)) => {
            *slot = value;
            Ok(())
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: impl Fn(&[u8]) -> Parsed<'_>, cases: &[(&str, Option<&str>)]) {
        for (input, expected) in cases {
            let found = rule(input.as_bytes()).ok().map(|(_, found)| std::str::from_utf8(found).unwrap());
            assert_eq!(found, *expected, "{input}");
        }
    }

    #[test]
    fn hosts() {
        check(
            host,
            &[
                ("ims.example:5060", Some("ims.example")),
                ("192.0.2.1;x", Some("192.0.2.1")),
                ("[2001:db8::9]:5070", Some("[2001:db8::9]")),
                ("[::ffff:192.0.2.1]", Some("[::ffff:192.0.2.1]")),
                ("[2001:db8:::192.0.2.1]", None),
                ("[2001:db8::1", None),
                ("[]", None),
                ("a..b", None),
                (".a", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn quoted_strings() {
        check(
            quoted_string,
            &[
                (r#""a;b" x"#, Some(r#""a;b""#)),
                (r#""a\"b"x"#, Some(r#""a\"b""#)),
                (r#""""#, Some(r#""""#)),
                (r#""a\""#, None),
                (r#""a\"#, None),
                (r#""a"#, None),
                ("a", None),
            ],
        );
    }

    #[test]
    fn numbers_saturate() {
        assert_eq!(number(b"0070x"), Ok((&b"x"[..], 70)));
        assert_eq!(number(b"99999999999999999999999").map(|(_, number)| number), Ok(u64::MAX));
        assert_eq!(port(b"65535").map(|(_, port)| port), Ok(65535));
        assert_eq!(port(b"65536"), fail(Cause::TooLarge));
        assert!(number(b"-1").is_err());
    }

    #[test]
    fn parameters_hold_to_their_limits() {
        let count = |text: String| params(text.as_bytes(), |_, _| Ok(())).map(|(rest, _)| rest.len());
        assert_eq!(count(";a".repeat(64)), Ok(0));
        assert_eq!(count(";a".repeat(65)), fail(Cause::Limit));
        assert_eq!(count(format!(";{}", "n".repeat(256))), Ok(0));
        assert_eq!(count(format!(";{}", "n".repeat(257))), fail(Cause::Limit));
        assert!(count(";;".into()).is_err());
        assert!(count(";".into()).is_err());
        assert_eq!(count(";a=".into()), Ok(1));
    }
}
