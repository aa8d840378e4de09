/* SPDX-License-Identifier: Apache-2.0
 * Programs written by hand, with the rows that they keep; what the compiler makes of expressions is
 * tested in tests/test_where.c.
 */
#include <string.h>

#include "kernels/where.h"

#include "tests/check_kernels.h"

void ps_check_where(ps_check *c);

enum { ROWS = 8, F64 = 0, I64 = 64, TEXT = 128, LENGTHS = 160, VALIDITY = 192, F32 = 224 };
enum { FLAG = 256, ARENA = 320, BLOCK = 400, PROGRAM_MAX = 64 };

#define LESS    (PS_WHERE_LESS << 8)
#define EQUAL   (PS_WHERE_EQUAL << 8)
#define GREATER (PS_WHERE_GREATER << 8)
#define UNEQUAL (LESS | GREATER)
#define ONE     0x3ff00000u /* the upper half of 1.0 */
#define EU      0x7565u     /* the bytes of a text */

typedef struct golden {
    const char *what;
    uint32_t words;
    uint8_t kept;                  /* bit i: row i */
    uint32_t program[PROGRAM_MAX]; /* tables and literals behind the words */
} golden;

/* Row:  0   1   2    3    4      5      6    7
 * f64:  0   1   NaN  -2.5 null   1e300  3    7
 * i64:  5   -7  0    max  null   min    9    1    (validity shared)
 * text: eu  us  ""   null europe e      eu   zz
 * f32:  0   3.5 NaN  1    9      300    3    4
 * flag: 0   1   0    1    0      1      0    9 */
static const golden goldens[] = {
    {"1.0 = 1.0",
     7,
     0xff,
     {PS_WHERE_CONST, 0, ONE, PS_WHERE_CONST, 0, ONE, PS_WHERE_COMPARE_F64 | EQUAL}},
    {"null", 3, 0x00, {PS_WHERE_NULL, 0, 0}},
    {"f64 > -2.5",
     8,
     0xe3,
     {PS_WHERE_LOAD_F64, F64, VALIDITY, 0, PS_WHERE_CONST, 0, 0xc0040000u,
      PS_WHERE_COMPARE_F64 | GREATER}},
    {"f64 is null", 5, 0x14, {PS_WHERE_LOAD_F64, F64, VALIDITY, 0, PS_WHERE_IS_NULL}},
    {"i64 < 1",
     8,
     0x26,
     {PS_WHERE_LOAD_I64, I64, VALIDITY, 0, PS_WHERE_CONST, 1, 0, PS_WHERE_COMPARE_I64 | LESS}},
    {"i64 + 1 is null",
     9,
     0x18,
     {PS_WHERE_LOAD_I64, I64, VALIDITY, 0, PS_WHERE_CONST, 1, 0, PS_WHERE_ADD_I64,
      PS_WHERE_IS_NULL}},
    {"-i64 is null",
     6,
     0x30,
     {PS_WHERE_LOAD_I64, I64, VALIDITY, 0, PS_WHERE_NEG_I64, PS_WHERE_IS_NULL}},
    {"10 / i64 = -1",
     12,
     0x02,
     {PS_WHERE_CONST, 10, 0, PS_WHERE_LOAD_I64, I64, VALIDITY, 0, PS_WHERE_DIV_I64, PS_WHERE_CONST,
      ~0u, ~0u, PS_WHERE_COMPARE_I64 | EQUAL}},
    {"text = 'eu'",
     8,
     0x41,
     {PS_WHERE_LOAD_TEXT, TEXT, LENGTHS, ARENA, PS_WHERE_CONST, PS_WHERE_LITERAL | 32, 2,
      PS_WHERE_COMPARE_TEXT | EQUAL, EU}},
    {"text > 'eu'",
     8,
     0x92,
     {PS_WHERE_LOAD_TEXT, TEXT, LENGTHS, ARENA, PS_WHERE_CONST, PS_WHERE_LITERAL | 32, 2,
      PS_WHERE_COMPARE_TEXT | GREATER, EU}},
    {"text <> 'eu'",
     8,
     0xb6,
     {PS_WHERE_LOAD_TEXT, TEXT, LENGTHS, ARENA, PS_WHERE_CONST, PS_WHERE_LITERAL | 32, 2,
      PS_WHERE_COMPARE_TEXT | UNEQUAL, EU}},
    {"not (f32 > 3.5)",
     9,
     0x4b,
     {PS_WHERE_LOAD_F32, F32, 0, 0, PS_WHERE_CONST, 0, 0x400c0000u, PS_WHERE_COMPARE_F64 | GREATER,
      PS_WHERE_NOT}},
    {"f64 is null or i64 = 9",
     15,
     0x54,
     {PS_WHERE_LOAD_F64, F64, VALIDITY, 0, PS_WHERE_IS_NULL, PS_WHERE_SKIP_TRUE | 15 << 8,
      PS_WHERE_LOAD_I64, I64, VALIDITY, 0, PS_WHERE_CONST, 9, 0, PS_WHERE_COMPARE_I64 | EQUAL,
      PS_WHERE_OR}},
    {"flag and i64 <> 5",
     14,
     0xaa,
     {PS_WHERE_LOAD_U8, FLAG, 0, 0, PS_WHERE_SKIP_FALSE | 14 << 8, PS_WHERE_LOAD_I64, I64, VALIDITY,
      0, PS_WHERE_CONST, 5, 0, PS_WHERE_COMPARE_I64 | UNEQUAL, PS_WHERE_AND}},
    {"i64 in (5, null, 9)",
     20,
     0x41,
     {PS_WHERE_LOAD_I64,
      I64,
      VALIDITY,
      0,
      PS_WHERE_CONST,
      0,
      0,
      PS_WHERE_CONST,
      5,
      0,
      PS_WHERE_IN_I64,
      PS_WHERE_NULL,
      0,
      0,
      PS_WHERE_IN_I64,
      PS_WHERE_CONST,
      9,
      0,
      PS_WHERE_IN_I64,
      PS_WHERE_IN_END}},
    {"f64 > -2.5, tested",
     7,
     0xe3,
     {PS_WHERE_LOAD_F64, F64, VALIDITY, 0, PS_WHERE_TEST_F64 | GREATER, 0, 0xc0040000u}},
    {"i64 < 1, tested",
     7,
     0x26,
     {PS_WHERE_LOAD_I64, I64, VALIDITY, 0, PS_WHERE_TEST_I64 | LESS, 1, 0}},
    {"text = 'eu', tested",
     7,
     0x41,
     {PS_WHERE_LOAD_TEXT, TEXT, LENGTHS, ARENA, PS_WHERE_TEST_TEXT | EQUAL, PS_WHERE_LITERAL | 28,
      2, EU}},
    {"label(flag) = 'eu'",
     8,
     0x2a,
     {PS_WHERE_LOAD_LABEL, FLAG, 2, 8, PS_WHERE_CONST, PS_WHERE_LITERAL | 48, 2,
      PS_WHERE_COMPARE_TEXT | EQUAL, PS_WHERE_LITERAL | 50, 1, PS_WHERE_LITERAL | 48, 2, EU}},
};

