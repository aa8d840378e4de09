/* SPDX-License-Identifier: Apache-2.0
 * Which column a name means, and which type every part has. Integers become floats where they meet
 * floats, truth values become 0 and 1 where they are compared with numbers; nothing else converts.
 */
#include <stdio.h>
#include <string.h>

#include "host/base/text.h"
#include "host/stages/expr_tree.h"

typedef struct resolver {
    ps_expr_tree *tree;
    const ps_plan *plan;
    ps_error *error;
} resolver;

static ps_status resolve(resolver *r, uint32_t index);

const ps_output *ps_expr_labels(const ps_plan *plan, uint32_t column) {
    for (uint32_t i = 0; i < plan->output_count; i++)
        if (plan->output[i].kind == PS_OUTPUT_LABEL && plan->output[i].column == column)
            return &plan->output[i];
    return NULL;
}

/* How the column is loaded and what that gives; 0: it has no value that can be compared. */
static uint32_t load_of(const ps_plan *plan, uint32_t index, ps_value_type *type) {
    const ps_column *column = &plan->schema.column[index];
    *type = PS_VALUE_INTEGER;
    if (column->name[0] == '$' || column->extent != PS_PER_ROW) return 0;
    if (index == PS_COLUMN_OFFSET) return PS_WHERE_LOAD_FULL;
    if (index == PS_COLUMN_TIMESTAMP) return PS_WHERE_LOAD_STAMP;
    switch (column->type) {
    case PS_TYPE_TEXT:
        *type = PS_VALUE_TEXT;
        return index == PS_COLUMN_HEADERS ? 0 : PS_WHERE_LOAD_TEXT;
    case PS_TYPE_F64:
    case PS_TYPE_NUMBER:
        *type = PS_VALUE_FLOAT;
        return PS_WHERE_LOAD_F64;
    case PS_TYPE_F32:
        *type = PS_VALUE_FLOAT;
        return PS_WHERE_LOAD_F32;
    case PS_TYPE_I64:
        return column->time ? PS_WHERE_LOAD_TIME : PS_WHERE_LOAD_I64;
    case PS_TYPE_BOOL:
        *type = PS_VALUE_BOOL;
        return PS_WHERE_LOAD_BOOL;
    case PS_TYPE_U8:
        *type = ps_expr_labels(plan, index) == NULL ? PS_VALUE_BOOL : PS_VALUE_TEXT;
        return *type == PS_VALUE_BOOL ? PS_WHERE_LOAD_U8 : PS_WHERE_LOAD_LABEL;
    default:
        return 0;
    }
}

static ps_status unknown(const resolver *r, const ps_node *node, const char *name) {
    ps_nearest nearest = ps_nearest_to(name);
    const ps_schema *schema = &r->plan->schema;
    ps_value_type type;
    for (uint32_t i = 0; i < schema->column_count; i++)
        if (load_of(r->plan, i, &type) != 0) ps_nearest_offer(&nearest, schema->column[i].name);
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        (void)ps_expr_fail(r->error, node->begin, "there is no field '%s'; did you mean '%s'?",
                           name, meant);
    else
        (void)ps_expr_fail(r->error, node->begin,
                           "there is no field '%s': declare it under decode (texts take single "
                           "quotes)",
                           name);
    return PS_UNKNOWN_NAME;
}

static ps_status resolve_column(resolver *r, ps_node *node) {
    char name[PS_NAME_MAX];
    (void)snprintf(name, sizeof name, "%.*s", (int)node->length, r->tree->bytes + node->text);
    const ps_column *column =
        node->length < sizeof name ? ps_schema_find(&r->plan->schema, name) : NULL;
    if (column == NULL || name[0] == '$') return unknown(r, node, name);
    node->column = (uint32_t)(column - r->plan->schema.column);
    node->load = load_of(r->plan, node->column, &node->type);
    if (node->load == 0)
        return ps_expr_fail(r->error, node->begin, "'%s' has no value that a filter can compare",
                            name);
    return PS_OK;
}

static bool is_number(ps_value_type type) {
    return type == PS_VALUE_NULL || type == PS_VALUE_INTEGER || type == PS_VALUE_FLOAT;
}

static const char *type_text(ps_value_type type) {
    static const char *const texts[] = {[PS_VALUE_NULL] = "null",
                                        [PS_VALUE_BOOL] = "true or false",
                                        [PS_VALUE_INTEGER] = "a number",
                                        [PS_VALUE_FLOAT] = "a number",
                                        [PS_VALUE_TEXT] = "text"};
    return texts[type];
}

