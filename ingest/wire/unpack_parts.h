/* SPDX-License-Identifier: Apache-2.0
 * The two formats that libraries read in pieces only: Kafka's own frame around snappy's blocks, and
 * LZ4's frame, whose blocks go straight to where they belong.
 */
#ifndef PS_INGEST_WIRE_UNPACK_PARTS_H
#define PS_INGEST_WIRE_UNPACK_PARTS_H

#include <stddef.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

/* Where plain bytes go. */
typedef struct ps_wire_room {
    uint8_t *data;
    size_t used, max;
} ps_wire_room;

/* `bytes` is 0 where the format does not say how many they are. */
ps_status ps_wire_too_large(const ps_wire_room *room, uint64_t bytes, ps_error *error);
ps_status ps_wire_damaged(const char *codec, const char *why, ps_error *error);

ps_status ps_wire_unpack_lz4(ps_bytes packed, ps_wire_room *room, ps_error *error);
ps_status ps_wire_unpack_snappy(ps_bytes packed, ps_wire_room *room, ps_error *error);

#endif
