//! Leaving requests out when a host or a realm asks for it: RFC 7683, the loss algorithm (§6).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diameter::base::{OcOlr, ReportType};
use crate::diameter::dictionary::{OC_OLR, OC_SUPPORTED_FEATURES, ORIGIN_HOST, ORIGIN_REALM};
use crate::diameter::{ApplicationId, Message};

/// Validity of a report that says none (RFC 7683 §7.5), and the longest that is believed.
const VALIDITY: u32 = 30;
const MAX_VALIDITY: u32 = 86_400;
/// When a report ends, traffic comes back over this long, not at once (RFC 7683 §5.2.2).
const RAMP: Duration = Duration::from_secs(10);
/// Most reports that are kept.
const MAX_REPORTS: usize = 1024;

/// What is asked for, by whom.
#[derive(Debug, Default)]
pub(super) struct Reports {
    active: BTreeMap<(ApplicationId, ReportType, String), Report>,
}

#[derive(Debug)]
struct Report {
    sequence: u64,
    reduction: u32,
    ends: Duration,
}

impl Reports {
    /// Takes note of the reports in an answer.
    pub(super) fn note(&mut self, answer: &Message, now: Duration) {
        let application = answer.header().application;
        for avp in answer.avps().map_while(Result::ok).filter(|avp| avp.is(&OC_OLR)) {
            let Ok(report) = avp.read::<OcOlr>(&OC_OLR) else { continue };
            let whose = match report.report {
                ReportType::Host => answer.text(&ORIGIN_HOST),
                ReportType::Realm => answer.text(&ORIGIN_REALM),
            };
            let Some(whose) = whose else { continue };
            self.update((application, report.report, whose.to_ascii_lowercase()), &report, now);
        }
    }

    fn update(&mut self, key: (ApplicationId, ReportType, String), report: &OcOlr, now: Duration) {
        // A percentage over a hundred is to be ignored (RFC 7683 §7.7), and so is a number that is not newer (§5.2.1.3).
        let reduction = report.reduction.unwrap_or(0);
        let known = self.active.get(&key);
        let newer = known.is_none_or(|known| report.sequence > known.sequence || rolled_over(known, report));
        if reduction > 100 || !newer || known.is_none() && self.active.len() >= MAX_REPORTS {
            return;
        }
        let validity = report.validity.unwrap_or(VALIDITY).min(MAX_VALIDITY);
        let ends = now + Duration::from_secs(validity.into());
        // One that is ended keeps what it asked for, to come down from it.
        let reduction = match (validity, known) {
            (0, Some(known)) => known.at(now),
            (0, None) => 0,
            _ => reduction,
        };
        self.active.insert(key, Report { sequence: report.sequence, reduction, ends });
    }

    /// How many of a hundred requests to leave out.
    pub(super) fn reduction(&self, application: ApplicationId, kind: ReportType, whose: &str, now: Duration) -> u32 {
        if self.active.is_empty() {
            return 0;
        }
        self.active.get(&(application, kind, whose.to_ascii_lowercase())).map_or(0, |report| report.at(now))
    }

    /// Forgets what has ended.
    pub(super) fn expire(&mut self, now: Duration) {
        self.active.retain(|_, report| now < report.ends + RAMP);
    }
}

impl Report {
    fn at(&self, now: Duration) -> u32 {
        match now.checked_sub(self.ends) {
            None => self.reduction,
            Some(since) => {
                let left = RAMP.saturating_sub(since).as_millis() as u32;
                self.reduction * left / RAMP.as_millis() as u32
            }
        }
    }
}

/// From the last hundredth of all numbers into the first.
fn rolled_over(known: &Report, report: &OcOlr) -> bool {
    known.sequence > u64::MAX / 100 * 99 && report.sequence < u64::MAX / 100
}

/// True where the sender of a request heeds reports, so that an answer may carry them.
pub(super) fn is_announced(request: &Message) -> bool {
    request.find(&OC_SUPPORTED_FEATURES).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ReportType = ReportType::Host;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn update(reports: &mut Reports, sequence: u64, reduction: u32, validity: Option<u32>, now: u64) {
        let mut report = OcOlr::new(sequence, KEY);
        (report.reduction, report.validity) = (Some(reduction), validity);
        reports.update((ApplicationId::CX, KEY, "hss".into()), &report, at(now));
    }

    fn reduction(reports: &Reports, now: u64) -> u32 {
        reports.reduction(ApplicationId::CX, KEY, "HSS", at(now))
    }

    /// RFC 7683 §5.2.1.3, §7.5, §7.7.
    #[test]
    fn newer_reports_count() {
        let mut reports = Reports::default();
        update(&mut reports, 5, 40, None, 0);
        assert_eq!((reduction(&reports, 0), reduction(&reports, 29)), (40, 40));
        update(&mut reports, 5, 60, None, 1);
        update(&mut reports, 4, 60, None, 1);
        update(&mut reports, 6, 101, None, 1);
        assert_eq!(reduction(&reports, 1), 40);
        update(&mut reports, 7, 100, Some(u32::MAX), 2);
        assert_eq!((reduction(&reports, 86_401), reduction(&reports, 86_412)), (100, 0));
        update(&mut reports, u64::MAX, 10, None, 3);
        update(&mut reports, 0, 20, None, 3);
        assert_eq!(reduction(&reports, 3), 20, "the number rolled over");
        assert_eq!(reports.reduction(ApplicationId::SH, KEY, "hss", at(3)), 0);
        assert_eq!(reports.reduction(ApplicationId::CX, ReportType::Realm, "hss", at(3)), 0);
    }

    /// Threat X12: what was left out does not come back at once.
    #[test]
    fn x12_traffic_comes_back_slowly() {
        let mut reports = Reports::default();
        update(&mut reports, 1, 100, Some(30), 0);
        assert_eq!([29, 30, 35, 39, 40].map(|now| reduction(&reports, now)), [100, 100, 50, 10, 0]);
        update(&mut reports, 2, 0, Some(0), 35);
        assert_eq!([35, 40, 45].map(|now| reduction(&reports, now)), [50, 25, 0]);
        reports.expire(at(44));
        assert_eq!(reports.active.len(), 1);
        reports.expire(at(45));
        assert_eq!(reports.active.len(), 0);
    }
}
