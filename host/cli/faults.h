/* SPDX-License-Identifier: Apache-2.0
 * All faults of a pipeline file, collected before any is printed, so that one look mends them all.
 */
#ifndef PS_HOST_CLI_FAULTS_H
#define PS_HOST_CLI_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/status.h"
#include "host/cli/pool.h"

/* Where something was said: in the file, or on the command line (`origin` is then that text). */
typedef struct ps_spot {
    uint32_t line, column; /* from 1 */
    const char *origin;
} ps_spot;

typedef struct ps_fault {
    ps_spot place;
    const char *message;
} ps_fault;

typedef struct ps_faults {
    ps_pool *pool;
    const char *file;
    ps_fault *at; /* from the pool; grown by copying */
    uint32_t count, room;
} ps_faults;

void ps_fault_add(ps_faults *faults, ps_spot place, const char *format, ...) PS_PRINTF(3, 4);

/* In the order of the file, those of the command line last; each as `FILE:LINE:COL: message` on
 * stderr. */
void ps_faults_print(ps_faults *faults);

/* Whether there is a fault at that very place. */
bool ps_faults_at(const ps_faults *faults, ps_spot place);

/* "FILE:LINE:COL" or the origin. */
const char *ps_spot_text(const ps_faults *faults, ps_spot place);

#endif
