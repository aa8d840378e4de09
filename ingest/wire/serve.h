/* SPDX-License-Identifier: Apache-2.0
 * How a client's connections are served: by whoever owns it, step by step, without a call to the
 * kernel that can bring nothing.
 */
#ifndef PS_INGEST_WIRE_SERVE_H
#define PS_INGEST_WIRE_SERVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/status.h"
#include "host/base/wake.h"

typedef struct ps_wire_client ps_wire_client;

/* All I/O that is possible now, with the callbacks of what was answered or broken off. Fails only
 * for what will not get better: refused credentials, a broker that is too old (BAD_CONFIG), an
 * answer for which there is no room (UNSUPPORTED). */
ps_status ps_wire_client_step(ps_wire_client *client, int64_t now_ns, ps_error *error) PS_MUST_USE;
/* Writes what was sent since that step, without looking for what came. Fails as it does. */
ps_status ps_wire_client_push(ps_wire_client *client, ps_error *error) PS_MUST_USE;
/* How many requests were sent; one more: there is something to push. */
uint32_t ps_wire_client_sent(const ps_wire_client *client);

/* When it wants to be called though nothing comes: of connections, requests, back-offs. 0: now. */
int64_t ps_wire_client_deadline(const ps_wire_client *client);
int ps_wire_client_fd(const ps_wire_client *client); /* epoll: readable when step has work */
/* For ps_wake_watch(): who sleeps on the descriptor sets it, and from now on a step looks at the
 * sockets only when it is set, or when nobody has slept or looked for a while. Again: it is set
 * now. Borrows `wake`. */
atomic_bool *ps_wire_client_bell(ps_wire_client *client, const ps_wake *wake);

/* Sleeps until something comes, which the next step or push takes, until it wants to be called, or
 * until then. */
void ps_wire_client_rest(ps_wire_client *client, int64_t until_ns);
/* Steps until `done` (NULL: never) says so: OK, or until `until_ns`: AGAIN. */
ps_status ps_wire_client_wait(ps_wire_client *client, bool (*done)(void *), void *opaque,
                              int64_t until_ns, ps_error *error) PS_MUST_USE;

#endif
