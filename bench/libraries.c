/* SPDX-License-Identifier: Apache-2.0
 * The libraries that kernels are measured beside, each in its fastest fair form. They are opened at
 * run time: penstock does not depend on them, and their calls cost what they cost anybody who links
 * a distribution's shared library. XXH3 is also measured inlined, which is its fastest form.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernels.h"
#include "kernels/lz4.h"
#include "kernels/moments.h"
#include "simd/cpu.h"
#include "simd/unroll.h"

#if __has_include(<intel-ipsec-mb.h>)
#include <intel-ipsec-mb.h>
#define HAVE_IPSEC_MB
#endif

/* A function by its name in a library; NULL where there is none. */
static void *find(const char *library, const char *symbol) {
    void *const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    return handle ? dlsym(handle, symbol) : NULL;
}

/* ISO C has no conversion from the object pointer that dlsym() gives; POSIX has. */
#define FIND(to, library, symbol)                  \
    do {                                           \
        void *const found = find(library, symbol); \
        memcpy(&(to), &found, sizeof found);       \
    } while (0)

static struct {
    void *(*context_new)(void), (*context_free)(void *);
    void *(*fetch)(void *, const char *, const char *);
    int (*init)(void *, const void *, const void *);
    int (*update)(void *, const void *, size_t);
    int (*final)(void *, unsigned char *, unsigned *);
    void *context, *sha256;
} evp;

static bool open_evp(void) {
    static const char library[] = "libcrypto.so.3";
    FIND(evp.context_new, library, "EVP_MD_CTX_new");
    FIND(evp.fetch, library, "EVP_MD_fetch");
    FIND(evp.init, library, "EVP_DigestInit_ex2");
    FIND(evp.update, library, "EVP_DigestUpdate");
    FIND(evp.final, library, "EVP_DigestFinal_ex");
    if (!evp.context_new || !evp.fetch || !evp.init || !evp.update || !evp.final) return false;
    if (!evp.context) evp.context = evp.context_new();
    if (!evp.sha256) evp.sha256 = evp.fetch(NULL, "SHA256", NULL);
    return evp.context && evp.sha256;
}

/* The fair form: one context and one fetched algorithm for all records. */
static void run_evp(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    uint8_t *const out = buf[3];
    (void)params;
    for (uint32_t i = begin; i < end; i++) {
        (void)evp.init(evp.context, evp.sha256, NULL);
        (void)evp.update(evp.context, bytes + from[i], length[i]);
        (void)evp.final(evp.context, out + 32 * (size_t)i, NULL);
    }
}

static void evp_node(uint8_t prefix, const uint8_t *bytes, size_t length, uint8_t *out) {
    (void)evp.init(evp.context, evp.sha256, NULL);
    (void)evp.update(evp.context, &prefix, 1);
    (void)evp.update(evp.context, bytes, length);
    (void)evp.final(evp.context, out, NULL);
}

/* RFC 6962's root over a power of two of records, level by level. */
static void run_evp_tree(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    uint8_t *const hash = buf[5];
    (void)params;
    for (uint32_t i = begin; i < end; i++)
        evp_node(0, bytes + from[i], length[i], hash + 32 * (size_t)i);
    for (uint32_t count = end; count > 1; count /= 2)
        for (uint32_t i = 0; i < count / 2; i++)
            evp_node(1, hash + 64 * (size_t)i, 64, hash + 32 * (size_t)i);
    memcpy(buf[3], hash, 32);
}

static bool always(void) {
    return true;
}

/* What no pass over a column can beat: its bytes, read once. */
#if defined(__x86_64__)
__attribute__((target("avx2")))
#endif
static void
run_reading(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    typedef uint64_t vector __attribute__((vector_size(32), aligned(8)));
    enum { CHAINS = 8 };
    const vector *const at = buf[0];
    const size_t count = (size_t)end * PS_MOMENTS_ROWS / (sizeof(vector) / 8);
    vector sum[CHAINS] = {{0}};
    (void)params;
    for (size_t i = begin; i < count; i += CHAINS)
        PS_UNROLL for (size_t k = 0; k < CHAINS; k++) sum[k] ^= at[i + k];
    PS_UNROLL for (size_t k = 1; k < CHAINS; k++) sum[0] ^= sum[k];
    __asm__ volatile("" : : "r"(&sum) : "memory");
}

#ifdef HAVE_IPSEC_MB
static IMB_MGR *ipsec;

static bool open_ipsec(void) {
    static const char library[] = "libIPSec_MB.so.1";
    IMB_MGR *(*allocate)(uint64_t);
    void (*init)(IMB_MGR *, IMB_ARCH *);
    FIND(allocate, library, "alloc_mb_mgr");
    FIND(init, library, "init_mb_mgr_auto");
    if (ipsec) return true;
    if (!allocate || !init || !(ipsec = allocate(0))) return false;
    init(ipsec, NULL);
    return true;
}

