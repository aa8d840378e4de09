/* SPDX-License-Identifier: Apache-2.0
 * A partition whose records do not move though it is tried again and again: whoever waits for it
 * must be told what the brokers say, or it would be silence.
 */
#ifndef PS_INGEST_WIRE_STALLED_H
#define PS_INGEST_WIRE_STALLED_H

#include "ingest/wire/client.h"

typedef struct ps_wire_stalled {
    uint32_t topic, within; /* the topic's partition */
    int16_t code;           /* of the newest answer; 0: there was none */
    int64_t since_ns;
} ps_wire_stalled;

/* Why, for a person: the broker's error or, where there is none, what is wrong with its leader. */
void ps_wire_stalled_why(ps_wire_client *client, const ps_wire_stalled *stalled, ps_error *why);

#endif
