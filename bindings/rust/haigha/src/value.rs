//! Headers and arguments: AMQP's field tables as values.

use crate::error::{Error, Result};
use crate::native::{bytes, check, string, text, Handle};
use haigha_sys as sys;
use std::mem::MaybeUninit;

/// A value of a header or an argument, by its type on the wire.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `t`
    Bool(bool),
    /// `b`
    Int8(i8),
    /// `B`
    UInt8(u8),
    /// `s`
    Int16(i16),
    /// `u`
    UInt16(u16),
    /// `I`
    Int32(i32),
    /// `i`
    UInt32(u32),
    /// `l`, and `L` of some clients.
    Int64(i64),
    /// `f`
    Float(f32),
    /// `d`
    Double(f64),
    /// `D`: `unscaled` divided by 10 to the power of `scale`.
    Decimal {
        /// 32 bits on the wire.
        unscaled: i32,
        /// How many of its digits are behind the point.
        scale: u8,
    },
    /// `S`: text by custom, any bytes by right. See [`Value::as_str`].
    String(Vec<u8>),
    /// `x`
    Bytes(Vec<u8>),
    /// `T`: seconds since the Unix epoch.
    Timestamp(u64),
    /// `A`
    Array(Vec<Value>),
    /// `F`
    Table(Table),
    /// `V`
    Void,
}

impl Value {
    /// A string that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// Any of the integers.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Int8(number) => Some(number.into()),
            Value::UInt8(number) => Some(number.into()),
            Value::Int16(number) => Some(number.into()),
            Value::UInt16(number) => Some(number.into()),
            Value::Int32(number) => Some(number.into()),
            Value::UInt32(number) => Some(number.into()),
            Value::Int64(number) => Some(number),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$variant(value.into())
            }
        }
    )*};
}

from!(
    bool => Bool, i8 => Int8, u8 => UInt8, i16 => Int16, u16 => UInt16, i32 => Int32, u32 => UInt32,
    i64 => Int64, f32 => Float, f64 => Double, &str => String, String => String, Vec<u8> => Bytes,
    &[u8] => Bytes, Vec<Value> => Array, Table => Table,
);

/// Named values, in an order. Names are at most 255 bytes; one that a peer has sent and that is no UTF-8
/// has what is wrong replaced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(Vec<(String, Value)>);

impl Table {
    /// An empty one.
    pub fn new() -> Table {
        Table::default()
    }

