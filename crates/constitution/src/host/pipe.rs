//! The conversation with the service, from the child's end.

use std::{
    cell::{Cell, RefCell},
    io::{self, BufReader, ErrorKind, Stdin, Stdout},
    rc::Rc,
};

use crate::wire::{self, Failure, Finished, FromHost, PROTOCOL, Question, ToHost};

/// Standard input and output. Clones share them, because a table function asks while the main loop waits.
#[derive(Clone)]
pub(super) struct Pipe {
    ends: Rc<RefCell<(BufReader<Stdin>, Stdout)>>,
    broken: Rc<Cell<bool>>,
}

impl Pipe {
    pub(super) fn standard() -> Self {
        let ends = (BufReader::new(io::stdin()), io::stdout());
        Self { ends: Rc::new(RefCell::new(ends)), broken: Rc::default() }
    }

    pub(super) fn greet(&self) -> io::Result<()> {
        self.send(&FromHost::Hello { protocol: PROTOCOL })
    }

    /// The next call, or `None` when the service is done with this process.
    pub(super) fn next(&self) -> io::Result<Option<ToHost>> {
        match self.receive() {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn answer(&self, answer: Result<Finished, Failure>) -> io::Result<()> {
        if self.broken.get() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.send(&answer.map_or_else(FromHost::Failed, FromHost::Done))
    }

    /// Asks the service; after an error the process is of no further use.
    pub(super) fn ask(&self, question: Question) -> io::Result<ToHost> {
        self.mark(self.send(&FromHost::Ask(question)).and_then(|()| self.receive()))
    }

    /// The next page of a listing.
    pub(super) fn more(&self) -> io::Result<ToHost> {
        self.mark(self.receive())
    }

    fn mark<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.broken.set(true);
        }
        result
    }

    fn send(&self, message: &FromHost) -> io::Result<()> {
        wire::send(&mut self.ends.borrow_mut().1, message)
    }

    fn receive(&self) -> io::Result<ToHost> {
        wire::receive(&mut self.ends.borrow_mut().0)
    }
}
