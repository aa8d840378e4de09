/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pair.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "host/base/check.h"

/* The call under way, written under the lock; `turn` counts them. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t begun, done;
    uint64_t turn;
    bool busy; /* the other thread has not ended this turn */
    ps_pair_item *fn;
    void *const *buf;
    const void *params;
    _Atomic uint32_t next;
    uint32_t end;
} pair = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .begun = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

static void take_items(uint32_t thread) {
    for (;;) {
        const uint32_t item = atomic_fetch_add_explicit(&pair.next, 1, memory_order_relaxed);
        if (item >= pair.end) return;
        pair.fn(pair.buf, pair.params, item, thread);
    }
}

static void *run_other(void *argument) {
    uint64_t seen = 0;
    (void)argument;
    for (;;) {
        PS_CHECK(pthread_mutex_lock(&pair.lock) == 0);
        while (pair.turn == seen) PS_CHECK(pthread_cond_wait(&pair.begun, &pair.lock) == 0);
        seen = pair.turn;
        PS_CHECK(pthread_mutex_unlock(&pair.lock) == 0);
        take_items(1);
        PS_CHECK(pthread_mutex_lock(&pair.lock) == 0);
        pair.busy = false;
        PS_CHECK(pthread_cond_signal(&pair.done) == 0);
        PS_CHECK(pthread_mutex_unlock(&pair.lock) == 0);
    }
    return NULL;
}

void ps_pair_run(ps_pair_item *fn, void *const *buf, const void *params, uint32_t begin,
                 uint32_t end) {
    static bool started;
    pthread_t other;
    if (!started) {
        PS_CHECK(pthread_create(&other, NULL, run_other, NULL) == 0);
        PS_CHECK(pthread_detach(other) == 0);
        started = true;
    }
    PS_CHECK(pthread_mutex_lock(&pair.lock) == 0);
    pair.fn = fn;
    pair.buf = buf;
    pair.params = params;
    pair.end = end;
    atomic_store_explicit(&pair.next, begin, memory_order_relaxed);
    pair.busy = true;
    pair.turn++;
    PS_CHECK(pthread_cond_signal(&pair.begun) == 0);
    PS_CHECK(pthread_mutex_unlock(&pair.lock) == 0);
    take_items(0);
    PS_CHECK(pthread_mutex_lock(&pair.lock) == 0);
    while (pair.busy) PS_CHECK(pthread_cond_wait(&pair.done, &pair.lock) == 0);
    PS_CHECK(pthread_mutex_unlock(&pair.lock) == 0);
}
