/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/proxy_orders.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { ORDERS_MAX = 256 };

static order orders[ORDERS_MAX];
static unsigned rounds;
static atomic_uint landings;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *const names[] = {"before", "after", "lose",  "drop", "hold",  "stray",
                                    "late",   "twice", "reset", "hole", "landed"};

static bool is_of_node(order_kind kind) {
    return kind == RESET || kind == HOLE;
}

void orders_tell(const order *of) {
    (void)printf("%s%d %s\n", is_of_node(of->kind) ? "node " : "", of->target, names[of->kind]);
    (void)fflush(stdout);
}

bool orders_take(int api, order *out) {
    bool found = false;
    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; !found && i < ORDERS_MAX; i++) {
        if (!orders[i].open || orders[i].target != api) continue;
        *out = orders[i];
        found = true;
        /* The ones behind it move up: the first is the oldest. */
        memmove(orders + i, orders + i + 1, (ORDERS_MAX - 1 - i) * sizeof *orders);
        orders[ORDERS_MAX - 1].open = false;
    }
    (void)pthread_mutex_unlock(&mutex);
    return found;
}

static void add(const order *of) {
    (void)pthread_mutex_lock(&mutex);
    size_t at = 0;
    while (at < ORDERS_MAX && orders[at].open) at++;
    if (at < ORDERS_MAX) orders[at] = *of;
    if (at < ORDERS_MAX) orders[at].round = rounds;
    (void)pthread_mutex_unlock(&mutex);
    if (at == ORDERS_MAX) (void)fprintf(stderr, "proxy: too many orders, one is forgotten\n");
}

void orders_return(const order *of) {
    (void)pthread_mutex_lock(&mutex);
    const bool due = of->round == rounds && !orders[ORDERS_MAX - 1].open;
    if (due) memmove(orders + 1, orders, (ORDERS_MAX - 1) * sizeof *orders);
    if (due) orders[0] = *of;
    (void)pthread_mutex_unlock(&mutex);
}

unsigned orders_landings(void) {
    return atomic_load(&landings);
}

static void forget_all(void) {
    (void)pthread_mutex_lock(&mutex);
    memset(orders, 0, sizeof orders);
    rounds++;
    (void)pthread_mutex_unlock(&mutex);
}

void orders_read(order_node *node) {
    char line[128], word[8];
    while (fgets(line, sizeof line, stdin) != NULL) {
        order of = {.open = true};
        const bool whole = strncmp(line, "node ", 5) == 0;
        size_t kind = 0;
        if (strncmp(line, "peace", 5) == 0) forget_all();
        if (strncmp(line, "land", 4) == 0) atomic_fetch_add(&landings, 1);
        if (sscanf(line + (whole ? 5 : 0), "%d %7s %ld", &of.target, word, &of.ms) < 2) continue;
        while (kind < LANDED && strcmp(names[kind], word) != 0) kind++;
        if (kind == LANDED || whole != is_of_node((order_kind)kind)) continue;
        of.kind = (order_kind)kind;
        if (whole)
            node(&of);
        else
            add(&of);
    }
}
