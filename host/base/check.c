/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void ps_check_failed(const char *condition, const char *file, int line, int64_t left,
                     int64_t right) {
    (void)fprintf(stderr,
                  "penstock: internal error at %s:%d: %s does not hold (%" PRId64 ", %" PRId64
                  "); nothing uncommitted was published; please report this\n",
                  file, line, condition, left, right);
    abort();
}

void ps_no_memory_for(const char *what) {
    (void)fprintf(stderr, "penstock: no memory for %s; free some, or raise the process's limit\n",
                  what);
    exit(EXIT_FAILURE);
}
