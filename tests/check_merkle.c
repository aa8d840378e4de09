/* SPDX-License-Identifier: Apache-2.0
 * Levels of any number of pairs, in place and with a carried half, against the reference; and the
 * reference against the definition, computed by another library.
 */
#include "kernels/merkle.h"

#include <string.h>

#include "host/device/merkle.h"
#include "simd/dispatch.h"
#include "tests/check_kernels.h"

enum { HASH = PS_NODE_BYTES, TREE = 1 << 20 };

void ps_check_merkle(ps_check *c);

#ifdef PS_CHECK_OPENSSL
#include <openssl/evp.h>

typedef struct evp {
    EVP_MD_CTX *context;
    EVP_MD *sha256;
} evp;

static evp library_open(void) {
    return (evp){EVP_MD_CTX_new(), EVP_MD_fetch(NULL, "SHA256", NULL)};
}

static void library_close(evp *l) {
    EVP_MD_CTX_free(l->context);
    EVP_MD_free(l->sha256);
}

static void library_hash(const evp *l, uint8_t prefix, const uint8_t *bytes, size_t length,
                         uint8_t *out) {
    EVP_DigestInit_ex2(l->context, l->sha256, NULL);
    EVP_DigestUpdate(l->context, &prefix, 1);
    EVP_DigestUpdate(l->context, bytes, length);
    EVP_DigestFinal_ex(l->context, out, NULL);
}

static void check_definition(ps_check *c) {
    enum { PAIRS = 300 };
    uint8_t *children = check_take(c, PAIRS * 2 * HASH), *parents = check_take(c, PAIRS * HASH);
    const ps_merkle_params params = {.carry = PS_NONE};
    evp l = library_open();
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < PAIRS * 2 * HASH; i++) children[i] = (uint8_t)check_random(c);
    for (uint32_t i = 0; i < 256; i++) children[i * 64 + 63] = (uint8_t)i;
    c->fn((void *const[]){children, children, parents}, &params, 0, PAIRS);
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint8_t expected[HASH];
        library_hash(&l, 1, children + (size_t)i * 64, 64, expected);
        wrong += memcmp(expected, parents + (size_t)i * HASH, HASH) != 0;
    }
    check_that(c, wrong == 0, "%u of %u nodes differ from the library", wrong, PAIRS);
    library_close(&l);
    check_release(c);
}

/* A tree over records of 32 bytes with one context and one fetched algorithm, level by level. */
static void library_tree(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    uint8_t *const hash = buf[3];
    evp l = library_open();
    (void)params;
    (void)begin;
    for (uint32_t i = 0; i < end; i++)
        library_hash(&l, 0, bytes + (size_t)i * 32, 32, hash + (size_t)i * HASH);
    for (uint32_t count = end; count > 1; count /= 2)
        for (uint32_t i = 0; i < count / 2; i++)
            library_hash(&l, 1, hash + (size_t)i * 64, 64, hash + (size_t)i * HASH);
    library_close(&l);
}
#else
#define library_tree NULL
static void check_definition(ps_check *c) {
    (void)c;
}
#endif

static void own_tree(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    static ps_frontier frontier;
    (void)params;
    frontier.size = begin;
    ps_merkle_records(buf[0], buf[1], buf[2], end, buf[4], &frontier);
    ps_frontier_root(&frontier, buf[3]);
}

/* `pairs` parents of children that begin somewhere, written somewhere; in two ranges, which must
 * leave alone what lies around them. */
static void check_level(ps_check *c, uint32_t pairs, bool carried, bool shared) {
    const ps_merkle_params params = {.child = (uint32_t)(check_random(c) % 5),
                                     .carry = carried ? (uint32_t)(check_random(c) % 64) : PS_NONE,
                                     .parent = (shared ? 2 * pairs + 5 : 0) +
                                               (uint32_t)(check_random(c) % 5)};
    const size_t children = params.child + (size_t)pairs * 2 - (carried && pairs ? 1 : 0);
    const size_t parents = params.parent + (size_t)pairs;
    uint8_t *carry = check_take(c, PS_MERKLE_LEVELS * HASH);
    uint8_t *out[2], *in[2];
    for (uint32_t i = 0; i < PS_MERKLE_LEVELS * HASH; i++) carry[i] = (uint8_t)check_random(c);
    for (uint32_t k = 0; k < 2; k++) {
        out[k] = check_take(c, parents * HASH);
        in[k] = shared ? out[k] : check_take(c, children * HASH);
        memset(out[k], 0x33, parents * HASH);
    }
    for (size_t i = 0; i < children * HASH; i++) in[0][i] = (uint8_t)check_random(c);
    memcpy(in[1], in[0], children * HASH);
    const uint32_t cut = (uint32_t)(check_random(c) % (pairs + 1));
    c->kernel->reference((void *const[]){in[0], carry, out[0]}, &params, 0, pairs);
    c->fn((void *const[]){in[1], carry, out[1]}, &params, cut, pairs);
    c->fn((void *const[]){in[1], carry, out[1]}, &params, 0, cut);
    check_that(c, !memcmp(out[0], out[1], parents * HASH), "%u pairs%s%s, cut at %u, differ", pairs,
               carried ? ", carried" : "", shared ? ", one buffer" : "", cut);
    check_release(c);
}

static void bench(ps_check *c) {
    enum { PAIRS = 4096 };
    const ps_merkle_params params = {.carry = PS_NONE};
    uint8_t *bytes = check_take(c, (size_t)TREE * 32 + PS_ARENA_PADDING);
    uint8_t *hash = check_take(c, (size_t)TREE * HASH);
    uint8_t *scratch = check_take(c, PS_MERKLE_SCRATCH_BYTES);
    uint32_t *begin = check_take(c, TREE * sizeof *begin);
    uint32_t *length = check_take(c, TREE * sizeof *length);
    for (uint32_t i = 0; i < TREE; i++) begin[i] = i * 32, length[i] = 32;
    memset(bytes, 0x5a, (size_t)TREE * 32);
    check_bench(c, "4096 nodes", (void *const[]){bytes, bytes, hash}, &params, PAIRS, 0);
    ps_kernel_fn *const library = library_tree;
    void *const buf[] = {bytes, begin, length, hash, scratch};
    if (c->fn == ps_dispatch(PS_KERNEL_MERKLE)) {
        check_bench_other(c, c->name, "root of 2^20 x 32 B", own_tree, buf, NULL, TREE, 0);
        if (library)
            check_bench_other(c, "OpenSSL EVP, reused", "root of 2^20 x 32 B", library, buf, NULL,
                              TREE, 0);
    }
    check_release(c);
}

void ps_check_merkle(ps_check *c) {
    static const uint32_t more[] = {127, 128, 129, 255, 1000, 4097};
    for (uint32_t variant = 0; variant < 4; variant++) {
        for (uint32_t pairs = 0; pairs <= 70; pairs++)
            check_level(c, pairs, variant & 1, variant & 2);
        for (uint32_t i = 0; i < sizeof more / sizeof more[0]; i++)
            check_level(c, more[i], variant & 1, variant & 2);
    }
    check_definition(c);
    if (c->bench && !c->failed) bench(c);
}
