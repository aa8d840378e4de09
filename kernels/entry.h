/* SPDX-License-Identifier: Apache-2.0
 * PS_ENTRY_n(name, T0, …, Tn-1) turns ps_<name>_at(i, T0 *, …, ps_<name>_params) into an entry
 * point. In C it is ps_<name>_c(buf, params, begin, end), one call per i; on a GPU it is the
 * kernel ps_<name>(T0 *, …, params, begin, end), one work-item per i (kernels/entry_gpu.h). OpenCL
 * C 1.2 has no variadic macros, hence one line per number of buffers. The SIMD floor compiles the
 * same text again with an instruction set's flags and its own PS_SUFFIX.
 * PS_ENTRY_RECORDS(name, T) is PS_ENTRY_4 for kernels of the form (bytes, begin, length, out): a
 * GPU runs ps_<name>_staged() there, whose items load their records together.
 */
#ifndef PS_KERNELS_ENTRY_H
#define PS_KERNELS_ENTRY_H

#if defined(PS_PLAIN_C)
#ifndef PS_SUFFIX
#define PS_SUFFIX c
#endif
#define PS_JOIN_(name, suffix)   ps_##name##_##suffix
#define PS_SYMBOL_(name, suffix) PS_JOIN_(name, suffix)

#define PS_BUF_1_  buf[0]
#define PS_BUF_2_  PS_BUF_1_, buf[1]
#define PS_BUF_3_  PS_BUF_2_, buf[2]
#define PS_BUF_4_  PS_BUF_3_, buf[3]
#define PS_BUF_5_  PS_BUF_4_, buf[4]
#define PS_BUF_6_  PS_BUF_5_, buf[5]
#define PS_BUF_7_  PS_BUF_6_, buf[6]
#define PS_BUF_8_  PS_BUF_7_, buf[7]
#define PS_BUF_9_  PS_BUF_8_, buf[8]
#define PS_BUF_10_ PS_BUF_9_, buf[9]
#define PS_BUF_11_ PS_BUF_10_, buf[10]
#define PS_BUF_12_ PS_BUF_11_, buf[11]

/* Bit i: buffer i is written, which its type says: what points to const is only read. */
/* clang-format off */
#define PS_WRITES_(i, T) \
    (_Generic(1 ? (T *)0 : (void *)1, const void *: 0u, default: 1u) << i)
/* clang-format on */
#define PS_WRITES_1_(A)                      PS_WRITES_(0, A)
#define PS_WRITES_2_(A, B)                   PS_WRITES_1_(A) | PS_WRITES_(1, B)
#define PS_WRITES_3_(A, B, C)                PS_WRITES_2_(A, B) | PS_WRITES_(2, C)
#define PS_WRITES_4_(A, B, C, D)             PS_WRITES_3_(A, B, C) | PS_WRITES_(3, D)
#define PS_WRITES_5_(A, B, C, D, E)          PS_WRITES_4_(A, B, C, D) | PS_WRITES_(4, E)
#define PS_WRITES_6_(A, B, C, D, E, F)       PS_WRITES_5_(A, B, C, D, E) | PS_WRITES_(5, F)
#define PS_WRITES_7_(A, B, C, D, E, F, G)    PS_WRITES_6_(A, B, C, D, E, F) | PS_WRITES_(6, G)
#define PS_WRITES_8_(A, B, C, D, E, F, G, H) PS_WRITES_7_(A, B, C, D, E, F, G) | PS_WRITES_(7, H)
#define PS_WRITES_9_(A, B, C, D, E, F, G, H, I) \
    PS_WRITES_8_(A, B, C, D, E, F, G, H) | PS_WRITES_(8, I)
#define PS_WRITES_10_(A, B, C, D, E, F, G, H, I, J) \
    PS_WRITES_9_(A, B, C, D, E, F, G, H, I) | PS_WRITES_(9, J)
