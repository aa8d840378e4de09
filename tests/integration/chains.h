/* SPDX-License-Identifier: Apache-2.0
 * A count and a chain of digests for every key of every partition: h = H(h, value), record after
 * record. Two histories have the same chains exactly if each key saw the same values in the same
 * order: a second witness beside the ledger, which goes by offsets.
 */
#ifndef PS_TESTS_INTEGRATION_CHAINS_H
#define PS_TESTS_INTEGRATION_CHAINS_H

#include "tests/integration/client.h"

typedef struct chains chains;

chains *chains_open(void);
void chains_close(chains *of);

/* The next record of its key. */
void chains_add(chains *of, const record *record);

/* How many keys there are. */
uint64_t chains_keys(const chains *of);

/* Keys that have another count or another digest in `b` than in `a`, or are in one alone. */
uint64_t chains_differ(const chains *a, const chains *b);

#endif
