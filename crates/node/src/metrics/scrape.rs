use std::{fmt, fs, sync::Arc};

use consortium::service::{self, ServiceStatus};
use kv::Tx;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use replication::BATCH_SIZES;

use super::page::{Labels, Page};
use crate::{RESUMES, Service, http::Interface};

/// What is found out when somebody asks.
pub(super) struct Scrape {
    pub(super) service: Service,
    pub(super) interfaces: Vec<Arc<Interface>>,
    pub(super) now: fn() -> i64,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.build(&mut page)?;
        self.service(&mut page)?;
        self.commits(&mut page)?;
        self.ledger(&mut page)?;
        self.index(&mut page)?;
        self.snapshots(&mut page)?;
        self.certificates(&mut page)?;
        self.jwt_refresh(&mut page)?;
        self.sessions(&mut page)
    }
}

impl Scrape {
    fn build(&self, page: &mut Page<'_>) -> fmt::Result {
        let digest = self.service.node().build_digest.as_str();
        let labels: Labels<'_> = &[("version", env!("CARGO_PKG_VERSION")), ("digest", digest)];
        page.gauges("cgs_build_info", "The running binary; digest is its SHA-256", &[(labels, 1_u64)])
    }

    fn service(&self, page: &mut Page<'_>) -> fmt::Result {
        let state = self.service.committed().state.clone();
        let (last, resumes) = (state.tx_id(), state.len(RESUMES));
        let now = service::status(&mut Tx::new(state)).ok();
        let is = |status, name: &'static str| ([("status", name)], u64::from(now == Some(status)));
        let all = [
            is(ServiceStatus::Opening, "Opening"),
            is(ServiceStatus::Open, "Open"),
            is(ServiceStatus::Recovering, "Recovering"),
            is(ServiceStatus::WaitingForRecoveryShares, "WaitingForRecoveryShares"),
        ];
        let all: Vec<(Labels<'_>, u64)> = all.iter().map(|(labels, value)| (&labels[..], *value)).collect();
        page.gauges("cgs_service_status", "1 for the status that the service has", &all)?;
        page.gauge("cgs_view", "The view in which this node orders transactions", self.service.view())?;
        page.gauge("cgs_committed_seqno", "The last committed seqno, signatures included", last.seqno)?;
        page.counter("cgs_resumes", "How often the service was resumed, as its ledger records it", resumes)
    }

    fn commits(&self, page: &mut Page<'_>) -> fmt::Result {
        let work = self.service.replica().work();
        let help = "Transactions that were committed since the start, signatures left out";
        page.counter("cgs_transactions", help, work.transactions)?;
        let help = "Transactions that were run again, since something that they had read was changed";
        page.counter("cgs_transaction_conflicts", help, work.conflicts)?;
        let sizes: Vec<(u64, u64)> = BATCH_SIZES.into_iter().zip(work.batches).collect();
        let help = "Transactions that were committed with one signature and one sync of the disk";
        page.histogram("cgs_batch_transactions", help, work.transactions, &sizes)
    }

    fn jwt_refresh(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = self.service.jwt_refresh().read();
        let help = "How often issuers of tokens were asked for their keys, by outcome";
        let outcome = |name: &'static str| [("outcome", name)];
        let (failed, succeeded) = (outcome("failure"), outcome("success"));
        page.counters("cgs_jwt_key_refreshes", help, &[(&failed, counts.failures), (&succeeded, counts.successes)])
    }

    fn ledger(&self, page: &mut Page<'_>) -> fmt::Result {
        let Ok(files) = fs::read_dir(&self.service.node().config.ledger.directory) else { return Ok(()) };
        let sizes: Vec<u64> = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).collect();
        page.gauge("cgs_ledger_bytes", "Size of all chunk files", sizes.iter().sum::<u64>())?;
        page.gauge("cgs_ledger_chunks", "Number of chunk files", sizes.len())
    }

