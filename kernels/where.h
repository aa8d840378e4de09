/* SPDX-License-Identifier: Apache-2.0
 * Parameters and instruction set of kernel where: a filter's expression as a program for a small
 * stack machine, which host/stages compiles and every device runs.
 *
 * A program is u32 words, then the bytes of its literal texts. An instruction is one word, the
 * operation in its low 8 bits and an argument above them; loads and literals have words behind it.
 * Types are settled when it is compiled, so the machine checks none: integers (also truth values
 * and times) are int64, floats double, a text is where it begins (32 bits, below) and its length.
 */
#ifndef PS_KERNELS_WHERE_H
#define PS_KERNELS_WHERE_H

#include "kernels/dialect.h"

#define PS_WHERE_STACK_MAX 32u /* values on the stack; a compiler refuses what needs more */

/* In a text's begin: an offset in the program, in bytes. Else in the block, which is below 2 GiB.
 */
#define PS_WHERE_LITERAL 0x80000000u

/* Loads push a value: the operation, then three words. `values`, `lengths`, `validity` and `arena`
 * are byte offsets in the block; words without a name are 0. */
#define PS_WHERE_LOAD_F64   0x10u /* values, validity (0: has none); NaN is null */
#define PS_WHERE_LOAD_I64   0x11u /* values, validity */
#define PS_WHERE_LOAD_FULL  0x12u /* values: an I64 that is never null */
#define PS_WHERE_LOAD_STAMP 0x13u /* values: an I64 whose null is -1 */
#define PS_WHERE_LOAD_TIME  0x14u /* values, validity: nanoseconds, pushed as milliseconds */
#define PS_WHERE_LOAD_F32   0x15u /* values; NaN is null */
#define PS_WHERE_LOAD_BOOL  0x16u /* values, validity */
#define PS_WHERE_LOAD_U8    0x17u /* values */
#define PS_WHERE_LOAD_TEXT  0x18u /* values, lengths, arena */
#define PS_WHERE_LOAD_LABEL \
    0x19u /* values (U8), count, table: word index of (begin, length) of each; others null */

/* Literals push what the two words behind them say: low, high. */
#define PS_WHERE_CONST 0x20u
#define PS_WHERE_NULL  0x21u

/* Arithmetic pops two and pushes one; null where an operand is, where an integer overflows, where
 * the divisor is 0 and where a float would be NaN. NEG and FLOAT (integer to double) pop one. */
#define PS_WHERE_ADD_I64 0x30u
#define PS_WHERE_SUB_I64 0x31u
#define PS_WHERE_MUL_I64 0x32u
#define PS_WHERE_DIV_I64 0x33u /* toward zero */
#define PS_WHERE_NEG_I64 0x34u
#define PS_WHERE_ADD_F64 0x35u
#define PS_WHERE_SUB_F64 0x36u
#define PS_WHERE_MUL_F64 0x37u
#define PS_WHERE_DIV_F64 0x38u
#define PS_WHERE_NEG_F64 0x39u
#define PS_WHERE_TO_F64  0x3Au

/* Comparisons pop two and push a truth value; the argument says for which orderings it is true.
 * IN pops an item, compares it with the value two below and ors the answer into the one below. */
#define PS_WHERE_COMPARE_I64  0x40u
#define PS_WHERE_COMPARE_F64  0x41u
#define PS_WHERE_COMPARE_TEXT 0x42u /* by bytes, unsigned; a prefix comes first */
#define PS_WHERE_IN_I64       0x44u
#define PS_WHERE_IN_F64       0x45u
#define PS_WHERE_IN_TEXT      0x46u
/* A comparison whose right side is a literal, which lies in two words behind it: most are. */
#define PS_WHERE_TEST_I64  0x48u
#define PS_WHERE_TEST_F64  0x49u
#define PS_WHERE_TEST_TEXT 0x4Au
#define PS_WHERE_LESS      1u
#define PS_WHERE_EQUAL     2u
#define PS_WHERE_GREATER   4u

/* SQL's logic of true, false and null. The skips look at the top of the stack and leave it; their
 * argument is the word to go on at. */
#define PS_WHERE_AND        0x50u
#define PS_WHERE_OR         0x51u
#define PS_WHERE_NOT        0x52u
#define PS_WHERE_IS_NULL    0x53u /* argument 1: is not null */
#define PS_WHERE_SKIP_FALSE 0x54u
#define PS_WHERE_SKIP_TRUE  0x55u
#define PS_WHERE_IN_END     0x56u /* drops the value below the top */

typedef struct ps_where_params {
    ps_u32 words;    /* of the program, without tables and literals behind it */
    ps_u32 reserved; /* 0 */
} ps_where_params;

#endif
