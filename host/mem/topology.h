/* SPDX-License-Identifier: Apache-2.0
 * Which cores and NUMA nodes there are, and which core each lane gets. Through hwloc where it is
 * built in; without it one node with all processors of the affinity mask, and lanes are not pinned.
 */
#ifndef PS_HOST_MEM_TOPOLOGY_H
#define PS_HOST_MEM_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_topology ps_topology;

/* Where a lane runs and where its memory lies. */
typedef struct ps_place {
    uint32_t core; /* logical number, 0 … cores - 1 */
    uint32_t node; /* NUMA node, by hwloc's logical number */
    int os_node;   /* the kernel's number of it, -1: unknown */
} ps_place;

/* `synthetic`: hwloc's description of a machine that is not there ("numa:2 l3:1 core:4 pu:2"), for
 * tests; NULL: this one, as far as the calling thread's affinity mask goes. */
ps_status ps_topology_open(const char *synthetic, ps_topology **out, ps_error *error) PS_MUST_USE;
void ps_topology_close(ps_topology *topology);

uint32_t ps_topology_nodes(const ps_topology *topology);
uint32_t
ps_topology_cores(const ps_topology *topology); /* physical cores that this process may use */
uint32_t ps_topology_threads(const ps_topology *topology);
size_t ps_topology_node_bytes(const ps_topology *topology, uint32_t node); /* 0: unknown */
uint32_t ps_topology_node_cores(const ps_topology *topology, uint32_t node);

/* Of lane `lane` of `lanes`, which holds slot `slot` of its pipeline's on this host. Cores are
 * dealt out node after node in turn, so that few lanes use every node's memory: to lanes by their
 * numbers where they take all cores, else by slots, which differ between the workers of a pipeline.
 */
ps_place ps_topology_place(const ps_topology *topology, uint32_t lane, uint32_t lanes,
                           uint32_t slot);

/* Binds the calling thread, which is that lane: to its place's core where the lanes take all cores,
 * else to all cores of its place's node. False: the system refused or cannot; it runs unbound. */
bool ps_topology_bind(const ps_topology *topology, uint32_t lane, uint32_t lanes, uint32_t slot);

/* The processors that it would be bound to, as a list such as "0-3,8". False: it would not be. */
bool ps_topology_cpus(const ps_topology *topology, uint32_t lane, uint32_t lanes, uint32_t slot,
                      char *text, size_t bytes);

#endif
