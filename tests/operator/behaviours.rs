//! Services with different settings, and a runner for flows under each of them.
//!
//! The files `*_behaviours.rs` list the settings and have the tests.

use std::future::Future;

use applink_simulator::Settings;
use serde_json::{Value, json};

use crate::world::World;

/// Changes settings as the simulator's control API does.
pub fn switch(settings: &mut Settings, switches: &Value) {
    let merged = settings.merged(switches.as_object().expect("an object").clone());
    *settings = merged.expect("known settings");
}

impl World {
    /// A world on a service with these settings.
    pub fn under(switches: &Value) -> Self {
        let world = Self::new();
        world.sim.settings(|settings| switch(settings, switches));
        world
    }
}

/// One setting with each of these values. `group.switch` names a nested one.
pub fn each(name: &str, values: Value) -> Vec<Value> {
    let one = |value: &Value| match name.split_once('.') {
        Some((group, name)) => json!({group: {name: value}}),
        None => json!({name: value}),
    };
    values.as_array().expect("a list").iter().map(one).collect()
}

/// Runs a flow under each of them, and reports all failures, not just the first.
pub async fn under_each<F: Future<Output = ()> + Send + 'static>(all: Vec<Value>, live: impl Fn(Value) -> F) {
    let mut wrong = Vec::new();
    for switches in all {
        println!("{switches}");
        if tokio::spawn(live(switches.clone())).await.is_err() {
            wrong.push(switches.to_string());
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
