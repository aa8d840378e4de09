/* SPDX-License-Identifier: Apache-2.0 */
#include "host/mem/topology.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef PS_HAVE_HWLOC
#include <hwloc.h>

struct ps_topology {
    hwloc_topology_t hwloc;
    bool synthetic;
};

/* Leaves what the calling thread may run on (taskset, CPUAffinity=, a container's cpuset). Where
 * the system does not tell, that is the whole machine. */
static void restrict_to_mask(hwloc_topology_t hwloc) {
    hwloc_bitmap_t mask = hwloc_bitmap_alloc();
    if (mask != NULL && hwloc_get_cpubind(hwloc, mask, HWLOC_CPUBIND_THREAD) == 0)
        (void)hwloc_topology_restrict(hwloc, mask, 0);
    hwloc_bitmap_free(mask);
}

ps_status ps_topology_open(const char *synthetic, ps_topology **out, ps_error *error) {
    ps_topology *topology = calloc(1, sizeof *topology);
    if (topology == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the topology");
    topology->synthetic = synthetic != NULL;
    if (hwloc_topology_init(&topology->hwloc) != 0) {
        free(topology);
        return ps_fail(error, PS_NO_MEMORY, "hwloc does not start");
    }
    *out = topology;
    if (synthetic != NULL && hwloc_topology_set_synthetic(topology->hwloc, synthetic) != 0) {
        ps_topology_close(topology);
        return ps_fail(error, PS_BAD_CONFIG, "hwloc does not know the machine '%s'", synthetic);
    }
    if (hwloc_topology_load(topology->hwloc) != 0) {
        ps_topology_close(topology);
        return ps_fail(error, PS_IO, "hwloc cannot read the machine's topology; is /sys mounted?");
    }
    if (synthetic == NULL) restrict_to_mask(topology->hwloc);
    return PS_OK;
}

void ps_topology_close(ps_topology *topology) {
    if (topology == NULL) return;
    hwloc_topology_destroy(topology->hwloc);
    free(topology);
}

static uint32_t count(const ps_topology *topology, hwloc_obj_type_t type) {
    const int n = hwloc_get_nbobjs_by_type(topology->hwloc, type);
    return n > 0 ? (uint32_t)n : 1;
}

uint32_t ps_topology_nodes(const ps_topology *topology) {
    return count(topology, HWLOC_OBJ_NUMANODE);
}
uint32_t ps_topology_cores(const ps_topology *topology) {
    return count(topology, HWLOC_OBJ_CORE);
}
uint32_t ps_topology_threads(const ps_topology *topology) {
    return count(topology, HWLOC_OBJ_PU);
}

static hwloc_obj_t node_of(const ps_topology *topology, uint32_t node) {
    return hwloc_get_obj_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, node);
}

size_t ps_topology_node_bytes(const ps_topology *topology, uint32_t node) {
    const hwloc_obj_t object = node_of(topology, node);
    return object != NULL ? (size_t)object->attr->numanode.local_memory : 0;
}

uint32_t ps_topology_node_cores(const ps_topology *topology, uint32_t node) {
    const hwloc_obj_t object = node_of(topology, node);
    if (object == NULL) return 0;
    const int n =
        hwloc_get_nbobjs_inside_cpuset_by_type(topology->hwloc, object->cpuset, HWLOC_OBJ_CORE);
    return n > 0 ? (uint32_t)n : 0;
}

ps_place ps_topology_place(const ps_topology *topology, uint32_t lane, uint32_t lanes,
                           uint32_t slot) {
    const uint32_t nodes = ps_topology_nodes(topology), cores = ps_topology_cores(topology);
    /* Slots have gaps where other workers hold some; lanes that take all cores must not. */
    uint32_t turn = (lanes == cores ? lane : slot) % cores;
    /* Deal cores out like cards: one of each node, then the second of each, past nodes that have no
     * more. */
    for (uint32_t depth = 0; depth < cores; depth++) {
        for (uint32_t node = 0; node < nodes; node++) {
            if (ps_topology_node_cores(topology, node) <= depth) continue;
            if (turn-- > 0) continue;
            const hwloc_obj_t object = node_of(topology, node);
            const hwloc_obj_t core = hwloc_get_obj_inside_cpuset_by_type(
                topology->hwloc, object->cpuset, HWLOC_OBJ_CORE, depth);
            return (ps_place){core != NULL ? core->logical_index : 0, node, (int)object->os_index};
        }
    }
    return (ps_place){lane % cores, 0, -1};
}

