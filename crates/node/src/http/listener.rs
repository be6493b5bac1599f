use std::{sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{Handler, Interface, activity::Sessions, connection};

/// How long open sessions may take to end once the node stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// Pause after a connection could not be accepted, for example because there are no file descriptors left.
const RECOVERY: Duration = Duration::from_millis(50);

/// One address that clients connect to.
pub struct Endpoint {
    /// Its name and limits.
    pub interface: Arc<Interface>,
    /// The socket.
    pub listener: TcpListener,
    /// TLS; `None` for an interface without it.
    pub tls: Option<Arc<ServerConfig>>,
    /// How long a session may be idle.
    pub idle_timeout: Duration,
}

/// Accepts and serves sessions until `stop` holds `true` or its sender is dropped; then lets open requests finish, but
/// not for ever.
pub async fn serve<H: Handler>(endpoint: Endpoint, handler: Arc<H>, mut stop: watch::Receiver<bool>) {
    let acceptor = endpoint.tls.map(TlsAcceptor::from);
    let sessions = Arc::new(Sessions::default());
    let mut tasks = JoinSet::new();
    let mut sweep = interval((endpoint.idle_timeout / 4).max(Duration::from_millis(10)));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = endpoint.listener.accept() => match accepted {
                Ok((stream, _)) => admit(stream, &acceptor, &endpoint.interface, &sessions, &handler, &mut tasks),
                Err(error) => {
                    tracing::warn!(interface = endpoint.interface.name, %error, "a connection could not be accepted");
                    sleep(RECOVERY).await;
                }
            },
            _ = sweep.tick() => sessions.end_idle(endpoint.idle_timeout),
            () = stopped(&mut stop) => break,
        }
        // Those that have ended, so that the set does not grow.
        while tasks.try_join_next().is_some() {}
    }
    sessions.end_all();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(FAREWELL, ended).await.is_err() {
        tasks.shutdown().await;
    }
}

/// Returns when `stop` holds `true`.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone cannot say anything any more: that is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn admit<H: Handler>(
    stream: TcpStream,
    acceptor: &Option<TlsAcceptor>,
    interface: &Arc<Interface>,
    sessions: &Arc<Sessions>,
    handler: &Arc<H>,
    tasks: &mut JoinSet<()>,
) {
    // Above the hard limit the connection is dropped without a word.
    if let Some(session) = sessions.enter(interface) {
        tasks.spawn(connection::run(stream, acceptor.clone(), session, handler.clone()));
    }
}
