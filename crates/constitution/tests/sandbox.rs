//! Scripts against real child processes: what they may do, what they cannot, and what happens when they try.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use std::{
    thread,
    time::{Duration, Instant},
};

use common::{Memory, body, call, pool, run, run_in};
use constitution::{Budget, Context, Effect, Engine, Pool, PoolOptions, ScriptError, TableWrite};
use serde_json::{Value, json};

const GOV: &str = "public:ccf.gov.x";

fn threw(result: Result<constitution::Outcome, ScriptError>) -> String {
    match result {
        Err(ScriptError::Threw { reason, .. }) => reason,
        other => panic!("expected an exception, got {other:?}"),
    }
}

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
    assert_eq!(outcome.value, json!(0));
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

/// Runs an abusive script and says how long it lasted.
fn abuse(text: &str) -> (Result<constitution::Outcome, ScriptError>, Duration) {
    let pool = pool();
    let started = Instant::now();
    let mut budget = Budget::new(Duration::from_millis(300));
    let result = pool.run("m", &body(text), &mut Memory::default(), &mut budget);
    let lasted = started.elapsed();
    let normal = pool.run("m", &body("return 1"), &mut Memory::default(), &mut Budget::default());
    assert_eq!(normal.unwrap().value, json!(1), "the pool works on after {text}");
    (result, lasted)
}

#[test]
fn scripts_that_do_not_end_are_ended() {
    for text in [
        "while (true) {}",
        "for (;;) { try { (() => { for (;;); })() } catch {} finally { continue } }",
        "return new Array(1e9) + ''",
        "return [].reverse.call({length: 1e10})",
        "return 'x'.repeat(1e6).replace(/(x+x+)+y/, '')",
        "const a = []; a.toString = () => { for (;;); }; throw a",
        "return { toJSON() { for (;;); } }",
    ] {
        let (result, lasted) = abuse(text);
        assert_eq!(result, Err(ScriptError::TimeLimit), "{text}");
        assert!(lasted < Duration::from_millis(900), "{text} lasted {lasted:?}");
    }
}

#[test]
fn scripts_that_want_too_much_memory_do_not_get_it() {
    for text in [
        "const a = []; for (;;) a.push(new Array(1e5).fill(1))",
        "let s = 'x'; for (;;) s += s",
        "return new ArrayBuffer(1e9).byteLength",
        "let o = {}; for (let i = 0; ; i++) o['k' + i] = i",
        "return 'x'.repeat(5e8).length",
    ] {
        let (result, _) = abuse(text);
        let error = result.err().unwrap();
        assert!(
            matches!(&error, ScriptError::MemoryLimit | ScriptError::TimeLimit | ScriptError::Crashed { .. })
                || matches!(&error, ScriptError::Threw { reason, .. } if reason.contains("memory") || reason.contains("string too long")),
            "{text}: {error:?}"
        );
    }
    let caught = "try { new ArrayBuffer(1e9) } catch (e) { return String(e) }";
    assert_eq!(value(caught), json!("InternalError: out of memory"));
}

#[test]
fn deep_recursion_is_an_exception() {
    for text in [
        "const f = () => f() + 1; return f()",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a",
        "return JSON.parse('['.repeat(1e5) + ']'.repeat(1e5))",
        "return eval('('.repeat(1e5) + ')'.repeat(1e5))",
        "return new RegExp('('.repeat(1e5) + ')'.repeat(1e5)).test('x')",
        "let a = []; for (let i = 0; i < 200; i++) a = [a]; return a",
    ] {
        let (result, _) = abuse(text);
        assert!(matches!(result, Err(ScriptError::Threw { .. })), "{text}: {result:?}");
    }
}

#[test]
fn too_much_of_anything_is_an_exception() {
    let huge = threw(run(&body("return 'x'.repeat(2e6)")));
    assert_eq!(huge, "RangeError: f returned 2000002 bytes, at most 1048576 are allowed");
    let reads = "const t = ccf.kv['public:ccf.gov.x']; for (let i = 0; ; i++) t.getVersionOfPreviousWrite(ccf.strToBuf('k' + i))";
    let pool = pool();
    let mut budget = Budget::new(Duration::from_secs(20));
    let result = pool.run("m", &body(reads), &mut Memory::default(), &mut budget);
    assert_eq!(threw(result), "Error: a script may read tables at most 20000 times");
    let mut writes = body(
        "const v = new ArrayBuffer(1e6), t = ccf.kv['public:ccf.gov.x']; for (let i = 0; i < 9; i++) t.set(ccf.strToBuf('k' + i), v)",
    );
    writes.context = Context::Apply;
    assert_eq!(threw(run(&writes)), "Error: a script may write at most 8388608 bytes");
}

