//! What a message of a corpus is there to show, beyond being accepted.

use std::net::IpAddr;

use imscore_sip::header::{Authorization, Contact, ContentType, From, Name, Path, Require, Route, To, Via};
use imscore_sip::uri::{Uri, decoded};
use imscore_sip::{Message, Method, Request, Response};

/// Looks at the message of that name; nothing for one without a point of its own.
pub(crate) fn of(name: &str, message: &Message) -> Result<(), String> {
    match (name, message) {
        ("wsinv", Message::Request(invite)) => wsinv(invite),
        ("intmeth", Message::Request(request)) => intmeth(request),
        ("esc01", Message::Request(invite)) => esc01(invite),
        ("escnull", Message::Request(register)) => escnull(register),
        ("esc02", Message::Request(request)) => esc02(request),
        ("dblreq", Message::Request(register)) => dblreq(register),
        ("semiuri", Message::Request(options)) => semiuri(options),
        ("transports", Message::Request(options)) => transports(options),
        ("mpart01", Message::Request(request)) => mpart01(request),
        ("noreason", Message::Response(trying)) => same(&trying.reason(), &&b""[..]),
        ("unreason", Message::Response(ok)) => same(&(ok.reason().len() > 20), &true),
        ("badbranch", Message::Request(options)) => same(&options.headers.branch(), &Some("z9hG4bK")),
        ("unkscm" | "novelsc", Message::Request(options)) => other_scheme(options),
        ("bext01", Message::Request(options)) => same(&options.headers.all::<Require>().map(|all| all.len()), &Ok(2)),
        ("regaut01", Message::Request(register)) => regaut01(register),
        ("bcast", Message::Response(response)) => bcast(response),
        ("cparam01", Message::Request(register)) => cparam(register, "sip:+19725552222@gw1.example.net", true),
        ("cparam02", Message::Request(register)) => {
            cparam(register, "sip:+19725552222@gw1.example.net;unknownparam", false)
        }
        ("regescrt", Message::Request(register)) => regescrt(register),
        ("inv2543", Message::Request(invite)) => {
            same(&(invite.headers.branch(), invite.headers.from_tag()), &(None, None))
        }
        ("port-ambiguous", Message::Request(request)) => port(request, "[2001:db8::10:5070]", None),
        ("port-unambiguous", Message::Request(request)) => port(request, "[2001:db8::10]", Some(5070)),
        ("via-received-param-with-delim" | "via-received-param-no-delim", Message::Request(request)) => {
            let received = request.headers.first::<Via>().map(|via| via.received());
            same(&received, &Ok(address("2001:db8::9:255")))
        }
        ("mult-ip-in-header", Message::Request(bye)) => mult_ip(bye),
        (_, _) => Ok(()),
    }
}

fn wsinv(invite: &Request) -> Result<(), String> {
    let headers = &invite.headers;
    same(&headers.to_tag(), &Some("1918181833n"))?;
    same(&headers.from_tag(), &Some("98asjd8"))?;
    same(&headers.cseq().map(|cseq| (cseq.number, cseq.method)), &Ok((9, Method::Invite)))?;
    same(&headers.branch(), &Some("390skdjuw"))?;
    let vias: Vec<Via> = headers.all().map_err(|error| error.to_string())?;
    let branches: Vec<_> = vias.iter().map(Via::branch).collect();
    same(&branches, &vec![Some("390skdjuw"), Some("z9hG4bK9ikj8"), Some("z9hG4bK30239")])?;
    same(
        &headers.first::<From>().map(|from| from.display_name().map(String::from)),
        &Ok(Some("J Rosenberg \\\"".into())),
    )?;
    same(&headers.first::<Contact>().map(|contact| contact.q()), &Ok(Some(330)))?;
    let lr = headers.first::<Route>().map(|route| route.sip().map(|uri| uri.is_lr()));
    same(&lr, &Ok(Some(true)))?;
    same(&headers.raw("UnknownHeaderWithUnusualValue"), &Some(&b";;,,;;,;"[..]))
}

