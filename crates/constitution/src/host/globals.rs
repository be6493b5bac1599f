//! The host functions, and the script that makes `ccf`, `Date` and the rest of them.
//!
//! Bytes go in as strings with one character per byte: the engine offers no safe way to look into an `ArrayBuffer`.

use rquickjs::{ArrayBuffer, Ctx, Exception, Function, Object, Result, Value, context::EvalOptions, prelude::Func};

use crate::{CertificateRequest, Context, Effect, RuntimeLimits};

use super::{
    facts, jwk, script,
    session::{Session, State},
    tables::{Refusal, Tables},
    tcb::TcbPolicy,
};

/// Builds the globals of one call.
pub(super) fn install(ctx: &Ctx<'_>, session: &Session) -> Result<()> {
    let host = Object::new(ctx.clone())?;
    install_tables(&host, session)?;
    install_conversions(&host)?;
    install_facts(&host, session)?;
    install_triggers(&host, session)?;
    install_token_keys(&host, session)?;
    install_certificates(&host, session)?;
    host.set("most", most(ctx)?)?;
    let random = session.clone();
    host.set("random", Func::from(move || random.with(|state| state.random.next())))?;
    #[expect(clippy::cast_precision_loss, reason = "dates of JavaScript are doubles")]
    host.set("now", session.with(|state| state.now_ms) as f64)?;
    host.set("applies", session.with(|state| state.context == Context::Apply))?;
    let mut options = EvalOptions::default();
    options.filename = Some("ccf".to_owned());
    let build: Function<'_> = ctx.eval_with_options(include_str!("prelude.js"), options)?;
    build.call((host,))
}

fn install_tables<'js>(host: &Object<'js>, session: &Session) -> Result<()> {
    let s = session.clone();
    host.set(
        "open",
        Func::from(move |ctx: Ctx<'js>, table: String| use_tables(&ctx, &s, |_| Tables::check_name(&table))),
    )?;
    let s = session.clone();
    host.set(
        "get",
        Func::from(move |ctx: Ctx<'js>, table: String, key: String| {
            let value = use_tables(&ctx, &s, |state| state.tables.get("get", &table, &bytes(&key)))?;
            value.map(|value| buffer(&ctx, &value)).transpose()
        }),
    )?;
    let s = session.clone();
    host.set(
        "has",
        Func::from(move |ctx: Ctx<'js>, table: String, key: String| {
            use_tables(&ctx, &s, |state| state.tables.get("has", &table, &bytes(&key))).map(|value| value.is_some())
        }),
    )?;
    let s = session.clone();
    host.set(
        "set",
        Func::from(move |ctx: Ctx<'js>, table: String, key: String, value: String| {
            use_tables(&ctx, &s, |state| state.tables.set(&table, bytes(&key), bytes(&value)))
        }),
    )?;
    let s = session.clone();
    host.set(
        "delete",
        Func::from(move |ctx: Ctx<'js>, table: String, key: String| {
            use_tables(&ctx, &s, |state| state.tables.delete(&table, bytes(&key)))
        }),
    )?;
    install_whole_tables(host, session)
}

fn install_whole_tables<'js>(host: &Object<'js>, session: &Session) -> Result<()> {
    let s = session.clone();
    host.set(
        "clear",
        Func::from(move |ctx: Ctx<'js>, table: String| use_tables(&ctx, &s, |state| state.tables.clear(&table))),
    )?;
    let s = session.clone();
    host.set(
        "size",
        Func::from(move |ctx: Ctx<'js>, table: String| {
            use_tables(&ctx, &s, |state| state.tables.entries("size", &table)).map(|entries| entries.len())
        }),
    )?;
    let s = session.clone();
    host.set(
        "entries",
        Func::from(move |ctx: Ctx<'js>, table: String| {
            let entries = use_tables(&ctx, &s, |state| state.tables.entries("forEach", &table))?;
            let pair = |(key, value): (Vec<u8>, Vec<u8>)| Ok(vec![buffer(&ctx, &key)?, buffer(&ctx, &value)?]);
            entries.into_iter().map(pair).collect::<Result<Vec<Vec<ArrayBuffer<'js>>>>>()
        }),
    )?;
    let s = session.clone();
    host.set(
        "version",
        Func::from(move |ctx: Ctx<'js>, table: String, key: String| {
            let seqno = use_tables(&ctx, &s, |state| state.tables.written(&table, &bytes(&key)))?;
            #[expect(clippy::cast_precision_loss, reason = "seqnos stay below 2^53")]
            Ok::<_, rquickjs::Error>(seqno.map(|seqno| seqno as f64))
        }),
    )
}

