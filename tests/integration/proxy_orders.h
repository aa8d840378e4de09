/* SPDX-License-Identifier: Apache-2.0
 * What the proxy was told to break and has not broken yet. Orders come on stdin, one a line, and
 * each is obeyed once, and told on stdout when it was; proxy.c lists them.
 */
#ifndef PS_TESTS_INTEGRATION_PROXY_ORDERS_H
#define PS_TESTS_INTEGRATION_PROXY_ORDERS_H

#include <stdbool.h>

/* LANDED is told, and no order. */
typedef enum order_kind {
    BEFORE,
    AFTER,
    LOSE,
    DROP,
    HOLD,
    STRAY,
    LATE,
    TWICE,
    RESET,
    HOLE,
    LANDED
} order_kind;

typedef struct order {
    int target; /* an API key, or the node of RESET and HOLE */
    order_kind kind;
    long ms;
    unsigned round; /* how often peace had been made when it came */
    bool open;
} order;

/* Hears of orders to a node, in the thread that reads them. */
typedef void order_node(const order *of);

/* Reads orders until stdin ends, which only takes the giver of orders away. */
void orders_read(order_node *node);

/* The oldest order for requests of this kind, which is then obeyed: false where there is none. */
bool orders_take(int api, order *out);

/* An order that was taken and hit nothing: the next request of its kind obeys it, unless peace was
 * made meanwhile. */
void orders_return(const order *of);

/* How often those that are held back were let go. */
unsigned orders_landings(void);

/* On stdout: this was done. */
void orders_tell(const order *of);

#endif
