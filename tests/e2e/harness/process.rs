//! Child processes that never outlive the tests: they end when dropped, and when this process dies without dropping.
//!
//! Knows nothing of what runs in them. Control planes, simulators and operators are started with it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a graceful exit may take.
const GRACE: Duration = Duration::from_secs(5);

/// A child process. Its standard error goes to `log`.
pub struct Process {
    child: Child,
    log: PathBuf,
    /// Kept open while it should run, for a process that watches its standard input.
    stdin: Option<ChildStdin>,
    guard: Option<Guard>,
}

/// A shell that kills a process when this one is gone, for those that do not watch their standard input.
struct Guard {
    shell: Child,
    stdin: ChildStdin,
}

impl Process {
    /// Starts a command that stops when its standard input ends.
    pub fn stops_with_stdin(command: &mut Command, log: &Path) -> Self {
        let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()), log);
        let stdin = child.stdin.take();
        Self { child, log: log.to_owned(), stdin, guard: None }
    }

    /// Starts a command that does not.
    pub fn guarded(command: &mut Command, log: &Path) -> Self {
        let child = spawn(command.stdin(Stdio::null()).stdout(Stdio::null()), log);
        let guard = Guard::of(child.id());
        Self { child, log: log.to_owned(), stdin: None, guard: Some(guard) }
    }

    /// The first line of its standard output.
    pub fn first_line(&mut self, patience: Duration) -> String {
        let stdout = self.child.stdout.take().expect("its standard output");
        let (tx, rx) = mpsc::channel();
        // The reader continues, so that the child can keep writing.
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).for_each(|l| drop(tx.send(l))));
        rx.recv_timeout(patience).unwrap_or_else(|_| panic!("no line on standard output; its log:\n{}", self.tail()))
    }

    /// Its standard error so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last 40 lines of its standard error.
    pub fn tail(&self) -> String {
        let said = self.said();
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Resident memory, in KiB.
    pub fn resident(&self) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Sends a signal: `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").arg("-c").arg(kill).status().expect("sh");
        assert!(status.success(), "cannot send SIG{name}");
    }

    /// The exit status, if it has exited.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its exit status")
    }

    /// Sends SIGKILL and waits.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that watches its standard input may have children to stop.
        if self.stdin.take().is_some() {
            let deadline = Instant::now() + GRACE;
            while self.ended().is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.kill();
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
    }
}

impl Guard {
    fn of(pid: u32) -> Self {
        let script = format!("read -r word; [ \"$word\" = done ] || kill -KILL {pid}");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().expect("sh");
        let stdin = shell.stdin.take().expect("its standard input");
        Self { shell, stdin }
    }

    fn dismiss(mut self) {
        let _ = self.stdin.write_all(b"done\n");
        let _ = self.shell.wait();
    }
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let file = File::create(log).expect("a log file");
    // No traffic may go through a proxy.
    command.env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
    command.stderr(file).spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()))
}

/// Runs a command to its end. Returns whether it succeeded, and its output.
pub fn run(command: &mut Command, stdin: &str) -> (bool, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
    child.stdin.take().expect("its standard input").write_all(stdin.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("its end");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
