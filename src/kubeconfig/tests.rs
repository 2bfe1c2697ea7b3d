//! Kubeconfigs as kubectl takes them: tables of files, proxies and tokens, and what arrives at a server.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use std::time::Duration;

use super::*;

/// A kubeconfig for this server, with these lines for its cluster and its user.
fn text(server: &str, cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {{cluster: k, user: u, \
         namespace: crm}}\nclusters:\n- name: k\n  cluster: {{server: \"{server}\"{cluster}}}\nusers:\n- name: u\n  \
         user: {{{user}}}\n"
    )
}

fn parsed(text: &str) -> Kubeconfig {
    Kubeconfig::from_yaml(text).expect("a kubeconfig")
}

fn directory(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("applink-kubeconfig-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// A server that answers each request with an error, and gives the lines of the request.
fn listener() -> (String, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let lines: Vec<_> = lines.collect();
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = sender.send(lines);
        }
    });
    (address, receiver)
}

/// The lines of the first request of a client made of this kubeconfig and environment.
async fn request(kubeconfig: &str, env: &[(&str, &str)], seen: &mpsc::Receiver<Vec<String>>) -> Vec<String> {
    let config = config(&parsed(kubeconfig), |name| variable(env, name)).expect("a usable kubeconfig");
    let client = build(config).await.expect("a client");
    let _ = client.apiserver_version().await;
    seen.recv_timeout(Duration::from_secs(20)).expect("a request")
}

