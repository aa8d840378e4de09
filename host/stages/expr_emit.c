/* SPDX-License-Identifier: Apache-2.0
 * The tree as instructions. It is walked twice: only after the first walk is it known how long the
 * code is, and with it where tables and literals begin.
 */
#include <stdlib.h>
#include <string.h>

#include "host/stages/expr_tree.h"

enum {
    CODE_WORDS_MAX = 8 * PS_EXPR_NODES_MAX, /* no node takes more than 8 */
    TABLE_WORDS_MAX = 1024,
    LITERAL_BYTES_MAX = 2 * PS_EXPR_BYTES_MAX,
    PLACES_MAX = 3 * PS_EXPR_NODES_MAX /* a load names three columns at most */
};

typedef struct place {
    uint32_t word;
    ps_operand target;
} place;

typedef struct emitter {
    const ps_expr_tree *tree;
    const ps_plan *plan;
    ps_error *error;
    uint32_t code_count, table_count, literal_bytes, place_count;
    uint32_t table_begin, literal_begin; /* words; bytes */
    uint32_t depth;                      /* values on the machine's stack */
    uint32_t code[CODE_WORDS_MAX];
    uint32_t table[TABLE_WORDS_MAX];
    uint8_t literal[LITERAL_BYTES_MAX];
    place place[PLACES_MAX];
} emitter;

static ps_status emit(emitter *e, uint32_t index, ps_value_type wanted);

static void put(emitter *e, uint32_t word) {
    PS_CHECK_OP(e->code_count, <, (uint32_t)CODE_WORDS_MAX);
    e->code[e->code_count++] = word;
}

/* A word that the plan fills in when it is closed. */
static void put_place(emitter *e, ps_operand target) {
    PS_CHECK_OP(e->place_count, <, (uint32_t)PLACES_MAX);
    e->place[e->place_count++] = (place){e->code_count, target};
    put(e, 0);
}

static ps_status push(emitter *e, uint32_t begin) {
    if (e->depth++ == PS_WHERE_STACK_MAX)
        return ps_expr_fail(e->error, begin, "nested too deeply: more than %u values at once",
                            PS_WHERE_STACK_MAX);
    return PS_OK;
}

/* Where the bytes lie in the program, marked as a literal. */
static ps_status add_literal(emitter *e, const void *bytes, uint32_t length, uint32_t begin,
                             uint32_t *at) {
    if (length > LITERAL_BYTES_MAX - e->literal_bytes)
        return ps_expr_fail(e->error, begin, "the texts are longer than %d bytes together",
                            LITERAL_BYTES_MAX);
    memcpy(e->literal + e->literal_bytes, bytes, length);
    *at = PS_WHERE_LITERAL | (e->literal_begin + e->literal_bytes);
    e->literal_bytes += length;
    return PS_OK;
}

static ps_status emit_const(emitter *e, const ps_node *node, uint64_t bits) {
    PS_TRY(push(e, node->begin));
    put(e, node->kind == PS_NODE_NULL ? PS_WHERE_NULL : PS_WHERE_CONST);
    put(e, (uint32_t)bits);
    put(e, (uint32_t)(bits >> 32));
    return PS_OK;
}

static bool is_literal(const ps_node *node) {
    return node->kind == PS_NODE_INTEGER || node->kind == PS_NODE_FLOAT ||
           node->kind == PS_NODE_TEXT;
}

/* What the machine holds for a literal, as the type that it is compared in. */
static ps_status literal_bits(emitter *e, const ps_node *node, ps_value_type wanted,
                              uint64_t *bits) {
    double number = node->value.number;
    uint32_t at = 0;
    if (node->kind == PS_NODE_TEXT) {
        PS_TRY(add_literal(e, e->tree->bytes + node->text, node->length, node->begin, &at));
        *bits = (uint64_t)node->length << 32 | at;
        return PS_OK;
    }
    *bits = (uint64_t)node->value.integer;
    if (wanted != PS_VALUE_FLOAT) return PS_OK;
    if (node->kind == PS_NODE_INTEGER) number = (double)node->value.integer;
    memcpy(bits, &number, sizeof number);
    return PS_OK;
}

static ps_status emit_literal(emitter *e, const ps_node *node) {
    uint64_t bits;
    PS_TRY(literal_bits(e, node, node->type, &bits));
    return emit_const(e, node, bits);
}

