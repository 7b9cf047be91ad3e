//! The elements of IMSSubscription, each a function. `None` is an element that means nothing to us: the one around it
//! decides whether it can be without.

use super::elements::Elements;
use super::{ReadProfile, UserDataError};
use crate::subscription::{
    ApplicationServer, Condition, DefaultHandling, ExtendedPriority, IdentityExtension, IdentityKind,
    InitialFilterCriteria, NormalForm, ProfileIdentity, ProfilePart, RegistrationType, ServicePointTrigger,
    ServiceProfile, SessionCase, TriggerPoint, UserProfile, WildcardedIdentity,
};

type Read<T> = Result<T, UserDataError>;

pub(super) fn subscription(xml: &[u8]) -> Read<ReadProfile> {
    let mut elements = Elements::new(xml)?;
    let (mut private_identity, mut service_profiles) = (None, Vec::new());
    elements.root(|elements, name| match name {
        "IMSSubscription" => elements.children(|elements, name| {
            match name {
                "PrivateID" => private_identity = elements.text()?.parse().ok(),
                "ServiceProfile" => service_profiles.push(service_profile(elements)?),
                _ => elements.ignore(),
            }
            Ok(())
        }),
        _ => Err(elements.malformed()),
    })?;
    let profile = UserProfile::new(private_identity.ok_or(UserDataError::NoPrivateIdentity)?, service_profiles);
    let somebody = |profile: &ServiceProfile| !profile.identities.is_empty() || !profile.wildcards.is_empty();
    if !profile.service_profiles.iter().any(somebody) {
        return Err(UserDataError::NoPublicIdentity);
    }
    Ok(ReadProfile { profile, ignored: elements.ignored() })
}

