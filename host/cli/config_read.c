/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/config_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/text.h"

enum { SECRET_BYTES_MAX = 65536 };

ps_spot ps_spot_of(const ps_node *node, const char *key, ps_spot otherwise) {
    const ps_item *item = ps_node_item(node, key);
    return item == NULL                   ? otherwise
           : item->value->place.line == 0 ? item->place
                                          : item->value->place;
}

void ps_read_duplicates(const ps_node *map, ps_faults *faults) {
    for (const ps_item *item = map->first; item != NULL; item = item->next) {
        for (const ps_item *other = map->first; other != item; other = other->next) {
            if (strcmp(item->key, other->key) != 0) continue;
            ps_fault_add(faults, item->place, "'%s' is here twice; the first is in line %u",
                         item->key, other->place.line);
            break;
        }
    }
}

/* The contents of the file that `file:/path` names, without the line end that editors add. */
static const char *read_secret(const char *path, ps_spot place, const char *name,
                               ps_faults *faults) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        ps_fault_add(faults, place, "%s: cannot read the file '%s': %s", name, path,
                     strerror(errno));
        return NULL;
    }
    char *text = ps_pool_take(faults->pool, SECRET_BYTES_MAX);
    size_t length = fread(text, 1, SECRET_BYTES_MAX - 1, file);
    const bool whole = feof(file) != 0;
    (void)fclose(file);
    if (!whole) {
        ps_fault_add(faults, place, "%s: the file '%s' is longer than a secret may be (64 KiB)",
                     name, path);
        return NULL;
    }
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) length--;
    text[length] = '\0';
    return text;
}

static const char *resolve_secret(const char *text, ps_spot place, const char *name,
                                  ps_faults *faults) {
    return strncmp(text, "file:", 5) == 0 ? read_secret(text + 5, place, name, faults) : text;
}

/* Keys of `properties` whose values may be `file:/path`: librdkafka has its own file: forms for
 * none of them. */
static bool is_secret_name(const char *name) {
    static const char *const ends[] = {"password",         "secret", "key.pem",
                                       "certificate.pem",  "ca.pem", "passphrase",
                                       "oauthbearer.token"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const size_t end = strlen(ends[i]);
        if (length >= end && strcmp(name + length - end, ends[i]) == 0) return true;
    }
    return false;
}

/* An entry of a list that accepts certain words only. */
static void check_word(const ps_option *option, const ps_node *node, ps_faults *faults) {
    if (option->choices == NULL || node->broken) return;
    const ps_option word = {option->name, NULL, "", PS_OPTION_CHOICE, 0, 0, 0, 0, option->choices};
    uint32_t index = 0;
    ps_error error;
    if (ps_option_parse(&word, node->text, &index, &error) != PS_OK)
        ps_fault_add(faults, node->place, "%s: %s", option->name, error.message);
}

static void read_list(const ps_option *option, const ps_node *node, ps_string_list *out,
                      ps_faults *faults) {
    /* A single value is a list of one: `topics: orders`. */
    const bool single = node->kind == PS_NODE_SCALAR;
    if (!single && node->kind != PS_NODE_LIST) {
        ps_fault_add(faults, node->place, "%s: wants a list, this is %s", option->name,
                     ps_node_kind_text(node));
        return;
    }
    const char **at = ps_pool_take(faults->pool, (node->count + 1) * sizeof *at);
    uint32_t count = 0;
    if (single) {
        check_word(option, node, faults);
        at[count++] = node->text;
    }
    for (const ps_item *item = node->first; item != NULL; item = item->next) {
        if (item->value->kind != PS_NODE_SCALAR) {
            ps_fault_add(faults, item->place, "%s: entries are single values", option->name);
            continue;
        }
        check_word(option, item->value, faults);
        at[count++] = item->value->text;
    }
    *out = (ps_string_list){at, count};
}

