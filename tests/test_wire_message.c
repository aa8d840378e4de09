/* SPDX-License-Identifier: Apache-2.0
 * Kafka's messages as bytes. If this fails, a broker does not understand us or we misread it, or
 * bytes from the network reach past a frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/wire/error.h"
#include "tests/wire_desk.h"

/* ---- messages of any kind, filled and compared by the table ---- */

typedef enum filling { ZERO, FULL, NULLS, LONG, FILLINGS } filling;

typedef struct filler {
    filling how;
    int16_t version;
    uint64_t random;
    ps_wire_pool pool;
} filler;

static uint64_t draw(filler *from) {
    from->random ^= from->random << 13, from->random ^= from->random >> 7;
    return from->random ^= from->random << 17;
}

static void *some(filler *from, size_t bytes) {
    uint8_t *at = from->pool.memory + from->pool.used;
    from->pool.used += (bytes + 7) / 8 * 8;
    assert_true(from->pool.used <= from->pool.bytes);
    for (size_t i = 0; i < bytes; i++) at[i] = (uint8_t)draw(from);
    return at;
}

static ps_bytes some_bytes(filler *from, const ps_wire_field *field) {
    const bool null = from->how == NULLS && ps_wire_may_be_null(field, from->version);
    if (null || from->how == ZERO) return null ? null_bytes : (ps_bytes){NULL, 0};
    const uint32_t length = from->how == LONG ? 300 : 1 + (uint32_t)draw(from) % 20;
    return (ps_bytes){some(from, length), length};
}

static void fill(filler *from, const ps_wire_shape *shape, uint8_t *message);

static void fill_array(filler *from, const ps_wire_field *field, uint8_t *message) {
    const bool null = from->how == NULLS && ps_wire_may_be_null(field, from->version);
    const int32_t count = null ? -1 : from->how == ZERO ? 0 : from->how == LONG ? 6 : 3;
    const size_t each = field->type == PS_WIRE_T_INT32S    ? 4
                        : field->type == PS_WIRE_T_STRINGS ? sizeof(ps_bytes)
                                                           : field->part()->bytes;
    uint8_t *elements = count > 0 ? some(from, (size_t)count * each) : NULL;
    for (int32_t i = 0; i < count; i++) {
        uint8_t *element = elements + (size_t)i * each;
        if (field->type == PS_WIRE_T_STRINGS)
            *(ps_bytes *)(void *)element = some_bytes(from, field);
        if (field->type == PS_WIRE_T_ARRAY) fill(from, field->part(), element);
    }
    memcpy(message + field->count, &count, sizeof count);
    memcpy(message + field->offset, &elements, sizeof elements);
}

static void fill(filler *from, const ps_wire_shape *shape, uint8_t *message) {
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const ps_wire_field *field = &shape->field[i];
        void *to = message + field->offset;
        const uint64_t value = from->how == ZERO ? 0 : draw(from);
        switch (field->type) {
        case PS_WIRE_T_BOOL:
            *(bool *)to = value % 2;
            break;
        case PS_WIRE_T_INT8:
            *(int8_t *)to = (int8_t)value;
            break;
        case PS_WIRE_T_INT16:
            *(int16_t *)to = (int16_t)value;
            break;
        case PS_WIRE_T_INT32:
            *(int32_t *)to = (int32_t)value;
            break;
        case PS_WIRE_T_INT64:
            *(int64_t *)to = (int64_t)value;
            break;
        case PS_WIRE_T_UUID:
            memset(to, (int)value, 16);
            break;
        case PS_WIRE_T_STRING:
        case PS_WIRE_T_BYTES:
        case PS_WIRE_T_RECORDS:
            *(ps_bytes *)to = some_bytes(from, field);
            break;
        case PS_WIRE_T_PART:
            fill(from, field->part(), to);
            break;
        default:
            fill_array(from, field, message);
        }
    }
}

static void same(const ps_wire_shape *shape, int16_t version, const uint8_t *a, const uint8_t *b);

