/* SPDX-License-Identifier: Apache-2.0
 * Records of form packed, taken apart by somebody who knows only what the form promises.
 */
#ifndef PS_TESTS_INTEGRATION_PACKS_H
#define PS_TESTS_INTEGRATION_PACKS_H

#include "tests/integration/client.h"

/* What the records of a topic should be, and what they were. */
typedef struct packs {
    const char *codec; /* zstd, lz4, snappy or none */
    uint64_t rows_max; /* of a record */
    record_visit *visit;
    void *context;
    uint64_t records, rows, largest, faults;
} packs;

/* Calls `visit` for every line of a record, as a record in json form; others go there as they are.
 * A record that is not as its headers say is a fault, told on stderr. */
void packs_take(packs *packs, const record *record);

#endif
