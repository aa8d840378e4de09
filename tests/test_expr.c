/* SPDX-License-Identifier: Apache-2.0
 * What the expression compiler refuses and where it points; and random expressions, whose values
 * are computed as they are made up, against the program that is made of their text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/stages/expr.h"
#include "tests/expressions.h"

static void refuses(const char *where, const char *message) {
    ps_error error = {{0}};
    uint32_t kept;
    const ps_status status = expression_kept(where, &kept, &error);
    const bool unknown = strstr(message, "there is no field") != NULL;
    assert_int_equal(status, unknown ? PS_UNKNOWN_NAME : PS_BAD_CONFIG);
    assert_string_equal(error.message, message);
}

static void faults_of_form(void **state) {
    (void)state;
    refuses("", "where:1: the expression ends where a name or a value is expected");
    refuses("cpu >", "where:6: the expression ends where a name or a value is expected");
    refuses("cpu > 3 dc", "where:9: and, or, an operator or the end is expected here, not dc");
    refuses("(up", "where:4: the expression ends where a closing parenthesis is expected");
    refuses("up)", "where:3: and, or, an operator or the end is expected here, not )");
    refuses("cpu == 3", "where:5: equality is written with one =");
    refuses("cpu # 3", "where:5: '#' has no meaning here");
    refuses("dc = 'eu", "where:6: the closing ' is missing");
    refuses("\"\" = 1", "where:1: the name is empty: texts take single quotes");
    refuses("3x = 1", "where:1: this is not a number");
    refuses("1.2.3 = 1", "where:1: this is not a number");
    refuses("1e999 = 1", "where:1: the number is out of range");
    refuses("cpu in ()", "where:9: a name or a value is expected here, not )");
    refuses("cpu in 3", "where:8: an opening parenthesis is expected here, not 3");
    refuses("cpu is 3", "where:8: null is expected here, not 3");
    refuses("cpu not 3", "where:9: in is expected here, not 3");
    refuses("1 < cpu < 3", "where:9: comparisons do not chain: join two with `and`");
}

static void faults_of_meaning(void **state) {
    (void)state;
    refuses("hostname = 'a'", "where:1: there is no field 'hostname': declare it under decode "
                              "(texts take single quotes)");
    refuses("up and scor > 3", "where:8: there is no field 'scor'; did you mean 'score'?");
    refuses("sha256 = 'ab'", "where:1: 'sha256' has no value that a filter can compare");
    refuses("headers = ''", "where:1: 'headers' has no value that a filter can compare");
    refuses(
        "\"$keep\" = 1",
        "where:1: there is no field '$keep': declare it under decode (texts take single quotes)");
    refuses("cpu", "where:1: cpu is a number where a condition is expected");
    refuses("null", "where:1: null is null where a condition is expected");
    refuses("up and dc", "where:8: dc is text where a condition is expected");
    refuses("not cpu", "where:5: cpu is a number where a condition is expected");
    refuses("dc + 1 = 2", "where:1: dc is text where a number is expected");
    refuses("1 + up = 2", "where:5: up is true or false where a number is expected");
    refuses("-dc = 2", "where:2: dc is text where a number is expected");
    refuses("dc = 3", "where:6: dc is text and 3 is a number: they cannot be compared");
    refuses("dc = \"eu\"",
            "where:6: there is no field 'eu': declare it under decode (texts take single quotes)");
    refuses("cpu in (1, 'x')",
            "where:12: cpu is a number and 'x' is text: they cannot be compared");
    refuses("null in (1, 'x')", "where:13: 'x' is text where an item like the others is expected");
    refuses("(cpu + 1) * 2 + 3 * n - 100000000000000000 = dc",
            "where:46: (cpu + 1) * 2 + 3 * n - 100000000000... is a number and dc is text: they "
            "cannot be compared");
}

/* `before`, `part` repeated, `middle`, `after` repeated. */
static ps_status compile_repeated(const char *before, const char *part, const char *middle,
                                  const char *after, uint32_t count, char *message) {
    const size_t bytes = strlen(before) + strlen(middle) + count * (strlen(part) + strlen(after));
    char *where = malloc(bytes + 1), *at = stpcpy(where, before);
    for (uint32_t i = 0; i < count; i++) at = stpcpy(at, part);
    at = stpcpy(at, middle);
    for (uint32_t i = 0; i < count; i++) at = stpcpy(at, after);
    ps_error error = {{0}};
    uint32_t kept;
    const ps_status status = expression_kept(where, &kept, &error);
    (void)snprintf(message, sizeof error.message, "%s", error.message);
    free(where);
    return status;
}

