/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/options.h"

#include <stdio.h>
#include <string.h>

#include "host/base/check.h"
#include "host/base/text.h"

const ps_option *ps_option_find(const ps_option *options, const char *name) {
    for (; options->name != NULL; options++)
        if (strcmp(options->name, name) == 0) return options;
    return NULL;
}

static void *member(const ps_option *option, void *config) {
    return (uint8_t *)config + option->at;
}

/* A number of the option's kind, as the user would write it. */
static const char *number_text(const ps_option *option, double value, char *text) {
    switch (option->type) {
    case PS_OPTION_DURATION:
        return ps_text_from_duration((int64_t)value, text);
    case PS_OPTION_SIZE:
        return ps_text_from_size((int64_t)value, text);
    case PS_OPTION_INTEGER:
        (void)snprintf(text, PS_TEXT_NUMBER_MAX, "%.0f", value);
        return text;
    default:
        (void)snprintf(text, PS_TEXT_NUMBER_MAX, "%.15g", value);
        return text;
    }
}

static bool bounded(const ps_option *option) {
    return option->min != 0 || option->max != 0;
}

static ps_status check_range(const ps_option *option, const char *text, double value,
                             ps_error *error) {
    if (!bounded(option) || (value >= option->min && value <= option->max)) return PS_OK;
    char min[PS_TEXT_NUMBER_MAX], max[PS_TEXT_NUMBER_MAX];
    return ps_fail(error, PS_BAD_CONFIG, "'%s' is out of range: %s to %s", text,
                   number_text(option, option->min, min), number_text(option, option->max, max));
}

static ps_status expected(const ps_option *option, const char *text, ps_error *error) {
    char accepts[PS_OPTION_TEXT_MAX];
    return ps_fail(error, PS_BAD_CONFIG, "'%s' is not a %s", text,
                   ps_option_accepts(option, accepts));
}

static ps_status parse_choice(const ps_option *option, const char *text, void *at,
                              ps_error *error) {
    if (ps_words_find(option->choices, text, at)) return PS_OK;
    char word[PS_TEXT_NUMBER_MAX];
    ps_nearest nearest = ps_nearest_to(text);
    char best[PS_TEXT_NUMBER_MAX] = "";
    size_t length = 0;
    const char *words = NULL;
    for (uint32_t i = 0; (words = ps_words_at(option->choices, i, &length)) != NULL; i++) {
        (void)snprintf(word, sizeof word, "%.*s", (int)length, words);
        ps_nearest_offer(&nearest, word);
        if (nearest.best != word) continue;
        (void)snprintf(best, sizeof best, "%s", word);
        nearest.best = best;
    }
    const char *meant = ps_nearest_take(&nearest);
    char accepts[PS_OPTION_TEXT_MAX];
    return ps_fail(error, PS_BAD_CONFIG, "'%s' is not one of %s%s%s%s", text,
                   ps_option_accepts(option, accepts), meant == NULL ? "" : "; did you mean '",
                   meant == NULL ? "" : meant, meant == NULL ? "" : "'?");
}

static ps_status parse_integer(const ps_option *option, const char *text, int64_t *at,
                               ps_error *error) {
    if ((option->flags & PS_OPTION_AUTO) != 0 && strcmp(text, "auto") == 0) {
        *at = 0;
        return PS_OK;
    }
    int64_t value = 0;
    const bool ok = option->type == PS_OPTION_INTEGER    ? ps_text_integer(text, &value)
                    : option->type == PS_OPTION_DURATION ? ps_text_duration(text, &value)
                                                         : ps_text_size(text, &value);
    if (!ok) return expected(option, text, error);
    PS_TRY(check_range(option, text, (double)value, error));
    *at = value;
    return PS_OK;
}

static ps_status parse_number(const ps_option *option, const char *text, double *at,
                              ps_error *error) {
    double value = 0;
    if (!ps_text_number(text, &value)) return expected(option, text, error);
    PS_TRY(check_range(option, text, value, error));
    *at = value;
    return PS_OK;
}

