/* SPDX-License-Identifier: Apache-2.0
 * A broker for tests, on loopback and in a thread of its own: it reads requests by the table of
 * messages and answers what a script says. Several of them are a cluster, if the script says so.
 */
#ifndef PS_TESTS_WIRE_BROKER_H
#define PS_TESTS_WIRE_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/wire/message.h"

typedef struct wire_broker wire_broker;

typedef struct wire_question {
    wire_broker *broker;
    int32_t node;        /* what the test calls this broker */
    uint64_t connection; /* counts up, over all brokers of the process */
    ps_wire_api api;
    int16_t version;
    ps_bytes client_id;
    const void *request; /* the api's struct */
    void *answer;        /* likewise, all zero: to be filled */
    int64_t delay_ms;    /* to be set: the answer comes so much later; those behind it wait */
    bool odd;            /* to be set: the answer has another correlation id */
} wire_question;

typedef enum wire_does {
    WIRE_ANSWERS,
    WIRE_IS_SILENT, /* no answer, ever */
    WIRE_HANGS_UP
} wire_does;

/* In a broker's thread, one at a time in the whole process. ApiVersions asks it too: an answer
 * that it leaves empty is filled with all there is, and transaction.version 2. */
typedef wire_does wire_script(void *opaque, wire_question *question);

wire_broker *wire_broker_open(int32_t node, wire_script *script, void *opaque);
/* No connection and no port any more, as after kill -9. */
void wire_broker_close(wire_broker *broker);
/* It keeps its connections and reads none of them, until it is thawed. */
void wire_broker_freeze(wire_broker *broker, bool frozen);
uint16_t wire_broker_port(const wire_broker *broker);

/* While a test looks at what its script writes, or the other way round. */
void wire_brokers_lock(void);
void wire_brokers_unlock(void);

/* Zeroed, until the answer is on its way. */
void *wire_memory(wire_question *question, size_t bytes);

#endif
