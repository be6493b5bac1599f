//! Scripts in real child processes: what they see, what they may do, and how they are refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use std::{thread, time::Duration};

use common::{Memory, body, call, pool, run, run_in, threw};
use constitution::{Context, Effect, ScriptError, TableWrite};
use serde_json::{Value, json};

const GOV: &str = "public:ccf.gov.x";

fn value(text: &str) -> Value {
    run(&body(text)).unwrap().value
}

#[test]
fn values_go_in_and_out() {
    let mut call = call("export function f(a, b, c) { return [c, b, a, undefined, () => 1] }");
    call.arguments = vec![json!({"__proto__": 1, "k\u{0}é": [1.5, null, true]}), json!("x"), json!(-3)];
    let value = run(&call).unwrap().value;
    assert_eq!(value, json!([-3, "x", {"__proto__": 1, "k\u{0}é": [1.5, null, true]}, null, null]));
    assert_eq!(run(&body("")).unwrap().value, Value::Null);
}

#[test]
fn exceptions_carry_reason_and_trace() {
    let result = run(&call("export function f() { throw new Error('boom') }"));
    let Err(ScriptError::Threw { reason, trace }) = result else { panic!("{result:?}") };
    assert_eq!(reason, "Error: boom");
    assert!(trace.unwrap().starts_with("    at f (test[0]:1:"));
    assert_eq!(threw(run(&body("throw 'plain'"))), "plain");
    assert_eq!(threw(run(&body("null.x"))), "TypeError: cannot read property 'x' of null");
    assert_eq!(threw(run(&body("return 1n"))), "TypeError: BigInt are forbidden in JSON.stringify");
    assert!(threw(run(&body("throw {toString() { throw 1 }}"))).contains("without a text"));
    assert_eq!(threw(run(&body("throw 'é'.repeat(1e6)"))).chars().count(), 2049);
}

#[test]
fn an_asynchronous_no_is_not_a_yes() {
    for text in ["export async function f() { return false }", "export function f() { return Promise.resolve(false) }"]
    {
        assert_eq!(threw(run(&call(text))), "TypeError: f returned a promise, and nobody waits for it here");
    }
}

