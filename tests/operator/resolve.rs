//! An add-on that was remade under its name: that nothing on the new one is touched.

use std::time::Duration;

use applink_operator::simulator::{Addon, Api, Seed, Token};
use serde_json::json;
use uuid::Uuid;

use crate::world::{ADDON, HOUR, NS, World, addon, says};

const MINUTE: Duration = Duration::from_secs(60);
const REMADE: Uuid = Uuid::from_u128(7);

/// Destroys the add-on and has another under its name.
fn remake(world: &World) {
    world.sim.world(|world| {
        let old = world.addon(Seed::ADDON_NAME).expect("it is there").clone();
        world.addons.retain(|addon| addon.id != old.id);
        let remade = Addon { id: REMADE, token: Token::new("remade-0123456789abcdef"), ..old };
        world.add_addon(remade).expect("a new one");
    });
}

/// Calls to the add-on that took the name.
fn strayed(world: &World) -> usize {
    world.asked(|r| r.api == Api::AppLink && r.path.contains(&REMADE.to_string()))
}

/// What was found may grow old between two passes: whoever writes then must not come to another add-on either.
#[tokio::test(start_paused = true)]
async fn a_write_between_two_passes_does_not_stray_to_an_add_on_that_was_remade() {
    let mut world = World::new();
    let mut slow = addon(ADDON);
    slow["spec"]["pollInterval"] = json!("1h");
    world.api.apply(slow);
    world.connection("production", "productionOrg");
    world.start();
    world.until("production", "True", "Connected").await;
    world.pass(15 * MINUTE).await;
    remake(&world);
    world.forget_requests();
    world.delete("production");
    world.pass(10 * MINUTE).await;
    assert_eq!((strayed(&world), world.mutations()), (0, 0));
    assert!(world.api.get("connections", NS, "production").is_some(), "nothing was deleted");
}

/// A token that AppLink refuses has the add-on looked up anew, in the midst of a call.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_does_not_stray_to_an_add_on_that_took_the_name() {
    let mut world = World::new();
    let mut named = addon(ADDON);
    named["spec"]["addon"] = json!(Seed::ADDON_NAME);
    world.api.apply(named);
    world.connection("production", "productionOrg");
    world.start();
    world.until("production", "True", "Connected").await;
    world.forget_requests();
    world.sim.world(|world| {
        let old = world.addon_mut(Seed::ADDON_NAME).expect("it is there");
        let mut other = Addon { id: REMADE, token: Token::new("remade-0123456789abcdef"), ..old.clone() };
        other.attachments[0].name = "APPLINK_ROUND".to_owned();
        (old.name, old.token_revoked) = ("heroku-applink-round-8".to_owned(), true);
        world.add_addon(other).expect("a new one");
    });
    world.pass(HOUR).await;
    assert_eq!((strayed(&world), world.mutations()), (0, 0));
    assert!(says(&world.get_addon(), "False", "AddonChanged"), "{:#}", world.get_addon());
}