static void sizes_are_bounded(void **state) {
    (void)state;
    char message[512];
    assert_int_equal(compile_repeated("", "(", "up", ")", 64, message), PS_OK);
    assert_int_equal(compile_repeated("", "(", "up", ")", 65, message), PS_BAD_CONFIG);
    assert_string_equal(message, "where:65: nested deeper than 64 levels");
    assert_int_equal(compile_repeated("", "not ", "up", "", 64, message), PS_OK);
    assert_int_equal(compile_repeated("", "not ", "up", "", 5000, message), PS_BAD_CONFIG);
    assert_int_equal(compile_repeated("1 = ", "-", "1", "", 5000, message), PS_BAD_CONFIG);
    assert_int_equal(compile_repeated("", "(", "up", "", 5000, message), PS_BAD_CONFIG);
    /* Chains to the left take no room on the machine's stack, those to the right do. */
    assert_int_equal(compile_repeated("up", " and up", "", "", 300, message), PS_OK);
    assert_int_equal(compile_repeated("0", " + 1", " > 3", "", 500, message), PS_OK);
    assert_int_equal(compile_repeated("1 = ", "1 + (", "1", ")", 30, message), PS_OK);
    assert_int_equal(compile_repeated("1 = ", "1 + (", "1", ")", 31, message), PS_BAD_CONFIG);
    assert_non_null(strstr(message, "nested too deeply: more than 32 values at once"));
    assert_int_equal(compile_repeated("n in (1", ", 2", ")", "", 1000, message), PS_OK);
    assert_int_equal(compile_repeated("n in (1", ", 2", ")", "", 2045, message), PS_BAD_CONFIG);
    assert_non_null(strstr(message, "the expression has more than 2047 parts"));
    assert_int_equal(compile_repeated("dc = '", "x", "'", "", 16000, message), PS_OK);
    assert_int_equal(compile_repeated("dc = '", "x", "'", "", 17000, message), PS_BAD_CONFIG);
    assert_string_equal(message, "where:1: the expression is longer than 16383 bytes");
    assert_int_equal(compile_repeated("up", " and dc < dc", "", "", 200, message), PS_BAD_CONFIG);
    assert_string_equal(message, "the filters name columns more than 1024 times");
}

/* Tokens thrown together: most are nonsense, none may do worse than be refused. */
static void nonsense_is_refused(void **state) {
    (void)state;
    static const char *const tokens[] = {
        "and", "or",  "not", "in",     "is",  "null", "true", "false", "=",   "<>",
        "<",   "(",   ")",   ",",      "+",   "-",    "*",    "/",     "'a'", "'",
        "\"",  "cpu", "n",   "\"dc\"", "why", "up",   "3",    "1.5",   ".",   "9e",
        "@",   "\\",  "ts",  "$",      "%",   "\n",   "\x80", "score"};
    uint64_t random = 7;
    for (uint32_t i = 0; i < 20000; i++) {
        char where[256], *at = where;
        for (uint32_t k = 0; k < 12; k++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            at = stpcpy(stpcpy(at, tokens[(random >> 33) % (sizeof tokens / sizeof *tokens)]), " ");
            if ((random >> 60) == 0) break;
        }
        ps_error error = {{0}};
        uint32_t kept;
        const ps_status status = expression_kept(where, &kept, &error);
        assert_true(status == PS_OK || strncmp(error.message, "where:", 6) == 0);
    }
}

/* A value as this test's own arithmetic sees it. */
typedef struct value {
    bool null;
    int64_t integer; /* and true, false */
    double number;
    const char *text;
} value;

typedef enum value_kind { BOOL, INTEGER, FLOAT, TEXT } value_kind;

/* How tightly a piece of text holds together, weakest first. */
enum { LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_PRIMARY };

enum { TEXT_MAX = 4096, HELD_MAX = TEXT_MAX + 8 };

typedef struct piece {
    char text[TEXT_MAX];
    uint32_t level;
    value_kind kind;
    value value[EXPRESSION_ROWS];
} piece;

