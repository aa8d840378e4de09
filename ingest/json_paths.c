/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/json_paths.h"

#include <stdlib.h>

/* A path on its way down the tree. */
typedef struct climber {
    const char *rest; /* what is not in the tree yet; NULL: done */
    uint32_t node;
} climber;

static ps_json_edge *edge_of(ps_json *json, uint32_t at, const char *name, uint32_t length) {
    ps_json_node *parent = &json->node[at];
    for (uint32_t i = 0; i < parent->count; i++) {
        ps_json_edge *e = &json->edge[parent->first + i];
        if (e->length == length && memcmp(e->name, name, length) == 0) return e;
    }
    if (json->edge_count == PS_JSON_EDGES_MAX) return NULL;
    uint8_t start[8] = {0};
    memcpy(start, name, length < 8 ? length : 8);
    ps_json_edge *e = &json->edge[json->edge_count++];
    *e = (ps_json_edge){ps_json_prefix(start, length), length, PS_JSON_NONE, PS_JSON_NONE, name};
    parent->count++;
    parent->lengths |= UINT64_C(1) << (length & 63);
    return e;
}

/* Moves one path below node `at`. */
static ps_status climb(ps_json *json, uint32_t at, const char *path, uint16_t index, climber *way,
                       ps_error *error) {
    const char *name = way->rest, *dot = strchr(name, '.');
    const size_t length = dot == NULL ? strlen(name) : (size_t)(dot - name);
    if (length == 0 || length > PS_JSON_NAME_MAX)
        return ps_fail(
            error, PS_BAD_CONFIG,
            "field path '%.200s' has a name of %zu bytes; each name between dots has 1 to "
            "%d",
            path, length, PS_JSON_NAME_MAX);
    ps_json_edge *e = edge_of(json, at, name, (uint32_t)length);
    if (e == NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "the field paths have more than %d names together; declare fewer fields",
                       PS_JSON_EDGES_MAX);
    if (dot == NULL && e->value == PS_JSON_NONE) {
        e->value = index;
    } else if (dot == NULL) {
        json->alias[json->alias_count].path = index;
        json->alias[json->alias_count++].same_as = e->value;
    } else if (e->child == PS_JSON_NONE) {
        e->child = (uint16_t)json->node_count++;
    }
    way->node = e->child;
    way->rest = dot == NULL ? NULL : dot + 1;
    return PS_OK;
}

ps_status ps_json_open(const char *const *paths, uint32_t count, ps_json **out, ps_error *error) {
    if (count > PS_FIELDS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "%u fields are declared; at most %d can be", count,
                       PS_FIELDS_MAX);
    climber climbers[PS_FIELDS_MAX];
    for (uint32_t i = 0; i < count; i++) climbers[i] = (climber){paths[i], 0};
    ps_json *json = calloc(1, sizeof *json);
    if (json == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the table of fields");
    json->path_count = count;
    json->node_count = 1;
    /* Node by node, so that the names of each lie together. */
    for (uint32_t at = 0; at < json->node_count; at++) {
        json->node[at].first = json->edge_count;
        for (uint32_t i = 0; i < count; i++) {
            if (climbers[i].rest == NULL || climbers[i].node != at) continue;
            const ps_status status = climb(json, at, paths[i], (uint16_t)i, &climbers[i], error);
            if (status == PS_OK) continue;
            free(json);
            return status;
        }
    }
    *out = json;
    return PS_OK;
}

void ps_json_close(ps_json *json) {
    free(json);
}
