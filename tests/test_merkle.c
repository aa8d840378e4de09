/* SPDX-License-Identifier: Apache-2.0
 * Logs against RFC 6962's recursive definition and the published hashes of a tree that Certificate
 * Transparency tests itself with. If these fail, no third-party client accepts what is sealed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/limits.h"
#include "host/device/merkle.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "simd/dispatch.h"
#include "tests/vectors/rfc6962_tree.h"

enum { HASH = PS_NODE_BYTES, LEAVES_MAX = 1200 };

static uint8_t leaves[LEAVES_MAX][HASH];
static uint64_t random_state = 20261121;

static uint32_t random_below(uint32_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % limit);
}

/* One record at a time through the reference, with nothing of the driver. */
static void hash_one(uint32_t prefix, const uint8_t *bytes, uint32_t length, uint8_t *out) {
    const uint32_t begin = 0;
    const ps_sha256_params params = {prefix};
    ps_kernels[PS_KERNEL_SHA256].reference(
        (void *const[]){(void *)bytes, (void *)&begin, (void *)&length, out}, &params, 0, 1);
}

/* MTH of RFC 6962, section 2.1, word for word. */
static void definition(uint32_t begin, uint32_t count, uint8_t *out) {
    if (count == 0) {
        hash_one(PS_SHA256_PLAIN, leaves[0], 0, out);
    } else if (count == 1) {
        memcpy(out, leaves[begin], HASH);
    } else {
        uint32_t k = 1;
        uint8_t pair[2][HASH];
        while (2 * k < count) k *= 2;
        definition(begin, k, pair[0]);
        definition(begin + k, count - k, pair[1]);
        hash_one(1, pair[0], 2 * HASH, out);
    }
}

static void fill_leaves(void) {
    for (uint32_t i = 0; i < LEAVES_MAX; i++)
        for (uint32_t k = 0; k < HASH; k++) leaves[i][k] = (uint8_t)random_below(256);
}

static void append(ps_frontier *frontier, uint32_t begin, uint32_t count, uint8_t *nodes,
                   ps_append *plan) {
    ps_merkle_plan(frontier->size, count, plan);
    ps_merkle_run(plan, leaves[begin], nodes, frontier);
}

static void test_published_tree(void **state) {
    (void)state;
    uint8_t bytes[64 + PS_ARENA_PADDING] = {0}, root[HASH],
                       *scratch = malloc(PS_MERKLE_SCRATCH_BYTES);
    uint32_t begin[8], length[8], used = 0;
    for (uint32_t i = 0; i < 8; i++) {
        begin[i] = used;
        length[i] = rfc6962_leaf_length[i];
        memcpy(bytes + used, rfc6962_leaf[i], length[i]);
        used += length[i];
    }
    for (uint32_t size = 0; size <= 8; size++) {
        ps_frontier frontier = {0};
        ps_merkle_records(bytes, begin, length, size, scratch, &frontier);
        ps_frontier_root(&frontier, root);
        assert_memory_equal(root, rfc6962_root[size], HASH);
    }
    free(scratch);
}

/* Every node of every level, where the plan says it lies. */
static void test_published_nodes(void **state) {
    (void)state;
    uint8_t nodes[8 + PS_MERKLE_NODES_EXTRA][HASH];
    ps_frontier frontier = {0};
    ps_append plan;
    for (uint32_t i = 0; i < 8; i++)
        hash_one(PS_MERKLE_LEAF, rfc6962_leaf[i], rfc6962_leaf_length[i], leaves[i]);
    append(&frontier, 0, 8, nodes[0], &plan);
    assert_int_equal(plan.levels, 4);
    const uint8_t(*expected)[HASH] = rfc6962_inner;
    for (uint32_t level = 1; level < 4; level++) {
        assert_int_equal(plan.count[level], 8u >> level);
        for (uint32_t i = 0; i < plan.count[level]; i++)
            assert_memory_equal(nodes[plan.first[level] + i], *expected++, HASH);
    }
    assert_memory_equal(frontier.node[3], rfc6962_root[8], HASH);
}

static void test_roots_of_all_sizes(void **state) {
    (void)state;
    static uint8_t nodes[LEAVES_MAX + PS_MERKLE_NODES_EXTRA][HASH];
    uint8_t root[HASH], expected[HASH];
    fill_leaves();
    for (uint32_t size = 0; size <= LEAVES_MAX; size += size < 300 ? 1 : 1 + random_below(40)) {
        ps_frontier frontier = {0};
        ps_append plan;
        append(&frontier, 0, size, nodes[0], &plan);
        ps_frontier_root(&frontier, root);
        definition(0, size, expected);
        assert_memory_equal(root, expected, HASH);
    }
}

/* Whether every node that one append completed is the definition's. */
static void check_nodes(const ps_append *plan, uint8_t (*nodes)[HASH]) {
    for (uint32_t level = 1; level < plan->levels; level++)
        for (uint32_t i = 0; i < plan->count[level]; i++) {
            uint8_t expected[HASH];
            const uint32_t index = (uint32_t)(plan->size_before >> level) + i;
            definition(index << level, 1u << level, expected);
            assert_memory_equal(nodes[plan->first[level] + i], expected, HASH);
        }
}