static void fill_block(uint8_t *block) {
    static const double f64[ROWS] = {0.0, 1.0, 0.0, -2.5, 0.0, 1e300, 3.0, 7.0};
    static const int64_t i64[ROWS] = {5, -7, 0, INT64_MAX, 0, INT64_MIN, 9, 1};
    static const float f32[ROWS] = {0.0f, 3.5f, 0.0f, 1.0f, 9.0f, 300.0f, 3.0f, 4.0f};
    static const char arena[] = "euuseuropezz";
    static const uint32_t begin[ROWS] = {0, 2, 0, 0, 4, 0, 4, 10};
    static const uint32_t length[ROWS] = {2, 2, 0, PS_NULL, 6, 1, 2, 2};
    static const uint8_t flag[ROWS] = {0, 1, 0, 1, 0, 1, 0, 9};
    memcpy(block + F64, f64, sizeof f64);
    memcpy(block + I64, i64, sizeof i64);
    memcpy(block + F32, f32, sizeof f32);
    memcpy(block + TEXT, begin, sizeof begin);
    memcpy(block + LENGTHS, length, sizeof length);
    memcpy(block + FLAG, flag, sizeof flag);
    memcpy(block + ARENA, arena, sizeof arena - 1);
    const double nan64 = ps_f64_from_bits(UINT64_C(0x7ff8000000000000));
    const float nan32 = ps_nan();
    memcpy(block + F64 + 2 * sizeof nan64, &nan64, sizeof nan64);
    memcpy(block + F32 + 2 * sizeof nan32, &nan32, sizeof nan32);
    block[VALIDITY] = 0xef;
}

static void check_golden(ps_check *c, const golden *g, const uint8_t *block) {
    static const uint8_t bad[ROWS] = {0, 0, 3, 0, 0, 1, 0, 9};
    const ps_where_params params = {.words = g->words};
    uint32_t *program = check_take(c, sizeof g->program);
    uint8_t *keep = check_take(c, ROWS), *reject = check_take(c, ROWS);
    memset(reject, 0, ROWS);
    memcpy(program, g->program, sizeof g->program);
    memset(keep, 1, ROWS);
    void *buf[4] = {(void *)(uintptr_t)block, program, reject, keep};
    c->fn(buf, &params, 0, ROWS);
    for (uint32_t row = 0; row < ROWS; row++)
        check_that(c, keep[row] == ((g->kept >> row) & 1), "%s: row %u gives %u", g->what, row,
                   keep[row]);
    /* What another filter dropped stays dropped; rejects and rows outside the range are left. */
    memset(keep, 2, ROWS);
    keep[3] = 0;
    memcpy(reject, bad, ROWS);
    c->fn(buf, &params, 1, ROWS - 1);
    for (uint32_t row = 0; row < ROWS; row++) {
        const bool left = row == 0 || row == ROWS - 1 || bad[row] != 0;
        const uint8_t right = (uint8_t)(left ? 2 : row == 3 ? 0 : (g->kept >> row) & 1);
        check_that(c, keep[row] == right, "%s: row %u with rejects gives %u", g->what, row,
                   keep[row]);
    }
}

/* Two literals compared: what the machine itself costs. */
static void bench(ps_check *c, const golden *g, const char *what, const uint8_t *block) {
    enum { N = 8 };
    uint8_t *reject = check_take(c, N), *keep = check_take(c, N);
    uint32_t *program = check_take(c, sizeof g->program);
    const ps_where_params params = {.words = g->words};
    memcpy(program, g->program, sizeof g->program);
    memset(reject, 0, N);
    memset(keep, 1, N);
    check_bench(c, what, (void *const[]){(void *)(uintptr_t)block, program, reject, keep}, &params,
                N, 0);
}

void ps_check_where(ps_check *c) {
    uint8_t *block = check_take(c, BLOCK);
    memset(block, 0, BLOCK);
    fill_block(block);
    for (uint32_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        check_golden(c, &goldens[i], block);
    if (c->bench) bench(c, &goldens[0], goldens[0].what, block);
    check_release(c);
}
