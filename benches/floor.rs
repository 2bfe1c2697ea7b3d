//! The floor: the least that any controller must do, by a program that knows beforehand what to do.
//!
//! For each object whose name it reads from its standard input it sends the writes that the operator would: finalizer and
//! intent, the POST, the status; or the DELETE, and the finalizer off. It watches nothing, plans nothing, reads nothing,
//! writes no Events, and remembers what it made. What it writes is a copy of what the operator wrote for a sample.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::applink::AppLink;
use crate::objects::{self, api, remote_name};
use crate::simulator::TOKEN;
use crate::world::{self, World};

/// Parameters of the process, as `World::floor` passes them.
pub struct Arguments {
    /// File with the sample.
    pub sample: std::path::PathBuf,
    /// Base URL of the Platform API.
    pub platform: String,
    /// Heroku token.
    pub token: String,
    /// Objects in work at a time.
    pub writers: usize,
}

struct Floor {
    api: Api<DynamicObject>,
    applink: AppLink,
    collection: String,
    sample: Value,
    ids: Mutex<HashMap<String, String>>,
}

/// What the operator made of one object: its name, the object, and the object in AppLink.
pub async fn sample(world: &World, kind: &str, name: &str, key: &str) -> Result<Value> {
    let object = objects::ready(&world.client, kind, name).await?;
    let applink = AppLink::new(&world.simulator.url, TOKEN).await?;
    let remote = applink.call("GET", &format!("/{}s", kind.to_lowercase()), None).await?;
    let all = remote.as_array().context("a list")?;
    let remote = all.iter().find(|remote| remote.to_string().contains(&remote_name(name)));
    let remote = remote.context("the sample in AppLink")?;
    let metadata = &object.metadata;
    Ok(json!({
        "kind": kind, "name": name, "uid": metadata.uid, "remote": remote, "status": object.data["status"], "key": key,
        "metadata": {"annotations": metadata.annotations, "finalizers": metadata.finalizers},
    }))
}

/// Works until its standard input ends.
pub async fn run(arguments: Arguments) -> Result<()> {
    let kubeconfig = std::env::var_os("KUBECONFIG").context("KUBECONFIG")?;
    let client = world::client(kubeconfig.as_ref()).await?;
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(&arguments.sample)?)?;
    let kind = sample["kind"].as_str().context("a kind")?.to_owned();
    let applink = AppLink::new(&arguments.platform, &arguments.token).await?;
    let collection = format!("{}s", kind.to_lowercase());
    let floor = Arc::new(Floor { api: api(&client, &kind), applink, collection, sample, ids: Mutex::default() });
    let (give, take) = tokio::sync::mpsc::unbounded_channel::<String>();
    let take = Arc::new(tokio::sync::Mutex::new(take));
    let writer = |()| {
        let (floor, take) = (floor.clone(), take.clone());
        tokio::spawn(async move {
            loop {
                let Some(line) = take.lock().await.recv().await else { return };
                if let Err(error) = floor.carry_out(&line).await {
                    eprintln!("{error:#}");
                    std::process::exit(1);
                }
            }
        })
    };
    let writers: Vec<_> = std::iter::repeat_n((), arguments.writers).map(writer).collect();
    println!("ready");
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.map(|line| give.send(line)).take_while(Result::is_ok).for_each(drop);
    });
    futures::future::try_join_all(writers).await?;
    Ok(())
}

impl Floor {
    async fn carry_out(&self, line: &str) -> Result<()> {
        let done = match line.split(' ').collect::<Vec<_>>()[..] {
            ["create", name, uid] => self.create(name, uid).await,
            ["delete", name, _] => self.delete(name).await,
            _ => bail!("neither create nor delete"),
        };
        done.with_context(|| line.to_owned())
    }

    async fn create(&self, name: &str, uid: &str) -> Result<()> {
        let text = self.sample["metadata"].to_string();
        let text = text.replace(self.sample["uid"].as_str().context("the UID of the sample")?, uid);
        let metadata = json!({"metadata": serde_json::from_str::<Value>(&text)?});
        let params = PatchParams { field_manager: Some("floor".to_owned()), ..PatchParams::default() };
        self.api.patch(name, &params, &Patch::Merge(metadata)).await?;
        let remote = self.post(name).await?;
        let id = remote["id"].as_str().context("an ID")?.to_owned();
        let status = json!({"status": self.status(name, &remote)?});
        self.api.patch_status(name, &params, &Patch::Merge(status)).await?;
        self.ids.lock().expect("not poisoned").insert(name.to_owned(), id);
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let id = self.ids.lock().expect("not poisoned").remove(name).context("made here")?;
        self.applink.call("DELETE", &format!("/{}/{id}", self.collection), None).await?;
        let metadata = json!({"metadata": {"finalizers": null}});
        self.api.patch(name, &PatchParams::default(), &Patch::Merge(metadata)).await?;
        Ok(())
    }

    async fn post(&self, name: &str) -> Result<Value> {
        let field = if self.collection == "connections" { "connection_name" } else { "developer_name" };
        let body = json!({
            field: remote_name(name), "login_url": "https://login.salesforce.com", "alias": remote_name(name), "client_id": "3MVG9bench",
            "username": "ci@example.com", "jwt_private_key": self.sample["key"],
        });
        self.applink.call("POST", &format!("/{}/salesforce/jwt", self.collection), Some(body)).await
    }

    /// The status of the sample, with what AppLink says of this object in place of what it said of the sample.
    fn status(&self, name: &str, remote: &Value) -> Result<Value> {
        let mut text = self.sample["status"].to_string();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        leaves(&self.sample["remote"], &mut old);
        leaves(remote, &mut new);
        let new: HashMap<_, _> = new.into_iter().collect();
        let known = self.sample["name"].as_str().context("a name")?;
        let mut changes = vec![(remote_name(known), remote_name(name))];
        changes.extend(old.into_iter().filter_map(|(path, old)| Some((old, new.get(&path)?.clone()))));
        for (old, new) in changes.into_iter().filter(|(old, new)| old.len() > 7 && old != new) {
            text = text.replace(&old, &new);
        }
        Ok(serde_json::from_str(&text)?)
    }
}

/// The texts in a JSON value and where they are.
fn leaves(value: &Value, found: &mut Vec<(String, String)>) {
    fn walk(at: String, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((at, text.clone())),
            Value::Object(map) => map.iter().for_each(|(key, value)| walk(format!("{at}/{key}"), value, found)),
            Value::Array(all) => all.iter().enumerate().for_each(|(n, value)| walk(format!("{at}/{n}"), value, found)),
            _ => {}
        }
    }
    walk(String::new(), value, found);
}