#[test]
fn d41_scripts_of_one_request_share_a_budget() {
    let pool = pool();
    let mut budget = Budget::new(Duration::from_millis(300));
    let endless = body("for (;;);");
    assert_eq!(pool.run("m", &endless, &mut Memory::default(), &mut budget), Err(ScriptError::TimeLimit));
    assert!(budget.remaining().is_zero());
    let started = Instant::now();
    assert_eq!(pool.run("m", &body("return 1"), &mut Memory::default(), &mut budget), Err(ScriptError::TimeLimit));
    assert!(started.elapsed() < Duration::from_millis(50));
}

#[test]
fn fifty_abusive_calls_of_one_member_do_not_delay_another() {
    let pool = pool();
    thread::scope(|scope| {
        let abusive: Vec<_> = (0..50)
            .map(|number| {
                let pool = &pool;
                let text = if number % 2 == 0 { "for (;;);" } else { "return [].reverse.call({length: 1e10})" };
                scope.spawn(move || {
                    let mut budget = Budget::new(Duration::from_millis(60));
                    pool.run("abuser", &body(text), &mut Memory::default(), &mut budget)
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        for _ in 0..5 {
            let started = Instant::now();
            let result = pool.run("voter", &body("return true"), &mut Memory::default(), &mut Budget::default());
            assert_eq!(result.unwrap().value, json!(true));
            assert!(started.elapsed() < Duration::from_secs(2), "the voter waited {:?}", started.elapsed());
        }
        for call in abusive {
            assert_eq!(call.join().unwrap(), Err(ScriptError::TimeLimit));
        }
    });
}

#[test]
fn a_full_queue_refuses() {
    let mut options = common::options();
    (options.size, options.waiting, options.patience) = (1, 1, Duration::from_millis(50));
    let pool = Pool::new(options).unwrap();
    let slow = |who: &'static str, pool: &Pool| {
        pool.run(who, &body("for (;;);"), &mut Memory::default(), &mut Budget::new(Duration::from_millis(400)))
    };
    thread::scope(|scope| {
        let running = scope.spawn(|| slow("a", &pool));
        thread::sleep(Duration::from_millis(100));
        let refused: Vec<_> =
            ["b", "c"].map(|who| scope.spawn(|| slow(who, &pool))).into_iter().map(|t| t.join().unwrap()).collect();
        assert!(refused.iter().all(|result| *result == Err(ScriptError::Busy { limit: 1 })), "{refused:?}");
        assert_eq!(running.join().unwrap(), Err(ScriptError::TimeLimit));
    });
}

#[test]
fn a_program_that_is_no_script_host_is_refused() {
    for (program, text) in [("/nonexistent", "cannot be started"), ("/bin/true", "does not answer like a script host")]
    {
        let error = Pool::new(PoolOptions::new(program, [])).err().unwrap();
        assert!(error.to_string().contains(text), "{error}");
        assert!(!error.is_scripts_fault());
    }
}

/// The service starts hosts like this; what they then are is visible from outside.
#[test]
fn a_host_has_given_up_what_it_does_not_need() {
    let mut host = std::process::Command::new(env!("CARGO_BIN_EXE_script-host"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut greeting = [0; 4];
    std::io::Read::read_exact(host.stdout.as_mut().unwrap(), &mut greeting).unwrap();
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", host.id())).unwrap();
    let (limits, status, stat) = (of("limits"), of("status"), of("stat"));
    for (name, value) in [
        ("Max cpu time", "200"),
        ("Max file size", "0"),
        ("Max open files", "3"),
        ("Max core file size", "0"),
        ("Max processes", "0"),
        ("Max address space", "1073741824"),
        ("Max data size", "335544320"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let words: Vec<&str> = line[name.len()..].split_whitespace().take(2).collect();
        assert_eq!(words, [value, value], "{name}");
    }
    assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"));
    let nice = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap();
    assert_eq!(nice, "10");
    drop(host.stdin.take());
    assert!(host.wait().unwrap().success(), "it ends when its input does");
}

#[test]
fn hosts_do_not_outlive_their_pool() {
    let pool = pool();
    let endless =
        pool.run("m", &body("for (;;);"), &mut Memory::default(), &mut Budget::new(Duration::from_millis(50)));
    assert_eq!(endless, Err(ScriptError::TimeLimit));
    drop(pool);
    let own_children = std::fs::read_to_string(format!("/proc/self/task/{}/children", thread_number())).unwrap();
    assert_eq!(own_children, "", "children of this thread are left");
}

/// The number of this thread, from the link that names it.
fn thread_number() -> String {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}