/* Quotes a part of the expression in a message; long ones lose their end. */
static const char *quote(const resolver *r, const ps_node *node, char *text, size_t bytes) {
    const uint32_t length = node->end - node->begin;
    const char *begin = r->tree->source + node->begin;
    if (length < 40)
        (void)snprintf(text, bytes, "%.*s", (int)length, begin);
    else
        (void)snprintf(text, bytes, "%.*s...", 36, begin);
    return text;
}

static ps_status must_be(const resolver *r, const ps_node *node, bool ok, const char *what) {
    char text[48];
    if (ok) return PS_OK;
    return ps_expr_fail(r->error, node->begin, "%s is %s where %s is expected",
                        quote(r, node, text, sizeof text), type_text(node->type), what);
}

static ps_status resolve_arithmetic(resolver *r, ps_node *node) {
    const ps_node *left = &r->tree->node[node->left], *right = &r->tree->node[node->right];
    PS_TRY(must_be(r, left, is_number(left->type), "a number"));
    if (node->right != 0) PS_TRY(must_be(r, right, is_number(right->type), "a number"));
    const bool is_float = left->type == PS_VALUE_FLOAT || right->type == PS_VALUE_FLOAT;
    node->type = node->operands = is_float ? PS_VALUE_FLOAT : PS_VALUE_INTEGER;
    return PS_OK;
}

/* The type in which two values are compared; false where there is none. */
static bool meet(ps_value_type left, ps_value_type right, ps_value_type *both) {
    *both = left > right ? left : right; /* in the order of the enum the wider one comes later */
    return left == right || left == PS_VALUE_NULL || right == PS_VALUE_NULL ||
           *both != PS_VALUE_TEXT;
}

static ps_status resolve_pair(resolver *r, const ps_node *left, const ps_node *right,
                              ps_value_type *both) {
    char one[48], other[48];
    if (meet(left->type, right->type, both)) return PS_OK;
    return ps_expr_fail(r->error, right->begin, "%s is %s and %s is %s: they cannot be compared",
                        quote(r, left, one, sizeof one), type_text(left->type),
                        quote(r, right, other, sizeof other), type_text(right->type));
}

static ps_status resolve_in(resolver *r, ps_node *node) {
    const ps_node *left = &r->tree->node[node->left];
    node->type = PS_VALUE_BOOL;
    node->operands = left->type;
    for (uint32_t item = node->right; item != 0; item = r->tree->node[item].next) {
        PS_TRY(resolve(r, item));
        ps_value_type both;
        PS_TRY(resolve_pair(r, left, &r->tree->node[item], &both));
        /* With a left side that is null, the items still have to agree among themselves. */
        if (!meet(node->operands, both, &node->operands))
            PS_TRY(must_be(r, &r->tree->node[item], false, "an item like the others"));
    }
    return PS_OK;
}

static ps_status resolve_logic(resolver *r, ps_node *node) {
    const uint32_t operands[2] = {node->left, node->right};
    for (uint32_t i = 0; i < 2 && operands[i] != 0; i++) {
        const ps_node *operand = &r->tree->node[operands[i]];
        const bool ok = operand->type == PS_VALUE_BOOL || operand->type == PS_VALUE_NULL;
        PS_TRY(must_be(r, operand, ok, "a condition"));
    }
    node->type = node->operands = PS_VALUE_BOOL;
    return PS_OK;
}

/* As deep as the tree: PS_EXPR_NODES_MAX at most, in small frames. */
static ps_status resolve(resolver *r, uint32_t index) {
    ps_node *node = &r->tree->node[index];
    if (node->left != 0) PS_TRY(resolve(r, node->left));
    if (node->right != 0 && node->kind != PS_NODE_IN) PS_TRY(resolve(r, node->right));
    switch (node->kind) {
    case PS_NODE_COLUMN:
        return resolve_column(r, node);
    case PS_NODE_NEGATE:
    case PS_NODE_ARITHMETIC:
        return resolve_arithmetic(r, node);
    case PS_NODE_COMPARE:
        node->type = PS_VALUE_BOOL;
        return resolve_pair(r, &r->tree->node[node->left], &r->tree->node[node->right],
                            &node->operands);
    case PS_NODE_IN:
        return resolve_in(r, node);
    case PS_NODE_IS_NULL:
        node->type = PS_VALUE_BOOL;
        node->operands = r->tree->node[node->left].type;
        return PS_OK;
    case PS_NODE_NOT:
    case PS_NODE_AND:
    case PS_NODE_OR:
        return resolve_logic(r, node);
    default:
        return PS_OK;
    }
}

ps_status ps_expr_resolve(ps_expr_tree *tree, const ps_plan *plan, ps_error *error) {
    resolver r = {tree, plan, error};
    PS_TRY(resolve(&r, tree->root));
    const ps_node *root = &tree->node[tree->root];
    return must_be(&r, root, root->type == PS_VALUE_BOOL, "a condition");
}
