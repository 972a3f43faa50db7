//! A channel's exchanges, queues and bindings.

use crate::channel::{nothing, Channel};
use crate::error::Result;
use crate::native::{string, text, Handle};
use crate::operation::{Operation, Reply};
use crate::value::Table;
use haigha_sys as sys;
use std::ptr::null;

/// How an exchange is declared.
#[derive(Clone, Debug, Default)]
pub struct ExchangeOptions {
    /// Only ask whether it exists.
    pub passive: bool,
    /// It outlives the broker.
    pub durable: bool,
    /// It is deleted with its last binding.
    pub auto_delete: bool,
    /// Only other exchanges publish to it.
    pub internal: bool,
    /// Of its type, or a plugin.
    pub arguments: Table,
}

/// How a queue is declared.
#[derive(Clone, Debug, Default)]
pub struct QueueOptions {
    /// Only ask whether it exists.
    pub passive: bool,
    /// It outlives the broker.
    pub durable: bool,
    /// It is this connection's alone, and goes with it.
    pub exclusive: bool,
    /// It is deleted with its last consumer.
    pub auto_delete: bool,
    /// Such as `x-queue-type`.
    pub arguments: Table,
}

/// A queue that was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name, by the broker where none was given.
    pub name: String,
    /// Messages that are ready.
    pub message_count: u32,
    /// Who consumes from it.
    pub consumer_count: u32,
}

type Call<A> = unsafe extern "C" fn(
    *mut sys::haigha_channel,
    *const A,
    *const sys::haigha_then,
    *mut *mut sys::haigha_error,
) -> i32;

/// NULL where there are none. The table is to live as long.
fn pointer(table: &Option<Handle<sys::haigha_table>>) -> *const sys::haigha_table {
    table.as_ref().map_or(null(), |table| table.get())
}

fn message_count(reply: Reply) -> Result<u32> {
    // SAFETY: the reply lives, or is NULL, which means 0.
    Ok(unsafe { sys::haigha_reply_message_count(reply.get()) })
}

impl Channel {
    /// `kind` is `direct`, `fanout`, `topic`, `headers`, or a plugin's.
    pub fn exchange_declare(&self, exchange: &str, kind: &str, options: &ExchangeOptions) -> Operation<()> {
        let table = match options.arguments.native() {
            Ok(table) => table,
            Err(error) => return Operation::failed(error),
        };
        let args = sys::haigha_exchange_declare_args {
            exchange: text(exchange),
            type_: text(kind),
            passive: options.passive.into(),
            durable: options.durable.into(),
            auto_delete: options.auto_delete.into(),
            internal: options.internal.into(),
            arguments: pointer(&table),
            ..Default::default()
        };
        // SAFETY: as above.
        let start =
            |channel, then: &_, error| unsafe { sys::haigha_exchange_declare(channel, &args, then, error) };
        self.call(start, nothing)
    }

    /// Deletes an exchange, or only one to which nothing is bound.
    pub fn exchange_delete(&self, exchange: &str, if_unused: bool) -> Operation<()> {
        let args = sys::haigha_exchange_delete_args {
            exchange: text(exchange),
            if_unused: if_unused.into(),
            ..Default::default()
        };
        // SAFETY: as above.
        let start =
            |channel, then: &_, error| unsafe { sys::haigha_exchange_delete(channel, &args, then, error) };
        self.call(start, nothing)
    }

    /// Messages flow from `source` to `destination`.
    pub fn exchange_bind(
        &self,
        destination: &str,
        source: &str,
        routing_key: &str,
        arguments: &Table,
    ) -> Operation<()> {
        self.exchange_binding(sys::haigha_exchange_bind, destination, source, routing_key, arguments)
    }

    /// And no longer.
    pub fn exchange_unbind(
        &self,
        destination: &str,
        source: &str,
        routing_key: &str,
        arguments: &Table,
    ) -> Operation<()> {
        self.exchange_binding(sys::haigha_exchange_unbind, destination, source, routing_key, arguments)
    }