fn intmeth(request: &Request) -> Result<(), String> {
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    same(&request.method().as_str(), &method)?;
    same(&request.headers.cseq().map(|cseq| cseq.method), &Ok(method.into()))?;
    let display_name = request.headers.first::<To>().map(|to| to.display_name().map(String::from));
    same(&display_name, &Ok(Some("BEL:\u{7} NUL:\0 DEL:\u{7f}".to_string())))?;
    let uri = request.uri().map_err(|error| error.to_string())?;
    same(&uri.as_sip().and_then(|uri| uri.password()), &Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"))
}

fn esc01(invite: &Request) -> Result<(), String> {
    let uri = invite.uri().map_err(|error| error.to_string())?;
    same(&uri.as_sip().and_then(|uri| uri.user()), &Some("sips%3Auser%40example.com"))?;
    let to: To = invite.headers.first().map_err(|error| error.to_string())?;
    let user: Uri = "sip:user@example.com".parse().map_err(|_| "no URI")?;
    same(&to.uri().equivalent(&user), &true)?;
    let contact: Contact = invite.headers.first().map_err(|error| error.to_string())?;
    let params = contact.sip().map(|uri| uri.params().as_str().to_string()).unwrap_or_default();
    same(&decoded(&params), &(&b";lr;name=value%41"[..]).into())
}

fn escnull(register: &Request) -> Result<(), String> {
    let contacts: Vec<Contact> = register.headers.all().map_err(|error| error.to_string())?;
    let [Some(one), Some(other)] = [contacts[0].uri(), contacts[1].uri()] else { return Err("no URIs".into()) };
    same(&one.equivalent(other), &false)?;
    let to = register.headers.first::<To>().map(|to| to.uri().address_of_record());
    same(&to, &Ok("sip:null-%00-null@example.com".into()))
}

fn esc02(request: &Request) -> Result<(), String> {
    same(&request.method(), &"RE%47IST%45R".into())?;
    same(&request.headers.all::<Contact>().map(|contacts| contacts.len()), &Ok(2))
}

fn dblreq(register: &Request) -> Result<(), String> {
    same(&register.method(), &Method::Register)?;
    same(&register.body().len(), &0)?;
    same(&register.to_bytes().windows(6).any(|text| text == b"INVITE"), &false)
}

fn semiuri(options: &Request) -> Result<(), String> {
    let uri = options.uri().map_err(|error| error.to_string())?;
    let uri = uri.as_sip().ok_or("no SIP URI")?;
    same(&(uri.user(), uri.params().is_empty()), &(Some("user;par=u%40example.net"), true))
}

fn transports(options: &Request) -> Result<(), String> {
    let vias: Vec<Via> = options.headers.all().map_err(|error| error.to_string())?;
    let transports: Vec<_> = vias.iter().map(Via::transport).collect();
    same(&transports, &vec!["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"])
}

fn mpart01(request: &Request) -> Result<(), String> {
    let boundary = request.headers.first::<ContentType>().map(|kind| kind.boundary().map(String::from));
    same(&boundary, &Ok(Some("7a9cbec02ceef655".to_string())))?;
    same(&request.body().ends_with(b"--7a9cbec02ceef655--\r\n"), &true)?;
    same(&request.body().contains(&0), &true)
}

fn other_scheme(options: &Request) -> Result<(), String> {
    let uri = options.uri().map_err(|error| error.to_string())?;
    same(&(uri.as_sip().is_some() || uri.as_tel().is_some()), &false)
}

fn regaut01(register: &Request) -> Result<(), String> {
    let answer: Authorization = register.headers.first().map_err(|error| error.to_string())?;
    same(&(answer.is_digest(), answer.param("opaque-data").as_deref()), &(false, Some("here")))
}

fn bcast(response: &Response) -> Result<(), String> {
    let vias: Vec<Via> = response.headers.all().map_err(|error| error.to_string())?;
    let hosts: Vec<_> = vias.iter().map(|via| via.received().or(via.host_ip())).collect();
    same(&hosts, &vec![address("192.0.2.198"), address("255.255.255.255")])
}

fn cparam(register: &Request, uri: &str, behind: bool) -> Result<(), String> {
    let contact: Contact = register.headers.first().map_err(|error| error.to_string())?;
    same(&contact.uri().map(Uri::as_str), &Some(uri))?;
    same(&contact.param("unknownparam").is_some(), &behind)
}

fn regescrt(register: &Request) -> Result<(), String> {
    let contact: Contact = register.headers.first().map_err(|error| error.to_string())?;
    same(&contact.sip().and_then(|uri| uri.headers()), &Some("Route=%3Csip:sip.example.com%3E"))?;
    same(&register.headers.contains(Name::ROUTE), &false)?;
    same(&register.headers.all::<Path>().map(|paths| paths.len()), &Ok(0))
}

fn port(request: &Request, host: &str, port: Option<u16>) -> Result<(), String> {
    let uri = request.uri().map_err(|error| error.to_string())?;
    let uri = uri.as_sip().ok_or("no SIP URI")?;
    same(&(uri.host(), uri.port()), &(host, port))?;
    same(&uri.host_ip(), &address(host.trim_matches(['[', ']'])))
}

fn mult_ip(bye: &Request) -> Result<(), String> {
    let vias: Vec<Via> = bye.headers.all().map_err(|error| error.to_string())?;
    let places: Vec<_> = vias.iter().map(|via| (via.host_ip(), via.port(), via.received())).collect();
    let expected = vec![
        (address("2001:db8::9:1"), Some(6050), None),
        (address("192.0.2.1"), None, None),
        (address("2001:db8::9:255"), None, address("192.0.2.200")),
    ];
    same(&places, &expected)
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?}, not {expected:?}")) }
}
