//! Scripts that want too much, against real child processes: they are ended, and nobody else notices.

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

use common::{Memory, body, pool, run, threw};
use constitution::{Budget, Call, Context, Engine, Pool, PoolOptions, ScriptError};
use serde_json::json;

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

/// Runs a script that meets another limit than that of time, also on a busy machine.
fn in_time(pool: &Pool, call: &Call) -> Result<constitution::Outcome, ScriptError> {
    pool.run("m", call, &mut Memory::default(), &mut Budget::new(Duration::from_secs(20)))
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
        // It has 0.3 seconds of the processor; on the clock that can be several times as long.
        assert!(lasted < Duration::from_secs(5), "{text} lasted {lasted:?}");
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
    assert_eq!(run(&body(caught)).unwrap().value, json!("InternalError: out of memory"));
}

#[test]
fn deep_recursion_is_an_exception() {
    let pool = pool();
    for text in [
        "const f = () => f() + 1; return f()",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a",
        "return JSON.parse('['.repeat(1e5) + ']'.repeat(1e5))",
        "return eval('('.repeat(1e5) + ')'.repeat(1e5))",
        "return new RegExp('('.repeat(1e5) + ')'.repeat(1e5)).test('x')",
        "let a = []; for (let i = 0; i < 200; i++) a = [a]; return a",
    ] {
        let result = in_time(&pool, &body(text));
        assert!(matches!(result, Err(ScriptError::Threw { .. })), "{text}: {result:?}");
    }
}

#[test]
fn too_much_of_anything_is_an_exception() {
    let pool = pool();
    let threw = |call: &Call| threw(in_time(&pool, call));
    let huge = body("return 'x'.repeat(2e6)");
    assert_eq!(threw(&huge), "RangeError: f returned 2000002 bytes, at most 1048576 are allowed");
    let reads = "const t = ccf.kv['public:ccf.gov.x']; for (let i = 0; ; i++) t.getVersionOfPreviousWrite(ccf.strToBuf('k' + i))";
    assert_eq!(threw(&body(reads)), "Error: a script may read tables at most 20000 times");
    let mut writes = body(
        "const v = new ArrayBuffer(1e6), t = ccf.kv['public:ccf.gov.x']; for (let i = 0; i < 9; i++) t.set(ccf.strToBuf('k' + i), v)",
    );
    writes.context = Context::Apply;
    assert_eq!(threw(&writes), "Error: a script may write at most 8388608 bytes");
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
        ("Max cpu time", "600"),
        ("Max file size", "0"),
        ("Max open files", "3"),
        ("Max core file size", "0"),
        ("Max processes", "0"),
        ("Max address space", "1073741824"),
        ("Max data size", "603979776"),
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

#[test]
fn a_host_killed_from_outside_is_not_the_scripts_fault() {
    let mut options = common::options();
    // A shell that greets like a host, reads a little of the call, and is killed.
    let script = r#"printf '\0\0\0\030{"Hello":{"protocol":2}}'; head -c 4 >/dev/null; kill -9 $$"#;
    options.program = "/bin/sh".into();
    options.args = vec!["-c".into(), script.into()];
    let result = Pool::new(options).unwrap().run("m", &body(""), &mut Memory::default(), &mut Budget::default());
    let error = result.err().unwrap();
    assert!(!error.is_scripts_fault(), "{error:?}");
}

#[test]
fn a_host_that_ends_by_itself_was_ended_by_its_script() {
    let mut options = common::options();
    let script = r#"printf '\0\0\0\030{"Hello":{"protocol":2}}'; head -c 4 >/dev/null; exit 3"#;
    options.program = "/bin/sh".into();
    options.args = vec!["-c".into(), script.into()];
    let result = Pool::new(options).unwrap().run("m", &body(""), &mut Memory::default(), &mut Budget::default());
    assert_eq!(result, Err(ScriptError::Crashed { how: "exit status: 3".to_owned() }));
}

/// A pool whose hosts are not given the processor from 0.3 to 0.9 seconds after their start.
fn stopped_for_a_while() -> Pool {
    let mut options = common::options();
    let host = options.program.display();
    let script = format!("(sleep 0.3; kill -STOP $$; sleep 0.6; kill -CONT $$) & exec {host}");
    options.program = "/bin/sh".into();
    options.args = vec!["-c".into(), script.into()];
    Pool::new(options).unwrap()
}

#[test]
fn d41_whoever_runs_the_machine_cannot_make_a_script_too_slow() {
    let pool = stopped_for_a_while();
    thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    let mut budget = Budget::new(Duration::from_millis(100));
    let result = pool.run("m", &body("return 7;"), &mut Memory::default(), &mut budget);
    assert_eq!(result.unwrap().value, 7);
    assert!(started.elapsed() > Duration::from_millis(200), "the host was not stopped");
    assert!(!budget.remaining().is_zero(), "waiting for the processor was counted");
}

#[test]
fn a_host_that_gets_no_processor_decides_nothing() {
    let mut options = common::options();
    let script = r#"printf '\0\0\0\030{"Hello":{"protocol":2}}'; exec sleep 60"#;
    options.program = "/bin/sh".into();
    options.args = vec!["-c".into(), script.into()];
    let mut budget = Budget::new(Duration::from_millis(10));
    let result = Pool::new(options).unwrap().run("m", &body(""), &mut Memory::default(), &mut budget);
    assert_eq!(result, Err(ScriptError::Starved));
    assert!(!ScriptError::Starved.is_scripts_fault() && !ScriptError::Starved.is_limit());
}
