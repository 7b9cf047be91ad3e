//! Edits of a message against a list of lines that is edited the plain way: what an edit does not touch leaves byte for
//! byte as it came in, folds, odd spelling and white space among it.

use imscore_sip::header::{MaxForwards, Name, RecordRoute, Route, Via};
use imscore_sip::transport::Transport;
use imscore_sip::{Message, Request};
use proptest::prelude::*;

const START: &str = "INVITE sip:b@h SIP/2.0\r\n";

/// A header line: its name, its values, and its bytes while no edit has touched it.
#[derive(Clone, Debug)]
struct Line {
    name: &'static str,
    values: Vec<String>,
    raw: Option<String>,
}

impl Line {
    fn edited(name: &'static str, values: Vec<String>) -> Line {
        Line { name, values, raw: None }
    }

    /// True where that is the line as it is written.
    fn is_written_as(&self, written: &str) -> bool {
        match &self.raw {
            Some(raw) => raw == written,
            None => {
                let Some((name, value)) = written.split_once(':') else { return false };
                name == self.name && value.split(',').map(str::trim).eq(self.values.iter().map(String::as_str))
            }
        }
    }
}

type Model = Vec<Line>;

#[derive(Clone, Debug)]
enum Edit {
    PushFrontVia(u8),
    PopFrontVia,
    PushRoute(u8),
    PopFrontRoute,
    SetFirstRoute(u8),
    RetainRoutes(u8),
    PushFrontRecordRoute(u8),
    SetMaxForwards(u8),
    RemoveExtension,
    PushExtension(u8),
    SetTarget(u8),
    SetBody(u8),
}

fn via(number: u8) -> Via {
    Via::new(Transport::Udp, "h", &format!("z9hG4bK{number}"))
}

fn route(number: u8) -> String {
    format!("<sip:p{number}.example;lr>")
}

fn apply(edit: &Edit, request: &mut Request, model: &mut Model) {
    let headers = &mut request.headers;
    let position = |model: &Model, name: &str| model.iter().position(|line| line.name == name);
    let push_front = |model: &mut Model, name: &'static str, value: String| {
        let at = position(model, name).unwrap_or(0);
        model.insert(at, Line::edited(name, vec![value]));
    };
    let pop_front = |model: &mut Model, name: &str| {
        let Some(at) = position(model, name) else { return false };
        model[at].values.remove(0);
        model[at].raw = None;
        if model[at].values.is_empty() {
            model.remove(at);
        }
        true
    };
    let set = |model: &mut Model, name: &'static str, value: String| match position(model, name) {
        Some(at) => {
            let mut index = 0;
            model.retain(|line| {
                index += 1;
                index - 1 <= at || line.name != name
            });
            model[at] = Line::edited(name, vec![value]);
        }
        None => model.push(Line::edited(name, vec![value])),
    };
    let typed_route = |number: u8| {
        Route::new(imscore_sip::uri::SipUri::new(&format!("p{number}.example")).unwrap().with_param("lr", None))
    };
    match edit {
        Edit::PushFrontVia(number) => {
            headers.push_front(&via(*number));
            push_front(model, "Via", via(*number).to_string());
        }
        Edit::PopFrontVia => assert_eq!(headers.pop_front::<Via>(), pop_front(model, "Via")),
        Edit::PushRoute(number) => {
            headers.push(&typed_route(*number));
            model.push(Line::edited("Route", vec![route(*number)]));
        }
        Edit::PopFrontRoute => assert_eq!(headers.pop_front::<Route>(), pop_front(model, "Route")),
        Edit::SetFirstRoute(number) => {
            headers.set_first(&typed_route(*number));
            pop_front(model, "Route");
            push_front(model, "Route", route(*number));
        }
        Edit::RetainRoutes(limit) => {
            let keep = |text: &str| text.bytes().find(u8::is_ascii_digit).is_some_and(|digit| digit - b'0' < *limit);
            headers.retain(|route: &Route| keep(route.as_str()));
            for line in model.iter_mut().filter(|line| line.name == "Route") {
                let before = line.values.len();
                line.values.retain(|value| keep(value));
                if line.values.len() < before {
                    line.raw = None;
                }
            }
            model.retain(|line| !line.values.is_empty());
        }
        Edit::PushFrontRecordRoute(number) => {
            headers.push_front(&RecordRoute(typed_route(*number).0));
            push_front(model, "Record-Route", route(*number));
        }
        Edit::SetMaxForwards(number) => {
            headers.set(&MaxForwards(*number));
            set(model, "Max-Forwards", number.to_string());
        }
        Edit::RemoveExtension => {
            let before = model.len();
            model.retain(|line| line.name != "X-Own");
            assert_eq!(headers.remove("x-own"), before - model.len());
        }
        Edit::PushExtension(number) => {
            headers.push_raw("X-Own", number.to_string().as_bytes());
            model.push(Line::edited("X-Own", vec![number.to_string()]));
        }
        Edit::SetTarget(number) => request.set_target(format!("sip:b{number}@h")),
        Edit::SetBody(number) => {
            request.set_body("text/plain", number.to_string().into_bytes());
            model.retain(|line| line.name != "Content-Type" && line.name != "Content-Length");
            model.push(Line::edited("Content-Type", vec!["text/plain".into()]));
            model.push(Line::edited("Content-Length", vec![number.to_string().len().to_string()]));
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..9_u8).prop_map(Edit::PushFrontVia),
        Just(Edit::PopFrontVia),
        (0..9_u8).prop_map(Edit::PushRoute),
        Just(Edit::PopFrontRoute),
        (0..9_u8).prop_map(Edit::SetFirstRoute),
        (0..9_u8).prop_map(Edit::RetainRoutes),
        (0..9_u8).prop_map(Edit::PushFrontRecordRoute),
        any::<u8>().prop_map(Edit::SetMaxForwards),
        Just(Edit::RemoveExtension),
        any::<u8>().prop_map(Edit::PushExtension),
        (0..9_u8).prop_map(Edit::SetTarget),
        (0..9_u8).prop_map(Edit::SetBody),
    ]
}

