//! What a connection tells besides answers and deliveries.

use crate::delivery::Message;
use crate::error::Error;
use crate::native::string;
use crate::reactor::{lock, wake};
use crate::readiness::Process;
use futures_core::Stream;
use haigha_sys as sys;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

/// Of a connection, or of a channel. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Not yet opened.
    New,
    /// Being opened.
    Opening,
    /// In use.
    Open,
    /// Being closed.
    Closing,
    /// At its end.
    Closed,
    /// Lost, and being brought back.
    Recovering,
    /// One that this crate does not know.
    Other(i32),
}

impl State {
    pub(crate) fn of(state: i32) -> State {
        match state {
            sys::HAIGHA_STATE_NEW => State::New,
            sys::HAIGHA_STATE_OPENING => State::Opening,
            sys::HAIGHA_STATE_OPEN => State::Open,
            sys::HAIGHA_STATE_CLOSING => State::Closing,
            sys::HAIGHA_STATE_CLOSED => State::Closed,
            sys::HAIGHA_STATE_RECOVERING => State::Recovering,
            other => State::Other(other),
        }
    }
}

/// What could not be brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entity {
    /// An exchange.
    Exchange,
    /// A queue.
    Queue,
    /// A binding.
    Binding,
    /// A consumer.
    Consumer,
}

/// What happens to a connection and its channels. More may come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection's state is another one; why, where that was not asked for.
    ConnectionState {
        /// The state now.
        state: State,
        /// The one before.
        previous: State,
        /// Why, where there is a reason.
        error: Option<Error>,
    },
    /// A channel's state is another one.
    ChannelState {
        /// The channel's number.
        channel_id: u32,
        /// The state now.
        state: State,
        /// The one before.
        previous: State,
        /// Why, where there is a reason.
        error: Option<Error>,
    },
    /// The broker takes no publishes for now; they wait.
    Blocked {
        /// The broker's words.
        reason: String,
    },
    /// It does again.
    Unblocked,
    /// No queue took a mandatory message. On a channel with confirms its publish ends so, too.
    Returned {
        /// What came back.
        message: Message,
        /// Why, where there is a reason.
        error: Option<Error>,
    },
    /// The broker stopped a channel's publishes, or has them go on.
    Flow {
        /// The channel's number.
        channel_id: u32,
        /// Whether publishes go on.
        active: bool,
    },
    /// Deliveries were not settled for long (option `delivery_warning_ms`): how many, and the oldest.
    DeliveriesHeld {
        /// The channel's number.
        channel_id: u32,
        /// The consumer's.
        consumer_tag: String,
        /// The delivery tag of the oldest.
        oldest: u64,
        /// How many.
        count: i32,
        /// For how long, in milliseconds.
        held_ms: i64,
    },
    /// The broker chose another name for a queue that it had named.
    QueueRenamed {
        /// Its name before.
        previous: String,
        /// Its name now.
        queue: String,
    },
    /// Before each attempt to connect again: its number in this outage, and why it is needed.
    RecoveryAttempt {
        /// Counted from 1 in each outage.
        attempt: u64,
        /// What is tried, as `host:port`.
        host: String,
        /// The wait before it, in milliseconds.
        delay_ms: i64,
        /// Why, where there is a reason.
        error: Option<Error>,
    },
    /// The connection is open; what was on it is not back yet.
    TransportUp,
    /// Everything is back.
    Recovered,
    /// There are no more attempts.
    RecoveryFailed {
        /// Why, where there is a reason.
        error: Option<Error>,
    },
    /// Something was refused when it was to be brought back.
    NotRestored {
        /// What it is.
        entity: Entity,
        /// Its name; of a consumer, its tag.
        name: String,
        /// Why, where there is a reason.
        error: Option<Error>,
    },
    /// A consumer that the broker had cancelled consumes again.
    Resubscribed {
        /// The consumer's.
        consumer_tag: String,
        /// What it consumes from.
        queue: String,
        /// Why it had been cancelled.
        error: Option<Error>,
    },
    /// So many events before this one were dropped, because they were not fetched.
    Missed(usize),
}

/// How many wait for one who does not fetch them.
const MOST: usize = 1024;

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    missed: usize,
    ended: bool,
    waker: Option<Waker>,
}

/// The events of a connection, from the call on that made it: a `Stream`, which ends with the connection.
/// Of one that is not fetched from the oldest ones are dropped, and counted.
pub struct Events {
    queue: Arc<Mutex<Queue>>,
    process: Process,
}

impl Events {
    /// The next one; None at the end of the connection.
    pub async fn next(&mut self) -> Option<Event> {
        crate::block::NextOf(self).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.queue);
        if queue.missed > 0 {
            return Poll::Ready(Some(Event::Missed(std::mem::take(&mut queue.missed))));
        }
        match queue.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.ended || self.process.check().is_err() => Poll::Ready(None),
            None => {
                let before = queue.waker.replace(context.waker().clone());
                drop(queue);
                // It may be the last that holds these.
                drop(before);
                Poll::Pending
            }
        }
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("waiting", &lock(&self.queue).events.len()).finish()
    }
}

