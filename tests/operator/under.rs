//! Services that are switched one way or another, and a flow led under each of them.
//!
//! Arranges; the files named `switches` say which, and what must come of it.

use std::future::Future;

use applink_simulator::Settings;
use serde_json::{Value, json};

use crate::world::World;

/// Sets switches as the simulator's control API would.
pub fn switch(settings: &mut Settings, switches: &Value) {
    let merged = settings.merged(switches.as_object().expect("an object").clone());
    *settings = merged.expect("switches that there are");
}

impl World {
    /// A world on a service that has these switches set.
    pub fn under(switches: &Value) -> Self {
        let world = Self::new();
        world.sim.settings(|settings| switch(settings, switches));
        world
    }
}

/// Values of one switch: each stands alone. One of a group is written `group.switch`.
pub fn each(name: &str, values: Value) -> Vec<Value> {
    let one = |value: &Value| match name.split_once('.') {
        Some((group, name)) => json!({group: {name: value}}),
        None => json!({name: value}),
    };
    values.as_array().expect("a list").iter().map(one).collect()
}

/// Leads a flow under each of them, and tells of all that go wrong, not of the first alone.
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
