//! An operator of which a part has ended does not go on with the rest, and what merely fails is alive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use applink_simulator::{Fault, Where};

use crate::world::{HOUR, LATER, NS, World};

#[tokio::test(start_paused = true)]
async fn a_poller_that_panics_ends_the_operator() {
    let mut world = World::with_connection().await;
    world.tap().on_call(|_| panic!("a bug in a poller"));
    let end = tokio::time::timeout(LATER, world.take().end()).await.expect("soon");
    let said = end.expect_err("it cannot go on").to_string();
    assert!(said.contains("poller of AppLinkAddon crm/orders") && said.contains("a bug in a poller"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn nothing_stands_still_because_the_api_server_or_applink_is_away() {
    let world = World::with_connection().await;
    for hour in 0..24 {
        world.pass(HOUR).await;
        assert_eq!(world.liveness().stalled(), Vec::<String>::new(), "in hour {hour}");
        match hour {
            3 => world.api.outage(true),
            6 => drop(world.fault(Fault::status(Where::Before, 500))),
            9 => world.api.outage(false),
            12 => world.clear_faults(),
            _ => {}
        }
    }
}

/// Real time, since a thread that is blocked stops the paused clock, too. The lease is renewed each 3 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_lease_is_renewed_while_a_reconcile_takes_its_thread() {
    let mut world = World::new();
    world.options.lease_namespace = Some(NS.to_owned());
    let (api, renewed) = (world.api.clone(), std::sync::Arc::new(AtomicBool::new(false)));
    let (seen, once) = (renewed.clone(), AtomicBool::new(false));
    world.api.on_write(move |write| {
        if write.resource != "applinkaddons" || once.swap(true, Ordering::Relaxed) {
            return;
        }
        let leases = || api.writes().iter().filter(|write| write.resource == "leases").count();
        let before = leases();
        // Longer than the pace, and not as long as the lease.
        for _ in 0..450 {
            if leases() > before {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        seen.store(leases() > before, Ordering::Relaxed);
    });
    world.addon();
    world.start();
    world.until_addon("True", "AddonReady").await;
    assert!(renewed.load(Ordering::Relaxed), "it was not renewed meanwhile");
}
