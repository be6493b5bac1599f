use client::assessment::expiry;
use crypto::Certificate;
use serde_json::json;

use crate::{
    context::{Context, Session},
    error::CliError,
    output::{Table, date},
};

pub(super) async fn run(session: &Session, context: &Context) -> Result<(), CliError> {
    let service = &session.service;
    let info = service.service_info().await?;
    let node = service.node_state().await?;
    let application = service.application().await?;
    let quote = service.quote().await?;
    let committed = service.commit().await?;
    let members = service.members().await?;
    let certificate = Certificate::from_pem(&info.certificate)?;
    let warnings = warnings(&certificate, service.connection().peer().as_ref());
    let resume = node.resume.as_ref().map_or("unknown", |resume| resume.mode.as_str());
    let value = json!({
        "url": service.connection().url(),
        "service": info,
        "node": node,
        "application": application,
        "platform": quote.format,
        "committed": committed.to_string(),
        "serviceCertificateEnds": date(certificate.not_after()),
        "nodeCertificateEnds": service.connection().peer().map(|peer| date(peer.not_after())),
        "warnings": warnings,
    });
    context.output.show(&value, || {
        let mut table = Table::pairs();
        table.pair("service", service.connection().url());
        table.pair("status", &info.status);
        table.pair("certificate", format!("{}, until {}", certificate.id(), date(certificate.not_after())));
        if let Some(peer) = service.connection().peer() {
            table.pair(
                "node",
                format!("{} ({}), certificate until {}", node.node_id, node.state, date(peer.not_after())),
            );
        }
        table.pair("platform", format!("{}, resume: {resume}", quote.format));
        table.pair("application", format!("{} {}, build {}", application.name, application.version, application.build));
        table.pair("committed", committed);
        let active = members.iter().filter(|member| member.is_active()).count();
        table.pair("members", format!("{active} active of {}", members.len()));
        table.pair("recovery", format!("{} share(s) needed", info.configuration.recovery_threshold));
        table.to_string()
    })?;
    for warning in &warnings {
        context.output.remark(format!("warning: {warning}"));
    }
    Ok(())
}

/// What somebody should do something about (D38).
fn warnings(service: &Certificate, node: Option<&Certificate>) -> Vec<String> {
    let now = client::now();
    let renew =
        |what: &str, command: &str| format!("the {what} certificate {{}}. A vote renews it: cgs service set {command}");
    let warn = |certificate: &Certificate, text: String| expiry(certificate, now).map(|ends| text.replace("{}", &ends));
    let service = warn(service, renew("service", "certificate-validity"));
    let node = node.and_then(|node| warn(node, renew("node", "node-certificate-validity")));
    service.into_iter().chain(node).collect()
}
