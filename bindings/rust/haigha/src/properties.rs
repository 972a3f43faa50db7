//! The 14 properties of a message.

use crate::error::Result;
use crate::native::{string, text, Handle};
use crate::value::Table;
use haigha_sys as sys;

/// The properties of a message; None where it has none of the kind. Strings are at most 255 bytes.
///
/// ```
/// use haigha::{Properties, Table};
/// let properties = Properties {
///     content_type: Some("text/plain".into()),
///     delivery_mode: Some(2),
///     headers: Some(Table::new().with("attempt", 1)),
///     ..Properties::default()
/// };
/// # assert_eq!(properties.priority, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// A MIME type.
    pub content_type: Option<String>,
    /// Such as `gzip`.
    pub content_encoding: Option<String>,
    /// The program's own.
    pub headers: Option<Table>,
    /// 1: transient, 2: persistent.
    pub delivery_mode: Option<u8>,
    /// 0 to 255; in RabbitMQ up to the queue's `x-max-priority`.
    pub priority: Option<u8>,
    /// Which request this answers.
    pub correlation_id: Option<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// In RabbitMQ milliseconds, as decimal text.
    pub expiration: Option<String>,
    /// The program's own.
    pub message_id: Option<String>,
    /// Seconds since the Unix epoch.
    pub timestamp: Option<u64>,
    /// The program's own.
    pub kind: Option<String>,
    /// RabbitMQ compares it with the connection's user.
    pub user_id: Option<String>,
    /// The program's own.
    pub app_id: Option<String>,
    /// Not for use.
    pub cluster_id: Option<String>,
}

/// As the library takes them, borrowed from [`Properties`] but for the table.
pub(crate) struct NativeProperties {
    pub(crate) properties: sys::haigha_properties,
    _headers: Option<Handle<sys::haigha_table>>,
}

// Of each member that is a string: its bit, and its places here and there.
macro_rules! strings {
    ($each:ident) => {
        $each!(HAIGHA_PROPERTY_CONTENT_TYPE, content_type, content_type);
        $each!(HAIGHA_PROPERTY_CONTENT_ENCODING, content_encoding, content_encoding);
        $each!(HAIGHA_PROPERTY_CORRELATION_ID, correlation_id, correlation_id);
        $each!(HAIGHA_PROPERTY_REPLY_TO, reply_to, reply_to);
        $each!(HAIGHA_PROPERTY_EXPIRATION, expiration, expiration);
        $each!(HAIGHA_PROPERTY_MESSAGE_ID, message_id, message_id);
        $each!(HAIGHA_PROPERTY_TYPE, kind, type_);
        $each!(HAIGHA_PROPERTY_USER_ID, user_id, user_id);
        $each!(HAIGHA_PROPERTY_APP_ID, app_id, app_id);
        $each!(HAIGHA_PROPERTY_CLUSTER_ID, cluster_id, cluster_id);
    };
}

impl Properties {
    pub(crate) fn native(&self) -> Result<NativeProperties> {
        let mut native = sys::haigha_properties::default();
        macro_rules! set {
            ($bit:ident, $ours:ident, $theirs:ident) => {
                if let Some(value) = &self.$ours {
                    native.present |= sys::$bit;
                    native.$theirs = text(value);
                }
            };
        }
        strings!(set);
        if let Some(mode) = self.delivery_mode {
            native.present |= sys::HAIGHA_PROPERTY_DELIVERY_MODE;
            native.delivery_mode = mode;
        }
        if let Some(priority) = self.priority {
            native.present |= sys::HAIGHA_PROPERTY_PRIORITY;
            native.priority = priority;
        }
        if let Some(timestamp) = self.timestamp {
            native.present |= sys::HAIGHA_PROPERTY_TIMESTAMP;
            native.timestamp = timestamp;
        }
        let headers = match &self.headers {
            Some(table) => table.native()?,
            None => None,
        };
        if let Some(table) = &headers {
            native.present |= sys::HAIGHA_PROPERTY_HEADERS;
            native.headers = table.get();
        }
        Ok(NativeProperties { properties: native, _headers: headers })
    }

    /// # Safety
    /// What `native` shows lives for the time of the call.
    pub(crate) unsafe fn read(native: &sys::haigha_properties, headers: Option<Table>) -> Properties {
        let mut properties = Properties { headers, ..Properties::default() };
        macro_rules! get {
            ($bit:ident, $ours:ident, $theirs:ident) => {
                if native.present & sys::$bit != 0 {
                    // SAFETY: as above.
                    properties.$ours = Some(unsafe { string(native.$theirs) });
                }
            };
        }
        strings!(get);
        let present = |bit| native.present & bit != 0;
        properties.delivery_mode =
            present(sys::HAIGHA_PROPERTY_DELIVERY_MODE).then_some(native.delivery_mode);
        properties.priority = present(sys::HAIGHA_PROPERTY_PRIORITY).then_some(native.priority);
        properties.timestamp = present(sys::HAIGHA_PROPERTY_TIMESTAMP).then_some(native.timestamp);
        properties
    }
}
