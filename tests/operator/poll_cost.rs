//! Calls per pass with all kinds: two lists, and one for each connection with children, however many. Nothing is
//! written at rest.

use applink_simulator::Api;
use serde_json::json;

use crate::connection_children::publication;
use crate::target::{cloud, target};
use crate::world::{HOUR, LATER, World, connection};

/// Number of objects of each kind. Targets are spread evenly over the Data Cloud connections.
struct Many {
    published: usize,
    authorizations: usize,
    clouds: usize,
    targets: usize,
    /// Salesforce connections without publications.
    idle: usize,
}

impl Many {
    fn objects(&self) -> usize {
        2 * self.published + self.authorizations + self.clouds + self.targets + self.idle
    }

    fn apply(&self, world: &World) {
        for n in 0..self.published + self.idle {
            world.connection(&format!("sales-{n:03}"), &format!("sales{n:03}"));
        }
        for n in 0..self.published {
            world.api.apply(publication(&format!("api-{n:03}"), &format!("sales-{n:03}")));
        }
        for n in 0..self.authorizations {
            let mut manifest = connection(&format!("user-{n:03}"), "");
            manifest["kind"] = json!("Authorization");
            manifest["spec"].as_object_mut().expect("a spec").remove("connectionName");
            manifest["spec"]["developerName"] = json!(format!("user{n:03}"));
            world.api.apply(manifest);
        }
        for n in 0..self.clouds {
            world.api.apply(cloud(&format!("cloud-{n:03}"), &format!("cloud{n:03}")));
        }
        for n in 0..self.targets {
            let mut manifest = target(&format!("target-{n:03}"), &format!("target{n:03}"));
            manifest["spec"]["connectionRef"]["name"] = json!(format!("cloud-{:03}", n % self.clouds));
            world.api.apply(manifest);
        }
    }

    async fn until_ready(&self, world: &World) {
        for n in 0..self.clouds {
            world.within(20 * LATER, &format!("cloud-{n:03}"), "False", "AwaitingUser").await;
            world.consent(&format!("cloud{n:03}"), "admin@example.com");
        }
        let ready = async |plural: &str, prefix: &str, many: usize, reason: &str| {
            for n in 0..many {
                world.until_of(plural, &format!("{prefix}-{n:03}"), 20 * LATER, ("True", reason)).await;
            }
        };
        ready("connections", "sales", self.published + self.idle, "Connected").await;
        ready("authorizations", "user", self.authorizations, "Authorized").await;
        ready("publications", "api", self.published, "Published").await;
        ready("dataactiontargets", "target", self.targets, "Created").await;
    }

    /// Calls per pass and total writes during a day at rest.
    async fn costs(&self) -> (f64, usize) {
        let mut world = World::new();
        world.addon_with(json!({"pollInterval": "30m"}));
        self.apply(&world);
        world.start();
        self.until_ready(&world).await;
        world.pass(2 * HOUR).await;
        world.api.clear_writes();
        world.forget_requests();
        world.pass(24 * HOUR).await;
        assert!(world.passes() >= 43, "{}", world.passes());
        let calls = world.request_count(|r| r.api == Api::AppLink) as f64 / world.passes() as f64;
        assert_eq!(world.mutations(), 0);
        (calls, world.api.writes().len())
    }
}

#[tokio::test(start_paused = true)]
async fn pass_cost_depends_on_connections_with_10_objects() {
    let ten = Many { published: 2, authorizations: 1, clouds: 1, targets: 3, idle: 1 };
    assert_eq!((ten.objects(), ten.costs().await), (10, (2.0 + 2.0 + 1.0, 0)));
}

#[tokio::test(start_paused = true)]
async fn pass_cost_depends_on_connections_with_100_objects() {
    let hundred = Many { published: 10, authorizations: 10, clouds: 5, targets: 55, idle: 10 };
    assert_eq!((hundred.objects(), hundred.costs().await), (100, (2.0 + 10.0 + 5.0, 0)));
}

#[tokio::test(start_paused = true)]
async fn pass_cost_depends_on_connections_with_1000_objects() {
    let thousand = Many { published: 50, authorizations: 100, clouds: 20, targets: 700, idle: 80 };
    assert_eq!((thousand.objects(), thousand.costs().await), (1000, (2.0 + 50.0 + 20.0, 0)));
}
