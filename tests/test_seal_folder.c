/* SPDX-License-Identifier: Apache-2.0
 * A log as files: what is written where, by whom it can be read again, what happens when the writer
 * died, and that no bit of it can be turned unseen. If these fail, a log that was sealed cannot be
 * verified, or one that was changed can.
 */
#include "tests/seal_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "host/seal/verify.h"

static ps_signer signer;

typedef struct found {
    uint32_t faults, remarks;
    char file[PS_TILE_PATH_MAX], what[200]; /* of the first fault */
} found;

static void take_fault(void *context, const char *file, const char *what) {
    found *const f = context;
    if (f->faults++ > 0) return;
    (void)snprintf(f->file, sizeof f->file, "%s", file);
    (void)snprintf(f->what, sizeof f->what, "%s", what);
}

static void take_remark(void *context, const char *file, const char *what) {
    found *const f = context;
    (void)file;
    (void)what;
    f->remarks++;
}

static ps_status verify(ps_seal_folder *folder, const ps_verifier *key, found *f,
                        ps_verify_report *report) {
    const ps_verify_watch watch = {.fault = take_fault, .remark = take_remark, .context = f};
    ps_error error;
    memset(f, 0, sizeof *f);
    return ps_verify_folder(folder, key, &watch, report, &error);
}