static void read_map(const ps_option *option, const ps_node *node, ps_string_map *out,
                     ps_faults *faults) {
    if (node->kind != PS_NODE_MAP) {
        ps_fault_add(faults, node->place, "%s: wants a map of names to values, this is %s",
                     option->name, ps_node_kind_text(node));
        return;
    }
    ps_read_duplicates(node, faults);
    ps_string_pair *at = ps_pool_take(faults->pool, (node->count + 1) * sizeof *at);
    uint32_t count = 0;
    for (const ps_item *item = node->first; item != NULL; item = item->next) {
        const ps_node *value = item->value;
        if (value->kind == PS_NODE_LIST || value->kind == PS_NODE_MAP) {
            ps_fault_add(faults, value->place, "%s.%s: wants a single value, this is %s",
                         option->name, item->key, ps_node_kind_text(value));
            continue;
        }
        const char *text = value->kind == PS_NODE_NULL ? "" : value->text;
        if (is_secret_name(item->key)) text = resolve_secret(text, value->place, item->key, faults);
        at[count++] = (ps_string_pair){item->key, text};
    }
    *out = (ps_string_map){at, count};
}

static void read_scalar(const ps_option *option, const ps_node *node, void *out,
                        ps_faults *faults) {
    if (node->kind != PS_NODE_SCALAR) {
        char accepts[PS_OPTION_TEXT_MAX];
        ps_fault_add(faults, node->place, "%s: wants a %s, this is %s", option->name,
                     ps_option_accepts(option, accepts), ps_node_kind_text(node));
        return;
    }
    const char *text = node->text;
    if ((option->flags & PS_OPTION_SECRET) != 0)
        text = resolve_secret(text, node->place, option->name, faults);
    if (text == NULL) return;
    ps_error error;
    if (ps_option_parse(option, text, out, &error) != PS_OK)
        ps_fault_add(faults, node->place, "%s: %s", option->name, error.message);
}

static void read_option(const ps_option *option, const ps_node *node, void *out,
                        ps_faults *faults) {
    void *at = (uint8_t *)out + option->at;
    if (node->broken) return;
    switch (option->type) {
    case PS_OPTION_LIST:
        read_list(option, node, at, faults);
        break;
    case PS_OPTION_MAP:
        read_map(option, node, at, faults);
        break;
    case PS_OPTION_FIELDS:
        ps_read_fields(node, at, faults);
        break;
    default:
        read_scalar(option, node, out, faults);
        break;
    }
}

static void unknown_key(const ps_table *table, const ps_item *item, ps_faults *faults) {
    ps_nearest nearest = ps_nearest_to(item->key);
    for (const ps_option *option = table->options; option->name != NULL; option++)
        ps_nearest_offer(&nearest, option->name);
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        ps_fault_add(faults, item->place, "unknown key '%s' in %s; did you mean '%s'?", item->key,
                     table->what, meant);
    else
        ps_fault_add(faults, item->place, "unknown key '%s' in %s", item->key, table->what);
}

/* "pack" of an option that is called "pack.rows": its part behind the dot, NULL: another one. */
static const char *behind(const ps_option *option, const char *group) {
    const size_t length = strlen(group);
    const bool inside = strncmp(option->name, group, length) == 0 && option->name[length] == '.';
    return inside ? option->name + length + 1 : NULL;
}

static bool is_group(const ps_option *options, const char *key) {
    for (; options->name != NULL; options++)
        if (behind(options, key) != NULL) return true;
    return false;
}

