use std::{sync::Arc, time::Duration};

use api::{ApiError, Output};
use consortium::nodes;
use crypto::Certificate;
use kv::{Tx, TxId};
use ledger::tables;
use replication::NodeCertificate;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{Certificates, DAY, NotTaken, Shown, endorse, is_due, of_node, of_service, own, validity};
use crate::{NodeError, commit::Committer, config::Config, files, http::stopped, info::NodeInfo, tls, vault::Identity};

/// How often it is looked whether a certificate has to be renewed. Often, since the clock of a machine that slept jumps.
const LOOK: Duration = Duration::from_secs(600);

/// Keeps what the node shows as the ledger has it, and the node's own certificate valid.
pub(crate) struct Keeper {
    pub(crate) committer: Committer,
    pub(crate) node: NodeInfo,
    /// The keys, and the certificates of the start.
    pub(crate) identity: Arc<Identity>,
    pub(crate) config: Arc<Config>,
    /// The node's subject alternative names.
    pub(crate) names: Vec<String>,
    /// Carried by signatures on the ledger.
    pub(crate) signatures: NodeCertificate,
    /// Shown by interfaces that the service endorses.
    pub(crate) endorsed: Arc<tls::Identity>,
    /// Shown by interfaces that nobody endorses.
    pub(crate) own: Arc<tls::Identity>,
    pub(crate) memory: Memory,
}

/// What was seen and said already.
#[derive(Default)]
pub(crate) struct Memory {
    /// The last writes to the two tables.
    seen: (TxId, TxId),
    /// What the files hold; at the start, the certificates of the start.
    written: Option<Shown>,
    /// When to warn again, in seconds since 1970.
    warn_at: i64,
}

impl Keeper {
    /// Works until `stop` holds `true`. `now` is the time in seconds since 1970.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>, now: fn() -> i64) {
        let mut publications = self.committer.replica().publications();
        let mut clock = interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopped(&mut stop) => break,
                _ = clock.tick() => self.look(now()).await,
                changed = publications.changed() => match changed {
                    Ok(()) => self.follow(),
                    Err(_) => break,
                },
            }
        }
    }

    /// What is done from time to time.
    pub(crate) async fn look(&mut self, now: i64) {
        // What could not be done the last time is tried again.
        self.memory.seen = Default::default();
        self.follow();
        if let Err(why) = self.renew(now).await {
            tracing::error!(error = %why, "the certificate of this node cannot be renewed; this is tried again");
        }
        self.follow();
        self.warn(now);
    }

    /// Shows what the ledger names, if that has changed.
    pub(crate) fn follow(&mut self) {
        let state = self.committer.committed().state.clone();
        let changed = (state.changed(tables::SERVICE_INFO), state.changed(tables::NODES_ENDORSED_CERTIFICATES));
        if changed == self.memory.seen {
            return;
        }
        self.memory.seen = changed;
        let named = of_service(&state, &self.identity)
            .and_then(|service| Ok((of_node(&state, &self.identity, &service)?, service)));
        let shown = match named {
            Ok((endorsed, service)) => self.show(service, endorsed),
            Err(why) => Err(why.into()),
        };
        if let Err(why) = shown {
            tracing::error!(error = %why, "a certificate in the ledger is not taken; the one before it is shown on");
        }
    }

    fn show(&mut self, service: Certificate, endorsed: Certificate) -> Result<(), NodeError> {
        let before = self.certificates().shown();
        if service != before.service {
            tracing::info!(not_after = service.not_after(), "the service has another certificate");
        }
        let mut shown = Shown { service, endorsed, own: before.own.clone() };
        if shown.endorsed != before.endorsed {
            shown.own = own(&self.identity, &self.config, &self.names, &shown.endorsed)?;
            let key = &self.identity.node_key;
            self.endorsed.replace(&shown.endorsed, key)?;
            self.own.replace(&shown.own, key)?;
            self.signatures.replace(shown.endorsed.to_pem());
            tracing::info!(not_after = shown.endorsed.not_after(), "this node has another certificate");
        }
        self.certificates().replace(shown.clone());
        self.write_files(shown)
    }

    /// Last, since clients do not depend on it.
    fn write_files(&mut self, shown: Shown) -> Result<(), NodeError> {
        let written = self.memory.written.get_or_insert_with(|| Shown::of(&self.identity));
        if *written != shown {
            files::replace(
                "command.service_certificate_file",
                &self.config.command.service_certificate_file,
                shown.service.to_pem(),
            )?;
            files::replace(
                "output_files.node_certificate_file",
                &self.config.output_files.node_certificate_file,
                shown.own.to_pem(),
            )?;
            *written = shown;
        }
        Ok(())
    }

    /// Writes another certificate for this node if the one in the ledger has used up most of its life, or not begun.
    async fn renew(&self, now: i64) -> Result<(), ApiError> {
        if !is_due(&self.certificates().shown().endorsed, now) {
            return Ok(());
        }
        self.committer.write(|tx| self.renewal(tx, now)).await.map(|_| ())
    }

    fn renewal(&self, tx: &mut Tx, now: i64) -> Result<Output, ApiError> {
        let failed = |why: &dyn ToString| ApiError::internal(why.to_string());
        let state = tx.base().clone();
        let id = &self.node.node_id;
        let service = of_service(&state, &self.identity).map_err(|why| failed(&why))?;
        // The members may have renewed it meanwhile.
        let fresh = of_node(&state, &self.identity, &service).is_ok_and(|current| !is_due(&current, now));
        if fresh || !nodes::is_trusted(tx, id)? {
            return Ok(Output::no_content());
        }
        // What this rests on must not change before it is committed.
        for table in [tables::SERVICE_INFO, tables::SERVICE_CONFIG] {
            tx.get(table, &kv::UNIT_KEY);
        }
        tx.get(tables::NODES_ENDORSED_CERTIFICATES, id.as_bytes());
        let validity = validity(&self.config, &state, now).map_err(|why| failed(&why))?;
        let renewed = endorse(&self.identity, &service, &self.config, &self.names, validity);
        let renewed = renewed.map_err(|why| failed(&why))?;
        tx.put(tables::NODES_ENDORSED_CERTIFICATES, id.clone(), renewed.to_pem());
        Ok(Output::no_content())
    }

    fn warn(&mut self, now: i64) {
        if now < self.memory.warn_at {
            return;
        }
        self.memory.warn_at = now.saturating_add(DAY);
        for warning in self.certificates().shown().warnings(now) {
            tracing::warn!("{warning}");
        }
    }

    fn certificates(&self) -> &Certificates {
        &self.node.certificates
    }
}

impl From<NotTaken> for NodeError {
    fn from(why: NotTaken) -> Self {
        Self::Certificate(why.to_string())
    }
}
