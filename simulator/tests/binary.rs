//! The binary: its command line, and HTTPS. Tests of the APIs are in simulator/src.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use applink_simulator::{Seed, Settings};
use serde_json::Value;

/// A simulator that stops when its standard input ends, so it does not outlive this process.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(args: &[&str]) -> Self {
        let mut command = command(args);
        command.args(["--listen", "127.0.0.1:0", "--stop-with-stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a simulator");
        let lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
        Self { child, lines }
    }

    fn line(&mut self, prefix: &str) -> String {
        let line = self.lines.next().expect("a line").expect("text");
        line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line:?} does not begin with {prefix:?}")).to_owned()
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_applink-simulator"));
    command.args(args);
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().expect("it runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An empty directory for one test.
fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Gets the app, trusting only this authority.
async fn app(url: &str, authority: &[u8]) -> reqwest::Result<u16> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(authority).expect("a certificate");
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().expect("a client");
    let request = client.get(format!("{url}/apps/{}", Seed::APP_NAME));
    let request = request.header("accept", "application/vnd.heroku+json; version=3");
    let answer = request.header("authorization", format!("Bearer {}", Seed::HEROKU_TOKEN)).send().await?;
    Ok(answer.status().as_u16())
}

#[test]
fn version_and_help_name_the_simulator() {
    let version = run(&["--version"]);
    let told = String::from_utf8_lossy(&version.stdout).into_owned();
    assert_eq!(told.trim(), format!("applink-simulator {}", env!("CARGO_PKG_VERSION")));
    let help = String::from_utf8_lossy(&run(&["--help"]).stdout).into_owned();
    assert!(help.contains("Usage: applink-simulator") && help.contains("--tls-ca-file"), "{help}");
}

#[tokio::test]
async fn https_with_a_generated_certificate() {
    let file = directory("https").join("ca.pem");
    let mut process = Process::start(&["--tls", "--tls-ca-file", file.to_str().expect("text")]);
    let url = process.line("listening on ");
    let told = process.line("the certificate to trust is in ");
    assert_eq!(Path::new(&told), file.canonicalize().expect("it is there"));
    let authority = std::fs::read(&file).expect("a certificate");
    assert!(!String::from_utf8_lossy(&authority).contains("PRIVATE KEY"));
    let port = url.strip_prefix("https://127.0.0.1:").expect("where it listens");
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(app(&format!("https://{host}:{port}"), &authority).await.expect("an answer"), 200, "{host}");
    }
    let plain = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert!(plain.get(format!("http://127.0.0.1:{port}/apps")).send().await.is_err());
}

#[tokio::test]
async fn https_with_a_given_certificate() {
    let dir = directory("given");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).expect("it is written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("it is written");
    let files = [certificate.to_str().expect("text"), key.to_str().expect("text")];
    let mut process = Process::start(&["--tls-cert", files[0], "--tls-key", files[1]]);
    let url = process.line("listening on https://127.0.0.1:");
    let answer = app(&format!("https://localhost:{url}"), made.cert.pem().as_bytes()).await;
    assert_eq!(answer.expect("an answer"), 200);

    let swapped = run(&["--tls-cert", files[1], "--tls-key", files[0]]);
    assert!(!swapped.status.success() && stderr(&swapped).contains("--tls-cert"), "{}", stderr(&swapped));
    assert!(!stderr(&swapped).contains("BEGIN"), "{}", stderr(&swapped));
}

/// The settings in an object with their defaults, including those in nested objects.
fn settings_in(settings: &Value) -> Vec<(String, Value)> {
    let fields = settings.as_object().expect("an object").iter();
    let inner = |name: &str| matches!(name, "publications" | "dataActionTargets");
    fields
        .flat_map(|(name, value)| if inner(name) { settings_in(value) } else { vec![(name.clone(), value.clone())] })
        .collect()
}

#[test]
fn the_page_documents_each_setting_with_its_default() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/simulator.md")).expect("a page");
    let table = page.split_once("### How answers look").expect("its tables").1;
    let mut rows = table.lines().filter(|row| row.starts_with("| `")).map(str::to_owned).collect::<Vec<_>>();
    for (name, default) in settings_in(&serde_json::to_value(Settings::default()).expect("JSON")) {
        let shown = match &default {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_f64().map_or_else(String::new, |number| number.to_string()),
            other => other.to_string(),
        };
        // Null means nothing, or what the dialect does.
        let wanted = |row: &String| {
            let fits = row.starts_with(&format!("| `{name}` | `{shown}` |"));
            fits || (default.is_null() && row.starts_with(&format!("| `{name}` | by ")))
        };
        let found = rows.iter().position(wanted);
        let found = found.unwrap_or_else(|| panic!("docs/simulator.md has no row of {name} with the default {shown}"));
        rows.remove(found);
    }
    assert_eq!(rows, Vec::<String>::new(), "the page has settings that do not exist");
}

#[test]
fn tls_errors_name_the_flag() {
    let missing = directory("missing").join("none");
    let missing = missing.to_str().expect("text");
    let unwritable = format!("{missing}/ca.pem");
    for (args, told) in [
        (&["--tls", "--tls-ca-file", &unwritable][..], "--tls-ca-file"),
        (&["--tls-cert", missing], "--tls-key"),
        (&["--tls-key", missing], "--tls-cert"),
        (&["--tls-cert", missing, "--tls-key", missing], missing),
        (&["--tls-host", "applink.test"], "--tls"),
    ] {
        let output = run(args);
        assert!(!output.status.success() && stderr(&output).contains(told), "{args:?}: {}", stderr(&output));
    }
}
