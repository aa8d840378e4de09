/* SPDX-License-Identifier: Apache-2.0
 * A YAML file as a small tree that remembers where everything stood. The library that parses it
 * stays inside yaml.c.
 */
#ifndef PS_HOST_CLI_YAML_H
#define PS_HOST_CLI_YAML_H

#include <stdbool.h>

#include "host/cli/faults.h"

typedef enum ps_node_kind { PS_NODE_NULL, PS_NODE_SCALAR, PS_NODE_LIST, PS_NODE_MAP } ps_node_kind;

typedef struct ps_node ps_node;

/* One entry of a list or map; duplicates are kept, so that they can be reported. */
typedef struct ps_item {
    const char *key; /* NULL in a list */
    ps_spot place;   /* of the key */
    ps_node *value;
    struct ps_item *next;
} ps_item;

struct ps_node {
    ps_node_kind kind;
    ps_spot place;
    const char *text; /* of a scalar */
    bool quoted, expanded;
    bool broken; /* a fault says why; what is made of it need not be checked */
    ps_item *first, *last;
    uint32_t count;
    uint32_t weight; /* nodes below and this one, an alias counting as all that it stands for */
};

/* The tree of `text`; NULL after a fault was added. An empty one is a PS_NODE_NULL. */
ps_node *ps_yaml_parse(const char *text, size_t length, const char *origin, ps_faults *faults);

/* The value of a key, NULL where absent; the last one where it is there twice. */
ps_node *ps_node_get(const ps_node *map, const char *key);
ps_item *ps_node_item(const ps_node *map, const char *key);
void ps_node_append(ps_node *to, ps_item *item);
ps_node *ps_node_new(ps_pool *pool, ps_node_kind kind, ps_spot place);

/* "a list", "a map", "text", "nothing": for messages. */
const char *ps_node_kind_text(const ps_node *node);

/* Replaces ${ENV} and ${ENV:-default} in every scalar value below `node`. `$${` stands for a
 * literal `${`. */
void ps_node_expand(ps_node *node, ps_faults *faults);

/* `a.b.0.c=value` of --set: walks and makes what is missing, then replaces. `is_map` says which
 * keys hold free-form names: what follows them is one key, dots included. */
typedef bool ps_is_map_fn(const char *key);
void ps_node_set(ps_node *root, const char *assignment, ps_is_map_fn *is_map, ps_faults *faults);

#endif
