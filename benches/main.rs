//! `make bench`: how far the operator is from the least that its work takes, on this machine.
//!
//! Starts real processes: etcd and kube-apiserver, the simulator of AppLink, and one side at a time, the operator, the
//! floor or the naive controller. Prints a table, and writes it to docs/benchmarks.md with `--write`.

mod applink;
mod audit;
mod bench;
mod floor;
mod objects;
mod process;
mod report;
mod scenario;
mod side;
mod simulator;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

use bench::Bench;
use scenario::NAMES;
use world::{Setup, repository};

/// Measures the operator.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs scenarios.
    Run(Box<Run>),
    /// The floor as a process: not for people.
    #[command(hide = true)]
    Floor { sample: PathBuf, platform: String, token: String, writers: usize },
}

#[derive(Parser)]
struct Run {
    /// Scenarios: apply, delete, at-rest, memory, cold-start, polls, pick-up, consent, kill. Default: all.
    scenarios: Vec<String>,
    /// Directory with controlplane and kubectl, as tests/controlplane/ensure.sh prints it.
    #[arg(long, env = "APPLINK_CONTROLPLANE")]
    controlplane: PathBuf,
    /// Objects that are applied or deleted at once.
    #[arg(long, default_value_t = 1000)]
    objects: usize,
    /// Objects that are applied with one writer.
    #[arg(long, default_value_t = 300)]
    serial: usize,
    /// Objects that stand where the size must not matter.
    #[arg(long, default_value_t = 5000)]
    standing: usize,
    /// Sizes for the calls of a pass.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,5000,10000")]
    sizes: Vec<usize>,
    /// Seconds at rest.
    #[arg(long, default_value_t = 600)]
    rest: u64,
    /// Objects whose pick-up is timed.
    #[arg(long, default_value_t = 200)]
    samples: usize,
    /// Pairs of runs; the ratio in the middle is reported.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Milliseconds that AppLink takes to answer.
    #[arg(long, default_value_t = 20)]
    latency: u64,
    /// Leaves out the naive controller.
    #[arg(long)]
    no_naive: bool,
    /// Writes the table to docs/benchmarks.md.
    #[arg(long)]
    write: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => measure(*run).await,
        Command::Floor { sample, platform, token, writers } => {
            floor::run(floor::Arguments { sample, platform, token, writers }).await
        }
    };
    // Without the backtrace that anyhow adds to its `Debug`.
    done.map_or_else(
        |error| {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

async fn measure(run: Run) -> Result<()> {
    let programs = std::env::current_exe()?.parent().context("a directory")?.to_owned();
    let dir = programs.join("bench").join(std::process::id().to_string());
    std::fs::create_dir_all(&dir)?;
    let latency = Duration::from_millis(run.latency);
    let setup = Setup { tools: run.controlplane.clone(), programs, dir: dir.clone(), latency, key: key()? };
    let bench = Bench {
        setup,
        objects: run.objects,
        serial: run.serial,
        standing: run.standing,
        sizes: run.sizes.clone(),
        rest: Duration::from_secs(run.rest),
        samples: run.samples,
        rounds: run.rounds.max(1),
        naive: !run.no_naive,
        sample: tokio::sync::OnceCell::new(),
    };
    let all = || NAMES.map(str::to_owned).to_vec();
    let scenarios = if run.scenarios.is_empty() { all() } else { run.scenarios.clone() };
    for name in &scenarios {
        ensure!(NAMES.contains(&name.as_str()), "there is no scenario {name}; there are {}", NAMES.join(", "));
    }
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    let before = load();
    for name in &scenarios {
        let began = Instant::now();
        eprintln!("bench: {name}");
        match scenario::run(name, &bench).await {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("bench: {name} failed: {error:#}");
                failed.push(name.clone());
            }
        }
        eprintln!("bench: {name} took {:.0} s", began.elapsed().as_secs_f64());
    }
    let about = about(&scenarios, &before);
    print!("{about}\n{}", report::table(&rows));
    if run.write {
        report::write(&repository().join("docs/benchmarks.md"), &about, &rows)?;
    }
    ensure!(failed.is_empty(), "failed: {}; logs are in {}", failed.join(", "), dir.display());
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// A private key, generated as the documentation does it.
fn key() -> Result<String> {
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let output = openssl.output().context("run openssl, which makes a key: install the package openssl")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}

/// The machine, its load and the command: without them the figures mean nothing.
fn about(scenarios: &[String], before: &str) -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let flags: Vec<_> = std::env::args().skip(2).filter(|flag| flag != "--write").collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" BENCH='{}'", flags.join(" ")) };
    format!(
        "- Command: `make bench{flags}`, at {}\n- Scenarios: {}\n- Machine: {cores} cores, {}, {} of memory, Linux {}\n\
         - Load (1, 5, 15 minutes): {before} before, {} after\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
        scenarios.join(", "),
        field(&cpu, "model name"),
        field(&memory, "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim(),
        load(),
    )
}
