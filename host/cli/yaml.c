/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/yaml.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "host/cli/yaml_mask.h"
#include "ingest/scan.h"

enum { DEPTH_MAX = 24, ANCHORS_MAX = 64, ENTRIES_MAX = 16384, WEIGHT_MAX = 262144 };

typedef struct reader {
    struct fy_parser *parser;
    const char *origin;
    ps_faults *faults;
    struct {
        const char *name;
        ps_node *node;
    } anchor[ANCHORS_MAX];
    uint32_t anchor_count;
    bool failed;
} reader;

ps_node *ps_node_new(ps_pool *pool, ps_node_kind kind, ps_spot place) {
    ps_node *node = ps_pool_take(pool, sizeof *node);
    node->kind = kind;
    node->weight = 1;
    node->place = place;
    return node;
}

void ps_node_append(ps_node *to, ps_item *item) {
    item->next = NULL;
    if (to->last == NULL)
        to->first = item;
    else
        to->last->next = item;
    to->last = item;
    to->count++;
    /* Of two weights below the limit, or one: it cannot overflow. */
    to->weight += item->value->weight;
}

ps_item *ps_node_item(const ps_node *map, const char *key) {
    ps_item *found = NULL;
    if (map == NULL || map->kind != PS_NODE_MAP) return NULL;
    for (ps_item *item = map->first; item != NULL; item = item->next)
        if (strcmp(item->key, key) == 0) found = item;
    return found;
}

ps_node *ps_node_get(const ps_node *map, const char *key) {
    const ps_item *item = ps_node_item(map, key);
    return item == NULL ? NULL : item->value;
}

const char *ps_node_kind_text(const ps_node *node) {
    static const char *const texts[] = {"nothing", "a single value", "a list", "a map"};
    return texts[node->kind];
}

static ps_spot place_of(const reader *in, struct fy_event *event) {
    const struct fy_mark *mark = fy_event_start_mark(event);
    ps_spot place = {0, 0, in->origin};
    if (mark == NULL) return place;
    place.line = (uint32_t)mark->line + 1;
    place.column = (uint32_t)mark->column + 1;
    return place;
}

static void fail_at(reader *in, ps_spot place, const char *message) {
    if (!in->failed) ps_fault_add(in->faults, place, "%s", message);
    in->failed = true;
}

static const char *token_text(const reader *in, struct fy_token *token) {
    size_t length = 0;
    const char *text = token == NULL ? NULL : fy_token_get_text(token, &length);
    char *copy = ps_pool_text(in->faults->pool, text, text == NULL ? 0 : length);
    ps_yaml_unmask(copy);
    return copy;
}

static void remember(reader *in, struct fy_token *anchor, ps_node *node) {
    if (anchor == NULL) return;
    if (in->anchor_count == ANCHORS_MAX) {
        fail_at(in, node->place, "too many anchors: 64 at most");
        return;
    }
    in->anchor[in->anchor_count].name = token_text(in, anchor);
    in->anchor[in->anchor_count++].node = node;
}

static ps_node *read_alias(reader *in, struct fy_event *event) {
    const char *name = token_text(in, event->alias.anchor);
    for (uint32_t i = in->anchor_count; i-- > 0;)
        if (strcmp(in->anchor[i].name, name) == 0) return in->anchor[i].node;
    fail_at(in, place_of(in, event), "alias to an anchor that is not defined before it");
    return NULL;
}

static ps_node *read_scalar(reader *in, struct fy_event *event) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    ps_node *node = ps_node_new(in->faults->pool, PS_NODE_SCALAR, place_of(in, event));
    struct fy_token *token = event->scalar.value;
    node->text = token_text(in, token);
    const enum fy_scalar_style style = token == NULL ? FYSS_PLAIN : fy_token_scalar_style(token);
    node->quoted = style != FYSS_PLAIN;
    /* The library's mark stands behind the quote; people look for the quote. */
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) node->place.column--;
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0] && !node->quoted; i++)
        if (strcmp(node->text, nulls[i]) == 0) node->kind = PS_NODE_NULL;
    remember(in, event->scalar.anchor, node);
    return node;
}

static struct fy_event *next_event(reader *in) {
    return in->failed ? NULL : fy_parser_parse(in->parser);
}

static ps_node *read_node(reader *in, struct fy_event *event, uint32_t depth);

/* The key of a map's next entry, or NULL at its end. */
static const char *read_key(reader *in, struct fy_event *event, ps_spot *place) {
    *place = place_of(in, event);
    if (event->type == FYET_SCALAR) return token_text(in, event->scalar.value);
    fail_at(in, *place, "a key must be plain text");
    return NULL;
}