fn install_conversions<'js>(host: &Object<'js>) -> Result<()> {
    host.set("strToBuf", Func::from(|ctx: Ctx<'js>, text: String| buffer(&ctx, text.as_bytes())))?;
    host.set(
        "bufToStr",
        Func::from(|ctx: Ctx<'js>, text: String| {
            String::from_utf8(bytes(&text)).map_err(|_| Exception::throw_type(&ctx, "the bytes are not UTF-8 text"))
        }),
    )?;
    host.set("digest", Func::from(|ctx: Ctx<'js>, data: String| buffer(&ctx, &crypto::sha256(&bytes(&data)))))
}

fn install_facts<'js>(host: &Object<'js>, session: &Session) -> Result<()> {
    host.set(
        "pemToId",
        Func::from(|ctx: Ctx<'js>, pem: String| {
            facts::pem_to_id(&pem).map_err(|error| Exception::throw_message(&ctx, &error))
        }),
    )?;
    host.set(
        "tcbPolicy",
        Func::from(|ctx: Ctx<'js>, cpuid: String, version: String| {
            let policy = TcbPolicy::of(&cpuid, &version);
            policy.map_err(|text| Exception::throw_message(&ctx, &text))?.to_object(&ctx)
        }),
    )?;
    install_keys(host)?;
    host.set("isBundle", Func::from(|pem: String| facts::is_bundle(&pem)))?;
    host.set("isChain", Func::from(|chain: String, trusted: String| facts::is_chain(&chain, &trusted)))?;
    host.set("isEncryptionKey", Func::from(|pem: String| facts::is_encryption_key(&pem)))?;
    let s = session.clone();
    host.set(
        "validateConstitution",
        Func::from(move |ctx: Ctx<'js>, text: String| {
            let (busy, now_ms, allowance) = s.with(|state| (state.evaluating, state.now_ms, state.allowance));
            if busy {
                return Err(too_early(&ctx, "ccf.gov"));
            }
            facts::check_constitution(&text, now_ms, allowance).map_err(|text| Exception::throw_message(&ctx, &text))
        }),
    )
}

fn install_keys<'js>(host: &Object<'js>) -> Result<()> {
    let throw = |ctx: &Ctx<'js>, text: String| Exception::throw_message(ctx, &text);
    host.set(
        "pemToJwk",
        Func::from(move |ctx: Ctx<'js>, kty: String, pem: String, kid: Value<'js>| {
            let kid = if kid.is_undefined() { None } else { Some(kid.get::<String>()?) };
            jwk::from_pem(&kty, &pem, kid).map_err(|text| throw(&ctx, format!("Failed to convert pem to jwk: {text}")))
        }),
    )?;
    host.set(
        "jwkToPem",
        Func::from(move |ctx: Ctx<'js>, kty: String, jwk: String| {
            jwk::to_pem(&kty, &jwk).map_err(|text| throw(&ctx, format!("Failed to convert jwk to pem: {text}")))
        }),
    )?;
    host.set(
        "verify",
        Func::from(move |ctx: Ctx<'js>, scheme: String, key: String, signature: String, message: String| {
            facts::is_signature(&scheme, &key, &bytes(&signature), &bytes(&message)).map_err(|text| throw(&ctx, text))
        }),
    )
}

