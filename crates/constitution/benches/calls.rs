//! What a call costs: prints times of a trivial script, of the shipped constitution, of starting and of replacing a host.

#![allow(clippy::unwrap_used, reason = "a panic is the failure report")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use constitution::{Budget, Call, Context, DEFAULT_CONSTITUTION, Engine, Pool, PoolOptions, Tables};
use serde_json::{Value, json};

/// One member that is active, and nothing else.
struct OneMember(BTreeMap<Vec<u8>, Vec<u8>>);

impl Tables for OneMember {
    fn get(&mut self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        if table == "public:ccf.gov.members.info" { self.0.get(key).cloned() } else { None }
    }
    fn entries(&mut self, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        if table == "public:ccf.gov.members.info" { self.0.clone().into_iter().collect() } else { Vec::new() }
    }
    fn written(&mut self, _: &str, _: &[u8]) -> Option<u64> {
        None
    }
}

fn call(text: &str, function: &str, arguments: Vec<Value>) -> Call {
    Call {
        limits: constitution::RuntimeLimits::BASE,
        module_name: "bench".to_owned(),
        module_text: text.to_owned(),
        function: function.to_owned(),
        arguments,
        context: Context::ReadOnly,
        created_at_ms: 0,
        seed: [0; 32],
    }
}

fn time(what: &str, times: u32, mut work: impl FnMut(u32)) {
    let started = Instant::now();
    (0..times).for_each(&mut work);
    let each = started.elapsed() / times;
    println!("{what}: {each:?} each, {:.0} a second", 1.0 / each.as_secs_f64());
}

fn main() {
    let options = PoolOptions::new(env!("CARGO_BIN_EXE_script-host"), []);
    let start = || Pool::new(options.clone()).unwrap();
    let pool = start();
    let member = json!({"member_data": {}, "status": "Active"}).to_string();
    let mut tables = OneMember(BTreeMap::from([(b"a".to_vec(), member.into_bytes())]));
    let mut run = |call: &Call, budget: u64| {
        let mut budget = Budget::new(Duration::from_millis(budget));
        pool.run("m", call, &mut tables, &mut budget)
    };

    let trivial = call("export function f() { return true }", "f", Vec::new());
    time("trivial script, same module", 500, |_| assert!(run(&trivial, 1000).is_ok()));
    time("trivial script, another module each time (new process)", 100, |number| {
        let other = call(&format!("export function f() {{ return {number} }}"), "f", Vec::new());
        assert!(run(&other, 1000).is_ok());
    });
    let proposal = json!({"actions": [{"name": "set_contract", "args": {"contractId": "c", "contract": {"data": 1}}}]})
        .to_string();
    let votes = json!([{"member_id": "a", "vote": true}]);
    let resolve = call(DEFAULT_CONSTITUTION, "resolve", vec![json!(proposal), json!("a"), votes, json!("P")]);
    time("resolve of the shipped constitution", 300, |_| {
        assert_eq!(run(&resolve, 1000).unwrap().value, json!("Accepted"))
    });
    let validate = call(DEFAULT_CONSTITUTION, "validate", vec![json!(proposal)]);
    time("validate of the shipped constitution", 300, |_| assert!(run(&validate, 1000).is_ok()));
    time("start of a pool with one host", 50, |_| drop(start()));
    let endless = call("export function f() { return [].reverse.call({length: 1e10}) }", "f", Vec::new());
    time("a kill after 50 ms inside a builtin, and a call on a new process after it", 20, |_| {
        assert!(run(&endless, 50).is_err());
        assert!(run(&trivial, 1000).is_ok());
    });
}
