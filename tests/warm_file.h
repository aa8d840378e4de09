/* SPDX-License-Identifier: Apache-2.0
 * A warm state for a test: a file of its own that the test removes, and what series begin with it.
 */
#ifndef PS_TESTS_WARM_FILE_H
#define PS_TESTS_WARM_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/flow/planes.h"
#include "host/flow/warm.h"

static char warm_file_folder[64], warm_file_path[96];

static inline ps_warm_writer *warm_file_open(const ps_plan *plan) {
    ps_warm_writer *writer = NULL;
    ps_error error = {""};
    (void)snprintf(warm_file_folder, sizeof warm_file_folder, "/tmp/penstock-warm.XXXXXX");
    assert_non_null(mkdtemp(warm_file_folder));
    (void)snprintf(warm_file_path, sizeof warm_file_path, "%s/state", warm_file_folder);
    if (ps_warm_writer_open(warm_file_path, plan, &writer, &error) != PS_OK)
        fail_msg("%s", error.message);
    return writer;
}

static inline void warm_file_add(ps_warm_writer *writer, ps_bytes key, const double *planes) {
    assert_int_equal(ps_warm_writer_add(writer, key, planes, NULL), PS_OK);
}

/* Its path, which stays until the next file. */
static inline const char *warm_file_close(ps_warm_writer *writer) {
    assert_int_equal(ps_warm_writer_finish(writer, NULL), PS_OK);
    ps_warm_writer_close(writer);
    return warm_file_path;
}

static inline void warm_file_remove(void) {
    (void)unlink(warm_file_path);
    (void)rmdir(warm_file_folder);
}

typedef struct warm_file_block {
    const ps_plan *plan;
    uint8_t *state;
} warm_file_block;

static inline void warm_file_put(void *context, const ps_state_plan *state, uint32_t id,
                                 const double *planes) {
    const warm_file_block *block = context;
    ps_planes_put(block->plan, state, block->state, id, planes);
}

/* Into a state block, as a lane does; `warm` may be NULL. */
static inline void warm_file_begin(const ps_warm *warm, const ps_plan *plan, const ps_batch *batch,
                                   uint8_t *state) {
    warm_file_block block = {plan, state};
    if (warm != NULL) (void)ps_warm_batch(warm, plan, batch, warm_file_put, &block);
}

#endif
