/* SPDX-License-Identifier: Apache-2.0
 * Keeps the rows for which a filter's expression is true, neither false nor null.
 * Shapes: block (a whole batch), program[params.words] and the literals behind it
 * (kernels/where.h), reject[rows], keep[rows]: left alone where 0 already, so several filters are
 * joined by `and`, and where the row is a reject, whose columns hold nothing.
 * State: none.
 * Agrees: to the bit. Floats are only added, subtracted, multiplied, divided and compared.
 * Fails: never. The compiler vouches for the program: types, stack depth, offsets.
 */
#include "kernels/where.h"

typedef struct ps_where_machine {
    ps_u64 value[PS_WHERE_STACK_MAX];
    ps_u32 nulls; /* bit i: value[i] is null, and 0 */
    ps_u32 top;   /* values on the stack */
} ps_where_machine;

PS_FN void ps_where_push(ps_where_machine *m, ps_u64 value, ps_u32 null) {
    const ps_u32 bit = 1u << m->top;
    m->value[m->top] = null ? 0 : value;
    m->nulls = null ? m->nulls | bit : m->nulls & ~bit;
    m->top++;
}

PS_FN ps_u32 ps_where_null(const ps_where_machine *m, ps_u32 below) {
    return (m->nulls >> (m->top - 1u - below)) & 1u;
}

PS_FN void ps_where_push_text(ps_where_machine *m, ps_u32 begin, ps_u32 length) {
    ps_where_push(m, (ps_u64)length << 32 | begin, length == PS_NULL);
}

PS_FN ps_u32 ps_where_load32(PS_GLOBAL const ps_u8 *column, ps_u32 row) {
    return ps_read32(column + (ps_u64)row * 4u);
}

PS_FN void ps_where_push_f64(ps_where_machine *m, double value, ps_u32 null) {
    ps_where_push(m, ps_f64_to_bits(value), null || value != value);
}

/* Rounds down, also before 1970. */
PS_FN ps_u64 ps_where_ms(ps_u64 ns) {
    const ps_i64 t = (ps_i64)ns;
    const ps_i64 ms = t / 1000000;
    return (ps_u64)(ms - (ps_i64)(t % 1000000 < 0));
}

PS_FN void ps_where_load(ps_where_machine *m, ps_u32 row, PS_GLOBAL const ps_u8 *block,
                         PS_GLOBAL const ps_u32 *program, ps_u32 at) {
    PS_GLOBAL const ps_u8 *const values = block + program[at + 1];
    const ps_u32 second = program[at + 2];
    switch (program[at] & 255u) {
    case PS_WHERE_LOAD_F64:
        ps_where_push_f64(m, ps_f64_from_bits(ps_load64(values, row)),
                          second != 0 && !ps_bit(block + second, row));
        break;
    case PS_WHERE_LOAD_I64:
        ps_where_push(m, ps_load64(values, row), !ps_bit(block + second, row));
        break;
    case PS_WHERE_LOAD_FULL:
        ps_where_push(m, ps_load64(values, row), 0);
        break;
    case PS_WHERE_LOAD_STAMP:
        ps_where_push(m, ps_load64(values, row), ~ps_load64(values, row) == 0);
        break;
    case PS_WHERE_LOAD_TIME:
        ps_where_push(m, ps_where_ms(ps_load64(values, row)), !ps_bit(block + second, row));
        break;
    case PS_WHERE_LOAD_F32:
        ps_where_push_f64(m, (double)ps_f32_from_bits(ps_where_load32(values, row)), 0);
        break;
    case PS_WHERE_LOAD_BOOL:
        ps_where_push(m, values[row], !ps_bit(block + second, row));
        break;
    case PS_WHERE_LOAD_U8:
        ps_where_push(m, values[row], 0);
        break;
    case PS_WHERE_LOAD_TEXT:
        ps_where_push_text(m, program[at + 3] + ps_where_load32(values, row),
                           ps_where_load32(block + second, row));
        break;
    default: { /* PS_WHERE_LOAD_LABEL */
        const ps_u32 entry = program[at + 3] + 2u * values[row];
        if (values[row] >= second)
            ps_where_push(m, 0, 1);
        else
            ps_where_push_text(m, program[entry], program[entry + 1]);
    }
    }
}

/* The integer of that sign and magnitude; null where it does not fit. */
PS_FN ps_u64 ps_where_signed(ps_u32 negative, ps_u64 magnitude, ps_u32 *null) {
    const ps_u64 limit = ((ps_u64)1 << 63) - 1u + negative;
    if (magnitude > limit) *null = 1;
    return negative ? 0u - magnitude : magnitude;
}

