/* SPDX-License-Identifier: Apache-2.0
 * A desk to write and read frames on, for the tests of Kafka's messages.
 */
#ifndef PS_TESTS_WIRE_DESK_H
#define PS_TESTS_WIRE_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/wire/shape.h"

enum { ROOM = 1 << 20, PIECES = 4096, STRUCT_MAX = 256 };

static const ps_bytes null_bytes = {NULL, PS_NULL_LENGTH};
#define TEXT(literal) ((ps_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

/* Any message. */
typedef union any {
    uint8_t bytes[STRUCT_MAX];
    int64_t aligned;
} any;

typedef struct desk {
    struct iovec piece[PIECES];
    ps_wire_out out;
    ps_wire_pool pool;
    uint8_t *flat; /* the newest frame in one piece, with its size */
    size_t flat_bytes;
    ps_error error;
} desk;

desk *new_desk(void);
void free_desk(desk *on);

/* What `out` has, in one block of the heap: a frame without its size. */
ps_bytes flatten(desk *on);

ps_status write_frame(desk *on, bool request, ps_wire_api api, int16_t version,
                      const void *message);
ps_status read_frame(desk *on, bool request, ps_wire_api api, int16_t version, ps_bytes frame,
                     void *message);

void same_bytes(ps_bytes a, ps_bytes b);

#endif