/* A label column's table: where the text of each index lies. */
static ps_status emit_labels(emitter *e, const ps_node *node) {
    const ps_output *output = ps_expr_labels(e->plan, node->column);
    const uint32_t begin = e->table_begin + e->table_count;
    if (2 * output->label_count > TABLE_WORDS_MAX - e->table_count)
        return ps_expr_fail(e->error, node->begin, "too many labels in one expression");
    for (uint32_t i = 0; i < output->label_count; i++) {
        const uint32_t length = (uint32_t)strlen(output->labels[i]);
        uint32_t at = 0;
        PS_TRY(add_literal(e, output->labels[i], length, node->begin, &at));
        e->table[e->table_count++] = at;
        e->table[e->table_count++] = length;
    }
    put(e, output->label_count);
    put(e, begin);
    return PS_OK;
}

static ps_status emit_column(emitter *e, const ps_node *node) {
    PS_TRY(push(e, node->begin));
    put(e, node->load);
    put_place(e, ps_operand_values(node->column));
    switch (node->load) {
    case PS_WHERE_LOAD_TEXT:
        put_place(e, ps_operand_lengths(node->column));
        put_place(e, ps_operand_arena());
        return PS_OK;
    case PS_WHERE_LOAD_LABEL:
        return emit_labels(e, node);
    case PS_WHERE_LOAD_FULL:
    case PS_WHERE_LOAD_STAMP:
    case PS_WHERE_LOAD_F32:
    case PS_WHERE_LOAD_U8:
        put(e, 0);
        break;
    default:
        if (e->plan->schema.column[node->column].type == PS_TYPE_NUMBER)
            put(e, 0);
        else
            put_place(e, ps_operand_validity(node->column));
    }
    put(e, 0);
    return PS_OK;
}

static ps_status emit_arithmetic(emitter *e, const ps_node *node) {
    const uint32_t is_float = node->operands == PS_VALUE_FLOAT;
    PS_TRY(emit(e, node->left, node->operands));
    if (node->kind == PS_NODE_NEGATE) {
        put(e, is_float ? PS_WHERE_NEG_F64 : PS_WHERE_NEG_I64);
        return PS_OK;
    }
    PS_TRY(emit(e, node->right, node->operands));
    const char *signs = "+-*/";
    put(e, (is_float ? PS_WHERE_ADD_F64 : PS_WHERE_ADD_I64) +
               (uint32_t)(strchr(signs, (int)node->operation) - signs));
    e->depth--;
    return PS_OK;
}

/* 0, 1 or 2: what the operation for integers, floats and texts is numbered. */
static uint32_t operand_index(ps_value_type type) {
    return type == PS_VALUE_FLOAT ? 1 : type == PS_VALUE_TEXT ? 2 : 0;
}

static ps_status emit_compare(emitter *e, const ps_node *node) {
    const ps_node *right = &e->tree->node[node->right];
    PS_TRY(emit(e, node->left, node->operands));
    if (is_literal(right)) {
        uint64_t bits;
        PS_TRY(literal_bits(e, right, node->operands, &bits));
        put(e, (PS_WHERE_TEST_I64 + operand_index(node->operands)) | node->operation << 8);
        put(e, (uint32_t)bits);
        put(e, (uint32_t)(bits >> 32));
        return PS_OK;
    }
    PS_TRY(emit(e, node->right, node->operands));
    put(e, (PS_WHERE_COMPARE_I64 + operand_index(node->operands)) | node->operation << 8);
    e->depth--;
    return PS_OK;
}

static ps_status emit_in(emitter *e, const ps_node *node) {
    static const ps_node no = {.kind = PS_NODE_INTEGER, .type = PS_VALUE_BOOL};
    PS_TRY(emit(e, node->left, node->operands));
    PS_TRY(emit_const(e, &no, 0));
    for (uint32_t item = node->right; item != 0; item = e->tree->node[item].next) {
        PS_TRY(emit(e, item, node->operands));
        put(e, PS_WHERE_IN_I64 + operand_index(node->operands));
        e->depth--;
    }
    put(e, PS_WHERE_IN_END);
    e->depth--;
    if (node->operation == 1) put(e, PS_WHERE_NOT);
    return PS_OK;
}

