/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel murmur2: the hash by which Kafka's clients choose a key's partition. The
 * column holds all 32 bits; a partitioner takes (hash & 0x7fffffff) % partitions.
 */
#ifndef PS_KERNELS_MURMUR2_H
#define PS_KERNELS_MURMUR2_H

#include "kernels/dialect.h"

#define PS_MURMUR2_SEED     0x9747b28cu
#define PS_MURMUR2_MULTIPLY 0x5bd1e995u

typedef struct ps_murmur2_params {
    ps_u32 reserved; /* 0 */
} ps_murmur2_params;

PS_FN ps_u32 ps_murmur2_word(ps_u32 hash, ps_u32 w) {
    w *= PS_MURMUR2_MULTIPLY;
    w = (w ^ (w >> 24)) * PS_MURMUR2_MULTIPLY;
    return (hash * PS_MURMUR2_MULTIPLY) ^ w;
}

/* `tail`: the `bytes` bytes behind the last whole word, 0 to 3. */
PS_FN ps_u32 ps_murmur2_finish(ps_u32 hash, ps_u32 tail, ps_u32 bytes) {
    if (bytes != 0) hash = (hash ^ tail) * PS_MURMUR2_MULTIPLY;
    hash = (hash ^ (hash >> 13)) * PS_MURMUR2_MULTIPLY;
    return hash ^ (hash >> 15);
}

/* The words and bytes of a record from `word` on, where `hash` stands for what came before. */
PS_FN ps_u32 ps_murmur2_rest(PS_GLOBAL const ps_u8 *record, ps_u32 length, ps_u32 word,
                             ps_u32 hash) {
    const ps_u32 words = length / 4;
    PS_GLOBAL const ps_u8 *const tail = record + (ps_u64)words * 4;
    ps_u32 w = 0;
    for (; word < words; word++) hash = ps_murmur2_word(hash, ps_read32(record + (ps_u64)word * 4));
    if ((length & 3u) > 0) w = tail[0];
    if ((length & 3u) > 1) w |= (ps_u32)tail[1] << 8;
    if ((length & 3u) > 2) w |= (ps_u32)tail[2] << 16;
    return ps_murmur2_finish(hash, w, length & 3u);
}

#endif
