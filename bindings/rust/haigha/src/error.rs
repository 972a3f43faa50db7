//! What can go wrong.

use crate::native::{string, Handle};
use haigha_sys as sys;
use std::ffi::CStr;
use std::fmt;

/// What this crate's calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an [`Error`] is about. More may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is wrong; the sentence names it. Nothing was sent.
    Argument,
    /// There is no room, and no more may wait for it. Nothing was taken.
    WouldBlock,
    /// A waiting form on the thread that would have to answer.
    WrongThread,
    /// It is not open, or was closed by this program.
    Closed,
    /// A delivery of before a recovery: the broker delivers it again.
    Stale,
    /// There is no memory.
    NoMemory,
    /// The library is another than this crate was made for.
    StructVersion,
    /// As many channels as the broker allows are open.
    ChannelLimit,
    /// The process was forked since; connect anew.
    Forked,
    /// The library, or the system, cannot do this.
    Unsupported,
    /// Properties or headers that cannot be decoded.
    Malformed,
    /// The connection was lost and is not yet back.
    Recovering,
    /// The time was up.
    Timeout,
    /// The operating system's: see [`Error::os_errno`].
    Io,
    /// TLS could not be agreed on, or the certificate is not right.
    Tls,
    /// The peer broke the protocol, or speaks another one.
    Protocol,
    /// The broker refused the credentials.
    Auth,
    /// The broker closed the channel: see [`Error::reply_code`].
    ChannelClosedByBroker,
    /// The broker closed the connection: see [`Error::reply_code`].
    ConnectionClosedByBroker,
    /// The host's name has no address.
    Resolve,
    /// Nothing was heard from the broker for two intervals.
    Heartbeat,
    /// A publish: the broker refused it.
    Nacked,
    /// A publish: it was mandatory, and no queue took it.
    Returned,
    /// A publish: it never left whole. Safe to send again.
    NotSent,
    /// A publish: its channel was lost before the answer, so it may have arrived.
    OutcomeUnknown,
    /// A publish of a pool: the broker closed a channel over it.
    Refused,
    /// A consumer: the broker cancelled it.
    ConsumerCancelled,
    /// A bug in the library.
    Internal,
    /// A status that this crate does not know.
    Other,
}

impl ErrorKind {
    fn of_status(status: i32) -> ErrorKind {
        match status {
            sys::HAIGHA_ERR_ARGUMENT => ErrorKind::Argument,
            sys::HAIGHA_ERR_WOULD_BLOCK => ErrorKind::WouldBlock,
            sys::HAIGHA_ERR_WRONG_THREAD => ErrorKind::WrongThread,
            sys::HAIGHA_ERR_CLOSED => ErrorKind::Closed,
            sys::HAIGHA_ERR_STALE => ErrorKind::Stale,
            sys::HAIGHA_ERR_NO_MEMORY => ErrorKind::NoMemory,
            sys::HAIGHA_ERR_STRUCT_VERSION => ErrorKind::StructVersion,
            sys::HAIGHA_ERR_CHANNEL_LIMIT => ErrorKind::ChannelLimit,
            sys::HAIGHA_ERR_FORKED => ErrorKind::Forked,
            sys::HAIGHA_ERR_UNSUPPORTED => ErrorKind::Unsupported,
            sys::HAIGHA_ERR_MALFORMED => ErrorKind::Malformed,
            sys::HAIGHA_ERR_RECOVERING => ErrorKind::Recovering,
            sys::HAIGHA_ERR_TIMEOUT => ErrorKind::Timeout,
            sys::HAIGHA_ERR_IO => ErrorKind::Io,
            sys::HAIGHA_ERR_TLS => ErrorKind::Tls,
            sys::HAIGHA_ERR_PROTOCOL => ErrorKind::Protocol,
            sys::HAIGHA_ERR_AUTH => ErrorKind::Auth,
            sys::HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER => ErrorKind::ChannelClosedByBroker,
            sys::HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER => ErrorKind::ConnectionClosedByBroker,
            sys::HAIGHA_ERR_RESOLVE => ErrorKind::Resolve,
            sys::HAIGHA_ERR_HEARTBEAT => ErrorKind::Heartbeat,
            sys::HAIGHA_ERR_RETURNED => ErrorKind::Returned,
            sys::HAIGHA_ERR_INTERNAL => ErrorKind::Internal,
            _ => ErrorKind::Other,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            ErrorKind::Nacked => "the broker refused the message (basic.nack)",
            ErrorKind::Returned => "no queue took the message, which was mandatory",
            ErrorKind::NotSent => "the message was not sent",
            ErrorKind::OutcomeUnknown => {
                "the channel was lost before the broker's answer: the message may have arrived"
            }
            ErrorKind::Refused => "the broker closed a channel over the message",
            ErrorKind::ConsumerCancelled => "the broker cancelled the consumer",
            ErrorKind::WouldBlock => {
                "too many publishes wait for the broker to take more: await some of them"
            }
            ErrorKind::Closed => "it was closed",
            _ => "",
        }
    }
}

