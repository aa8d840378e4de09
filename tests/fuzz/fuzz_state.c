/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a state record: refused with a sentence, or applied within its bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "host/state/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(void *context, uint32_t partition, const ps_state_entry *entries,
                  uint32_t count) {
    uint64_t *sum = context;
    for (const ps_state_entry *entry = entries; entry < entries + count; entry++)
        *sum += partition + entry->key[0] + (entry->planes != NULL ? (uint64_t)entry->last : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ps_state_header header;
    ps_error error;
    uint64_t sum = 0;
    if (ps_state_parse(data, size, &header, &error) == PS_OK)
        ps_state_apply_chunk(data, &header, 0, apply, &sum);
    return 0;
}
