//! Real phones against `all_in_one`, the binary that `cargo run` starts.
//!
//! Each test has a network namespace and a process namespace of its own, so ports never clash
//! and nothing survives the test. The outer process lists the tests and starts itself again
//! inside; there only the one test runs. Where a peer or namespaces are missing a test is
//! ignored with the name of what is missing; with `IMSCORE_REQUIRE_PEERS=1` it fails.

mod all_in_one;
mod baresip;
mod calls;
mod capture;
mod freediameter;
mod hss;
mod kamailio;
mod namespace;
mod operation;
mod process;
mod registration;
mod sipp;

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What a test ends with; an error says what was waited for, and for how long.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A test with real peers.
struct Test {
    name: &'static str,
    /// The programs that it starts beside the core, by the name of the executable.
    peers: &'static [&'static str],
    /// Gets a folder of its own.
    run: fn(&Path) -> Outcome,
}

const TESTS: &[Test] = &[
    Test { name: "sipp_calls_over_udp", peers: &["sipp"], run: calls::sipp_over_udp },
    Test { name: "sipp_calls_over_tcp", peers: &["sipp"], run: calls::sipp_over_tcp },
    Test { name: "baresip_hears_baresip", peers: &["baresip"], run: calls::baresip_hears_baresip },
    Test { name: "message_arrives", peers: &["sipp", "baresip"], run: calls::message_arrives },
    Test { name: "wrong_password_gets_403", peers: &["sipp", "baresip"], run: registration::wrong_password },
    Test { name: "kill_with_data_keeps_subscribers", peers: &["sipp"], run: registration::kill_with_data },
    Test { name: "kill_without_data_keeps_nothing", peers: &["sipp"], run: registration::kill_without_data },
    Test { name: "a_core_with_an_hss_elsewhere", peers: &["sipp"], run: hss::a_core_with_an_hss_elsewhere },
    Test {
        name: "cx_through_a_relay",
        peers: &["freeDiameterd", "openssl", "dumpcap", "tshark"],
        run: freediameter::cx_through_a_relay,
    },
    Test {
        name: "kamailio_registers_phones",
        peers: &["kamailio", "sipp", "dumpcap", "tshark"],
        run: hss::kamailio_registers_phones,
    },
    Test { name: "sigterm_drains", peers: &["sipp"], run: operation::sigterm_drains },
    Test { name: "taken_port_is_named", peers: &[], run: operation::taken_port },
    Test { name: "bad_settings_are_named", peers: &[], run: operation::bad_settings },
];

fn main() -> ExitCode {
    if let Some((name, folder)) = namespace::inside() {
        return run_inside(&name, &folder);
    }
    let required = env::var_os("IMSCORE_REQUIRE_PEERS").is_some_and(|value| value == "1");
    let trials =
        TESTS.iter().map(|test| Trial::ignorable_test(test.name, move || run_outside(test, required))).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The first of these that is not there as it is needed.
fn missing(peers: &[&'static str]) -> Option<&'static str> {
    let absent = peers.iter().copied().find(|peer| !on_path(peer));
    absent.or_else(|| peers.contains(&"kamailio").then(kamailio::missing)?)
}

fn run_outside(test: &Test, required: bool) -> Result<Completion, Failed> {
    let missing = namespace::missing().or_else(|| missing(test.peers));
    match missing {
        Some(what) if required => Err(format!("{what} is missing, and IMSCORE_REQUIRE_PEERS is set").into()),
        Some(what) => Ok(Completion::ignored_with(format!("{what} is missing"))),
        None => namespace::run(test.name).map(|()| Completion::Completed).map_err(Failed::from),
    }
}

fn run_inside(name: &str, folder: &Path) -> ExitCode {
    let Some(test) = TESTS.iter().find(|test| test.name == name) else {
        eprintln!("no test is called {name}");
        return ExitCode::FAILURE;
    };
    match (test.run)(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn on_path(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).map(|folder: PathBuf| folder.join(program)).any(|file| file.is_file())
}
