//! The service itself: status, settings, constitution, and what `/gov/service` tells about them.

use api::{ApiError, Body, Output, Query};
use crypto::Certificate;
use kv::{Tx, TxId};
use ledger::tables;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{ConsortiumError, json::answer, stored};

/// Days that a certificate of a node or the service may last unless configured otherwise (CCF).
pub const DEFAULT_MAXIMUM_VALIDITY_DAYS: u64 = 365;
/// How many recent proposals are remembered against replay unless configured otherwise (CCF).
pub const DEFAULT_RECENT_PROPOSALS: u64 = 100;

/// The state of a service (`service.info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceStatus {
    /// New; the application is not served yet.
    Opening,
    /// The application is served.
    Open,
    /// Recovered from its ledger; private state is not readable yet.
    Recovering,
    /// Members submit their recovery shares.
    WaitingForRecoveryShares,
}

/// The record in `service.info`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// Certificate of the service, PEM.
    pub cert: String,
    /// The transaction that founded the service or its last recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_service_create_txid: Option<String>,
    /// Seqno of the record of the previous identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_service_identity_version: Option<u64>,
    /// How often the service was recovered.
    #[serde(default)]
    pub recovery_count: u64,
    /// What the operator noted about the service.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub service_data: Value,
    /// The state of the service.
    pub status: ServiceStatus,
}

/// The record in `service.config`; absent settings have their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceConfiguration {
    /// Longest validity of a node's certificate, in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_node_certificate_validity_days: Option<u64>,
    /// Longest validity of the service's certificate, in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_service_certificate_validity_days: Option<u64>,
    /// How many recent proposals are remembered against replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent_cose_proposals_window_size: Option<u64>,
    /// Kept for CCF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconfiguration_type: Option<String>,
    /// How many recovery shares give the secret.
    #[serde(default)]
    pub recovery_threshold: u64,
}

/// The record of the service.
///
/// # Errors
/// [`ConsortiumError::Stored`], also if there is no service yet.
pub fn record(tx: &mut Tx) -> Result<ServiceInfo, ConsortiumError> {
    stored::single(tx, tables::SERVICE_INFO)?.ok_or_else(|| missing(tables::SERVICE_INFO))
}

/// The state of the service.
///
/// # Errors
/// As [`record`].
pub fn status(tx: &mut Tx) -> Result<ServiceStatus, ConsortiumError> {
    record(tx).map(|record| record.status)
}

/// The settings of the service.
///
/// # Errors
/// [`ConsortiumError::Stored`]
pub fn configuration(tx: &mut Tx) -> Result<ServiceConfiguration, ConsortiumError> {
    Ok(stored::single(tx, tables::SERVICE_CONFIG)?.unwrap_or_default())
}

pub(crate) fn recovery_threshold(tx: &mut Tx) -> Result<u64, ConsortiumError> {
    configuration(tx).map(|configuration| configuration.recovery_threshold)
}

/// The text of the constitution.
///
/// # Errors
/// [`ConsortiumError::Stored`], also if there is none.
pub fn constitution_text(tx: &mut Tx) -> Result<String, ConsortiumError> {
    stored::single(tx, tables::CONSTITUTION)?.ok_or_else(|| missing(tables::CONSTITUTION))
}

/// Checks a record of the service that was written: a service keeps its key, without which it could not start again.
///
/// # Errors
/// [`ConsortiumError::Stored`]
pub(crate) fn check(tx: &mut Tx) -> Result<(), ConsortiumError> {
    let before = record(&mut Tx::new(tx.base().clone()))?;
    let key =
        |record: &ServiceInfo| Certificate::from_pem(&record.cert).and_then(|certificate| certificate.public_key());
    let why = match (key(&before), key(&record(tx)?)) {
        (Ok(before), Ok(after)) if before == after => return Ok(()),
        (_, Ok(_)) => "the certificate is for another key than that of the service".to_owned(),
        (_, Err(why)) => why.to_string(),
    };
    Err(ConsortiumError::Stored { table: tables::SERVICE_INFO, why })
}

fn missing(table: &'static str) -> ConsortiumError {
    ConsortiumError::Stored { table, why: "it is empty".into() }
}

/// `GET /gov/service/info`. `view_of` knows the view of earlier transactions by seqno.
///
/// # Errors
/// 500 if a record is damaged.
pub fn info(tx: &mut Tx, view_of: &dyn Fn(u64) -> Option<u64>) -> Result<Output, ApiError> {
    let info = record(tx)?;
    let mut body = Map::new();
    body.insert("certificate".into(), info.cert.into());
    body.insert("configuration".into(), describe(&configuration(tx)?));
    if let Some(created) = info.current_service_create_txid {
        body.insert("creationTransactionId".into(), created.into());
    }
    if let Some(seqno) = info.previous_service_identity_version {
        let created = TxId::new(view_of(seqno).unwrap_or_default(), seqno);
        body.insert("previousServiceCreationTransactionId".into(), created.to_string().into());
    }
    body.insert("recoveryCount".into(), info.recovery_count.into());
    body.insert("serviceData".into(), info.service_data);
    body.insert("status".into(), json!(info.status));
    Ok(answer(&Value::Object(body)))
}