PS_FN ps_u64 ps_where_arithmetic_i64(ps_u32 operation, ps_u64 a, ps_u64 b, ps_u32 *null) {
    const ps_u32 negative = (ps_u32)((a ^ b) >> 63);
    const ps_u64 a_magnitude = a >> 63 ? 0u - a : a;
    const ps_u64 b_magnitude = b >> 63 ? 0u - b : b;
    switch (operation) {
    case PS_WHERE_ADD_I64:
        *null |= (ps_u32)(((a ^ (a + b)) & (b ^ (a + b))) >> 63);
        return a + b;
    case PS_WHERE_SUB_I64:
        *null |= (ps_u32)(((a ^ b) & (a ^ (a - b))) >> 63);
        return a - b;
    case PS_WHERE_MUL_I64:
        if (ps_mul_high(a_magnitude, b_magnitude) != 0) *null = 1;
        return ps_where_signed(negative, a_magnitude * b_magnitude, null);
    default: /* PS_WHERE_DIV_I64 */
        if (b == 0) {
            *null = 1;
            return 0;
        }
        return ps_where_signed(negative, a_magnitude / b_magnitude, null);
    }
}

PS_FN double ps_where_arithmetic_f64(ps_u32 operation, double a, double b, ps_u32 *null) {
    switch (operation) {
    case PS_WHERE_ADD_F64:
        return a + b;
    case PS_WHERE_SUB_F64:
        return a - b;
    case PS_WHERE_MUL_F64:
        return a * b;
    default: /* PS_WHERE_DIV_F64 */
        if (b != 0.0) return a / b;
        *null = 1;
        return 0.0;
    }
}

PS_FN void ps_where_arithmetic(ps_where_machine *m, ps_u32 operation) {
    ps_u32 null = ps_where_null(m, 0);
    const ps_u64 b = m->value[--m->top];
    if (operation == PS_WHERE_NEG_I64) {
        /* The smallest integer has no negative. */
        ps_where_push(m, 0u - b, null || b == (ps_u64)1 << 63);
        return;
    }
    if (operation == PS_WHERE_NEG_F64 || operation == PS_WHERE_TO_F64) {
        const double value =
            operation == PS_WHERE_NEG_F64 ? -ps_f64_from_bits(b) : (double)(ps_i64)b;
        ps_where_push_f64(m, value, null);
        return;
    }
    null |= ps_where_null(m, 0);
    const ps_u64 a = m->value[--m->top];
    if (operation < PS_WHERE_ADD_F64) {
        const ps_u64 result = ps_where_arithmetic_i64(operation, a, b, &null);
        ps_where_push(m, result, null);
        return;
    }
    const double result =
        ps_where_arithmetic_f64(operation, ps_f64_from_bits(a), ps_f64_from_bits(b), &null);
    ps_where_push_f64(m, result, null);
}

PS_FN PS_GLOBAL const ps_u8 *ps_where_text(ps_u64 text, PS_GLOBAL const ps_u8 *block,
                                           PS_GLOBAL const ps_u32 *program) {
    const ps_u32 begin = (ps_u32)text;
    if ((begin & PS_WHERE_LITERAL) == 0) return block + begin;
    return (PS_GLOBAL const ps_u8 *)program + (begin & ~PS_WHERE_LITERAL);
}

PS_FN ps_u32 ps_where_order_text(ps_u64 a, ps_u64 b, ps_u32 wanted, PS_GLOBAL const ps_u8 *block,
                                 PS_GLOBAL const ps_u32 *program) {
    const ps_u32 a_length = (ps_u32)(a >> 32), b_length = (ps_u32)(b >> 32);
    const ps_u32 equality =
        wanted == PS_WHERE_EQUAL || wanted == (PS_WHERE_LESS | PS_WHERE_GREATER);
    if (equality && a_length != b_length) return PS_WHERE_LESS; /* any answer but equal will do */
    PS_GLOBAL const ps_u8 *const x = ps_where_text(a, block, program);
    PS_GLOBAL const ps_u8 *const y = ps_where_text(b, block, program);
    const ps_u32 shared = a_length < b_length ? a_length : b_length;
    for (ps_u32 i = 0; i < shared; i++)
        if (x[i] != y[i]) return x[i] < y[i] ? PS_WHERE_LESS : PS_WHERE_GREATER;
    if (a_length == b_length) return PS_WHERE_EQUAL;
    return a_length < b_length ? PS_WHERE_LESS : PS_WHERE_GREATER;
}

PS_FN ps_u32 ps_where_order(ps_u32 type, ps_u64 a, ps_u64 b, ps_u32 wanted,
                            PS_GLOBAL const ps_u8 *block, PS_GLOBAL const ps_u32 *program) {
    if (type == (PS_WHERE_COMPARE_TEXT & 3u))
        return ps_where_order_text(a, b, wanted, block, program);
    if (type == (PS_WHERE_COMPARE_F64 & 3u)) {
        const double x = ps_f64_from_bits(a), y = ps_f64_from_bits(b);
        return x < y ? PS_WHERE_LESS : x == y ? PS_WHERE_EQUAL : PS_WHERE_GREATER;
    }
    const ps_i64 x = (ps_i64)a, y = (ps_i64)b;
    return x < y ? PS_WHERE_LESS : x == y ? PS_WHERE_EQUAL : PS_WHERE_GREATER;
}