static void same_array(const ps_wire_field *field, int16_t version, const uint8_t *a,
                       const uint8_t *b) {
    int32_t count, other;
    const uint8_t *of_a, *of_b;
    memcpy(&count, a + field->count, sizeof count);
    memcpy(&other, b + field->count, sizeof other);
    memcpy(&of_a, a + field->offset, sizeof of_a);
    memcpy(&of_b, b + field->offset, sizeof of_b);
    assert_int_equal(count, other);
    assert_int_equal((uintptr_t)of_b % 8, 0);
    for (int32_t i = 0; i < count; i++) {
        if (field->type == PS_WIRE_T_INT32S) {
            assert_memory_equal(of_a + 4 * i, of_b + 4 * i, 4);
        } else if (field->type == PS_WIRE_T_STRINGS) {
            same_bytes(((const ps_bytes *)(const void *)of_a)[i],
                       ((const ps_bytes *)(const void *)of_b)[i]);
        } else {
            const size_t at = (size_t)i * field->part()->bytes;
            same(field->part(), version, of_a + at, of_b + at);
        }
    }
}

static const uint8_t integer_bytes[] = {1, 1, 2, 4, 8, 16};

/* `b` was decoded: what the version lacks is the default there, whatever `a` has. */
static void same(const ps_wire_shape *shape, int16_t version, const uint8_t *a, const uint8_t *b) {
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const ps_wire_field *field = &shape->field[i];
        const void *at = b + field->offset;
        if (!ps_wire_has(field, version)) {
            if (field->type == PS_WIRE_T_INT64)
                assert_int_equal(*(const int64_t *)at, field->absent);
            if (field->type == PS_WIRE_T_INT32)
                assert_int_equal(*(const int32_t *)at, field->absent);
            if (field->type == PS_WIRE_T_INT16)
                assert_int_equal(*(const int16_t *)at, field->absent);
            if (field->type == PS_WIRE_T_STRING)
                assert_int_equal(((const ps_bytes *)at)->length,
                                 field->absent_is_null ? PS_NULL_LENGTH : 0);
            if (ps_wire_is_array(field)) {
                int32_t count;
                memcpy(&count, b + field->count, sizeof count);
                assert_int_equal(count, 0);
            }
        } else if (field->type <= PS_WIRE_T_UUID) {
            assert_memory_equal(a + field->offset, at, integer_bytes[field->type]);
        } else if (field->type <= PS_WIRE_T_RECORDS) {
            same_bytes(*(const ps_bytes *)(const void *)(a + field->offset), *(const ps_bytes *)at);
        } else if (field->type == PS_WIRE_T_PART) {
            same(field->part(), version, a + field->offset, at);
        } else {
            same_array(field, version, a, b);
        }
    }
}

static const ps_wire_shape *shape_of(bool request, ps_wire_api api) {
    const ps_wire_format *format = ps_wire_find_format(api, ps_wire_versions(api).min, NULL);
    return request ? format->request() : format->response();
}

/* Every api and version, both ways: a field that one side writes and the other does not read. */
static void comes_back(void **state) {
    (void)state;
    desk *on = new_desk();
    filler from = {.random = 88172645463325252u, .pool = {malloc(ROOM), ROOM, 0}};
    uint32_t tried = 0;
    for (ps_wire_api api = 0; api < PS_WIRE_APIS; api++) {
        const ps_wire_range range = ps_wire_versions(api);
        for (int16_t v = range.min; v <= range.max; v++) {
            for (uint32_t which = 0; which < 2 * FILLINGS; which++) {
                const bool request = which % 2;
                const ps_wire_shape *shape = shape_of(request, api);
                any message, back;
                from.how = which / 2;
                from.version = v;
                from.pool.used = 0;
                fill(&from, shape, message.bytes);
                assert_int_equal(write_frame(on, request, api, v, &message), PS_OK);
                const ps_bytes frame = flatten(on);
                if (read_frame(on, request, api, v, frame, &back) != PS_OK)
                    fail_msg("%s", on->error.message);
                same(shape, v, message.bytes, back.bytes);
                tried++;
            }
        }
    }
    assert_int_equal(tried, 44 * 2 * FILLINGS);
    free(from.pool.memory);
    free_desk(on);
}

/* ---- by hand ---- */