static void read_children(reader *in, ps_node *node, uint32_t depth) {
    const bool map = node->kind == PS_NODE_MAP;
    const enum fy_event_type end = map ? FYET_MAPPING_END : FYET_SEQUENCE_END;
    for (;;) {
        struct fy_event *event = next_event(in);
        if (event == NULL || event->type == end) {
            fy_parser_event_free(in->parser, event);
            return;
        }
        /* Keys are compared pair by pair: a file must not keep us busy for minutes. */
        if (node->count == ENTRIES_MAX)
            fail_at(in, place_of(in, event), "too many entries: 16384 at most");
        ps_item *item = ps_pool_take(in->faults->pool, sizeof *item);
        if (map) {
            item->key = read_key(in, event, &item->place);
            fy_parser_event_free(in->parser, event);
            event = next_event(in);
        } else {
            item->place = place_of(in, event);
        }
        item->value = event == NULL ? NULL : read_node(in, event, depth + 1);
        fy_parser_event_free(in->parser, event);
        if (in->failed || item->value == NULL) return;
        ps_node_append(node, item);
        /* Aliases of aliases double with every line. */
        if (node->weight > WEIGHT_MAX) fail_at(in, item->place, "too large with all its aliases");
    }
}

/* The node that begins with `event`, which stays the caller's. */
static ps_node *read_node(reader *in, struct fy_event *event, uint32_t depth) {
    if (depth > DEPTH_MAX) {
        fail_at(in, place_of(in, event), "nested too deeply");
        return NULL;
    }
    if (event->type == FYET_ALIAS) return read_alias(in, event);
    if (event->type == FYET_SCALAR) return read_scalar(in, event);
    const bool map = event->type == FYET_MAPPING_START;
    if (!map && event->type != FYET_SEQUENCE_START) return NULL;
    ps_node *node =
        ps_node_new(in->faults->pool, map ? PS_NODE_MAP : PS_NODE_LIST, place_of(in, event));
    read_children(in, node, depth);
    remember(in, map ? event->mapping_start.anchor : event->sequence_start.anchor, node);
    return node;
}

static ps_node *read_stream(reader *in) {
    ps_node *root = NULL;
    uint32_t documents = 0;
    for (struct fy_event *event; (event = next_event(in)) != NULL;) {
        const bool content = event->type == FYET_MAPPING_START ||
                             event->type == FYET_SEQUENCE_START || event->type == FYET_SCALAR ||
                             event->type == FYET_ALIAS;
        if (event->type == FYET_DOCUMENT_START && documents++ > 0)
            fail_at(in, place_of(in, event), "one pipeline a file: this is a second document");
        else if (content)
            root = read_node(in, event, 0);
        fy_parser_event_free(in->parser, event);
    }
    return root;
}

/* A value of --set is YAML too, where [ and { begin lists and maps. */
static const char *syntax_hint(const reader *in) {
    return in->origin == NULL
               ? ""
               : "; a text with signs of YAML wants quotes: --set 'PATH=\"[::1]:9464\"'";
}

static void report_syntax(reader *in, struct fy_diag *diag) {
    void *iterator = NULL;
    const struct fy_diag_error *error = NULL;
    while (!in->failed && (error = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
        const ps_spot place = {(uint32_t)(error->line < 1 ? 1 : error->line),
                               (uint32_t)(error->column < 1 ? 1 : error->column), in->origin};
        fail_at(in, place,
                ps_pool_format(in->faults->pool, "not well-formed YAML: %s%s", error->msg,
                               syntax_hint(in)));
    }
    if (!in->failed && fy_diag_got_error(diag))
        fail_at(in, (ps_spot){1, 1, in->origin}, "not well-formed YAML");
}

/* libfyaml 0.7 never returns from some texts that are not UTF-8. */
static bool is_utf8(const char *text, size_t length, const char *origin, ps_faults *faults) {
    const uint8_t *p = (const uint8_t *)text, *end = p + length;
    ps_spot place = {1, 1, origin};
    while (p < end) {
        const int bytes = ps_scan_utf8(p, end);
        if (bytes <= 0) {
            ps_fault_add(faults, place, "is not UTF-8 text (byte 0x%02x)", *p);
            return false;
        }
        place.column++;
        if (*p == '\n') {
            place.line++;
            place.column = 1;
        }
        p += bytes;
    }
    return true;
}

ps_node *ps_yaml_parse(const char *text, size_t length, const char *origin, ps_faults *faults) {
    if (!is_utf8(text, length, origin, faults)) return NULL;
    text = ps_yaml_mask(faults->pool, text, &length);
    const struct fy_diag_cfg diag_config = {.level = FYET_ERROR, .module_mask = ~0u};
    struct fy_diag *diag = fy_diag_create(&diag_config);
    if (diag == NULL) ps_no_memory_for("the YAML reader");
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_PARSE, .diag = diag};
    reader in = {.parser = fy_parser_create(&config), .origin = origin, .faults = faults};
    if (in.parser == NULL || fy_parser_set_string(in.parser, text, length) != 0)
        ps_no_memory_for("the YAML reader");
    ps_node *root = read_stream(&in);
    report_syntax(&in, diag);
    fy_parser_destroy(in.parser);
    fy_diag_destroy(diag);
    if (in.failed) return NULL;
    if (root == NULL) root = ps_node_new(faults->pool, PS_NODE_NULL, (ps_spot){1, 1, origin});
    return root;
}