/* `pack: {rows: 100}`: the options that are written below one key. */
static void read_group(const ps_table *table, const ps_item *group, void *out, ps_faults *faults) {
    if (group->value->kind != PS_NODE_MAP) {
        ps_fault_add(faults, group->place, "%s: wants a map of options, this is %s", group->key,
                     ps_node_kind_text(group->value));
        return;
    }
    ps_read_duplicates(group->value, faults);
    for (const ps_item *item = group->value->first; item != NULL; item = item->next) {
        const ps_option *option = table->options;
        ps_nearest nearest = ps_nearest_to(item->key);
        for (; option->name != NULL; option++) {
            const char *name = behind(option, group->key);
            if (name == NULL) continue;
            if (strcmp(name, item->key) == 0) break;
            ps_nearest_offer(&nearest, name);
        }
        const char *meant = option->name != NULL ? NULL : ps_nearest_take(&nearest);
        if (option->name == NULL)
            ps_fault_add(faults, item->place, "unknown key '%s' in %s of %s%s%s%s", item->key,
                         group->key, table->what, meant == NULL ? "" : "; did you mean '",
                         meant == NULL ? "" : meant, meant == NULL ? "" : "'?");
        else if (item->value->kind == PS_NODE_NULL)
            ps_fault_add(faults, item->place, "%s: has no value", option->name);
        else
            read_option(option, item->value, out, faults);
    }
}

/* Presets of lists and maps are YAML like what the user writes. */
static void preset_compounds(const ps_option *options, void *out, ps_faults *faults) {
    for (; options->name != NULL; options++) {
        const bool compound = options->type == PS_OPTION_LIST || options->type == PS_OPTION_MAP;
        if (!compound || options->preset == NULL) continue;
        const ps_node *node =
            ps_yaml_parse(options->preset, strlen(options->preset), "preset", faults);
        if (node != NULL) read_option(options, node, out, faults);
    }
}

bool ps_read_misspelt(const ps_node *map, const char *name, ps_also_fn *known) {
    for (const ps_item *item = map->first; item != NULL; item = item->next) {
        ps_nearest nearest = ps_nearest_to(item->key);
        ps_nearest_offer(&nearest, name);
        if (ps_nearest_take(&nearest) != NULL && (known == NULL || !known(item->key))) return true;
    }
    return false;
}

/* A required option that is neither there nor misspelt. */
static bool is_missing(const ps_table *table, const ps_node *node, const ps_option *option) {
    if ((option->flags & PS_OPTION_REQUIRED) == 0) return false;
    if (node == NULL || node->kind != PS_NODE_MAP) return true;
    if (ps_node_item(node, option->name) != NULL) return false;
    for (const ps_item *item = node->first; item != NULL; item = item->next) {
        if (ps_option_find(table->options, item->key) != NULL) continue;
        ps_nearest nearest = ps_nearest_to(item->key);
        for (const ps_option *row = table->options; row->name != NULL; row++)
            ps_nearest_offer(&nearest, row->name);
        const char *meant = ps_nearest_take(&nearest);
        if (meant != NULL && strcmp(meant, option->name) == 0) return false;
    }
    return true;
}

void ps_read_options(const ps_table *table, const ps_node *node, ps_spot place, void *out,
                     ps_faults *faults) {
    ps_options_preset(table->options, out);
    preset_compounds(table->options, out, faults);
    const bool nothing = node == NULL || node->kind == PS_NODE_NULL;
    if (!nothing && node->kind != PS_NODE_MAP) {
        ps_fault_add(faults, node->place, "%s wants a map of options, this is %s", table->what,
                     ps_node_kind_text(node));
        return;
    }
    if (!nothing) ps_read_duplicates(node, faults);
    for (const ps_item *item = nothing ? NULL : node->first; item != NULL; item = item->next) {
        const ps_option *option = ps_option_find(table->options, item->key);
        if (option != NULL && item->value->kind == PS_NODE_NULL && option->type != PS_OPTION_MAP)
            ps_fault_add(faults, item->place, "%s: has no value", item->key);
        else if (option != NULL && item->value->kind != PS_NODE_NULL)
            read_option(option, item->value, out, faults);
        else if (option == NULL && is_group(table->options, item->key))
            read_group(table, item, out, faults);
        else if (option == NULL && (table->also == NULL || !table->also(item->key)))
            unknown_key(table, item, faults);
    }
    for (const ps_option *option = table->options; option->name != NULL; option++) {
        if (!is_missing(table, node, option)) continue;
        ps_fault_add(faults, place, "%s needs '%s': %s", table->what, option->name, option->help);
    }
}
