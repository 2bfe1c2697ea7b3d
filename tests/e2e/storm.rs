//! Storms: twenty Connections at once, edited at random while the operator works, then deleted at random. Whatever the
//! order, the end must match the last manifests.
//!
//! A seed determines a storm. One operator goes through the storms of one test in turn.

mod player;

use std::cell::RefCell;
use std::ops::Range;

use fastrand::Rng;
use futures::future::join_all;
use serde_json::{Value, json};

use self::player::{Edit, KEYS, Player, Role, key, key_secret};
use crate::harness::{PATIENCE, Scene, e2e, text, until};

const PLAYERS: usize = 20;
/// Edits in each of two bursts.
const EDITS: usize = 20;

struct Storm<'a> {
    scene: &'a Scene,
    seed: u64,
    rng: Rng,
    players: Vec<Player>,
    /// The keys in the Secrets.
    keys: Vec<String>,
}

impl<'a> Storm<'a> {
    /// Creates the existing connections, and applies everything at once.
    async fn begin(scene: &'a Scene, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let keys: Vec<_> = (0..KEYS).map(|_| key(&mut rng)).collect();
        let mut players: Vec<_> = (0..PLAYERS).map(|nth| Player::new(scene, &mut rng, seed, nth)).collect();
        for player in &mut players {
            if let Some(planted) = player.to_plant() {
                player.planted = Some(scene.simulator.control("POST", "/connections", planted).await);
            }
        }
        let storm = Self { scene, seed, rng, players, keys };
        for (nth, key) in storm.keys.iter().enumerate() {
            scene.apply(&key_secret(nth, key)).await;
        }
        storm.apply_all().await;
        storm
    }

    async fn apply_all(&self) {
        join_all(self.players.iter().map(|player| self.scene.apply(&player.manifest))).await;
    }

    /// Edits at random: some before the first reconcile, some during and after the work.
    async fn rage(&mut self) {
        self.edit().await;
        let looked = |o: &Value| o["status"]["observedGeneration"] != -1;
        let all = async || self.scene.list("Connection").await.iter().all(looked).then_some(());
        until(&format!("seed {}: all are observed", self.seed), PATIENCE, all, async || String::new()).await;
        self.edit().await;
        for nth in 0..KEYS {
            self.keys[nth] = key(&mut self.rng);
            self.scene.apply(&key_secret(nth, &self.keys[nth])).await;
        }
        let word = format!("calm {}", self.seed);
        self.players.iter_mut().for_each(|player| player.calm(&mut self.rng, &word));
        self.apply_all().await;
    }

    async fn edit(&mut self) {
        for _ in 0..EDITS {
            let nth = self.rng.usize(..PLAYERS);
            match self.players[nth].edit(&mut self.rng) {
                Edit::Apply => drop(self.scene.apply(&self.players[nth].manifest).await),
                Edit::Key(nth, content) => {
                    self.scene.apply(&key_secret(nth, &content)).await;
                    self.keys[nth] = content;
                }
                Edit::Wipe => {
                    let wipe = json!({"finalizers": null, "annotations": {"applink.dev/intent": null}});
                    self.scene.change("Connection", &self.players[nth].name, json!({"metadata": wipe})).await;
                }
            }
        }
    }

    /// Waits until each reached the end that its last manifest leads to. People consent meanwhile.
    async fn settle(&self) {
        let mut asked = 0;
        let unsettled = RefCell::new(Vec::new());
        let settled = async || {
            let there = self.scene.simulator.connections().await;
            if self.consent(&there).await {
                asked += 1;
                let now =
                    json!({"metadata": {"annotations": {"applink.dev/requestedAt": format!("{} {asked}", self.seed)}}});
                self.scene.change("AppLinkAddon", "orders", now).await;
            }
            let seen = self.unsettled(&there).await;
            *unsettled.borrow_mut() = seen;
            unsettled.borrow().is_empty().then_some(())
        };
        let explain = async || unsettled.borrow().join("\n");
        until(&format!("seed {}: all converged", self.seed), PATIENCE, settled, explain).await;
        for player in self.players.iter().filter(|player| !player.suspended()) {
            let link = self.scene.get("Secret", &format!("{}-connection-oauth", player.name)).await;
            assert_eq!(link, None, "seed {}: nobody waits for consent", self.seed);
        }
    }

