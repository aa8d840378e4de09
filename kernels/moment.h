/* SPDX-License-Identifier: Apache-2.0
 * When a value was measured: a column of the record's timestamps, or a declared field.
 */
#ifndef PS_KERNELS_MOMENT_H
#define PS_KERNELS_MOMENT_H

#include "kernels/dialect.h"

#define PS_TIME_RECORD_MS                                                                       \
    0u                      /* milliseconds since 1970, -1: none; its validity is not looked at \
                             */
#define PS_TIME_FIELD_NS 1u /* nanoseconds since 1970, none where invalid */

/* A time further from 1970 counts as this far, which a double holds to the millisecond. */
#define PS_MOMENT_MAX 9000000000000000

/* Milliseconds since 1970; those of `before` where the row has no time. */
PS_FN ps_i64 ps_moment(PS_GLOBAL const ps_u8 *time, PS_GLOBAL const ps_u8 *validity, ps_u32 row,
                       ps_u32 how, ps_i64 before) {
    if (how == PS_TIME_FIELD_NS && ps_bit(validity, row) == 0u) return before;
    const ps_i64 at = (ps_i64)ps_load64(time, row);
    if (how == PS_TIME_FIELD_NS) return at / 1000000 - (at % 1000000 < 0 ? 1 : 0);
    if (at == -1) return before;
    return at > PS_MOMENT_MAX ? PS_MOMENT_MAX : at < -PS_MOMENT_MAX ? -PS_MOMENT_MAX : at;
}

#endif