#[test]
fn modules_that_do_not_work() {
    let compile = |text: &str| match run(&call(text)) {
        Err(ScriptError::Compile { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(compile("this is not js").starts_with("SyntaxError"));
    assert!(compile("import x from 'y'; export function f() {}").contains("y"));
    for text in ["", "function f() {}", "export const f = 1;", "export function g() {}"] {
        assert_eq!(run(&call(text)), Err(ScriptError::MissingExport { name: "f".to_owned() }), "{text}");
    }
    assert_eq!(threw(run(&call("throw new Error('top'); export function f() {}"))), "Error: top");
    let early = "ccf.kv['public:ccf.gov.x'].size; export function f() {}";
    assert_eq!(threw(run(&call(early))), "Error: ccf.kv cannot be used while the module is evaluated");
    assert!(threw(run(&call("await new Promise(() => {}); export function f() {}"))).contains("promise"));
}

#[test]
fn each_call_starts_fresh() {
    let pool = pool();
    let call = call("let n = 0; export function f() { globalThis.m = (globalThis.m ?? 0) + 1; return ++n + m }");
    for _ in 0..3 {
        assert_eq!(run_in(&pool, &call, &mut Memory::default()).unwrap().value, json!(2));
    }
}

#[test]
fn tables_show_own_writes() {
    let mut tables = Memory::default();
    tables.put(GOV, b"a", b"1");
    tables.put(GOV, b"b", b"2");
    let text = "
        const t = ccf.kv['public:ccf.gov.x'], k = ccf.strToBuf, s = (v) => v === undefined ? v : ccf.bufToStr(v);
        const seen = [];
        seen.push(t.has(k('a')), s(t.get(k('a'))), t.get(k('z')) === undefined, t.size);
        t.set(k('c'), k('3')).set(k('a'), k('one'));
        seen.push(s(t.get(k('a'))), t.has(k('c')), t.size);
        t.forEach((v, key, map) => { seen.push(s(key) + s(v)); map.delete(key); map.set(k('d'), k('4')); });
        seen.push(t.size, t.has(k('b')), t.getVersionOfPreviousWrite(k('a')), t.getVersionOfPreviousWrite(k('d')) === undefined);
        return seen;";
    let mut call = body(text);
    call.context = Context::Apply;
    let outcome = run_in(&pool(), &call, &mut tables).unwrap();
    assert_eq!(outcome.value, json!([true, "1", true, 2, "one", true, 3, "aone", "b2", "c3", 1, false, 7, true]));
    let write = |key: &[u8], value: Option<&[u8]>| TableWrite {
        table: GOV.to_owned(),
        key: key.to_vec(),
        value: value.map(<[u8]>::to_vec),
    };
    let expected = [write(b"a", None), write(b"b", None), write(b"c", None), write(b"d", Some(b"4"))];
    assert_eq!(outcome.writes, expected);
}

#[test]
fn clear_removes_everything() {
    let mut tables = Memory::default();
    tables.put(GOV, b"a", b"1");
    let mut call = body(
        "const t = ccf.kv['public:ccf.gov.x']; t.set(ccf.strToBuf('b'), ccf.strToBuf('')); t.clear(); return t.size",
    );
    call.context = Context::Apply;
    let outcome = run_in(&pool(), &call, &mut tables).unwrap();
    assert_eq!(outcome.value, json!(0));
    assert!(outcome.writes.iter().all(|write| write.value.is_none()));
    assert_eq!(outcome.writes.len(), 2);
}

#[test]
fn any_bytes_pass_through_tables() {
    let mut tables = Memory::default();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    tables.put(GOV, &bytes[..300], &bytes);
    let mut call = body(
        "const t = ccf.kv['public:ccf.gov.x']; t.forEach((v, k) => { t.set(v, k); }); return ccf.bufToStr(ccf.strToBuf('é\\u0000'))",
    );
    call.context = Context::Apply;
    let outcome = run_in(&pool(), &call, &mut tables).unwrap();
    assert_eq!(outcome.value, json!("é\u{0}"));
    let expected = TableWrite { table: GOV.to_owned(), key: bytes.clone(), value: Some(bytes[..300].to_vec()) };
    assert_eq!(outcome.writes, [expected]);
}

#[test]
fn long_listings_come_in_pages() {
    let mut tables = Memory::default();
    for number in 0..60_u32 {
        tables.put(GOV, &number.to_be_bytes(), &vec![7; 100_000]);
    }
    let mut call = body("let n = 0; ccf.kv['public:ccf.gov.x'].forEach((v) => { n += v.byteLength }); return n");
    assert_eq!(run_in(&pool(), &call, &mut tables).unwrap().value, json!(6_000_000));
    for number in 60..400_u32 {
        tables.put(GOV, &number.to_be_bytes(), &vec![7; 100_000]);
    }
    call.module_text.push(' ');
    let error = threw(run_in(&pool(), &call, &mut tables));
    assert_eq!(error, "Error: a script may read at most 33554432 bytes of tables");
}

#[test]
fn what_a_context_may_not_do() {
    let denied = |method: &str, table: &str, access: &str, context: &str| {
        format!(
            "TypeError: Cannot call \"{method}\" on table named {table}. This table is {access} in current ({context}) \
             execution context. See https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html for more detail."
        )
    };
    let read = "read-only governance";
    let write = "read-write governance";
    for (context, table, action, expected) in [
        (Context::ReadOnly, GOV, "set(k, k)", Some(denied("set", GOV, "read-only", read))),
        (Context::ReadOnly, GOV, "delete(k)", Some(denied("delete", GOV, "read-only", read))),
        (Context::ReadOnly, GOV, "clear()", Some(denied("clear", GOV, "read-only", read))),
        (Context::ReadOnly, GOV, "get(k)", None),
        (Context::ReadOnly, "public:ccf.internal.tree", "get(k)", None),
        (Context::ReadOnly, "public:app", "get(k)", Some(denied("get", "public:app", "inaccessible", read))),
        (Context::ReadOnly, "private", "size", Some(denied("size", "private", "inaccessible", read))),
        (Context::Apply, "private", "set(k, k)", Some(denied("set", "private", "inaccessible", write))),
        (Context::Apply, "public:app", "set(k, k)", None),
        (Context::Apply, "public:app", "has(k)", Some(denied("has", "public:app", "write-only", write))),
        (Context::Apply, "public:app", "clear()", Some(denied("clear", "public:app", "write-only", write))),
        (
            Context::Apply,
            "public:ccf.internal.tree",
            "set(k, k)",
            Some(denied("set", "public:ccf.internal.tree", "read-only", write)),
        ),
        (
            Context::Apply,
            "ccf.foo",
            "x",
            Some("Error: Map name 'ccf.foo' includes disallowed reserved prefix 'ccf.'".to_owned()),
        ),
        (
            Context::Apply,
            "public:cgs.resume_mode",
            "set(k, k)",
            Some(
                "Error: Map name 'public:cgs.resume_mode' includes disallowed reserved prefix 'public:cgs.'".to_owned(),
            ),
        ),
    ] {
        let mut call = body(&format!("const k = ccf.strToBuf('k'); ccf.kv['{table}'].{action};"));
        call.context = context;
        let result = run(&call);
        match expected {
            Some(text) => assert_eq!(threw(result), text),
            None => assert!(result.is_ok(), "{action} on {table}: {result:?}"),
        }
    }
}

#[test]
fn keys_and_values_must_be_buffers() {
    for action in ["get('a')", "get(new Uint8Array(1))", "has()", "getVersionOfPreviousWrite({})"] {
        assert_eq!(
            threw(run(&body(&format!("ccf.kv['{GOV}'].{action}")))),
            "TypeError: Argument must be an ArrayBuffer"
        );
    }
}

#[test]
fn triggers_work_in_apply_only() {
    let text = "ccf.node.triggerLedgerChunk(); ccf.node.triggerSnapshot(); ccf.node.triggerLedgerRekey(); ccf.node.triggerRecoverySharesRefresh();
        ccf.node.transitionServiceToOpen(undefined, 'B'); ccf.node.transitionServiceToOpen('A', ccf.strToBuf('B')); return ccf.network.getLatestLedgerSecretSeqno()";
    let mut call = body(text);
    assert_eq!(threw(run(&call)), "TypeError: cannot read property 'triggerLedgerChunk' of undefined");
    call.context = Context::Apply;
    let outcome = run(&call).unwrap();
    let open = |previous: Option<&str>| Effect::TransitionServiceToOpen {
        previous: previous.map(str::to_owned),
        next: "B".to_owned(),
    };
    assert_eq!(outcome.value, json!(1));
    assert_eq!(
        outcome.effects,
        [
            Effect::ChunkLedger,
            Effect::Snapshot,
            Effect::RekeyLedger,
            Effect::RefreshRecoveryShares,
            open(None),
            open(Some("A"))
        ]
    );
    call.module_text = "export function f() { for (let i = 0; i < 100; i++) ccf.node.triggerSnapshot() }".to_owned();
    assert_eq!(threw(run(&call)), "Error: a script may trigger at most 64 things");
}

#[test]
fn crypto_functions() {
    let key = crypto::SigningKey::generate(crypto::Curve::P384).unwrap();
    let validity = crypto::issue::Validity { from: 1_700_000_000, days: 90 };
    let certificate = crypto::issue::service_certificate(&key, "x", validity).unwrap();
    let mut call = call(
        "export function f(pem, bad) { const c = ccf.crypto; return [ccf.pemToId(pem), c.isValidX509CertBundle(pem), c.isValidX509CertBundle(pem + pem), c.isValidX509CertBundle(bad),
            c.isValidX509CertBundle(5), c.isValidX509CertChain(pem, pem), c.isValidX509CertChain(pem, bad), Array.from(new Uint8Array(c.digest('SHA-256', ccf.strToBuf('abc')))).slice(0, 3)] }",
    );
    call.arguments = vec![json!(certificate.to_pem()), json!("no")];
    let expected = json!([certificate.id(), true, true, false, false, true, false, [0xba, 0x78, 0x16]]);
    assert_eq!(run(&call).unwrap().value, expected);
}

#[test]
fn d03_a_constitution_must_load_and_export_its_three_functions() {
    let good = "export function validate(p) {} export function resolve(p, i, v) {} export function apply(p, i) {}";
    let judge = |text: &str| {
        let mut call = call("export function f(t) { ccf.gov.validateConstitution(t); return true }");
        call.arguments = vec![json!(text)];
        run(&call)
    };
    assert_eq!(judge(good).unwrap().value, json!(true));
    assert_eq!(judge(constitution::DEFAULT_CONSTITUTION).unwrap().value, json!(true));
    for (text, expected) in [
        ("not js".to_owned(), "SyntaxError"),
        (String::new(), "does not export a function 'validate'"),
        (good.replace("apply", "enact"), "does not export a function 'apply'"),
        (good.replace("validate(p)", "validate()"), "'validate' must take 1 arguments but takes 0"),
        (good.replace("resolve(p, i, v)", "resolve(p)"), "'resolve' must take 3 to 4 arguments but takes 1"),
        (format!("{good} ccf.kv['public:ccf.gov.x'].size"), "ccf.kv cannot be used"),
        (format!("{good} throw new Error('no')"), "Error: no"),
        (format!("globalThis.stolen = 1; {good} ccf.gov.validateConstitution('')"), "ccf.gov cannot be used"),
    ] {
        let reason = threw(judge(&text));
        assert!(reason.starts_with("Error: the constitution is not valid: ") && reason.contains(expected), "{reason}");
    }
    assert_eq!(judge(&format!("{good} while (true) {{}}")), Err(ScriptError::TimeLimit));
}

#[test]
fn d39_time_and_chance_are_those_of_the_request() {
    let text = "const d = new Date();
        return [Date.now(), d.getTime(), Date(), d.toISOString(), d.getTimezoneOffset(), new d.constructor().getTime(), new (Object.getPrototypeOf(d).constructor)().getTime(),
            new Date(5).getTime(), new Date(2020, 0, 1).toISOString(), Date.UTC(1970, 0, 2), Date.parse('1970-01-01'), d instanceof Date, Date.name, Date.length,
            Math.random(), Math.random(), typeof performance, typeof WeakRef, typeof FinalizationRegistry, typeof SharedArrayBuffer]";
    let mut call = body(text);
    call.created_at_ms = 1_764_000_000_123;
    call.seed = [9; 32];
    let first = run(&call).unwrap().value;
    thread::sleep(Duration::from_millis(5));
    assert_eq!(run(&call).unwrap().value, first);
    let now = 1_764_000_000_123_i64;
    let expected = json!([
        now,
        now,
        "Mon Nov 24 2025 16:00:00 GMT+0000",
        "2025-11-24T16:00:00.123Z",
        0,
        now,
        now,
        5,
        "2020-01-01T00:00:00.000Z",
        86_400_000,
        0,
        true,
        "Date",
        7
    ]);
    assert_eq!(first.as_array().unwrap()[..14], expected.as_array().unwrap()[..]);
    assert_eq!(
        first.as_array().unwrap()[16..],
        [json!("undefined"), json!("undefined"), json!("undefined"), json!("undefined")]
    );
    assert_ne!(first[14], first[15]);
    call.seed = [8; 32];
    assert_ne!(run(&call).unwrap().value[14], first[14]);
}

#[test]
fn nothing_of_the_machine_is_in_reach() {
    for name in ["process", "require", "std", "os", "print", "setTimeout", "fetch", "Deno", "navigator"] {
        assert_eq!(value(&format!("return typeof {name}")), json!("undefined"), "{name}");
    }
    assert_eq!(value("console.log('x'); console.error('y'); return 1"), json!(1));
    assert!(threw(run(&call("const m = await import('/etc/passwd'); export function f() {}"))).contains("/etc/passwd"));
}