/* All ways to cut 40 leaves in three, and random cuts of more: the frontier does not tell. */
static void test_splits(void **state) {
    (void)state;
    static uint8_t nodes[LEAVES_MAX + PS_MERKLE_NODES_EXTRA][HASH];
    ps_append plan;
    fill_leaves();
    ps_frontier whole = {0};
    append(&whole, 0, 40, nodes[0], &plan);
    for (uint32_t a = 0; a <= 40; a++)
        for (uint32_t b = a; b <= 40; b++) {
            ps_frontier frontier = {0};
            const uint32_t cut[] = {0, a, b, 40};
            for (uint32_t i = 0; i < 3; i++) {
                append(&frontier, cut[i], cut[i + 1] - cut[i], nodes[0], &plan);
                if ((a + b) % 7 == 0) check_nodes(&plan, nodes);
            }
            assert_int_equal(frontier.size, 40);
            for (uint32_t level = 0; level < 6; level++)
                if (40 >> level & 1)
                    assert_memory_equal(frontier.node[level], whole.node[level], HASH);
        }
    for (uint32_t round = 0; round < 30; round++) {
        ps_frontier frontier = {0};
        uint8_t root[HASH], expected[HASH];
        while (frontier.size < LEAVES_MAX) {
            const uint32_t at = (uint32_t)frontier.size, left = LEAVES_MAX - at;
            const uint32_t count = 1 + random_below(round < 10 ? 3 : 300);
            append(&frontier, at, count < left ? count : left, nodes[0], &plan);
        }
        ps_frontier_root(&frontier, root);
        definition(0, LEAVES_MAX, expected);
        assert_memory_equal(root, expected, HASH);
    }
}

/* A log of 2^62 entries is not at hand; its plan is arithmetic all the same. */
static void test_plan_of_huge_logs(void **state) {
    (void)state;
    ps_append plan;
    const uint64_t size = (UINT64_C(1) << 62) - 1;
    ps_merkle_plan(size, 1, &plan);
    assert_int_equal(plan.levels, 63);
    for (uint32_t level = 1; level < 63; level++) {
        assert_int_equal(plan.count[level], 1);
        assert_int_equal(plan.first[level], level - 1);
    }
    ps_merkle_plan(UINT64_C(1) << 62, 0, &plan);
    assert_int_equal(plan.levels, 0);
}

/* The launches on a queue leave the nodes that ps_merkle_run() leaves, with leaf hashes that begin
 * in the middle of a column. */
static void test_launches(void **state) {
    (void)state;
    enum { FIRST = 7, COUNT = 700, BEFORE = 333 };
    static uint8_t nodes[LEAVES_MAX + PS_MERKLE_NODES_EXTRA][HASH];
    static uint8_t memory[(2 * LEAVES_MAX + 2 * PS_MERKLE_NODES_EXTRA) * HASH];
    const size_t carried = sizeof leaves, inner = carried + PS_MERKLE_LEVELS * HASH;
    const ps_backend *const backend = &ps_backend_cpu;
    ps_error error;
    ps_device *device;
    ps_queue *queue;
    ps_block block;
    ps_call *low, *high;
    ps_append plan;
    ps_frontier frontier = {0}, launched;
    fill_leaves();
    append(&frontier, 0, BEFORE, nodes[0], &plan);
    launched = frontier;
    append(&frontier, FIRST, COUNT, nodes[0], &plan);

    memcpy(memory, leaves, sizeof leaves);
    memcpy(memory + carried, launched.node, sizeof launched.node);
    assert_int_equal(backend->open(0, &device, &error), PS_OK);
    assert_int_equal(backend->block_open(device, memory, sizeof memory, &block, &error), PS_OK);
    assert_int_equal(backend->queue_open(device, NULL, &queue, &error), PS_OK);
    const ps_span from_leaves[] = {{&block, 0}, {&block, carried}, {&block, inner}};
    const ps_span from_nodes[] = {{&block, inner}, {&block, carried}, {&block, inner}};
    assert_int_equal(backend->bind(queue, PS_KERNEL_MERKLE, from_leaves, &low, &error), PS_OK);
    assert_int_equal(backend->bind(queue, PS_KERNEL_MERKLE, from_nodes, &high, &error), PS_OK);
    const ps_merkle_calls calls = {backend, queue, low, high};
    assert_int_equal(ps_merkle_launch(&calls, &plan, FIRST), PS_OK);
    ps_merkle_advance(&plan, leaves[FIRST], memory + inner, &launched);
    assert_int_equal(launched.size, BEFORE + COUNT);
    for (uint32_t level = 0; level < 11; level++)
        if ((BEFORE + COUNT) >> level & 1)
            assert_memory_equal(launched.node[level], frontier.node[level], HASH);
    assert_memory_equal(memory + inner, nodes, (plan.first[plan.levels - 1] + 1) * HASH);
    backend->queue_close(queue);
    backend->block_close(device, &block);
    backend->close(device);
}

int main(void) {
    ps_error error;
    if (ps_dispatch_init(&error) != PS_OK) return EXIT_FAILURE;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_tree),     cmocka_unit_test(test_published_nodes),
        cmocka_unit_test(test_roots_of_all_sizes), cmocka_unit_test(test_splits),
        cmocka_unit_test(test_plan_of_huge_logs),  cmocka_unit_test(test_launches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
