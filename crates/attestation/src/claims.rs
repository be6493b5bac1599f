//! What verified evidence says, under the names that clean room policies use (cgs-app 3.3 and 3.4).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{Virtual, cvm, snp, uvm};

/// Claims by name. Values have the JSON type that policies compare with.
pub type Claims = BTreeMap<String, Value>;

/// The claims of a SEV-SNP report, with those of the endorsement of its utility VM where there is one.
#[must_use]
pub fn of_snp(report: &snp::Report, endorsement: Option<&uvm::Endorsement>) -> Claims {
    let (r, s) = report.signature().unwrap_or(([0; 48], [0; 48]));
    let mut claims = Claims::from([
        ("x-ms-ver".to_owned(), report.version().to_string().into()),
        ("signature-r".to_owned(), little_endian(r).into()),
        ("signature-s".to_owned(), little_endian(s).into()),
    ]);
    let mut put = |name: &str, value: Value| claims.insert(format!("x-ms-sevsnpvm-{name}"), value);
    put("guestsvn", report.guest_svn().into());
    put("vmpl", report.vmpl().into());
    put("smt-allowed", report.policy().smt().into());
    put("is-debuggable", report.policy().debug().into());
    put("familyId", hex::encode(report.family_id()).into());
    put("imageId", hex::encode(report.image_id()).into());
    put("reportdata", hex::encode(report.report_data()).into());
    put("launchmeasurement", hex::encode(report.measurement()).into());
    put("hostdata", hex::encode(report.host_data()).into());
    put("idkeydigest", hex::encode(report.id_key_digest()).into());
    put("authorkeydigest", hex::encode(report.author_key_digest()).into());
    put("reportid", hex::encode(report.report_id()).into());
    for (name, value) in endorsement.iter().flat_map(|one| [("did", &one.did), ("feed", &one.feed), ("svn", &one.svn)])
    {
        claims.insert(format!("uvm_endorsements-{name}"), value.as_str().into());
    }
    claims
}

/// What a policy for virtual machines can name of the paravisor, beside the registers. None of these names is one of a
/// container's claims, so that no policy is met by evidence of another kind.
pub const PARAVISOR: [&str; 6] = [
    "paravisor-authorkeydigest",
    "paravisor-familyId",
    "paravisor-guestsvn",
    "paravisor-idkeydigest",
    "paravisor-imageId",
    "paravisor-launchmeasurement",
];

/// The claims of a virtual machine: its registers, in base64, and what the processor says of its paravisor.
#[must_use]
pub fn of_cvm(verified: &cvm::Verified) -> Claims {
    let registers = verified.pcrs.iter().map(|(number, value)| (format!("pcr{number}"), STANDARD.encode(value).into()));
    let report = &verified.snp.report;
    let values: [Value; 6] = [
        hex::encode(report.author_key_digest()).into(),
        hex::encode(report.family_id()).into(),
        report.guest_svn().into(),
        hex::encode(report.id_key_digest()).into(),
        hex::encode(report.image_id()).into(),
        hex::encode(report.measurement()).into(),
    ];
    registers.chain(PARAVISOR.map(str::to_owned).into_iter().zip(values)).collect()
}

/// The claims of a process without protection. No policy can name them: they are on no list of claims that may be asked for.
#[must_use]
pub fn of_virtual(evidence: &Virtual) -> Claims {
    Claims::from([
        ("virtual-measurement".to_owned(), evidence.measurement.as_str().into()),
        ("virtual-hostdata".to_owned(), hex::encode(evidence.host_data).into()),
        ("virtual-reportdata".to_owned(), hex::encode(&evidence.report_data).into()),
    ])
}

/// A number as it stands in the report: 72 bytes.
fn little_endian(mut number: [u8; 48]) -> String {
    number.reverse();
    hex::encode([&number[..], &[0; 24]].concat())
}
