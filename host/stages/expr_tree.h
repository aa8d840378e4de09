/* SPDX-License-Identifier: Apache-2.0
 * The tree between the parts of the expression compiler; nobody else includes this.
 *
 * Nodes lie in one array and name each other by index, 0 for none, so a tree is freed at once and
 * its size is bounded whatever the text.
 */
#ifndef PS_HOST_STAGES_EXPR_TREE_H
#define PS_HOST_STAGES_EXPR_TREE_H

#include "host/stages/expr.h"
#include "kernels/where.h"

typedef enum ps_token_kind {
    PS_TOKEN_END,
    PS_TOKEN_NAME,
    PS_TOKEN_TEXT,
    PS_TOKEN_NUMBER,
    PS_TOKEN_SIGN, /* = != <> < <= > >= + - * / ( ) , */
    PS_TOKEN_WORD  /* and or not in is null true false */
} ps_token_kind;

typedef struct ps_token {
    ps_token_kind kind;
    uint32_t begin, end;   /* in the source */
    const char *word;      /* SIGN and WORD: as the language spells it */
    uint32_t text, length; /* NAME and TEXT: unquoted, in the tree's `bytes` */
} ps_token;

typedef enum ps_node_kind {
    PS_NODE_NULL,
    PS_NODE_INTEGER, /* and true, false */
    PS_NODE_FLOAT,
    PS_NODE_TEXT,
    PS_NODE_COLUMN,
    PS_NODE_NEGATE,
    PS_NODE_ARITHMETIC, /* `operation` is the sign */
    PS_NODE_COMPARE,    /* `operation` is the set of orderings for which it is true */
    PS_NODE_IN,         /* `left` in the items `right`, chained by `next`; `operation` 1: not in */
    PS_NODE_IS_NULL,    /* `operation` 1: is not null */
    PS_NODE_NOT,
    PS_NODE_AND,
    PS_NODE_OR
} ps_node_kind;

typedef enum ps_value_type {
    PS_VALUE_NULL, /* the literal null: takes the type that it is used with */
    PS_VALUE_BOOL,
    PS_VALUE_INTEGER,
    PS_VALUE_FLOAT,
    PS_VALUE_TEXT
} ps_value_type;

typedef struct ps_node {
    ps_node_kind kind;
    ps_value_type type;     /* of its value */
    ps_value_type operands; /* what its operands are made before they meet */
    uint32_t operation;
    uint32_t begin, end; /* in the source: what a message points at */
    uint32_t left, right, next;
    uint32_t text, length; /* TEXT and COLUMN: in `bytes` */
    uint32_t column, load; /* COLUMN: index in the schema, PS_WHERE_LOAD_… */
    union {
        int64_t integer;
        double number;
    } value;
} ps_node;

typedef struct ps_expr_tree {
    const char *source;
    uint32_t length;
    uint32_t node_count; /* node[0] is none */
    uint32_t byte_count;
    uint32_t root;
    ps_node node[PS_EXPR_NODES_MAX];
    char bytes[PS_EXPR_BYTES_MAX]; /* names and texts without their quotes */
} ps_expr_tree;

/* The token at or behind byte `at`. */
ps_status ps_expr_next(ps_expr_tree *tree, uint32_t at, ps_token *token, ps_error *error);

/* PS_BAD_CONFIG with the place: `where:7: `, then the sentence. */
ps_status ps_expr_fail(ps_error *error, uint32_t begin, const char *format, ...) PS_PRINTF(3, 4);

ps_status ps_expr_parse(ps_expr_tree *tree, const char *text, ps_error *error) PS_MUST_USE;

/* Settles columns and types; the root must be true or false. */
ps_status ps_expr_resolve(ps_expr_tree *tree, const ps_plan *plan, ps_error *error) PS_MUST_USE;

/* Where the labels of a LABEL column are, or NULL: the column is something else. */
const ps_output *ps_expr_labels(const ps_plan *plan, uint32_t column);

#endif
