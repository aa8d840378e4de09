/* SPDX-License-Identifier: Apache-2.0
 * Declared paths as a tree of names: what json.c looks members up in. Private to ingest/json*.c.
 */
#ifndef PS_INGEST_JSON_PATHS_H
#define PS_INGEST_JSON_PATHS_H

#include <string.h>

#include "ingest/json.h"

enum {
    PS_JSON_EDGES_MAX = 256,
    PS_JSON_NONE = 0xffff,
    PS_JSON_NAME_MAX = 255,
    PS_JSON_MEMORY = 64 /* members of a record whose names are remembered */
};

/* One name below a node. */
typedef struct ps_json_edge {
    uint64_t prefix; /* its first 8 bytes, zeros behind a shorter one */
    uint32_t length;
    uint16_t value; /* index of the declared path that ends here, or PS_JSON_NONE */
    uint16_t child; /* node of the names below, or PS_JSON_NONE */
    const char *name;
} ps_json_edge;

/* An object on the way; node 0 is the record itself. */
typedef struct ps_json_node {
    uint64_t lengths; /* bit (length & 63): some name below has that length */
    uint32_t first, count;
} ps_json_node;

/* The n-th name of the last record, quotes and colon included, and where it led. Records of a topic
 * look alike: comparing with what is expected is cheaper than finding where a name ends, because
 * the next position then does not wait for the bytes. */
typedef struct ps_json_memory {
    uint8_t bytes[32];
    uint32_t mask;   /* one bit for each of its bytes; 0: nothing is remembered */
    uint16_t length; /* of the bytes */
    uint16_t node;   /* of the object it stood in */
    const ps_json_edge *edge;
} ps_json_memory;

struct ps_json {
    uint32_t path_count, node_count, edge_count, alias_count;
    ps_json_node node[PS_JSON_EDGES_MAX + 1];
    ps_json_edge edge[PS_JSON_EDGES_MAX]; /* those of a node lie together */
    struct {
        uint16_t path, same_as;
    } alias[PS_FIELDS_MAX]; /* a path that was declared before */
    ps_json_memory memory[PS_JSON_MEMORY];
};

/* Reads 8 bytes at `name`. */
static inline uint64_t ps_json_prefix(const uint8_t *name, uint32_t length) {
    uint64_t prefix;
    memcpy(&prefix, name, 8);
    return length >= 8 ? prefix : prefix & ((UINT64_C(1) << (length * 8)) - 1);
}

/* The member of that name below node `at`, or NULL. */
static inline const ps_json_edge *ps_json_find(const ps_json *json, uint32_t at,
                                               const uint8_t *name, uint32_t length) {
    const ps_json_node *parent = &json->node[at];
    if (((parent->lengths >> (length & 63)) & 1) == 0) return NULL;
    const uint64_t prefix = ps_json_prefix(name, length);
    const ps_json_edge *e = &json->edge[parent->first];
    for (const ps_json_edge *last = e + parent->count; e < last; e++)
        if (e->length == length && e->prefix == prefix &&
            (length <= 8 || memcmp(e->name + 8, name + 8, length - 8) == 0))
            return e;
    return NULL;
}

#endif
