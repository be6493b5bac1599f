//! From a request to its answer: finds the route, finds out who asks, has it decided.

use std::{sync::Arc, time::Instant};

use api::{ApiError, Caller, Input, Output, Query};
use consortium::api_version;
use http::{Method, header};
use kv::{State, Tx};
use replication::Committed;

use crate::{
    Service,
    actor::Actor,
    authn::{self, Credentials},
    counters::Refused,
    governance,
    http::{Handler, Interface, Request, Response, refuse, respond, respond_within},
    inside::Inside,
    node_api, openapi,
    reply::{Answered, Reply},
    routes::{self, Decide, Found, Route, Table, Verb},
};

/// The front door of a node.
pub struct Front {
    inside: Inside,
    table: Table,
}

impl Front {
    /// The front door of `service`. `interfaces` are those that it will be served at.
    #[must_use]
    pub fn new(service: Service, interfaces: Vec<Arc<Interface>>) -> Arc<Self> {
        let routes: Vec<_> = routes::all().collect();
        let table = Table::new(routes.into_iter());
        let documents = Actor::ALL.map(|actor| openapi::document(&table, actor));
        Arc::new(Self { inside: Inside::new(service, interfaces, documents), table })
    }

    /// The reply, and whether something may have been written for it.
    async fn dispatch(&self, request: Request) -> Result<(Reply, bool), ApiError> {
        let (actor, path) = Actor::of(request.uri.path());
        let committed = self.inside.service.committed();
        let found = self.table.find(actor, Verb::of(&request.method), path);
        let always = matches!(&found, Found::Route(route, _) if route.always);
        if actor == Actor::App && !always && !self.inside.is_open(&committed.state) {
            return Err(ApiError::not_found("FrontendNotOpen", "Frontend is not open."));
        }
        match found {
            Found::Nothing => Err(unknown_path(path)),
            Found::Place(place) if request.method == Method::OPTIONS => {
                let output = Output::no_content().with_header("allow", place.allow.as_str());
                Ok((Reply { output, tx_id: None }, false))
            }
            Found::Place(place) => Err(wrong_verb(path, &place.allow)),
            Found::Route(route, params) => {
                let writes = matches!(route.handler, routes::Handler::Write(_) | routes::Handler::Governance(_));
                let reply = self.call(route, params, &committed, request).await?;
                Ok((complete(reply, actor, &committed), writes))
            }
        }
    }

