//! `cgs attestation`, offline

mod text;
mod verdict;

use std::path::{Path, PathBuf};

use ::attestation::{
    Caci, Check, Document, Rejection,
    policy::{self, Explanation, Policy},
    snp,
};
use serde_json::Value;
use verdict::Verdict;

use crate::{context::Context, data, error::CliError};

/// What can be done with evidence.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Verify(VerifyArgs),
}

/// Verify evidence of a clean room, and say what it proves
///
/// Needs nothing but the file: AMD's roots are built in, and the dates of certificates do not
/// matter. FILE is an attestation.json, the `attestation` of a request, the answer of an agent,
/// or a bare report of 1184 bytes with its chain beside it. Each check is shown with its
/// outcome; then the claims, compared with a policy, one by one; then whether a key is bound.
///
/// A policy is an object of lists, alone or as `policy` or `claims` of another object (what
/// `cleanroompolicy` answers, and what is proposed). Of several policies one must be met.
///
///   cgs attestation verify attestation.json
///   cgs attestation verify attestation.json --policy policy.json --key pub_key.pem
///   cgs attestation verify report.bin --chain chain.pem --output json
///
/// Exit codes: 0 verified, and policy and key fit; 13 verified, but the policy is not met or the
/// key not bound; 14 not verified; 1 a file cannot be read; 2 the arguments are not understood.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    /// The evidence; `-` reads standard input
    file: PathBuf,
    /// The chain of a bare report: the certificates of chip, intermediate and root, PEM
    #[arg(long, value_name = "PEM")]
    chain: Option<PathBuf>,
    /// Claims that the evidence must have; may be said several times
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// The public key that the evidence must bind, PEM, byte for byte as it is sent
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
}

pub(crate) fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    let Verb::Verify(args) = verb;
    let document = document(args)?;
    let policies = args.policy.iter().map(|file| policy(file)).collect::<Result<Vec<_>, _>>()?;
    let key = args.key.as_deref().map(data::bytes).transpose()?;
    let mut verdict = Verdict::of(document);
    if let Some(proven) = &verdict.proven {
        verdict.policy = explain(&policies, &proven.claims);
        verdict.key = key.map(|pem| proven.bound.check_key(&pem));
    }
    context.output.show(&verdict.to_json(), || text::of(&verdict, &args.file))?;
    verdict.exit().map_or(Ok(()), |exit| Err(CliError::Verdict(exit)))
}

/// The evidence of a file. What is wrong with its form is part of the verdict.
fn document(args: &VerifyArgs) -> Result<Result<Document, Rejection>, CliError> {
    let bytes = data::bytes(&args.file)?;
    if let Some(chain) = &args.chain {
        let chain = data::text(chain)?;
        return Ok(Ok(Document::Caci(Caci { report: bytes, chain, uvm_endorsements: None, endorsed_tcb: None })));
    }
    if bytes.len() == snp::SIZE && bytes.first() != Some(&b'{') {
        let text = format!("{} is a bare report: say --chain, and where its certificates are", args.file.display());
        return Err(CliError::usage(text));
    }
    Ok(Document::from_json(&bytes))
}

/// A policy with the name of its file.
fn policy(file: &Path) -> Result<(String, Policy), CliError> {
    let mut object = data::object(file)?;
    let inner = ["policy", "claims"].into_iter().find(|name| object.get(*name).is_some_and(Value::is_object));
    if let Some(Value::Object(inner)) = inner.and_then(|name| object.remove(name)) {
        object = inner;
    }
    let name = file.display().to_string();
    let policy = Policy::from_json(&object).map_err(|why| CliError::usage(format!("{name}: {why}")))?;
    Ok((name, policy))
}

fn explain(policies: &[(String, Policy)], claims: &::attestation::Claims) -> Option<Explanation> {
    let named: Vec<(&str, &Policy)> = policies.iter().map(|(name, policy)| (name.as_str(), policy)).collect();
    (!named.is_empty()).then(|| policy::explain(&named, claims))
}

/// The check of the form, which comes before all others.
const FORM: Check = Check::DocumentFormat;
