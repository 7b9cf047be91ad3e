//! Messages of our own for each point that RFC 4475 and RFC 5118 make: what reading and checking make of them. What a
//! proxy or registrar adds, a 416, 420 or 483, is tested where they are.

use imscore_sip::header::{
    Authorization, Contact, ContentType, Date, Expires, From, MaxForwards, Name, ProxyRequire, Require, RetryAfter,
    Route, To, Via,
};
use imscore_sip::message::salvage_reply;
use imscore_sip::uri::{Uri, decoded};
use imscore_sip::{Message, Method, Request, Response};

/// A plain request. Tests put something else in place of a piece of it.
const BASE: &str = "INVITE sip:carol@pbx.example SIP/2.0\n\
    Via: SIP/2.0/UDP 192.0.2.71:5066;branch=z9hG4bK-t1\n\
    Max-Forwards: 70\n\
    From: <sip:dave@pbx.example>;tag=from-1\n\
    To: <sip:carol@pbx.example>\n\
    Call-ID: torture-1@192.0.2.71\n\
    CSeq: 31 INVITE\n\
    Contact: <sip:dave@192.0.2.71:5066>\n\
    Content-Length: 0\n\n";

const RESPONSE: &str = "SIP/2.0 200 OK\n\
    Via: SIP/2.0/UDP 192.0.2.71:5066;branch=z9hG4bK-t1\n\
    From: <sip:dave@pbx.example>;tag=from-1\n\
    To: <sip:carol@pbx.example>;tag=to-1\n\
    Call-ID: torture-1@192.0.2.71\n\
    CSeq: 31 INVITE\n\
    Content-Length: 0\n\n";

/// `base` with every first `from` replaced, line ends made CRLF.
fn changed(base: &str, changes: &[(&str, &str)]) -> String {
    let mut text = base.to_string();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text.replace('\n', "\r\n")
}

/// What becomes of a message: `ok`, the status that goes back, or `dropped`.
fn fate(text: &str) -> String {
    crate::trace::is_valid(text.as_bytes());
    let message = match Message::parse(text.to_string().into()) {
        Ok(message) => message,
        Err(error) => {
            let answered = salvage_reply(text.as_bytes(), &error).is_some();
            return if answered { error.status().to_string() } else { "dropped".to_string() };
        }
    };
    let written = message.to_bytes();
    assert_eq!(&text.as_bytes()[..written.len()], written);
    match message {
        Message::Request(request) => {
            request.check().map_or_else(|rejection| rejection.status().to_string(), |()| "ok".into())
        }
        Message::Response(response) => response.check().map_or_else(|_| "dropped".into(), |()| "ok".into()),
    }
}

