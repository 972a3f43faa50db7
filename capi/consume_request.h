// What basic.consume is made of, for every kind of consumer.
#pragma once

#include "channel_calls.h"
#include "haigha/haigha.h"
#include "wire/method_declarations.h"

namespace haigha::capi {

// Views into what `given` points to.
inline wire::basic::Consume consume_method(Arguments& arguments, const haigha_consume_args& given) {
    wire::basic::Consume method{};
    method.queue = {arguments.name(given.queue, "queue")};
    method.consumer_tag = {arguments.name(given.consumer_tag, "consumer_tag")};
    method.no_local = given.no_local != 0;
    method.no_ack = given.no_ack != 0;
    method.exclusive = given.exclusive != 0;
    method.arguments = arguments_table(arguments, given.arguments);
    return method;
}

}  // namespace haigha::capi