/// A line as it may come in: one value or several, in any spelling of the name, with white space and folds about.
fn line() -> impl Strategy<Value = Line> {
    let route = || proptest::collection::vec((0..9_u8).prop_map(route), 1..4);
    let vias = proptest::collection::vec((0..9_u8).prop_map(|number| via(number).to_string()), 1..4);
    let one = |value: &str| Just(vec![value.to_string()]);
    let header = prop_oneof![
        vias.prop_map(|values| ("Via", "v", values)),
        route().prop_map(|values| ("Route", "ROUTE", values)),
        route().prop_map(|values| ("Record-Route", "record-route", values)),
        any::<u8>().prop_map(|number| ("X-Own", "x-oWN", vec![number.to_string()])),
        any::<u8>().prop_map(|number| ("Max-Forwards", "MAX-forwards", vec![number.to_string()])),
        one("text").prop_map(|values| ("Subject", "s", values)),
        one("application/sdp").prop_map(|values| ("Content-Type", "c", values)),
        one("a \\ \" ; = \u{e4}").prop_map(|values| ("X-Odd", "x-odd", values)),
    ];
    let blank = || proptest::sample::select(&["", " ", "\t", "  ", "\r\n ", " \r\n\t"][..]);
    let colon = proptest::sample::select(&[":", " :", "\t: "][..]);
    (header, any::<bool>(), colon, blank(), blank(), blank()).prop_map(
        |((name, other, values), spelled, colon, before, between, behind)| {
            let spelling = if spelled { name } else { other };
            let comma = format!("{between},{before}");
            let raw = format!("{spelling}{colon}{before}{}{behind}\r\n", values.join(&comma));
            Line { name, values, raw: Some(raw) }
        },
    )
}

/// The lines of a header block with their line ends, folded ones in one piece.
fn lines(block: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in block.split_inclusive("\r\n") {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            Some(_) | None => lines.push(line.to_string()),
        }
    }
    lines
}

proptest! {
    #[test]
    fn an_edit_touches_its_own_bytes_only(
        mut model in proptest::collection::vec(line(), 0..60),
        edits in proptest::collection::vec(edit(), 0..12),
        body in "[ -~\r\n]{0,20}",
    ) {
        let head: String = model.iter().filter_map(|line| line.raw.as_deref()).collect();
        let text = format!("{START}{head}\r\n{body}");
        let Message::Request(mut request) = Message::parse(text.clone().into()).unwrap() else { unreachable!() };
        prop_assert_eq!(request.to_bytes(), text);
        let (mut target, mut body) = ("sip:b@h".to_string(), body);
        for edit in &edits {
            apply(edit, &mut request, &mut model);
            if let Edit::SetTarget(number) = edit {
                target = format!("sip:b{number}@h");
            }
            if let Edit::SetBody(number) = edit {
                body = number.to_string();
            }
            let written = String::from_utf8(request.to_bytes().to_vec()).unwrap();
            prop_assert_eq!(request.clone().into_bytes(), &written);
            let (start, rest) = written.split_once("\r\n").unwrap();
            prop_assert_eq!(start, format!("INVITE {target} SIP/2.0"));
            let block = rest.strip_suffix(&body).and_then(|rest| rest.strip_suffix("\r\n"));
            let found = lines(block.expect("the body stands behind an empty line"));
            prop_assert_eq!(found.len(), model.len(), "{:?}", edit);
            for (line, written) in model.iter().zip(&found) {
                prop_assert!(line.is_written_as(written), "{edit:?}: {line:?} is written as {written:?}");
            }
        }
        prop_assert_eq!(request.headers.contains(Name::ROUTE), model.iter().any(|line| line.name == "Route"));
    }
}
