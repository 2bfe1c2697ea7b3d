//! applink-operator: reads its arguments and calls the library.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use applink_operator::budget::Limits;
use applink_operator::clock::Clock;
use applink_operator::control::run::{Dependencies, Options, run};
use applink_operator::control::scope;
use applink_operator::liveness::Liveness;
use applink_operator::metrics::Metrics;
use applink_operator::readiness::Readiness;
use applink_operator::telemetry::{self, LogFormat};
use applink_operator::transport::{self, AllowedHosts};
use applink_operator::{admin, crd, kubeconfig};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Where tokens may be sent unless the user says otherwise.
const ALLOWED_HOSTS: &str = "*.heroku.com";

/// Manages Heroku AppLink connections as Kubernetes resources.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator, with KUBECONFIG or in-cluster credentials.
    Run(RunArgs),
    /// Print the custom resource definitions as YAML.
    Crds,
}

#[derive(Args)]
struct RunArgs {
    /// Namespace to watch; repeat it for several. Default: all.
    #[arg(long = "namespace", env = "APPLINK_NAMESPACE", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// Host that tokens may be sent to, like api.example.com or *.example.com; repeat it for several. Loopback hosts count
    /// only where listed.
    #[arg(long = "allowed-host", env = "APPLINK_ALLOWED_HOST", value_delimiter = ',', default_value = ALLOWED_HOSTS)]
    allowed_hosts: Vec<String>,
    /// Address of /healthz, /readyz and /metrics; [::] stands for all addresses, of IPv4 too, and port 0 takes a free one
    /// and logs it.
    #[arg(long, env = "APPLINK_ADMIN_ADDR", default_value = admin::DEFAULT_ADDR)]
    admin_addr: SocketAddr,
    /// Writes to one add-on at a time.
    #[arg(long, env = "APPLINK_WRITE_CONCURRENCY", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    write_concurrency: u16,
    /// Reconciles at a time, over all kinds.
    #[arg(long, env = "APPLINK_RECONCILE_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    reconcile_concurrency: u16,
    /// Whether to write only while holding a Lease, so that several replicas can run.
    #[arg(long, env = "APPLINK_LEADER_ELECT", default_value_t = true, action = clap::ArgAction::Set)]
    leader_elect: bool,
    /// Namespace of that Lease. Default: the one the operator runs in.
    #[arg(long, env = "APPLINK_LEADER_ELECT_NAMESPACE")]
    leader_elect_namespace: Option<String>,
    /// Form of the log lines.
    #[arg(long, env = "APPLINK_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

/// A panic is a bug, and ends the process, on whichever thread it is: the release profile aborts by itself.
fn end_at_a_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(error) = kubeconfig::explain_panic() {
            eprintln!("applink-operator: no way to a cluster: {error}");
            std::process::exit(1);
        }
        report(panic);
        std::process::abort();
    }));
}

fn main() -> ExitCode {
    end_at_a_panic();
    let command = without_empty_variables(Cli::command(), |name| std::env::var_os(name));
    let cli = Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let result = match cli.command {
        Command::Run(args) => start(args),
        Command::Crds => crds(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("applink-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An environment variable that is empty counts as not set: templates leave it so for "the default".
fn without_empty_variables(command: clap::Command, value: impl Fn(&OsStr) -> Option<OsString> + Copy) -> clap::Command {
    let is_empty = |arg: &clap::Arg| {
        let value = arg.get_env().and_then(value);
        value.is_some_and(|value| value.to_string_lossy().trim().is_empty())
    };
    command.mut_subcommands(|command| {
        command.mut_args(|arg| if is_empty(&arg) { arg.env(clap::builder::Resettable::Reset) } else { arg })
    })
}

/// What the flags mean for the operator; a namespace for the Lease that is not named is this one.
fn options(args: &RunArgs, own_namespace: &str) -> anyhow::Result<Options> {
    let wrong = |flag: &str| format!("--{flag} or its environment variable");
    let namespaces = scope::namespaces(&args.namespaces).map_err(|text| anyhow!(text));
    let lease = args.leader_elect_namespace.iter().cloned().collect::<Vec<_>>();
    let lease = scope::namespaces(&lease).map_err(|text| anyhow!(text));
    let lease = lease.with_context(|| wrong("leader-elect-namespace"))?.pop();
    let mut hosts: Vec<_> = args.allowed_hosts.iter().map(|host| host.trim().to_owned()).collect();
    hosts.retain(|host| !host.is_empty());
    if hosts.is_empty() {
        hosts.push(ALLOWED_HOSTS.to_owned());
    }
    Ok(Options {
        namespaces: namespaces.with_context(|| wrong("namespace"))?,
        hosts: AllowedHosts::new(&hosts).map_err(|text| anyhow!(text))?,
        write_concurrency: args.write_concurrency.into(),
        reconcile_concurrency: args.reconcile_concurrency.into(),
        lease_namespace: args.leader_elect.then(|| lease.unwrap_or_else(|| own_namespace.to_owned())),
        limits: Limits::default(),
    })
}

fn start(args: RunArgs) -> anyhow::Result<()> {
    telemetry::start(args.log_format);
    // Two libraries here speak TLS; with one provider installed neither has to guess.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow!("a TLS provider is installed already"))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let result = runtime.block_on(operate(args));
    // What still waits for an API server that is away must not hold up the exit.
    runtime.shutdown_background();
    result
}

async fn operate(args: RunArgs) -> anyhow::Result<()> {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    // What is wrong with the flags is said before anything is begun.
    options(&args, "")?;
    let client = kubeconfig::client().await.context("no way to a cluster")?;
    let options = options(&args, client.default_namespace())?;
    let metrics = Metrics::default();
    let (ready, is_ready) = watch::channel(Readiness::default());
    let liveness = Liveness::default();
    let admin = admin::serve(args.admin_addr, metrics.clone(), is_ready, liveness.clone())
        .await
        .with_context(|| format!("cannot listen on {} (--admin-addr)", args.admin_addr))?;
    let admin = liveness.spawn("server of the admin endpoints", async move {
        if let Err(error) = admin.await {
            tracing::error!("cannot serve the admin endpoints: {error}");
        }
    });
    let transport = transport::network().context("cannot set up TLS")?;
    let outside = Dependencies { client, transport, clock: Clock::system(), metrics, ready, liveness };
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let result = run(outside, options, stop).await;
    drop(admin);
    Ok(result?)
}

fn crds() -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    for definition in crd::definitions() {
        let yaml = serde_saphyr::to_string(&definition).context("cannot write YAML")?;
        // Not println!, which panics when the reader has closed the pipe.
        match writeln!(stdout, "---\n{}", yaml.trim_end()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            result => result.context("cannot write to standard output")?,
        }
    }
    Ok(())
}
