//! A profile as XML, elements in the order of the schema.

use std::fmt::Display;

use super::elements::{is_space, is_xml};
use crate::subscription::{
    ApplicationServer, Condition, DefaultHandling, IdentityExtension, IdentityKind, InitialFilterCriteria, NormalForm,
    ProfileIdentity, ProfilePart, RegistrationType, ServicePointTrigger, ServiceProfile, SessionCase, TriggerPoint,
    UserProfile, WildcardedIdentity,
};

pub(super) fn subscription(profile: &UserProfile) -> String {
    let mut out = Writer(String::from(r#"<?xml version="1.0" encoding="UTF-8"?>"#));
    out.group("IMSSubscription", |out| {
        out.text("PrivateID", profile.private_identity.as_str());
        profile.service_profiles.iter().for_each(|profile| service_profile(out, profile));
    });
    out.0
}

fn service_profile(out: &mut Writer, profile: &ServiceProfile) {
    out.group("ServiceProfile", |out| {
        profile.identities.iter().for_each(|entry| identity(out, entry));
        profile.wildcards.iter().for_each(|entry| wildcard(out, entry));
        profile.filter_criteria.iter().for_each(|criteria| filter_criteria(out, criteria));
        if profile.media_profile.is_some() || !profile.service_ids.is_empty() {
            out.group("CoreNetworkServicesAuthorization", |out| core_network_services(out, profile));
        }
        if !profile.shared_filter_criteria.is_empty() {
            out.group("Extension", |out| {
                profile.shared_filter_criteria.iter().for_each(|set| out.value("SharedIFCSetID", set));
            });
        }
    });
}

fn core_network_services(out: &mut Writer, profile: &ServiceProfile) {
    if let Some(media_profile) = profile.media_profile {
        out.value("SubscribedMediaProfileId", media_profile);
    }
    if !profile.service_ids.is_empty() {
        out.group("Extension", |out| {
            out.group("ListOfServiceIds", |out| profile.service_ids.iter().for_each(|id| out.text("ServiceId", id)));
        });
    }
}

fn identity(out: &mut Writer, entry: &ProfileIdentity) {
    out.group("PublicIdentity", |out| {
        barring(out, entry.barred);
        out.text("Identity", entry.identity.as_str());
        if let Some(more) = &entry.extension {
            out.group("Extension", |out| extension(out, more));
        }
    });
}

fn barring(out: &mut Writer, barred: bool) {
    if barred {
        out.value("BarringIndication", 1);
    }
}

/// Each release has put its own into an Extension of the one before.
fn extension(out: &mut Writer, more: &IdentityExtension) {
    let is_service = more.kind == IdentityKind::Service;
    let kind = match (more.kind, &more.wildcard) {
        (IdentityKind::User, _) => 0,
        (IdentityKind::Service, None) => 1,
        (IdentityKind::Service, Some(_)) => 2,
        (IdentityKind::NonDistinctUser, _) => 3,
    };
    out.value("IdentityType", kind);
    if is_service {
        out.optional("WildcardedPSI", more.wildcard.as_deref());
    }
    let fifth = |out: &mut Writer| {
        if let Some(most) = more.max_registrations {
            out.value("MaxNumOfAllowedSimultRegistrations", most);
        }
    };
    let fourth = |out: &mut Writer| {
        for priority in &more.extended_priorities {
            out.group("ExtendedPriority", |out| {
                out.text("PriorityNamespace", &priority.namespace);
                out.text("PriorityLevel", &priority.level);
            });
        }
        out.further(fifth);
    };
    let third = |out: &mut Writer| {
        if !is_service {
            out.optional("WildcardedIMPU", more.wildcard.as_deref());
        }
        out.optional("ServiceLevelTraceInfo", more.trace.as_deref());
        if let Some(priority) = more.service_priority {
            out.value("ServicePriorityLevel", priority);
        }
        out.further(fourth);
    };
    out.further(|out| {
        out.optional("DisplayName", more.display_name.as_deref());
        out.optional("AliasIdentityGroupID", more.alias_group.as_deref());
        out.further(third);
    });
}

fn wildcard(out: &mut Writer, entry: &WildcardedIdentity) {
    out.group("PublicIdentity", |out| {
        barring(out, entry.barred);
        out.text("Identity", &entry.pattern);
        out.group("Extension", |out| {
            out.value("IdentityType", if entry.is_service { 2 } else { 4 });
            if entry.is_service {
                out.text("WildcardedPSI", &entry.pattern);
            }
        });
    });
}

fn filter_criteria(out: &mut Writer, criteria: &InitialFilterCriteria) {
    out.group("InitialFilterCriteria", |out| {
        out.value("Priority", criteria.priority);
        if let Some(trigger_point) = &criteria.trigger_point {
            condition(out, trigger_point);
        }
        application_server(out, &criteria.application_server);
        match criteria.profile_part {
            None => {}
            Some(ProfilePart::Registered) => out.value("ProfilePartIndicator", 0),
            Some(ProfilePart::Unregistered) => out.value("ProfilePartIndicator", 1),
        }
    });
}

fn condition(out: &mut Writer, trigger_point: &TriggerPoint) {
    out.group("TriggerPoint", |out| {
        match trigger_point.form {
            NormalForm::Conjunctive => out.value("ConditionTypeCNF", 1),
            NormalForm::Disjunctive => out.value("ConditionTypeCNF", 0),
        }
        trigger_point.triggers.iter().for_each(|trigger| term(out, trigger));
    });
}

fn term(out: &mut Writer, trigger: &ServicePointTrigger) {
    out.group("SPT", |out| {
        out.value("ConditionNegated", u8::from(trigger.negated));
        trigger.groups.iter().for_each(|group| out.value("Group", group));
        match &trigger.condition {
            Condition::RequestUri(pattern) => out.text("RequestURI", pattern),
            Condition::Method(method) => out.text("Method", method),
            Condition::SipHeader { header, content } => out.group("SIPHeader", |out| {
                out.text("Header", header);
                out.optional("Content", content.as_deref());
            }),
            Condition::SessionCase(case) => out.value("SessionCase", session_case(*case)),
            Condition::SessionDescription { line, content } => out.group("SessionDescription", |out| {
                out.text("Line", line);
                out.optional("Content", content.as_deref());
            }),
        }
        if !trigger.registration_types.is_empty() {
            out.group("Extension", |out| {
                let types = trigger.registration_types.iter();
                types.for_each(|kind| out.value("RegistrationType", registration_type(*kind)));
            });
        }
    });
}

fn session_case(case: SessionCase) -> u8 {
    match case {
        SessionCase::OriginatingRegistered => 0,
        SessionCase::TerminatingRegistered => 1,
        SessionCase::TerminatingUnregistered => 2,
        SessionCase::OriginatingUnregistered => 3,
        SessionCase::OriginatingCdiv => 4,
    }
}

fn registration_type(kind: RegistrationType) -> u8 {
    match kind {
        RegistrationType::Initial => 0,
        RegistrationType::ReRegistration => 1,
        RegistrationType::DeRegistration => 2,
    }
}

fn application_server(out: &mut Writer, server: &ApplicationServer) {
    out.group("ApplicationServer", |out| {
        out.text("ServerName", &server.server_name);
        match server.default_handling {
            DefaultHandling::SessionContinued => out.value("DefaultHandling", 0),
            DefaultHandling::SessionTerminated => out.value("DefaultHandling", 1),
        }
        out.optional("ServiceInfo", server.service_info.as_deref());
        out.further(|out| {
            if server.include_register_request {
                out.text("IncludeRegisterRequest", "");
            }
            if server.include_register_response {
                out.text("IncludeRegisterResponse", "");
            }
        });
    });
}

/// XML as it is written. Names of elements are ours.
struct Writer(String);

impl Writer {
    fn group(&mut self, name: &str, write: impl FnOnce(&mut Writer)) {
        self.0.extend(["<", name, ">"]);
        write(self);
        self.0.extend(["</", name, ">"]);
    }

    /// An Extension, unless nothing would be in it.
    fn further(&mut self, write: impl FnOnce(&mut Writer)) {
        let before = self.0.len();
        self.0.push_str("<Extension>");
        let empty = self.0.len();
        write(self);
        if self.0.len() == empty {
            self.0.truncate(before);
        } else {
            self.0.push_str("</Extension>");
        }
    }

    fn value(&mut self, name: &str, value: impl Display) {
        self.text(name, &value.to_string());
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        self.group(name, |out| out.escape(text));
    }

    /// White space at the ends, and line ends anywhere, would not be read as they are.
    fn escape(&mut self, text: &str) {
        let inner = text.trim_matches(is_space);
        let start = text.len() - text.trim_start_matches(is_space).len();
        for (at, character) in text.char_indices() {
            match character {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '\t' | '\r' | '\n' => self.reference(character),
                ' ' if !(start..start + inner.len()).contains(&at) => self.reference(character),
                _ if is_xml(character) => self.0.push(character),
                _ => {}
            }
        }
    }

    fn reference(&mut self, character: char) {
        self.0.push_str(&format!("&#{};", u32::from(character)));
    }
}