static void test_paths(void **state) {
    (void)state;
    size_t length;
    char *const file = golden_file(GOLDEN "paths.tsv", &length), *rest = file;
    char *field[GOLDEN_FIELDS], path[PS_TILE_PATH_MAX], ours[PS_TILE_PATH_MAX];
    ps_tile tile;
    /* golang/mod's have the height in them, which a full one's width follows; ours is always 8. */
    while (golden_next(&rest, field)) {
        const bool good = field[1][0] != '\0', data = strncmp(field[2], "-", 1) == 0;
        const char *tail = strchr(field[0] + 5, '/') + 1;
        tail = strchr(tail, '/') + 1;
        (void)snprintf(ours, sizeof ours, "tile/%s/%s",
                       data   ? "entries"
                       : good ? field[2]
                              : "3",
                       tail);
        assert_int_equal(ps_tile_parse(ours, &tile), good);
        if (!good) continue;
        assert_int_equal(tile.index, golden_number(field[3]));
        assert_string_equal(ps_tile_path(&tile, path), ours);
        if (strstr(tail, ".p/") != NULL)
            assert_int_equal(tile.width, golden_number(field[4]));
        else
            assert_int_equal(tile.width, PS_TILE_WIDTH);
    }
    free(file);
    tile = (ps_tile){0, PS_TILE_WIDTH, 1234067};
    assert_string_equal(ps_tile_path(&tile, path), "tile/0/x001/x234/067");
    static const char *const bad[] = {
        "tile/0/000.p/0",  "tile/0/000.p/256", "tile/0/000.p/01", "tile/8/000",  "tile/00/000",
        "tile/0/x000/001", "tile/0/01",        "tile/0/1000",     "tile/0/",     "tile/0/000/",
        "tile//000",       "checkpoint",       "tile/0/000.p/",   "tile/0/x001", "tile/data/000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ps_tile_parse(bad[i], &tile)) fail_msg("%s", bad[i]);
}

/* The specification's own counts. */
static void test_growth(void **state) {
    (void)state;
    uint32_t full[3] = {0}, partial[3] = {0}, bundles = 0, others = 0;
    ps_growth growth = ps_growth_of(0, 70000);
    for (ps_tile tile; ps_growth_next(&growth, &tile);) {
        if (tile.level == PS_TILE_ENTRIES)
            bundles++;
        else if (tile.level > 2)
            others++;
        else if (tile.width == PS_TILE_WIDTH)
            full[tile.level]++;
        else
            partial[tile.level] = tile.width;
    }
    assert_int_equal(full[0], 273);
    assert_int_equal(partial[0], 112);
    assert_int_equal(full[1], 1);
    assert_int_equal(partial[1], 17);
    assert_int_equal(full[2], 0);
    assert_int_equal(partial[2], 1);
    assert_int_equal(bundles, 274);
    assert_int_equal(others, 0);
    growth = ps_growth_of(256, 300); /* the level above got nothing */
    char path[PS_TILE_PATH_MAX];
    ps_tile tile;
    assert_true(ps_growth_next(&growth, &tile));
    assert_string_equal(ps_tile_path(&tile, path), "tile/entries/001.p/44");
    assert_true(ps_growth_next(&growth, &tile));
    assert_string_equal(ps_tile_path(&tile, path), "tile/0/001.p/44");
    assert_false(ps_growth_next(&growth, &tile));
    growth = ps_growth_of(300, 300);
    assert_false(ps_growth_next(&growth, &tile));
}

/* The same entries through our appender, one checkpoint each: every file of that log, byte by byte;
 * and our verifier takes their log as it is. */
static void test_tessera(void **state) {
    (void)state;
    static const char *const words[15] = {"one",    "two",   "three",    "four",    "five",
                                          "six",    "seven", "eit",      "nain",    "ten",
                                          "ileven", "twelf", "threeten", "fourten", "fivten"};
    char path[64], file[200];
    size_t length, ours_length;
    ps_signer theirs;
    ps_seal_folder *folder = NULL;
    ps_appender *appender = NULL;
    found f;
    ps_verify_report report;
    char *const skey = golden_file(GOLDEN "tessera15/SKEY", &length);
    assert_int_equal(ps_signer_parse(skey, strcspn(skey, "\n"), &theirs, NULL), PS_OK);
    assert_int_equal(ps_seal_folder_open(seal_log_folder(path), false, &folder, NULL), PS_OK);
    assert_int_equal(ps_appender_open(folder, &theirs, 16, &appender, NULL), PS_OK);
    for (uint32_t size = 0; size <= 15; size++) {
        static const char *const names[] = {"tile/0/000.p/%u", "tile/entries/000.p/%u",
                                            "checkpoint"};
        if (size > 0) {
            const ps_bytes entry = {(const uint8_t *)words[size - 1],
                                    (uint32_t)strlen(words[size - 1])};
            assert_int_equal(ps_appender_add(appender, &entry, 1, NULL), PS_OK);
        }
        assert_int_equal(ps_appender_publish(appender, NULL), PS_OK);
        for (int i = size == 0 ? 2 : 0; i < 3; i++) {
            char name[64];
            (void)snprintf(name, sizeof name,
                           i == 0   ? "tile/0/000.p/%u"
                           : i == 1 ? "tile/entries/000.p/%u"
                                    : "checkpoint.%u",
                           size);
            (void)snprintf(file, sizeof file, GOLDEN "tessera15/%s", name);
            char *const wanted = golden_file(file, &length);
            (void)snprintf(file, sizeof file, "%s/%s", path, i == 2 ? names[2] : name);
            char *const ours = golden_file(file, &ours_length);
            assert_int_equal(ours_length, length);
            assert_memory_equal(ours, wanted, length);
            free(wanted);
            free(ours);
        }
    }
    ps_appender_close(appender);
    ps_seal_folder_close(folder);
    assert_int_equal(ps_seal_folder_open(GOLDEN "tessera15", false, &folder, NULL), PS_OK);
    assert_int_equal(verify(folder, &theirs.verifier, &f, &report), PS_OK);
    assert_int_equal(report.entries, 15);
    assert_int_equal(report.files, 2 + 14 + 14);
    ps_seal_folder_close(folder);
    seal_log_remove(path);
    free(skey);
}

typedef struct equal_leaves {
    ps_hash node[64]; /* of a tree whose leaves are all the same, level by level */
    uint64_t size;
    uint32_t reads;
} equal_leaves;

static ps_status read_equal(void *context, const char *path, uint8_t *to, size_t room,
                            size_t *length, ps_error *error) {
    equal_leaves *const log = context;
    ps_tile tile;
    (void)error;
    log->reads++;
    assert_true(ps_tile_parse(path, &tile));
    assert_int_equal(tile.width, ps_tile_of(tile.level, tile.index, log->size).width);
    if (tile.level == PS_TILE_ENTRIES) {
        *length = (size_t)tile.width * 3;
        for (uint32_t i = 0; i < tile.width; i++) memcpy(to + (size_t)i * 3, "\0\1x", 3);
        return PS_OK;
    }
    *length = (size_t)tile.width * PS_NODE_BYTES;
    assert_true(*length <= room);
    for (uint32_t i = 0; i < tile.width; i++)
        memcpy(to + (size_t)i * PS_NODE_BYTES, &log->node[8 * tile.level], PS_NODE_BYTES);
    return PS_OK;
}

/* A log of 10^9 entries goes on after a few reads, and gives proofs after a few more. */
static void test_large_start(void **state) {
    (void)state;
    static equal_leaves log = {.size = 1000000000};
    static ps_tiles tiles;
    ps_frontier *const frontier = malloc(sizeof *frontier);
    ps_tiler *tiler = NULL;
    ps_proof proof;
    ps_tree now = {.size = log.size}, before = {.size = 123456789};
    const ps_tile_source source = {read_equal, &log};
    ps_hash_leaf((const uint8_t *)"x", 1, &log.node[0]);
    for (int i = 1; i < 64; i++) ps_hash_node(&log.node[i - 1], &log.node[i - 1], &log.node[i]);
    ps_tiles_init(&tiles, &source, log.size);
    assert_int_equal(ps_tiles_frontier(&tiles, frontier, NULL), PS_OK);
    assert_int_equal(ps_tiler_open(16, &tiler, NULL), PS_OK);
    assert_int_equal(ps_tiler_restore(tiler, &source, log.size, NULL), PS_OK);
    assert_true(log.reads <= 2 * 4 + 1);
    ps_frontier_root(frontier, now.root.byte);
    assert_int_equal(ps_tiles_root(&tiles, before.size, &before.root, NULL), PS_OK);
    log.reads = 0;
    assert_int_equal(ps_proof_inclusion(&tiles, 777777777, log.size, &proof, NULL), PS_OK);
    assert_true(ps_proof_includes(&proof, &log.node[0], 777777777, log.size, &now.root));
    assert_int_equal(ps_proof_consistency(&tiles, before.size, log.size, &proof, NULL), PS_OK);
    assert_true(ps_proof_extends(&proof, &before, &now));
    assert_true(log.reads < 40);
    ps_tiler_close(tiler);
    free(frontier);
}

/* Sizes around the tiles' edges, each reached from the one before by another writer, and by one
 * writer from nothing: the same files but for the partial tiles on the way. */
static void test_sizes(void **state) {
    (void)state;
    static const uint64_t sizes[] = {0,   1,   2,    255,   256,   257,   300,
                                     511, 512, 5000, 65535, 65536, 65537, 70000};
    char path[64], at_once[64];
    ps_seal_folder *folder = NULL, *other = NULL;
    found f;
    ps_verify_report report, again;
    assert_int_equal(ps_seal_folder_open(seal_log_folder(path), false, &folder, NULL), PS_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        seal_log_grow(folder, &signer, sizes[i]);
        if (verify(folder, NULL, &f, &report) != PS_OK)
            fail_msg("size %d: %s: %s", (int)sizes[i], f.file, f.what);
        assert_int_equal(report.entries, sizes[i]);
        assert_true(report.is_signed && report.own_key);
        assert_int_equal(f.remarks, 0);
        assert_int_equal(report.beyond, 0);
    }
    assert_int_equal(ps_seal_folder_open(seal_log_folder(at_once), false, &other, NULL), PS_OK);
    seal_log_grow(other, &signer, 70000);
    assert_int_equal(verify(other, &signer.verifier, &f, &again), PS_OK);
    assert_true(ps_hash_is(&again.tree.root, &report.tree.root));
    assert_true(again.files < report.files);
    assert_int_equal(again.files, 274 + 274 + 2 + 1);
    ps_seal_folder_close(folder);
    ps_seal_folder_close(other);
    seal_log_remove(path);
    seal_log_remove(at_once);
}

static void write_file(const char *path, off_t at, const void *bytes, size_t length) {
    const int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, length, at), length);
    (void)close(fd);
}

