//! The softphone and the back-to-back user agent against each other, over loopback.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A program, and what it says.
struct Program(#[expect(dead_code, reason = "ends with it")] Child, Lines<BufReader<ChildStdout>>);

impl Program {
    fn start(path: &str, flags: &[&str]) -> Program {
        let mut command = Command::new(path);
        let mut child = command.args(flags).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Program(child, lines)
    }

    /// What follows the first line that begins so.
    async fn says(&mut self, start: &str) -> String {
        let found = async {
            while let Some(line) = self.1.next_line().await.unwrap() {
                if let Some(rest) = line.strip_prefix(start) {
                    return rest.trim().to_owned();
                }
            }
            panic!("it ended without '{start}'");
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("in time")
    }
}

#[tokio::test]
async fn a_softphone_calls_another_through_the_b2bua() {
    let softphone = env!("CARGO_BIN_EXE_softphone");
    let mut bob = Program::start(softphone, &[]);
    let next = bob.says("listening on").await;
    let mut middle = Program::start(env!("CARGO_BIN_EXE_b2bua"), &["--listen", "udp:127.0.0.1:0", "--next", &next]);
    let here = middle.says("listening on").await;
    let mut alice = Program::start(softphone, &["--call", &format!("sip:bob@{here}")]);
    assert_eq!(alice.says("answered with").await, "200");
    middle.says("the caller hung up").await;
    bob.says("the call is over").await;
}