    fn index(&self, page: &mut Page<'_>) -> fmt::Result {
        let known = self.service.replica().known();
        let (indexed, missing): (Labels<'_>, Labels<'_>) = (&[("state", "indexed")], &[("state", "missing")]);
        let help = "Transactions that can be asked about, and those before the last snapshot that cannot yet";
        page.gauges("cgs_index_transactions", help, &[(indexed, known.transactions), (missing, known.missing)])?;
        let help = "1 if chunk files before the last snapshot are not what they were; the log names the file";
        page.gauge("cgs_index_unreadable", help, u64::from(known.unreadable))
    }

    fn snapshots(&self, page: &mut Page<'_>) -> fmt::Result {
        let status = self.service.replica().snapshots();
        let last = status.last.map_or(0, |name| name.seqno);
        page.gauge("cgs_snapshot_last_seqno", "The seqno of the last complete snapshot, 0 without one", last)?;
        page.gauge("cgs_snapshot_bytes", "Size of the last complete snapshot", status.bytes)?;
        let seconds = status.took.map_or(0.0, |took| took.as_secs_f64());
        page.gauge("cgs_snapshot_seconds", "How long the last one took, 0 before this process has taken one", seconds)?;
        page.counter("cgs_snapshots", "Snapshots that were taken since the start", status.taken)?;
        let help = "Snapshots that could not be taken since the start; the log says why";
        page.counter("cgs_snapshot_failures", help, status.failures)
    }

    fn certificates(&self, page: &mut Page<'_>) -> fmt::Result {
        let (shown, now) = (self.service.node().certificates.shown(), (self.now)());
        let both: [(Labels<'_>, _); 2] =
            [(&[("certificate", "service")], &shown.service), (&[("certificate", "node")], &shown.endorsed)];
        let ends = both.map(|(labels, certificate)| (labels, certificate.not_after()));
        let help = "When a certificate ends, in seconds since 1970";
        page.gauges("cgs_certificate_expiry_timestamp_seconds", help, &ends)?;
        let soon = both.map(|(labels, certificate)| (labels, u64::from(now >= certificate.ends_soon_from())));
        page.gauges("cgs_certificate_ends_soon", "1 if somebody has to renew a certificate", &soon)
    }

    fn sessions(&self, page: &mut Page<'_>) -> fmt::Result {
        let all: Vec<_> =
            self.interfaces.iter().map(|one| ([("interface", one.name.as_str())], one.counts())).collect();
        let open: Vec<(Labels<'_>, usize)> = all.iter().map(|(labels, counts)| (&labels[..], counts.active)).collect();
        page.gauges("cgs_sessions", "Sessions that are open", &open)?;
        let peak: Vec<(Labels<'_>, usize)> = all.iter().map(|(labels, counts)| (&labels[..], counts.peak)).collect();
        page.gauges("cgs_sessions_peak", "The most sessions that were open at a time", &peak)?;
        let opened: Vec<(Labels<'_>, usize)> =
            all.iter().map(|(labels, counts)| (&labels[..], counts.opened)).collect();
        page.counters("cgs_sessions_opened", "Sessions that were opened", &opened)?;
        let errors: Vec<_> = self.interfaces.iter().flat_map(|one| errors(one)).collect();
        let errors: Vec<(Labels<'_>, usize)> = errors.iter().map(|(labels, count)| (&labels[..], *count)).collect();
        page.counters("cgs_session_errors", "What was refused before it was a request, by kind", &errors)
    }
}

fn errors(interface: &Interface) -> [([(&str, &str); 2], usize); 8] {
    let counts = interface.counts();
    [
        ("parsing", counts.parsing),
        ("request_header_too_large", counts.header_too_large),
        ("request_payload_too_large", counts.body_too_large),
        ("tls_handshake", counts.handshake),
        ("no_room", counts.no_room),
        ("too_many_requests", counts.busy),
        ("session_cap_soft", counts.surplus),
        ("session_cap_hard", counts.dropped),
    ]
    .map(|(kind, count)| ([("interface", interface.name.as_str()), ("kind", kind)], count))
}
