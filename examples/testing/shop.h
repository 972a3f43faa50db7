/* examples/testing/shop.h: a small application, whose functions shop_test.c tests. */
#ifndef EXAMPLE_SHOP_H
#define EXAMPLE_SHOP_H

#include <haigha/haigha.h>

enum { SHOP_SENT, SHOP_REFUSED, SHOP_UNSURE };

/* Sends an order to the queue `orders`, on a channel in confirm mode. SHOP_SENT: the broker has it;
 * SHOP_REFUSED: it did not take it in three tries, or there is no such queue; SHOP_UNSURE: the
 * connection went, or the broker has not answered, so it may have arrived. */
int shop_send(haigha_channel* confirming, const char* order);

enum { STOCK_ASKED = -1, STOCK_UNKNOWN = -2 };

/* Asks how many orders wait: *waiting is STOCK_ASKED, until it is a number or STOCK_UNKNOWN, on the
 * loop's thread. */
void shop_ask(haigha_channel* channel, int64_t* waiting);

#endif