#define FRAME(...)                                                       \
    (ps_bytes) {                                                         \
        (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}) \
    }

static void records_are_not_copied(void **state) {
    (void)state;
    desk *on = new_desk();
    const uint8_t batch[300] = {1, 2, 3};
    const ps_wire_produce_request_partition_produce_data parts[] = {
        {.index = 4, .records = {batch, sizeof batch}},
        {.index = 5, .records = null_bytes},
        {.index = 6, .records = {batch, 1}},
        {.index = 7, .records = {batch, 0}}};
    const ps_wire_produce_request_topic_produce_data topic = {
        .name = TEXT("t"), .partition_data_count = 4, .partition_data = parts};
    const ps_wire_produce_request request = {.transactional_id = null_bytes,
                                             .acks = -1,
                                             .timeout_ms = 1000,
                                             .topic_data_count = 1,
                                             .topic_data = &topic};
    assert_int_equal(write_frame(on, true, PS_WIRE_PRODUCE, 9, &request), PS_OK);
    assert_int_equal(on->out.piece_count, 5);
    assert_ptr_equal(on->piece[1].iov_base, batch);
    assert_int_equal(on->piece[1].iov_len, sizeof batch);
    assert_ptr_equal(on->piece[3].iov_base, batch);
    const uint8_t head[] = {0, 0,   1,   96, 0, 0, 0,   9, 0, 0,   0, 77, 0, 2, 'm', 'e',  0,
                            0, 255, 255, 0,  0, 3, 232, 2, 2, 't', 5, 0,  0, 0, 4,   0xad, 2};
    assert_int_equal(on->piece[0].iov_len, sizeof head);
    assert_memory_equal(on->piece[0].iov_base, head, sizeof head);
    const uint8_t middle[] = {0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 6, 2};
    assert_int_equal(on->piece[2].iov_len, sizeof middle);
    assert_memory_equal(on->piece[2].iov_base, middle, sizeof middle);
    const uint8_t tail[] = {0, 0, 0, 0, 7, 1, 0, 0, 0};
    assert_int_equal(on->piece[4].iov_len, sizeof tail);
    assert_memory_equal(on->piece[4].iov_base, tail, sizeof tail);
    free_desk(on);
}

/* A frame that does not fit leaves those before it as they are. */
static void memory_ends(void **state) {
    (void)state;
    desk *on = new_desk();
    filler from = {.how = FULL, .version = 13, .random = 1, .pool = {malloc(ROOM), ROOM, 0}};
    any message, back;
    fill(&from, shape_of(true, PS_WIRE_PRODUCE), message.bytes);
    assert_int_equal(write_frame(on, true, PS_WIRE_PRODUCE, 13, &message), PS_OK);
    const size_t used = on->out.used;
    const uint32_t pieces = on->out.piece_count;
    const ps_bytes frame = flatten(on);
    for (size_t room = 0; room <= used; room++) {
        on->out.room = room;
        assert_int_equal(write_frame(on, true, PS_WIRE_PRODUCE, 13, &message),
                         room == used ? PS_OK : PS_NO_MEMORY);
        assert_int_equal(on->out.used, room == used ? used : 0);
        assert_int_equal(on->out.piece_count, room == used ? pieces : 0);
    }
    on->out.room = ROOM;
    for (on->out.pieces_max = 0; on->out.pieces_max < pieces; on->out.pieces_max++)
        assert_int_equal(write_frame(on, true, PS_WIRE_PRODUCE, 13, &message), PS_NO_MEMORY);
    assert_int_equal(write_frame(on, true, PS_WIRE_PRODUCE, 13, &message), PS_OK);
    assert_int_equal(read_frame(on, true, PS_WIRE_PRODUCE, 13, frame, &back), PS_OK);
    const size_t taken = on->pool.used;
    for (on->pool.bytes = 0; on->pool.bytes < taken; on->pool.bytes++)
        assert_int_equal(read_frame(on, true, PS_WIRE_PRODUCE, 13, frame, &back), PS_NO_MEMORY);
    assert_int_equal(read_frame(on, true, PS_WIRE_PRODUCE, 13, frame, &back), PS_OK);
    free(from.pool.memory);
    free_desk(on);
}

