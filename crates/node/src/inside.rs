//! What the handlers of a node see of it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use consortium::service::{self, ServiceStatus};
use kv::{State, Tx, UNIT_KEY};
use ledger::tables;

use crate::{Service, actor::Actor, http::Interface, node_api::Survey};

/// The service with what a node knows besides.
pub struct Inside {
    /// What is served.
    pub(crate) service: Service,
    /// Where it is served.
    pub(crate) interfaces: Vec<Arc<Interface>>,
    /// The list of all proposals.
    pub(crate) survey: Survey,
    documents: [String; 3],
    /// The seqno of the record that says that the service is open; 0 as long as it does not.
    open_since: AtomicU64,
}

impl Inside {
    /// `documents` are the interface descriptions, in the order of [`Actor::ALL`].
    pub(crate) fn new(service: Service, interfaces: Vec<Arc<Interface>>, documents: [String; 3]) -> Self {
        Self { service, interfaces, survey: Survey::default(), documents, open_since: AtomicU64::new(0) }
    }

    /// The interface description of an actor.
    pub(crate) fn document(&self, actor: Actor) -> &str {
        let [app, gov, node] = &self.documents;
        match actor {
            Actor::App => app,
            Actor::Gov => gov,
            Actor::Node => node,
        }
    }

    /// Whether the application is served. The record is read again only when it has changed.
    pub(crate) fn is_open(&self, state: &State) -> bool {
        let Some(record) = state.get(tables::SERVICE_INFO, &UNIT_KEY) else { return false };
        if self.open_since.load(Relaxed) == record.written.seqno {
            return true;
        }
        let open = matches!(service::status(&mut Tx::new(state.clone())), Ok(ServiceStatus::Open));
        if open {
            self.open_since.store(record.written.seqno, Relaxed);
        }
        open
    }
}
