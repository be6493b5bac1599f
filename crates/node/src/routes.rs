//! The table of everything that is served: method, path, who may call, what it does. Matching, the answers 404 and 405, the
//! `allow` header and the interface descriptions all come from it.

mod app;
mod common;
mod gov;
mod matching;
mod node;

#[cfg(test)]
mod tests;

use api::{ApiError, Caller, Input, Output};
use consortium::api_version::ApiVersion;
use http::Method;
use kv::Tx;

pub use matching::{Found, Place, Table};

use crate::{actor::Actor, authn::Policy, governance, inside::Inside, reply::Answered};

/// The methods that routes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `HEAD`; not implied by `GET`, as in CCF.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Verb {
    /// The verb of a method, if any route can have it.
    #[must_use]
    pub fn of(method: &Method) -> Option<Self> {
        Some(match *method {
            Method::DELETE => Self::Delete,
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// A decision on a transaction.
pub type Decide = fn(&mut Tx, &Caller, &Input) -> Result<Output, ApiError>;
/// What a node knows of itself.
pub type Tell = fn(&Inside, &Input) -> Answered;

/// What a route does.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Decides on the committed state.
    Read(Decide),
    /// Decides and writes.
    Write(Decide),
    /// Takes a signed request of a member.
    Governance(governance::Kind),
    /// Lists all proposals.
    Proposals,
    /// Works out what a proposal would do.
    Effect,
    /// Tells what the node knows.
    Node(Tell),
    /// Fetches a receipt from the ledger.
    Receipt,
    /// Reads the history of a proposal from the ledger.
    ProposalHistory,
}

/// One line of the table.
pub struct Route {
    /// Under which actors it is served.
    pub actors: &'static [Actor],
    /// The method.
    pub verb: Verb,
    /// The path behind the actor. `{name}` stands for the rest of a segment up to the text behind it.
    pub path: &'static str,
    /// How callers may prove who they are, in the order in which it is tried; empty if nobody needs to.
    pub policies: &'static [Policy],
    /// The oldest version of the governance API that has it; `None` where there are no versions.
    pub since: Option<ApiVersion>,
    /// Whether it is served while the application is closed.
    pub always: bool,
    /// Whether only clients that take JSON are answered.
    pub json: bool,
    /// What it is for.
    pub summary: &'static str,
    /// What it does.
    pub handler: Handler,
}

impl Route {
    const fn new(actors: &'static [Actor], verb: Verb, path: &'static str, handler: Handler) -> Self {
        let (policies, since, always, json, summary) = (&[], None, false, false, "");
        Self { actors, verb, path, policies, since, always, json, summary, handler }
    }

    const fn by(mut self, policies: &'static [Policy]) -> Self {
        self.policies = policies;
        self
    }

    const fn since(mut self, version: ApiVersion) -> Self {
        self.since = Some(version);
        self
    }

    const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    const fn json(mut self) -> Self {
        self.json = true;
        self
    }

    const fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// What an answer guarantees.
    #[must_use]
    pub fn guarantee(&self) -> &'static str {
        match self.handler {
            Handler::Write(_) | Handler::Governance(_) => {
                "When this is answered, what it wrote is durable, committed and signed."
            }
            Handler::Read(_) | Handler::Proposals => {
                "Reads the last state that this node has committed, named by x-ms-ccf-transaction-id. Not older than \
                 any write that this node has answered."
            }
            Handler::Effect => "Foresees on the last state that this node has committed. Nothing is written.",
            Handler::Node(_) => "Tells what this node knows now.",
            Handler::Receipt | Handler::ProposalHistory => "Reads committed transactions from the ledger.",
        }
    }
}

/// The table.
pub fn all() -> impl Iterator<Item = &'static Route> {
    [app::ROUTES, gov::ROUTES, node::ROUTES, common::ROUTES].into_iter().flatten()
}
