//! Keys of token issuers, fetched from where the issuers publish them (OpenID Connect Discovery 1.0).
//!
//! An issuer is asked only if the consortium voted it with `auto_refresh`, over TLS that is verified with the bundle of
//! certificates that was voted for it and with nothing else: at once when its record or bundle changes, and every
//! `jwt.key_refresh_interval`. What it publishes replaces its keys, in a transaction that reads again what was voted (D32).
//! A failure keeps the old keys, is counted and logged, and is tried again soon.
//!
//! Only the primary does this; a service has one node, which is it.

mod counters;
mod discovery;
mod fetch;
mod plan;
mod reach;

use std::time::Duration;

use api::{ApiError, Output};
use consortium::jwt::{self, Bundle};
use kv::{State, Tx, TxId};
use ledger::tables;
use serde_json::Value;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

pub use counters::{Counters, Counts};
use discovery::Discovered;
use fetch::{Fetcher, same_host};
use plan::{Due, Plan};
use reach::Chosen;

use crate::Service;

/// Issuers that are asked; more are left out, in the order of their names.
const MAX_ISSUERS: usize = 64;
/// Issuers that are asked at the same time.
const MAX_AT_ONCE: usize = 4;
/// A busy service commits thousands of times a second; its records of issuers are looked at this often.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Keeps keys fresh until the node stops.
pub(crate) async fn run(service: Service, interval: Duration, mut stopping: watch::Receiver<bool>) {
    let refresher = Refresher { service, plan: Plan::new(interval), seen: None };
    tokio::select! {
        () = refresher.work() => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
}

struct Refresher {
    service: Service,
    plan: Plan,
    seen: Option<Versions>,
}

/// When issuers and bundles were last changed.
type Versions = [TxId; 2];

fn versions(state: &State) -> Versions {
    [state.changed(tables::JWT_ISSUERS), state.changed(tables::TLS_CA_CERT_BUNDLES)]
}

impl Refresher {
    async fn work(mut self) {
        loop {
            self.look();
            let due = self.plan.due(Instant::now());
            if due.is_empty() {
                tokio::select! {
                    () = sleep_until(self.plan.next(Instant::now())) => {}
                    () = self.changed() => {}
                }
            }
            for some in due.chunks(MAX_AT_ONCE) {
                self.refresh(some).await;
            }
        }
    }

    /// Takes over what the consortium wants now.
    fn look(&mut self) {
        let state = self.service.committed().state.clone();
        let now = versions(&state);
        if self.seen.replace(now) != Some(now) {
            self.plan.update(wanted(state), Instant::now());
        }
    }

    /// Waits until issuers or bundles are not those that were seen.
    async fn changed(&self) {
        loop {
            let committed = self.service.committed();
            if self.seen != Some(versions(&committed.state)) {
                return;
            }
            let next = committed.state.tx_id().seqno + 1;
            if self.service.replica().wait_for(next).await.is_err() {
                // The node is about to stop.
                std::future::pending::<()>().await;
            }
            sleep(LOOK_PAUSE).await;
        }
    }

    async fn refresh(&mut self, some: &[Due]) {
        let mut tasks = JoinSet::new();
        for due in some.iter().cloned() {
            let service = self.service.clone();
            tasks.spawn(async move { (due.issuer.clone(), refresh_one(&service, &due).await) });
        }
        while let Some(done) = tasks.join_next().await {
            let Ok((issuer, outcome)) = done else { continue };
            self.service.jwt_refresh().count(outcome.is_ok());
            self.plan.done(&issuer, outcome.is_ok(), Instant::now());
            report(&issuer, outcome);
        }
    }
}

/// The issuers whose keys are to be fetched, each with its bundle or why there is none.
fn wanted(state: State) -> Vec<Due> {
    let mut tx = Tx::new(state);
    let names: Vec<_> = tx.entries(tables::JWT_ISSUERS).into_iter().map(|(name, _)| name).collect();
    let of = |name: bytes::Bytes| {
        let issuer = String::from_utf8_lossy(&name).into_owned();
        let bundle = Bundle::of(&mut tx, &issuer).transpose()?;
        Some(Due { issuer, bundle: bundle.map_err(|why| why.to_string()) })
    };
    let mut wanted: Vec<_> = names.into_iter().filter_map(of).collect();
    if wanted.len() > MAX_ISSUERS {
        tracing::warn!(
            MAX_ISSUERS,
            found = wanted.len(),
            "keys are not fetched of all token issuers: there are too many"
        );
        wanted.truncate(MAX_ISSUERS);
    }
    wanted
}

/// What came of asking an issuer.
enum Refreshed {
    /// Its keys are new since this transaction.
    Changed(TxId),
    /// Its keys are what they were.
    Same,
    /// The consortium has changed its mind meanwhile.
    Superseded,
}

async fn refresh_one(service: &Service, due: &Due) -> Result<Refreshed, String> {
    let bundle = due.bundle.as_ref().map_err(Clone::clone)?;
    let (found, jwks) = ask(&due.issuer, bundle).await?;
    commit(service, &due.issuer, bundle, &found, &jwks).await
}

async fn ask(issuer: &str, bundle: &Bundle) -> Result<(Discovered, Value), String> {
    let fetcher = Fetcher::trusting(bundle)?;
    let document = fetcher.get(&discovery::document_url(issuer)?, Chosen::ByMembers).await?;
    let found = discovery::read(issuer, &document)?;
    let chosen = if same_host(issuer, &found.jwks_uri)? { Chosen::ByMembers } else { Chosen::ByIssuer };
    let jwks = fetcher.get(&found.jwks_uri, chosen).await?;
    Ok((found, jwks))
}

async fn commit(
    service: &Service,
    issuer: &str,
    bundle: &Bundle,
    found: &Discovered,
    jwks: &Value,
) -> Result<Refreshed, String> {
    let (mut wanted, mut same) = (false, false);
    let run = |tx: &mut Tx| {
        wanted = jwt::refresh_keys(tx, issuer, bundle, jwks, &found.issuer)?;
        same = tx.is_read_only();
        Ok::<_, ApiError>(Output::no_content())
    };
    let answer = service.write(run).await.map_err(|error| error.message)?;
    Ok(match (wanted, same) {
        (false, _) => Refreshed::Superseded,
        (true, true) => Refreshed::Same,
        (true, false) => Refreshed::Changed(answer.tx_id),
    })
}

fn report(issuer: &str, outcome: Result<Refreshed, String>) {
    match outcome {
        Ok(Refreshed::Changed(tx_id)) => tracing::info!(issuer, %tx_id, "the keys of a token issuer have changed"),
        Ok(Refreshed::Same) => tracing::debug!(issuer, "the keys of a token issuer are the same"),
        Ok(Refreshed::Superseded) => tracing::info!(issuer, "a token issuer was changed while its keys were fetched"),
        Err(reason) => {
            tracing::warn!(issuer, reason, "the keys of a token issuer cannot be fetched; those it had stay");
        }
    }
}