static void refuses(desk *on, ps_wire_api api, int16_t version, ps_bytes frame, const char *why) {
    any message;
    on->error.message[0] = '\0';
    assert_int_equal(read_frame(on, false, api, version, frame, &message), PS_IO);
    if (strstr(on->error.message, why) == NULL) fail_msg("%s: %s", why, on->error.message);
}

static void malformed(void **state) {
    (void)state;
    desk *on = new_desk();
    const ps_wire_api hands = PS_WIRE_SASL_HANDSHAKE, ends = PS_WIRE_END_TXN;
    refuses(on, hands, 1, FRAME(0, 0, 0, 1, 0, 0, 255, 255, 255, 254), "negative length");
    refuses(on, hands, 1, FRAME(0, 0, 0, 1, 0, 0, 255, 255, 255, 255), "mechanisms is null");
    refuses(on, hands, 1, FRAME(0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0), "mechanisms goes on past");
    refuses(on, hands, 1, FRAME(0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 255, 255), "mechanisms is null");
    refuses(on, hands, 1, FRAME(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9), "the message ends too early");
    /* A count that a pool of any size would have to be taken for. */
    refuses(on, PS_WIRE_METADATA, 12,
            FRAME(0, 0, 0, 1, 0, 0, 0, 0, 0, 255, 255, 255, 255, 15, 0, 0, 0), "brokers goes on");
    refuses(on, ends, 3, FRAME(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 5, 9, 1), "end_txn_response");
    refuses(on, ends, 3, FRAME(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 1),
            "goes on past");
    free_desk(on);
}

/* A newer broker may say more; nothing says what is its default. */
static void tags(void **state) {
    (void)state;
    desk *on = new_desk();
    any message;
    const ps_wire_end_txn_response *end = (const void *)&message;
    assert_int_equal(
        read_frame(on, false, PS_WIRE_END_TXN, 3,
                   FRAME(0, 0, 0, 1, 1, 4, 1, 7, 0, 0, 0, 5, 0, 6, 2, 0, 1, 9, 200, 1, 2, 8, 8),
                   &message),
        PS_OK);
    assert_int_equal(end->throttle_time_ms, 5);
    assert_int_equal(ps_wire_throttle_ms(PS_WIRE_END_TXN, end), 5);
    const ps_wire_produce_response late = {.throttle_time_ms = INT32_MAX};
    assert_int_equal(ps_wire_throttle_ms(PS_WIRE_PRODUCE, &late), 30000);
    assert_int_equal(end->error_code, 6);
    const ps_wire_fetch_response_partition_data part = {
        .diverging_epoch = {-1, -1}, .current_leader = {3, 9}, .records = null_bytes};
    const ps_wire_fetch_response_fetchable_topic_response topic = {.partitions_count = 1,
                                                                   .partitions = &part};
    const ps_wire_fetch_response fetch = {.responses_count = 1, .responses = &topic};
    assert_int_equal(write_frame(on, false, PS_WIRE_FETCH, 17, &fetch), PS_OK);
    const uint8_t tail[] = {0, 1, 1, 9, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0};
    assert_memory_equal(on->out.memory + on->out.used - sizeof tail, tail, sizeof tail);
    /* A tag whose size is not what is in it. */
    const ps_bytes frame = flatten(on);
    on->flat[on->flat_bytes - 12] = 8;
    refuses(on, PS_WIRE_FETCH, 17, frame, "goes on past the end");
    on->flat[on->flat_bytes - 12] = 10;
    refuses(on, PS_WIRE_FETCH, 17, frame, "current_leader is shorter than its tag says");
    free_desk(on);
}

