/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "host/base/limits.h"
#include "kernels/cusum.h"
#include "kernels/discord.h"
#include "kernels/entropy.h"
#include "kernels/ewma.h"
#include "kernels/half_space_trees.h"
#include "kernels/hampel.h"
#include "kernels/holt_winters.h"
#include "kernels/iqr.h"
#include "kernels/lz4.h"
#include "kernels/merkle.h"
#include "kernels/moments.h"
#include "kernels/mzscore.h"
#include "kernels/prototype.h"
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
#include "simd/self_test.h"

typedef ps_asked asked;
typedef bool self_test(const asked *a); /* whether the answer is right */

static bool ask(const asked *a, const ps_known *operands, const void *params, uint32_t n) {
    return ps_ask(a, operands, params, n);
}

/* Six rows, so that a group of lanes and a remainder both run: "abc" five times and one null. */
enum { ROWS = 6, NULL_ROW = 4 };
static const uint8_t text[3 + 64] = "abc";
static const uint32_t begin[ROWS] = {0};
static const uint32_t length[ROWS] = {3, 3, 3, 3, PS_NULL, 3};

static bool self_test_digest(const asked *a, const void *params, const uint8_t *expected) {
    static const uint8_t zero[32] = {0};
    uint8_t digest[ROWS][32] = {{0}};
    const ps_known operands[] = {OBJECT(text), OBJECT(begin), OBJECT(length), OBJECT(digest)};
    bool right = ask(a, operands, params, ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        right &= memcmp(digest[i], i == NULL_ROW ? zero : expected, 32) == 0;
    return right;
}

static bool self_test_sha256(const asked *a) {
    static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                    0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                    0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    const ps_sha256_params params = {PS_SHA256_PLAIN};
    return self_test_digest(a, &params, abc);
}

/* Twenty pairs, so that every group of lanes and a remainder run, first in place, then with the
 * left half of the first pair carried. Source: the first two leaves of the tree that Certificate
 * Transparency's reference implementation tests itself with, and the node above them. */
static bool self_test_merkle(const asked *a) {
    enum { PAIRS = 20 };
    static const uint8_t pair[64] = {
        0x6e, 0x34, 0x0b, 0x9c, 0xff, 0xb3, 0x7a, 0x98, 0x9c, 0xa5, 0x44, 0xe6, 0xbb,
        0x78, 0x0a, 0x2c, 0x78, 0x90, 0x1d, 0x3f, 0xb3, 0x37, 0x38, 0x76, 0x85, 0x11,
        0xa3, 0x06, 0x17, 0xaf, 0xa0, 0x1d, 0x96, 0xa2, 0x96, 0xd2, 0x24, 0xf2, 0x85,
        0xc6, 0x7b, 0xee, 0x93, 0xc3, 0x0f, 0x8a, 0x30, 0x91, 0x57, 0xf0, 0xda, 0xa3,
        0x5d, 0xc5, 0xb8, 0x7e, 0x41, 0x0b, 0x78, 0x63, 0x0a, 0x09, 0xcf, 0xc7};
    static const uint8_t node[32] = {0xfa, 0xc5, 0x42, 0x03, 0xe7, 0xcc, 0x69, 0x6c,
                                     0xf0, 0xdf, 0xcb, 0x42, 0xc9, 0x2a, 0x1d, 0x9d,
                                     0xba, 0xf7, 0x0a, 0xd9, 0xe6, 0x21, 0xf4, 0xbd,
                                     0x8d, 0x98, 0x66, 0x2f, 0x00, 0xe3, 0xc1, 0x25};
    uint8_t children[PAIRS][64], parents[PAIRS][32];
    bool right = true;
    for (uint32_t i = 0; i < PAIRS; i++) memcpy(children[i], pair, sizeof pair);
    for (uint32_t carried = 0; carried < 2; carried++) {
        const ps_merkle_params params = {carried, carried ? 0 : PS_NONE, 0};
        memset(parents, 0, sizeof parents);
        const ps_known operands[] = {OBJECT(children), OBJECT(pair), OBJECT(parents)};
        right &= ask(a, operands, &params, PAIRS);
        for (uint32_t i = 0; i < PAIRS; i++) right &= memcmp(parents[i], node, sizeof node) == 0;
    }
    return right;
}

static bool self_test_xxh3(const asked *a) {
    const ps_xxh3_params params = {0};
    uint64_t hash[ROWS] = {0};
    const ps_known operands[] = {OBJECT(text), OBJECT(begin), OBJECT(length), OBJECT(hash)};
    bool right = ask(a, operands, &params, ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        right &= hash[i] == (i == NULL_ROW ? 0 : UINT64_C(0x78af5f94892f3950));
    return right;
}

static bool self_test_crc32c(const asked *a) {
    const uint32_t params = 0;
    uint32_t sum[ROWS] = {0};
    const ps_known operands[] = {OBJECT(text), OBJECT(begin), OBJECT(length), OBJECT(sum)};
    bool right = ask(a, operands, &params, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) right &= sum[i] == (i == NULL_ROW ? 0 : 0x364b3fb7);
    return right;
}

static bool self_test_blake3(const asked *a) {
    static const uint8_t abc[32] = {0x64, 0x37, 0xb3, 0xac, 0x38, 0x46, 0x51, 0x33,
                                    0xff, 0xb6, 0x3b, 0x75, 0x27, 0x3a, 0x8d, 0xb5,
                                    0x48, 0xc5, 0x58, 0x46, 0x5d, 0x79, 0xdb, 0x03,
                                    0xfd, 0x35, 0x9c, 0x6c, 0xd5, 0xbd, 0x9d, 0x85};
    const uint32_t params = 0;
    return self_test_digest(a, &params, abc);
}

static bool self_test_murmur2(const asked *a) {
    const uint32_t params = 0;
    uint32_t hash[ROWS] = {0};
    const ps_known operands[] = {OBJECT(text), OBJECT(begin), OBJECT(length), OBJECT(hash)};
    bool right = ask(a, operands, &params, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) right &= hash[i] == (i == NULL_ROW ? 0 : 0x1c94221b);
    return right;
}

static bool self_test_fnv1a(const asked *a) {
    const uint32_t params = 0;
    uint64_t hash[ROWS] = {0};
    const ps_known operands[] = {OBJECT(text), OBJECT(begin), OBJECT(length), OBJECT(hash)};
    bool right = ask(a, operands, &params, ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        right &= hash[i] == (i == NULL_ROW ? 0 : UINT64_C(0xe71fa2190541574b));
    return right;
}

static bool self_test_segment(const asked *a) {
    const uint32_t index[5] = {1, 0, PS_NONE, 1, 0}, rank[5] = {0, 0, 0, 1, 1},
                   first[3] = {0, 2, 4};
    const uint32_t expected[4] = {1, 4, 0, 3};
    const uint32_t params = 0;
    uint32_t order[4] = {0};
    const ps_known operands[] = {OBJECT(index), OBJECT(rank), OBJECT(first), OBJECT(order)};
    return ask(a, operands, &params, 5) && memcmp(order, expected, sizeof expected) == 0;
}

/* One series, eight values with a null, a NaN and an outlier at the end, which scores the cap of
 * 300. */
static bool self_test_series(const asked *a, const void *params, double spread, uint32_t fourth) {
    const double value[8] = {1.0, 2.0, 4.0, 3.0, 0.0, 2.5, (double)ps_nan(), 100.0};
    const uint8_t validity = 0xef, fresh = 1;
    const uint32_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7}, first[2] = {0, 8}, series = 0;
    double state[3] = {-1.0, -1.0, -1.0}, image[3];
    uint32_t score[8];
    const ps_known operands[] = {OBJECT(value), OBJECT(validity), OBJECT(order),
                                 OBJECT(first), OBJECT(series),   OBJECT(fresh),
                                 OBJECT(state), OBJECT(image),    OBJECT(score)};
    return ask(a, operands, params, 1) && score[0] == 0 && score[4] == 0x7fc00000u &&
           score[6] == 0x7fc00000u && score[3] == fourth && score[7] == 0x43960000u &&
           state[1] == spread && state[2] == 6.0 && memcmp(state, image, sizeof state) == 0;
}

static bool self_test_ewma(const asked *a) {
    const ps_ewma_params params = {.alpha = 0.25, .warmup = 3, .capacity = 1, .type = PS_VALUE_F64};
    return self_test_series(a, &params, 1783.125, 0x3e68682c);
}

static bool self_test_zscore(const asked *a) {
    const ps_zscore_params params = {.warmup = 3, .capacity = 1, .type = PS_VALUE_F64};
    return self_test_series(a, &params, 7926.875, 0x3e371783);
}

/* One series of sixteen values with a null and a NaN: the bits of two scores, and the state's sum.
 */
typedef struct walked {
    uint32_t planes, eighth, last;
    double sum;
} walked;

static bool self_test_walk(const asked *a, const void *params, const walked *expected) {
    const double value[16] = {1.0, 2.0, 4.0, 3.0, 0.0, 2.5, (double)ps_nan(), 3.5, 1.5, 2.0,
                              3.0, 2.5, 4.0, 1.0, 9.0, 9.5};
    const uint8_t validity[2] = {0xef, 0xff}, fresh = 1;
    const uint32_t order[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint32_t first[2] = {0, 16}, series = 0;
    static double state[PS_STATE_PLANES_MAX], image[PS_STATE_PLANES_MAX];
    double sum = 0.0;
    uint32_t score[16];
    memset(state, 0xff, sizeof state);
    const ps_known operands[] = {OBJECT(value), OBJECT(validity), OBJECT(order),
                                 OBJECT(first), OBJECT(series),   OBJECT(fresh),
                                 OBJECT(state), OBJECT(image),    OBJECT(score)};
    if (!ask(a, operands, params, 1)) return false;
    for (uint32_t i = 0; i < expected->planes; i++) sum += state[i];
    return score[4] == 0x7fc00000u && score[6] == 0x7fc00000u && score[8] == expected->eighth &&
           score[15] == expected->last && sum == expected->sum &&
           memcmp(state, image, expected->planes * sizeof *state) == 0;
}

static bool self_test_cusum(const asked *a) {
    const ps_cusum_params params = {
        .alpha = 0.25, .slack = 0.5, .reset = 12.0, .warmup = 3, .capacity = 1};
    const walked expected = {PS_CUSUM_PLANES, 0x3d69b799u, 0x40271472u, 0x1.34041c96a519cp+5};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_hampel(const asked *a) {
    const ps_hampel_params params = {.window = 6, .warmup = 3, .capacity = 1};
    const walked expected = {PS_HAMPEL_PLANES, 0x3f046b83u, 0x3fd4daa4u, 0x1.58p+5};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_mzscore(const asked *a) {
    const ps_mzscore_params params = {.memory = 64.0, .warmup = 3, .capacity = 1};
    const walked expected = {PS_MZSCORE_PLANES, 0x3e8f3a1au, 0x400c8857u, 0x1.cf80d68d68d69p+6};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_iqr(const asked *a) {
    const ps_iqr_params params = {.memory = 64.0, .warmup = 3, .capacity = 1};
    const walked expected = {PS_IQR_PLANES, 0x3ec23530u, 0x400f6a03u, 0x1.fb4423c23c23cp+6};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_holt_winters(const asked *a) {
    const ps_holt_winters_params params = {.level = 0.25,
                                           .trend = 0.125,
                                           .season = 0.25,
                                           .variance = 0.125,
                                           .damping = 0.5,
                                           .parts = 3,
                                           .warmup = 3,
                                           .capacity = 1};
    const walked expected = {PS_HOLT_WINTERS_PLANES + 3, 0x3f788a81u, 0x3face989u,
                             0x1.80aec164b5b5cp+5};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_discord(const asked *a) {
    const ps_discord_params params = {
        .least = 0.25, .flat = 0.5, .length = 4, .warmup = 3, .capacity = 1};
    const walked expected = {PS_DISCORD_PLANES, 0x3e27b6ccu, 0x3de874bfu, 0x1.2174e59ad73d1p+9};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_half_space_trees(const asked *a) {
    const ps_half_space_trees_params params = {.least = 0.25, .warmup = 3, .capacity = 1};
    const walked expected = {PS_HALF_SPACE_TREES_PLANES, 0, 0, 0x1.11f9353810962p+5};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_prototype(const asked *a) {
    const ps_prototype_params params = {.least = 0.25, .warmup = 3, .capacity = 1};
    const walked expected = {PS_PROTOTYPE_PLANES, 0x3f342348u, 0x3fcf72d4u, 0x1.40fa47cdfdb1dp+19};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_spectral_residual(const asked *a) {
    const ps_spectral_residual_params params = {.least = 0.25, .warmup = 3, .capacity = 1};
    const walked expected = {PS_SPECTRAL_RESIDUAL_PLANES, 0, 0, 0x1.8f17408b36f5fp+7};
    return self_test_walk(a, &params, &expected);
}

static bool self_test_vote(const asked *a) {
    const float scores[3][2] = {{4.0f, 1.0f}, {7.0f, 9.0f}, {5.0f, 2.0f}};
    const ps_vote_params params = {.detectors = 3,
                                   .stride = 2,
                                   .vote = 2,
                                   .threshold = 4.5f,
                                   .scale = {1.0f, 1.0f, 2.0f},
                                   .reason = {0, 1, 2},
                                   .channels = 4};
    const uint8_t channel[3][2] = {{9, 9}, {9, 9}, {3, 5}};
    float score[2];
    uint8_t anomaly[2], why[2];
    const ps_known operands[] = {OBJECT(scores), OBJECT(channel), OBJECT(score), OBJECT(anomaly),
                                 OBJECT(why)};
    if (!ask(a, operands, &params, 2) || score[0] != 7.0f || anomaly[0] != 1 || why[0] != 5 ||
        score[1] != 4.0f || anomaly[1] != 0 || why[1] != PS_WHY_NONE)
        return false;
    ps_vote_params weighed =
        params; /* squared: (16 + 3 x 64) / 4 = 52, (1 + 3 x 16) / 4 = 3.5 x 3.5 */
    weighed.vote = PS_VOTE_WEIGHED;
    memcpy(weighed.weight, (const uint8_t[]){1, 0, 3}, 3);
    weighed.bound = 8.0f;
    return ask(a, operands, &weighed, 2) && score[0] == 7.2111025f && anomaly[0] == 1 &&
           why[0] == 5 && score[1] == 3.5f && anomaly[1] == 0 && why[1] == PS_WHY_NONE;
}

/* Twenty values of which the last leaps out of a range of 0 to 4: its float, which is kept, has
 * passed every channel. Two calls, so that the state goes through its planes. */
static bool self_test_slim(const asked *a) {
    const ps_slim_params params = {.envelope = 1.0, .calibrated = 0.25, .level = 2.0};
    static uint64_t state[PS_SLIM_PLANES], image[PS_SLIM_PLANES];
    double value[40];
    int64_t time[40];
    uint32_t order[40], first[2] = {0, 20}, score[40], series = 0;
    uint8_t validity[5] = {0xff, 0xff, 0xff, 0xff, 0xff}, fresh = 1, channel[40];
    for (uint32_t i = 0; i < 40; i++) {
        value[i] = i == 39 ? 9.5 : i * 7 % 5;
        time[i] = (int64_t)i * 600000;
        order[i] = i;
    }
    const ps_known operands[] = {OBJECT(value), OBJECT(validity), OBJECT(order),
                                 OBJECT(first), OBJECT(series),   OBJECT(fresh),
                                 OBJECT(state), OBJECT(image),    OBJECT(score),
                                 OBJECT(time),  OBJECT(validity), OBJECT(channel)};
    if (!ask(a, operands, &params, 1)) return false;
    fresh = 0;
    first[0] = 20;
    first[1] = 40;
    return ask(a, operands, &params, 1) && score[0] == 0 && score[39] == 0x4190b201u &&
           channel[39] == PS_SLIM_ENVELOPE && memcmp(state, image, sizeof state) == 0;
}

/* Alerts at a second, a silenced one, one that is twice as large, and one when it is quiet no more.
 */
static bool self_test_suppress(const asked *a) {
    const ps_suppress_params params = {
        .quiet_ms = 5000.0, .rows_least = 1, .rows_most = 9, .capacity = 1};
    const float score[5] = {4.0f, 7.0f, ps_nan(), 9.0f, 5.0f};
    const uint8_t expected[5] = {1, 0, 0, 1, 1}, validity = 0xff, fresh = 1;
    const uint32_t order[5] = {0, 1, 2, 3, 4}, first[2] = {0, 5}, series = 0;
    const int64_t time[5] = {1000, 2000, 3000, 4000, 9000};
    uint8_t anomaly[5] = {1, 1, 0, 1, 1}, why[5] = {0, 1, 255, 2, 3};
    double state[4] = {-1.0, -1.0, -1.0, -1.0}, image[4];
    const ps_known operands[] = {OBJECT(score), OBJECT(anomaly), OBJECT(why),     OBJECT(order),
                                 OBJECT(first), OBJECT(series),  OBJECT(fresh),   OBJECT(state),
                                 OBJECT(image), OBJECT(time),    OBJECT(validity)};
    return ask(a, operands, &params, 1) && memcmp(anomaly, expected, sizeof expected) == 0 &&
           why[1] == PS_WHY_NONE && why[4] == 3 && state[0] == 5.0 && state[1] == 9000.0 &&
           state[2] == 1.0 && state[3] == 9000.0 && memcmp(state, image, sizeof state) == 0;
}

/* value < 3.0 or null, over a float that is 0, 5 and NaN. */
static bool self_test_where(const asked *a) {
    static const uint32_t program[] = {
        PS_WHERE_LOAD_F32, 0, 0,           0,
        PS_WHERE_CONST,    0, 0x40080000u, PS_WHERE_COMPARE_F64 | PS_WHERE_LESS << 8,
        PS_WHERE_NULL,     0, 0,           PS_WHERE_OR};
    const ps_where_params params = {.words = sizeof program / sizeof *program};
    const float value[3] = {0.0f, 5.0f, ps_nan()};
    const uint8_t reject[3] = {0};
    uint8_t keep[3] = {1, 1, 1};
    const ps_known operands[] = {OBJECT(value), OBJECT(program), OBJECT(reject), OBJECT(keep)};
    return ask(a, operands, &params, 3) && keep[0] == 1 && keep[1] == 0 && keep[2] == 0;
}

/* One series of four rows, of which one is null and one NaN: its mean and its variance. */
static bool self_test_summary(const asked *a) {
    const double value[4] = {1.0, 9.0, (double)ps_nan(), 4.0};
    const uint32_t column[4] = {PS_SUMMARY_MEAN, 0, PS_SUMMARY_VARIANCE, 32};
    const uint8_t validity = 0xd, fresh = 1;
    const uint32_t order[4] = {0, 1, 2, 3}, first[2] = {0, 4}, series = 0;
    const ps_summary_params params = {.capacity = 1, .type = PS_VALUE_F64, .outputs = 2};
    const double expected[PS_SUMMARY_PLANES] = {2.0, 1.0, 5.0, 2.5, 4.5, 1.0, 4.0};
    double block[8] = {0}, state[PS_SUMMARY_PLANES] = {0}, image[PS_SUMMARY_PLANES] = {0};
    const ps_known operands[] = {OBJECT(block), OBJECT(column), OBJECT(value),  OBJECT(validity),
                                 OBJECT(order), OBJECT(first),  OBJECT(series), OBJECT(fresh),
                                 OBJECT(state), OBJECT(image)};
    return ask(a, operands, &params, 1) && memcmp(state, expected, sizeof state) == 0 &&
           memcmp(image, expected, sizeof image) == 0 && block[0] == 1.0 && block[3] == 2.5 &&
           block[4] != block[4] && block[6] != block[6] && block[7] == 4.5;
}

/* Twenty rows, so that a group of sums and a remainder run: 1 to 20 with row 3 null, row 5 NaN and
 * row 7 infinite. */
static bool self_test_moments(const asked *a) {
    static const double expected[PS_MOMENTS_WIDTH] = {17.0,         1.0, 1.0, 192.0,
                                                      192.0 / 17.0, 0.0, 1.0, 20.0};
    const ps_moments_params params = {20, PS_VALUE_F64};
    const uint8_t validity[3] = {0xf7, 0xff, 0x0f};
    double value[20], record[PS_MOMENTS_WIDTH] = {0};
    const ps_known operands[] = {OBJECT(value), OBJECT(validity), OBJECT(record)};
    for (uint32_t i = 0; i < 20; i++) value[i] = (double)(i + 1);
    value[5] = (double)ps_nan();
    value[7] = ps_f64_from_bits(0x7ff0000000000000u);
    const bool ran = ask(a, operands, &params, 1);
    const double squares = record[PS_MOMENTS_SQUARES];
    record[PS_MOMENTS_SQUARES] = 0.0;
    return ran && memcmp(record, expected, sizeof expected) == 0 && squares > 585.52 &&
           squares < 585.54;
}

static bool self_test_moments_fold(const asked *a) {
    static const double record[2][PS_MOMENTS_WIDTH] = {{2.0, 1.0, 0.0, 4.0, 2.0, 2.0, 1.0, 3.0},
                                                       {2.0, 0.0, 3.0, 12.0, 6.0, 2.0, 5.0, 7.0}};
    static const double expected[PS_MOMENTS_WIDTH] = {4.0, 1.0, 3.0, 16.0, 4.0, 20.0, 1.0, 7.0};
    const ps_moments_fold_params params = {2, 0};
    double total[PS_MOMENTS_WIDTH] = {0};
    const ps_known operands[] = {OBJECT(record), OBJECT(total)};
    return ask(a, operands, &params, 1) && memcmp(total, expected, sizeof expected) == 0;
}

/* Five values of which one is null; all other counts are 0. */
static bool self_test_sketch(const asked *a) {
    static uint32_t counts[PS_SKETCH_BUCKETS];
    const ps_sketch_params params = {.rows = 5, .type = PS_VALUE_F64, .lanes = 1};
    const double value[5] = {1.0, -1.0, 1.01, 7.0, 0.0};
    const uint8_t validity = 0x17;
    const ps_known operands[] = {OBJECT(value), OBJECT(validity), OBJECT(counts)};
    memset(counts, 0xff, sizeof counts);
    if (!ask(a, operands, &params, 1)) return false;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < PS_SKETCH_BUCKETS; i++) sum += counts[i];
    return sum == 4 && counts[PS_SKETCH_ZERO + 1 + 64 * 32] == 2 && counts[PS_SKETCH_ZERO] == 1 &&
           counts[PS_SKETCH_ZERO - 1 - 64 * 32] == 1;
}

static bool self_test_sketch_fold(const asked *a) {
    const ps_sketch_fold_params params = {.lanes = 1, .merge = 1};
    const uint32_t counts[3] = {1, 2, UINT32_MAX};
    uint64_t total[3] = {0, 5, 1};
    const ps_known operands[] = {OBJECT(counts), OBJECT(total)};
    return ask(a, operands, &params, 3) && total[0] == 1 && total[1] == 7 &&
           total[2] == UINT64_C(1) << 32;
}

/* "abc" has log2 3 bits a byte. */
static bool self_test_entropy(const asked *a) {
    const ps_entropy_params params = {0};
    uint32_t entropy[ROWS] = {0};
    const ps_known operands[] = {OBJECT(text), OBJECT(begin), OBJECT(length), OBJECT(entropy)};
    bool right = ask(a, operands, &params, ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        right &= entropy[i] == (i == NULL_ROW ? 0x7fc00000u : 0x3fcae00du);
    return right;
}

/* 32 times the same letter: one of it, a match of 26 over itself, and the five literals of an end.
 */
static bool self_test_lz4(const asked *a) {
    static const uint8_t expected[11] = {0x1f, 'a', 1, 0, 7, 0x50, 'a', 'a', 'a', 'a', 'a'};
    static uint32_t table[PS_LZ4_TABLE];
    const ps_lz4_params params = {PS_LZ4_BOUND(32)};
    const uint32_t at = 0, bytes = 32;
    uint8_t chunk[32 + PS_ARENA_PADDING] = {0}, block[PS_LZ4_BOUND(32)] = {0};
    uint32_t written = 0;
    memset(chunk, 'a', bytes);
    const ps_known operands[] = {OBJECT(chunk), OBJECT(at),    OBJECT(bytes),
                                 OBJECT(table), OBJECT(block), OBJECT(written)};
    return ask(a, operands, &params, 1) && written == sizeof expected &&
           memcmp(block, expected, sizeof expected) == 0;
}

#define self_test_drift        ps_self_test_drift
#define self_test_forecast     ps_self_test_forecast
#define self_test_risk         ps_self_test_risk
#define self_test_multivariate ps_self_test_multivariate

#define PS_KERNEL_ROW(name, NAME, buffers, ulp) [PS_KERNEL_##NAME] = self_test_##name,
static self_test *const self_tests[PS_KERNEL_COUNT] = {
#include "kernels/kernels.def"
};
#undef PS_KERNEL_ROW

bool ps_known_answer(ps_kernel_id id, ps_known_run *run, void *context) {
    return self_tests[id](&(asked){id, run, context});
}

static bool run_here(void *context, ps_kernel_id id, const ps_known *operands, const void *params,
                     uint32_t n) {
    void *buf[PS_OPERANDS_MAX] = {NULL};
    (void)context;
    for (uint32_t i = 0; i < ps_kernels[id].buffers; i++) buf[i] = operands[i].data;
    ps_dispatch(id)(buf, params, 0, n);
    return true;
}

ps_status ps_kernels_self_test(ps_error *error) {
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++)
        if (!ps_known_answer((ps_kernel_id)id, run_here, NULL))
            return ps_fail(error, PS_DEVICE,
                           "kernel %s (%s) gives a wrong answer on this processor; set PS_ISA to a "
                           "lower level and report it",
                           ps_kernels[id].name, ps_dispatch_chosen((ps_kernel_id)id));
    return PS_OK;
}
