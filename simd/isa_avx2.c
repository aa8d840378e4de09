/* SPDX-License-Identifier: Apache-2.0
 * The reference text of the per-series kernels, compiled once more with this level's flags: fma
 * and square root become instructions. Whether lanes across segments pay will be measured with the
 * detectors; until then a segment is scalar.
 * Agrees: to the bit, since contraction is off and every operation is IEEE 754's.
 */
#define PS_SUFFIX avx2
#include "kernels/cusum.c"
#include "kernels/discord.c"
#include "kernels/drift.c"
#include "kernels/entropy.c"
#include "kernels/ewma.c"
#include "kernels/forecast.c"
#include "kernels/half_space_trees.c"
#include "kernels/hampel.c"
#include "kernels/holt_winters.c"
#include "kernels/iqr.c"
#include "kernels/multivariate.c"
#include "kernels/mzscore.c"
#include "kernels/prototype.c"
#include "kernels/risk.c"
#include "kernels/slim.c"
#include "kernels/spectral_residual.c"
#include "kernels/summary.c"
#include "kernels/suppress.c"
#include "kernels/vote.c"
#include "kernels/zscore.c"