    async fn call(
        &self,
        route: &'static Route,
        params: Vec<(&'static str, String)>,
        committed: &Committed,
        request: Request,
    ) -> Answered {
        let query = Query::parse(request.uri.query().unwrap_or_default());
        if route.json {
            check_accept(&request)?;
        }
        if let Some(oldest) = route.since {
            api_version::check(&query, oldest)?;
        }
        let input = Input { params, query, body: request.body, committed: committed.state.tx_id() };
        let credentials = Credentials { certificate: request.peer.certificate.as_ref(), headers: &request.headers };
        let identify = |state: &State| authn::authenticate(route.policies, &credentials, &mut &*state);
        match route.handler {
            routes::Handler::Read(decide) => read(decide, &identify(&committed.state)?, &input, committed),
            routes::Handler::Node(tell) => tell(&self.inside, &input),
            // What waits is kept in a place of its own, so that reads do not carry its size around.
            routes::Handler::Write(decide) => Box::pin(self.write(route, decide, &credentials, &input)).await,
            routes::Handler::Governance(kind) => {
                let content_type = request.headers.get(header::CONTENT_TYPE);
                let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                Box::pin(self.govern(governance::Request { kind, input, content_type })).await
            }
            routes::Handler::Proposals => Box::pin(node_api::all_proposals(&self.inside)).await,
            routes::Handler::Effect => {
                let caller = identify(&committed.state)?;
                Box::pin(self.foresee(&caller, &input)).await
            }
            routes::Handler::Receipt => Box::pin(node_api::receipt(&self.inside, &input)).await,
            routes::Handler::ProposalHistory => {
                let caller = identify(&committed.state)?;
                Box::pin(node_api::proposal_history(&self.inside, &caller, input)).await
            }
        }
    }

    /// The caller is looked up in the transaction itself: if its certificate is removed meanwhile, this runs again.
    async fn write(&self, route: &Route, decide: Decide, credentials: &Credentials<'_>, input: &Input) -> Answered {
        let run = |tx: &mut Tx| {
            let caller = authn::authenticate(route.policies, credentials, tx)?;
            decide(tx, &caller, input)
        };
        let answer = self.inside.service.write(run).await?;
        Ok(Reply { output: answer.output, tx_id: Some(answer.tx_id) })
    }

    /// What was written is not taken back by a refusal, so its answer goes out however many others are on their way.
    fn respond(&self, interface: &Interface, reply: Reply, writes: bool) -> Result<Response, ApiError> {
        let Reply { output, tx_id } = reply;
        let tx_id = tx_id.filter(|_| (200..300).contains(&output.status));
        if writes {
            return Ok(respond(output, tx_id));
        }
        let counters = self.inside.service.counters();
        respond_within(interface, output, tx_id).inspect_err(|_| counters.refused(Refused::Answer))
    }

    async fn foresee(&self, caller: &Caller, input: &Input) -> Answered {
        let answer = self.inside.service.foresee(&caller.id, input.param("proposalId")).await?;
        Ok(Reply { output: answer.output, tx_id: Some(answer.tx_id) })
    }

    async fn govern(&self, request: governance::Request) -> Answered {
        let answer = self.inside.service.govern(request).await?;
        Ok(Reply { output: answer.output, tx_id: Some(answer.tx_id) })
    }
}

impl Handler for Front {
    async fn answer(&self, request: Request) -> Response {
        let (actor, started) = (Actor::of(request.uri.path()).0, Instant::now());
        let interface = request.peer.interface.clone();
        let outcome = self.dispatch(request).await;
        let outcome = outcome.and_then(|(reply, writes)| self.respond(&interface, reply, writes));
        let response = outcome.unwrap_or_else(|error| refuse(&error));
        self.inside.service.counters().request(actor, response.status().as_u16(), started);
        response
    }
}

fn read(decide: Decide, caller: &Caller, input: &Input, committed: &Committed) -> Answered {
    let mut tx = Tx::new(committed.state.clone());
    // It is not going to be placed anywhere, so what it reads need not be remembered.
    tx.require_exact_base();
    let output = decide(&mut tx, caller, input)?;
    Ok(Reply { output, tx_id: Some(committed.state.tx_id()) })
}

/// Answers of the application always name a transaction; finding the endpoint is a read for the reference.
fn complete(mut reply: Reply, actor: Actor, committed: &Committed) -> Reply {
    if actor == Actor::App && reply.tx_id.is_none() {
        reply.tx_id = Some(committed.state.tx_id());
    }
    reply
}

fn check_accept(request: &Request) -> Result<(), ApiError> {
    let Some(accept) = request.headers.get(header::ACCEPT) else { return Ok(()) };
    let accept = String::from_utf8_lossy(accept.as_bytes());
    let kind = |one: &str| one.split(';').next().unwrap_or_default().trim().to_owned();
    let takes = |one: &str| matches!(kind(one).as_str(), "application/json" | "application/*" | "*/*");
    if accept.split(',').any(takes) {
        return Ok(());
    }
    let text =
        format!("No supported content type in accept header: {accept}\nOnly application/json is currently supported");
    Err(ApiError::new(406, "UnsupportedContentType", text))
}

fn unknown_path(path: &str) -> ApiError {
    ApiError::not_found("ResourceNotFound", format!("Unknown path: {path}."))
}

fn wrong_verb(path: &str, allow: &str) -> ApiError {
    let text = format!("Allowed methods for '{path}' are: {allow}.");
    ApiError::new(405, "UnsupportedHttpVerb", text).with_header("allow", allow)
}

#[cfg(test)]
mod tests;
