/* SPDX-License-Identifier: Apache-2.0
 * A batch of its own for a test, without a lane around it.
 */
#ifndef PS_TESTS_BATCHES_H
#define PS_TESTS_BATCHES_H

#include <stdlib.h>

#include "host/batch/batch.h"

typedef struct test_batch {
    ps_schema schema;
    ps_batch batch;
} test_batch;

/* Memory for the batch of a schema that is closed already. */
static inline void test_batch_memory(ps_batch *batch, const ps_schema *schema) {
    batch->schema = schema;
    batch->block.bytes = schema->block_bytes;
    batch->block.host = calloc(1, schema->block_bytes);
    batch->runs = calloc(PS_RUNS_MAX, sizeof *batch->runs);
    batch->positions = calloc(PS_PARTITIONS_MAX, sizeof *batch->positions);
    batch->segments = calloc(schema->segments_max, sizeof *batch->segments);
    batch->evictions = calloc(schema->rows_max, sizeof *batch->evictions);
    ps_batch_reset(batch);
}

static inline void test_batch_free(ps_batch *batch) {
    free(batch->block.host);
    free(batch->runs);
    free(batch->positions);
    free(batch->segments);
    free(batch->evictions);
}

/* A batch with the system columns alone. */
static inline test_batch *test_batch_open(uint32_t rows_max, uint32_t arena_bytes) {
    test_batch *tb = calloc(1, sizeof *tb);
    ps_schema_init(&tb->schema, rows_max, arena_bytes);
    if (ps_schema_close(&tb->schema, NULL) != PS_OK) abort();
    test_batch_memory(&tb->batch, &tb->schema);
    return tb;
}

static inline void test_batch_close(test_batch *tb) {
    test_batch_free(&tb->batch);
    free(tb);
}

#endif
