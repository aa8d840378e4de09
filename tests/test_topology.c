/* SPDX-License-Identifier: Apache-2.0
 * If this fails, lanes share a core while others idle, read their batches across NUMA nodes, or run
 * on processors that this process was not given.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/mem/arena.h"
#include "host/mem/topology.h"

static void check(const char *machine, uint32_t nodes, uint32_t cores, uint32_t threads) {
    ps_error error;
    ps_topology *topology = NULL;
    assert_int_equal(ps_topology_open(machine, &topology, &error), PS_OK);
    assert_int_equal(ps_topology_nodes(topology), nodes);
    assert_int_equal(ps_topology_cores(topology), cores);
    assert_int_equal(ps_topology_threads(topology), threads);
    uint32_t per_core[64] = {0}, per_node[8] = {0};
    for (uint32_t lane = 0; lane < cores; lane++) {
        const ps_place place = ps_topology_place(topology, lane, cores, lane);
        assert_true(place.core < cores && place.node < nodes);
        per_core[place.core]++;
        per_node[place.node]++;
        if (lane + 1 == nodes) /* few lanes already use every node */
            for (uint32_t n = 0; n < nodes; n++) assert_int_equal(per_node[n], 1);
    }
    for (uint32_t c = 0; c < cores; c++) assert_int_equal(per_core[c], 1);
    for (uint32_t n = 0; n < nodes; n++) assert_int_equal(per_node[n], cores / nodes);
    /* More lanes than cores start over. */
    assert_int_equal(ps_topology_place(topology, cores, cores + 1, cores).core,
                     ps_topology_place(topology, 0, 1, 0).core);
    assert_false(ps_topology_bind(topology, 0, 1, 0));
    ps_topology_close(topology);
}

/* Each lane's own core where they take all; else the node that its memory is on, so that a second
 * worker's lanes need not stand behind the first one's. */
static void test_bound_to_core_or_node(void **state) {
    (void)state;
    static const struct {
        uint32_t lane, lanes, slot;
        const char *cpus;
    } cases[] = {
        {0, 4, 0, "0-1"},
        {1, 4, 1, "4-5"},
        {2, 4, 2, "2-3"},
        {3, 4, 3, "6-7"},
        /* Another worker holds slots between ours: each lane has its own core all the same. */
        {0, 4, 0, "0-1"},
        {1, 4, 4, "4-5"},
        {2, 4, 5, "2-3"},
        {3, 4, 7, "6-7"},
        /* Fewer or more lanes than cores. */
        {0, 1, 0, "0-3"},
        {0, 2, 0, "0-3"},
        {1, 2, 1, "4-7"},
        {1, 3, 1, "4-7"},
        {2, 3, 2, "0-3"},
        {4, 5, 4, "0-3"},
        {3, 5, 3, "4-7"},
        /* The second and third of several workers of one lane each. */
        {0, 1, 1, "4-7"},
        {0, 1, 2, "0-3"},
    };
    ps_error error;
    ps_topology *topology;
    assert_int_equal(ps_topology_open("numa:2 core:2 pu:2", &topology, &error), PS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char cpus[32];
        assert_true(ps_topology_cpus(topology, cases[i].lane, cases[i].lanes, cases[i].slot, cpus,
                                     sizeof cpus));
        assert_string_equal(cpus, cases[i].cpus);
    }
    ps_topology_close(topology);
}

/* A thread of its own: the mask stays narrow. */
static void *within_mask(void *argument) {
    (void)argument;
    cpu_set_t mask, bound;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    size_t last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &mask)) last--;
    CPU_ZERO(&mask);
    CPU_SET(last, &mask);
    assert_int_equal(sched_setaffinity(0, sizeof mask, &mask), 0);
    ps_error error;
    ps_topology *topology;
    assert_int_equal(ps_topology_open(NULL, &topology, &error), PS_OK);
    assert_int_equal(ps_topology_cores(topology), 1);
    assert_int_equal(ps_topology_threads(topology), 1);
    for (uint32_t lanes = 1; lanes <= 2; lanes++) {
        assert_true(ps_topology_bind(topology, 0, lanes, 0));
        assert_int_equal(sched_getaffinity(0, sizeof bound, &bound), 0);
        assert_true(CPU_EQUAL(&mask, &bound));
    }
    ps_topology_close(topology);
    return NULL;
}
static void test_stays_within_the_mask(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, within_mask, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_two_nodes(void **state) {
    (void)state;
    check("numa:2 l3:1 core:4 pu:2", 2, 8, 16);
}
static void test_four_nodes(void **state) {
    (void)state;
    check("package:2 numa:2 l3:1 core:8 pu:1", 4, 32, 32);
}
static void test_one_node(void **state) {
    (void)state;
    check("numa:1 core:2 pu:1", 1, 2, 2);
}

static void test_unknown_machine(void **state) {
    (void)state;
    ps_error error;
    ps_topology *topology;
    assert_int_equal(ps_topology_open("no such machine", &topology, &error), PS_BAD_CONFIG);
}

static void test_this_machine_can_bind(void **state) {
    (void)state;
    ps_error error;
    ps_topology *topology;
    assert_int_equal(ps_topology_open(NULL, &topology, &error), PS_OK);
    assert_true(ps_topology_cores(topology) >= 1);
    assert_true(ps_topology_bind(topology, 0, ps_topology_cores(topology), 0));
    ps_topology_close(topology);
}

/* The sum that the ceiling is made of must be enough for what is then taken. */
static void test_arena_sums(void **state) {
    (void)state;
    const size_t sizes[] = {1, 63, 64, 65, 65535, 65536, 65537, 3 << 20, 100, 1 << 20};
    size_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) total += ps_arena_size(sizes[i]);
    ps_arena arena;
    ps_error error;
    assert_int_equal(ps_arena_open(&arena, total, 0, &error), PS_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *part = ps_arena_take(&arena, sizes[i]);
        assert_int_equal((uintptr_t)part % (sizes[i] >= 65536 ? 4096 : 64), 0);
        assert_int_equal(part[0], 0);
        part[0] = part[sizes[i] - 1] = 1;
        ps_arena_huge(&arena, part, sizes[i]);
    }
    assert_true(arena.used <= total);
    ps_arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_nodes),
        cmocka_unit_test(test_four_nodes),
        cmocka_unit_test(test_one_node),
        cmocka_unit_test(test_bound_to_core_or_node),
        cmocka_unit_test(test_stays_within_the_mask),
        cmocka_unit_test(test_unknown_machine),
        cmocka_unit_test(test_this_machine_can_bind),
        cmocka_unit_test(test_arena_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