ps_status ps_option_parse(const ps_option *option, const char *text, void *config,
                          ps_error *error) {
    void *at = member(option, config);
    switch (option->type) {
    case PS_OPTION_STRING:
        *(const char **)at = text;
        return PS_OK;
    case PS_OPTION_INTEGER:
    case PS_OPTION_DURATION:
    case PS_OPTION_SIZE:
        return parse_integer(option, text, at, error);
    case PS_OPTION_NUMBER:
        return parse_number(option, text, at, error);
    case PS_OPTION_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return expected(option, text, error);
        *(bool *)at = text[0] == 't';
        return PS_OK;
    case PS_OPTION_CHOICE:
        return parse_choice(option, text, at, error);
    case PS_OPTION_LIST:
    case PS_OPTION_MAP:
    case PS_OPTION_FIELDS:
        break;
    }
    return expected(option, text, error);
}

static bool is_scalar(const ps_option *option) {
    return option->type != PS_OPTION_LIST && option->type != PS_OPTION_MAP &&
           option->type != PS_OPTION_FIELDS;
}

void ps_options_preset(const ps_option *options, void *config) {
    for (; options->name != NULL; options++) {
        if (options->preset == NULL || !is_scalar(options)) continue;
        ps_error error;
        const ps_status status = ps_option_parse(options, options->preset, config, &error);
        PS_CHECK_OP(status, ==, PS_OK);
    }
}

static const char *type_text(const ps_option *option) {
    switch (option->type) {
    case PS_OPTION_STRING:
        return "text";
    case PS_OPTION_INTEGER:
        return "whole number";
    case PS_OPTION_NUMBER:
        return "number";
    case PS_OPTION_BOOL:
        return "true or false";
    case PS_OPTION_DURATION:
        return "duration such as 5ms";
    case PS_OPTION_SIZE:
        return "size such as 64MiB";
    case PS_OPTION_LIST:
        return "list";
    case PS_OPTION_MAP:
        return "map of names to values";
    case PS_OPTION_FIELDS:
        return "map of fields to types";
    case PS_OPTION_CHOICE:
        break;
    }
    return "word";
}

/* "a|b|c" as "a, b, c". */
static void put_words(const char *words, char *text, size_t bytes) {
    size_t used = 0;
    for (; *words != '\0' && used + 3 < bytes; words++) {
        text[used++] = *words == '|' ? ',' : *words;
        if (*words == '|') text[used++] = ' ';
    }
    text[used] = '\0';
}

const char *ps_option_accepts(const ps_option *option, char *text) {
    if (option->type == PS_OPTION_CHOICE) {
        put_words(option->choices, text, PS_OPTION_TEXT_MAX);
        return text;
    }
    char min[PS_TEXT_NUMBER_MAX], max[PS_TEXT_NUMBER_MAX], words[PS_OPTION_TEXT_MAX / 2] = "";
    const bool range = bounded(option);
    /* A bound that nobody comes near would only be hard to read. */
    const bool open = option->type == PS_OPTION_INTEGER && option->max >= 1e15;
    if (option->choices != NULL) put_words(option->choices, words, sizeof words);
    (void)snprintf(text, PS_OPTION_TEXT_MAX, "%s%s%s%s%s%s%s%s", type_text(option),
                   words[0] == '\0' ? "" : " of ", words, range ? ", " : "",
                   range ? number_text(option, option->min, min) : "",
                   !range ? ""
                   : open ? " or more"
                          : " to ",
                   range && !open ? number_text(option, option->max, max) : "",
                   (option->flags & PS_OPTION_AUTO) != 0 ? ", or auto" : "");
    return text;
}

