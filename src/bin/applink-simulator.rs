//! `applink-simulator`: serves the simulated Platform and AppLink APIs on a socket.
//!
//! Must not be reachable from other machines unless asked to: its control API wants no token.
//! Called by `make demo`, the end-to-end tests and people.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use applink_operator::simulator::{Seed, Simulator, Token};
use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Heroku AppLink and the Platform API around it, simulated on one port.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "APPLINK_SIMULATOR_LISTEN", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Allow an address that other machines can reach, although the control API wants no token
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

    /// Stop when standard input ends, so that no simulator outlives the test that started it
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
        let message = format!("{} is reachable from other machines; --listen-anywhere allows that", args.listen);
        return Err(message.into());
    }
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let seed = Seed { heroku_tokens: vec![Token::new(args.heroku_token)], ..Seed::default() };
    let simulator = Simulator::new(seed);
    let listener = TcpListener::bind(args.listen).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    // Requests in flight are dropped: a fault may hold them for hours.
    tokio::select! {
        served = simulator.serve(listener) => Ok(served?),
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
        () = end_of_stdin(), if args.stop_with_stdin => Ok(()),
    }
}

/// Reads on a thread of its own: tokio's standard input would keep the process from ending.
async fn end_of_stdin() {
    let (ended, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(ended);
    });
    let _ = end.await;
}
