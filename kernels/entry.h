/* SPDX-License-Identifier: Apache-2.0
 * PS_ENTRY_n(name, T0, …, Tn-1) turns ps_<name>_at(i, T0 *, …, ps_<name>_params) into an entry
 * point. In C it is ps_<name>_c(buf, params, begin, end), one call per i; on a GPU it is the
 * kernel ps_<name>(T0 *, …, params, n), one work-item per i. OpenCL C 1.2 has no variadic macros,
 * hence one line per number of buffers. The SIMD floor compiles the same text again with an
 * instruction set's flags and its own PS_SUFFIX.
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

#define PS_ENTRY_C_(name, buffers)                                                       \
    void PS_SYMBOL_(name, PS_SUFFIX)(void *const *buf, const void *params, ps_u32 begin, \
                                     ps_u32 end);                                        \
    void PS_SYMBOL_(name, PS_SUFFIX)(void *const *buf, const void *params, ps_u32 begin, \
                                     ps_u32 end) {                                       \
        ps_##name##_params p;                                                            \
        memcpy(&p, params, sizeof p);                                                    \
        for (ps_u32 i = begin; i < end; i++) ps_##name##_at(i, buffers, p);              \
    }

#define PS_ENTRY_1(name, A)                                   PS_ENTRY_C_(name, PS_BUF_1_)
#define PS_ENTRY_2(name, A, B)                                PS_ENTRY_C_(name, PS_BUF_2_)
#define PS_ENTRY_3(name, A, B, C)                             PS_ENTRY_C_(name, PS_BUF_3_)
#define PS_ENTRY_4(name, A, B, C, D)                          PS_ENTRY_C_(name, PS_BUF_4_)
#define PS_ENTRY_5(name, A, B, C, D, E)                       PS_ENTRY_C_(name, PS_BUF_5_)
#define PS_ENTRY_6(name, A, B, C, D, E, F)                    PS_ENTRY_C_(name, PS_BUF_6_)
#define PS_ENTRY_7(name, A, B, C, D, E, F, G)                 PS_ENTRY_C_(name, PS_BUF_7_)
#define PS_ENTRY_8(name, A, B, C, D, E, F, G, H)              PS_ENTRY_C_(name, PS_BUF_8_)
#define PS_ENTRY_9(name, A, B, C, D, E, F, G, H, I)           PS_ENTRY_C_(name, PS_BUF_9_)
#define PS_ENTRY_10(name, A, B, C, D, E, F, G, H, I, J)       PS_ENTRY_C_(name, PS_BUF_10_)
#define PS_ENTRY_11(name, A, B, C, D, E, F, G, H, I, J, K)    PS_ENTRY_C_(name, PS_BUF_11_)
#define PS_ENTRY_12(name, A, B, C, D, E, F, G, H, I, J, K, L) PS_ENTRY_C_(name, PS_BUF_12_)

#else
#define PS_ARG_(T, x)                         PS_GLOBAL T *PS_RESTRICT x
#define PS_ARGS_1_(A)                         PS_ARG_(A, b0)
#define PS_USE_1_                             b0
#define PS_ARGS_2_(A, B)                      PS_ARGS_1_(A), PS_ARG_(B, b1)
#define PS_USE_2_                             PS_USE_1_, b1
#define PS_ARGS_3_(A, B, C)                   PS_ARGS_2_(A, B), PS_ARG_(C, b2)
#define PS_USE_3_                             PS_USE_2_, b2
#define PS_ARGS_4_(A, B, C, D)                PS_ARGS_3_(A, B, C), PS_ARG_(D, b3)
#define PS_USE_4_                             PS_USE_3_, b3
#define PS_ARGS_5_(A, B, C, D, E)             PS_ARGS_4_(A, B, C, D), PS_ARG_(E, b4)
#define PS_USE_5_                             PS_USE_4_, b4
#define PS_ARGS_6_(A, B, C, D, E, F)          PS_ARGS_5_(A, B, C, D, E), PS_ARG_(F, b5)
#define PS_USE_6_                             PS_USE_5_, b5
#define PS_ARGS_7_(A, B, C, D, E, F, G)       PS_ARGS_6_(A, B, C, D, E, F), PS_ARG_(G, b6)
#define PS_USE_7_                             PS_USE_6_, b6
#define PS_ARGS_8_(A, B, C, D, E, F, G, H)    PS_ARGS_7_(A, B, C, D, E, F, G), PS_ARG_(H, b7)
#define PS_USE_8_                             PS_USE_7_, b7
#define PS_ARGS_9_(A, B, C, D, E, F, G, H, I) PS_ARGS_8_(A, B, C, D, E, F, G, H), PS_ARG_(I, b8)
#define PS_USE_9_                             PS_USE_8_, b8
#define PS_ARGS_10_(A, B, C, D, E, F, G, H, I, J) \
    PS_ARGS_9_(A, B, C, D, E, F, G, H, I), PS_ARG_(J, b9)
#define PS_USE_10_ PS_USE_9_, b9
#define PS_ARGS_11_(A, B, C, D, E, F, G, H, I, J, K) \
    PS_ARGS_10_(A, B, C, D, E, F, G, H, I, J), PS_ARG_(K, b10)
#define PS_USE_11_ PS_USE_10_, b10
#define PS_ARGS_12_(A, B, C, D, E, F, G, H, I, J, K, L) \
    PS_ARGS_11_(A, B, C, D, E, F, G, H, I, J, K), PS_ARG_(L, b11)
#define PS_USE_12_ PS_USE_11_, b11

#define PS_BODY_(name, buffers)                   \
    {                                             \
        const ps_u32 i = PS_ITEM;                 \
        if (i < n) ps_##name##_at(i, buffers, p); \
    }

#define PS_ENTRY_1(name, A)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_1_(A), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_1_)
#define PS_ENTRY_2(name, A, B)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_2_(A, B), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_2_)
#define PS_ENTRY_3(name, A, B, C)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_3_(A, B, C), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_3_)
#define PS_ENTRY_4(name, A, B, C, D)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_4_(A, B, C, D), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_4_)
#define PS_ENTRY_5(name, A, B, C, D, E)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_5_(A, B, C, D, E), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_5_)
#define PS_ENTRY_6(name, A, B, C, D, E, F)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_6_(A, B, C, D, E, F), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_6_)
#define PS_ENTRY_7(name, A, B, C, D, E, F, G)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_7_(A, B, C, D, E, F, G), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_7_)
#define PS_ENTRY_8(name, A, B, C, D, E, F, G, H)                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_8_(A, B, C, D, E, F, G, H), ps_##name##_params p, ps_u32 n) \
        PS_BODY_(name, PS_USE_8_)
#define PS_ENTRY_9(name, A, B, C, D, E, F, G, H, I)                                       \
    PS_KERNEL void ps_##name(PS_ARGS_9_(A, B, C, D, E, F, G, H, I), ps_##name##_params p, \
                             ps_u32 n) PS_BODY_(name, PS_USE_9_)
#define PS_ENTRY_10(name, A, B, C, D, E, F, G, H, I, J)                                       \
    PS_KERNEL void ps_##name(PS_ARGS_10_(A, B, C, D, E, F, G, H, I, J), ps_##name##_params p, \
                             ps_u32 n) PS_BODY_(name, PS_USE_10_)
#define PS_ENTRY_11(name, A, B, C, D, E, F, G, H, I, J, K)                                       \
    PS_KERNEL void ps_##name(PS_ARGS_11_(A, B, C, D, E, F, G, H, I, J, K), ps_##name##_params p, \
                             ps_u32 n) PS_BODY_(name, PS_USE_11_)
#define PS_ENTRY_12(name, A, B, C, D, E, F, G, H, I, J, K, L)                 \
    PS_KERNEL void ps_##name(PS_ARGS_12_(A, B, C, D, E, F, G, H, I, J, K, L), \
                             ps_##name##_params p, ps_u32 n) PS_BODY_(name, PS_USE_12_)
#endif
#endif