static void put_list(const ps_string_list *list, char *text) {
    size_t used = 0;
    text[used++] = '[';
    for (uint32_t i = 0; i < list->count && used + 4 < PS_OPTION_TEXT_MAX; i++) {
        const int written = snprintf(text + used, PS_OPTION_TEXT_MAX - used - 2, "%s%s",
                                     i == 0 ? "" : ", ", list->at[i]);
        used += (size_t)written;
        if (used > PS_OPTION_TEXT_MAX - 3) used = PS_OPTION_TEXT_MAX - 3;
    }
    (void)snprintf(text + used, PS_OPTION_TEXT_MAX - used, "]");
}

static void put_fields(const ps_field_list *fields, char *text) {
    static const char *const types[] = {"string", "float", "int", "bool", "timestamp"};
    size_t used = 0;
    for (uint32_t i = 0; i < fields->count && used < PS_OPTION_TEXT_MAX - 1; i++)
        used +=
            (size_t)snprintf(text + used, PS_OPTION_TEXT_MAX - used, "%s%s: %s",
                             i == 0 ? "{" : ", ", fields->at[i].name, types[fields->at[i].type]);
    if (used > 0 && used < PS_OPTION_TEXT_MAX - 1) (void)snprintf(text + used, 2, "}");
}

/* Names alone where values may be secrets. */
static void put_map(const ps_option *option, const ps_string_map *map, char *text) {
    const bool hidden = (option->flags & PS_OPTION_SECRET) != 0;
    size_t used = 0;
    for (uint32_t i = 0; i < map->count && used < PS_OPTION_TEXT_MAX - 1; i++)
        used += (size_t)snprintf(text + used, PS_OPTION_TEXT_MAX - used, "%s%s: %s",
                                 i == 0 ? "{" : ", ", map->at[i].name,
                                 hidden ? "(secret)" : map->at[i].value);
    if (used > 0 && used < PS_OPTION_TEXT_MAX - 1) (void)snprintf(text + used, 2, "}");
}

static const char *put(char *text, const char *from) {
    (void)snprintf(text, PS_OPTION_TEXT_MAX, "%s", from);
    return text;
}

const char *ps_option_value(const ps_option *option, const void *config, char *text) {
    const void *at = (const uint8_t *)config + option->at;
    const int64_t integer = option->type == PS_OPTION_INTEGER ||
                                    option->type == PS_OPTION_DURATION ||
                                    option->type == PS_OPTION_SIZE
                                ? *(const int64_t *)at
                                : 1;
    text[0] = '\0';
    if ((option->flags & PS_OPTION_AUTO) != 0 && integer == 0) return put(text, "auto");
    switch (option->type) {
    case PS_OPTION_STRING: {
        const char *value = *(const char *const *)at;
        const bool hidden = (option->flags & PS_OPTION_SECRET) != 0 && value != NULL;
        (void)snprintf(text, PS_OPTION_TEXT_MAX, "%s",
                       hidden          ? "(secret)"
                       : value == NULL ? ""
                                       : value);
        break;
    }
    case PS_OPTION_INTEGER:
        (void)snprintf(text, PS_OPTION_TEXT_MAX, "%lld", (long long)integer);
        break;
    case PS_OPTION_DURATION:
        return ps_text_from_duration(integer, text);
    case PS_OPTION_SIZE:
        return ps_text_from_size(integer, text);
    case PS_OPTION_NUMBER:
        (void)snprintf(text, PS_OPTION_TEXT_MAX, "%.15g", *(const double *)at);
        break;
    case PS_OPTION_BOOL:
        return put(text, *(const bool *)at ? "true" : "false");
    case PS_OPTION_CHOICE: {
        size_t length = 0;
        const char *word = ps_words_at(option->choices, *(const uint32_t *)at, &length);
        if (word != NULL) (void)snprintf(text, PS_OPTION_TEXT_MAX, "%.*s", (int)length, word);
        break;
    }
    case PS_OPTION_LIST:
        put_list(at, text);
        break;
    case PS_OPTION_MAP:
        put_map(option, at, text);
        break;
    case PS_OPTION_FIELDS:
        put_fields(at, text);
        break;
    }
    return text;
}
