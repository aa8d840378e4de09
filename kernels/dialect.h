/* SPDX-License-Identifier: Apache-2.0
 * The common part of C11, CUDA C and OpenCL C 1.2 (with cl_khr_fp64), so that one kernel source is
 * the reference, the GPU program and the input of the SIMD builds. One work-item is one row, one
 * segment or one virtual lane; there are no size_t or bool parameters, scalars travel in one struct
 * by value, and items do not wait for each other but where kernels/stage_gpu.h loads records.
 */
#ifndef PS_KERNELS_DIALECT_H
#define PS_KERNELS_DIALECT_H

#if defined(__OPENCL_C_VERSION__) || defined(__OPENCL_VERSION__)
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
/* Without this line PoCL and GPU compilers fuse a * b + c, and the bits differ from the C build. */
#pragma OPENCL FP_CONTRACT OFF
typedef uchar ps_u8;
typedef uint ps_u32;
typedef ulong ps_u64;
typedef int ps_i32;
typedef long ps_i64;
#define PS_GLOBAL           __global
#define PS_TABLE            __constant /* a file-scope table that every work-item reads */
#define PS_RESTRICT         restrict
#define PS_FN               static inline
#define PS_KERNEL           __kernel
#define PS_ITEM             ((ps_u32)get_global_id(0))
#define ps_fma(a, b, c)     fma((double)(a), (double)(b), (double)(c))
#define ps_sqrt(a)          sqrt((double)(a))
#define ps_fabs(a)          fabs((double)(a))
#define ps_f32_from_bits(u) as_float((ps_u32)(u))
#define ps_f64_from_bits(u) as_double((ps_u64)(u))
#define ps_f64_to_bits(a)   as_ulong((double)(a))
#define ps_f32_to_bits(a)   as_uint((float)(a))
#define ps_mul_high(a, b)   mul_hi((ps_u64)(a), (ps_u64)(b))

#elif defined(__CUDACC__)
#include <stdint.h>
typedef uint8_t ps_u8;
typedef uint32_t ps_u32;
typedef uint64_t ps_u64;
typedef int32_t ps_i32;
typedef int64_t ps_i64;
#define PS_GLOBAL
#define PS_TABLE            static __device__ const
#define PS_RESTRICT         __restrict__
#define PS_FN               static __device__ inline
#define PS_KERNEL           extern "C" __global__
#define PS_ITEM             (blockIdx.x * blockDim.x + threadIdx.x)
#define ps_fma(a, b, c)     __fma_rn((a), (b), (c))
#define ps_sqrt(a)          __dsqrt_rn(a)
#define ps_fabs(a)          fabs((double)(a))
#define ps_f32_from_bits(u) __uint_as_float(u)
#define ps_f64_from_bits(u) __longlong_as_double((long long)(u))
#define ps_f64_to_bits(a)   ((ps_u64)__double_as_longlong(a))
#define ps_f32_to_bits(a)   ((ps_u32)__float_as_uint(a))
#define ps_mul_high(a, b)   __umul64hi((a), (b))

#else
#include <stdint.h>
#include <string.h>
#define PS_PLAIN_C 1
typedef uint8_t ps_u8;
typedef uint32_t ps_u32;
typedef uint64_t ps_u64;
typedef int32_t ps_i32;
typedef int64_t ps_i64;
#define PS_GLOBAL
#define PS_TABLE        static const
#define PS_RESTRICT     restrict
#define PS_FN           static inline
/* The three operations of libm that IEEE 754 defines to the last bit; nothing else of libm is used.
 */
#define ps_fma(a, b, c) __builtin_fma((a), (b), (c))
#define ps_sqrt(a)      __builtin_sqrt(a)
#define ps_fabs(a)      __builtin_fabs(a)

#include "kernels/bits.h"
#endif
#include "kernels/group.h"

#define PS_NULL \
    0xFFFFFFFFu /* in a length column: the value is null, which is not the same as empty */
#define PS_NONE 0xFFFFFFFFu /* in an index column: the row belongs to nothing */

/* The one NaN that kernels write: the bits of 0/0 differ between processors, and scores are
 * compared and stored. */
PS_FN float ps_nan(void) {
    return ps_f32_from_bits(0x7fc00000u);
}

PS_FN ps_u32 ps_rotate_right(ps_u32 x, ps_u32 n) {
    return (x >> n) | (x << (32u - n));
}

/* Little-endian reads of unaligned bytes. GPUs fault on unaligned words, so they assemble them. */
PS_FN ps_u32 ps_read32(PS_GLOBAL const ps_u8 *at) {
#if defined(PS_PLAIN_C) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    ps_u32 value;
    memcpy(&value, at, sizeof value);
    return value;
#else
    return (ps_u32)at[0] | (ps_u32)at[1] << 8 | (ps_u32)at[2] << 16 | (ps_u32)at[3] << 24;
#endif
}

PS_FN ps_u64 ps_read64(PS_GLOBAL const ps_u8 *at) {
#if defined(PS_PLAIN_C) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    ps_u64 value;
    memcpy(&value, at, sizeof value);
    return value;
#else
    return (ps_u64)ps_read32(at) | (ps_u64)ps_read32(at + 4) << 32;
#endif
}

/* Row `row` of a column of eight-byte values of either type; the column itself is aligned. */
PS_FN ps_u64 ps_load64(PS_GLOBAL const ps_u8 *column, ps_u32 row) {
#if defined(PS_PLAIN_C)
    ps_u64 value;
    memcpy(&value, column + (ps_u64)row * 8u, sizeof value);
    return value;
#else
    return ((PS_GLOBAL const ps_u64 *)column)[row];
#endif
}

/* Arrow's validity bitmaps: least significant bit first, 1 is valid. */
PS_FN ps_u32 ps_bit(PS_GLOBAL const ps_u8 *bitmap, ps_u32 row) {
    return ((ps_u32)bitmap[row >> 3] >> (row & 7u)) & 1u;
}

#include "kernels/entry.h"
#endif
