/* SPDX-License-Identifier: Apache-2.0
 * A log segment of a real broker (tests/vectors/wire/make), on the heap to its last byte, so that a
 * read behind it is seen.
 */
#ifndef PS_TESTS_WIRE_VECTOR_H
#define PS_TESTS_WIRE_VECTOR_H

#include <stdio.h>
#include <stdlib.h>

#include "host/base/bytes.h"

static inline ps_bytes test_vector(const char *name) {
    static uint8_t room[1 << 16];
    char path[128];
    (void)snprintf(path, sizeof path, "tests/vectors/wire/%s.batch", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t bytes = fread(room, 1, sizeof room, file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(bytes, 61, sizeof room - 1);
    uint8_t *copy = malloc(bytes);
    memcpy(copy, room, bytes);
    return (ps_bytes){copy, (uint32_t)bytes};
}

#endif
