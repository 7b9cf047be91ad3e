//! Edits of a message against a list of lines that is edited the plain way.

use bytes::Bytes;
use imscore_sip::header::{MaxForwards, Name, RecordRoute, Route, Via};
use imscore_sip::transport::Transport;
use imscore_sip::{Headers, Message};
use proptest::prelude::*;

const START: &str = "INVITE sip:b@h SIP/2.0\r\n";

/// Lines as name and list of values.
type Model = Vec<(String, Vec<String>)>;

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
}

fn via(number: u8) -> Via {
    Via::new(Transport::Udp, "h", &format!("z9hG4bK{number}"))
}

fn route(number: u8) -> String {
    format!("<sip:p{number}.example;lr>")
}

fn apply(edit: &Edit, headers: &mut Headers, model: &mut Model) {
    let position = |model: &Model, name: &str| model.iter().position(|(found, _)| found == name);
    let push_front = |model: &mut Model, name: &str, value: String| {
        let at = position(model, name).unwrap_or(0);
        model.insert(at, (name.to_string(), vec![value]));
    };
    let pop_front = |model: &mut Model, name: &str| {
        let Some(at) = position(model, name) else { return false };
        model[at].1.remove(0);
        if model[at].1.is_empty() {
            model.remove(at);
        }
        true
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
            model.push(("Route".into(), vec![route(*number)]));
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
            for (name, values) in model.iter_mut() {
                if name == "Route" {
                    values.retain(|value| keep(value));
                }
            }
            model.retain(|(_, values)| !values.is_empty());
        }
        Edit::PushFrontRecordRoute(number) => {
            headers.push_front(&RecordRoute(typed_route(*number).0));
            push_front(model, "Record-Route", route(*number));
        }
        Edit::SetMaxForwards(number) => {
            headers.set(&MaxForwards(*number));
            let value = vec![number.to_string()];
            match position(model, "Max-Forwards") {
                Some(at) => model[at].1 = value,
                None => model.push(("Max-Forwards".into(), value)),
            }
        }
        Edit::RemoveExtension => {
            let before = model.len();
            model.retain(|(name, _)| name != "X-Own");
            assert_eq!(headers.remove("x-own"), before - model.len());
        }
        Edit::PushExtension(number) => {
            headers.push_raw("X-Own", number.to_string().as_bytes());
            model.push(("X-Own".into(), vec![number.to_string()]));
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
    ]
}

/// A line as it may come in: values of one header, on one line or folded.
fn line() -> impl Strategy<Value = (String, Vec<String>)> {
    let routes = proptest::collection::vec((0..9_u8).prop_map(route), 1..4);
    prop_oneof![
        proptest::collection::vec((0..9_u8).prop_map(|number| via(number).to_string()), 1..4)
            .prop_map(|values| ("Via".to_string(), values)),
        (routes, any::<bool>())
            .prop_map(|(values, record)| { (if record { "Record-Route" } else { "Route" }.to_string(), values) }),
        any::<u8>().prop_map(|number| ("X-Own".to_string(), vec![number.to_string()])),
        Just(("Subject".to_string(), vec!["text".to_string()])),
    ]
}

fn lines_of(text: &[u8]) -> Model {
    let message = Message::parse(Bytes::copy_from_slice(text)).unwrap();
    let lines = message.headers().iter().map(|(name, value)| {
        let (name, value) = (std::str::from_utf8(name).unwrap(), std::str::from_utf8(value).unwrap());
        (name.to_string(), value.split(',').map(|value| value.trim().to_string()).collect())
    });
    lines.collect()
}

proptest! {
    #[test]
    fn edits_do_to_a_message_what_they_do_to_a_list(
        lines in proptest::collection::vec((line(), any::<bool>()), 0..60),
        edits in proptest::collection::vec(edit(), 1..12),
    ) {
        let mut text = START.to_string();
        for ((name, values), fold) in &lines {
            text.extend([name, ": ", &values.join(if *fold { ",\r\n " } else { ", " }), "\r\n"]);
        }
        text.push_str("\r\nbody");
        let mut model: Model = lines.into_iter().map(|(line, _)| line).collect();
        let Message::Request(mut request) = Message::parse(text.into()).unwrap() else { unreachable!() };
        for edit in &edits {
            apply(edit, &mut request.headers, &mut model);
            let written = request.to_bytes();
            prop_assert_eq!(lines_of(&written), model.clone(), "{:?}", edit);
            prop_assert!(written.starts_with(START.as_bytes()) && written.ends_with(b"\r\n\r\nbody"));
        }
        prop_assert_eq!(request.headers.contains(Name::ROUTE), model.iter().any(|(name, _)| name == "Route"));
    }
}
