/* SPDX-License-Identifier: Apache-2.0
 * What Kafka's own clients and a real broker said to each other (tests/wire/capture.py). If this
 * fails, a broker does not understand us or we misread it, or bytes reach past a frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/wire/bytes.h"
#include "tests/wire_desk.h"

enum { LINES_MAX = 1024, LINE_MAX_BYTES = 4200 };

typedef struct golden {
    ps_wire_api api;
    int16_t version;
    bool request;
    ps_bytes frame; /* a block of its own, so that a read past it is seen */
} golden;

static golden *lines;
static uint32_t line_count;

static ps_wire_api api_named(const char *name) {
    for (ps_wire_api api = 0; api < PS_WIRE_APIS; api++)
        if (strcmp(ps_wire_api_name(api), name) == 0) return api;
    fail_msg("no api %s", name);
    return PS_WIRE_APIS;
}

static int read_golden(void **state) {
    (void)state;
    FILE *file = fopen("tests/vectors/wire/golden.txt", "r");
    static char line[LINE_MAX_BYTES], hex[LINE_MAX_BYTES];
    if (file == NULL) return -1;
    lines = calloc(LINES_MAX, sizeof *lines);
    while (fgets(line, sizeof line, file) != NULL) {
        char name[64], direction[16];
        short version;
        if (line[0] == '#') continue;
        if (sscanf(line, "%63s %hd %15s %4199s", name, &version, direction, hex) != 4) return -1;
        const size_t bytes = strlen(hex) / 2;
        uint8_t *data = malloc(bytes);
        for (size_t i = 0; i < bytes; i++) {
            const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
            data[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        lines[line_count++] = (golden){
            api_named(name), version, strcmp(direction, "request") == 0, {data, (uint32_t)bytes}};
    }
    return fclose(file);
}

static int free_golden(void **state) {
    (void)state;
    for (uint32_t i = 0; i < line_count; i++) free((void *)(uintptr_t)lines[i].frame.data);
    free(lines);
    return 0;
}

/* Read, and written again, they are the same bytes: else the table is not the protocol. */
static void broker_agrees(void **state) {
    (void)state;
    desk *on = new_desk();
    bool seen[PS_WIRE_APIS][2] = {{false}};
    for (uint32_t i = 0; i < line_count; i++) {
        const golden *of = &lines[i];
        any message;
        seen[of->api][of->request] = true;
        if (read_frame(on, of->request, of->api, of->version, of->frame, &message) != PS_OK)
            fail_msg("%s", on->error.message);
        ps_wire_api api;
        int16_t version;
        int32_t correlation;
        ps_bytes client_id = null_bytes;
        on->out.used = on->out.piece_count = 0;
        if (of->request) {
            assert_int_equal(
                ps_wire_peek_request(of->frame, &api, &version, &correlation, &client_id, NULL),
                PS_OK);
            assert_true(api == of->api && version == of->version);
            assert_int_equal(ps_wire_encode(api, version, correlation, client_id, &message,
                                            &on->out, &on->error),
                             PS_OK);
        } else {
            correlation = ps_wire_get32(of->frame.data);
            assert_int_equal(ps_wire_encode_response(of->api, of->version, correlation, &message,
                                                     &on->out, &on->error),
                             PS_OK);
        }
        same_bytes(flatten(on), of->frame);
    }
    for (ps_wire_api api = 0; api < PS_WIRE_APIS; api++)
        if (ps_wire_request_bytes(api) > 0) assert_true(seen[api][0] && seen[api][1]);
    free_desk(on);
}

/* What is in them is where it belongs: two fields of one type that are swapped come back too. */
static void broker_is_understood(void **state) {
    (void)state;
    desk *on = new_desk();
    uint32_t aborted = 0, records = 0, features = 0, epochs = 0;
    for (uint32_t i = 0; i < line_count; i++) {
        const golden *of = &lines[i];
        any message;
        assert_int_equal(read_frame(on, of->request, of->api, of->version, of->frame, &message),
                         PS_OK);
        if (of->request) continue;
        if (of->api == PS_WIRE_FETCH) {
            const ps_wire_fetch_response *fetch = (const void *)&message;
            if (fetch->responses_count <= 0) continue;
            const ps_wire_fetch_response_partition_data *part = fetch->responses->partitions;
            assert_true(part->last_stable_offset <= part->high_watermark);
            assert_int_equal(part->diverging_epoch.end_offset, -1);
            assert_int_equal(part->current_leader.leader_id, -1);
            for (int32_t a = 0; a < part->aborted_transactions_count; a++) {
                assert_in_range(part->aborted_transactions[a].first_offset, 0, 100);
                aborted++;
            }
            if (part->records.length < 61 || part->records.length == PS_NULL_LENGTH) continue;
            assert_int_equal(part->records.data[16], 2); /* the magic of a batch */
            records++;
        } else if (of->api == PS_WIRE_API_VERSIONS && of->version > 0) {
            const ps_wire_api_versions_response *answer = (const void *)&message;
            for (int32_t f = 0; f < answer->finalized_features_count; f++)
                features += answer->finalized_features[f].max_version_level >= 1;
            assert_int_equal(answer->api_keys[0].api_key, PS_WIRE_PRODUCE);
            assert_int_equal(answer->api_keys[0].max_version, 13);
        } else if (of->api == PS_WIRE_END_TXN && of->version == 5) {
            const ps_wire_end_txn_response *answer = (const void *)&message;
            epochs +=
                answer->error_code == 0 && answer->producer_id >= 0 && answer->producer_epoch > 0;
        }
    }
    assert_true(aborted > 0 && records > 0 && features > 0 && epochs > 0);
    free_desk(on);
}

/* A frame that ends anywhere, or that has any byte wrong. */
static void any_bytes(void **state) {
    (void)state;
    desk *on = new_desk();
    any message;
    uint64_t random = 88172645463325252u;
    for (uint32_t i = 0; i < line_count; i++) {
        const golden *of = &lines[i];
        for (uint32_t bytes = 0; bytes < of->frame.length; bytes++) {
            uint8_t *cut = malloc(bytes + 1);
            memcpy(cut + 1, of->frame.data, bytes); /* not aligned, and it ends with the block */
            const ps_bytes frame = {cut + 1, bytes};
            on->error.message[0] = '\0';
            assert_int_equal(read_frame(on, of->request, of->api, of->version, frame, &message),
                             PS_IO);
            assert_int_equal(on->pool.used, 0);
            assert_non_null(strstr(on->error.message, "at byte"));
            free(cut);
        }
        uint8_t *copy = malloc(of->frame.length);
        const size_t keep = of->request ? 8 : 4; /* so that it stays this api and version */
        for (uint32_t times = 0; times < 300; times++) {
            memcpy(copy, of->frame.data, of->frame.length);
            for (uint32_t wrong = 0; wrong <= times % 4; wrong++) {
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                copy[keep + random % (of->frame.length - keep)] = (uint8_t)(random >> 32);
            }
            const ps_bytes frame = {copy, of->frame.length};
            const ps_status status =
                read_frame(on, of->request, of->api, of->version, frame, &message);
            assert_true(status == PS_OK || status == PS_IO || status == PS_NO_MEMORY);
        }
        free(copy);
    }
    free_desk(on);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broker_agrees),
        cmocka_unit_test(broker_is_understood),
        cmocka_unit_test(any_bytes),
    };
    return cmocka_run_group_tests(tests, read_golden, free_golden);
}