static uint64_t random_state = 20261121;

static uint32_t pick(uint32_t n) {
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static void make(piece *p, value_kind kind, uint32_t depth);

/* The text of an operand, in parentheses where it is too loose, or just so. */
static const char *hold(const piece *p, uint32_t level, char *text) {
    const bool wrap = p->level < level || pick(8) == 0;
    (void)snprintf(text, HELD_MAX, wrap ? "(%s)" : "%s", p->text);
    return text;
}

static void make_number(piece *p, value_kind kind) {
    static const struct {
        const char *text;
        int64_t value;
    } whole[] = {{"0", 0},
                 {"1", 1},
                 {"2", 2},
                 {"7", 7},
                 {"42", 42},
                 {"1000", 1000},
                 {"9223372036854775807", INT64_MAX},
                 {"3037000500", INT64_C(3037000500)}};
    static const struct {
        const char *text;
        double value;
    } real[] = {{"0.5", 0.5},  {"99.5", 99.5}, {"1e300", 1e300}, {"2.0", 2.0},
                {".25", 0.25}, {"0.0", 0.0},   {"3.5", 3.5},     {"1E-3", 1e-3}};
    const uint32_t i = pick(8);
    (void)snprintf(p->text, sizeof p->text, "%s", kind == INTEGER ? whole[i].text : real[i].text);
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++)
        p->value[row] = (value){.integer = whole[i].value, .number = real[i].value};
}

static void make_text(piece *p) {
    static const char *const texts[][2] = {{"'eu'", "eu"},
                                           {"''", ""},
                                           {"'it''s'", "it's"},
                                           {"'europe'", "europe"},
                                           {"'ewma'", "ewma"},
                                           {"'\xc3\x9c'", "\xc3\x9c"},
                                           {"'zzzzzzzzz'", "zzzzzzzzz"}};
    static const char *const names[] = {"dc", "why", "\"dc\""};
    const uint32_t i = pick(7), column = pick(3);
    const bool literal = pick(2) == 0;
    (void)snprintf(p->text, sizeof p->text, "%s", literal ? texts[i][0] : names[column]);
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
        const char *label = row_why[row] < 2 ? expression_labels[row_why[row]] : NULL;
        const char *text = literal ? texts[i][1] : column == 1 ? label : row_dc[row];
        p->value[row] = (value){.null = text == NULL, .text = text};
    }
}

static void make_column(piece *p, value_kind kind) {
    static const char *const names[3][2] = {{"up", "anomaly"}, {"n", "ts"}, {"cpu", "score"}};
    const uint32_t which = pick(2);
    (void)snprintf(p->text, sizeof p->text, "%s", names[kind][which]);
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
        value *v = &p->value[row];
        *v = (value){0};
        if (kind == BOOL) {
            v->null = which == 0 && row == NULL_UP;
            v->integer = which == 0 ? row_up[row] : row_anomaly[row];
        } else if (kind == INTEGER) {
            v->null = row == (which == 0 ? NULL_N : NULL_TS);
            v->integer = which == 0 ? row_n[row] : (int64_t)floor((double)row_ts[row] / 1e6);
        } else {
            v->number = which == 0 ? row_cpu[row] : (double)row_score[row];
            v->null = v->number != v->number;
        }
    }
}

static void make_leaf(piece *p, value_kind kind) {
    p->level = LEVEL_PRIMARY;
    if (pick(12) == 0) {
        (void)snprintf(p->text, sizeof p->text, "%s", "null");
        for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) p->value[row] = (value){.null = true};
    } else if (kind == TEXT) {
        make_text(p);
    } else if (pick(2) == 0) {
        make_column(p, kind);
    } else if (kind == BOOL) {
        const bool yes = pick(2) == 0;
        (void)snprintf(p->text, sizeof p->text, "%s", yes ? "TRUE" : "false");
        for (uint32_t row = 0; row < EXPRESSION_ROWS; row++)
            p->value[row] = (value){.integer = yes};
    } else {
        make_number(p, kind);
    }
}