/* One core per lane only where this worker takes all of them: two workers with fewer lanes than
 * cores would both take the first ones. */
static hwloc_const_cpuset_t cpus_of(const ps_topology *topology, uint32_t lane, uint32_t lanes,
                                    uint32_t slot) {
    const ps_place place = ps_topology_place(topology, lane, lanes, slot);
    const hwloc_obj_t object =
        lanes == ps_topology_cores(topology)
            ? hwloc_get_obj_by_type(topology->hwloc, HWLOC_OBJ_CORE, place.core)
            : node_of(topology, place.node);
    return object != NULL ? object->cpuset : NULL;
}

bool ps_topology_cpus(const ps_topology *topology, uint32_t lane, uint32_t lanes, uint32_t slot,
                      char *text, size_t bytes) {
    const hwloc_const_cpuset_t cpus = cpus_of(topology, lane, lanes, slot);
    return cpus != NULL && hwloc_bitmap_list_snprintf(text, bytes, cpus) >= 0;
}

bool ps_topology_bind(const ps_topology *topology, uint32_t lane, uint32_t lanes, uint32_t slot) {
    if (topology->synthetic) return false;
    const hwloc_const_cpuset_t cpus = cpus_of(topology, lane, lanes, slot);
    return cpus != NULL && hwloc_set_cpubind(topology->hwloc, cpus, HWLOC_CPUBIND_THREAD) == 0;
}

#else

struct ps_topology {
    uint32_t cores;
};

ps_status ps_topology_open(const char *synthetic, ps_topology **out, ps_error *error) {
    if (synthetic != NULL)
        return ps_fail(error, PS_UNSUPPORTED,
                       "this build has no hwloc: it knows no synthetic machines");
    *out = calloc(1, sizeof **out);
    if (*out == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the topology");
    cpu_set_t mask;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    (*out)->cores = sched_getaffinity(0, sizeof mask, &mask) == 0 ? (uint32_t)CPU_COUNT(&mask)
                    : online > 0                                  ? (uint32_t)online
                                                                  : 1;
    return PS_OK;
}

void ps_topology_close(ps_topology *topology) {
    free(topology);
}
uint32_t ps_topology_nodes(const ps_topology *topology) {
    return topology != NULL ? 1 : 0;
}
uint32_t ps_topology_cores(const ps_topology *topology) {
    return topology->cores;
}
uint32_t ps_topology_threads(const ps_topology *topology) {
    return topology->cores;
}

size_t ps_topology_node_bytes(const ps_topology *topology, uint32_t node) {
    (void)topology;
    (void)node;
    return 0;
}

uint32_t ps_topology_node_cores(const ps_topology *topology, uint32_t node) {
    return node == 0 ? topology->cores : 0;
}

ps_place ps_topology_place(const ps_topology *topology, uint32_t lane, uint32_t lanes,
                           uint32_t slot) {
    (void)lanes;
    (void)slot;
    return (ps_place){lane % topology->cores, 0, -1};
}

bool ps_topology_cpus(const ps_topology *topology, uint32_t lane, uint32_t lanes, uint32_t slot,
                      char *text, size_t bytes) {
    (void)topology;
    (void)lane;
    (void)lanes;
    (void)slot;
    (void)text;
    (void)bytes;
    return false;
}

bool ps_topology_bind(const ps_topology *topology, uint32_t lane, uint32_t lanes, uint32_t slot) {
    (void)topology;
    (void)lane;
    (void)lanes;
    (void)slot;
    return false;
}

#endif
