//! The rules of RFC 3261 §25.1 that typed headers and URIs are made of: one rule, one function.
//!
//! They read values with folds taken out, so that white space is SP and HTAB. Where phones in the field write more
//! than the rule allows and nothing is ambiguous about it, the rule here is the wider one and says so.

use nom::branch::alt;
use nom::character::complete::{char, digit1};
use nom::combinator::{map, opt, recognize};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::delimited;
use nom::{Err, IResult, Parser};

use super::class::Class;
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

/// At least one byte of a class, and all that follow.
#[inline]
fn some(class: Class, input: &[u8]) -> Parsed<'_> {
    match class.split(input) {
        ([], _) => Err(Err::Error(Cause::Malformed)),
        (found, rest) => Ok((rest, found)),
    }
}

/// `token`
pub(crate) fn token(input: &[u8]) -> Parsed<'_> {
    some(Class::TOKEN, input)
}

/// `LWS`
pub(crate) fn lws(input: &[u8]) -> Parsed<'_> {
    some(Class::BLANK, input)
}

/// `SWS`
pub(crate) fn sws(input: &[u8]) -> Parsed<'_> {
    let (blank, rest) = Class::BLANK.split(input);
    Ok((rest, blank))
}

/// `SEMI`, `EQUAL`, `COMMA`, `SLASH`, `COLON`: the byte with white space around it.
pub(crate) fn spaced(byte: u8) -> impl Fn(&[u8]) -> Parsed<'_, ()> {
    move |input| match behind_blank(input) {
        [first, rest @ ..] if *first == byte => Ok((behind_blank(rest), ())),
        _ => Err(Err::Error(Cause::Malformed)),
    }
}

/// What stands behind white space, of which there is none nearly always.
#[inline]
pub(crate) fn behind_blank(input: &[u8]) -> &[u8] {
    match input {
        [b' ' | b'\t', rest @ ..] => Class::BLANK.split(rest).1,
        _ => input,
    }
}

/// `1*DIGIT`; what does not fit in 64 bits is the largest number that does.
pub(crate) fn number(input: &[u8]) -> Parsed<'_, u64> {
    let mut rest = input;
    let mut number = 0_u64;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        rest = behind;
    }
    if rest.len() == input.len() { Err(Err::Error(Cause::Malformed)) } else { Ok((rest, number)) }
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
    recognize(delimited(char('['), ipv6_address, char(']'))).parse(input)
}

/// `IPv6address` (RFC 5954 §4.1): eight groups, `::` once in place of zeros, an IPv4 address in place of the last two.
fn ipv6_address(input: &[u8]) -> Parsed<'_> {
    let (mut rest, mut gap) = match input {
        [b':', b':', rest @ ..] => (rest, true),
        _ => (input, false),
    };
    let mut groups = 0;
    let mut expected = !gap;
    loop {
        let (digits, behind) = Class::HEX.split(rest);
        match behind {
            [b'.', ..] => {
                (rest, _) = ipv4_address(rest)?;
                groups += 2;
                break;
            }
            _ if digits.is_empty() && !expected => break,
            _ if digits.is_empty() || digits.len() > 4 => return Err(Err::Error(Cause::Malformed)),
            [b':', b':', behind @ ..] if !gap => (rest, gap, expected) = (behind, true, false),
            [b':', behind @ ..] => (rest, expected) = (behind, true),
            _ => {
                rest = behind;
                groups += 1;
                break;
            }
        }
        groups += 1;
    }
    if groups == 8 && !gap || groups < 8 && gap {
        Ok((rest, &input[..input.len() - rest.len()]))
    } else {
        Err(Err::Error(Cause::Malformed))
    }
}

/// `IPv4address`: four numbers up to 255, without zeros in front.
fn ipv4_address(input: &[u8]) -> Parsed<'_> {
    let octet = |input| match digit1::<_, Cause>(input)? {
        (_, [b'0', _, ..] | [_, _, _, _, ..]) => Err(Err::Error(Cause::Malformed)),
        (rest, digits) if digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')) < 256 => {
            Ok((rest, digits))
        }
        _ => Err(Err::Error(Cause::Malformed)),
    };
    let dot = || char('.');
    recognize((octet, dot(), octet, dot(), octet, dot(), octet)).parse(input)
}

/// An address of either kind, IPv6 with or without brackets (RFC 5118 §4.5).
pub(crate) fn ip_address(input: &[u8]) -> Parsed<'_> {
    alt((ipv4_address, ipv6_address, ipv6_reference)).parse(input)
}