static value whole(char sign, int64_t a, int64_t b) {
    __extension__ typedef __int128 wide;
    if (sign == '/' && b == 0) return (value){.null = true};
    const wide r = sign == '+'   ? (wide)a + b
                   : sign == '-' ? (wide)a - b
                   : sign == '*' ? (wide)a * b
                                 : (wide)a / b;
    const bool fits = r >= INT64_MIN && r <= INT64_MAX;
    return (value){.null = !fits, .integer = fits ? (int64_t)r : 0};
}

static value real(char sign, double a, double b) {
    if (sign == '/' && b == 0.0) return (value){.null = true};
    const double r = sign == '+' ? a + b : sign == '-' ? a - b : sign == '*' ? a * b : a / b;
    return (value){.null = r != r, .number = r};
}

static double as_number(const value *v, value_kind kind) {
    return kind == FLOAT ? v->number : (double)v->integer;
}

static void make_arithmetic(piece *p, value_kind kind, uint32_t depth) {
    piece *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    char left[HELD_MAX], right[HELD_MAX];
    const char sign = "+-*/"[pick(4)];
    p->level = sign == '+' || sign == '-' ? LEVEL_SUM : LEVEL_PRODUCT;
    /* A float comes of two kinds, one of which is float: `null` could hide that, so not there. */
    do make(a, kind, depth - 1);
    while (strcmp(a->text, "null") == 0);
    make(b, kind == FLOAT && pick(2) == 0 ? INTEGER : kind, depth - 1);
    (void)snprintf(p->text, sizeof p->text, "%.1900s %c %.1900s", hold(a, p->level, left), sign,
                   hold(b, p->level + 1, right));
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
        const value *x = &a->value[row], *y = &b->value[row];
        if (x->null || y->null)
            p->value[row] = (value){.null = true};
        else if (kind == INTEGER)
            p->value[row] = whole(sign, x->integer, y->integer);
        else
            p->value[row] = real(sign, as_number(x, a->kind), as_number(y, b->kind));
    }
    free(a);
    free(b);
}

static int order(const piece *a, const piece *b, uint32_t row) {
    const value *x = &a->value[row], *y = &b->value[row];
    if (a->kind == TEXT) {
        const int r = strcmp(x->text, y->text);
        return (r > 0) - (r < 0);
    }
    if (a->kind != FLOAT && b->kind != FLOAT)
        return (x->integer > y->integer) - (x->integer < y->integer);
    const double u = as_number(x, a->kind), v = as_number(y, b->kind);
    return (u > v) - (u < v);
}

static value_kind comparable(value_kind with) {
    return with == TEXT ? TEXT : (value_kind)pick(3);
}

static void make_compare(piece *p, uint32_t depth) {
    static const char *const signs[] = {"=", "<>", "!=", "<", "<=", ">", ">="};
    piece *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    char left[HELD_MAX], right[HELD_MAX];
    const uint32_t sign = pick(7);
    p->level = LEVEL_COMPARE;
    make(a, (value_kind)pick(4), depth - 1);
    make(b, comparable(a->kind), depth - 1);
    (void)snprintf(p->text, sizeof p->text, "%.1900s%s%.1900s", hold(a, LEVEL_SUM, left),
                   signs[sign], hold(b, LEVEL_SUM, right));
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
        value *v = &p->value[row];
        *v = (value){.null = a->value[row].null || b->value[row].null};
        if (v->null) continue;
        const int r = order(a, b, row);
        const bool answers[] = {r == 0, r != 0, r != 0, r<0, r <= 0, r> 0, r >= 0};
        v->integer = answers[sign];
    }
    free(a);
    free(b);
}

static void make_in(piece *p, uint32_t depth) {
    piece *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    char text[HELD_MAX];
    const bool not = pick(2) == 0;
    const uint32_t count = 1 + pick(4);
    p->level = LEVEL_COMPARE;
    make(a, (value_kind)pick(4), depth - 1);
    char *at = p->text + snprintf(p->text, sizeof p->text, "%.1200s %s (", hold(a, LEVEL_SUM, text),
                                  not ? "not in" : "in");
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) p->value[row] = (value){0};
    for (uint32_t i = 0; i < count; i++) {
        make(b, a->kind == BOOL ? BOOL : a->kind, i == 0 ? depth - 1 : 0);
        at += snprintf(at, sizeof p->text - (size_t)(at - p->text), "%s%.600s", i == 0 ? "" : ", ",
                       hold(b, LEVEL_SUM, text));
        for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
            value *v = &p->value[row];
            if (a->value[row].null || b->value[row].null)
                v->null |= v->integer == 0;
            else if (order(a, b, row) == 0)
                *v = (value){.integer = 1};
        }
    }
    *at++ = ')';
    *at = '\0';
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++)
        if (not &&!p->value[row].null) p->value[row].integer ^= 1;
    free(a);
    free(b);
}

