/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/tile.h"

#include <inttypes.h>
#include <stdio.h>

#include "host/base/check.h"
#include "host/seal/wide.h"

enum { GROUP = 1000, GROUPS_MAX = 7 };

const char *ps_tile_path(const ps_tile *tile, char path[PS_TILE_PATH_MAX]) {
    char level[12] = "entries";
    uint32_t group[GROUPS_MAX], groups = 0;
    uint64_t left = tile->index;
    PS_CHECK(tile->width > 0 && tile->width <= PS_TILE_WIDTH);
    do {
        group[groups++] = (uint32_t)(left % GROUP);
        left /= GROUP;
    } while (left > 0);
    if (tile->level != PS_TILE_ENTRIES)
        (void)snprintf(level, sizeof level, "%" PRId32, tile->level);
    int used = snprintf(path, PS_TILE_PATH_MAX, "tile/%s", level);
    while (groups-- > 0)
        used += snprintf(path + used, PS_TILE_PATH_MAX - (size_t)used, "/%s%03" PRIu32,
                         groups > 0 ? "x" : "", group[groups]);
    if (tile->width < PS_TILE_WIDTH)
        (void)snprintf(path + used, PS_TILE_PATH_MAX - (size_t)used, ".p/%" PRIu32, tile->width);
    return path;
}

/* A number below `limit` without leading zeros; NULL: none. */
static const char *parse_small(const char *at, uint32_t limit, uint32_t *out) {
    const char *const begin = at;
    for (*out = 0; *at >= '0' && *at <= '9' && *out < limit; at++)
        *out = *out * 10 + (uint32_t)(*at - '0');
    return at == begin || *out >= limit || (*begin == '0' && at - begin > 1) ? NULL : at;
}

static const char *parse_index(const char *at, uint64_t *out) {
    for (*out = 0;; at++) {
        const bool more = *at == 'x';
        uint32_t group = 0;
        at += more;
        for (int i = 0; i < 3; i++, at++) {
            if (*at < '0' || *at > '9') return NULL;
            group = group * 10 + (uint32_t)(*at - '0');
        }
        if (*out > (UINT64_MAX >> PS_TILE_HEIGHT) / GROUP) return NULL;
        *out = *out * GROUP + group;
        if (!more) return at;
        if (*at != '/') return NULL;
    }
}

bool ps_tile_parse(const char *path, ps_tile *out) {
    uint32_t level = 0;
    char again[PS_TILE_PATH_MAX];
    const char *at = path;
    if (strncmp(at, "tile/", 5) != 0) return false;
    at += 5;
    *out = (ps_tile){.level = PS_TILE_ENTRIES, .width = PS_TILE_WIDTH};
    if (strncmp(at, "entries/", 8) == 0) {
        at += 7;
    } else {
        at = parse_small(at, PS_TILE_LEVELS, &level);
        if (at == NULL || *at != '/') return false;
        out->level = (int32_t)level;
    }
    at = parse_index(at + 1, &out->index);
    if (at == NULL) return false;
    if (strncmp(at, ".p/", 3) == 0) {
        at = parse_small(at + 3, PS_TILE_WIDTH, &out->width);
        if (at == NULL || out->width == 0) return false;
    }
    /* One tile, one name: x000/005 is none. */
    return *at == '\0' && strcmp(ps_tile_path(out, again), path) == 0;
}

uint64_t ps_tile_nodes(int32_t level, uint64_t size) {
    const uint32_t shift = level == PS_TILE_ENTRIES ? 0 : (uint32_t)level * PS_TILE_HEIGHT;
    return shift > 63 ? 0 : size >> shift;
}

ps_tile ps_tile_of(int32_t level, uint64_t index, uint64_t size) {
    const uint64_t nodes = ps_tile_nodes(level, size), full = nodes / PS_TILE_WIDTH;
    uint32_t width = index < full ? PS_TILE_WIDTH : 0;
    if (index == full) width = (uint32_t)(nodes % PS_TILE_WIDTH);
    return (ps_tile){.level = level, .width = width, .index = index};
}

ps_growth ps_growth_of(uint64_t size_before, uint64_t size_after) {
    PS_CHECK(size_before <= size_after);
    return (ps_growth){.size_before = size_before,
                       .size_after = size_after,
                       .next = size_before / PS_TILE_WIDTH,
                       .level = PS_TILE_ENTRIES};
}

bool ps_growth_next(ps_growth *growth, ps_tile *out) {
    while (growth->level < PS_TILE_LEVELS) {
        const uint64_t before = ps_tile_nodes(growth->level, growth->size_before);
        *out = ps_tile_of(growth->level, growth->next, growth->size_after);
        /* A level that got nothing has nothing to write, though its last tile may be partial. */
        if (out->width > 0 && before < ps_tile_nodes(growth->level, growth->size_after)) {
            growth->next++;
            return true;
        }
        growth->level++;
        growth->next = ps_tile_nodes(growth->level, growth->size_before) / PS_TILE_WIDTH;
    }
    return false;
}

bool ps_bundle_next(const uint8_t *bytes, size_t length, size_t *at, ps_bytes *entry) {
    if (length - *at < 2) return false;
    const uint32_t size = (uint32_t)ps_wide_get(bytes + *at, 2);
    if (length - *at - 2 < size) return false;
    *entry = (ps_bytes){bytes + *at + 2, size};
    *at += 2 + (size_t)size;
    return true;
}

uint8_t *ps_bundle_put(uint8_t *to, ps_bytes entry) {
    PS_CHECK_OP(entry.length, <=, PS_ENTRY_BYTES_MAX);
    to = ps_wide_put(to, entry.length, 2);
    if (entry.length > 0) memcpy(to, entry.data, entry.length);
    return to + entry.length;
}
