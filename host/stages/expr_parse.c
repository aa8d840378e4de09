/* SPDX-License-Identifier: Apache-2.0
 * Recursive descent over SQL's precedence, weakest first: or · and · not · comparison, in, is ·
 * + - · * / · minus sign · literals, names, parentheses.
 */
#include <string.h>

#include "host/base/text.h"
#include "host/stages/expr_tree.h"

typedef struct parser {
    ps_expr_tree *tree;
    ps_token token; /* the next one */
    uint32_t depth;
    ps_error *error;
} parser;

static ps_status parse_or(parser *p, uint32_t *node);

static ps_status advance(parser *p) {
    return ps_expr_next(p->tree, p->token.end, &p->token, p->error);
}

static bool at_word(const parser *p, const char *word) {
    return (p->token.kind == PS_TOKEN_WORD || p->token.kind == PS_TOKEN_SIGN) &&
           strcmp(p->token.word, word) == 0;
}

static ps_status expected(const parser *p, const char *what) {
    if (p->token.kind == PS_TOKEN_END)
        return ps_expr_fail(p->error, p->token.begin, "the expression ends where %s is expected",
                            what);
    const uint32_t length = p->token.end - p->token.begin;
    return ps_expr_fail(p->error, p->token.begin, "%s is expected here, not %.*s", what,
                        (int)(length < 40 ? length : 40), p->tree->source + p->token.begin);
}

static ps_status take(parser *p, const char *word, const char *what) {
    return at_word(p, word) ? advance(p) : expected(p, what);
}

static ps_status add(parser *p, ps_node_kind kind, uint32_t begin, uint32_t *index) {
    ps_expr_tree *tree = p->tree;
    if (tree->node_count == PS_EXPR_NODES_MAX)
        return ps_expr_fail(p->error, begin, "the expression has more than %d parts",
                            PS_EXPR_NODES_MAX - 1);
    *index = tree->node_count++;
    tree->node[*index] = (ps_node){.kind = kind, .begin = begin, .end = p->token.end};
    return PS_OK;
}

/* Joins *node and `right` under a new node, which becomes *node. */
static ps_status join(parser *p, ps_node_kind kind, uint32_t operation, uint32_t *node,
                      uint32_t right) {
    const uint32_t left = *node;
    PS_TRY(add(p, kind, p->tree->node[left].begin, node));
    ps_node *joined = &p->tree->node[*node];
    joined->operation = operation;
    joined->left = left;
    joined->right = right;
    joined->end = p->tree->node[right == 0 ? left : right].end;
    return PS_OK;
}

static ps_status enter(parser *p) {
    if (p->depth++ == PS_EXPR_DEPTH_MAX)
        return ps_expr_fail(p->error, p->token.begin, "nested deeper than %d levels",
                            PS_EXPR_DEPTH_MAX);
    return PS_OK;
}

static ps_status parse_number(parser *p, uint32_t *node) {
    PS_TRY(add(p, PS_NODE_INTEGER, p->token.begin, node));
    ps_node *literal = &p->tree->node[*node];
    char text[400];
    const uint32_t length = p->token.end - p->token.begin;
    if (length < sizeof text) {
        memcpy(text, p->tree->source + p->token.begin, length);
        text[length] = '\0';
        literal->type = PS_VALUE_INTEGER;
        if (ps_text_integer(text, &literal->value.integer)) return advance(p);
        literal->kind = PS_NODE_FLOAT;
        literal->type = PS_VALUE_FLOAT;
        if (ps_text_number(text, &literal->value.number)) return advance(p);
    }
    return ps_expr_fail(p->error, p->token.begin, "the number is out of range");
}

static ps_status parse_text(parser *p, ps_node_kind kind, uint32_t *node) {
    PS_TRY(add(p, kind, p->token.begin, node));
    p->tree->node[*node].text = p->token.text;
    p->tree->node[*node].length = p->token.length;
    p->tree->node[*node].type = PS_VALUE_TEXT;
    return advance(p);
}