fn install_triggers<'js>(host: &Object<'js>, session: &Session) -> Result<()> {
    let s = session.clone();
    host.set(
        "trigger",
        Func::from(move |ctx: Ctx<'js>, name: String| {
            let effect = match name.as_str() {
                "rekey" => Effect::RekeyLedger,
                "shares" => Effect::RefreshRecoveryShares,
                "chunk" => Effect::ChunkLedger,
                "snapshot" => Effect::Snapshot,
                _ => return Err(Exception::throw_type(&ctx, "no such trigger")),
            };
            push(&ctx, &s, effect)
        }),
    )?;
    let s = session.clone();
    host.set(
        "openService",
        Func::from(move |ctx: Ctx<'js>, previous: Value<'js>, next: String| {
            let previous = if previous.is_undefined() { None } else { Some(previous.get::<String>()?) };
            push(&ctx, &s, Effect::TransitionServiceToOpen { previous, next })
        }),
    )
}

fn install_token_keys<'js>(host: &Object<'js>, session: &Session) -> Result<()> {
    let s = session.clone();
    host.set(
        "setTokenKeys",
        Func::from(move |ctx: Ctx<'js>, issuer: String, jwks: String| {
            let jwks = script::parse(&jwks)
                .map_err(|why| Exception::throw_type(&ctx, &format!("the JWK set is not usable: {why}")))?;
            push(&ctx, &s, Effect::SetJwtPublicSigningKeys { issuer, jwks })
        }),
    )?;
    let s = session.clone();
    host.set(
        "removeTokenKeys",
        Func::from(move |ctx: Ctx<'js>, issuer: String| push(&ctx, &s, Effect::RemoveJwtPublicSigningKeys { issuer })),
    )
}

fn install_certificates<'js>(host: &Object<'js>, session: &Session) -> Result<()> {
    let s = session.clone();
    host.set(
        "endorse",
        Func::from(move |ctx: Ctx<'js>, request: String, valid_from: String, days: f64| {
            let wanted = CertificateRequest::Endorsed { request, valid_from, days: whole_days(&ctx, days)? };
            use_tables(&ctx, &s, |state| state.tables.certificate(wanted))
        }),
    )?;
    let s = session.clone();
    host.set(
        "renew",
        Func::from(move |ctx: Ctx<'js>, valid_from: String, days: f64| {
            let wanted = CertificateRequest::Network { valid_from, days: whole_days(&ctx, days)? };
            use_tables(&ctx, &s, |state| state.tables.certificate(wanted))
        }),
    )
}

fn whole_days(ctx: &Ctx<'_>, days: f64) -> Result<u32> {
    if days.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&days) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was just checked")]
        return Ok(days as u32);
    }
    Err(Exception::throw_range(ctx, "a certificate is valid for a whole number of days, at least 1"))
}

/// The limits beyond which no vote can raise those of scripts, under the names that `js_runtime_options` has for them.
fn most<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let (most, limits) = (Object::new(ctx.clone())?, RuntimeLimits::MOST);
    most.set("max_heap_bytes", limits.heap_bytes())?;
    most.set("max_stack_bytes", limits.stack_bytes())?;
    most.set("max_execution_time_ms", u32::try_from(limits.time().as_millis()).unwrap_or(u32::MAX))?;
    Ok(most)
}

fn push(ctx: &Ctx<'_>, session: &Session, effect: Effect) -> Result<()> {
    if session.with(|state| state.evaluating || state.context != Context::Apply) {
        return Err(too_early(ctx, "ccf.node"));
    }
    session.push_effect(effect).map_err(|text| Exception::throw_message(ctx, &text))
}

/// Runs a table function, or throws what it refuses.
fn use_tables<T>(
    ctx: &Ctx<'_>,
    session: &Session,
    work: impl FnOnce(&mut State) -> std::result::Result<T, Refusal>,
) -> Result<T> {
    if session.with(|state| state.evaluating) {
        return Err(too_early(ctx, "ccf.kv"));
    }
    session.with(work).map_err(|refusal| match refusal {
        Refusal::Type(text) => Exception::throw_type(ctx, &text),
        Refusal::Other(text) => Exception::throw_message(ctx, &text),
    })
}

fn too_early(ctx: &Ctx<'_>, what: &str) -> rquickjs::Error {
    Exception::throw_message(ctx, &format!("{what} cannot be used while the module is evaluated"))
}

fn buffer<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new_copy(ctx.clone(), bytes)
}

/// The bytes of a string with one character per byte. The prelude makes nothing else.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}
