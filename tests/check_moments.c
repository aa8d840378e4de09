/* SPDX-License-Identifier: Apache-2.0
 * Columns of every length around blocks and lanes, with nulls and every kind of number, against
 * the reference; and the reference against sums in long double. The bench measures plain reading
 * of the same bytes too: that is the limit.
 */
#include "kernels/moments.h"

#include <math.h>
#include <string.h>

#include "simd/unroll.h"
#include "tests/check_kernels.h"

enum { WIDTH = PS_MOMENTS_WIDTH, BLOCK = PS_MOMENTS_ROWS };

void ps_check_moments(ps_check *c);
void ps_check_moments_fold(ps_check *c);

typedef enum sort { PLAIN, NULLS, WILD, ALL_NULL, LARGE_MEAN, FAR_FIRST, KINDS } sort;

typedef struct column {
    uint32_t rows, blocks;
    uint64_t *value;
    uint8_t *validity;
} column;

static double wild(ps_check *c) {
    static const double values[] = {0.0,
                                    -0.0,
                                    1e140,
                                    -1e140,
                                    1.0000001e140,
                                    -1e300,
                                    5e-324,
                                    (double)INFINITY,
                                    (double)-INFINITY,
                                    (double)NAN,
                                    -(double)NAN,
                                    1e-300};
    return values[check_random(c) % (sizeof values / sizeof values[0])];
}

static column column_take(ps_check *c, uint32_t rows, uint32_t type, sort kind) {
    column k = {.rows = rows, .blocks = (rows + BLOCK - 1) / BLOCK};
    k.value = check_take(c, rows * sizeof *k.value);
    k.validity = check_take(c, (rows + 7) / 8);
    memset(k.validity, kind == ALL_NULL ? 0 : 0xff, (rows + 7) / 8);
    for (uint32_t row = 0; row < rows; row++) {
        double x = (double)(int64_t)(check_random(c) >> 11) / 9007199254740992.0 - 0.25;
        if (kind == LARGE_MEAN) x += 1e9;
        if (kind == WILD && check_random(c) % 5 == 0) x = wild(c);
        if (kind == FAR_FIRST && row % BLOCK == 0) x = 1e9;
        memcpy(&k.value[row], &x, sizeof x);
        if (type == PS_VALUE_I64) k.value[row] = check_random(c) >> (check_random(c) % 60);
        if ((kind == NULLS || kind == WILD) && check_random(c) % 4 == 0)
            k.validity[row / 8] &= (uint8_t) ~(1u << row % 8);
    }
    /* One odd value in a block of plain ones, so that the quick way is taken and left. */
    const double odd[] = {(double)NAN, (double)INFINITY, -1e141};
    for (uint32_t i = 0; kind == PLAIN && type == PS_VALUE_F64 && i < 3 && k.blocks > i + 2; i++)
        memcpy(&k.value[i * BLOCK + check_random(c) % BLOCK], &odd[i], sizeof odd[i]);
    return k;
}

static void check_column(ps_check *c, uint32_t rows, uint32_t type, sort kind) {
    const column k = column_take(c, rows, type, kind);
    const ps_moments_params params = {rows, type};
    double *expected = check_take(c, k.blocks * WIDTH * sizeof *expected);
    double *actual = check_take(c, k.blocks * WIDTH * sizeof *actual);
    memset(actual, 0x44, k.blocks * WIDTH * sizeof *actual);
    c->kernel->reference((void *const[]){k.value, k.validity, expected}, &params, 0, k.blocks);
    const uint32_t cut = (uint32_t)(check_random(c) % (k.blocks + 1));
    c->fn((void *const[]){k.value, k.validity, actual}, &params, cut, k.blocks);
    c->fn((void *const[]){k.value, k.validity, actual}, &params, 0, cut);
    check_that(c, !memcmp(expected, actual, k.blocks * WIDTH * sizeof *actual),
               "%u rows, type %u, kind %d differ", rows, type, (int)kind);
    check_release(c);
}

static bool near(long double x, long double exact, long double scale) {
    return fabsl(x - exact) <= 1e-13L * scale;
}

/* What the records of a whole column come to, in another way: two plain passes in long double. */
static void check_sums(ps_check *c, uint32_t rows, sort kind) {
    const column k = column_take(c, rows, PS_VALUE_F64, kind);
    const ps_moments_params params = {rows, PS_VALUE_F64};
    const ps_moments_fold_params fold = {k.blocks, 0};
    double *record = check_take(c, k.blocks * WIDTH * sizeof *record), total[WIDTH];
    c->fn((void *const[]){k.value, k.validity, record}, &params, 0, k.blocks);
    ps_kernels[PS_KERNEL_MOMENTS_FOLD].reference((void *const[]){record, total}, &fold, 0, 1);
    long double count = 0, nan = 0, beyond = 0, sum = 0, size = 0, squares = 0;
    double least = (double)INFINITY, greatest = (double)-INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t row = 0; row < rows; row++) {
            double x;
            memcpy(&x, &k.value[row], sizeof x);
            if ((k.validity[row / 8] >> row % 8 & 1) == 0) continue;
            const bool takes = fabs(x) <= PS_MOMENTS_LIMIT;
            if (pass == 1 && takes) squares += (x - sum / count) * (x - sum / count);
            if (pass == 1) continue;
            nan += isnan(x), beyond += !isnan(x) && !takes;
            if (!takes) continue;
            count++, sum += x, size += fabs(x);
            least = fmin(least, x), greatest = fmax(greatest, x);
        }
    const long double mean = count > 0 ? sum / count : 0;
    check_that(c,
               total[PS_MOMENTS_COUNT] == count && total[PS_MOMENTS_NAN] == nan &&
                   total[PS_MOMENTS_BEYOND] == beyond,
               "%u rows of kind %d: counts", rows, (int)kind);
    check_that(c,
               near(total[PS_MOMENTS_SUM], sum, size) &&
                   near(total[PS_MOMENTS_MEAN], mean, count > 0 ? size / count : 0),
               "%u rows of kind %d: sum or mean", rows, (int)kind);
    /* Means near 1e9 are rounded to 1e-7, and blocks are compared by their means. */
    const long double scale = kind == LARGE_MEAN ? 1e6L * squares : squares;
    check_that(c, near(total[PS_MOMENTS_SQUARES], squares, scale),
               "%u rows of kind %d: squares %.17g, not %.17Lg", rows, (int)kind,
               total[PS_MOMENTS_SQUARES], squares);
    check_that(c, total[PS_MOMENTS_LEAST] == least && total[PS_MOMENTS_GREATEST] == greatest,
               "%u rows of kind %d: extremes", rows, (int)kind);
    check_release(c);
}