/* A writer died behind its last checkpoint: in the middle of a tile, after a whole one. The next
 * one writes the same, and finishes it; of another log's tiles it says so and stops. */
static void test_left_over(void **state) {
    (void)state;
    char path[64], file[200];
    ps_seal_folder *folder = NULL;
    ps_appender *appender = NULL;
    ps_bytes entry[300];
    static uint8_t bytes[300][PS_SEAL_ENTRY_BYTES];
    ps_error error;
    found f;
    ps_verify_report report;
    struct stat about;
    assert_int_equal(ps_seal_folder_open(seal_log_folder(path), false, &folder, NULL), PS_OK);
    seal_log_grow(folder, &signer, 300);
    assert_int_equal(ps_appender_open(folder, &signer, 118, &appender, NULL), PS_OK);
    for (uint32_t i = 0; i < 300; i++) {
        seal_log_entry(300 + i, bytes[i]);
        entry[i] = (ps_bytes){bytes[i], PS_SEAL_ENTRY_BYTES};
    }
    assert_int_equal(ps_appender_add(appender, entry, 300, NULL), PS_OK);
    ps_appender_close(appender); /* tile/0/001 is whole, and no checkpoint says so */
    assert_int_equal(verify(folder, NULL, &f, &report), PS_OK);
    assert_int_equal(report.beyond, 2);
    (void)snprintf(file, sizeof file, "%s/tile/entries/001", path);
    /* Wherever it was torn, before what the checkpoint speaks of ends, too. */
    for (off_t size = 12345; size >= 0; size = size > 0 ? size / 7 : -1) {
        assert_int_equal(truncate(file, size), 0);
        assert_int_equal(verify(folder, NULL, &f, &report), PS_OK);
    }
    write_file(file, 0, "other", 5);
    assert_int_equal(verify(folder, NULL, &f, &report), PS_TAMPERED);
    assert_int_equal(truncate(file, 0), 0);
    seal_log_grow(folder, &signer, 600);
    assert_int_equal(stat(file, &about), 0);
    assert_int_equal(about.st_size, 256 * 120);
    assert_int_equal(verify(folder, NULL, &f, &report), PS_OK);
    /* A partial tile may go when the full one is there. */
    (void)snprintf(file, sizeof file, "%s/tile/0/001.p/44", path);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(verify(folder, NULL, &f, &report), PS_OK);
    /* Something else is there already. */
    (void)snprintf(file, sizeof file, "%s/tile/0/002.p/100", path);
    write_file(file, 0, "another log", 11);
    assert_int_equal(ps_appender_open(folder, &signer, 118, &appender, NULL), PS_OK);
    for (uint32_t i = 0; i < 12; i++) seal_log_entry(600 + i, bytes[i]);
    assert_int_equal(ps_appender_add(appender, entry, 12, NULL), PS_OK);
    assert_int_equal(ps_appender_publish(appender, &error), PS_TAMPERED);
    assert_non_null(strstr(error.message, "tile/0/002.p/100"));
    ps_appender_close(appender);
    ps_seal_folder_close(folder);
    seal_log_remove(path);
}