    /// This one and one field more: `Table::new().with("x-max-length", 1000)`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Table {
        self.push(name, value);
        self
    }

    /// Appends a field. Names are not compared: one that is there twice is sent twice.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The library's; None where it is empty.
    pub(crate) fn native(&self) -> Result<Option<Handle<sys::haigha_table>>> {
        if self.is_empty() {
            return Ok(None);
        }
        // SAFETY: the library fills the pointer.
        let table = Handle::made(|made, error| unsafe { sys::haigha_table_new(made, error) })?;
        for (name, value) in &self.0 {
            add(&table, name, value)?;
        }
        Ok(Some(table))
    }

    /// # Safety
    /// The cursor walks what lives for the time of the call.
    pub(crate) unsafe fn read(cursor: &mut sys::haigha_cursor) -> Result<Table> {
        let mut table = Table::new();
        // SAFETY: as above.
        unsafe { walk(cursor, |name, value| table.0.push((name, value))) }?;
        Ok(table)
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Table {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Table {
        Table(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl IntoIterator for Table {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn add(table: &Handle<sys::haigha_table>, name: &str, value: &Value) -> Result<()> {
    let mut field = sys::haigha_field { name: text(name), ..Default::default() };
    let integer = |field: &mut sys::haigha_field, kind, number| {
        field.type_ = kind;
        field.integer = number;
    };
    match value {
        Value::Bool(value) => integer(&mut field, sys::HAIGHA_FIELD_BOOL, (*value).into()),
        Value::Int8(value) => integer(&mut field, sys::HAIGHA_FIELD_INT8, (*value).into()),
        Value::UInt8(value) => integer(&mut field, sys::HAIGHA_FIELD_UINT8, (*value).into()),
        Value::Int16(value) => integer(&mut field, sys::HAIGHA_FIELD_INT16, (*value).into()),
        Value::UInt16(value) => integer(&mut field, sys::HAIGHA_FIELD_UINT16, (*value).into()),
        Value::Int32(value) => integer(&mut field, sys::HAIGHA_FIELD_INT32, (*value).into()),
        Value::UInt32(value) => integer(&mut field, sys::HAIGHA_FIELD_UINT32, (*value).into()),
        Value::Int64(value) => integer(&mut field, sys::HAIGHA_FIELD_INT64, *value),
        // The library has it in the same 64 bits, unsigned.
        Value::Timestamp(value) => integer(&mut field, sys::HAIGHA_FIELD_TIMESTAMP, *value as i64),
        Value::Float(value) => {
            field.type_ = sys::HAIGHA_FIELD_FLOAT;
            field.real = (*value).into();
        }
        Value::Double(value) => {
            field.type_ = sys::HAIGHA_FIELD_DOUBLE;
            field.real = *value;
        }
        Value::Decimal { unscaled, scale } => {
            integer(&mut field, sys::HAIGHA_FIELD_DECIMAL, (*unscaled).into());
            field.scale = (*scale).into();
        }
        Value::String(value) => {
            field.type_ = sys::HAIGHA_FIELD_STRING;
            field.bytes = text(value);
        }
        Value::Bytes(value) => {
            field.type_ = sys::HAIGHA_FIELD_BYTES;
            field.bytes = text(value);
        }
        Value::Void => field.type_ = sys::HAIGHA_FIELD_VOID,
        Value::Array(_) | Value::Table(_) => return add_nested(table, name, value),
    }
    // SAFETY: the table is this thread's while it is being built; the field is copied.
    check(|error| unsafe { sys::haigha_table_add(table.get(), &field, error) })
}

fn add_nested(table: &Handle<sys::haigha_table>, name: &str, value: &Value) -> Result<()> {
    // SAFETY: as in `add`.
    let nested = Handle::made(|made, error| unsafe {
        match value {
            Value::Array(_) => sys::haigha_table_new_array(made, error),
            _ => sys::haigha_table_new(made, error),
        }
    })?;
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| add(&nested, "", value))?,
        Value::Table(fields) => fields.0.iter().try_for_each(|(name, value)| add(&nested, name, value))?,
        _ => {}
    }
    // SAFETY: as in `add`.
    check(|error| unsafe { sys::haigha_table_add_table(table.get(), text(name), nested.get(), error) })
}

/// # Safety
/// The cursor walks what lives for the time of the call.
unsafe fn walk(cursor: &mut sys::haigha_cursor, mut each: impl FnMut(String, Value)) -> Result<()> {
    loop {
        let mut field = sys::haigha_field::default();
        // SAFETY: as above.
        match unsafe { sys::haigha_cursor_next(cursor, &mut field) } {
            0 => return Ok(()),
            1 => {
                // SAFETY: the field borrows what the cursor walks.
                let (name, value) = unsafe { (string(field.name), value_of(cursor, &field)?) };
                each(name, value);
            }
            status => return Err(Error::of_status(status)),
        }
    }
}

/// # Safety
/// `cursor` gave the field, and both are alive.
unsafe fn value_of(cursor: &sys::haigha_cursor, field: &sys::haigha_field) -> Result<Value> {
    let number = field.integer;
    Ok(match field.type_ {
        // The numbers are in the range of their types: the library has read them so.
        sys::HAIGHA_FIELD_BOOL => Value::Bool(number != 0),
        sys::HAIGHA_FIELD_INT8 => Value::Int8(number as i8),
        sys::HAIGHA_FIELD_UINT8 => Value::UInt8(number as u8),
        sys::HAIGHA_FIELD_INT16 => Value::Int16(number as i16),
        sys::HAIGHA_FIELD_UINT16 => Value::UInt16(number as u16),
        sys::HAIGHA_FIELD_INT32 => Value::Int32(number as i32),
        sys::HAIGHA_FIELD_UINT32 => Value::UInt32(number as u32),
        sys::HAIGHA_FIELD_INT64 | sys::HAIGHA_FIELD_INT64_L => Value::Int64(number),
        sys::HAIGHA_FIELD_FLOAT => Value::Float(field.real as f32),
        sys::HAIGHA_FIELD_DOUBLE => Value::Double(field.real),
        sys::HAIGHA_FIELD_DECIMAL => Value::Decimal { unscaled: number as i32, scale: field.scale as u8 },
        sys::HAIGHA_FIELD_TIMESTAMP => Value::Timestamp(number as u64),
        // SAFETY: as above.
        sys::HAIGHA_FIELD_STRING => Value::String(unsafe { bytes(field.bytes) }.to_vec()),
        // SAFETY: as above.
        sys::HAIGHA_FIELD_BYTES => Value::Bytes(unsafe { bytes(field.bytes) }.to_vec()),
        sys::HAIGHA_FIELD_VOID => Value::Void,
        kind @ (sys::HAIGHA_FIELD_ARRAY | sys::HAIGHA_FIELD_TABLE) => {
            let mut nested = MaybeUninit::<sys::haigha_cursor>::zeroed();
            // SAFETY: the cursor gave the field; a cursor may be zero.
            let (status, nested) = unsafe {
                let status = sys::haigha_cursor_enter(cursor, field, nested.as_mut_ptr());
                (status, nested.assume_init_mut())
            };
            if status != sys::HAIGHA_OK {
                return Err(Error::of_status(status));
            }
            if kind == sys::HAIGHA_FIELD_TABLE {
                // SAFETY: it walks a part of what `cursor` walks.
                Value::Table(unsafe { Table::read(nested) }?)
            } else {
                let mut values = Vec::new();
                // SAFETY: as above.
                unsafe { walk(nested, |_, value| values.push(value)) }?;
                Value::Array(values)
            }
        }
        _ => return Err(Error::of_status(sys::HAIGHA_ERR_MALFORMED)),
    })
}