static ps_status parse_primary(parser *p, uint32_t *node) {
    if (at_word(p, "(")) {
        const uint32_t begin = p->token.begin;
        PS_TRY(enter(p));
        PS_TRY(advance(p));
        PS_TRY(parse_or(p, node));
        p->depth--;
        p->tree->node[*node].begin = begin;
        p->tree->node[*node].end = p->token.end;
        return take(p, ")", "a closing parenthesis");
    }
    if (p->token.kind == PS_TOKEN_NUMBER) return parse_number(p, node);
    if (p->token.kind == PS_TOKEN_TEXT) return parse_text(p, PS_NODE_TEXT, node);
    if (p->token.kind == PS_TOKEN_NAME) return parse_text(p, PS_NODE_COLUMN, node);
    if (at_word(p, "null")) {
        PS_TRY(add(p, PS_NODE_NULL, p->token.begin, node));
        return advance(p);
    }
    if (!at_word(p, "true") && !at_word(p, "false")) return expected(p, "a name or a value");
    PS_TRY(add(p, PS_NODE_INTEGER, p->token.begin, node));
    p->tree->node[*node].type = PS_VALUE_BOOL;
    p->tree->node[*node].value.integer = at_word(p, "true");
    return advance(p);
}

/* -3 is a literal too, so that comparisons with it are as fast. No literal is INT64_MIN. */
static bool negate_literal(ps_node *node) {
    if (node->kind == PS_NODE_FLOAT)
        node->value.number = -node->value.number;
    else if (node->kind != PS_NODE_INTEGER || node->type != PS_VALUE_INTEGER)
        return false;
    else
        node->value.integer = -node->value.integer;
    return true;
}

static ps_status parse_unary(parser *p, uint32_t *node) {
    if (at_word(p, "+")) PS_TRY(advance(p));
    if (!at_word(p, "-")) return parse_primary(p, node);
    const uint32_t begin = p->token.begin;
    PS_TRY(enter(p));
    PS_TRY(advance(p));
    PS_TRY(parse_unary(p, node));
    if (!negate_literal(&p->tree->node[*node])) PS_TRY(join(p, PS_NODE_NEGATE, 0, node, 0));
    p->tree->node[*node].begin = begin;
    p->depth--;
    return PS_OK;
}

static ps_status parse_product(parser *p, uint32_t *node) {
    PS_TRY(parse_unary(p, node));
    while (at_word(p, "*") || at_word(p, "/")) {
        const uint32_t operation = (uint32_t)p->token.word[0];
        uint32_t right;
        PS_TRY(advance(p));
        PS_TRY(parse_unary(p, &right));
        PS_TRY(join(p, PS_NODE_ARITHMETIC, operation, node, right));
    }
    return PS_OK;
}

static ps_status parse_sum(parser *p, uint32_t *node) {
    PS_TRY(parse_product(p, node));
    while (at_word(p, "+") || at_word(p, "-")) {
        const uint32_t operation = (uint32_t)p->token.word[0];
        uint32_t right;
        PS_TRY(advance(p));
        PS_TRY(parse_product(p, &right));
        PS_TRY(join(p, PS_NODE_ARITHMETIC, operation, node, right));
    }
    return PS_OK;
}

