//! What an operator watches: the numbers of a node in the text format of Prometheus.
//!
//! Nothing here is secret, and nothing is private to the members: numbers, dates, and what anybody can ask the node.

mod counted;
mod page;
mod process;
mod scrape;

use std::{fmt, sync::Arc};

use prometheus_client::{encoding::prometheus_text, registry::Registry};

pub(crate) use counted::CountedEngine;
pub(crate) use prometheus_text::CONTENT_TYPE;

use crate::{Service, counters::Counters, http::Interface};

/// All metrics of a node.
pub(crate) struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// The metrics of a service that is served at these interfaces. `now` is the time in seconds since 1970.
    pub(crate) fn new(
        service: Service,
        counters: &Counters,
        interfaces: Vec<Arc<Interface>>,
        now: fn() -> i64,
    ) -> Self {
        let mut registry = Registry::default();
        counters.register(registry.sub_registry_with_prefix("cgs"));
        registry.register_collector(Box::new(scrape::Scrape { service, interfaces, now }));
        registry.register_collector(Box::new(process::Process));
        Self { registry }
    }

    /// The page. Reads files of the operating system: not for the runtime's own threads.
    pub(crate) fn page(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        prometheus_text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}
