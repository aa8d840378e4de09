/* SPDX-License-Identifier: Apache-2.0
 * The ledger of one job: what was in the source, what must come of each record, and every way in
 * which the outputs differ from it. It holds digests and never payloads, so two million events take
 * some 130 MB.
 */
#ifndef PS_TESTS_INTEGRATION_LEDGER_H
#define PS_TESTS_INTEGRATION_LEDGER_H

#include <stdio.h>

#include "tests/integration/client.h"
#include "tests/integration/model.h"

/* Every fault that is told apart: X(name, what it means to a user). */
#define LEDGER_FAULTS(X)                                                            \
    X(lost, "a source record is neither in the output nor in the dead letters")     \
    X(duplicated, "a source record came out more than once")                        \
    X(reordered, "records of one partition came out in another order")              \
    X(unknown_source, "ps-source is missing or names no record of the source")      \
    X(wrong_partition, "the output's partition is not the source's")                \
    X(wrong_key, "the key changed")                                                 \
    X(wrong_value, "the value changed")                                             \
    X(wrong_timestamp, "the timestamp changed")                                     \
    X(wrong_headers, "headers that were there changed")                             \
    X(wrong_digest, "ps-sha256 is missing, superfluous or not the value's SHA-256") \
    X(wrong_score, "ps-score differs from the recomputation in the last bit")       \
    X(long_score, "ps-score is not the shortest text of its float")                 \
    X(wrong_anomaly, "ps-anomaly differs from the recomputation")                   \
    X(wrong_libm, "the score function differs from libm by more than 1e-6")         \
    X(wrong_error, "ps-error or ps-reason of a dead letter is missing or wrong")    \
    X(wrongly_dead, "a good record is in the dead letters")                         \
    X(wrongly_alive, "a bad record is in the output")                               \
    X(wrongly_kept, "a record that the filter drops is in the output")

enum {
#define X(name, meaning) FAULT_##name,
    LEDGER_FAULTS(X)
#undef X
        FAULT_COUNT
};

typedef struct ledger_config {
    const char *topic;       /* of the source, as ps-source names it; NULL: not looked at */
    const char *field;       /* detector ewma on this member; NULL: no detector */
    const char *series;      /* member that names the series; NULL: the record's key */
    const char *expect;      /* a record that carries this header must die of the code in it */
    const char *keep_field;  /* the filter keeps records whose member … */
    const char *keep_value;  /* … is this JSON text; NULL: no such filter */
    double keep_score_above; /* the filter keeps records that score above; NaN: no such filter */
    bool json;               /* form json */
    bool packed;             /* and no key, timestamp and headers beside it */
    bool sha256;             /* a hash stage */
    bool duplicates;         /* at least once: repeats are allowed, gaps and losses are not */
    bool same_partitions;    /* output and source have as many partitions */
    model_params detector;
} ledger_config;

typedef struct ledger ledger;

ledger *ledger_open(const ledger_config *config);
void ledger_close(ledger *ledger);

/* First all of the source, in order per partition, then outputs and dead letters, then finish. */
void ledger_source(ledger *ledger, const record *record);
void ledger_output(ledger *ledger, const record *record);
void ledger_dead(ledger *ledger, const record *record);
void ledger_finish(ledger *ledger);

/* How often a fault was seen. */
uint64_t ledger_fault(const ledger *ledger, int fault);

/* One JSON object with every count, and where the first faults were; returns whether it is clean.
 * `aborted`: records that only read_uncommitted shows, -1 where that was not asked. */
bool ledger_report(const ledger *ledger, int64_t aborted, FILE *out);

#endif
