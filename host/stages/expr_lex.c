/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/stages/expr_tree.h"

ps_status ps_expr_fail(ps_error *error, uint32_t begin, const char *format, ...) {
    char sentence[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return ps_fail(error, PS_BAD_CONFIG, "where:%u: %s", begin + 1, sentence);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Bytes of UTF-8 beyond ASCII count as letters; a dot is part of a name such as `a.b`. */
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool is_name(char c) {
    return is_letter(c) || is_digit(c) || c == '.';
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* 'it''s' or "a name": the quote doubled stands for itself. */
static ps_status quoted(ps_expr_tree *tree, ps_token *token, ps_error *error) {
    const char quote = tree->source[token->begin];
    token->text = tree->byte_count;
    uint32_t at = token->begin + 1;
    for (;; at++) {
        if (at == tree->length)
            return ps_expr_fail(error, token->begin, "the closing %c is missing", quote);
        if (tree->source[at] == quote && tree->source[++at] != quote) break;
        tree->bytes[tree->byte_count++] = tree->source[at];
    }
    token->length = tree->byte_count - token->text;
    token->end = at;
    token->kind = quote == '\'' ? PS_TOKEN_TEXT : PS_TOKEN_NAME;
    if (token->kind == PS_TOKEN_NAME && token->length == 0)
        return ps_expr_fail(error, token->begin, "the name is empty: texts take single quotes");
    return PS_OK;
}

static ps_status number(const ps_expr_tree *tree, ps_token *token, ps_error *error) {
    const char *s = tree->source;
    uint32_t at = token->begin;
    while (is_digit(s[at])) at++;
    if (s[at] == '.' && is_digit(s[at + 1])) at++;
    while (is_digit(s[at])) at++;
    const uint32_t sign = s[at] != '\0' && (s[at + 1] == '+' || s[at + 1] == '-') ? 1 : 0;
    if ((s[at] | 0x20) == 'e' && is_digit(s[at + 1 + sign])) {
        at += 1 + sign;
        while (is_digit(s[at])) at++;
    }
    if (is_name(s[at])) return ps_expr_fail(error, token->begin, "this is not a number");
    token->kind = PS_TOKEN_NUMBER;
    token->end = at;
    return PS_OK;
}

static void word(ps_expr_tree *tree, ps_token *token) {
    static const char *const words[] = {"and", "or", "not", "in", "is", "null", "true", "false"};
    const char *begin = tree->source + token->begin;
    uint32_t length = 0;
    while (is_name(begin[length])) length++;
    token->end = token->begin + length;
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) != length || strncasecmp(words[i], begin, length) != 0) continue;
        token->kind = PS_TOKEN_WORD;
        token->word = words[i];
        return;
    }
    token->kind = PS_TOKEN_NAME;
    token->text = tree->byte_count;
    token->length = length;
    memcpy(tree->bytes + tree->byte_count, begin, length);
    tree->byte_count += length;
}

static ps_status sign(const ps_expr_tree *tree, ps_token *token, ps_error *error) {
    /* The longer of two that begin alike comes first. */
    static const char *const signs[] = {"!=", "<>", "<=", ">=", "=", "<", ">",
                                        "+",  "-",  "*",  "/",  "(", ")", ","};
    const char *begin = tree->source + token->begin;
    for (uint32_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const size_t length = strlen(signs[i]);
        if (strncmp(begin, signs[i], length) != 0) continue;
        token->kind = PS_TOKEN_SIGN;
        token->word = signs[i];
        token->end = token->begin + (uint32_t)length;
        return strncmp(begin, "==", 2) == 0
                   ? ps_expr_fail(error, token->begin, "equality is written with one =")
                   : PS_OK;
    }
    return ps_expr_fail(error, token->begin, "'%c' has no meaning here", *begin);
}

ps_status ps_expr_next(ps_expr_tree *tree, uint32_t at, ps_token *token, ps_error *error) {
    while (is_space(tree->source[at])) at++;
    const char c = tree->source[at];
    *token = (ps_token){.kind = PS_TOKEN_END, .begin = at, .end = at, .word = ""};
    if (c == '\0') return PS_OK;
    if (c == '\'' || c == '"') return quoted(tree, token, error);
    if (is_digit(c) || (c == '.' && is_digit(tree->source[at + 1])))
        return number(tree, token, error);
    if (!is_letter(c)) return sign(tree, token, error);
    word(tree, token);
    return PS_OK;
}