/* The orderings for which the sign at hand is true; 0: it is no comparison. */
static uint32_t comparison(const parser *p) {
    static const struct {
        const char *word;
        uint32_t orderings;
    } signs[] = {{"=", PS_WHERE_EQUAL},
                 {"!=", PS_WHERE_LESS | PS_WHERE_GREATER},
                 {"<>", PS_WHERE_LESS | PS_WHERE_GREATER},
                 {"<", PS_WHERE_LESS},
                 {"<=", PS_WHERE_LESS | PS_WHERE_EQUAL},
                 {">", PS_WHERE_GREATER},
                 {">=", PS_WHERE_GREATER | PS_WHERE_EQUAL}};
    for (uint32_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (at_word(p, signs[i].word)) return signs[i].orderings;
    return 0;
}

/* The items behind `in`. */
static ps_status parse_items(parser *p, uint32_t negated, uint32_t *node) {
    PS_TRY(take(p, "(", "an opening parenthesis"));
    uint32_t first = 0, last = 0;
    PS_TRY(enter(p));
    do {
        uint32_t item;
        if (first != 0) PS_TRY(advance(p));
        PS_TRY(parse_sum(p, &item));
        if (first == 0)
            first = item;
        else
            p->tree->node[last].next = item;
        last = item;
    } while (at_word(p, ","));
    p->depth--;
    PS_TRY(join(p, PS_NODE_IN, negated, node, first));
    p->tree->node[*node].end = p->token.end;
    return take(p, ")", "a comma or a closing parenthesis");
}

static ps_status parse_is(parser *p, uint32_t *node) {
    while (at_word(p, "is")) {
        PS_TRY(advance(p));
        const uint32_t negated = at_word(p, "not");
        if (negated) PS_TRY(advance(p));
        if (!at_word(p, "null")) return expected(p, "null");
        PS_TRY(join(p, PS_NODE_IS_NULL, negated, node, 0));
        p->tree->node[*node].end = p->token.end;
        PS_TRY(advance(p));
    }
    return PS_OK;
}

static ps_status parse_comparison(parser *p, uint32_t *node) {
    PS_TRY(parse_sum(p, node));
    const uint32_t orderings = comparison(p);
    const uint32_t negated = at_word(p, "not");
    if (orderings != 0) {
        uint32_t right;
        PS_TRY(advance(p));
        PS_TRY(parse_sum(p, &right));
        PS_TRY(join(p, PS_NODE_COMPARE, orderings, node, right));
    } else if (negated || at_word(p, "in")) {
        if (negated) PS_TRY(advance(p));
        PS_TRY(take(p, "in", "in"));
        PS_TRY(parse_items(p, negated, node));
    }
    PS_TRY(parse_is(p, node));
    if (comparison(p) != 0)
        return ps_expr_fail(p->error, p->token.begin,
                            "comparisons do not chain: join two with `and`");
    return PS_OK;
}

static ps_status parse_not(parser *p, uint32_t *node) {
    if (!at_word(p, "not")) return parse_comparison(p, node);
    const uint32_t begin = p->token.begin;
    PS_TRY(enter(p));
    PS_TRY(advance(p));
    PS_TRY(parse_not(p, node));
    PS_TRY(join(p, PS_NODE_NOT, 0, node, 0));
    p->tree->node[*node].begin = begin;
    p->depth--;
    return PS_OK;
}

static ps_status parse_and(parser *p, uint32_t *node) {
    PS_TRY(parse_not(p, node));
    while (at_word(p, "and")) {
        uint32_t right;
        PS_TRY(advance(p));
        PS_TRY(parse_not(p, &right));
        PS_TRY(join(p, PS_NODE_AND, 0, node, right));
    }
    return PS_OK;
}

static ps_status parse_or(parser *p, uint32_t *node) {
    PS_TRY(parse_and(p, node));
    while (at_word(p, "or")) {
        uint32_t right;
        PS_TRY(advance(p));
        PS_TRY(parse_and(p, &right));
        PS_TRY(join(p, PS_NODE_OR, 0, node, right));
    }
    return PS_OK;
}

ps_status ps_expr_parse(ps_expr_tree *tree, const char *text, ps_error *error) {
    const size_t length = strlen(text);
    if (length >= PS_EXPR_BYTES_MAX)
        return ps_expr_fail(error, 0, "the expression is longer than %d bytes",
                            PS_EXPR_BYTES_MAX - 1);
    tree->source = text;
    tree->length = (uint32_t)length;
    tree->node_count = 1;
    tree->byte_count = 0;
    parser p = {.tree = tree, .error = error};
    PS_TRY(advance(&p));
    PS_TRY(parse_or(&p, &tree->root));
    if (p.token.kind != PS_TOKEN_END) return expected(&p, "and, or, an operator or the end");
    return PS_OK;
}
