//! The operator's command line: unset values, and errors that end the start.
//!
//! Nothing here reaches a cluster: the last error is a missing kubeconfig.

use std::process::{Command, Output};

/// Runs the operator with these arguments and environment variables. It must exit by itself.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_applink-operator"));
    command.arg("run").args(arguments);
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in
        names.filter(|name| ["APPLINK_", "KUBE", "RUST_LOG"].iter().any(|own| name.to_string_lossy().starts_with(own)))
    {
        command.env_remove(name);
    }
    command.env("KUBECONFIG", "/no/such/file:/nor/this").envs(variables.iter().copied()).output().expect("it runs")
}

/// Its error output. It must exit with an error.
fn said(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    assert!(!output.status.success(), "{arguments:?} {variables:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn empty_values_count_as_unset() {
    let names = [
        "NAMESPACE",
        "ALLOWED_HOST",
        "ADMIN_ADDR",
        "WRITE_CONCURRENCY",
        "RECONCILE_CONCURRENCY",
        "LEADER_ELECT",
        "LEADER_ELECT_NAMESPACE",
        "LOG_FORMAT",
    ];
    for name in names.map(|name| format!("APPLINK_{name}")) {
        for value in ["", " "] {
            let said = said(&[], &[(&name, value)]);
            assert!(said.contains("there is no kubeconfig at /no/such/file or /nor/this"), "{name}: {said}");
        }
    }
    for arguments in [
        &["--namespace="][..],
        &["--namespace", ""],
        &["--namespace", "crm,", "--namespace= sales "],
        &["--allowed-host="],
        &["--allowed-host", "api.example.com, *.heroku.com,"],
        &["--leader-elect-namespace="],
    ] {
        let said = said(arguments, &[]);
        assert!(said.contains("there is no kubeconfig"), "{arguments:?}: {said}");
    }
    let filtered = said(&[], &[("RUST_LOG", "")]);
    assert!(filtered.contains("starting"), "it is still logged: {filtered}");
    let said = said(&[], &[("APPLINK_NAMESPACE", "crm, sales,"), ("APPLINK_ALLOWED_HOST", "*.heroku.com,")]);
    assert!(said.contains("there is no kubeconfig"), "{said}");
}

#[test]
fn invalid_namespace_fails_at_start() {
    for (arguments, variables, wrong) in [
        (&["--namespace", "*"][..], &[][..], "*"),
        (&["--namespace=CRM"], &[], "CRM"),
        (&["--namespace=crm,a/b"], &[], "a/b"),
        (&["--leader-elect-namespace=System"], &[], "System"),
        (&[], &[("APPLINK_NAMESPACE", "crm,*")], "*"),
        (&[], &[("APPLINK_LEADER_ELECT_NAMESPACE", "a/b")], "a/b"),
    ] {
        let said = said(arguments, variables);
        assert!(said.contains(&format!("{wrong:?} is not the name of a namespace")), "{said}");
        assert!(said.contains("namespace or its environment variable"), "{said}");
    }
}

#[test]
fn invalid_allowed_host_fails_at_start() {
    let said = said(&["--allowed-host", "https://api.heroku.com/"], &[]);
    assert!(!said.contains("kubeconfig") && said.contains("api.heroku.com"), "{said}");
}

/// kube panics at such a token, and a panic on any thread ends the process.
#[test]
fn a_plugin_that_gives_no_token_is_named_and_its_word_not_shown() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-plugin");
    std::fs::create_dir_all(&dir).expect("a directory");
    let file = dir.join("kubeconfig");
    let credential =
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"hun\nter2"}}"#;
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [credential],
            "interactiveMode": "Never",
        }}}],
    });
    std::fs::write(&file, config.to_string()).expect("a file");
    let output = run(&[], &[("KUBECONFIG", file.to_str().expect("a path"))]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no way to a cluster: the token of echo has characters"), "{said}");
    assert!(!said.contains("ter2") && !said.contains("panicked"), "{said}");
}
