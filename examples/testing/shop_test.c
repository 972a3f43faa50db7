/* examples/testing/shop_test.c: tests shop.c against faults, without a broker and without waiting.
 * Its argument is the program haigha-stub-broker. */
#include <haigha/testing.h>
#include <stdlib.h>
#include <string.h>

#include "shop.h"
#include "stub_process.h"

static int failures = 0;

static void expect(int holds, const char* what) {
    printf("%s: %s\n", holds ? "ok" : "FAILED", what);
    if (!holds) ++failures;
}

static void must(haigha_status status, haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

static haigha_connection* connect_to(haigha_loop* loop, const stub_process* stub) {
    haigha_error* error = NULL;
    haigha_options* options;
    haigha_connection* connection;
    must(haigha_options_new(&options, &error), error);
    must(haigha_options_set_uri(options, haigha_text(stub->uri), &error), error);
    must(haigha_options_set_int(options, haigha_text("heartbeat"), 0, &error), error);
    must(haigha_options_set_int(options, haigha_text("rpc_timeout_ms"), 30000, &error), error);
    must(haigha_connection_new(loop, options, NULL, &connection, &error), error);
    must(haigha_connection_open_wait(connection, -1, &error), error);
    haigha_options_free(options);
    return connection;
}

static haigha_channel* open_channel(haigha_connection* connection) {
    haigha_error* error = NULL;
    haigha_channel* channel;
    haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
    args.confirm = 1;
    must(haigha_channel_open_wait(connection, &args, -1, &channel, &error), error);
    return channel;
}

/* Faults that come when the script says so, and not by chance. */
static void test_sending(stub_process* stub, haigha_connection* connection) {
    haigha_channel* channel = open_channel(connection);
    expect(shop_send(channel, "a book") == SHOP_REFUSED, "there is no queue");
    stub_say(stub, "put orders an order of yesterday"); /* now there is */
    expect(shop_send(channel, "a book") == SHOP_SENT, "an order is sent");

    stub_say(stub, "on basic.publish#1 nack");
    stub_say(stub, "on basic.publish#2 nack");
    expect(shop_send(channel, "a pen") == SHOP_SENT, "the third try is taken");

    stub_say(stub, "clear");
    stub_say(stub, "on basic.publish nack");
    expect(shop_send(channel, "a pen") == SHOP_REFUSED, "three tries, and no more");

    stub_say(stub, "clear");
    stub_say(stub, "on basic.publish close-channel 506 RESOURCE_ERROR - by script");
    expect(shop_send(channel, "a pen") == SHOP_UNSURE, "the channel goes");
    stub_say(stub, "clear");
    haigha_channel_unref(channel);
}

/* Half a minute that costs nothing: the test moves the loop's clock. */
static void test_asking(stub_process* stub, haigha_loop* loop, haigha_connection* connection) {
    haigha_error* error = NULL;
    haigha_channel* channel = open_channel(connection);
    int64_t waiting = 0;
    stub_say(stub, "on queue.declare#1 no-reply");
    shop_ask(channel, &waiting);
    stub_await_fired(stub);
    must(haigha_loop_advance_wait(loop, 29999, -1, &error), error);
    expect(waiting == STOCK_ASKED, "29.999 seconds are not too long");
    must(haigha_loop_advance_wait(loop, 1, -1, &error), error);
    expect(waiting == STOCK_UNKNOWN, "30 seconds are");
    haigha_channel_unref(channel);
}

int main(int argc, char** argv) {
    haigha_error* error = NULL;
    haigha_loop* loop;
    haigha_connection* connection;
    stub_process stub;
    if (argc != 2) return 2;
    stub_start(&stub, argv[1]);
    must(haigha_loop_start(&loop, &error), error);
    must(haigha_loop_stop_clock(loop, &error), error);
    connection = connect_to(loop, &stub);

    test_sending(&stub, connection);
    test_asking(&stub, loop, connection);

    must(haigha_connection_close_wait(connection, -1, &error), error);
    expect(strcmp(stub_say(&stub, "violations"), "0") == 0, "nothing was against the protocol");
    haigha_connection_unref(connection);
    haigha_loop_unref(loop);
    stub_stop(&stub);
    if (failures == 0) printf("the shop works\n");
    return failures == 0 ? 0 : 1;
}
