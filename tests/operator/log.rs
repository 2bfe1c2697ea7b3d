//! What is logged in one test while others run: everything at debug level, and all of our own.
//!
//! One subscriber for the whole process, since `tracing` remembers for each line of code whether anybody listens, and tests
//! that come and go confuse it. It keeps only what the thread of a listening test logs. `World` installs it.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

thread_local! {
    static KEPT: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

static INSTALLED: Once = Once::new();

struct Keep;

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        KEPT.with_borrow_mut(|kept| kept.iter_mut().for_each(|kept| kept.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn is_wanted(meta: &Metadata<'_>) -> bool {
    meta.target().starts_with("applink_operator") || *meta.level() <= Level::DEBUG
}

/// To be called before anything can log.
pub fn install() {
    INSTALLED.call_once(|| {
        let wanted = dynamic_filter_fn(|meta, _| is_wanted(meta) && KEPT.with_borrow(Option::is_some));
        let wanted = wanted.with_callsite_filter(|meta| match is_wanted(meta) {
            true => Interest::sometimes(),
            false => Interest::never(),
        });
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Keep);
        let all = tracing_subscriber::registry().with(lines.with_filter(wanted));
        tracing::subscriber::set_global_default(all).expect("nobody else installs one");
    });
}

/// Keeps what this thread logs from here on.
pub fn begin() {
    KEPT.set(Some(Vec::new()));
}

/// What was kept.
pub fn end() -> String {
    String::from_utf8_lossy(&KEPT.take().unwrap_or_default()).into_owned()
}
