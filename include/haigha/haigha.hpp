// haigha.hpp: libhaigha for C++20, header-only over haigha.h: nothing to link with but
// libhaigha.so.
//
//     auto connection = haigha::Connection::connect("amqp://localhost").value();
//     auto channel = connection.open_channel({.confirm = true}).wait().value();
//     channel.declare_queue({.queue = "tasks", .durable = true}).wait().value();
//     channel.publish_confirmed({.routing_key = "tasks"}, "hello").wait().value();
//
// An operation that the broker answers is begun in one of these ways, in the expression that made
// it:
//     .wait(timeout)     blocks and gives a Result
//     .then(callable)    returns; the callable gets the Result, on the loop's thread
//     .then(Into{inbox}) returns; the inbox gets the answer
//     .start()           returns; nobody hears
//     co_await           gives the Result; the coroutine goes on on the loop's thread
// A Result is a value or an Error; .value() throws haigha::Exception in place of an error.
//
// The rules at the top of haigha.h hold here too. Handles count references; a copy is one more, and
// dropping the last one of a connection ends it. Callables are kept until their last event, and let
// go where they hold handles too. Memory that runs out is an Error, but for what a callable's own
// copying throws.
#pragma once

#include "cpp/arguments.hpp"
#include "cpp/channel.hpp"
#include "cpp/connection.hpp"
#include "cpp/events.hpp"
#include "cpp/inbox.hpp"
#include "cpp/message.hpp"
#include "cpp/operation.hpp"
#include "cpp/options.hpp"
#include "cpp/result.hpp"
#include "cpp/table.hpp"
