//! What the core counts, as text for Prometheus.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use imscore_hss::tokio::Status;

/// Where numbers come from. They are read when somebody asks, so counting costs nothing more.
#[derive(Default)]
pub struct Metrics {
    sources: Vec<Source>,
}

type Source = Box<dyn Fn(&mut Page) + Send + Sync>;

/// One scrape: samples by the name of their metric.
#[derive(Debug, Default)]
pub struct Page {
    families: BTreeMap<String, Family>,
}

#[derive(Debug)]
struct Family {
    kind: &'static str,
    help: &'static str,
    samples: String,
}

impl Metrics {
    /// Adds a source.
    #[must_use]
    pub fn with(mut self, source: impl Fn(&mut Page) + Send + Sync + 'static) -> Metrics {
        self.sources.push(Box::new(source));
        self
    }

    /// All numbers as they are now, those of a Diameter node among them, in the text format of version 0.0.4.
    pub fn render(&self, diameter: Option<&Status>) -> String {
        let mut page = Page::default();
        if let Some(status) = diameter {
            page.diameter(status);
        }
        for source in &self.sources {
            source(&mut page);
        }
        page.to_string()
    }
}

impl Page {
    /// A number that only grows. By custom its name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.sample("counter", name, help, labels, value);
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.sample("gauge", name, help, labels, value);
    }

    fn diameter(&mut self, status: &Status) {
        let counters = [
            ("malformed", "Connections closed because of what came over them.", status.malformed),
            ("refused", "Requests refused before anybody saw them.", status.counters.refused),
            ("unsolicited", "Answers that nobody waits for.", status.counters.unsolicited),
            ("duplicates", "Requests that came before.", status.counters.duplicates),
            ("retransmitted", "Requests of ours that were sent again.", status.counters.retransmitted),
            ("shed", "Requests of ours that were not sent because a peer asked for less.", status.counters.shed),
        ];
        for (name, help, value) in counters {
            self.counter(&format!("imscore_diameter_{name}_total"), help, &[], value);
        }
        self.gauge("imscore_diameter_connections", "Open connections.", &[], status.connections as u64);
        for peer in &status.peers {
            let labels = [("peer", peer.host.as_str())];
            let up = u64::from(peer.obstacle.is_none());
            self.gauge("imscore_diameter_peer_up", "1 while the peer can be used.", &labels, up);
            self.gauge(
                "imscore_diameter_pending",
                "Requests that the peer owes an answer.",
                &labels,
                peer.pending as u64,
            );
        }
    }

    fn sample(&mut self, kind: &'static str, name: &str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        let family =
            self.families.entry(name.to_owned()).or_insert_with(|| Family { kind, help, samples: String::new() });
        let samples = &mut family.samples;
        samples.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let begin = if at == 0 { '{' } else { ',' };
            // Writing to a String cannot fail.
            let _ = write!(samples, "{begin}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(samples, "{end} {value}");
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, Family { kind, help, samples }) in &self.families {
            write!(f, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("sources", &self.sources.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_metric_stand_together() {
        let metrics = Metrics::default()
            .with(|page| page.counter("b_total", "Of b.", &[("worker", "0")], 1))
            .with(|page| page.gauge("a", "Of a.", &[], 7))
            .with(|page| page.counter("b_total", "Of b.", &[("worker", "1"), ("say", "\"\\\n")], 2));
        assert_eq!(
            metrics.render(None),
            "# HELP a Of a.\n# TYPE a gauge\na 7\n\
             # HELP b_total Of b.\n# TYPE b_total counter\n\
             b_total{worker=\"0\"} 1\nb_total{worker=\"1\",say=\"\\\"\\\\\\n\"} 2\n"
        );
    }
}
