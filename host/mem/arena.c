/* SPDX-License-Identifier: Apache-2.0 */
#include "host/mem/arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "host/base/check.h"

#ifdef PS_HAVE_NUMA
#include <numa.h>
#include <numaif.h>
#endif

enum { SMALL = 64, PAGE = 4096, LARGE_FROM = 64 * 1024, HUGE_PAGE = 2 * 1024 * 1024 };

static bool bind_to(void *base, size_t bytes, int node) {
#ifdef PS_HAVE_NUMA
    if (node < 0 || numa_available() < 0) return false;
    struct bitmask *nodes = numa_allocate_nodemask();
    if (nodes == NULL) return false;
    numa_bitmask_setbit(nodes, (unsigned)node);
    /* Preferred, not bound: a full node must not kill the worker. */
    const long bound = mbind(base, bytes, MPOL_PREFERRED, nodes->maskp, nodes->size + 1, 0);
    numa_free_nodemask(nodes);
    return bound == 0;
#else
    (void)base;
    (void)bytes;
    (void)node;
    return false;
#endif
}

ps_status ps_arena_open(ps_arena *arena, size_t bytes, int node, ps_error *error) {
    memset(arena, 0, sizeof *arena);
    arena->bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    /* MAP_NORESERVE: tables are sized for the worst case; the ceiling, not the kernel, bounds what
     * is touched. */
    void *base = mmap(NULL, arena->bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        memset(arena, 0, sizeof *arena);
        return ps_fail(
            error, PS_NO_MEMORY,
            "cannot map %zu MiB for a lane: %s; lower runtime.memory_max, series_max or lanes",
            bytes >> 20, strerror(errno));
    }
    arena->base = base;
    arena->node = bind_to(base, arena->bytes, node) ? node : -1;
    return PS_OK;
}

void ps_arena_close(ps_arena *arena) {
    if (arena->base != NULL) (void)munmap(arena->base, arena->bytes);
    memset(arena, 0, sizeof *arena);
}

size_t ps_arena_size(size_t bytes) {
    const size_t unit = bytes >= LARGE_FROM ? PAGE : SMALL;
    /* A large part may have to skip up to a page to be aligned. */
    return (bytes + unit - 1) / unit * unit + (unit == PAGE ? PAGE : 0);
}

void *ps_arena_take(ps_arena *arena, size_t bytes) {
    PS_CHECK(!arena->closed);
    const size_t unit = bytes >= LARGE_FROM ? PAGE : SMALL;
    const size_t begin = (arena->used + unit - 1) / unit * unit;
    const size_t length = (bytes + SMALL - 1) / SMALL * SMALL;
    PS_CHECK_OP(begin + length, <=, arena->bytes);
    arena->used = begin + length;
    return arena->base + begin;
}

void ps_arena_huge(const ps_arena *arena, void *part, size_t bytes) {
    /* Only whole huge pages inside the part: its neighbours stay sparse. */
    const uintptr_t begin = ((uintptr_t)part + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    const uintptr_t end = ((uintptr_t)part + bytes) / HUGE_PAGE * HUGE_PAGE;
    PS_CHECK((uint8_t *)part + bytes <= arena->base + arena->bytes);
    /* A refusal costs speed, never correctness. */
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void ps_arena_seal(ps_arena *arena) {
    arena->closed = true;
}