/// `hostname` and `IPv4address`, at most 255 bytes: labels with dots between them, possibly one behind the last.
fn host_name(input: &[u8]) -> Parsed<'_> {
    let mut rest = input;
    loop {
        let (label, behind) = Class::LABEL.split(rest);
        let is_first = rest.len() == input.len();
        match (label, behind) {
            ([], [b'.', ..]) => return Err(Err::Error(Cause::Malformed)),
            ([], _) if is_first => return Err(Err::Error(Cause::Malformed)),
            (_, [b'.', behind @ ..]) => rest = behind,
            (_, behind) if input.len() - behind.len() > 255 => return Err(Err::Error(Cause::Malformed)),
            (_, behind) => return Ok((behind, &input[..input.len() - behind.len()])),
        }
    }
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
        _ => some(Class::VALUE, input),
    }
}

/// `gen-value`, or a URI in angle brackets, which a few headers have as the value of a parameter.
pub(crate) fn gen_value_or_uri(input: &[u8]) -> Parsed<'_> {
    alt((gen_value, bracketed)).parse(input)
}

/// `LAQUOT … RAQUOT`, its brackets included, around bytes that a URI may hold.
pub(crate) fn bracketed(input: &[u8]) -> Parsed<'_> {
    recognize(delimited(char('<'), |input| some(Class::URI, input), char('>'))).parse(input)
}

/// `generic-param`: a name and, behind an equals sign, a value by that rule.
#[inline]
fn generic_param<'a>(input: &'a [u8], value: impl Fn(&'a [u8]) -> Parsed<'a>) -> Parsed<'a, Param<'a>> {
    let (rest, name) = token(input)?;
    if name.len() > MAX_NAME {
        return fail(Cause::Limit);
    }
    let [b'=', behind @ ..] = behind_blank(rest) else {
        return Ok((rest, (name, None)));
    };
    match value(behind_blank(behind)) {
        Ok((rest, value)) => Ok((rest, (name, Some(value)))),
        Err(Err::Error(_)) => Ok((rest, (name, None))),
        Err(failure) => Err(failure),
    }
}

/// `*( SEMI generic-param )`, each handed to `each`; the text of them all.
pub(crate) fn params<'a>(
    input: &'a [u8],
    mut each: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Result<(), Cause>,
) -> Parsed<'a> {
    let mut rest = input;
    let mut count = 0;
    while let Some((behind, (name, value))) = next_param(rest)? {
        count += 1;
        if count > MAX_PARAMS {
            return fail(Cause::Limit);
        }
        each(name, value).or_else(fail)?;
        rest = behind;
    }
    Ok((rest, &input[..input.len() - rest.len()]))
}

/// `SEMI generic-param`, where a semicolon is next: every header's own code for each parameter calls this one.
#[inline(never)]
fn next_param(input: &[u8]) -> Result<Option<Rest<'_, Param<'_>>>, Err<Cause>> {
    match behind_blank(input) {
        [b';', param @ ..] => generic_param(behind_blank(param), gen_value).map(Some),
        _ => Ok(None),
    }
}

/// What is left over, and what was found.
type Rest<'a, T> = (&'a [u8], T);

/// A name, and a value where there is one.
type Param<'a> = (&'a [u8], Option<&'a [u8]>);

/// As [`params`], with values by that rule.
pub(crate) fn params_of<'a>(
    input: &'a [u8],
    value: impl Fn(&'a [u8]) -> Parsed<'a>,
    mut each: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Result<(), Cause>,
) -> Parsed<'a> {
    let mut rest = input;
    let mut count = 0;
    while let Ok((behind, ())) = spaced(b';')(rest) {
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
    some(Class::HEX, input)
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

/// True for that word in any case, at a look where it is written as it is here.
#[inline]
pub(crate) fn is<const N: usize>(text: &[u8], word: &[u8; N]) -> bool {
    text == word || text.len() == N && text.eq_ignore_ascii_case(word)
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use proptest::prelude::*;

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
                ("a..", None),
                ("a.b.:5060", Some("a.b.")),
                (".a", None),
                (".", None),
                (":", None),
                ("", None),
            ],
        );
        let long = |bytes: usize| host("h".repeat(bytes).as_bytes()).is_ok();
        assert_eq!((long(254), long(255), long(256)), (true, true, false));
    }

    proptest! {
        /// What is an address is what the standard library reads as one.
        #[test]
        fn addresses(
            texts in ["[0-9a-fA-F]{1,5}(:[0-9a-f]{1,4}){0,8}", "[0-9a-f:]{0,12}", "([0-9a-f]{0,4}:{1,2}){0,8}[0-9.]{0,12}",
                "::(ffff:)?[0-9]{1,3}([.][0-9]{1,3}){2,4}", "[0-9]{1,4}([.][0-9]{1,3}){3}"]
        ) {
            for text in texts {
                let found = whole(text.as_bytes(), ip_address).is_ok();
                prop_assert_eq!(found, text.parse::<IpAddr>().is_ok(), "{}", text);
                let bracketed = format!("[{text}]");
                prop_assert_eq!(host(bracketed.as_bytes()).is_ok(), text.parse::<Ipv6Addr>().is_ok(), "{}", text);
            }
        }
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
