//! `applink-simulator`: serves the simulated Platform and AppLink APIs on a socket.
//!
//! Must not be reachable from other machines unless a flag allows it: its control API needs no token.
//! Called by `make demo`, the end-to-end tests and people.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use applink_simulator::{Seed, Simulator, Tls, Token};
use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Heroku AppLink and the Platform API around it, simulated on one port.
#[derive(Parser)]
#[command(name = "applink-simulator", version)]
struct Args {
    /// Address to listen on; port 0 selects a free port
    #[arg(long, env = "APPLINK_SIMULATOR_LISTEN", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Allow an address that other machines can reach, although the control API needs no token
    #[arg(long)]
    listen_anywhere: bool,

    /// The Heroku token that the Platform API accepts
    #[arg(
        long,
        env = "APPLINK_SIMULATOR_HEROKU_TOKEN",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new(),
        default_value = Seed::HEROKU_TOKEN
    )]
    heroku_token: String,

    /// Serve HTTPS, with a new certificate for localhost and for --tls-host
    #[arg(long)]
    tls: bool,

    /// Another host name or address for this certificate; repeatable
    #[arg(long, requires = "tls", value_name = "HOST")]
    tls_host: Vec<String>,

    /// Where to write the authority's certificate, for clients to trust
    #[arg(long, requires = "tls", value_name = "FILE", default_value = "applink-simulator-ca.pem")]
    tls_ca_file: PathBuf,

    /// Serve HTTPS with the certificate in this PEM file
    #[arg(long, requires = "tls_key", conflicts_with_all = ["tls_host", "tls_ca_file"], value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, a PEM file
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Stop when standard input ends, so that the simulator does not outlive a test
    #[arg(long)]
    stop_with_stdin: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("applink-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    if !args.listen.ip().is_loopback() && !args.listen_anywhere {
        let message = format!("{} is reachable from other machines; add --listen-anywhere to permit that", args.listen);
        return Err(message.into());
    }
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let seed = Seed { heroku_tokens: vec![Token::new(args.heroku_token.clone())], ..Seed::default() };
    let simulator = Simulator::new(seed);
    let tls = tls(&args)?;
    let listener = TcpListener::bind(args.listen).await?;
    announce(&args, listener.local_addr()?, tls.as_ref())?;
    let serving = async {
        match &tls {
            Some(tls) => simulator.serve_tls(listener, tls).await,
            None => simulator.serve(listener).await,
        }
    };
    // Drops requests in flight: a fault may delay them for hours.
    tokio::select! {
        served = serving => Ok(served?),
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
        () = end_of_stdin(), if args.stop_with_stdin => Ok(()),
    }
}

/// The certificate and key for HTTPS. Writes the authority's certificate before the simulator listens.
fn tls(args: &Args) -> Result<Option<Tls>, Box<dyn Error>> {
    if let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let made = Tls::given(&read(certificate)?, &read(key)?);
        return Ok(Some(made.map_err(|error| format!("--tls-cert and --tls-key: {error}"))?));
    }
    if !args.tls {
        return Ok(None);
    }
    let tls = Tls::generated(&args.tls_host)?;
    let file = &args.tls_ca_file;
    fs::write(file, tls.authority().unwrap_or_default())
        .map_err(|error| format!("cannot write {}: {error}; choose another --tls-ca-file", file.display()))?;
    Ok(Some(tls))
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// Programs read the first line.
fn announce(args: &Args, address: SocketAddr, tls: Option<&Tls>) -> io::Result<()> {
    let mut stdout = io::stdout();
    let scheme = if tls.is_some() { "https" } else { "http" };
    writeln!(stdout, "listening on {scheme}://{address}")?;
    if tls.is_some_and(|tls| tls.authority().is_some()) {
        let file = fs::canonicalize(&args.tls_ca_file)?;
        writeln!(stdout, "the certificate to trust is in {}", file.display())?;
    }
    stdout.flush()
}

/// Reads on a separate thread: tokio's standard input would prevent the process from ending.
async fn end_of_stdin() {
    let (ended, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(ended);
    });
    let _ = end.await;
}