/* Who goes on must not sign over a tree that was changed, nor for another key. */
static void test_refuses_to_go_on(void **state) {
    (void)state;
    char path[64], file[200];
    ps_seal_folder *folder = NULL;
    ps_appender *appender = NULL;
    ps_signer other;
    ps_error error;
    assert_int_equal(ps_seal_folder_open(seal_log_folder(path), false, &folder, NULL), PS_OK);
    seal_log_grow(folder, &signer, 300);
    assert_int_equal(ps_signer_generate("another", PS_KEY_ED25519, &other, NULL), PS_OK);
    assert_int_equal(ps_appender_open(folder, &other, 118, &appender, &error), PS_TAMPERED);
    static const char *const files[] = {"tile/0/001.p/44", "tile/entries/001.p/44",
                                        "tile/1/000.p/1"};
    for (size_t i = 0; i < 3; i++) {
        uint8_t byte;
        (void)snprintf(file, sizeof file, "%s/%s", path, files[i]);
        const int fd = open(file, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, 20), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, 20), 1);
        assert_int_equal(ps_appender_open(folder, &signer, 118, &appender, &error), PS_TAMPERED);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, 20), 1);
        (void)close(fd);
    }
    ps_seal_folder_close(folder);
    seal_log_remove(path);
}

typedef struct flips {
    ps_seal_folder *folder;
    const char *path;
    uint32_t files, flips;
    bool every_bit;
} flips;

