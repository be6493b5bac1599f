//! Pure answers about certificates, keys and constitutions that scripts ask for.

use crypto::{Certificate, CryptoError, ForeignKey, Hash, Scheme, certificates_from_pem, wrap::check_encryption_key};
use rquickjs::{Function, Module, Value};

use super::{
    allowance::Allowance,
    script::{self, Interpreter},
    session::Session,
};
use crate::{RuntimeLimits, wire::Failure};

/// The functions a constitution must export, and how many parameters each may have.
const EXPORTS: [(&str, std::ops::RangeInclusive<usize>); 3] =
    [("validate", 1..=1), ("resolve", 3..=4), ("apply", 2..=2)];

/// Hex SHA-256 of the certificate's DER.
pub(super) fn pem_to_id(pem: &str) -> Result<String, String> {
    Certificate::from_pem(pem).map(|certificate| certificate.id()).map_err(|error| error.to_string())
}

/// Whether `pem` is one or more certificates.
pub(super) fn is_bundle(pem: &str) -> bool {
    certificates_from_pem(pem).is_ok_and(|certificates| !certificates.is_empty())
}

/// Whether each certificate of `chain` is issued by the next, and the last is or is issued by one of `trusted`.
pub(super) fn is_chain(chain: &str, trusted: &str) -> bool {
    let (Ok(chain), Ok(trusted)) = (certificates_from_pem(chain), certificates_from_pem(trusted)) else {
        return false;
    };
    let linked = chain.windows(2).all(|pair| matches!(pair, [leaf, issuer] if leaf.verify_issued_by(issuer).is_ok()));
    let anchored = chain
        .last()
        .is_some_and(|last| trusted.iter().any(|root| root.der() == last.der() || last.verify_issued_by(root).is_ok()));
    linked && anchored
}

/// Whether `pem` is a public key that recovery shares can be wrapped for.
pub(super) fn is_encryption_key(pem: &str) -> bool {
    check_encryption_key(pem).is_ok()
}

/// Whether a signature with SHA-256 verifies, for a scheme under the name that scripts use.
pub(super) fn is_signature(scheme: &str, key: &str, signature: &[u8], message: &[u8]) -> Result<bool, String> {
    let verified = ForeignKey::from_pem(key).and_then(|key| {
        let scheme = match (scheme, key.as_ecdsa()) {
            ("RSA-PSS", _) => Scheme::RsaPss(Hash::Sha256),
            ("ECDSA", Some(key)) => Scheme::EcdsaFixed(key.curve(), Hash::Sha256),
            ("ECDSA", None) => Scheme::ES256,
            _ => Scheme::Ed25519,
        };
        key.verify(scheme, message, signature)
    });
    match verified {
        Ok(()) => Ok(true),
        Err(CryptoError::Signature) => Ok(false),
        Err(why) => Err(format!("Failed to verify signature: {why}")),
    }
}

/// Checks that `text` can serve as a constitution, in an interpreter of its own so that it cannot touch this one.
pub(super) fn check_constitution(text: &str, now_ms: i64, allowance: Allowance) -> Result<(), String> {
    let session = Session::detached(now_ms, allowance);
    let interpreter = Interpreter::new(&session, RuntimeLimits::BASE).map_err(|failure| format!("{failure:?}"))?;
    interpreter
        .run(&session, |ctx| {
            let module = script::load(ctx, "constitution", text)?;
            EXPORTS.iter().try_for_each(|(name, parameters)| check_export(&module, name, parameters))
        })
        .map_err(|failure| explain(&failure))
}

fn check_export(
    module: &Module<'_, rquickjs::module::Evaluated>,
    name: &str,
    parameters: &std::ops::RangeInclusive<usize>,
) -> Result<(), Failure> {
    let value: Option<Value<'_>> = module.get(name).ok();
    let Some(function) = value.as_ref().and_then(Value::as_function) else {
        return Err(Failure::MissingExport { name: name.to_owned() });
    };
    let length = parameter_count(function);
    if length.is_some_and(|length| parameters.contains(&length)) {
        return Ok(());
    }
    let (least, most) = (parameters.start(), parameters.end());
    let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let number = length.map_or_else(|| "an unknown number".to_owned(), |length| length.to_string());
    Err(Failure::threw(format!("'{name}' must take {expected} arguments but takes {number}")))
}

fn parameter_count(function: &Function<'_>) -> Option<usize> {
    function.get("length").ok()
}

fn explain(failure: &Failure) -> String {
    let reason = match failure {
        Failure::Threw { reason, .. } | Failure::Compile { reason } => reason.clone(),
        Failure::MissingExport { name } => format!("it does not export a function '{name}'"),
        Failure::TimeLimit => "it takes too long to load".to_owned(),
        Failure::MemoryLimit => "it needs too much memory to load".to_owned(),
    };
    format!("the constitution is not valid: {reason}")
}
