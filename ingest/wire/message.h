/* SPDX-License-Identifier: Apache-2.0
 * Kafka's messages as C structs, and as the bytes that carry them. One table (messages.def) makes
 * the structs below and what encode.c and decode.c go by, for a client and for a broker alike.
 * Nothing here allocates: what a message needs beyond its struct is carved of the caller's memory.
 */
#ifndef PS_INGEST_WIRE_MESSAGE_H
#define PS_INGEST_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

/* Kafka's own numbers. */
typedef enum ps_wire_api {
    PS_WIRE_PRODUCE = 0,
    PS_WIRE_FETCH = 1,
    PS_WIRE_LIST_OFFSETS = 2,
    PS_WIRE_METADATA = 3,
    PS_WIRE_OFFSET_COMMIT = 8,
    PS_WIRE_OFFSET_FETCH = 9,
    PS_WIRE_FIND_COORDINATOR = 10,
    PS_WIRE_SASL_HANDSHAKE = 17,
    PS_WIRE_API_VERSIONS = 18,
    PS_WIRE_INIT_PRODUCER_ID = 22,
    PS_WIRE_OFFSET_FOR_LEADER_EPOCH = 23,
    PS_WIRE_ADD_PARTITIONS_TO_TXN = 24,
    PS_WIRE_ADD_OFFSETS_TO_TXN = 25,
    PS_WIRE_END_TXN = 26,
    PS_WIRE_TXN_OFFSET_COMMIT = 28,
    PS_WIRE_SASL_AUTHENTICATE = 36,
    PS_WIRE_APIS = 64 /* of an array that an api is the index of */
} ps_wire_api;

/* struct ps_wire_fetch_request, ps_wire_fetch_response and so on, with the structs of their arrays
 * (ps_wire_fetch_response_partition_data), each a typedef too. An array has a count, -1 for null;
 * a null string's length is PS_NULL_LENGTH. Decoded strings and records point into the frame.
 * Zero is no default of many fields (replica_id, current_leader_epoch: -1): a request says all. */
#define BEGIN(name) typedef struct ps_wire_##name {
#define END(name) \
    }             \
    ps_wire_##name;
#define FIELD(type, name, ...) PS_WIRE_C_##type(name);
#define ARRAY(element, name, ...) \
    int32_t name##_count;         \
    const ps_wire_##element *name;
#define PART(element, name, ...) ps_wire_##element name;
#define PS_WIRE_C_BOOL(name)     bool name
#define PS_WIRE_C_INT8(name)     int8_t name
#define PS_WIRE_C_INT16(name)    int16_t name
#define PS_WIRE_C_INT32(name)    int32_t name
#define PS_WIRE_C_INT64(name)    int64_t name
#define PS_WIRE_C_UUID(name)     uint8_t name[16]
#define PS_WIRE_C_STRING(name)   ps_bytes name
#define PS_WIRE_C_BYTES(name)    ps_bytes name
#define PS_WIRE_C_RECORDS(name)  ps_bytes name
#define PS_WIRE_C_INT32S(name) \
    int32_t name##_count;      \
    const int32_t *name
#define PS_WIRE_C_STRINGS(name) \
    int32_t name##_count;       \
    const ps_bytes *name
#include "ingest/wire/messages.def"

/* The versions of an api that these structs know; max < min: an api that is not in the table. An
 * ApiVersions answer is decoded in version 0 too: so an older broker says error 35. */
typedef struct ps_wire_range {
    int16_t min, max;
} ps_wire_range;
ps_wire_range ps_wire_versions(ps_wire_api api);

const char *ps_wire_api_name(ps_wire_api api); /* "fetch" */
/* sizeof of its structs, for who holds any of them; 0: not in the table. */
size_t ps_wire_request_bytes(ps_wire_api api);
size_t ps_wire_response_bytes(ps_wire_api api);

/* For how long an answer asks us to send nothing more on its connection (KIP-219), 30 s at most: a
 * broker's window of quotas is 11 s long unless somebody changed it, it holds back by itself who
 * comes too early, and whoever waits for longer loses transaction and group. */
int32_t ps_wire_throttle_ms(ps_wire_api api, const void *response);

/* Where a decoded message has its arrays: aligned to 8, taken from `used` on. */
typedef struct ps_wire_pool {
    uint8_t *memory;
    size_t bytes, used;
} ps_wire_pool;

/* Where frames go: to `memory` from `used` on, and as a list of pieces for writev(), because
 * records are not copied. Each frame begins a new piece. */
typedef struct ps_wire_out {
    uint8_t *memory;
    size_t room, used;
    struct iovec *piece;
    uint32_t pieces_max, piece_count;
} ps_wire_out;

/* Appends a whole frame, with its size in front. Fields that the version lacks are left out.
 * Fails: NO_MEMORY where room or pieces do not suffice, UNSUPPORTED for a version, or a null, that
 * the protocol lacks; `out` is then as it was. */
ps_status ps_wire_encode(ps_wire_api api, int16_t version, int32_t correlation, ps_bytes client_id,
                         const void *request, ps_wire_out *out, ps_error *error) PS_MUST_USE;

/* `frame`: what is behind its size. Fields that the version lacks get the protocol's default.
 * Fails: IO with what and where for bytes that are no such answer, NO_MEMORY where the pool is too
 * small; the pool is then as it was, and the struct is of no use. */
ps_status ps_wire_decode(ps_wire_api api, int16_t version, ps_bytes frame, int32_t *correlation,
                         ps_wire_pool *pool, void *response, ps_error *error) PS_MUST_USE;

/* ---- a broker's side, for tests ---- */

ps_status ps_wire_encode_response(ps_wire_api api, int16_t version, int32_t correlation,
                                  const void *response, ps_wire_out *out,
                                  ps_error *error) PS_MUST_USE;

/* Which request it is; UNSUPPORTED where it is none of the table, with api, version and correlation
 * all the same. */
ps_status ps_wire_peek_request(ps_bytes frame, ps_wire_api *api, int16_t *version,
                               int32_t *correlation, ps_bytes *client_id,
                               ps_error *error) PS_MUST_USE;
ps_status ps_wire_decode_request(ps_bytes frame, ps_wire_api *api, int16_t *version,
                                 int32_t *correlation, ps_bytes *client_id, ps_wire_pool *pool,
                                 void *request, ps_error *error) PS_MUST_USE;

#endif