fn describe(configuration: &ServiceConfiguration) -> Value {
    let validity = |days: Option<u64>| days.unwrap_or(DEFAULT_MAXIMUM_VALIDITY_DAYS);
    json!({
        "maximumNodeCertificateValidityDays": validity(configuration.maximum_node_certificate_validity_days),
        "maximumServiceCertificateValidityDays": validity(configuration.maximum_service_certificate_validity_days),
        "recentCoseProposalsWindowSize":
            configuration.recent_cose_proposals_window_size.unwrap_or(DEFAULT_RECENT_PROPOSALS),
        "recoveryThreshold": configuration.recovery_threshold,
    })
}

/// `GET /gov/service/constitution`
///
/// # Errors
/// 404 `ResourceNotFound` if there is none.
pub fn constitution(tx: &mut Tx) -> Result<Output, ApiError> {
    let text = constitution_text(tx).map_err(|_| ApiError::not_found("ResourceNotFound", "Constitution not found"))?;
    Ok(Output::new(200, Body::JavaScript(text)))
}

/// `GET /gov/service/javascript-app`: an empty application, since applications are not installed by vote (D2).
///
/// # Errors
/// 400 `InvalidQueryParameterValue` for another `case` than `original`.
pub fn javascript_app(query: &Query) -> Result<Output, ApiError> {
    if query.get("case").is_some_and(|case| case != "original") {
        let message = "Accepted values for the 'case' query parameter are: original";
        return Err(ApiError::bad_request("InvalidQueryParameterValue", message));
    }
    Ok(answer(&json!({ "endpoints": {} })))
}

/// `GET /gov/service/javascript-modules`: none (D2).
#[must_use]
pub fn javascript_modules() -> Output {
    answer(&json!({ "value": [] }))
}

/// `GET /gov/service/javascript-modules/{moduleName}`: `name` is percent-decoded.
///
/// # Errors
/// Always 404 `ResourceNotFound` (D2).
pub fn javascript_module(name: &str) -> Result<Output, ApiError> {
    Err(ApiError::not_found("ResourceNotFound", format!("Module {name} does not exist.")))
}

/// `GET /gov/service/transactions/{transactionId}`. `status` is what the node knows: `Committed`, `Invalid`, `Pending` or
/// `Unknown`.
///
/// # Errors
/// 400 `InvalidQueryParameterValue` for a text that is no transaction id.
pub fn transaction(text: &str, status: &dyn Fn(TxId) -> &'static str) -> Result<Output, ApiError> {
    let Ok(id) = text.parse::<TxId>() else {
        let message = format!(
            "The value '{text}' passed as parameter 'transactionId' could not be converted to a valid Transaction ID."
        );
        return Err(ApiError::bad_request("InvalidQueryParameterValue", message));
    };
    Ok(answer(&json!({ "status": status(id), "transactionId": id.to_string() })))
}

/// `GET /gov/service/transactions/commit`
#[must_use]
pub fn transaction_commit(committed: TxId) -> Output {
    answer(&json!({ "status": "Committed", "transactionId": committed.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Consortium, body};

    #[test]
    fn info_has_the_recorded_members() {
        let consortium = Consortium::accepted(3);
        let info = body(&info(&mut consortium.tx(), &|_| None).unwrap());
        let names: Vec<&str> = info.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["certificate", "configuration", "creationTransactionId", "recoveryCount", "serviceData", "status"]
        );
        assert_eq!(info["configuration"]["recentCoseProposalsWindowSize"], 100);
        assert_eq!(info["configuration"]["maximumNodeCertificateValidityDays"], 365);
        assert_eq!(info["configuration"]["recoveryThreshold"], 1);
        assert_eq!((&info["status"], &info["serviceData"]), (&json!("Opening"), &Value::Null));
        assert_eq!(info["creationTransactionId"], "2.1");
    }

    #[test]
    fn the_constitution_is_read_back_exactly() {
        let consortium = Consortium::accepted(1);
        let read = constitution(&mut consortium.tx()).unwrap();
        assert_eq!(read.body, Body::JavaScript(crate::testing::CONSTITUTION.into()));
        let error = constitution(&mut Tx::new(kv::State::default())).unwrap_err();
        assert_eq!((error.status, error.code), (404, "ResourceNotFound"));
    }

    #[test]
    fn d02_there_is_no_hosted_application() {
        assert_eq!(body(&javascript_app(&Query::parse("case=original")).unwrap()), json!({"endpoints": {}}));
        assert_eq!(javascript_app(&Query::parse("case=x")).unwrap_err().code, "InvalidQueryParameterValue");
        assert_eq!(body(&javascript_modules()), json!({"value": []}));
        assert_eq!(javascript_module("nope.js").unwrap_err().message, "Module nope.js does not exist.");
    }

    #[test]
    fn transactions_are_described() {
        let known = |id: TxId| if id == TxId::new(2, 5) { "Committed" } else { "Unknown" };
        assert_eq!(body(&transaction("2.5", &known).unwrap()), json!({"status": "Committed", "transactionId": "2.5"}));
        assert_eq!(body(&transaction("2.999999", &known).unwrap())["status"], "Unknown");
        let error = transaction("abc", &known).unwrap_err();
        assert_eq!(
            error.message,
            "The value 'abc' passed as parameter 'transactionId' could not be converted to a valid Transaction ID."
        );
        assert_eq!(body(&transaction_commit(TxId::new(2, 7)))["transactionId"], "2.7");
    }
}
