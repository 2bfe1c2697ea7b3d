//! Prometheus metrics.
//!
//! Labels never hold names, messages or IDs. All rooms count through [`Metrics`]; `admin` serves the text.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::budget::{Budgets, Limit, Scope};

/// Labels of a remote call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    operation: &'static str,
    outcome: &'static str,
}

/// Labels of a counter per kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
    what: &'static str,
}

/// Labels of a pass over an add-on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pass {
    outcome: &'static str,
}

/// The budgets, read at each scrape.
#[derive(Clone, Debug, Default)]
struct BudgetCollector(Arc<Mutex<Budgets>>);

impl Collector for BudgetCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let help = "Calls that may leave at once, from the emptiest budget of each scope";
        let mut left = encoder.encode_descriptor("budget_calls_left", help, None, ConstGauge::<i64>::TYPE)?;
        for scope in Scope::ALL {
            if let Some(lowest) = budgets.lowest(scope) {
                let labels = [("scope", scope.as_str())];
                ConstGauge::new(i64::from(lowest)).encode(left.encode_family(&labels)?)?;
            }
        }
        let help = "Calls that were not sent because of a limit";
        let mut unsent = encoder.encode_descriptor("calls_not_sent", help, None, ConstCounter::<u64>::TYPE)?;
        for scope in Scope::ALL {
            for why in Limit::ALL {
                let labels = [("scope", scope.as_str()), ("why", why.as_str())];
                ConstCounter::new(budgets.unsent(scope, why)).encode(unsent.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// All metrics. Clones share the counters.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    calls: Family<Call, Counter>,
    passes: Family<Pass, Counter>,
    reconciles: Family<Kind, Counter>,
    steps: Family<Kind, Counter>,
    writes: Family<Kind, Counter>,
    unreadable: Gauge,
    budgets: BudgetCollector,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("applink");
        let (calls, passes, reconciles, steps, writes) =
            (Family::default(), Family::default(), Family::default(), Family::default(), Family::default());
        registry.register("remote_calls", "Calls to the Heroku Platform API and to AppLink", Family::clone(&calls));
        registry.register("passes", "Listings of an add-on's collections", Family::clone(&passes));
        registry.register("reconciles", "Reconciles by outcome", Family::clone(&reconciles));
        registry.register("steps", "Steps carried out", Family::clone(&steps));
        registry.register("kubernetes_writes", "Writes to our resources", Family::clone(&writes));
        let unreadable = Gauge::default();
        let help = "Namespaces that the operator is to work in and cannot read";
        registry.register("unreadable_namespaces", help, unreadable.clone());
        let budgets = BudgetCollector::default();
        registry.register_collector(Box::new(budgets.clone()));
        Self { registry: Arc::new(registry), calls, passes, reconciles, steps, writes, unreadable, budgets }
    }
}

impl Metrics {
    /// Exports these budgets.
    pub fn export_budgets(&self, budgets: Budgets) {
        *self.budgets.0.lock().unwrap_or_else(PoisonError::into_inner) = budgets;
    }

    /// Counts a remote call.
    pub fn call(&self, operation: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&Call { operation, outcome }).inc();
    }

    /// Counts a pass over an add-on.
    pub fn pass(&self, outcome: &'static str) {
        self.passes.get_or_create(&Pass { outcome }).inc();
    }

    /// Counts a reconcile.
    pub fn reconcile(&self, kind: &'static str, outcome: &'static str) {
        self.reconciles.get_or_create(&Kind { kind, what: outcome }).inc();
    }

    /// Counts an executed step.
    pub fn step(&self, kind: &'static str, step: &'static str) {
        self.steps.get_or_create(&Kind { kind, what: step }).inc();
    }

    /// Counts a write to Kubernetes.
    pub fn write(&self, kind: &'static str, part: &'static str) {
        self.writes.get_or_create(&Kind { kind, what: part }).inc();
    }

    /// Sets the number of namespaces that the operator cannot read.
    pub fn unreadable_namespaces(&self, count: usize) {
        self.unreadable.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
