//! sipp as a phone: scenarios of our own, assembled from the fragments in `sipp/`.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::{Outcome, process::Process};

/// A scenario's name and text.
#[derive(Clone, Copy)]
pub(crate) struct Scenario(&'static str, &'static str);

pub(crate) const CALLER: Scenario = Scenario("caller", include_str!("sipp/caller.xml"));
pub(crate) const PHONE: Scenario = Scenario("phone", include_str!("sipp/phone.xml"));
pub(crate) const ANSWER: Scenario = Scenario("answer", include_str!("sipp/answer.xml"));
pub(crate) const REGISTERED: Scenario = Scenario("registered", include_str!("sipp/registered.xml"));
pub(crate) const REFUSED: Scenario = Scenario("refused", include_str!("sipp/refused.xml"));
pub(crate) const MESSAGE: Scenario = Scenario("message", include_str!("sipp/message.xml"));
pub(crate) const STRANGER: Scenario = Scenario("stranger", include_str!("sipp/stranger.xml"));
pub(crate) const NOBODY_HOME: Scenario = Scenario("nobody_home", include_str!("sipp/nobody_home.xml"));

/// What scenarios share; `{{name}}` stands for one.
const FRAGMENTS: &[(&str, &str)] = &[
    ("{{register}}", include_str!("sipp/register.xml")),
    ("{{invite}}", include_str!("sipp/invite.xml")),
    ("{{established}}", include_str!("sipp/established.xml")),
    ("{{message_request}}", include_str!("sipp/message_request.xml")),
];

/// `-t` of sipp.
#[derive(Clone, Copy)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// A user with a socket of its own.
#[derive(Clone, Copy)]
pub(crate) struct Phone<'a> {
    pub(crate) user: &'a str,
    /// What stands behind `password=` in sipp's `[authentication]`.
    pub(crate) password: &'a str,
    pub(crate) transport: Transport,
    /// Where it sends everything: address and port.
    pub(crate) server: &'a str,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    pub(crate) folder: &'a Path,
}

impl Phone<'_> {
    /// Registers, stays, and answers each call after it has rung for `ring`. Returns once it
    /// is registered.
    pub(crate) fn answers(&self, ring: Duration) -> Outcome<Process> {
        let ring = ring.as_millis().to_string();
        let answer = self.write(ANSWER)?;
        let mut sipp = self.command(PHONE, "")?;
        sipp.args(["-oocsf", &answer, "-m", "1", "-d", &ring]);
        let mut phone = Process::start(&format!("sipp-{}", self.user), &mut sipp, self.folder)?;
        phone.wait_for("phone is registered", Duration::from_secs(20))?;
        Ok(phone)
    }

    /// Starts `count` runs of a scenario towards `called`, at most 20 a second.
    pub(crate) fn begin(&self, scenario: Scenario, called: &str, count: usize) -> Outcome<Process> {
        let mut sipp = self.command(scenario, called)?;
        sipp.args(["-m", &count.to_string(), "-r", "20"]);
        Process::start(&format!("sipp-{}-{}", self.user, scenario.0), &mut sipp, self.folder)
    }

    /// Runs a scenario to its end; the error has what sipp counted.
    pub(crate) fn run(&self, scenario: Scenario, called: &str, count: usize) -> Outcome {
        let mut sipp = self.begin(scenario, called, count)?;
        ended_well(&mut sipp, count, Duration::from_secs(60))
    }

    fn command(&self, scenario: Scenario, called: &str) -> Outcome<Command> {
        let Phone { user, password, .. } = self;
        // sipp replaces [authentication] where it stands whole in a field, and not one in it.
        let fields = format!("fields-{user}-{}.csv", scenario.0);
        let challenge = format!("[authentication username={user}@ims.example password={password}]");
        fs::write(self.folder.join(&fields), format!("SEQUENTIAL\n{user};{challenge};{called}\n"))?;
        let transport = match self.transport {
            Transport::Udp => "u1",
            Transport::Tcp => "t1",
        };
        let errors = format!("sipp-{user}-{}-errors.log", scenario.0);
        let mut sipp = Command::new("sipp");
        sipp.arg(self.server)
            .args(["-nostdin", "-default_behaviors", "abortunexp", "-i", "127.0.0.1", "-t", transport])
            .args(["-p", &self.port.to_string(), "-sf", &self.write(scenario)?, "-inf", &fields])
            .args(["-recv_timeout", "20000", "-trace_err", "-error_file", &errors]);
        Ok(sipp)
    }

    fn write(&self, Scenario(name, text): Scenario) -> Outcome<String> {
        let file = format!("{name}.xml");
        let whole = FRAGMENTS.iter().fold(text.to_owned(), |text, (mark, fragment)| text.replace(mark, fragment));
        fs::write(self.folder.join(&file), whole)?;
        Ok(file)
    }
}

/// Every run of the scenario has ended as it says, by sipp's status and by its count.
pub(crate) fn ended_well(sipp: &mut Process, count: usize, within: Duration) -> Outcome {
    let status = sipp.exit_within(within)?;
    let counted = |what: &str| {
        let line = sipp.printed().iter().rev().find(|line| line.trim_start().starts_with(what))?;
        line.rsplit('|').next()?.trim().parse::<usize>().ok()
    };
    let (succeeded, failed) = (counted("Successful call"), counted("Failed call"));
    if status.success() && succeeded == Some(count) && failed == Some(0) {
        Ok(())
    } else {
        Err(format!("sipp: {status}, {succeeded:?} succeeded, {failed:?} failed, {count} wanted").into())
    }
}
