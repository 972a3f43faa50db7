//! Options of a connection, by name.

use crate::error::Result;
use crate::native::{check, string, text, Handle};
use haigha_sys as sys;
use std::fmt;

/// Where and how to connect. Every option has a name, the same in a URI's query and here;
/// [`describe_options`] tells each.
///
/// ```
/// # fn main() -> haigha::Result<()> {
/// let options = haigha::Options::of_uri("amqps://user@broker/vhost?heartbeat=30")?
///     .with("password", "secret")?
///     .with("cacertfile", "/etc/ssl/ca.pem")?
///     .with("recovery", 1)?;
/// # Ok(()) }
/// ```
pub struct Options(Handle<sys::haigha_options>);

/// What an option is set to.
#[derive(Clone, Copy, Debug)]
pub enum OptionValue<'a> {
    /// Text.
    Text(&'a str),
    /// A number, and 1 for yes.
    Int(i64),
}

impl<'a> From<&'a str> for OptionValue<'a> {
    fn from(value: &'a str) -> Self {
        OptionValue::Text(value)
    }
}

impl<'a> From<&'a String> for OptionValue<'a> {
    fn from(value: &'a String) -> Self {
        OptionValue::Text(value)
    }
}

impl From<i64> for OptionValue<'_> {
    fn from(value: i64) -> Self {
        OptionValue::Int(value)
    }
}

impl From<i32> for OptionValue<'_> {
    fn from(value: i32) -> Self {
        OptionValue::Int(value.into())
    }
}

impl From<bool> for OptionValue<'_> {
    fn from(value: bool) -> Self {
        OptionValue::Int(value.into())
    }
}

impl Options {
    /// All defaults: the broker on this machine, as guest.
    pub fn new() -> Result<Options> {
        // SAFETY: the library fills the pointer.
        Handle::made(|made, error| unsafe { sys::haigha_options_new(made, error) }).map(Options)
    }

    /// What a URI names: `amqp://user:password@host:port/vhost?option=value`, `amqps` with TLS.
    pub fn of_uri(uri: &str) -> Result<Options> {
        let options = Options::new()?;
        // SAFETY: the options are this thread's; the text is copied.
        check(|error| unsafe { sys::haigha_options_set_uri(options.0.get(), text(uri), error) })?;
        Ok(options)
    }

    /// These, with one of them set. Its name, its type or its range may be wrong.
    pub fn with<'a>(self, name: &str, value: impl Into<OptionValue<'a>>) -> Result<Options> {
        // SAFETY: the options are this thread's: they are owned. What is passed is copied.
        check(|error| unsafe {
            match value.into() {
                OptionValue::Text(value) => {
                    sys::haigha_options_set_string(self.0.get(), text(name), text(value), error)
                }
                OptionValue::Int(value) => {
                    sys::haigha_options_set_int(self.0.get(), text(name), value, error)
                }
            }
        })?;
        Ok(self)
    }

    pub(crate) fn get(&self) -> *const sys::haigha_options {
        self.0.get()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What can be shown of them is asked for by a call that needs them for itself.
        f.write_str("Options")
    }
}

/// A row of the library's table of options.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OptionInfo {
    /// Its name.
    pub name: String,
    /// One sentence, with the unit.
    pub meaning: String,
    /// Where it is text: what it is unless it is set; empty for a secret.
    pub default_text: String,
    /// Where it is a number: what it is unless it is set.
    pub default_int: i64,
    /// The least number, or length of a text in bytes.
    pub minimum: i64,
    /// The greatest.
    pub maximum: i64,
    /// Whether it is text, and not a number.
    pub is_text: bool,
    /// Whether it is never shown.
    pub is_secret: bool,
}

/// Every option that the library knows.
pub fn describe_options() -> Vec<OptionInfo> {
    let mut all = Vec::new();
    loop {
        let mut info = sys::haigha_option_info::default();
        // SAFETY: `info` says how long it is. What it is filled with is static.
        unsafe {
            if sys::haigha_options_describe(all.len(), &mut info) != sys::HAIGHA_OK {
                return all;
            }
            all.push(OptionInfo {
                name: string(info.name),
                meaning: string(info.meaning),
                default_text: string(info.default_string),
                default_int: info.default_int,
                minimum: info.minimum,
                maximum: info.maximum,
                is_text: info.type_ == sys::HAIGHA_OPTION_STRING,
                is_secret: info.secret != 0,
            });
        }
    }
}