static bool is_named(const char *file, const char *named) {
    /* A tile of hashes is compared with its bundle, an older partial one with the later. */
    const char *const last = strrchr(file, '.');
    const size_t stem =
        last != NULL && strncmp(last, ".p/", 3) == 0 ? (size_t)(last - file) : strlen(file);
    return strncmp(file, named, stem) == 0;
}

static ps_status flip_file(void *context, const char *path, ps_error *error) {
    flips *const all = context;
    char file[300];
    uint8_t byte;
    (void)error;
    (void)snprintf(file, sizeof file, "%s/%s", all->path, path);
    const int fd = open(file, O_RDWR);
    const off_t length = lseek(fd, 0, SEEK_END);
    const bool small = length < 400; /* checkpoint, key, and a tile with one hash: all bits */
    const off_t step = small || all->every_bit ? 1 : 61;
    for (off_t bit = 0; bit < length * 8; bit += step, all->flips++) {
        found f;
        ps_verify_report report;
        assert_int_equal(pread(fd, &byte, 1, bit / 8), 1);
        const uint8_t turned = (uint8_t)(byte ^ 1 << bit % 8);
        assert_int_equal(pwrite(fd, &turned, 1, bit / 8), 1);
        const ps_status status = verify(all->folder, NULL, &f, &report);
        if (status != PS_TAMPERED || f.faults == 0 || !is_named(path, f.file))
            fail_msg("%s, bit %d: status %d, names %s: %s", path, (int)bit, status, f.file, f.what);
        assert_int_equal(pwrite(fd, &byte, 1, bit / 8), 1);
    }
    (void)close(fd);
    all->files++;
    return PS_OK;
}

/* PS_EVERY_BIT=1 turns all 470,000; otherwise every 61st of the large files. */
static void test_flipped_bits(void **state) {
    (void)state;
    char path[64];
    found f;
    ps_verify_report report;
    flips all = {.path = path, .every_bit = getenv("PS_EVERY_BIT") != NULL};
    assert_int_equal(ps_seal_folder_open(seal_log_folder(path), false, &all.folder, NULL), PS_OK);
    seal_log_grow(all.folder, &signer, 20);
    seal_log_grow(all.folder, &signer, 300);
    assert_int_equal(verify(all.folder, NULL, &f, &report), PS_OK);
    assert_int_equal(ps_seal_folder_walk(all.folder, flip_file, &all, NULL), PS_OK);
    assert_int_equal(all.files, 2 + 5 + 2);
    assert_int_equal(verify(all.folder, NULL, &f, &report), PS_OK);
    ps_seal_folder_close(all.folder);
    seal_log_remove(path);
}

