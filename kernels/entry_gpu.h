/* SPDX-License-Identifier: Apache-2.0
 * PS_ENTRY_n (kernels/entry.h) on a GPU: the kernel ps_<name>(T0 *, …, params, begin, end), one
 * work-item per i in [begin, end). An OpenCL buffer is followed by the byte at which it begins,
 * because a cl_mem is no address.
 */
#ifndef PS_KERNELS_ENTRY_GPU_H
#define PS_KERNELS_ENTRY_GPU_H

#if defined(__CUDACC__)
#define PS_ARG_(T, x) PS_GLOBAL T *PS_RESTRICT x
#define PS_AT_(x)     x
#else
#define PS_ARG_(T, x) PS_GLOBAL T *PS_RESTRICT x, ps_u64 x##_at
#define PS_AT_(x)     x + x##_at / sizeof(*x)
#endif
#define PS_ARGS_1_(A)                         PS_ARG_(A, b0)
#define PS_USE_1_                             PS_AT_(b0)
#define PS_ARGS_2_(A, B)                      PS_ARGS_1_(A), PS_ARG_(B, b1)
#define PS_USE_2_                             PS_USE_1_, PS_AT_(b1)
#define PS_ARGS_3_(A, B, C)                   PS_ARGS_2_(A, B), PS_ARG_(C, b2)
#define PS_USE_3_                             PS_USE_2_, PS_AT_(b2)
#define PS_ARGS_4_(A, B, C, D)                PS_ARGS_3_(A, B, C), PS_ARG_(D, b3)
#define PS_USE_4_                             PS_USE_3_, PS_AT_(b3)
#define PS_ARGS_5_(A, B, C, D, E)             PS_ARGS_4_(A, B, C, D), PS_ARG_(E, b4)
#define PS_USE_5_                             PS_USE_4_, PS_AT_(b4)
#define PS_ARGS_6_(A, B, C, D, E, F)          PS_ARGS_5_(A, B, C, D, E), PS_ARG_(F, b5)
#define PS_USE_6_                             PS_USE_5_, PS_AT_(b5)
#define PS_ARGS_7_(A, B, C, D, E, F, G)       PS_ARGS_6_(A, B, C, D, E, F), PS_ARG_(G, b6)
#define PS_USE_7_                             PS_USE_6_, PS_AT_(b6)
#define PS_ARGS_8_(A, B, C, D, E, F, G, H)    PS_ARGS_7_(A, B, C, D, E, F, G), PS_ARG_(H, b7)
#define PS_USE_8_                             PS_USE_7_, PS_AT_(b7)
#define PS_ARGS_9_(A, B, C, D, E, F, G, H, I) PS_ARGS_8_(A, B, C, D, E, F, G, H), PS_ARG_(I, b8)
#define PS_USE_9_                             PS_USE_8_, PS_AT_(b8)
#define PS_ARGS_10_(A, B, C, D, E, F, G, H, I, J) \
    PS_ARGS_9_(A, B, C, D, E, F, G, H, I), PS_ARG_(J, b9)
#define PS_USE_10_ PS_USE_9_, PS_AT_(b9)
#define PS_ARGS_11_(A, B, C, D, E, F, G, H, I, J, K) \
    PS_ARGS_10_(A, B, C, D, E, F, G, H, I, J), PS_ARG_(K, b10)
#define PS_USE_11_ PS_USE_10_, PS_AT_(b10)
#define PS_ARGS_12_(A, B, C, D, E, F, G, H, I, J, K, L) \
    PS_ARGS_11_(A, B, C, D, E, F, G, H, I, J, K), PS_ARG_(L, b11)
#define PS_USE_12_ PS_USE_11_, PS_AT_(b11)

#define PS_BODY_(name, buffers)                     \
    {                                               \
        const ps_u32 i = PS_ITEM + begin;           \
        if (i < end) ps_##name##_at(i, buffers, p); \
    }

#define PS_ENTRY_1(name, A)                                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_1_(A), ps_##name##_params p, ps_u32 begin, ps_u32 end) \
        PS_BODY_(name, PS_USE_1_)
