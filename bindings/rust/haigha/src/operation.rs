//! A call that the broker answers.

use crate::connection::Core;
use crate::error::{Error, Result};
use crate::native::Handle;
use crate::reactor::{lock, wake, Listener};
use haigha_sys as sys;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// What an operation answered.
pub(crate) struct Reply(Option<Handle<sys::haigha_reply>>);

impl Reply {
    pub(crate) fn get(&self) -> *const sys::haigha_reply {
        self.0.as_ref().map_or(std::ptr::null(), |reply| reply.get())
    }
}

type Convert<T> = Box<dyn FnOnce(Result<Reply>) -> Result<T> + Send>;
type Unclaimed = Box<dyn FnOnce(Reply) + Send>;

enum State {
    Pending(Option<Waker>),
    Done(Result<Reply>),
    /// Nobody wants it any more.
    Dropped(Option<Unclaimed>),
}

/// Where the answer of one operation comes.
pub(crate) struct Answer(Mutex<State>);

impl Answer {
    /// # Safety
    /// The event lives for the time of the call.
    pub(crate) unsafe fn complete(&self, event: &sys::haigha_event) {
        // SAFETY: as above; the copies are references of ours.
        let result = unsafe {
            match Error::copied(event.error) {
                Some(error) => Err(error),
                None => {
                    let reply = match event.reply.is_null() {
                        true => None,
                        false => Handle::adopt(sys::haigha_reply_ref(event.reply)),
                    };
                    Ok(Reply(reply))
                }
            }
        };
        let mut state = lock(&self.0);
        match &mut *state {
            State::Pending(waker) => {
                let waker = waker.take();
                *state = State::Done(result);
                drop(state);
                if let Some(waker) = waker {
                    wake(waker);
                }
            }
            State::Dropped(unclaimed) => {
                let unclaimed = unclaimed.take();
                drop(state);
                if let (Some(unclaimed), Ok(reply)) = (unclaimed, result) {
                    unclaimed(reply);
                }
            }
            State::Done(_) => {}
        }
    }
}

/// The answer to a call, to be awaited.
///
/// The call was made when this was returned, so calls of one channel reach the broker in their order, and
/// several may be under way. Dropping it does not undo the call.
#[must_use = "whether it succeeded is told by awaiting it"]
pub struct Operation<T> {
    started: Result<Arc<Answer>, Option<Error>>,
    convert: Option<Convert<T>>,
    unclaimed: Option<Unclaimed>,
    /// The connection lives until the answer has come or is not wanted.
    core: Option<Arc<Core>>,
}

impl<T> Operation<T> {
    /// Calls `start`, which is given where the answer is to go.
    pub(crate) fn start(
        core: &Arc<Core>,
        start: impl FnOnce(&sys::haigha_then, *mut *mut sys::haigha_error) -> i32,
        convert: impl FnOnce(Reply) -> Result<T> + Send + 'static,
    ) -> Operation<T> {
        Operation::start_and_end(core, start, move |result| result.and_then(convert))
    }

    /// As `start`; `convert` is given an error as well, and is not called when there is no answer yet
    /// when this is dropped.
    pub(crate) fn start_and_end(
        core: &Arc<Core>,
        start: impl FnOnce(&sys::haigha_then, *mut *mut sys::haigha_error) -> i32,
        convert: impl FnOnce(Result<Reply>) -> Result<T> + Send + 'static,
    ) -> Operation<T> {
        let answer = Arc::new(Answer(Mutex::new(State::Pending(None))));
        let reactor = core.reactor();
        let (tag, then) = reactor.listen(core.number(), Listener::Answer(Arc::clone(&answer)));
        let started = match crate::native::check(|error| start(&then, error)) {
            Ok(()) => Ok(answer),
            Err(error) => {
                reactor.forget(tag);
                Err(Some(error))
            }
        };
        let convert: Option<Convert<T>> = Some(Box::new(convert));
        Operation { started, convert, unclaimed: None, core: Some(Arc::clone(core)) }
    }

    pub(crate) fn failed(error: Error) -> Operation<T> {
        Operation { started: Err(Some(error)), convert: None, unclaimed: None, core: None }
    }

    /// Is given what nobody has waited for.
    pub(crate) fn or_else_when_dropped(mut self, unclaimed: impl FnOnce(Reply) + Send + 'static) -> Self {
        self.unclaimed = Some(Box::new(unclaimed));
        self
    }
}

impl<T> Future for Operation<T> {
    type Output = Result<T>;

    /// # Panics
    /// When it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        let result = match &mut this.started {
            Err(error) => Err(error.take().expect("an operation is not polled after it was ready")),
            Ok(answer) => {
                let mut state = lock(&answer.0);
                match &mut *state {
                    State::Pending(waker) => {
                        if let Some(core) = &this.core {
                            core.reactor().process().check()?;
                        }
                        let before = waker.replace(context.waker().clone());
                        drop(state);
                        // It may be the last that holds another operation.
                        drop(before);
                        return Poll::Pending;
                    }
                    _ => match std::mem::replace(&mut *state, State::Dropped(None)) {
                        State::Done(result) => result,
                        _ => panic!("an operation is not polled after it was ready"),
                    },
                }
            }
        };
        self.unclaimed = None;
        let convert = self.convert.take();
        Poll::Ready(match convert {
            Some(convert) => convert(result),
            None => result.and(Err(Error::of_status(sys::HAIGHA_ERR_INTERNAL))),
        })
    }
}

impl<T> Drop for Operation<T> {
    fn drop(&mut self) {
        let unclaimed = self.unclaimed.take();
        let answer = match &self.started {
            Ok(answer) => answer,
            Err(_) => return,
        };
        let mut state = lock(&answer.0);
        let before = std::mem::replace(&mut *state, State::Dropped(None));
        if matches!(before, State::Pending(_)) {
            *state = State::Dropped(unclaimed);
            return drop((state, before));
        }
        drop(state);
        match before {
            State::Done(Ok(reply)) => {
                if let Some(unclaimed) = unclaimed {
                    unclaimed(reply);
                }
            }
            State::Done(Err(error)) => {
                if let Some(convert) = self.convert.take() {
                    drop(convert(Err(error)));
                }
            }
            State::Pending(_) | State::Dropped(_) => {}
        }
    }
}
