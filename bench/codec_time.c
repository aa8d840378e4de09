/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/codec_time.h"

#include <inttypes.h>
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "host/base/clock.h"
#include "ingest/wire/batch.h"
#include "ingest/wire/client.h"
#include "simd/dispatch.h"

enum { ANSWER_BYTES = 8 << 20, PART_BYTES = 1 << 20, PLAIN_BYTES = 16 << 20, PATIENCE_S = 30 };

typedef struct reader {
    const ps_codec_time_config *config;
    ps_wire_client *client;
    ZSTD_DCtx *zstd;
    LZ4F_dctx *lz4;
    uint8_t *plain;
    uint64_t rows, batches, packed_bytes, plain_bytes;
    int64_t codec_ns;
} reader;

static int64_t cpu_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * PS_NS_PER_S + now.tv_nsec;
}

/* How many bytes come of it; 0: it could not be unpacked. */
static size_t unpack(reader *r, const ps_wire_batch *batch) {
    const ps_bytes from = batch->records;
    if (batch->codec == PS_WIRE_ZSTD) {
        const size_t got =
            ZSTD_decompressDCtx(r->zstd, r->plain, PLAIN_BYTES, from.data, from.length);
        return ZSTD_isError(got) ? 0 : got;
    }
    size_t out = PLAIN_BYTES, in = from.length;
    if (batch->codec != PS_WIRE_LZ4) return 0;
    const size_t more = LZ4F_decompress(r->lz4, r->plain, &out, from.data, &in, NULL);
    return more != 0 || in != from.length ? 0 : out;
}

/* `*next` moves behind them. False: something is not what it should be. */
static bool take_batches(reader *r, ps_bytes records, int64_t *next) {
    ps_wire_batch batch;
    ps_error why = {""};
    uint32_t at = 0;
    ps_status status;
    while ((status = ps_wire_batch_next(records, &at, &batch, &why)) == PS_OK) {
        if (batch.base_offset < *next) continue; /* read already */
        const int64_t begin = cpu_ns();
        const size_t bytes = unpack(r, &batch);
        r->codec_ns += cpu_ns() - begin;
        if (bytes == 0) return false;
        r->rows += (uint32_t)batch.count;
        r->batches++;
        r->packed_bytes += batch.records.length;
        r->plain_bytes += bytes;
        *next = batch.base_offset + batch.last_offset_delta + 1;
    }
    return status == PS_END;
}

static ps_status fetch(reader *r, int32_t partition, int64_t next,
                       const ps_wire_fetch_response_partition_data **out, ps_error *error) {
    const int64_t until = ps_clock_ns() + PATIENCE_S * PS_NS_PER_S;
    const ps_wire_fetch_request_fetch_partition part = {.partition = partition,
                                                        .current_leader_epoch = -1,
                                                        .fetch_offset = next,
                                                        .last_fetched_epoch = -1,
                                                        .log_start_offset = -1,
                                                        .partition_max_bytes = PART_BYTES};
    ps_wire_fetch_request_fetch_topic topic = {
        .topic = {(const uint8_t *)r->config->topic, (uint32_t)strlen(r->config->topic)},
        .partitions_count = 1,
        .partitions = &part};
    memcpy(topic.topic_id, ps_wire_client_topic(r->client, 0)->id, sizeof topic.topic_id);
    const ps_wire_fetch_request request = {.replica_id = -1,
                                           .max_wait_ms = 100,
                                           .min_bytes = 1,
                                           .max_bytes = PART_BYTES,
                                           .session_epoch = -1, /* none */
                                           .topics_count = 1,
                                           .topics = &topic};
    const ps_wire_call call = {.node =
                                   ps_wire_client_leader(r->client, 0, (uint32_t)partition).node,
                               .line = PS_WIRE_CONTROL,
                               .api = PS_WIRE_FETCH,
                               .version = -1,
                               .request = &request,
                               .timeout_ns = PATIENCE_S * PS_NS_PER_S};
    const void *response;
    int16_t version;
    PS_TRY(ps_wire_client_ask(r->client, &call, until, &version, &response, error));
    const ps_wire_fetch_response *told = response;
    if (told->error_code != 0 || told->responses_count != 1 ||
        told->responses[0].partitions_count != 1 ||
        told->responses[0].partitions[0].error_code != 0)
        return ps_fail(error, PS_IO, "Fetch was refused");
    *out = &told->responses[0].partitions[0];
    return PS_OK;
}

static ps_status read_partition(reader *r, int32_t partition, ps_error *error) {
    const ps_wire_fetch_response_partition_data *part = NULL;
    int64_t next = 0;
    do {
        PS_TRY(fetch(r, partition, next, &part, error));
        if (!take_batches(r, part->records, &next))
            return ps_fail(error, PS_IO, "partition %" PRId32 ": no batch at %" PRId64, partition,
                           next);
    } while (next < part->high_watermark);
    return PS_OK;
}

static bool knows(void *opaque) {
    const ps_wire_topic *topic = ps_wire_client_topic(opaque, 0);
    return topic->known && topic->error_code == 0 && topic->partitions > 0;
}

static ps_status read_all(reader *r, ps_error *error) {
    const ps_wire_client_recipe recipe = {.brokers = r->config->brokers,
                                          .client_id = "penstock-bench",
                                          .topics = &r->config->topic,
                                          .topic_count = 1,
                                          .nodes_max = 16,
                                          .partitions_max = 256,
                                          .receive_bytes = {0, 0, ANSWER_BYTES}};
    PS_TRY(ps_dispatch_init(error));
    PS_TRY(ps_wire_client_open(&recipe, &r->client, error));
    PS_TRY(ps_wire_client_wait(r->client, knows, r->client,
                               ps_clock_ns() + PATIENCE_S * PS_NS_PER_S, error));
    for (int32_t p = 0; p < r->config->partitions; p++) PS_TRY(read_partition(r, p, error));
    return PS_OK;
}

int ps_codec_time_child(void *config) {
    reader r = {.config = config, .zstd = ZSTD_createDCtx(), .plain = malloc(PLAIN_BYTES)};
    ps_error why = {"out of memory"};
    ps_status status = PS_NO_MEMORY;
    if (r.zstd && r.plain && !LZ4F_isError(LZ4F_createDecompressionContext(&r.lz4, LZ4F_VERSION)))
        status = read_all(&r, &why);
    (void)printf("{\"rows\":%" PRIu64 ",\"batches\":%" PRIu64 ",\"packed_bytes\":%" PRIu64
                 ",\"plain_bytes\":%" PRIu64 ",\"codec_ns\":%" PRId64 "}\n",
                 r.rows, r.batches, r.packed_bytes, r.plain_bytes, r.codec_ns);
    if (status != PS_OK) (void)fprintf(stderr, "codec: %s\n", why.message);
    ps_wire_client_close(r.client);
    (void)LZ4F_freeDecompressionContext(r.lz4);
    (void)ZSTD_freeDCtx(r.zstd);
    free(r.plain);
    return status != PS_OK;
}