    /// Whether anybody was asked to consent.
    async fn consent(&self, there: &[Value]) -> bool {
        let pending = there.iter().filter(|c| c["method"] == "OAuth" && c["status"] == "connecting");
        let ids: Vec<_> = pending.map(|c| text(c, "/id")).collect();
        join_all(ids.iter().map(|id| self.scene.simulator.consent(id))).await;
        !ids.is_empty()
    }

    async fn unsettled(&self, there: &[Value]) -> Vec<String> {
        let objects = self.scene.list("Connection").await;
        let mut unsettled = Vec::new();
        for player in &self.players {
            let object = objects.iter().find(|o| o["metadata"]["name"] == player.name).expect("it exists");
            unsettled.extend(player.unsettled(object, there, &self.keys));
        }
        unsettled
    }

    /// Deletes at random, and waits until all are gone.
    async fn end(&mut self) {
        self.rng.shuffle(&mut self.players);
        for player in &self.players {
            self.scene.delete("Connection", &player.name).await;
            if player.suspended() {
                // One without a finalizer is gone already.
                let _ = self.scene.try_change("Connection", &player.name, json!({"spec": {"suspend": false}})).await;
            }
        }
        let gone = async || self.scene.list("Connection").await.is_empty().then_some(());
        let explain = async || format!("{:#?}", self.scene.list("Connection").await);
        until(&format!("seed {}: all are gone", self.seed), PATIENCE, gone, explain).await;
    }

    /// Asserts that AppLink has only the unchanged connections that were never ours.
    async fn judge(&self) {
        let left = self.scene.simulator.connections().await;
        let by_name = |name: &str| left.iter().find(|c| c["name"] == name);
        for player in &self.players {
            let there = by_name(&player.remote);
            match player.role {
                Role::Robot | Role::Person => assert_eq!(there, None, "seed {}: {}", self.seed, player.name),
                Role::Intruder => assert_eq!(there, player.planted.as_ref(), "seed {}: {}", self.seed, player.name),
                // One that was suspended from the beginning never adopted.
                Role::Heir if player.suspended() => {
                    assert!(there.is_none() || there == player.planted.as_ref(), "seed {}: {there:?}", self.seed);
                }
                Role::Heir => assert_eq!(there, None, "seed {}: {}", self.seed, player.name),
            }
        }
        for connection in &left {
            self.scene
                .simulator
                .control("DELETE", &format!("/connections/{}", text(connection, "/id")), Value::Null)
                .await;
        }
    }
}

/// Runs the storms of these seeds.
fn live(label: &str, seeds: Range<u64>) {
    e2e(label, async |scene| {
        scene.simulator.settings(json!({"disconnectSeconds": 0})).await;
        let _operator = scene.operator().await;
        scene.apply_all(&[scene.token(), scene.addon()]).await;
        scene.ready("AppLinkAddon", "orders").await;
        for seed in seeds {
            println!("seed {seed}");
            let mut storm = Storm::begin(scene, seed).await;
            storm.rage().await;
            storm.settle().await;
            storm.end().await;
            storm.judge().await;
        }
    });
}

macro_rules! storms {
    ($($name:ident: $seeds:expr;)+) => {$(
        #[test]
        fn $name() {
            live(&stringify!($name).replace('_', "-"), $seeds);
        }
    )+};
}

// Each must end as its last manifests say. A few per test, so that tests share the work.
storms! {
    storms_0_to_4: 0..5;
    storms_5_to_9: 5..10;
    storms_10_to_14: 10..15;
    storms_15_to_19: 15..20;
    storms_20_to_24: 20..25;
    storms_25_to_29: 25..30;
    storms_30_to_34: 30..35;
    storms_35_to_39: 35..40;
    storms_40_to_44: 40..45;
    storms_45_to_49: 45..50;
}