/* What the message says is where the change was. */
static void test_names(void **state) {
    (void)state;
    char path[64], file[200];
    found f;
    ps_verify_report report;
    ps_seal_folder *folder = NULL;
    assert_int_equal(ps_seal_folder_open(seal_log_folder(path), false, &folder, NULL), PS_OK);
    seal_log_grow(folder, &signer, 70000);
    static const struct {
        const char *file;
        off_t at;
        const char *named, *what;
    } change[] = {
        {"tile/entries/100", 120 * 7 + 60, "tile/entries/100", "entry 25607 was changed"},
        {"tile/0/100", 32 * 7 + 3, "tile/0/100", "hash 7 was changed"},
        {"tile/1/000", 32 * 9, "tile/1/000", "hash 9 is not the root of tile/0/009"},
        {"tile/1/001.p/17", 32 * 16, "tile/1/001.p/17", "hash 16 is not the root of tile/0/272"},
        {"tile/2/000.p/1", 0, "tile/2/000.p/1", "hash 0 is not the root of tile/1/000"},
        {"checkpoint", 40, "checkpoint", ""},
    };
    for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
        uint8_t byte;
        (void)snprintf(file, sizeof file, "%s/%s", path, change[i].file);
        const int fd = open(file, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, change[i].at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, change[i].at), 1);
        assert_int_equal(verify(folder, NULL, &f, &report), PS_TAMPERED);
        assert_string_equal(f.file, change[i].named);
        if (strstr(f.what, change[i].what) == NULL) fail_msg("%s: %s", f.file, f.what);
        /* Of a changed checkpoint neither the signature nor the root is right. */
        assert_int_equal(f.faults, strcmp(f.file, "checkpoint") == 0 ? 2 : 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, change[i].at), 1);
        (void)close(fd);
    }
    (void)snprintf(file, sizeof file, "%s/tile/entries/050", path);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(verify(folder, NULL, &f, &report), PS_TAMPERED);
    assert_string_equal(f.file, "tile/entries/050");
    assert_string_equal(f.what, "is missing");
    assert_int_equal(f.faults, 1);
    ps_seal_folder_close(folder);
    seal_log_remove(path);
}

/* What cannot be told is not called tampering. */
static void test_cannot_tell(void **state) {
    (void)state;
    char path[64], file[200];
    found f;
    ps_verify_report report;
    ps_seal_folder *folder = NULL;
    ps_signer other;
    assert_int_equal(ps_seal_folder_open(seal_log_folder(path), false, &folder, NULL), PS_OK);
    assert_int_equal(verify(folder, NULL, &f, &report), PS_UNKNOWN_NAME);
    seal_log_grow(folder, &signer, 30);
    assert_int_equal(ps_signer_generate("test.example/log", PS_KEY_ED25519, &other, NULL), PS_OK);
    assert_int_equal(verify(folder, &other.verifier, &f, &report), PS_TAMPERED);
    assert_string_equal(f.file, "vkey");
    (void)snprintf(file, sizeof file, "%s/vkey", path);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(verify(folder, NULL, &f, &report), PS_UNKNOWN_NAME);
    assert_int_equal(f.faults, 0);
    assert_int_equal(verify(folder, &signer.verifier, &f, &report), PS_OK);
    (void)snprintf(file, sizeof file, "%s/notes.txt", path);
    write_file(file, 0, "hello", 5);
    assert_int_equal(verify(folder, &signer.verifier, &f, &report), PS_OK);
    assert_int_equal(f.remarks, 1);
    ps_seal_folder_close(folder);
    seal_log_remove(path);
}

static int make_key(void **state) {
    (void)state;
    return ps_signer_generate("test.example/log", PS_KEY_ED25519, &signer, NULL) != PS_OK;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_tessera),
        cmocka_unit_test(test_large_start),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_refuses_to_go_on),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_cannot_tell),
    };
    return cmocka_run_group_tests(tests, make_key, NULL);
}