static void run_ipsec(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    uint8_t *const out = buf[3];
    (void)params;
    for (uint32_t i = begin; i < end; i++) {
        IMB_JOB *const job = IMB_GET_NEXT_JOB(ipsec);
        job->cipher_mode = IMB_CIPHER_NULL;
        job->chain_order = IMB_ORDER_HASH_CIPHER;
        job->hash_alg = IMB_AUTH_SHA_256;
        job->src = bytes + from[i];
        job->hash_start_src_offset_in_bytes = 0;
        job->msg_len_to_hash_in_bytes = length[i];
        job->auth_tag_output = out + 32 * (size_t)i;
        job->auth_tag_output_len_in_bytes = 32;
        (void)IMB_SUBMIT_JOB_NOCHECK(ipsec);
    }
    while (IMB_FLUSH_JOB(ipsec)) {}
}
#endif

static struct {
    void (*init)(void *), (*update)(void *, const void *, size_t);
    void (*finalize)(const void *, uint8_t *, size_t);
    const char *(*version)(void);
} blake3;
static char blake3_name[32] = "blake3, one-shot";

static bool open_blake3(void) {
    static const char library[] = "libblake3.so.0";
    FIND(blake3.init, library, "blake3_hasher_init");
    FIND(blake3.update, library, "blake3_hasher_update");
    FIND(blake3.finalize, library, "blake3_hasher_finalize");
    FIND(blake3.version, library, "blake3_version");
    if (blake3.version)
        (void)snprintf(blake3_name, sizeof blake3_name, "blake3 %s, one-shot", blake3.version());
    return blake3.init && blake3.update && blake3.finalize;
}

static void run_blake3(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    static _Alignas(64) uint8_t hasher[8192]; /* the library's own takes 1912 bytes */
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    uint8_t *const out = buf[3];
    (void)params;
    for (uint32_t i = begin; i < end; i++) {
        blake3.init(hasher);
        blake3.update(hasher, bytes + from[i], length[i]);
        blake3.finalize(hasher, out + 32 * (size_t)i, 32);
    }
}

static uint64_t (*xxh3)(const void *, size_t);

static bool open_xxhash(void) {
    FIND(xxh3, "libxxhash.so.0", "XXH3_64bits");
    return xxh3 != NULL;
}

static void run_xxhash(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    uint64_t *const out = buf[3];
    (void)params;
    for (uint32_t i = begin; i < end; i++) out[i] = xxh3(bytes + from[i], length[i]);
}

#ifdef PS_BENCH_XXHASH
ps_kernel_fn ps_xxhash_avx2, ps_xxhash_avx512;

static bool has_avx2(void) {
    return (ps_cpu_features() & PS_CPU_AVX2) != 0;
}
static bool has_avx512(void) {
    return (ps_cpu_features() & PS_CPU_AVX512) != 0;
}
#endif

static unsigned (*isal)(const unsigned char *, int, unsigned);

static bool open_isal(void) {
    FIND(isal, "libisal.so.2", "crc32_iscsi");
    return isal != NULL;
}

/* The library leaves the initial and final complement to its caller. */
static void run_isal(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    uint32_t *const out = buf[3];
    (void)params;
    for (uint32_t i = begin; i < end; i++)
        out[i] = ~isal(bytes + from[i], (int)length[i], UINT32_MAX);
}

static int (*lz4)(const char *, char *, int, int);

static bool open_lz4(void) {
    FIND(lz4, "liblz4.so.1", "LZ4_compress_default");
    return lz4 != NULL;
}

/* Its blocks are its own: others find other matches. */
static void run_lz4(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const char *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    const ps_lz4_params *const p = params;
    char *const out = buf[4];
    uint32_t *const written = buf[5];
    for (uint32_t i = begin; i < end; i++)
        written[i] = (uint32_t)lz4(bytes + from[i], out + (size_t)i * p->stride, (int)length[i],
                                   (int)p->stride);
}

static const struct {
    const char *kernel, *name;
    bool (*open)(void);
    ps_kernel_fn *fn;
} libraries[] = {
    {"sha256", "openssl", open_evp, run_evp},
#ifdef HAVE_IPSEC_MB
    {"sha256", "ipsec-mb", open_ipsec, run_ipsec},
#endif
    {"merkle", "openssl", open_evp, run_evp_tree},
    {"moments", "reading alone", always, run_reading},
    {"blake3", blake3_name, open_blake3, run_blake3},
    {"xxh3", "xxhash", open_xxhash, run_xxhash},
#ifdef PS_BENCH_XXHASH
    {"xxh3", "xxhash inlined, avx2", has_avx2, ps_xxhash_avx2},
    {"xxh3", "xxhash inlined, avx512", has_avx512, ps_xxhash_avx512},
#endif
    {"crc32c", "isa-l", open_isal, run_isal},
    {"lz4", "liblz4", open_lz4, run_lz4},
};

void ps_libraries_add(ps_contest *c) {
    static uint64_t told;
    for (uint32_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        if (strcmp(libraries[i].kernel, c->kernel) != 0) continue;
        if (libraries[i].open() && c->count < PS_CASE_CONTESTANTS_MAX)
            c->contestant[c->count++] = (ps_contestant){.name = libraries[i].name,
                                                        .fn = libraries[i].fn,
                                                        .free = libraries[i].fn == run_reading ||
                                                                libraries[i].fn == run_lz4};
        else if (!(told >> i & 1))
            (void)fprintf(stderr, "bench: %s is not on this machine: no row\n", libraries[i].name);
        told |= UINT64_C(1) << i;
    }
}
