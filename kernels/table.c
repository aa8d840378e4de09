/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/table.h"

#include "kernels/blake3.h"
#include "kernels/crc32c.h"
#include "kernels/cusum.h"
#include "kernels/discord.h"
#include "kernels/drift.h"
#include "kernels/entropy.h"
#include "kernels/ewma.h"
#include "kernels/fnv1a.h"
#include "kernels/forecast.h"
#include "kernels/half_space_trees.h"
#include "kernels/hampel.h"
#include "kernels/holt_winters.h"
#include "kernels/iqr.h"
#include "kernels/lz4.h"
#include "kernels/merkle.h"
#include "kernels/moments.h"
#include "kernels/multivariate.h"
#include "kernels/murmur2.h"
#include "kernels/mzscore.h"
#include "kernels/prototype.h"
#include "kernels/risk.h"
#include "kernels/segment.h"
#include "kernels/sha256.h"
#include "kernels/sketch.h"
#include "kernels/slim.h"
#include "kernels/spectral_residual.h"
#include "kernels/summary.h"
#include "kernels/suppress.h"
#include "kernels/vote.h"
#include "kernels/where.h"
#include "kernels/xxh3.h"
#include "kernels/zscore.h"

#define PS_KERNEL_ROW(name, NAME, buffers, ulp) \
    ps_kernel_fn ps_##name##_c;                 \
    extern const uint32_t ps_##name##_writes_c;
#include "kernels/kernels.def"
#undef PS_KERNEL_ROW

#define PS_KERNEL_ROW(name, NAME, buffers, ulp)                                             \
    [PS_KERNEL_##NAME] = {#name, ps_##name##_c,        buffers, sizeof(ps_##name##_params), \
                          ulp,   &ps_##name##_writes_c},
const ps_kernel ps_kernels[PS_KERNEL_COUNT] = {
#include "kernels/kernels.def"
};
#undef PS_KERNEL_ROW
