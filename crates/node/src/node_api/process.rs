use std::sync::atomic::Ordering::Relaxed;

use api::Input;
use consortium::genesis::ResumeMode;
use serde_json::{Map, Value, json};

use super::{json, of_state, reading, tell};
use crate::{http::Interface, inside::Inside, reply::Answered};

/// The version of CCF whose wire surface and ledger this is (D1).
const CCF_VERSION: &str = "ccf-7.0.0-dev5";

/// `GET /node/version`
pub(crate) fn version(_: &Inside, _: &Input) -> Answered {
    tell(json(&json!({ "ccf_version": CCF_VERSION, "unsafe": false })))
}

/// `GET /node/state`
pub(crate) fn state(inside: &Inside, _: &Input) -> Answered {
    let (node, tx) = (inside.service.node(), reading(inside));
    let body = json!({
        "last_signed_seqno": inside.service.last_signature(),
        "node_id": node.node_id,
        "resume": resume(node.resume, node.quote.format),
        "startup_seqno": node.startup_seqno,
        "state": "PartOfNetwork",
        "stop_notice": node.stop_notice.load(Relaxed),
    });
    of_state(json(&body), &tx)
}

/// How the service comes back after a restart, and what that means for whoever relies on it (D31).
fn resume(mode: ResumeMode, format: &str) -> Value {
    let platform = if format == "Insecure_Virtual" { "virtual" } else { "snp" };
    let mut resume = json!({ "mode": mode, "platform": platform });
    if let (Some(members), "virtual") = (resume.as_object_mut(), platform) {
        let warning = "There is no hardware protection: whoever runs the host can read everything and put an earlier \
                       state back.";
        members.insert("warning".into(), warning.into());
    }
    resume
}

/// `GET /node/self_signed_certificate`
pub(crate) fn self_signed_certificate(inside: &Inside, _: &Input) -> Answered {
    tell(json(&json!({ "self_signed_certificate": inside.service.node().certificates.shown().own.to_pem() })))
}

/// `GET /node/metrics`
pub(crate) fn metrics(inside: &Inside, _: &Input) -> Answered {
    let counts = inside.interfaces.iter().map(|interface| interface.counts());
    let (active, peak) = counts.fold((0, 0), |sum, counts| (sum.0 + counts.active, sum.1 + counts.peak));
    let interfaces = inside.interfaces.iter().map(|interface| (interface.name.clone(), describe(interface)));
    let interfaces: Map<String, Value> = interfaces.collect();
    tell(json(&json!({ "sessions": { "active": active, "interfaces": interfaces, "peak": peak } })))
}

fn describe(interface: &Interface) -> Value {
    let counts = interface.counts();
    json!({
        "active": counts.active,
        "errors": {
            "parsing": counts.parsing,
            "request_header_too_large": counts.header_too_large,
            "request_payload_too_large": counts.body_too_large,
        },
        "hard_cap": interface.hard_cap,
        "peak": counts.peak,
        "soft_cap": interface.soft_cap,
    })
}

/// `GET /node/jwt_keys/refresh/metrics`
pub(crate) fn jwt_refresh(inside: &Inside, _: &Input) -> Answered {
    let counts = inside.service.jwt_refresh().read();
    let body = json!({ "attempts": counts.attempts, "failures": counts.failures, "successes": counts.successes });
    tell(json(&body))
}

/// `GET /node/memory`: what the operating system says of the process; zeros where it says nothing.
pub(crate) fn memory(_: &Inside, _: &Input) -> Answered {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let (process, machine) = (read("/proc/self/status"), read("/proc/meminfo"));
    tell(json(&json!({
        "current_allocated_heap_size": kilobytes(&process, "VmRSS:"),
        "max_total_heap_size": kilobytes(&machine, "MemTotal:"),
        "peak_allocated_heap_size": kilobytes(&process, "VmHWM:"),
    })))
}

/// A line of the form `name: 123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.map_or(0, |number| number.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d31_a_virtual_node_says_what_it_does_not_promise() {
        let resume = resume(ResumeMode::Auto, "Insecure_Virtual");
        assert_eq!((&resume["mode"], &resume["platform"]), (&json!("auto"), &json!("virtual")));
        assert!(resume["warning"].as_str().unwrap().contains("read everything"));
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(kilobytes("Name:\tx\nVmRSS:\t   12 kB\n", "VmRSS:"), 12 * 1024);
        assert_eq!(kilobytes("", "VmRSS:"), 0);
    }
}
