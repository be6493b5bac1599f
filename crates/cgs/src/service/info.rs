use serde_json::json;

use crate::{
    context::{Context, Session},
    error::CliError,
    output::{Table, date},
};

/// Days before the end of a certificate from which on there is a warning.
const SOON: i64 = 14;

pub(super) async fn run(session: &Session, context: &Context) -> Result<(), CliError> {
    let service = &session.service;
    let info = service.service_info().await?;
    let node = service.node_state().await?;
    let application = service.application().await?;
    let quote = service.quote().await?;
    let committed = service.commit().await?;
    let members = service.members().await?;
    let certificate = crypto::Certificate::from_pem(&info.certificate)?;
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
    warn_of_end("service", &certificate, context);
    if let Some(peer) = service.connection().peer() {
        warn_of_end("node", &peer, context);
    }
    Ok(())
}

fn warn_of_end(what: &str, certificate: &crypto::Certificate, context: &Context) {
    let days = (certificate.not_after() - client::now()).div_euclid(86_400);
    if days < SOON {
        let ends = date(certificate.not_after());
        context.output.remark(format!("warning: the {what} certificate ends on {ends}; a vote can renew it"));
    }
}
