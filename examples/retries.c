/* examples/retries.c: orders that fail come again after a while, and are put aside at last. */
#include <haigha/death.h>
#include <haigha/retry.h>
#include <stdio.h>
#include <stdlib.h>

static void must(haigha_status status, haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

/* The next message of an inbox, and what is said of it. */
static haigha_message* next(haigha_inbox* inbox, uint64_t* retries) {
    haigha_error* error = NULL;
    haigha_message* message;
    must(haigha_inbox_next_message(inbox, 60000, &message, &error), error);
    must(haigha_message_retries(message, retries, &error), error);
    return message;
}

static haigha_inbox* consume(haigha_channel* channel, const char* queue) {
    haigha_error* error = NULL;
    haigha_inbox* inbox;
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    must(haigha_inbox_new(0, &inbox, &error), error);
    args.queue = haigha_text(queue);
    args.deliveries.inbox = inbox;
    must(haigha_consume_wait(channel, &args, -1, NULL, &error), error);
    return inbox;
}

int main(int argc, char** argv) {
    static const char* const names[] = {"example-orders", "example-orders.retry",
                                        "example-orders.retry.100ms", "example-orders.retry.200ms",
                                        "example-orders.quarantine"};
    const uint64_t delays_ms[] = {100, 200};
    haigha_error* error = NULL;
    haigha_connection* connection;
    haigha_channel* channel;
    haigha_retry* retry;
    haigha_topology* topology;
    haigha_retry_args ladder = HAIGHA_RETRY_ARGS_INIT;
    haigha_channel_args confirms = HAIGHA_CHANNEL_ARGS_INIT;
    haigha_publish_args order = HAIGHA_PUBLISH_ARGS_INIT;
    haigha_inbox *orders, *aside;
    haigha_message* message;
    uint64_t retries = 0, deaths = 0;
    size_t i;
    must(haigha_connect_wait(haigha_text(argc > 1 ? argv[1] : ""), -1, &connection, &error), error);

    /* What has to be there, in one place: it is created once, and compared each time. */
    must(haigha_topology_new(&topology, &error), error);
    must(haigha_topology_add_text(topology,
                                  haigha_text("queue example-orders durable\n"
                                              "bind example-orders from amq.topic by example.*\n"),
                                  &error),
         error);
    ladder.queue = haigha_text("example-orders");
    ladder.delays_ms = delays_ms;
    ladder.delay_count = 2;
    must(haigha_retry_new(connection, &ladder, &retry, &error), error);
    must(haigha_retry_describe(retry, topology, &error), error);
    must(haigha_topology_apply_wait(topology, connection, 0, -1, NULL, &error), error);
    haigha_topology_free(topology);

    confirms.confirm = 1;
    must(haigha_channel_open_wait(connection, &confirms, -1, &channel, &error), error);
    orders = consume(channel, "example-orders");
    aside = consume(channel, "example-orders.quarantine");
    order.exchange = haigha_text("amq.topic");
    order.routing_key = haigha_text("example.paid");
    must(haigha_publish_wait(channel, &order, haigha_text("order 17"), -1, NULL, &error), error);

    /* It fails each time: at once, after 100 ms and after 200 ms more. */
    for (i = 0; i < 3; ++i) {
        message = next(orders, &retries);
        must(haigha_message_death_count(message, haigha_text(""), haigha_text("expired"), &deaths,
                                        &error),
             error);
        printf("order 17: try %d, waited for %s\n", (int)retries + 1,
               deaths == 0 ? "nothing" : "its delay");
        /* In place of an ack: it is acknowledged once the next step has it. */
        must(haigha_retry_message(retry, channel, message, haigha_text("the bank is closed"), NULL,
                                  &error),
             error);
        haigha_message_unref(message);
    }
    message = next(aside, &retries);
    printf("put aside after %d tries\n", (int)retries);
    must(haigha_ack(channel, haigha_message_delivery_tag(message), 0, &error), error);
    haigha_message_unref(message);

    for (i = 0; i < sizeof names / sizeof *names; ++i) {
        haigha_queue_delete_args queue = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        haigha_exchange_delete_args exchange = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        queue.queue = exchange.exchange = haigha_text(names[i]);
        must(haigha_queue_delete_wait(channel, &queue, -1, NULL, &error), error);
        must(haigha_exchange_delete_wait(channel, &exchange, -1, NULL, &error), error);
    }
    haigha_retry_unref(retry);
    must(haigha_connection_close_wait(connection, -1, &error), error);
    haigha_inbox_unref(orders);
    haigha_inbox_unref(aside);
    haigha_channel_unref(channel);
    haigha_connection_unref(connection);
    return 0;
}
