//! Captures the log of one test while others run: everything at debug level, and trace level of our own crate.
//!
//! There is one subscriber for the whole process, because `tracing` caches for each call site whether anybody listens,
//! and subscribers that come and go break that cache. It keeps only lines of the listening test's thread. `World`
//! installs it.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

thread_local! {
    static CREDENTIALS_SECRET: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

static INSTALLED: Once = Once::new();

struct Keep;

impl Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        CREDENTIALS_SECRET.with_borrow_mut(|kept| kept.iter_mut().for_each(|kept| kept.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn is_wanted(meta: &Metadata<'_>) -> bool {
    meta.target().starts_with("applink_operator") || *meta.level() <= Level::DEBUG
}

/// Call this before anything logs.
pub fn install() {
    INSTALLED.call_once(|| {
        let wanted = dynamic_filter_fn(|meta, _| is_wanted(meta) && CREDENTIALS_SECRET.with_borrow(Option::is_some));
        let wanted = wanted.with_callsite_filter(|meta| match is_wanted(meta) {
            true => Interest::sometimes(),
            false => Interest::never(),
        });
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Keep);
        let all = tracing_subscriber::registry().with(lines.with_filter(wanted));
        tracing::subscriber::set_global_default(all).expect("nobody else installs one");
    });
}

/// Starts capturing the log of this thread.
pub fn begin() {
    CREDENTIALS_SECRET.set(Some(Vec::new()));
}

/// Returns the captured log.
pub fn end() -> String {
    String::from_utf8_lossy(&CREDENTIALS_SECRET.take().unwrap_or_default()).into_owned()
}
