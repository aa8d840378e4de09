/* SPDX-License-Identifier: Apache-2.0
 * Any bytes where the file sink and the dead letters find what they kept: manifest, state and
 * dead-letter file are refused with a sentence, or read within their bounds.
 */
#include "ingest/dead_file.h"
#include "ingest/partfile.h"
#include "tests/fuzz/fuzz.h"

static void apply(void *context, uint32_t partition, const ps_state_entry *entries,
                  uint32_t count) {
    uint64_t *sum = context;
    for (const ps_state_entry *entry = entries; entry < entries + count; entry++)
        *sum += partition + entry->key[0] + (entry->planes != NULL ? (uint64_t)entry->last : 0);
}

/* The manifest up to the first NUL, the state behind it. */
static void open_part(const uint8_t *data, size_t size) {
    static uint64_t sum;
    const ps_partfile_dir dir = {fuzz_folder(), ".ndjson",
                                 open(fuzz_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const ps_partfile_from from = {"files/0", 0, 1, apply, &sum};
    const uint8_t *nul = memchr(data, 0, size);
    const size_t text = nul == NULL ? size : (size_t)(nul - data);
    ps_partfile *file = NULL;
    int64_t next = 0;
    ps_error error = {0};
    fuzz_file(".manifest-00000", data, text);
    if (nul != NULL) fuzz_file(".state-00000-1", nul + 1, size - text - 1);
    fuzz_file(".part-00000-00000000000000000007.ndjson", "{}\n{}\n", 6);
    if (ps_partfile_open(&dir, 0, &from, &file, &next, &error) == PS_OK)
        ps_partfile_close(file);
    else
        FUZZ_CHECK(error.message[0] != '\0');
    (void)close(dir.fd);
}

static void open_dead(const uint8_t *data, size_t size) {
    static ps_partitions *partitions;
    char path[128];
    ps_dead_file *dead = NULL;
    ps_error error;
    if (partitions == NULL) {
        partitions = calloc(1, sizeof *partitions);
        partitions->topic_count = 2;
        partitions->count = 3;
        for (uint32_t t = 0; t < 2; t++) {
            (void)snprintf(partitions->topic[t].name, sizeof partitions->topic[t].name, "t%u", t);
            partitions->topic[t].first = t;
            partitions->topic[t].count = 1 + t;
        }
    }
    fuzz_file("dead", data, size);
    (void)snprintf(path, sizeof path, "%s/dead", fuzz_folder());
    FUZZ_CHECK(ps_dead_file_open(path, partitions, &dead, &error) == PS_OK);
    ps_dead_file_close(dead);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0 && data[0] == '{')
        open_dead(data, size);
    else
        open_part(data, size);
    return 0;
}
