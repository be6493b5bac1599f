//! The child's side: one process that runs scripts it is handed over its standard input.

mod allowance;
mod confine;
mod facts;
mod globals;
mod jwk;
mod pipe;
mod random;
mod script;
mod session;
mod tables;
mod tcb;

use std::{process::ExitCode, thread};

use crate::{limits, wire::ToHost};
use pipe::Pipe;

/// Runs scripts for the service at the other end of standard input and output until that end closes.
///
/// This is the whole of `cgs script-host`. It gives up what it does not need (files, sockets, processor time, memory)
/// before it reads the first script. Standard output must not be used by anything else.
///
/// # Exit
/// Success when the input ends; failure when the limits cannot be set or the conversation breaks.
#[must_use]
pub fn script_host_main() -> ExitCode {
    if confine::confine().is_err() {
        return ExitCode::FAILURE;
    }
    let worker = thread::Builder::new().stack_size(limits::THREAD_STACK).spawn(serve);
    match worker.map(thread::JoinHandle::join) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Answers calls until the input ends (true) or the conversation breaks (false).
fn serve() -> bool {
    let pipe = Pipe::standard();
    if confine::no_more_processes().is_err() || pipe.greet().is_err() {
        return false;
    }
    loop {
        match pipe.next() {
            Ok(Some(ToHost::Run { call, time_ms })) => {
                let answer = script::run(&pipe, *call, time_ms);
                if pipe.answer(answer).is_err() {
                    return false;
                }
            }
            Ok(None) => return true,
            Ok(Some(_)) | Err(_) => return false,
        }
    }
}