/// A request that is accepted.
fn request(changes: &[(&str, &str)]) -> Request {
    let text = changed(BASE, changes);
    assert_eq!(fate(&text), "ok", "{text}");
    match Message::parse(text.into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// A response that is accepted.
fn response(changes: &[(&str, &str)]) -> Response {
    let text = changed(RESPONSE, changes);
    assert_eq!(fate(&text), "ok", "{text}");
    match Message::parse(text.into()) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

/// RFC 4475 §3.1.1.1
#[test]
fn torture_short_and_tortuous() {
    let text = "INVITE sip:carol@pbx.example;odd SIP/2.0\nTO  :\n  sip:carol@pbx.example\n\t;  Tag  =  to-1\n\
        from: \"D \\\\ \\\"ave\\\"\"   <sip:dave@pbx.example>\n ;\n x ; tag\n =\n from-1\nmax-forwards : 0070\n\
        I:\ttorture-1@192.0.2.71\nCSEQ: 00031\n   INVITE\nVIA  : SIP / 2.0\n  / UDP  192.0.2.71 ; branch = z9hG4bK-t1 ,\n\
        \x20SIP/2.0  /TCP proxy.pbx.example\n : 5066;branch=z9hG4bK-t2\nS:\nOdd-Header: ,;\"<,;;\nRoute:\n\
        \x20<sip:r1.pbx.example;lr;a=b>\nm: \"\\\"\" <sip:dave@192.0.2.71> ; p =\n\tv ; q = 0.250\nl : 2\n\nok"
        .replace('\n', "\r\n");
    assert_eq!(fate(&text), "ok");
    let Ok(Message::Request(invite)) = Message::parse(text.into()) else { panic!("a request") };
    let headers = &invite.headers;
    assert_eq!((headers.to_tag(), headers.from_tag()), (Some("to-1"), Some("from-1")));
    assert_eq!(headers.first::<From>().unwrap().display_name().unwrap(), "D \\ \"ave\"");
    assert_eq!(headers.first::<MaxForwards>(), Ok(MaxForwards(70)));
    assert_eq!(headers.cseq().unwrap().number, 31);
    let vias: Vec<Via> = headers.all().unwrap();
    let places: Vec<_> = vias.iter().map(|via| (via.transport(), via.host(), via.port(), via.branch())).collect();
    assert_eq!(
        places,
        [("UDP", "192.0.2.71", None, Some("z9hG4bK-t1")), ("TCP", "proxy.pbx.example", Some(5066), Some("z9hG4bK-t2"))]
    );
    assert_eq!(headers.raw("odd-header"), Some(&b",;\"<,;;"[..]));
    assert!(headers.first::<Route>().unwrap().sip().unwrap().is_lr());
    assert_eq!(headers.first::<Contact>().unwrap().q(), Some(250));
    assert_eq!(invite.body(), "ok");
}

/// RFC 4475 §3.1.1.2
#[test]
fn torture_every_character_that_is_allowed() {
    let method = "~odd'Method`_+%*.!-9";
    let call = request(&[
        ("INVITE sip:carol@", &format!("{method} sip:c-_.!~*'()&=+$,;?/:&=+$,@")),
        ("31 INVITE", &format!("31 {method}")),
        (
            "<sip:dave@pbx.example>;tag=from-1",
            "a~b` c'+_ *%!.- <sip:dave@pbx.example>;-.!%*_+`'~=\"\u{431}\u{44e}\";tag=-.!%*_+`'~",
        ),
        ("torture-1@192.0.2.71", "-.!%*_+`'~()<>:\\\"/[]?{}@-.!%*_+`'~()<>:\\\"/[]?{}"),
        ("To: <", "To: \"\\\x07 \\\0 \\\x7f \u{4e2d}\" <"),
        ("Contact", "X-.!%*_+`'~: \u{feff}\u{4e2d}\nContact"),
    ]);
    assert_eq!(call.method(), Method::from(method));
    assert_eq!(call.headers.from_tag(), Some("-.!%*_+`'~"));
    assert_eq!(call.headers.first::<To>().unwrap().display_name().unwrap(), "\x07 \0 \x7f \u{4e2d}");
    let Ok(Uri::Sip(uri)) = call.uri() else { panic!("a SIP URI") };
    assert_eq!((uri.user(), uri.password()), (Some("c-_.!~*'()&=+$,;?/"), Some("&=+$,")));
}

/// RFC 4475 §3.1.1.3
#[test]
fn torture_escapes_mean_what_they_stand_for() {
    let call = request(&[
        ("sip:carol@pbx.example SIP", "sip:sip%3Acarol%40home@pbx.example SIP"),
        ("To: <sip:carol@", "To: <sip:c%61r%6Fl@"),
        ("<sip:dave@192.0.2.71:5066>", "<sip:d%20ave@192.0.2.71;%6C%72;p%61r=x%2541>"),
    ]);
    let to: To = call.headers.first().unwrap();
    assert!(to.uri().equivalent(&"sip:carol@pbx.example".parse().unwrap()));
    let contact: Contact = call.headers.first().unwrap();
    assert_eq!(decoded(contact.sip().unwrap().user().unwrap()), &b"d ave"[..]);
    assert_eq!(decoded(contact.sip().unwrap().params().as_str()), &b";lr;par=x%41"[..]);
    let Ok(Uri::Sip(uri)) = call.uri() else { panic!("a SIP URI") };
    assert_eq!((uri.user(), uri.host()), (Some("sip%3Acarol%40home"), "pbx.example"));
}

/// RFC 4475 §3.1.1.4
#[test]
fn torture_an_escaped_nul_ends_nothing() {
    let call = request(&[("<sip:dave@192.0.2.71:5066>", "<sip:%00@h.example>, <sip:%00%00@h.example>")]);
    let contacts: Vec<Contact> = call.headers.all().unwrap();
    assert!(!contacts[0].uri().unwrap().equivalent(contacts[1].uri().unwrap()));
    assert_ne!(contacts[0].uri().unwrap().address_of_record(), contacts[1].uri().unwrap().address_of_record());
}

/// RFC 4475 §3.1.1.5
#[test]
fn torture_a_percent_sign_that_escapes_nothing() {
    let call = request(&[
        ("INVITE sip", "IN%56ITE sip"),
        ("31 INVITE", "31 IN%56ITE"),
        ("branch=z9hG4bK-t1", "branch=z9hG4bK%zz"),
        ("From: <", "From: \"%Q\" <"),
        ("Content-Length", "Cont%61ct: <sip:other@h.example>\nContent-Length"),
    ]);
    assert!(!call.is(&Method::Invite));
    assert_eq!(call.headers.all::<Contact>().unwrap().len(), 1);
    assert_eq!(call.headers.branch(), Some("z9hG4bK%zz"));
}

/// RFC 4475 §3.1.1.6
#[test]
fn torture_no_space_before_an_angle_bracket() {
    let call = request(&[("From: <", "From: dave<")]);
    assert_eq!(call.headers.first::<From>().unwrap().display_name().unwrap(), "dave");
}

/// RFC 4475 §3.1.1.7
#[test]
fn torture_long_values() {
    let long = |count: usize| "long".repeat(count);
    let call = request(&[
        (
            "From: <sip:dave@pbx.example>;tag=from-1",
            &format!("F: \"{0}\" <sip:{0}@pbx.example;{0}={0}>;{1}={0};tag={1}", long(60), long(60)),
        ),
        (
            "Via: SIP/2.0/UDP 192.0.2.71:5066",
            &format!(
                "v: SIP/2.0/TCP a.example;branch=z9hG4bK{}\n{}Via: SIP/2.0/UDP 192.0.2.71:5066",
                long(60),
                "v: SIP/2.0/TCP b.example;branch=z9hG4bK\n".repeat(33)
            ),
        ),
        ("torture-1@", &format!("{}@", long(60))),
        ("Contact", &format!("X-{}: {}\nContact", long(60), long(900))),
    ]);
    assert_eq!(call.headers.all::<Via>().unwrap().len(), 35);
    assert_eq!(call.headers.from_tag().map(str::len), Some(240));
}

/// RFC 4475 §3.1.1.8
#[test]
fn torture_octets_behind_the_body() {
    let text = changed(BASE, &[("Length: 0", "Length: 3")]) + "oneINVITE sip:mallory@h.example SIP/2.0\r\n\r\n";
    let Ok(Message::Request(call)) = Message::parse(text.into()) else { panic!("a request") };
    assert_eq!(call.body(), "one");
    assert!(call.to_bytes().ends_with(b"\r\n\r\none"));
}

/// RFC 4475 §3.1.1.9
#[test]
fn torture_semicolons_in_a_user_part() {
    let call = request(&[("sip:carol@pbx.example SIP", "sip:carol;x=y%40z;lr@pbx.example;p SIP")]);
    let Ok(Uri::Sip(uri)) = call.uri() else { panic!("a SIP URI") };
    assert_eq!((uri.user(), uri.is_lr(), uri.params().as_str()), (Some("carol;x=y%40z;lr"), false, ";p"));
}

/// RFC 4475 §3.1.1.10
#[test]
fn torture_transports_of_all_kinds() {
    let call = request(&[(
        "Max-",
        "Via: SIP/2.0/TLS-SCTP a.example;branch=z9hG4bK1\nVia: SIP/2.0/PIGEON b.example;branch=z9hG4bK2\nMax-",
    )]);
    let vias: Vec<Via> = call.headers.all().unwrap();
    assert_eq!(vias.iter().map(Via::transport).collect::<Vec<_>>(), ["UDP", "TLS-SCTP", "PIGEON"]);
}

/// RFC 4475 §3.1.1.11
#[test]
fn torture_a_body_of_parts_some_of_them_binary() {
    let body = b"--b 1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b 1\r\n\r\n\x00\xff\r\n\x01\r\n--b 1--\r\n";
    let head = changed(
        BASE,
        &[(
            "Content-Length: 0",
            &format!("Content-Type: multipart/mixed;boundary=\"b 1\"\nContent-Length: {}", body.len()),
        )],
    );
    let bytes = [head.as_bytes(), body].concat();
    let Ok(Message::Request(call)) = Message::parse(bytes.clone().into()) else { panic!("a request") };
    assert_eq!((call.check(), call.body(), call.to_bytes()), (Ok(()), body[..].into(), bytes.into()));
    assert_eq!(call.headers.first::<ContentType>().unwrap().boundary().unwrap(), "b 1");
}

/// RFC 4475 §3.1.1.12, §3.1.1.13
#[test]
fn torture_reason_phrases() {
    for (line, reason) in [
        ("SIP/2.0 200 = 7 * (2 + 1)  \u{434}\u{430} ?/;\"", "= 7 * (2 + 1)  \u{434}\u{430} ?/;\""),
        ("SIP/2.0 200 ", ""),
        ("SIP/2.0 200", ""),
    ] {
        assert_eq!(response(&[("SIP/2.0 200 OK", line)]).reason(), reason.as_bytes(), "{line}");
    }
}

/// RFC 4475 §3.1.2.1, .6 to .11, .13 to .18, §3.3.1, §3.3.8, §3.3.9: what a 400 or 505 answers.
#[test]
fn torture_what_is_refused() {
    let body = |length: &str| format!("Content-Length: {length}");
    for (from, to, expected) in [
        ("branch=z9hG4bK-t1", "branch=z9hG4bK-t1;;,", "400"),
        ("z9hG4bK-t1", "z9hG4bK-t1,,", "400"),
        ("5066>", "5066>;;", "400"),
        ("Content-Length: 0", &body("7"), "400"),
        ("Content-Length: 0", &body("-7"), "400"),
        ("Content-Length: 0", &body("99999999999999999999"), "400"),
        ("CSeq: 31", "CSeq: 36893488147419103232", "400"),
        ("Max-Forwards: 70", "Max-Forwards: 300", "400"),
        ("To: <", "To: \"Carol <", "400"),
        ("sip:carol@pbx.example SIP", "<sip:carol@pbx.example> SIP", "400"),
        ("sip:carol@pbx.example SIP", "sip:carol@pbx.example; lr SIP", "400"),
        ("INVITE sip:carol@pbx.example SIP", "INVITE  sip:carol@pbx.example  SIP", "400"),
        ("SIP/2.0\n", "SIP/2.0  \n", "400"),
        ("pbx.example SIP", "pbx.example?Replaces=1 SIP", "400"),
        ("<sip:dave@192.0.2.71:5066>", "sip:dave@192.0.2.71?Route=%3Csip:h%3E", "400"),
        ("<sip:carol@pbx.example>", "\"Carol, C\" < sip:carol@pbx.example >", "400"),
        ("From: <", "From: Dave, D <", "400"),
        ("SIP/2.0\n", "SIP/7.0\n", "505"),
        ("31 INVITE", "31 OPTIONS", "400"),
        ("INVITE sip", "NEWMETHOD sip", "400"),
        ("From", "X-From", "400"),
        ("To", "X-To", "400"),
        ("Call-ID", "X-Call-ID", "400"),
        ("CSeq", "X-CSeq", "400"),
        ("Via", "X-Via", "400"),
        ("CSeq", "CSeq: 5 INVITE\nCSeq", "400"),
        ("Call-ID", "i: 2@h.example\nCall-ID", "400"),
        ("Max-Forwards", "Max-Forwards: 7\nMax-Forwards", "400"),
        ("From", "From: <sip:mallory@h.example>;tag=2\nFrom", "400"),
        ("To", "t: <sip:mallory@h.example>\nTo", "400"),
        ("Content-Length: 0", "Content-Length: 0\nl: 1", "400"),
    ] {
        let text = changed(BASE, &[(from, to)]);
        // Without a Via nobody is answered by what cannot be read at all; this one is read.
        assert_eq!(fate(&text), expected, "{to}");
    }
}

/// RFC 4475 §3.1.2.5, §3.1.2.19: no answer answers a response.
#[test]
fn torture_responses_that_are_dropped() {
    for (from, to) in [
        ("CSeq: 31", "CSeq: 36893488147419103232"),
        ("SIP/2.0 200", "SIP/2.0 4294967496"),
        ("SIP/2.0 200", "SIP/2.0 2000"),
        ("SIP/2.0 200", "SIP/2.0 -200"),
        ("Via", "X-Via"),
        ("Length: 0", "Length: 9"),
    ] {
        assert_eq!(fate(&changed(RESPONSE, &[(from, to)])), "dropped", "{to}");
    }
    let late = response(&[("Content-Length", "Retry-After: 36893488147419103232\nContent-Length")]);
    assert!(late.headers.first::<RetryAfter>().is_err());
}

/// RFC 4475 §3.1.2.4, §3.1.2.12, §3.3.2 to §3.3.7, §3.3.11 to §3.3.15: what is for somebody further on to judge.
#[test]
fn torture_what_goes_on() {
    for (from, to) in [
        ("Content-Length", "Expires: 36893488147419103232\nContent-Length"),
        ("Content-Length", "Date: Sat, 30 Feb 2030 09:00:00 CET\nContent-Length"),
        ("sip:carol@pbx.example SIP", "unheard-of:carol SIP"),
        ("sip:carol@pbx.example SIP", "z39.50r://192.0.2.9:210/x SIP"),
        ("To: <sip:", "To: <isbn:"),
        ("From: <sip:", "From: <name:"),
        ("<sip:dave@192.0.2.71:5066>", "<unheard-of:x>"),
        ("Content-Length", "Require: sorcery, magic\nProxy-Require: witchcraft\nContent-Length"),
        ("Content-Length", "Content-Type: application/unheard-of\nContent-Length"),
        ("Content-Length", "Authorization: Handshake firm=yes\nContent-Length"),
        ("Max-Forwards: 70", "Max-Forwards: 0"),
        ("Content-Length", "Accept: text/unheard-of\nContent-Length"),
    ] {
        assert_eq!(fate(&changed(BASE, &[(from, to)])), "ok", "{to}");
    }
    let call = request(&[(
        "Content-Length",
        "Expires: 36893488147419103232\nDate: Sat, 30 Feb 2030 09:00:00 CET\nRequire: sorcery, magic\n\
         Proxy-Require: witchcraft\nAuthorization: Handshake firm=yes\nContent-Length",
    )]);
    assert!(call.headers.first::<Expires>().is_err() && call.headers.first::<Date>().is_err());
    assert_eq!(call.headers.all::<Require>().unwrap().len(), 2);
    assert!(call.headers.first::<ProxyRequire>().unwrap().is("Witchcraft"));
    let answer: Authorization = call.headers.first().unwrap();
    assert_eq!((answer.is_digest(), answer.param("firm").as_deref()), (false, Some("yes")));
}

/// RFC 4475 §3.2.1, §3.4.1: a branch that names no transaction, and none at all.
#[test]
fn torture_branches_without_a_name() {
    assert_eq!(request(&[("z9hG4bK-t1", "z9hG4bK")]).headers.branch(), Some("z9hG4bK"));
    let old = request(&[(";branch=z9hG4bK-t1", ""), (";tag=from-1", ""), ("Max-Forwards: 70\n", "")]);
    assert_eq!((old.headers.branch(), old.headers.from_tag()), (None, None));
}

/// RFC 4475 §3.3.10: where the next hop of a response would be everybody.
#[test]
fn torture_a_via_of_everybody() {
    let answer = response(&[("From", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK-t2\nFrom")]);
    let next = answer.headers.all::<Via>().unwrap()[1].host_ip();
    assert_eq!(next, Some(std::net::Ipv4Addr::BROADCAST.into()));
}

/// RFC 4475 §3.3.12 to §3.3.14: what belongs to a contact and what to its URI.
#[test]
fn torture_parameters_of_a_contact() {
    for (text, uri, param, headers) in [
        ("sip:dave@h.example;odd", "sip:dave@h.example", true, None),
        ("<sip:dave@h.example>;odd", "sip:dave@h.example", true, None),
        ("<sip:dave@h.example;odd>", "sip:dave@h.example;odd", false, None),
        (
            "<sip:dave@h.example?Route=%3Csip:r.example%3E>",
            "sip:dave@h.example?Route=%3Csip:r.example%3E",
            false,
            Some("Route=%3Csip:r.example%3E"),
        ),
    ] {
        let call = request(&[("<sip:dave@192.0.2.71:5066>", text)]);
        let contact: Contact = call.headers.first().unwrap();
        assert_eq!((contact.uri().unwrap().as_str(), contact.param("odd").is_some()), (uri, param), "{text}");
        assert_eq!(contact.sip().unwrap().headers(), headers, "{text}");
        assert!(!call.headers.contains(Name::ROUTE));
    }
}

/// RFC 5118 §4.1 to §4.4, §4.10: IPv6 addresses stand in brackets, and what is in the brackets is no port.
#[test]
fn torture_ipv6_in_a_request_uri() {
    for (host, expected) in [
        ("[2001:db8::4]", Some(("2001:db8::4", None))),
        ("[2001:db8::4:5080]", Some(("2001:db8::4:5080", None))),
        ("[2001:db8::4]:5080", Some(("2001:db8::4", Some(5080)))),
        ("[2001:db8::192.0.2.4]", Some(("2001:db8::192.0.2.4", None))),
        ("[::ffff:192.0.2.4]", Some(("::ffff:192.0.2.4", None))),
        ("2001:db8::4", None),
        ("[2001:db8:::192.0.2.4]", None),
        ("[2001:db8::4", None),
        ("[2001:db8::4%25eth0]", None),
        ("[192.0.2.4]", None),
    ] {
        let change = ("sip:carol@pbx.example SIP", format!("sip:carol@{host} SIP"));
        let Some((address, port)) = expected else {
            assert_eq!(fate(&changed(BASE, &[(change.0, &change.1)])), "400", "{host}");
            continue;
        };
        let Ok(Uri::Sip(uri)) = request(&[(change.0, &change.1)]).uri() else { panic!("a SIP URI") };
        assert_eq!((uri.host_ip(), uri.port()), (address.parse().ok(), port), "{host}");
    }
}

/// RFC 5118 §4.5, §4.7, §4.9: addresses of both families in a Via, `received` with brackets and without.
#[test]
fn torture_ipv6_in_a_via() {
    for (via, host, port, received) in [
        ("[2001:db8::4]:5080;received=2001:db8::5", "2001:db8::4", Some(5080), Some("2001:db8::5")),
        ("[2001:db8::4];received=[2001:db8::5]", "2001:db8::4", None, Some("2001:db8::5")),
        ("[::ffff:192.0.2.4]:5080;received=192.0.2.5", "::ffff:192.0.2.4", Some(5080), Some("192.0.2.5")),
        ("192.0.2.4", "192.0.2.4", None, None),
    ] {
        let call = request(&[("192.0.2.71:5066;branch=z9hG4bK-t1", &format!("{via};branch=z9hG4bK-t1"))]);
        let found: Via = call.headers.first().unwrap();
        assert_eq!((found.host_ip(), found.port()), (host.parse().ok(), port), "{via}");
        assert_eq!(found.received(), received.map(|address| address.parse().unwrap()), "{via}");
    }
    assert_eq!(fate(&changed(BASE, &[("192.0.2.71:5066", "2001:db8::4")])), "400");
}
