//! A node from its start to its end.

mod descriptors;

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{
    NodeError, Service, admin,
    certificates::{Keeper, Memory},
    config::{AppProtocol, Authority, Config, RpcInterface},
    files,
    front::Front,
    http::{self, Endpoint, Interface},
    info::NodeInfo,
    jwt_refresh,
    life::{self, Ready},
    metrics::Metrics,
    tls,
};

/// How long an address may be in use by a process that is going away, and how often it is tried.
const LISTEN_LIMIT: Duration = Duration::from_secs(1);
const LISTEN_AGAIN: Duration = Duration::from_millis(20);
/// How long sessions may take to finish what they are at when the node stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Runs a node until it is told to stop (SIGTERM, Ctrl-C) or cannot write its ledger any more. `program` is this binary:
/// its subcommand `script-host` runs the scripts of the consortium.
///
/// # Errors
/// [`NodeError`], whose text says what to do. Nothing that was answered is lost by any of them.
pub fn run(config: Config, program: PathBuf) -> Result<(), NodeError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if config.worker_threads > 0 {
        builder.worker_threads(config.worker_threads);
    }
    let runtime = builder.enable_all().build().map_err(NodeError::Runtime)?;
    runtime.block_on(live(config, program))
}

async fn live(mut config: Config, program: PathBuf) -> Result<(), NodeError> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    tracing::warn!(
        "platform `virtual`: whoever runs this machine can read this node's memory and keys, and rewind its disk; use it for \
         development and for parties that trust the host"
    );
    let signals = Signals::listen()?;
    descriptors::make_room(&config.network)?;
    let (listeners, admin) = (bind(&mut config).await?, bind_admin(&config).await?);
    let config = Arc::new(config);
    let ready = life::prepare(config.clone(), program).await?;
    let (stop, stopping) = watch::channel(false);
    let interfaces: Vec<_> = config.network.rpc_interfaces.iter().map(|one| Arc::new(Interface::new(one))).collect();
    let mut serving = serve(&config, &ready, &interfaces, listeners, &stopping)?;
    let refresh = jwt_refresh::run(ready.service.clone(), config.jwt_key_refresh_interval, stopping.clone());
    serving.spawn(refresh);
    write_addresses(&config)?;
    for interface in &config.network.rpc_interfaces {
        tracing::info!(interface = interface.name, address = interface.address.bind, "serving");
    }
    let replica = ready.service.replica().clone();
    if let Some(listener) = admin {
        serving.spawn(admin::serve(listener, metrics(&ready.service, interfaces), stopping.clone()));
    }
    let ended = tokio::select! {
        () = signals.told_to_stop(&config, ready.service.node()) => Ok(()),
        ended = replica.stopped() => ended,
    };
    tracing::info!("stopping");
    stop.send_replace(true);
    let finish = async { while serving.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_LIMIT, finish).await.is_err() {
        tracing::warn!("some sessions did not end in time and are cut off");
    }
    ended.and(replica.stop().await).map_err(NodeError::Stopped)
}