#define PS_ENTRY_2(name, A, B)                                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_2_(A, B), ps_##name##_params p, ps_u32 begin, ps_u32 end) \
        PS_BODY_(name, PS_USE_2_)
#define PS_ENTRY_3(name, A, B, C)                                                                 \
    PS_KERNEL void ps_##name(PS_ARGS_3_(A, B, C), ps_##name##_params p, ps_u32 begin, ps_u32 end) \
        PS_BODY_(name, PS_USE_3_)
#define PS_ENTRY_4(name, A, B, C, D)                                                     \
    PS_KERNEL void ps_##name(PS_ARGS_4_(A, B, C, D), ps_##name##_params p, ps_u32 begin, \
                             ps_u32 end) PS_BODY_(name, PS_USE_4_)
#define PS_ENTRY_5(name, A, B, C, D, E)                                                     \
    PS_KERNEL void ps_##name(PS_ARGS_5_(A, B, C, D, E), ps_##name##_params p, ps_u32 begin, \
                             ps_u32 end) PS_BODY_(name, PS_USE_5_)
#define PS_ENTRY_6(name, A, B, C, D, E, F)                                                     \
    PS_KERNEL void ps_##name(PS_ARGS_6_(A, B, C, D, E, F), ps_##name##_params p, ps_u32 begin, \
                             ps_u32 end) PS_BODY_(name, PS_USE_6_)
#define PS_ENTRY_7(name, A, B, C, D, E, F, G)                                                     \
    PS_KERNEL void ps_##name(PS_ARGS_7_(A, B, C, D, E, F, G), ps_##name##_params p, ps_u32 begin, \
                             ps_u32 end) PS_BODY_(name, PS_USE_7_)
#define PS_ENTRY_8(name, A, B, C, D, E, F, G, H)                                       \
    PS_KERNEL void ps_##name(PS_ARGS_8_(A, B, C, D, E, F, G, H), ps_##name##_params p, \
                             ps_u32 begin, ps_u32 end) PS_BODY_(name, PS_USE_8_)
#define PS_ENTRY_9(name, A, B, C, D, E, F, G, H, I)                                       \
    PS_KERNEL void ps_##name(PS_ARGS_9_(A, B, C, D, E, F, G, H, I), ps_##name##_params p, \
                             ps_u32 begin, ps_u32 end) PS_BODY_(name, PS_USE_9_)
#define PS_ENTRY_10(name, A, B, C, D, E, F, G, H, I, J)                                       \
    PS_KERNEL void ps_##name(PS_ARGS_10_(A, B, C, D, E, F, G, H, I, J), ps_##name##_params p, \
                             ps_u32 begin, ps_u32 end) PS_BODY_(name, PS_USE_10_)
#define PS_ENTRY_11(name, A, B, C, D, E, F, G, H, I, J, K)                                       \
    PS_KERNEL void ps_##name(PS_ARGS_11_(A, B, C, D, E, F, G, H, I, J, K), ps_##name##_params p, \
                             ps_u32 begin, ps_u32 end) PS_BODY_(name, PS_USE_11_)
#define PS_ENTRY_12(name, A, B, C, D, E, F, G, H, I, J, K, L)                 \
    PS_KERNEL void ps_##name(PS_ARGS_12_(A, B, C, D, E, F, G, H, I, J, K, L), \
                             ps_##name##_params p, ps_u32 begin, ps_u32 end)  \
        PS_BODY_(name, PS_USE_12_)

/* The items of a group go the same way to its end, also those behind the last record. */
#define PS_ENTRY_RECORDS(name, T)                                                                 \
    PS_KERNEL PS_IN_GROUPS void ps_##name(PS_ARGS_4_(const ps_u8, const ps_u32, const ps_u32, T), \
                                          ps_##name##_params p, ps_u32 begin, ps_u32 end) {       \
        PS_LOCAL_ARRAY ps_u32 memory[PS_STAGE_MEMORY];                                            \
        ps_##name##_staged(memory, PS_ITEM + begin, end, PS_USE_4_, p);                           \
    }
#endif
