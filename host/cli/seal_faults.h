/* SPDX-License-Identifier: Apache-2.0
 * How `verify` tells what it finds while it goes through a log: the first faults of each, as lines
 * or as JSON's list, remarks, and on a terminal where it is.
 */
#ifndef PS_HOST_CLI_SEAL_FAULTS_H
#define PS_HOST_CLI_SEAL_FAULTS_H

#include "host/cli/seal.h"
#include "host/seal/verify.h"

typedef struct ps_seal_faults {
    const char *where; /* the log; borrowed */
    bool json;
    uint64_t count;
    ps_seal_live live;
} ps_seal_faults;

/* JSON: up to the list's bracket, which the caller closes. */
void ps_seal_faults_begin(ps_seal_faults *faults, const char *where, bool json);

/* Whether there is room for one more; JSON: up to its first member. */
bool ps_seal_faults_next(ps_seal_faults *faults);

/* One of a file of the log; JSON: with `class`, unless that is NULL. */
void ps_seal_faults_put(ps_seal_faults *faults, const char *class, const char *file,
                        const char *what);

/* The line that says how many were not shown, where some were not; `name`: whose. */
void ps_seal_faults_rest(const ps_seal_faults *faults, const char *name);

/* For ps_verify_watch, whose context begins with the faults. */
void ps_seal_faults_remark(void *faults, const char *file, const char *what);
void ps_seal_faults_progress(void *faults, uint64_t entries, uint64_t size);

/* What was found of the logs, or partitions, in all. */
typedef struct ps_seal_tally {
    uint32_t whole, changed, unknown;
} ps_seal_tally;

/* Counts one, and warns where its own key has signed it. */
void ps_seal_tally_add(ps_seal_tally *tally, ps_status status, const char *where, bool own_key);
ps_status ps_seal_tally_result(const ps_seal_tally *tally);
/* The exit code; with a line where it was more than one, `of` what. */
int ps_seal_tally_tell(const ps_seal_tally *tally, uint32_t count, const char *of);

#endif
