/* examples/testing/shop.c: what shop.h promises. Nothing in it knows of tests. */
#include "shop.h"

int shop_send(haigha_channel* confirming, const char* order) {
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    int tries;
    args.routing_key = haigha_text("orders");
    args.mandatory = 1;
    for (tries = 0; tries < 3; ++tries) {
        haigha_reply* reply = NULL;
        int32_t outcome = 0;
        if (haigha_publish_wait(confirming, &args, haigha_text(order), -1, &reply, NULL) !=
            HAIGHA_OK)
            return SHOP_UNSURE;
        outcome = haigha_reply_outcome(reply);
        haigha_reply_unref(reply);
        if (outcome == HAIGHA_OUTCOME_CONFIRMED) return SHOP_SENT;
        if (outcome == HAIGHA_OUTCOME_RETURNED) return SHOP_REFUSED;
        if (outcome != HAIGHA_OUTCOME_NACKED) return SHOP_UNSURE;
    }
    return SHOP_REFUSED;
}

static void on_stock(const haigha_event* event, void* user_data) {
    int64_t* const waiting = user_data;
    *waiting =
        event->error != NULL ? STOCK_UNKNOWN : (int64_t)haigha_reply_message_count(event->reply);
}

void shop_ask(haigha_channel* channel, int64_t* waiting) {
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    haigha_then then = {on_stock, NULL, NULL, NULL, 0};
    args.queue = haigha_text("orders");
    args.passive = 1;
    then.user_data = waiting;
    *waiting = STOCK_ASKED;
    if (haigha_queue_declare(channel, &args, &then, NULL) != HAIGHA_OK) *waiting = STOCK_UNKNOWN;
}
