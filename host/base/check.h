/* SPDX-License-Identifier: Apache-2.0
 * Checks of the programmer's own promises. PS_CHECK is always on, in release builds too: a broken
 * invariant must stop the worker before it commits. PS_DCHECK is for row loops and exists in debug
 * builds only.
 */
#ifndef PS_HOST_BASE_CHECK_H
#define PS_HOST_BASE_CHECK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Prints the condition, where it stands and the two values, then aborts. */
__attribute__((noreturn, cold)) void ps_check_failed(const char *condition, const char *file,
                                                     int line, int64_t left, int64_t right);

/* For start-up code that has nobody to tell: says what there is no memory for, and ends with exit
 * code 1. */
__attribute__((noreturn, cold)) void ps_no_memory_for(const char *what);

#define PS_CHECK(condition)                                        \
    do {                                                           \
        if (__builtin_expect(!(condition), 0))                     \
            ps_check_failed(#condition, __FILE__, __LINE__, 0, 0); \
    } while (0)

/* Compares integers and shows both when it fails: PS_CHECK_OP(released, <=, emitted). */
#define PS_CHECK_OP(left, op, right)                                                       \
    do {                                                                                   \
        if (__builtin_expect(!((left)op(right)), 0))                                       \
            ps_check_failed(#left " " #op " " #right, __FILE__, __LINE__, (int64_t)(left), \
                            (int64_t)(right));                                             \
    } while (0)

#ifdef NDEBUG
#define PS_DCHECK(condition) ((void)sizeof(condition))
#else
#define PS_DCHECK(condition) PS_CHECK(condition)
#endif

#ifdef __cplusplus
}
#endif
#endif
