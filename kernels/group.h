/* SPDX-License-Identifier: Apache-2.0
 * What work-items do together on a GPU: a group of them shares memory and may wait for each other.
 * Included by kernels/dialect.h.
 */
#ifndef PS_KERNELS_GROUP_H
#define PS_KERNELS_GROUP_H

/* Work-items of a group. A back-end launches as many; the OpenCL one sets less where a device does
 * not take them. */
#ifndef PS_GROUP
#define PS_GROUP 64u
#endif

#if defined(PS_PLAIN_C)
#define PS_UNROLLED /* compilers for processors know better */
#else
#define PS_UNROLLED   _Pragma("unroll") /* an array lives in registers only if the loop is gone */
#define PS_ADDRESS(p) ((ps_u64)(uintptr_t)(p))
#endif

#if defined(__OPENCL_C_VERSION__) || defined(__OPENCL_VERSION__)
#define PS_LOCAL       __local /* what a pointer into shared memory points to */
#define PS_LOCAL_ARRAY __local
/* PoCL 3.1 gives groups that run side by side one and the same shared memory where a function that
 * uses it is not inlined. */
#define PS_FN_SHARING static inline __attribute__((always_inline))
#define PS_GROUP_ITEM ((ps_u32)get_local_id(0))
#define PS_GROUP_SYNC barrier(CLK_LOCAL_MEM_FENCE)
#define PS_IN_GROUPS  __attribute__((reqd_work_group_size(PS_GROUP, 1, 1)))
#elif defined(__CUDACC__)
#define PS_LOCAL
#define PS_LOCAL_ARRAY __shared__
#define PS_FN_SHARING  PS_FN
#define PS_GROUP_ITEM  ((ps_u32)threadIdx.x)
#define PS_GROUP_SYNC  __syncthreads()
#define PS_IN_GROUPS   __launch_bounds__(PS_GROUP)
#endif

#endif