/// What the process is told by the operating system, from the start on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, NodeError> {
        let listen = |kind| signal(kind).map_err(NodeError::Runtime);
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Returns when the process is told to stop.
    async fn told_to_stop(mut self, config: &Config, node: &NodeInfo) {
        let terminated = async {
            if config.ignore_first_sigterm {
                self.terminate.recv().await;
                node.stop_notice.store(true, Relaxed);
                tracing::warn!("SIGTERM: told to stop; the next one stops this node");
            }
            self.terminate.recv().await;
        };
        tokio::select! {
            () = terminated => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Listens on all interfaces, and notes the port where the configuration leaves it to the system.
async fn bind(config: &mut Config) -> Result<Vec<TcpListener>, NodeError> {
    let mut listeners = Vec::new();
    for interface in &mut config.network.rpc_interfaces {
        let address = interface.address.bind.clone();
        let listen = |why| NodeError::Listen { address: address.clone(), why };
        let listener = bind_one(&address).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        if interface.address.published == interface.address.bind {
            interface.address.published = bound.to_string();
        }
        interface.address.bind = bound.to_string();
        listeners.push(listener);
    }
    Ok(listeners)
}

/// A process that was killed while it started a script host leaves its sockets with that for a moment, until it is the
/// other program; whoever starts this node again at once should not fail for it.
async fn bind_one(address: &str) -> std::io::Result<TcpListener> {
    let started = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(why) if why.kind() == ErrorKind::AddrInUse && started.elapsed() < LISTEN_LIMIT => {
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
            bound => return bound,
        }
    }
}

/// Listens where the operator reads figures, if anywhere.
async fn bind_admin(config: &Config) -> Result<Option<TcpListener>, NodeError> {
    let Some(address) = &config.admin_address else { return Ok(None) };
    let listen = |why| NodeError::Listen { address: format!("{address} (admin.bind_address)"), why };
    let listener = bind_one(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    tracing::info!(address = %bound, "figures for the operator at /metrics");
    if !bound.ip().is_loopback() {
        tracing::warn!(address = %bound, "admin.bind_address: whoever reaches this address can read the figures");
    }
    Ok(Some(listener))
}

fn metrics(service: &Service, interfaces: Vec<Arc<Interface>>) -> Arc<Metrics> {
    Arc::new(Metrics::new(service.clone(), service.counters(), interfaces, life::now))
}

/// Serves all interfaces, and keeps the certificates that they show.
fn serve(
    config: &Arc<Config>,
    ready: &Ready,
    interfaces: &[Arc<Interface>],
    listeners: Vec<TcpListener>,
    stopping: &watch::Receiver<bool>,
) -> Result<JoinSet<()>, NodeError> {
    let keys = &ready.identity;
    let (endorsed, own) = (tls::Identity::empty(), tls::Identity::empty());
    endorsed.replace(&keys.node_certificate, &keys.node_key)?;
    own.replace(&keys.self_signed, &keys.node_key)?;
    let front = Front::new(ready.service.clone(), interfaces.to_vec());
    let mut tasks = JoinSet::new();
    for ((interface, shared), listener) in config.network.rpc_interfaces.iter().zip(interfaces).zip(listeners) {
        let tls = server_tls(interface, &endorsed, &own)?;
        let idle_timeout = config.idle_connection_timeout;
        let endpoint = Endpoint { interface: shared.clone(), listener, tls, idle_timeout };
        tasks.spawn(http::serve(endpoint, front.clone(), stopping.clone()));
    }
    let keeper = Keeper {
        committer: ready.service.committer().clone(),
        node: ready.service.node().clone(),
        identity: keys.clone(),
        config: config.clone(),
        names: ready.names.clone(),
        signatures: ready.signatures.clone(),
        endorsed,
        own,
        memory: Memory::default(),
    };
    tasks.spawn(keeper.run(stopping.clone(), life::now));
    Ok(tasks)
}

fn server_tls(
    interface: &RpcInterface,
    endorsed: &Arc<tls::Identity>,
    own: &Arc<tls::Identity>,
) -> Result<Option<Arc<ServerConfig>>, NodeError> {
    let protocols: &[&[u8]] = match interface.protocol {
        AppProtocol::Http1 => &[b"h2", b"http/1.1"],
        AppProtocol::Http2 => &[b"h2"],
    };
    let identity = match interface.authority {
        Authority::Service => endorsed,
        Authority::Node => own,
        Authority::Unsecured => return Ok(None),
    };
    Ok(Some(tls::server_config(identity.clone(), protocols)?))
}

fn write_addresses(config: &Config) -> Result<(), NodeError> {
    let Some(file) = &config.output_files.rpc_addresses_file else { return Ok(()) };
    let interfaces = config.network.rpc_interfaces.iter();
    let addresses: BTreeMap<_, _> = interfaces.map(|one| (&one.name, &one.address.bind)).collect();
    files::write("output_files.rpc_addresses_file", file, serde_json::json!(addresses).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_given_up_in_time_is_taken() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap().to_string();
        let bound = tokio::spawn(async move { bind_one(&address).await });
        tokio::time::sleep(LISTEN_AGAIN * 3).await;
        assert!(!bound.is_finished(), "somebody else listens there");
        drop(held);
        bound.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_address_that_is_kept_is_refused() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap().to_string();
        assert_eq!(bind_one(&address).await.unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}