/* The right side is not looked at where the left one decides. */
static ps_status emit_and_or(emitter *e, const ps_node *node) {
    const bool is_and = node->kind == PS_NODE_AND;
    PS_TRY(emit(e, node->left, PS_VALUE_BOOL));
    const uint32_t skip = e->code_count;
    put(e, 0);
    PS_TRY(emit(e, node->right, PS_VALUE_BOOL));
    put(e, is_and ? PS_WHERE_AND : PS_WHERE_OR);
    e->depth--;
    e->code[skip] = (is_and ? PS_WHERE_SKIP_FALSE : PS_WHERE_SKIP_TRUE) | e->code_count << 8;
    return PS_OK;
}

static ps_status emit_node(emitter *e, const ps_node *node) {
    switch (node->kind) {
    case PS_NODE_NULL:
        return emit_const(e, node, 0);
    case PS_NODE_INTEGER:
    case PS_NODE_FLOAT:
    case PS_NODE_TEXT:
        return emit_literal(e, node);
    case PS_NODE_COLUMN:
        return emit_column(e, node);
    case PS_NODE_NEGATE:
    case PS_NODE_ARITHMETIC:
        return emit_arithmetic(e, node);
    case PS_NODE_COMPARE:
        return emit_compare(e, node);
    case PS_NODE_IN:
        return emit_in(e, node);
    case PS_NODE_AND:
    case PS_NODE_OR:
        return emit_and_or(e, node);
    case PS_NODE_IS_NULL:
        PS_TRY(emit(e, node->left, node->operands));
        put(e, PS_WHERE_IS_NULL | node->operation << 8);
        return PS_OK;
    case PS_NODE_NOT:
        PS_TRY(emit(e, node->left, PS_VALUE_BOOL));
        put(e, PS_WHERE_NOT);
        return PS_OK;
    }
    return PS_OK;
}

/* The value of a node, made a float where its neighbour is one. */
static ps_status emit(emitter *e, uint32_t index, ps_value_type wanted) {
    const ps_node *node = &e->tree->node[index];
    PS_TRY(emit_node(e, node));
    if (wanted == PS_VALUE_FLOAT && node->type != PS_VALUE_FLOAT) put(e, PS_WHERE_TO_F64);
    return PS_OK;
}

static ps_status emit_all(emitter *e) {
    PS_TRY(emit(e, e->tree->root, PS_VALUE_BOOL));
    e->table_begin = e->code_count;
    e->literal_begin = 4 * (e->code_count + e->table_count);
    e->code_count = e->table_count = e->literal_bytes = e->place_count = e->depth = 0;
    return emit(e, e->tree->root, PS_VALUE_BOOL);
}

static ps_status add_program(emitter *e, ps_plan *plan, ps_operand *program) {
    const size_t code = e->code_count * sizeof *e->code, table = e->table_count * sizeof *e->table;
    uint8_t *bytes = malloc(code + table + e->literal_bytes);
    if (bytes == NULL) return ps_fail(e->error, PS_NO_MEMORY, "no memory for a filter's program");
    memcpy(bytes, e->code, code);
    memcpy(bytes + code, e->table, table);
    memcpy(bytes + code + table, e->literal, e->literal_bytes);
    ps_status status =
        ps_plan_constant(plan, bytes, code + table + e->literal_bytes, program, e->error);
    free(bytes);
    for (uint32_t i = 0; i < e->place_count && status == PS_OK; i++)
        status = ps_plan_relocate(plan, program, e->place[i].word * sizeof *e->code,
                                  &e->place[i].target, false, e->error);
    return status;
}

static ps_status compile(emitter *e, ps_expr_tree *tree, const char *text, ps_plan *plan,
                         ps_operand *program) {
    PS_TRY(ps_expr_parse(tree, text, e->error));
    PS_TRY(ps_expr_resolve(tree, plan, e->error));
    e->tree = tree;
    e->plan = plan;
    PS_TRY(emit_all(e));
    return add_program(e, plan, program);
}

ps_status ps_expr_compile(const char *text, ps_plan *plan, ps_operand *program, uint32_t *words,
                          ps_error *error) {
    ps_expr_tree *tree = malloc(sizeof *tree);
    emitter *e = calloc(1, sizeof *e);
    ps_status status = PS_NO_MEMORY;
    if (tree != NULL && e != NULL) {
        e->error = error;
        status = compile(e, tree, text, plan, program);
        *words = e->code_count;
    } else {
        status = ps_fail(error, status, "no memory to compile a filter");
    }
    free(tree);
    free(e);
    return status;
}