/// Those who listen to a connection.
#[derive(Default)]
pub(crate) struct Hub(Mutex<Listeners>);

#[derive(Default)]
struct Listeners {
    queues: Vec<Weak<Mutex<Queue>>>,
    ended: bool,
}

impl Hub {
    pub(crate) fn subscribe(&self) -> Events {
        let mut listeners = lock(&self.0);
        let queue = Arc::new(Mutex::new(Queue { ended: listeners.ended, ..Queue::default() }));
        listeners.queues.retain(|queue| queue.strong_count() > 0);
        listeners.queues.push(Arc::downgrade(&queue));
        Events { queue, process: Process::this() }
    }

    fn tell(&self, event: Event) {
        let ends = matches!(event, Event::ConnectionState { state: State::Closed, .. });
        let queues: Vec<_> = {
            let mut listeners = lock(&self.0);
            listeners.ended |= ends;
            listeners.queues.iter().filter_map(Weak::upgrade).collect()
        };
        for queue in queues {
            let mut queue = lock(&queue);
            if queue.events.len() == MOST {
                queue.events.pop_front();
                queue.missed += 1;
            }
            queue.events.push_back(event.clone());
            queue.ended |= ends;
            let waker = queue.waker.take();
            drop(queue);
            if let Some(waker) = waker {
                wake(waker);
            }
        }
    }

    /// # Safety
    /// The event lives for the time of the call.
    pub(crate) unsafe fn hear(&self, event: &sys::haigha_event) {
        // SAFETY: as above.
        if let Some(event) = unsafe { of_native(event) } {
            self.tell(event);
        }
    }
}

/// # Safety
/// The event lives for the time of the call.
unsafe fn of_native(event: &sys::haigha_event) -> Option<Event> {
    let states = || (State::of(event.state), State::of(event.previous_state));
    let channel_id = event.channel_id;
    // SAFETY: as above.
    let (error, text) = unsafe { (Error::copied(event.error), |view| string(view)) };
    Some(match event.type_ {
        sys::HAIGHA_EVENT_CONNECTION_STATE => {
            let (state, previous) = states();
            Event::ConnectionState { state, previous, error }
        }
        sys::HAIGHA_EVENT_CHANNEL_STATE => {
            let (state, previous) = states();
            Event::ChannelState { channel_id, state, previous, error }
        }
        sys::HAIGHA_EVENT_BLOCKED => {
            Event::Blocked { reason: error.map(|error| error.reply_text()).unwrap_or_default() }
        }
        sys::HAIGHA_EVENT_UNBLOCKED => Event::Unblocked,
        // SAFETY: as above.
        sys::HAIGHA_EVENT_RETURN => Event::Returned { message: unsafe { Message::kept(event) }?, error },
        sys::HAIGHA_EVENT_FLOW => Event::Flow { channel_id, active: event.state != 0 },
        sys::HAIGHA_EVENT_DELIVERY_HELD => Event::DeliveriesHeld {
            channel_id,
            consumer_tag: text(event.consumer_tag),
            oldest: event.number,
            count: event.state,
            held_ms: event.delay_ms,
        },
        sys::HAIGHA_EVENT_QUEUE_RENAMED => {
            Event::QueueRenamed { previous: text(event.routing_key), queue: text(event.name) }
        }
        // SAFETY: as above.
        sys::HAIGHA_EVENT_RECOVERY => return unsafe { of_recovery(event, error) },
        _ => return None,
    })
}

/// # Safety
/// The event lives for the time of the call.
unsafe fn of_recovery(event: &sys::haigha_event, error: Option<Error>) -> Option<Event> {
    // SAFETY: as above.
    let (name, consumer_tag) = unsafe { (string(event.name), string(event.consumer_tag)) };
    Some(match event.state {
        sys::HAIGHA_RECOVERY_ATTEMPT => {
            Event::RecoveryAttempt { attempt: event.number, host: name, delay_ms: event.delay_ms, error }
        }
        sys::HAIGHA_RECOVERY_TRANSPORT_UP => Event::TransportUp,
        sys::HAIGHA_RECOVERY_RECOVERED => Event::Recovered,
        sys::HAIGHA_RECOVERY_FAILED => Event::RecoveryFailed { error },
        sys::HAIGHA_RECOVERY_ENTITY => {
            let (entity, name) = match event.number {
                1 => (Entity::Exchange, name),
                2 => (Entity::Queue, name),
                3 => (Entity::Binding, name),
                4 => (Entity::Consumer, consumer_tag),
                _ => return None,
            };
            Event::NotRestored { entity, name, error }
        }
        sys::HAIGHA_RECOVERY_RESUBSCRIBED => Event::Resubscribed { consumer_tag, queue: name, error },
        _ => return None,
    })
}
