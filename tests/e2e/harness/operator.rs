//! The operator as a process with the token of its service account.
//!
//! Asserts nothing. `Scene` starts it. If a test fails, the end of its log is printed. E2E_LOG=debug sets the log
//! level.

use std::path::Path;
use std::process::{Command, ExitStatus};

use super::process::Process;
use super::{PATIENCE, until};

/// Options of an operator. The defaults suit most tests: the scene's namespace, loopback allowed, no leader election.
#[derive(Clone, Default)]
pub struct Flags {
    /// Namespace of its account and its Lease; default: the scene's.
    pub home: Option<String>,
    /// `--namespace`; default: the scene's.
    pub namespaces: Option<Vec<String>>,
    /// Does not allow the simulator's host.
    pub no_loopback: bool,
    /// Enables leader election.
    pub leader_elect: bool,
    /// RUST_LOG; otherwise the default of the harness.
    pub log: Option<&'static str>,
    /// `--log-format json`.
    pub json: bool,
    /// Address of the API server; otherwise the real one.
    pub server: Option<String>,
}

/// An operator process.
pub struct Operator {
    process: Process,
    http: reqwest::Client,
    admin: String,
}

impl Operator {
    /// Starts it, and waits until its admin endpoints answer.
    pub async fn start(namespaces: &[String], kubeconfig: &Path, log: &Path, flags: &Flags) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_applink-operator"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("APPLINK_")) {
            command.env_remove(name);
        }
        command.env("KUBECONFIG", kubeconfig).env_remove("RUST_LOG");
        command.args(["run", "--admin-addr", "127.0.0.1:0"]);
        command.args(namespaces.iter().flat_map(|namespace| ["--namespace", namespace]));
        command.arg(format!("--leader-elect={}", flags.leader_elect));
        if !flags.no_loopback {
            command.args(["--allowed-host", "127.0.0.1"]);
        }
        if flags.json {
            command.args(["--log-format", "json"]);
        }
        if let Some(log) = flags.log.map(str::to_owned).or(std::env::var("E2E_LOG").ok()) {
            command.env("RUST_LOG", log);
        }
        let process = Process::guarded(&mut command, log);
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let mut operator = Self { process, http, admin: String::new() };
        operator.get_address().await;
        operator
    }

    async fn get_address(&mut self) {
        let address = async || {
            let said = self.process.said();
            let rest = said.split_once("admin endpoints on http://")?.1;
            rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())
                .map(|end| format!("http://{}", &rest[..end]))
        };
        let admin =
            until("the operator opens its admin endpoints", PATIENCE, address, async || self.process.tail()).await;
        self.admin = admin;
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        let ready = async || self.ask("/readyz").await.filter(|(ok, _)| *ok).map(drop);
        until("the operator is ready", PATIENCE, ready, async || self.process.tail()).await;
    }

    async fn ask(&self, path: &str) -> Option<(bool, String)> {
        let answer = self.http.get(format!("{}{path}", self.admin)).send().await.ok()?;
        Some((answer.status().is_success(), answer.text().await.ok()?))
    }

    /// The answer of `/readyz`: whether it is ready, and the text.
    pub async fn readiness(&self) -> (bool, String) {
        self.ask("/readyz").await.expect("an answer")
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> String {
        self.ask("/metrics").await.expect("an answer").1
    }

    /// Its log so far.
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// Resident memory, in KiB.
    pub fn resident(&self) -> i64 {
        self.process.resident()
    }

    /// Sends SIGKILL.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.process.signal("TERM");
    }

    /// Sends SIGSTOP.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Sends SIGCONT.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// Waits for its exit.
    pub async fn ended(&mut self) -> ExitStatus {
        let process = std::cell::RefCell::new(&mut self.process);
        let ended = async || process.borrow_mut().ended();
        until("the operator has exited", PATIENCE, ended, async || process.borrow().tail()).await
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of the operator's log\n{}\n---", self.process.tail());
        }
    }
}