#define PS_WRITES_11_(A, B, C, D, E, F, G, H, I, J, K) \
    PS_WRITES_10_(A, B, C, D, E, F, G, H, I, J) | PS_WRITES_(10, K)
#define PS_WRITES_12_(A, B, C, D, E, F, G, H, I, J, K, L) \
    PS_WRITES_11_(A, B, C, D, E, F, G, H, I, J, K) | PS_WRITES_(11, L)

#define PS_ENTRY_C_(name, buffers, writes)                                               \
    extern const ps_u32 PS_SYMBOL_(name##_writes, PS_SUFFIX);                            \
    const ps_u32 PS_SYMBOL_(name##_writes, PS_SUFFIX) = writes;                          \
    void PS_SYMBOL_(name, PS_SUFFIX)(void *const *buf, const void *params, ps_u32 begin, \
                                     ps_u32 end);                                        \
    void PS_SYMBOL_(name, PS_SUFFIX)(void *const *buf, const void *params, ps_u32 begin, \
                                     ps_u32 end) {                                       \
        ps_##name##_params p;                                                            \
        memcpy(&p, params, sizeof p);                                                    \
        for (ps_u32 i = begin; i < end; i++) ps_##name##_at(i, buffers, p);              \
    }

#define PS_ENTRY_1(name, A)             PS_ENTRY_C_(name, PS_BUF_1_, (PS_WRITES_1_(A)))
#define PS_ENTRY_2(name, A, B)          PS_ENTRY_C_(name, PS_BUF_2_, (PS_WRITES_2_(A, B)))
#define PS_ENTRY_3(name, A, B, C)       PS_ENTRY_C_(name, PS_BUF_3_, (PS_WRITES_3_(A, B, C)))
#define PS_ENTRY_4(name, A, B, C, D)    PS_ENTRY_C_(name, PS_BUF_4_, (PS_WRITES_4_(A, B, C, D)))
#define PS_ENTRY_5(name, A, B, C, D, E) PS_ENTRY_C_(name, PS_BUF_5_, (PS_WRITES_5_(A, B, C, D, E)))
#define PS_ENTRY_6(name, A, B, C, D, E, F) \
    PS_ENTRY_C_(name, PS_BUF_6_, (PS_WRITES_6_(A, B, C, D, E, F)))
#define PS_ENTRY_7(name, A, B, C, D, E, F, G) \
    PS_ENTRY_C_(name, PS_BUF_7_, (PS_WRITES_7_(A, B, C, D, E, F, G)))
#define PS_ENTRY_8(name, A, B, C, D, E, F, G, H) \
    PS_ENTRY_C_(name, PS_BUF_8_, (PS_WRITES_8_(A, B, C, D, E, F, G, H)))
#define PS_ENTRY_9(name, A, B, C, D, E, F, G, H, I) \
    PS_ENTRY_C_(name, PS_BUF_9_, (PS_WRITES_9_(A, B, C, D, E, F, G, H, I)))
#define PS_ENTRY_10(name, A, B, C, D, E, F, G, H, I, J) \
    PS_ENTRY_C_(name, PS_BUF_10_, (PS_WRITES_10_(A, B, C, D, E, F, G, H, I, J)))
#define PS_ENTRY_11(name, A, B, C, D, E, F, G, H, I, J, K) \
    PS_ENTRY_C_(name, PS_BUF_11_, (PS_WRITES_11_(A, B, C, D, E, F, G, H, I, J, K)))
#define PS_ENTRY_12(name, A, B, C, D, E, F, G, H, I, J, K, L) \
    PS_ENTRY_C_(name, PS_BUF_12_, (PS_WRITES_12_(A, B, C, D, E, F, G, H, I, J, K, L)))

#define PS_ENTRY_RECORDS(name, T) PS_ENTRY_4(name, const ps_u8, const ps_u32, const ps_u32, T)

#else
#include "kernels/entry_gpu.h"
#endif
#endif
