//! Two operators whose machines show different times: the second waits out what the first has sent.

use std::time::Duration;

use applink_operator::clock::Clock;
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::tap::Point;
use crate::world::{LATER, World};

/// What a call may take to bear fruit after nobody waits for it any more.
const SETTLE: Duration = Duration::from_secs(35);

#[tokio::test(start_paused = true)]
async fn a_creation_of_one_that_died_is_waited_out_whatever_its_clock_showed() {
    for ahead in [-3600, -36, 0, 36, 3600] {
        let mut world = World::new();
        world.addon();
        world.connection("production", "productionOrg");
        let now = world.clock;
        let first = world.spawn_by(Clock::following(move || now.now() + SignedDuration::from_secs(ahead)));
        // It may have left, for all that the next can know.
        let what = "before POST /addons/*/connections/salesforce/jwt".to_owned();
        first.tap.die_at(Some(Point { what, nth: 1 }));
        tokio::time::timeout(LATER, first.tap.death()).await.expect("it asks for it");
        first.kill().await;
        assert_eq!(world.created(), 0);
        world.start();
        let began = Instant::now();
        world.within(LATER, "production", "True", "Connected").await;
        assert_eq!(world.created(), 1);
        assert!(began.elapsed() >= SETTLE, "{ahead} s ahead: after {:?}", began.elapsed());
        assert!(began.elapsed() < 2 * SETTLE, "{ahead} s ahead: after {:?}", began.elapsed());
    }
}
