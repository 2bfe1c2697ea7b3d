//! A process of the benchmark, and what the kernel says about it: CPU time, memory, descriptors.
//!
//! Knows nothing of what runs in it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a start or an orderly stop may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child process. Its standard error goes to `log`. Dropping it kills it.
pub struct Process {
    child: Child,
    log: PathBuf,
    stdin: Option<ChildStdin>,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory now, in KiB.
    pub resident: u64,
    /// Most resident memory since the start or the last [`Process::reset_peak`], in KiB.
    pub peak: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Process {
    /// Starts a command with a pipe as its standard input.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let program = command.get_program().to_owned();
        let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        let stdin = child.stdin.take();
        Ok(Self { child, log: log.to_owned(), stdin })
    }

    /// The first line of its standard output. The rest is thrown away.
    pub async fn first_line(&mut self) -> Result<String> {
        let stdout = self.child.stdout.take().context("its standard output was read before")?;
        let (give, get) = tokio::sync::oneshot::channel();
        // Reads on, so that the child can keep writing.
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let _ = lines.next().map(|line| give.send(line));
            lines.for_each(drop);
        });
        match tokio::time::timeout(PATIENCE, get).await {
            Ok(Ok(line)) => Ok(line),
            _ => bail!("no line on standard output; the end of its log:\n{}", self.tail()),
        }
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its standard input is closed")?;
        stdin.write_all(format!("{line}\n").as_bytes()).with_context(|| self.tail())
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        let text = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has used so far; an error if it has ended.
    pub fn usage(&self) -> Result<Usage> {
        let id = self.child.id();
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{id}/{file}")).with_context(|| format!("ended:\n{}", self.tail()))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        // The second field is the name, which may contain spaces.
        let fields: Vec<_> = stat.rsplit_once(')').context("/proc/pid/stat")?.1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let size = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{id}/fd"))?.count();
        // Linux counts in hundredths of a second for user space, whatever its own tick is.
        let cpu = Duration::from_millis(ticks * 10);
        Ok(Usage { cpu, resident: size("VmRSS:"), peak: size("VmHWM:"), descriptors })
    }

    /// Lets the peak of resident memory begin here.
    pub fn reset_peak(&self) -> Result<()> {
        let id = self.child.id();
        std::fs::write(format!("/proc/{id}/clear_refs"), "5").context("reset the peak of resident memory")
    }

    /// Sends SIGKILL, and waits.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop: by the end of its standard input, and by SIGTERM.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.stdin.take());
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                bail!("it does not stop:\n{}", self.tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