static void make_is_null(piece *p, uint32_t depth) {
    piece *a = malloc(sizeof *a);
    char text[HELD_MAX];
    const bool not = pick(2) == 0;
    p->level = LEVEL_COMPARE;
    make(a, (value_kind)pick(4), depth - 1);
    (void)snprintf(p->text, sizeof p->text, "%.3900s is %snull", hold(a, LEVEL_COMPARE, text),
                   not ? "not " : "");
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++)
        p->value[row] = (value){.integer = a->value[row].null != not };
    free(a);
}

static void make_not(piece *p, uint32_t depth) {
    piece *a = malloc(sizeof *a);
    char text[HELD_MAX];
    p->level = LEVEL_NOT;
    make(a, BOOL, depth - 1);
    (void)snprintf(p->text, sizeof p->text, "not %.3900s", hold(a, LEVEL_NOT, text));
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++)
        p->value[row] = (value){.null = a->value[row].null, .integer = a->value[row].integer == 0};
    free(a);
}

static void make_and_or(piece *p, uint32_t depth) {
    piece *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    char left[HELD_MAX], right[HELD_MAX];
    const bool both = pick(2) == 0;
    p->level = both ? LEVEL_AND : LEVEL_OR;
    make(a, BOOL, depth - 1);
    make(b, BOOL, depth - 1);
    (void)snprintf(p->text, sizeof p->text, "%.1900s %s %.1900s", hold(a, p->level, left),
                   both ? "and" : "OR", hold(b, p->level + 1, right));
    for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
        const value *x = &a->value[row], *y = &b->value[row];
        const bool decides = !both; /* false decides `and`, true decides `or` */
        const bool decided = (!x->null && (x->integer != 0) == decides) ||
                             (!y->null && (y->integer != 0) == decides);
        if (decided)
            p->value[row] = (value){.integer = decides};
        else
            p->value[row] = (value){.null = x->null || y->null, .integer = !decides};
    }
    free(a);
    free(b);
}

static void make(piece *p, value_kind kind, uint32_t depth) {
    p->kind = kind;
    if (depth == 0 || kind == TEXT || pick(6) == 0)
        make_leaf(p, kind);
    else if (kind == INTEGER || kind == FLOAT)
        make_arithmetic(p, kind, depth);
    else if (pick(3) == 0)
        make_compare(p, depth);
    else if (pick(4) == 0)
        make_in(p, depth);
    else if (pick(4) == 0)
        make_is_null(p, depth);
    else if (pick(4) == 0)
        make_not(p, depth);
    else
        make_and_or(p, depth);
}

static void random_expressions_agree(void **state) {
    (void)state;
    piece *p = malloc(sizeof *p);
    char where[4400];
    uint32_t mixed = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        make(p, BOOL, 1 + pick(5));
        if (strlen(p->text) > 500) continue;
        /* What is null is asked for too, or it would look like false. */
        const bool null = pick(3) == 0;
        (void)snprintf(where, sizeof where, null ? "(%s) is null" : "%s and true", p->text);
        if (!null && p->level < LEVEL_AND)
            (void)snprintf(where, sizeof where, "(%s) and true", p->text);
        uint32_t expected = 0, kept = 0;
        for (uint32_t row = 0; row < EXPRESSION_ROWS; row++) {
            const value *v = &p->value[row];
            if (null ? v->null : !v->null && v->integer != 0) expected |= 1u << row;
        }
        ps_error error = {{0}};
        if (expression_kept(where, &kept, &error) != PS_OK)
            fail_msg("%s: %s", where, error.message);
        if (kept != expected) fail_msg("%s keeps 0x%02x, not 0x%02x", where, kept, expected);
        mixed += kept != 0 && kept != 0xff;
    }
    assert_true(mixed > 4000); /* else the expressions say too little */
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_form), cmocka_unit_test(faults_of_meaning),
        cmocka_unit_test(sizes_are_bounded), cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(random_expressions_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