#if defined(__x86_64__)
__attribute__((target("avx2")))
#endif
static void
read_only(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    typedef uint64_t line __attribute__((vector_size(32), aligned(8)));
    const line *at = buf[0];
    const size_t lines = (size_t)(end - begin) * BLOCK / 4;
    line sum[8] = {{0}};
    (void)params;
    for (size_t i = 0; i < lines; i += 8)
        PS_UNROLL for (int k = 0; k < 8; k++) sum[k] ^= at[i + (size_t)k];
    PS_UNROLL for (int k = 1; k < 8; k++) sum[0] ^= sum[k];
    __asm__ volatile("" : : "r"(&sum) : "memory");
}

static void bench(ps_check *c, uint32_t rows, const char *what, sort kind) {
    const column k = column_take(c, rows, PS_VALUE_F64, kind);
    const ps_moments_params params = {rows, PS_VALUE_F64};
    double *record = check_take(c, k.blocks * WIDTH * sizeof *record);
    void *const buf[] = {k.value, k.validity, record};
    check_bench_other(c, "reading alone", what, read_only, buf, &params, k.blocks,
                      (uint64_t)rows * 8);
    check_bench(c, what, buf, &params, k.blocks, (uint64_t)rows * 8);
    check_release(c);
}

void ps_check_moments(ps_check *c) {
    static const uint32_t counts[] = {0,    1,    2,    7,    8,    9,    15,   16,    17,
                                      31,   33,   1000, 2040, 2047, 2048, 2049, 2055,  2063,
                                      2064, 4095, 4096, 4097, 6143, 6144, 9999, 20480, 30000};
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int kind = PLAIN; kind < KINDS; kind++) {
            check_column(c, counts[i], PS_VALUE_F64, (sort)kind);
            check_column(c, counts[i], PS_VALUE_I64, (sort)kind);
            check_sums(c, counts[i], (sort)kind);
        }
    if (!c->bench || c->failed) return;
    bench(c, 64 * 1024, "512 KiB", LARGE_MEAN);
    bench(c, 16 * 1024 * 1024, "128 MiB", LARGE_MEAN);
    bench(c, 16 * 1024 * 1024, "128 MiB, nulls", NULLS);
}

/* Folded at once, in two calls with a total that is kept, and by another implementation: the same
 * bits. */
void ps_check_moments_fold(ps_check *c) {
    for (uint32_t records = 0; records < 40; records++) {
        double *record = check_take(c, records * WIDTH * sizeof *record);
        double *once = check_take(c, WIDTH * sizeof *once);
        double *twice = check_take(c, WIDTH * sizeof *twice);
        double *reference = check_take(c, WIDTH * sizeof *reference);
        const uint32_t cut = (uint32_t)(check_random(c) % (records + 1));
        for (uint32_t i = 0; i < records; i++) {
            double *const m = record + (size_t)i * WIDTH;
            ps_moments_clear(m);
            m[PS_MOMENTS_NAN] = (double)(check_random(c) % 3);
            m[PS_MOMENTS_COUNT] = (double)(check_random(c) % 2 * (check_random(c) % 2048));
            if (m[PS_MOMENTS_COUNT] == 0.0) continue;
            m[PS_MOMENTS_MEAN] = (double)(check_random(c) % 1000) / 7.0;
            m[PS_MOMENTS_SUM] = m[PS_MOMENTS_MEAN] * m[PS_MOMENTS_COUNT];
            m[PS_MOMENTS_SQUARES] = (double)(check_random(c) % 1000) / 3.0;
            m[PS_MOMENTS_LEAST] = m[PS_MOMENTS_MEAN] - 1.0;
            m[PS_MOMENTS_GREATEST] = m[PS_MOMENTS_MEAN] + 1.0;
        }
        const ps_moments_fold_params all = {records, 0}, some = {cut, 0}, rest = {records - cut, 1};
        c->kernel->reference((void *const[]){record, reference}, &all, 0, 1);
        c->fn((void *const[]){record, once}, &all, 0, 1);
        c->fn((void *const[]){record, twice}, &some, 0, 1);
        c->fn((void *const[]){record + (size_t)cut * WIDTH, twice}, &rest, 0, 1);
        check_that(c, !memcmp(once, reference, WIDTH * sizeof *once), "%u records differ", records);
        check_that(c, !memcmp(once, twice, WIDTH * sizeof *once), "%u records, cut at %u, differ",
                   records, cut);
        check_release(c);
    }
}
