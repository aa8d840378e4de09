/* SPDX-License-Identifier: Apache-2.0
 * What the files of the self-test share: who is asked, and the known answers that stand apart.
 */
#ifndef PS_SIMD_SELF_TEST_H
#define PS_SIMD_SELF_TEST_H

#include "simd/dispatch.h"

/* A kernel, and how to run it. */
typedef struct ps_asked {
    ps_kernel_id id;
    ps_known_run *run;
    void *context;
} ps_asked;

/* An array or a scalar as a buffer. */
#define OBJECT(x) \
    { (void *)(uintptr_t)(&(x)), sizeof(x) }

static inline bool ps_ask(const ps_asked *a, const ps_known *operands, const void *params,
                          uint32_t n) {
    return a->run(a->context, a->id, operands, params, n);
}

/* Kernels that find their columns by themselves: simd/self_test_found.c. */
bool ps_self_test_drift(const ps_asked *a);
bool ps_self_test_forecast(const ps_asked *a);
bool ps_self_test_risk(const ps_asked *a);
bool ps_self_test_multivariate(const ps_asked *a);

#endif