/// What went wrong: its kind, one sentence, and what the broker and the system said.
pub struct Error {
    kind: ErrorKind,
    status: i32,
    native: Option<Handle<sys::haigha_error>>,
}

impl Error {
    /// # Safety
    /// `native` is NULL or the caller's, and given away.
    pub(crate) unsafe fn adopt(native: *mut sys::haigha_error, status: i32) -> Error {
        // SAFETY: as above.
        let native = unsafe { Handle::adopt(native) };
        Error { kind: ErrorKind::of_status(status), status, native }
    }

    /// What an event tells.
    ///
    /// # Safety
    /// `native` is NULL or lives for the time of the call.
    pub(crate) unsafe fn copied(native: *const sys::haigha_error) -> Option<Error> {
        if native.is_null() {
            return None;
        }
        // SAFETY: as above; the copy is another reference.
        Some(unsafe { Error::adopt(sys::haigha_error_copy(native), sys::haigha_error_status(native)) })
    }

    pub(crate) fn of_status(status: i32) -> Error {
        Error { kind: ErrorKind::of_status(status), status, native: None }
    }

    /// One of a kind that is not a status of the library's; `cause` has the details.
    pub(crate) fn of_kind(kind: ErrorKind, cause: Option<Error>) -> Error {
        let (status, native) = cause.map_or((0, None), |cause| (cause.status, cause.native));
        Error { kind, status, native }
    }

    fn pointer(&self) -> *const sys::haigha_error {
        self.native.as_ref().map_or(std::ptr::null(), |native| native.get())
    }

    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The library's status, a `HAIGHA_ERR_*`; 0 where it is only an outcome of a publish.
    pub fn status(&self) -> i32 {
        self.status
    }

    /// The broker's code, such as 404; 0 when it gave none.
    pub fn reply_code(&self) -> u16 {
        // SAFETY: the accessors take NULL, and so below.
        unsafe { sys::haigha_error_reply_code(self.pointer()) }
    }

    /// The broker's text, word for word; empty when it gave none.
    pub fn reply_text(&self) -> String {
        // SAFETY: the text is the error's, which lives.
        unsafe { string(sys::haigha_error_reply_text(self.pointer())) }
    }

    /// The method that the broker blames, such as `queue.declare`; or empty.
    pub fn method(&self) -> &str {
        // SAFETY: static text.
        unsafe { text_of(sys::haigha_error_method_name(self.pointer())) }
    }

    /// Where in the life of a connection it happened: `resolve`, `connect`, `tls`, `handshake`, `open`,
    /// `ready`; or empty.
    pub fn stage(&self) -> &str {
        // SAFETY: static text.
        unsafe { text_of(sys::haigha_error_stage_name(self.pointer())) }
    }

    /// The channel's number, or 0 when it is not about one.
    pub fn channel_id(&self) -> u16 {
        // SAFETY: as above.
        unsafe { sys::haigha_error_channel_id(self.pointer()) }
    }

    /// `host:port` of the broker as configured, or empty.
    pub fn host(&self) -> String {
        // SAFETY: the text is the error's, which lives.
        unsafe { string(sys::haigha_error_host(self.pointer())) }
    }

    /// The operating system's number, or 0.
    pub fn os_errno(&self) -> i32 {
        // SAFETY: as above.
        unsafe { sys::haigha_error_os_errno(self.pointer()) }
    }
}

/// # Safety
/// `text` is NUL-terminated, and lives for as long as `'a`.
unsafe fn text_of<'a>(text: *const std::os::raw::c_char) -> &'a str {
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

impl Clone for Error {
    fn clone(&self) -> Self {
        // SAFETY: a copy is another reference, or NULL for NULL.
        let native = unsafe { Handle::adopt(sys::haigha_error_copy(self.pointer())) };
        Error { kind: self.kind, status: self.status, native }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the sentence is the error's, which lives; "" for NULL.
        let detail = unsafe { text_of(sys::haigha_error_message(self.pointer())) };
        match (self.kind.sentence(), detail) {
            ("", "") => {
                // SAFETY: static text for any number.
                f.write_str(unsafe { text_of(sys::haigha_status_name(self.status)) })
            }
            ("", detail) => f.write_str(detail),
            (sentence, "") => f.write_str(sentence),
            // What the library says of these is whole by itself.
            (_, detail) if self.kind == ErrorKind::of_status(self.status) => f.write_str(detail),
            (sentence, detail) => write!(f, "{sentence}: {detail}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("message", &self.to_string())
            .field("reply_code", &self.reply_code())
            .field("reply_text", &self.reply_text())
            .field("method", &self.method())
            .field("stage", &self.stage())
            .field("channel_id", &self.channel_id())
            .finish()
    }
}

impl std::error::Error for Error {}
