//! Bodies of messages that are published, and how a publish ends.

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::outcomes::{Begun, Content, Head, Sender};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What can be lent: bytes that stay where they are.
pub(crate) trait Lent: AsRef<[u8]> + Send {}
impl<T: AsRef<[u8]> + Send> Lent for T {}

/// A body to be published: a slice, which is copied, or what owns one, which is not from 16 KiB on.
pub struct Body<'a>(pub(crate) Content<'a>);

impl Body<'static> {
    /// Bytes that are written from where they are, such as `bytes::Bytes` or an `Arc<[u8]>`. The owner is
    /// dropped when they are not needed any more, on any thread; it holds nothing of this crate's, whose
    /// threads that may be.
    pub fn lent(owner: impl AsRef<[u8]> + Send + 'static) -> Body<'static> {
        Body(Content::Owned(Box::new(owner)))
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Body(Content::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Body<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Body(Content::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Body<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Body(Content::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Body<'a> {
    fn from(text: &'a str) -> Self {
        Body(Content::Borrowed(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Body<'static> {
    fn from(bytes: Vec<u8>) -> Self {
        Body::lent(bytes)
    }
}

impl From<String> for Body<'static> {
    fn from(text: String) -> Self {
        Body::lent(text)
    }
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body")
    }
}

enum Progress {
    Ended(Option<Result<()>>),
    Slot(usize),
}

/// How a publish ends, to be awaited. The message was given to the library, or waits for room, when this was
/// returned; many may be under way. Dropping it changes nothing but that nobody is told.
///
/// On a channel with confirms it ends when the broker has taken responsibility, and with an error of the kind
/// [`Nacked`](crate::ErrorKind::Nacked), [`Returned`](crate::ErrorKind::Returned),
/// [`NotSent`](crate::ErrorKind::NotSent) or [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) otherwise; on one
/// without, when the library has taken the message.
#[must_use = "what became of a message is told by awaiting it"]
pub struct Confirmation {
    endpoint: Arc<Endpoint>,
    progress: Progress,
}

impl Confirmation {
    pub(crate) fn publish(
        endpoint: &Arc<Endpoint>,
        sender: &Sender,
        head: Head<'_>,
        body: Body<'_>,
    ) -> Confirmation {
        let outcomes = &endpoint.outcomes;
        let progress = match outcomes.publish(sender, head, body.0) {
            Ok(Begun::Taken) => Progress::Ended(Some(Ok(()))),
            Ok(Begun::Slot(slot)) => Progress::Slot(slot),
            Ok(Begun::First(slot)) => {
                endpoint.core.reactor().wait_for_room(outcomes);
                // There may be room again since, which was told to those that waited then.
                outcomes.retry();
                Progress::Slot(slot)
            }
            Err(error) => Progress::Ended(Some(Err(error))),
        };
        Confirmation { endpoint: Arc::clone(endpoint), progress }
    }
}

impl Future for Confirmation {
    type Output = Result<()>;

    /// # Panics
    /// When it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.progress {
            Progress::Ended(result) => {
                Poll::Ready(result.take().expect("a confirmation is not polled after it was ready"))
            }
            Progress::Slot(slot) => {
                let slot = *slot;
                let polled = self.endpoint.outcomes.poll(slot, context.waker());
                if polled.is_ready() {
                    self.progress = Progress::Ended(None);
                } else {
                    self.endpoint.core.reactor().process().check()?;
                }
                polled
            }
        }
    }
}

impl Drop for Confirmation {
    fn drop(&mut self) {
        if let Progress::Slot(slot) = self.progress {
            self.endpoint.outcomes.disown(slot);
        }
    }
}

impl std::fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confirmation")
    }
}
