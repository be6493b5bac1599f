//! One call in one fresh interpreter.

use std::{cell::Cell, rc::Rc};

use rquickjs::{
    CatchResultExt, CaughtError, Coerced, Context, Ctx, Error, Function, Module, Runtime, Value,
    context::intrinsic::{Date, Eval, Json, MapSet, Promise, Proxy, RegExp, RegExpCompiler, TypedArrays},
    function::Args,
    module::Evaluated,
};

use crate::{
    Call, RuntimeLimits, limits,
    wire::{Failure, Finished},
};

use super::{globals, pipe::Pipe, session::Session};

/// What of the language there is. `performance` is missing because it is a clock, `WeakRef` because it shows when
/// memory is reclaimed: both would make a decision impossible to recompute.
type Language = (Date, Eval, RegExpCompiler, RegExp, Json, Proxy, MapSet, TypedArrays, Promise);

/// Runs `call` for at most `time_ms` milliseconds of processor time.
pub(super) fn run(pipe: &Pipe, call: Call, time_ms: u64) -> Result<Finished, Failure> {
    let session = Session::new(call.context, pipe.clone(), call.created_at_ms, call.seed, time_ms);
    let value = {
        let interpreter = Interpreter::new(&session, call.limits)?;
        interpreter.run(&session, |ctx| invoke(ctx, &session, &call))?
    };
    Ok(session.with(|state| {
        let tables = std::mem::replace(&mut state.tables, super::tables::Tables::new(call.context, None));
        Finished { value, writes: tables.into_writes(), effects: std::mem::take(&mut state.effects) }
    }))
}

/// A runtime with its limits and its one context.
pub(super) struct Interpreter {
    context: Context,
    /// Set when the engine was told to stop, whatever the script made of it.
    interrupted: Rc<Cell<bool>>,
}

impl Interpreter {
    pub(super) fn new(session: &Session, limits: RuntimeLimits) -> Result<Self, Failure> {
        let runtime = Runtime::new().map_err(|_| Failure::MemoryLimit)?;
        runtime.set_memory_limit(limits.heap_bytes());
        runtime.set_max_stack_size(limits.stack_bytes());
        let interrupted = Rc::new(Cell::new(false));
        let (allowance, flag) = (session.allowance(), Rc::clone(&interrupted));
        runtime.set_interrupt_handler(Some(Box::new(move || {
            let over = allowance.is_over();
            flag.set(flag.get() || over);
            over
        })));
        let context = Context::custom::<Language>(&runtime).map_err(|_| Failure::MemoryLimit)?;
        Ok(Self { context, interrupted })
    }

    /// Sets up the globals and runs `work`; a script that is late has run out of time however it ended.
    pub(super) fn run<T>(
        &self,
        session: &Session,
        work: impl FnOnce(&Ctx<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let result = self.context.with(|ctx| {
            globals::install(&ctx, session).catch(&ctx).map_err(describe)?;
            work(&ctx)
        });
        let late = self.interrupted.get() || session.allowance().is_over();
        if late { Err(Failure::TimeLimit) } else { result }
    }
}

/// Compiles and evaluates a module.
pub(super) fn load<'js>(ctx: &Ctx<'js>, name: &str, text: &str) -> Result<Module<'js, Evaluated>, Failure> {
    let declared = Module::declare(ctx.clone(), name, text).catch(ctx).map_err(|error| match describe(error) {
        Failure::Threw { reason, .. } => Failure::Compile { reason },
        other => other,
    })?;
    let (module, done) = declared.eval().catch(ctx).map_err(describe)?;
    done.finish::<()>().catch(ctx).map_err(describe)?;
    Ok(module)
}

fn invoke(ctx: &Ctx<'_>, session: &Session, call: &Call) -> Result<serde_json::Value, Failure> {
    let module = load(ctx, &call.module_name, &call.module_text)?;
    session.with(|state| state.evaluating = false);
    let function = exported(&module, &call.function)?;
    let arguments = arguments(ctx, &call.arguments).catch(ctx).map_err(describe)?;
    let result: Value<'_> = function.call_arg(arguments).catch(ctx).map_err(describe)?;
    to_json(ctx, result, &call.function)
}

fn exported<'js>(module: &Module<'js, Evaluated>, name: &str) -> Result<Function<'js>, Failure> {
    let value: Option<Value<'js>> = module.get(name).ok();
    value.and_then(Value::into_function).ok_or_else(|| Failure::MissingExport { name: name.to_owned() })
}

fn arguments<'js>(ctx: &Ctx<'js>, values: &[serde_json::Value]) -> rquickjs::Result<Args<'js>> {
    let mut arguments = Args::new(ctx.clone(), values.len());
    for value in values {
        arguments.push_arg(ctx.json_parse(value.to_string())?)?;
    }
    Ok(arguments)
}

fn to_json<'js>(ctx: &Ctx<'js>, value: Value<'js>, function: &str) -> Result<serde_json::Value, Failure> {
    // A promise is true in the sense of JavaScript, whatever it will come to: an asynchronous no would be a yes.
    if value.is_promise() {
        return Err(Failure::threw(format!("TypeError: {function} returned a promise, and nobody waits for it here")));
    }
    let Some(text) = ctx.json_stringify(value).catch(ctx).map_err(describe)? else {
        return Ok(serde_json::Value::Null);
    };
    let text = text.to_string().catch(ctx).map_err(describe)?;
    if text.len() > limits::VALUE_BYTES {
        let (length, most) = (text.len(), limits::VALUE_BYTES);
        return Err(Failure::threw(format!(
            "RangeError: {function} returned {length} bytes, at most {most} are allowed"
        )));
    }
    parse(&text).map_err(|why| Failure::threw(format!("TypeError: {function} returned an unusable value: {why}")))
}

/// JSON of a script as a value that can be put into a frame.
pub(super) fn parse(text: &str) -> Result<serde_json::Value, String> {
    let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if nesting(&value) > limits::NESTING {
        return Err(format!("it is nested more than {} levels deep", limits::NESTING));
    }
    Ok(value)
}

/// The lists and objects around the innermost value; the parser has bounded them.
fn nesting(value: &serde_json::Value) -> usize {
    let deepest = match value {
        serde_json::Value::Array(items) => items.iter().map(nesting).max(),
        serde_json::Value::Object(members) => members.values().map(nesting).max(),
        _ => return 0,
    };
    deepest.unwrap_or(0) + 1
}

/// An exception as the service reports it.
fn describe(error: CaughtError<'_>) -> Failure {
    match error {
        CaughtError::Exception(exception) => {
            let trace = exception.stack().filter(|trace| !trace.is_empty());
            threw(&exception.into_value(), trace)
        }
        CaughtError::Value(value) => threw(&value, None),
        CaughtError::Error(Error::Allocation) => Failure::MemoryLimit,
        CaughtError::Error(Error::WouldBlock) => Failure::threw("the module waits for a promise that nobody keeps"),
        CaughtError::Error(error) => Failure::threw(format!("Error: {error}")),
    }
}

fn threw(value: &Value<'_>, trace: Option<String>) -> Failure {
    let reason =
        value.get::<Coerced<String>>().map_or_else(|_| "an exception without a text".to_owned(), |text| text.0);
    if reason == "InternalError: out of memory" {
        return Failure::MemoryLimit;
    }
    Failure::Threw {
        reason: shortened(reason, limits::REASON_BYTES),
        trace: trace.map(|trace| shortened(trace, limits::TRACE_BYTES)),
    }
}

fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}