/// A user whose token a plugin gives.
fn exec(token: &str) -> String {
    let version = "client.authentication.k8s.io/v1";
    let given = format!(r#"{{"kind":"ExecCredential","apiVersion":"{version}","status":{{"token":"{token}"}}}}"#);
    let script = serde_json::to_string(&format!("cat <<'END'\n{given}\nEND")).expect("JSON");
    format!("exec: {{apiVersion: {version}, command: sh, args: [-c, {script}], interactiveMode: Never}}")
}

fn variable(env: &[(&str, &str)], name: &str) -> Option<String> {
    env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

#[test]
fn a_file_that_is_not_there_is_skipped_and_the_first_that_says_something_wins() {
    let dir = directory("files");
    let there = dir.join("there");
    std::fs::write(&there, text("https://a.example.com", "", "")).expect("a file");
    let broken = dir.join("broken");
    std::fs::write(&broken, "apiVersion: [").expect("a file");
    let gone = dir.join("gone");
    for files in [vec![there.clone()], vec![there.clone(), gone.clone()], vec![gone.clone(), there.clone()]] {
        let kubeconfig = read(&files).expect("readable").expect("one");
        let config = config(&kubeconfig, |_| None).expect("usable");
        assert_eq!((config.cluster_url.host(), config.default_namespace.as_str()), (Some("a.example.com"), "crm"));
    }
    assert!(read(std::slice::from_ref(&gone)).expect("no error").is_none());
    assert!(read(&[]).expect("no error").is_none());
    assert!(read(&[there, broken]).is_err(), "what is there must be understood");
}

#[test]
fn an_empty_variable_means_the_file_in_the_home_directory() {
    let home = || Some(PathBuf::from("/home/me"));
    for empty in [None, Some("".into()), Some(":".into())] {
        assert_eq!(files(empty, home()), [PathBuf::from("/home/me/.kube/config")]);
    }
    assert_eq!(files(Some("/a::/b:".into()), home()), [PathBuf::from("/a"), PathBuf::from("/b")]);
}

#[test]
fn what_a_kubeconfig_lacks_is_named() {
    let good = text("https://a.example.com", "", "");
    for (from, to, wanted) in [
        ("current-context: c\n", "", "current-context"),
        ("- name: c\n", "- name: other\n", "context c"),
        ("- name: k\n", "- name: other\n", "cluster k"),
        ("server: \"https://a.example.com\"", "", "server for cluster k"),
        ("https://a.example.com", "https://a b", "server"),
        ("a.example.com\"", "a.example.com\", certificate-authority-data: Z29vZA==", "certificate authority"),
    ] {
        let error = config(&parsed(&good.replace(from, to)), |_| None).expect_err("not usable").to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn the_proxy_is_the_kubeconfigs_or_else_the_environments() {
    let (https, http) = ("https://api.example.com:6443", "http://api.example.com");
    let env = |proxy: &'static str| vec![("HTTPS_PROXY", proxy)];
    type Env<'a> = Vec<(&'a str, &'a str)>;
    let cases: [(&str, &str, Env<'_>, Option<&str>); 17] = [
        (https, "", vec![], None),
        (https, "", env("http://proxy:3128"), Some("http://proxy:3128/")),
        (https, "", env("proxy:3128"), Some("http://proxy:3128/")),
        (https, "", env(""), None),
        (https, "", vec![("https_proxy", "socks5h://proxy:1080")], Some("socks5://proxy:1080/")),
        (https, "", vec![("HTTPS_PROXY", ""), ("https_proxy", "https://proxy")], Some("https://proxy/")),
        (https, "", vec![("HTTP_PROXY", "http://proxy")], None),
        (http, "", vec![("HTTP_PROXY", "http://proxy")], Some("http://proxy/")),
        ("https://127.0.0.1:6443", "", env("http://proxy"), None),
        ("https://[::1]:6443", "", env("http://proxy"), None),
        ("https://localhost:6443", "", env("http://proxy"), None),
        (https, "", vec![("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", ",example.com,")], None),
        (https, "", vec![("HTTPS_PROXY", "http://proxy"), ("no_proxy", "*")], None),
        (https, "", vec![("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", "proxy,.org")], Some("http://proxy/")),
        ("https://10.1.2.3", "", vec![("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", "10.0.0.0/8")], None),
        // What the kubeconfig says is said of this cluster.
        (
            https,
            ", proxy-url: \"socks5://mine:1080\"",
            vec![("HTTPS_PROXY", "http://other"), ("NO_PROXY", "*")],
            Some("socks5://mine:1080/"),
        ),
        ("https://127.0.0.1", ", proxy-url: \"http://mine\"", vec![], Some("http://mine/")),
    ];
    for (server, cluster, env, wanted) in cases {
        let config = config(&parsed(&text(server, cluster, "")), |name| variable(&env, name)).expect("usable");
        let proxy = config.proxy_url.map(|url| url.to_string());
        assert_eq!(proxy.as_deref(), wanted, "{server} {cluster} {env:?}");
    }
    let wrong = config(&parsed(&text(https, "", "")), |name| variable(&env("ftp://me:hunter2@proxy"), name));
    let error = wrong.expect_err("no proxy").to_string();
    assert!(error.contains("HTTPS_PROXY") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn requests_go_through_the_proxy() {
    let (proxy, seen) = listener();
    let named = text("https://api.example.com:6443", &format!(", proxy-url: \"http://{proxy}\""), "");
    assert_eq!(request(&named, &[], &seen).await[0], "CONNECT api.example.com:6443 HTTP/1.1");
    let url = format!("http://me:hunter2@{proxy}");
    let plain = text("https://api.example.com:6443", "", "");
    let lines = request(&plain, &[("HTTPS_PROXY", &url)], &seen).await;
    assert!(lines.iter().any(|line| line.to_lowercase().starts_with("proxy-authorization: basic ")), "{lines:?}");
}

#[tokio::test]
async fn a_socks_proxy_is_spoken_to_as_one() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = listener.local_addr().expect("an address");
    let named = text("https://api.example.com", &format!(", proxy-url: \"socks5://{proxy}\""), "");
    let client = build(config(&parsed(&named), |_| None).expect("usable")).await.expect("a client");
    let asked = tokio::spawn(async move { client.apiserver_version().await.is_ok() });
    let first = tokio::task::spawn_blocking(move || {
        let mut first = [0];
        let (mut stream, _) = listener.accept().expect("a connection");
        std::io::Read::read_exact(&mut stream, &mut first).expect("a byte");
        first[0]
    });
    assert_eq!(first.await.expect("no panic"), 5);
    asked.abort();
}

#[tokio::test]
async fn blanks_round_a_token_are_not_sent() {
    let dir = directory("tokens");
    let file = dir.join("token");
    std::fs::write(&file, " from-file\n").expect("a file");
    let plugin = exec("plugin");
    let file = format!("tokenFile: \"{}\"", file.display());
    for (user, wanted) in [
        ("token: \"abc\\n\"", "Bearer abc"),
        ("token: \"\\tabc \\r\\n\"", "Bearer abc"),
        (file.as_str(), "Bearer from-file"),
        (&format!("{file}, token: inline"), "Bearer from-file"),
        ("tokenFile: /no/such/file, token: \"inline\\n\"", "Bearer inline"),
        (&plugin, "Bearer plugin"),
    ] {
        let (server, seen) = listener();
        let lines = request(&text(&format!("http://{server}"), "", user), &[], &seen).await;
        let sent = lines.iter().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!(sent, Some(wanted), "{user}");
    }
    let (server, seen) = listener();
    let lines = request(&text(&format!("http://{server}"), "", "token: \"\\n\""), &[], &seen).await;
    assert!(!lines.iter().any(|line| line.starts_with("authorization")), "{lines:?}");
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_refused_without_being_shown() {
    let dir = directory("bad-tokens");
    let file = dir.join("token");
    std::fs::write(&file, "hun\nter2\n").expect("a file");
    let plugin = exec(r"hun\nter2");
    for user in ["token: \"hun\\nter2\"".to_owned(), format!("tokenFile: \"{}\"", file.display()), plugin] {
        let config = config(&parsed(&text("http://127.0.0.1:1", "", &user)), |_| None).expect("usable");
        let Err(error) = build(config).await else { panic!("no token: {user}") };
        let error = error.to_string();
        assert!(error.contains("no HTTP header can have") && !error.contains("ter2"), "{error}");
    }
    let missing = config(&parsed(&text("http://127.0.0.1:1", "", "tokenFile: /no/such/file")), |_| None);
    let Err(error) = build(missing.expect("usable")).await else { panic!("no token") };
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[test]
fn a_token_file_that_goes_or_turns_bad_leaves_the_last_token() {
    let file = directory("renewed").join("token");
    std::fs::write(&file, "one\n").expect("a file");
    let mut user = AuthInfo { token_file: Some(file.display().to_string()), ..AuthInfo::default() };
    let token = TokenFile::take(&mut user).expect("readable").expect("a file");
    let now = |token: &TokenFile| {
        token.last.lock().expect("not poisoned").1 -= TOKEN_FILE_LIFETIME;
        token.header().to_str().expect("text").to_owned()
    };
    std::fs::write(&file, "two\n").expect("a file");
    assert_eq!(token.header(), "Bearer one", "it is not read at each request");
    assert_eq!(now(&token), "Bearer two");
    std::fs::write(&file, "th\nree").expect("a file");
    assert_eq!(now(&token), "Bearer two");
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(now(&token), "Bearer two");
}