fn service_profile(elements: &mut Elements<'_>) -> Read<ServiceProfile> {
    let mut profile = ServiceProfile::default();
    elements.children(|elements, name| {
        match name {
            "PublicIdentity" => match public_identity(elements)? {
                Some(Entry::Identity(identity)) => profile.identities.push(identity),
                Some(Entry::Wildcard(wildcard)) => profile.wildcards.push(wildcard),
                None => elements.ignore(),
            },
            "CoreNetworkServicesAuthorization" => core_network_services(elements, &mut profile)?,
            "InitialFilterCriteria" => match filter_criteria(elements)? {
                Some(criteria) => profile.filter_criteria.push(criteria),
                None => elements.ignore(),
            },
            "Extension" => extension(elements, |elements, name| {
                match name {
                    "SharedIFCSetID" => match number(elements)? {
                        Some(set) => profile.shared_filter_criteria.push(set),
                        None => elements.ignore(),
                    },
                    _ => elements.ignore(),
                }
                Ok(())
            })?,
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    Ok(profile)
}

fn core_network_services(elements: &mut Elements<'_>, profile: &mut ServiceProfile) -> Read<()> {
    elements.children(|elements, name| {
        match name {
            "SubscribedMediaProfileId" => profile.media_profile = number(elements)?,
            "Extension" => extension(elements, |elements, name| match name {
                "ListOfServiceIds" => elements.children(|elements, name| {
                    match name {
                        "ServiceId" => profile.service_ids.push(elements.text()?),
                        _ => elements.ignore(),
                    }
                    Ok(())
                }),
                _ => {
                    elements.ignore();
                    Ok(())
                }
            })?,
            _ => elements.ignore(),
        }
        Ok(())
    })
}

/// Extensions within extensions are one list of elements: each release has put its own a step deeper.
fn extension(elements: &mut Elements<'_>, mut child: impl FnMut(&mut Elements<'_>, &str) -> Read<()>) -> Read<()> {
    fn descend(elements: &mut Elements<'_>, child: &mut dyn FnMut(&mut Elements<'_>, &str) -> Read<()>) -> Read<()> {
        elements.children(|elements, name| match name {
            "Extension" => descend(elements, child),
            _ => child(elements, name),
        })
    }
    descend(elements, &mut child)
}

enum Entry {
    Identity(ProfileIdentity),
    Wildcard(WildcardedIdentity),
}

fn public_identity(elements: &mut Elements<'_>) -> Read<Option<Entry>> {
    let (mut identity, mut barred, mut kind, mut more) =
        (String::new(), Some(false), Some(0), IdentityExtension::default());
    elements.children(|elements, name| {
        match name {
            "Identity" => identity = elements.text()?,
            "BarringIndication" => barred = boolean(elements)?,
            "Extension" => extension(elements, |elements, name| {
                match name {
                    "IdentityType" => kind = number(elements)?,
                    "WildcardedPSI" | "WildcardedIMPU" => more.wildcard = Some(elements.text()?),
                    "DisplayName" => more.display_name = Some(elements.verbatim()?),
                    "AliasIdentityGroupID" => more.alias_group = Some(elements.text()?),
                    "ServiceLevelTraceInfo" => more.trace = Some(elements.verbatim()?),
                    "ServicePriorityLevel" => more.service_priority = number(elements)?,
                    "ExtendedPriority" => more.extended_priorities.push(extended_priority(elements)?),
                    "MaxNumOfAllowedSimultRegistrations" => more.max_registrations = number(elements)?,
                    _ => elements.ignore(),
                }
                Ok(())
            })?,
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    let (Some(barred), Some(kind)) = (barred, kind) else { return Ok(None) };
    Ok(entry(&identity, barred, kind, more))
}

/// IdentityType is a number of TS 29.228 annex E. A wildcarded PSI may come with the service that was asked for in
/// Identity, and then is that service; a wildcard has its regular expression between exclamation marks.
fn entry(identity: &str, barred: bool, kind: u32, mut more: IdentityExtension) -> Option<Entry> {
    let is_pattern = kind == 4 || kind == 2 && identity.contains('!');
    if is_pattern {
        let pattern = more.wildcard.unwrap_or_else(|| identity.to_owned());
        if !pattern.contains('!') {
            return None;
        }
        return Some(Entry::Wildcard(WildcardedIdentity { pattern, is_service: kind == 2, barred }));
    }
    if kind == 1 {
        more.wildcard = None;
    }
    more.kind = match kind {
        0 => IdentityKind::User,
        1 | 2 => IdentityKind::Service,
        3 => IdentityKind::NonDistinctUser,
        _ => return None,
    };
    let mut entry = ProfileIdentity::new(identity.parse().ok()?).with_extension(more);
    entry.barred = barred;
    Some(Entry::Identity(entry))
}

fn extended_priority(elements: &mut Elements<'_>) -> Read<ExtendedPriority> {
    let mut priority = ExtendedPriority::default();
    elements.children(|elements, name| {
        match name {
            "PriorityNamespace" => priority.namespace = elements.text()?,
            "PriorityLevel" => priority.level = elements.text()?,
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    Ok(priority)
}

fn filter_criteria(elements: &mut Elements<'_>) -> Read<Option<InitialFilterCriteria>> {
    let (mut priority, mut trigger, mut server, mut part) =
        (Some(InitialFilterCriteria::LOWEST_PRIORITY), Some(None), None, Some(None));
    elements.children(|elements, name| {
        match name {
            "Priority" => priority = number(elements)?,
            "TriggerPoint" => trigger = trigger_point(elements)?.map(Some),
            "ApplicationServer" => server = application_server(elements)?,
            "ProfilePartIndicator" => {
                part = number(elements)?.and_then(|part| match part {
                    0 => Some(Some(ProfilePart::Registered)),
                    1 => Some(Some(ProfilePart::Unregistered)),
                    _ => None::<Option<ProfilePart>>,
                });
            }
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    let whole = || {
        let mut criteria = InitialFilterCriteria::new(priority?, server?);
        (criteria.trigger_point, criteria.profile_part) = (trigger?, part?);
        Some(criteria)
    };
    Ok(whole())
}

/// A condition that is not understood in all its terms is not understood.
fn trigger_point(elements: &mut Elements<'_>) -> Read<Option<TriggerPoint>> {
    let (mut form, mut triggers) = (None, Some(Vec::new()));
    elements.children(|elements, name| {
        match name {
            "ConditionTypeCNF" => {
                form =
                    boolean(elements)?.map(|cnf| if cnf { NormalForm::Conjunctive } else { NormalForm::Disjunctive });
            }
            "SPT" => match (service_point_trigger(elements)?, &mut triggers) {
                (Some(trigger), Some(triggers)) => triggers.push(trigger),
                (_, triggers) => *triggers = None,
            },
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    let triggers = triggers.filter(|triggers| !triggers.is_empty());
    Ok(form.zip(triggers).map(|(form, triggers)| TriggerPoint { form, triggers }))
}

fn service_point_trigger(elements: &mut Elements<'_>) -> Read<Option<ServicePointTrigger>> {
    let (mut negated, mut groups, mut condition, mut types) = (Some(false), Some(Vec::new()), None, Some(Vec::new()));
    elements.children(|elements, name| {
        match name {
            "ConditionNegated" => negated = boolean(elements)?,
            "Group" => push(&mut groups, number(elements)?),
            "RequestURI" => condition = Some(Condition::RequestUri(elements.text()?)),
            "Method" => condition = Some(Condition::Method(elements.text()?)),
            "SIPHeader" => {
                let (header, content) = named(elements, "Header")?;
                condition = header.map(|header| Condition::SipHeader { header, content });
            }
            "SessionCase" => condition = session_case(number(elements)?).map(Condition::SessionCase),
            "SessionDescription" => {
                let (line, content) = named(elements, "Line")?;
                condition = line.map(|line| Condition::SessionDescription { line, content });
            }
            "Extension" => extension(elements, |elements, name| {
                match name {
                    "RegistrationType" => push(&mut types, registration_type(number(elements)?)),
                    _ => elements.ignore(),
                }
                Ok(())
            })?,
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    let groups = groups.filter(|groups| !groups.is_empty());
    let whole = || {
        let (negated, groups, condition, registration_types) = (negated?, groups?, condition?, types?);
        Some(ServicePointTrigger { negated, groups, condition, registration_types })
    };
    Ok(whole())
}

/// One that cannot be makes the whole list so.
fn push<T>(list: &mut Option<Vec<T>>, item: Option<T>) {
    match (item, &mut *list) {
        (Some(item), Some(list)) => list.push(item),
        (_, list) => *list = None,
    }
}

fn session_case(number: Option<u32>) -> Option<SessionCase> {
    Some(match number? {
        0 => SessionCase::OriginatingRegistered,
        1 => SessionCase::TerminatingRegistered,
        2 => SessionCase::TerminatingUnregistered,
        3 => SessionCase::OriginatingUnregistered,
        4 => SessionCase::OriginatingCdiv,
        _ => return None,
    })
}

fn registration_type(number: Option<u32>) -> Option<RegistrationType> {
    Some(match number? {
        0 => RegistrationType::Initial,
        1 => RegistrationType::ReRegistration,
        2 => RegistrationType::DeRegistration,
        _ => return None,
    })
}

/// A name, and Content.
fn named(elements: &mut Elements<'_>, what: &str) -> Read<(Option<String>, Option<String>)> {
    let (mut found, mut content) = (None, None);
    elements.children(|elements, name| {
        match name {
            "Content" => content = Some(elements.text()?),
            name if name == what => found = Some(elements.text()?),
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    Ok((found, content))
}

fn application_server(elements: &mut Elements<'_>) -> Read<Option<ApplicationServer>> {
    let mut server = ApplicationServer::new("");
    let mut handling = Some(DefaultHandling::default());
    elements.children(|elements, name| {
        match name {
            "ServerName" => server.server_name = elements.text()?,
            "DefaultHandling" => {
                handling = number(elements)?.and_then(|handling| match handling {
                    0 => Some(DefaultHandling::SessionContinued),
                    1 => Some(DefaultHandling::SessionTerminated),
                    _ => None::<DefaultHandling>,
                });
            }
            "ServiceInfo" => server.service_info = Some(elements.verbatim()?),
            "Extension" => extension(elements, |elements, name| {
                match name {
                    "IncludeRegisterRequest" => server.include_register_request = true,
                    "IncludeRegisterResponse" => server.include_register_response = true,
                    _ => elements.ignore(),
                }
                Ok(())
            })?,
            _ => elements.ignore(),
        }
        Ok(())
    })?;
    let Some(handling) = handling.filter(|_| !server.server_name.is_empty()) else { return Ok(None) };
    server.default_handling = handling;
    Ok(Some(server))
}

fn number<T: std::str::FromStr>(elements: &mut Elements<'_>) -> Read<Option<T>> {
    Ok(elements.text()?.parse().ok())
}

/// xs:boolean.
fn boolean(elements: &mut Elements<'_>) -> Read<Option<bool>> {
    Ok(match elements.text()?.as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    })
}
