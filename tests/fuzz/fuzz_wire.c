/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a message: its first byte is the api, 128 more for a request, its second the
 * version. Refused, or read within its bounds; and what was read can be written, and read again.
 */
#include "tests/fuzz/fuzz.h"

#include "ingest/wire/message.h"

enum { REQUEST = 128, POOL = 1 << 20, ROOM = 1 << 16, PIECES = 1024, STRUCT_MAX = 256 };

typedef struct read {
    int64_t message[STRUCT_MAX / 8];
    int32_t correlation;
    ps_bytes client_id;
    ps_wire_api api;
    int16_t version;
} read_frame;

static ps_status read_one(bool request, ps_bytes frame, ps_wire_pool *pool, read_frame *to) {
    ps_error error;
    if (!request)
        return ps_wire_decode(to->api, to->version, frame, &to->correlation, pool, to->message,
                              &error);
    return ps_wire_decode_request(frame, &to->api, &to->version, &to->correlation, &to->client_id,
                                  pool, to->message, &error);
}

static uint8_t pool_memory[2][POOL];

/* Written and read once more, they are two messages that are written alike. */
static size_t write_one(bool request, const read_frame *from, uint8_t *to) {
    static uint8_t memory[ROOM];
    static struct iovec piece[PIECES];
    ps_wire_out out = {.memory = memory, .room = ROOM, .piece = piece, .pieces_max = PIECES};
    ps_error error;
    const ps_status status =
        request ? ps_wire_encode(from->api, from->version, from->correlation, from->client_id,
                                 from->message, &out, &error)
                : ps_wire_encode_response(from->api, from->version, from->correlation,
                                          from->message, &out, &error);
    FUZZ_CHECK(status == PS_OK || status == PS_NO_MEMORY);
    if (status != PS_OK) return 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < out.piece_count; i++) {
        FUZZ_CHECK(bytes + piece[i].iov_len <= 2 * ROOM);
        memcpy(to + bytes, piece[i].iov_base, piece[i].iov_len);
        bytes += piece[i].iov_len;
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t written[2][2 * ROOM];
    if (size < 2) return 0;
    const bool request = data[0] & REQUEST;
    read_frame first = {.api = (ps_wire_api)(data[0] % REQUEST), .version = (int8_t)data[1]};
    FUZZ_CHECK(ps_wire_request_bytes(first.api) <= STRUCT_MAX);
    FUZZ_CHECK(ps_wire_response_bytes(first.api) <= STRUCT_MAX);
    uint8_t *copy = malloc(size - 2); /* on the heap, so that a read past it is seen */
    if (copy == NULL) return 0;
    memcpy(copy, data + 2, size - 2);
    ps_wire_pool pool = {pool_memory[0], POOL, 0};
    const ps_bytes frame = {copy, (uint32_t)size - 2};
    if (read_one(request, frame, &pool, &first) == PS_OK) {
        const size_t bytes = write_one(request, &first, written[0]);
        if (bytes > 0) {
            read_frame second = first;
            ps_wire_pool other = {pool_memory[1], POOL, 0};
            const ps_bytes again = {written[0] + 4, (uint32_t)bytes - 4};
            FUZZ_CHECK(read_one(request, again, &other, &second) == PS_OK);
            FUZZ_CHECK(write_one(request, &second, written[1]) == bytes);
            FUZZ_CHECK(memcmp(written[0], written[1], bytes) == 0);
        }
    }
    free(copy);
    return 0;
}
