/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire_desk.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/wire/bytes.h"

desk *new_desk(void) {
    desk *on = calloc(1, sizeof *on);
    on->out = (ps_wire_out){
        .memory = malloc(ROOM), .room = ROOM, .piece = on->piece, .pieces_max = PIECES};
    on->pool = (ps_wire_pool){malloc(ROOM), ROOM, 0};
    return on;
}

void free_desk(desk *on) {
    free(on->out.memory);
    free(on->pool.memory);
    free(on->flat);
    free(on);
}

ps_bytes flatten(desk *on) {
    free(on->flat);
    on->flat_bytes = 0;
    for (uint32_t i = 0; i < on->out.piece_count; i++) on->flat_bytes += on->piece[i].iov_len;
    on->flat = malloc(on->flat_bytes);
    size_t at = 0;
    for (uint32_t i = 0; i < on->out.piece_count; i++) {
        memcpy(on->flat + at, on->piece[i].iov_base, on->piece[i].iov_len);
        at += on->piece[i].iov_len;
    }
    assert_int_equal(ps_wire_get32(on->flat), on->flat_bytes - 4);
    return (ps_bytes){on->flat + 4, (uint32_t)on->flat_bytes - 4};
}

ps_status write_frame(desk *on, bool request, ps_wire_api api, int16_t version,
                      const void *message) {
    on->out.used = on->out.piece_count = 0;
    return request ? ps_wire_encode(api, version, 77, TEXT("me"), message, &on->out, &on->error)
                   : ps_wire_encode_response(api, version, 77, message, &on->out, &on->error);
}

ps_status read_frame(desk *on, bool request, ps_wire_api api, int16_t version, ps_bytes frame,
                     void *message) {
    ps_wire_api read_api;
    int16_t read_version;
    int32_t correlation;
    ps_bytes client_id;
    on->pool.used = 0;
    memset(message, 0xee, STRUCT_MAX);
    if (!request)
        return ps_wire_decode(api, version, frame, &correlation, &on->pool, message, &on->error);
    return ps_wire_decode_request(frame, &read_api, &read_version, &correlation, &client_id,
                                  &on->pool, message, &on->error);
}

void same_bytes(ps_bytes a, ps_bytes b) {
    assert_int_equal(a.length, b.length);
    if (a.length != 0 && a.length != PS_NULL_LENGTH) assert_memory_equal(a.data, b.data, a.length);
}
