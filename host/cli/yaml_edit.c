/* SPDX-License-Identifier: Apache-2.0
 * What happens to a tree between the file and its meaning: --set, then ${ENV}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"
#include "host/cli/yaml.h"

enum { NAME_BYTES = 128, REFERENCES_MAX = 256 };

/* The end of "${NAME…}": quotes and nesting have no meaning inside. NULL where it is not closed. */
static const char *expand_one(const ps_node *node, const char *at, const char **value,
                              ps_faults *faults) {
    const char *close = strchr(at, '}');
    const size_t length = strcspn(at + 2, ":}");
    if (close == NULL || length == 0 || length >= NAME_BYTES || at + 2 + length > close) {
        ps_fault_add(faults, node->place,
                     "'${' without a name and '}': write ${NAME} or ${NAME:-default}");
        return NULL;
    }
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%.*s", (int)length, at + 2);
    const char *behind = at + 2 + length;
    *value = getenv(name);
    if (strncmp(behind, ":-", 2) == 0) {
        if (*value == NULL || **value == '\0')
            *value = ps_pool_text(faults->pool, behind + 2, (size_t)(close - behind - 2));
    } else if (*behind == ':') {
        ps_fault_add(faults, node->place, "'${%s:…}' is not known: write ${%s:-default}", name,
                     name);
        return NULL;
    } else if (*value == NULL) {
        ps_fault_add(faults, node->place,
                     "environment variable %s is not set; ${%s:-default} gives it a default", name,
                     name);
        return NULL;
    }
    return close + 1;
}

static void expand_scalar(ps_node *node, ps_faults *faults) {
    const char *at = node->text;
    const char *text = "";
    uint32_t count = 0;
    for (const char *dollar; (dollar = strstr(at, "${")) != NULL;) {
        if (count++ == REFERENCES_MAX) {
            ps_fault_add(faults, node->place, "more than 256 '${' in one value");
            node->broken = true;
            return;
        }
        const bool escaped = dollar > at && dollar[-1] == '$';
        const int before = (int)(dollar - at) - escaped;
        const char *value = "${", *rest = dollar + 2;
        if (!escaped) rest = expand_one(node, dollar, &value, faults);
        node->broken = rest == NULL;
        if (node->broken) return;
        text = ps_pool_format(faults->pool, "%s%.*s%s", text, before, at, value);
        at = rest;
    }
    if (at != node->text) node->text = ps_pool_format(faults->pool, "%s%s", text, at);
}

void ps_node_expand(ps_node *node, ps_faults *faults) {
    /* Aliases share nodes: each is visited once, or ten lists of ten aliases never end. */
    if (node->expanded) return;
    node->expanded = true;
    if (node->kind == PS_NODE_SCALAR) expand_scalar(node, faults);
    for (ps_item *item = node->first; item != NULL; item = item->next)
        ps_node_expand(item->value, faults);
}

static ps_item *list_item(const ps_node *list, const char *index) {
    char *end = NULL;
    const unsigned long wanted = strtoul(index, &end, 10);
    if (*end != '\0' || end == index) return NULL;
    ps_item *item = list->first;
    for (unsigned long i = 0; i < wanted && item != NULL; i++) item = item->next;
    return item;
}

/* The entry `key` of a node, made where it is missing. */
static ps_item *step(ps_node *node, const char *key, ps_spot place, ps_faults *faults) {
    if (node->kind == PS_NODE_NULL) node->kind = PS_NODE_MAP;
    if (node->kind == PS_NODE_SCALAR) {
        ps_fault_add(faults, place, "what stands before '%s' is a single value", key);
        return NULL;
    }
    ps_item *item = node->kind == PS_NODE_LIST ? list_item(node, key) : ps_node_item(node, key);
    if (item != NULL) return item;
    char *end = NULL;
    if (node->kind == PS_NODE_LIST && strtoul(key, &end, 10) != node->count) {
        ps_fault_add(faults, place,
                     "'%s' is not an index of a list with %u entries (the first is 0)", key,
                     node->count);
        return NULL;
    }
    item = ps_pool_take(faults->pool, sizeof *item);
    item->key = node->kind == PS_NODE_LIST ? NULL : key;
    item->place = place;
    item->value = ps_node_new(faults->pool, PS_NODE_NULL, place);
    ps_node_append(node, item);
    return item;
}

void ps_node_set(ps_node *root, const char *assignment, ps_is_map_fn *is_map, ps_faults *faults) {
    const char *equals = strchr(assignment, '=');
    const bool hidden = equals != NULL && ps_secret_is_in(assignment);
    const ps_spot place = {
        0, 0,
        ps_pool_format(faults->pool, "--set %.*s",
                       hidden ? (int)(equals - assignment) : (int)strlen(assignment), assignment)};
    if (equals == NULL || equals == assignment) {
        ps_fault_add(faults, place, "wants a path and a value: --set runtime.lanes=2");
        return;
    }
    char *path = ps_pool_text(faults->pool, assignment, (size_t)(equals - assignment));
    ps_node *value = ps_yaml_parse(equals + 1, strlen(equals + 1), place.origin, faults);
    if (value == NULL) return;
    ps_node *node = root;
    ps_item *item = NULL;
    bool free_form = false;
    while (path != NULL) {
        const char *key = path;
        path = free_form ? NULL : strchr(path, '.');
        if (path != NULL) *path++ = '\0';
        item = step(node, key, place, faults);
        if (item == NULL) return;
        node = item->value;
        free_form = item->key != NULL && is_map(item->key);
    }
    item->place = place;
    item->value = value;
}
