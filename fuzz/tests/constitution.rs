//! Proposals, judged by the shipped constitution in real script hosts: slower, and so fewer of them.

use std::{process::ExitCode, sync::OnceLock};

use constitution::{Pool, PoolOptions};
use fuzz::{drive_some, proposal};

const SCRIPT_HOST: &str = "script-host";
const EXECUTIONS: u64 = 300;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(SCRIPT_HOST) {
        return constitution::script_host_main();
    }
    drive_some("proposal", judge, EXECUTIONS);
    println!("test proposals_are_judged ... ok");
    ExitCode::SUCCESS
}

/// Whatever is proposed, it is valid, or the proposer is told what is wrong.
fn judge(data: &[u8]) {
    let _ = proposal::create(pool(), data);
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let program = std::env::current_exe().expect("a program");
        Pool::new(PoolOptions::new(program, [SCRIPT_HOST.into()])).expect("a pool")
    })
}
