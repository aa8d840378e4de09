/* SPDX-License-Identifier: Apache-2.0
 * Records of any length and place, loaded by the work-items of a group together. One item a record
 * that reads its bytes one after the other leaves a GPU at some per cent of its bandwidth: what the
 * items read at a time lies a record apart. So for every record of the group its next 64 bytes are
 * loaded first, as aligned words, neighbouring items taking neighbouring words, into memory that
 * the group shares; then every item goes on with its own. Longer records take more such windows.
 *
 *   ps_stage stage = ps_stage_open(memory, bytes, begin, length, row, end, 0);
 *   for (window = 0; window < ps_stage_windows(&stage, mine); window++) ps_stage_load(…), use it
 *
 * All items of a group call these together; only what they do with a window may differ.
 */
#ifndef PS_KERNELS_STAGE_GPU_H
#define PS_KERNELS_STAGE_GPU_H

#include "kernels/dialect.h"

#if !defined(PS_PLAIN_C)
/* A window begins anywhere in its first word. An odd number of words puts the same word of
 * neighbouring records into different banks. */
#define PS_STAGE_WORDS  17u
#define PS_STAGE_FIRST  (PS_GROUP * PS_STAGE_WORDS) /* behind all windows: word of the arena … */
#define PS_STAGE_COUNT  (PS_STAGE_FIRST + PS_GROUP) /* … and number of words, of each record */
#define PS_STAGE_MEMORY (PS_STAGE_COUNT + PS_GROUP)

/* What an item knows. `length` is 0 of what is no record. */
typedef struct ps_stage {
    PS_LOCAL ps_u32 *memory;
    PS_LOCAL const ps_u32 *own; /* its window */
    PS_GLOBAL const ps_u32 *arena;
    ps_u32 there; /* whether there is a record of its own, which is not null */
    ps_u32 length, shift;
} ps_stage;

/* Windows begin `front` bytes before the record, 0 or 1: byte 0 of the first is then no byte of it.
 */
PS_FN_SHARING ps_stage ps_stage_open(PS_LOCAL ps_u32 *memory, PS_GLOBAL const ps_u8 *bytes,
                                     PS_GLOBAL const ps_u32 *begin, PS_GLOBAL const ps_u32 *length,
                                     ps_u32 row, ps_u32 end, ps_u32 front) {
    const ps_u32 odd = (ps_u32)(PS_ADDRESS(bytes) & 3u), item = PS_GROUP_ITEM;
    ps_stage s;
    s.memory = memory;
    s.own = memory + item * PS_STAGE_WORDS;
    s.arena = (PS_GLOBAL const ps_u32 *)(bytes - odd);
    s.there = row < end && length[row] != PS_NULL;
    s.length = s.there ? length[row] : 0u;
    /* A word further on, so that nothing is negative. */
    const ps_u64 at = (ps_u64)(s.there ? begin[row] : 0u) + odd + 4u - front;
    s.shift = (ps_u32)(at & 3u) * 8u;
    memory[PS_STAGE_FIRST + item] = (ps_u32)(at >> 2) - 1u;
    memory[PS_STAGE_COUNT + item] =
        s.length == 0 ? 0u : (ps_u32)(((at & 3u) + front + s.length + 3u) >> 2);
    return s;
}

/* The most windows that an item of the group needs, who needs `mine`. */
PS_FN_SHARING ps_u32 ps_stage_windows(const ps_stage *s, ps_u32 mine) {
    ps_u32 most = 0;
    s->memory[PS_GROUP_ITEM] = mine;
    PS_GROUP_SYNC;
    for (ps_u32 i = 0; i < PS_GROUP; i++) most = s->memory[i] > most ? s->memory[i] : most;
    return most;
}

/* The word in front of an arena's first is never one of a record. */
PS_FN_SHARING void ps_stage_load(const ps_stage *s, ps_u32 window) {
    PS_GROUP_SYNC; /* all are through with the one before */
    PS_UNROLLED
    for (ps_u32 i = 0; i < PS_STAGE_WORDS; i++) {
        const ps_u32 to = i * PS_GROUP + PS_GROUP_ITEM, record = to / PS_STAGE_WORDS;
        const ps_u32 word = window * (PS_STAGE_WORDS - 1u) + to % PS_STAGE_WORDS;
        const ps_u32 from = s->memory[PS_STAGE_FIRST + record] + word;
        if (word < s->memory[PS_STAGE_COUNT + record] && from != PS_NONE)
            s->memory[to] = s->arena[from];
    }
    PS_GROUP_SYNC;
}

/* Bytes 4 i to 4 i + 3 of the item's window, the first lowest. Those behind the record are
 * anything. */
PS_FN_SHARING ps_u32 ps_stage_word(const ps_stage *s, ps_u32 i) {
    return (ps_u32)(((ps_u64)s->own[i + 1u] << 32 | s->own[i]) >> s->shift);
}

PS_FN_SHARING ps_u32 ps_stage_byte(const ps_stage *s, ps_u32 i) {
    return ps_stage_word(s, i >> 2) >> (i & 3u) * 8u & 255u;
}

/* Bytes of the item's record from that window on, 0 behind its end. */
PS_FN ps_u32 ps_stage_left(const ps_stage *s, ps_u32 window) {
    const ps_u64 done = (ps_u64)window * 64u;
    return s->length > done ? s->length - (ps_u32)done : 0u;
}

/* The first `bytes` bytes of a word, 0 to 4 or more, and zeros. */
PS_FN ps_u32 ps_stage_first(ps_u32 word, ps_u32 bytes) {
    return bytes >= 4u ? word : word & ((1u << bytes * 8u) - 1u);
}

/* Writes the 32 bytes of every item's row, rows one behind the other: zeros where there is none. */
PS_FN_SHARING void ps_stage_digests(const ps_stage *s, const ps_u32 *digest, PS_GLOBAL ps_u8 *out,
                                    ps_u32 row, ps_u32 end) {
    const ps_u32 first = row - PS_GROUP_ITEM;
    PS_GLOBAL ps_u32 *const words = (PS_GLOBAL ps_u32 *)out;
    PS_GROUP_SYNC;
    PS_UNROLLED
    for (ps_u32 i = 0; i < 8u; i++)
        s->memory[PS_GROUP_ITEM * PS_STAGE_WORDS + i] = s->there ? digest[i] : 0u;
    PS_GROUP_SYNC;
    PS_UNROLLED
    for (ps_u32 i = 0; i < 8u; i++) {
        const ps_u32 at = i * PS_GROUP + PS_GROUP_ITEM, to = first + at / 8u;
        const ps_u32 word = s->memory[at / 8u * PS_STAGE_WORDS + at % 8u];
        if (to >= end) continue;
        if ((PS_ADDRESS(out) & 3u) == 0)
            words[(ps_u64)to * 8u + at % 8u] = word;
        else
            for (ps_u32 k = 0; k < 4u; k++)
                out[((ps_u64)to * 8u + at % 8u) * 4u + k] = (ps_u8)(word >> k * 8u);
    }
}
#endif
#endif