    fn exchange_binding(
        &self,
        call: Call<sys::haigha_exchange_bind_args>,
        destination: &str,
        source: &str,
        routing_key: &str,
        arguments: &Table,
    ) -> Operation<()> {
        let table = match arguments.native() {
            Ok(table) => table,
            Err(error) => return Operation::failed(error),
        };
        let args = sys::haigha_exchange_bind_args {
            destination: text(destination),
            source: text(source),
            routing_key: text(routing_key),
            arguments: pointer(&table),
            ..Default::default()
        };
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { call(channel, &args, then, error) }, nothing)
    }

    /// An empty name has the broker choose one.
    pub fn queue_declare(&self, queue: &str, options: &QueueOptions) -> Operation<Queue> {
        let table = match options.arguments.native() {
            Ok(table) => table,
            Err(error) => return Operation::failed(error),
        };
        let args = sys::haigha_queue_declare_args {
            queue: text(queue),
            passive: options.passive.into(),
            durable: options.durable.into(),
            exclusive: options.exclusive.into(),
            auto_delete: options.auto_delete.into(),
            arguments: pointer(&table),
            ..Default::default()
        };
        // SAFETY: as above.
        let start =
            |channel, then: &_, error| unsafe { sys::haigha_queue_declare(channel, &args, then, error) };
        self.call(start, |reply| {
            let reply = reply.get();
            // SAFETY: the reply lives, or is NULL, which means empty and 0.
            Ok(unsafe {
                Queue {
                    name: string(sys::haigha_reply_queue(reply)),
                    message_count: sys::haigha_reply_message_count(reply),
                    consumer_count: sys::haigha_reply_consumer_count(reply),
                }
            })
        })
    }

    /// Messages flow from the exchange to the queue.
    pub fn queue_bind(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &str,
        arguments: &Table,
    ) -> Operation<()> {
        self.queue_binding(sys::haigha_queue_bind, queue, exchange, routing_key, arguments)
    }

    /// And no longer.
    pub fn queue_unbind(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &str,
        arguments: &Table,
    ) -> Operation<()> {
        self.queue_binding(sys::haigha_queue_unbind, queue, exchange, routing_key, arguments)
    }

    fn queue_binding(
        &self,
        call: Call<sys::haigha_queue_bind_args>,
        queue: &str,
        exchange: &str,
        routing_key: &str,
        arguments: &Table,
    ) -> Operation<()> {
        let table = match arguments.native() {
            Ok(table) => table,
            Err(error) => return Operation::failed(error),
        };
        let args = sys::haigha_queue_bind_args {
            queue: text(queue),
            exchange: text(exchange),
            routing_key: text(routing_key),
            arguments: pointer(&table),
            ..Default::default()
        };
        // SAFETY: as above.
        self.call(|channel, then, error| unsafe { call(channel, &args, then, error) }, nothing)
    }

    /// Drops what is ready in the queue; how many that was.
    pub fn queue_purge(&self, queue: &str) -> Operation<u32> {
        // SAFETY: as above.
        let start =
            |channel, then: &_, error| unsafe { sys::haigha_queue_purge(channel, text(queue), then, error) };
        self.call(start, message_count)
    }

    /// Deletes a queue, or only one that nobody consumes from, or that is empty; how many messages it had.
    pub fn queue_delete(&self, queue: &str, if_unused: bool, if_empty: bool) -> Operation<u32> {
        let args = sys::haigha_queue_delete_args {
            queue: text(queue),
            if_unused: if_unused.into(),
            if_empty: if_empty.into(),
            ..Default::default()
        };
        // SAFETY: as above.
        let start =
            |channel, then: &_, error| unsafe { sys::haigha_queue_delete(channel, &args, then, error) };
        self.call(start, message_count)
    }
}