static void not_spoken(void **state) {
    (void)state;
    desk *on = new_desk();
    any message = {{0}};
    ps_wire_api api;
    int16_t version;
    int32_t correlation;
    ps_bytes client_id;
    assert_int_equal(write_frame(on, true, PS_WIRE_FETCH, 11, &message), PS_UNSUPPORTED);
    assert_string_equal(on->error.message, "fetch version 11 is not spoken here, only 12 to 17");
    assert_int_equal(write_frame(on, true, 4, 1, &message), PS_UNSUPPORTED);
    assert_int_equal(write_frame(on, true, PS_WIRE_APIS, 1, &message), PS_UNSUPPORTED);
    assert_true(ps_wire_versions(4).max < ps_wire_versions(4).min);
    assert_int_equal(ps_wire_peek_request(FRAME(0, 75, 0, 2, 0, 0, 0, 9, 255, 255), &api, &version,
                                          &correlation, &client_id, &on->error),
                     PS_UNSUPPORTED);
    assert_true(api == 75 && version == 2 && correlation == 9);
    /* A topic without a name is one with an id, from version 10 on. */
    const ps_wire_metadata_request_metadata_request_topic topic = {.name = null_bytes};
    const ps_wire_metadata_request metadata = {.topics_count = 1, .topics = &topic};
    assert_int_equal(write_frame(on, true, PS_WIRE_METADATA, 9, &metadata), PS_UNSUPPORTED);
    assert_string_equal(on->error.message, "metadata_request version 9: name cannot be null");
    assert_int_equal(write_frame(on, true, PS_WIRE_METADATA, 10, &metadata), PS_OK);
    free_desk(on);
}

/* An old broker's answer to any ApiVersions; if it is not understood, nobody says why. */
static void older_broker(void **state) {
    (void)state;
    desk *on = new_desk();
    any message;
    const ps_wire_api_versions_response *answer = (const void *)&message;
    assert_int_equal(read_frame(on, false, PS_WIRE_API_VERSIONS, 0,
                                FRAME(0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2), &message),
                     PS_OK);
    assert_int_equal(answer->error_code, 35);
    assert_int_equal(answer->api_keys_count, 1);
    assert_int_equal(answer->api_keys[0].max_version, 2);
    assert_int_equal(answer->finalized_features_epoch, -1);
    free_desk(on);
}

/* A wrong row here loses or doubles records: what is aborted, and what is only sent again. */
static void errors(void **state) {
    (void)state;
    assert_int_equal(ps_wire_error_action(PS_WIRE_FETCH, 0), PS_WIRE_SUCCESS);
    assert_int_equal(ps_wire_error_action(PS_WIRE_PRODUCE, 51), PS_WIRE_RETRY);
    assert_int_equal(ps_wire_error_action(PS_WIRE_PRODUCE, 6), PS_WIRE_REFRESH);
    assert_int_equal(ps_wire_error_action(PS_WIRE_END_TXN, 16), PS_WIRE_COORDINATOR);
    assert_int_equal(ps_wire_error_action(PS_WIRE_PRODUCE, 46), PS_WIRE_SUCCESS);
    assert_int_equal(ps_wire_error_action(PS_WIRE_END_TXN, 46), PS_WIRE_FATAL);
    assert_int_equal(ps_wire_error_action(PS_WIRE_PRODUCE, 47), PS_WIRE_ABORT);
    assert_int_equal(ps_wire_error_action(PS_WIRE_INIT_PRODUCER_ID, 47), PS_WIRE_FENCED);
    assert_int_equal(ps_wire_error_action(PS_WIRE_INIT_PRODUCER_ID, 90), PS_WIRE_FENCED);
    assert_int_equal(ps_wire_error_action(PS_WIRE_PRODUCE, 45), PS_WIRE_ABORT);
    assert_int_equal(ps_wire_error_action(PS_WIRE_TXN_OFFSET_COMMIT, 22), PS_WIRE_ABORT);
    assert_int_equal(ps_wire_error_action(PS_WIRE_FETCH, 1), PS_WIRE_FATAL);
    assert_int_equal(ps_wire_error_action(PS_WIRE_FETCH, 12345), PS_WIRE_FATAL);
    assert_string_equal(ps_wire_error_name(10), "MESSAGE_TOO_LARGE");
    for (int16_t code = -1; code < 200; code++) assert_true(strlen(ps_wire_error_text(code)) > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),   cmocka_unit_test(records_are_not_copied),
        cmocka_unit_test(memory_ends),  cmocka_unit_test(malformed),
        cmocka_unit_test(tags),         cmocka_unit_test(not_spoken),
        cmocka_unit_test(older_broker), cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