/* true or anything is true, false or false is false, all else null. */
PS_FN void ps_where_or(ps_where_machine *m, ps_u64 value, ps_u32 null) {
    const ps_u32 other_null = ps_where_null(m, 0);
    const ps_u64 other = m->value[--m->top];
    const ps_u64 either = value | other; /* a null's value is 0 */
    ps_where_push(m, either, (null || other_null) && either == 0);
}

PS_FN void ps_where_compare(ps_where_machine *m, ps_u32 word, PS_GLOBAL const ps_u8 *block,
                            PS_GLOBAL const ps_u32 *program) {
    const ps_u32 in = (word & 255u) >= PS_WHERE_IN_I64;
    const ps_u32 wanted = in ? PS_WHERE_EQUAL : word >> 8;
    const ps_u32 null = ps_where_null(m, 0) | ps_where_null(m, 1u + in);
    const ps_u64 b = m->value[m->top - 1u], a = m->value[m->top - 2u - in];
    const ps_u64 answer =
        null ? 0 : (ps_where_order(word & 3u, a, b, wanted, block, program) & wanted) != 0;
    m->top--;
    if (in) {
        ps_where_or(m, answer, null);
    } else {
        m->top--;
        ps_where_push(m, answer, null);
    }
}

PS_FN void ps_where_test(ps_where_machine *m, PS_GLOBAL const ps_u8 *block,
                         PS_GLOBAL const ps_u32 *program, ps_u32 at) {
    const ps_u32 word = program[at], below = m->top - 1u;
    const ps_u64 literal = (ps_u64)program[at + 2] << 32 | program[at + 1];
    const ps_u32 order =
        ps_where_order(word & 3u, m->value[below], literal, word >> 8, block, program);
    const ps_u32 null = (m->nulls >> below) & 1u;
    m->value[below] = (order & (word >> 8)) != 0 && !null;
}

/* Returns the word to go on at. */
PS_FN ps_u32 ps_where_logic(ps_where_machine *m, ps_u32 word, ps_u32 next) {
    const ps_u32 null = ps_where_null(m, 0);
    const ps_u64 value = m->value[m->top - 1u];
    switch (word & 255u) {
    case PS_WHERE_SKIP_FALSE:
        return !null && value == 0 ? word >> 8 : next;
    case PS_WHERE_SKIP_TRUE:
        return value != 0 ? word >> 8 : next;
    default:
        break;
    }
    m->top--;
    switch (word & 255u) {
    case PS_WHERE_AND: { /* not (not a or not b) */
        const ps_u32 other_null = ps_where_null(m, 0);
        const ps_u64 other = m->value[--m->top];
        const ps_u32 no = (ps_u32)(!null && value == 0) | (ps_u32)(!other_null && other == 0);
        ps_where_push(m, value & other, !no && (null || other_null));
        break;
    }
    case PS_WHERE_OR:
        ps_where_or(m, value, null);
        break;
    case PS_WHERE_NOT:
        ps_where_push(m, value ^ 1u, null);
        break;
    case PS_WHERE_IS_NULL:
        ps_where_push(m, null ^ (word >> 8), 0);
        break;
    default: /* PS_WHERE_IN_END */
        m->top--;
        ps_where_push(m, value, null);
    }
    return next;
}

PS_FN void ps_where_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT block,
                       PS_GLOBAL const ps_u32 *PS_RESTRICT program,
                       PS_GLOBAL const ps_u8 *PS_RESTRICT reject, PS_GLOBAL ps_u8 *PS_RESTRICT keep,
                       ps_where_params p) {
    if (reject[row] != 0 || keep[row] == 0) return;
    ps_where_machine m;
    m.nulls = 0;
    m.top = 0;
    ps_u32 at = 0;
    while (at < p.words) {
        const ps_u32 word = program[at];
        switch ((word >> 4) & 15u) {
        case 1:
            ps_where_load(&m, row, block, program, at);
            at += 4;
            break;
        case 2:
            ps_where_push(&m, (ps_u64)program[at + 2] << 32 | program[at + 1],
                          (word & 255u) == PS_WHERE_NULL);
            at += 3;
            break;
        case 3:
            ps_where_arithmetic(&m, word & 255u);
            at++;
            break;
        case 4:
            if (word & 8u) {
                ps_where_test(&m, block, program, at);
                at += 3;
                break;
            }
            ps_where_compare(&m, word, block, program);
            at++;
            break;
        default:
            at = ps_where_logic(&m, word, at + 1);
        }
    }
    keep[row] = (ps_u8)(m.value[0] != 0);
}
PS_ENTRY_4(where, const ps_u8, const ps_u32, const ps_u8, ps_u8)
