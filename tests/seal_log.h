/* SPDX-License-Identifier: Apache-2.0
 * Logs in directories as a worker writes them: entries that are told from their index, in a folder
 * of the test's own.
 */
#ifndef TESTS_SEAL_LOG_H
#define TESTS_SEAL_LOG_H

#include <ftw.h>
#include <unistd.h>

#include "host/seal/appender.h"
#include "host/seal/entry.h"
#include "tests/seal_golden.h"

enum { SEAL_LOG_BATCH = 1000 };

static inline int seal_log_forget(const char *path, const struct stat *about, int kind,
                                  struct FTW *at) {
    (void)about;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void seal_log_remove(const char *path) {
    (void)nftw(path, seal_log_forget, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *seal_log_folder(char path[64]) {
    (void)snprintf(path, 64, "/tmp/seal-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

/* Entry `index` of every such log: offsets have gaps, as a topic's have. */
static inline void seal_log_entry(uint64_t index, uint8_t out[PS_SEAL_ENTRY_BYTES]) {
    ps_seal_entry entry = {.partition = 3,
                           .offset = index + index / 100,
                           .timestamp_ms = 1700000000000 + (int64_t)index};
    char text[32];
    (void)snprintf(text, sizeof text, "value %llu", (unsigned long long)index);
    const ps_bytes value = {(const uint8_t *)text, (uint32_t)strlen(text)};
    const ps_bytes key = {(const uint8_t *)text, index % 3 == 0 ? PS_NULL_LENGTH : 5};
    assert_true(ps_seal_entry_digest(&entry, key, (ps_bytes){NULL, 0}, value));
    ps_seal_entry_encode(&entry, out);
}

/* Goes on from wherever the log is to `size`, and publishes. */
static inline void seal_log_grow(ps_seal_folder *folder, const ps_signer *signer, uint64_t size) {
    static uint8_t bytes[SEAL_LOG_BATCH][PS_SEAL_ENTRY_BYTES];
    ps_bytes entry[SEAL_LOG_BATCH];
    ps_appender *appender = NULL;
    ps_error error;
    if (ps_appender_open(folder, signer, PS_SEAL_ENTRY_BYTES, &appender, &error) != PS_OK)
        fail_msg("%s", error.message);
    for (uint64_t at = ps_appender_frontier(appender)->size; at < size;) {
        uint32_t count = 0;
        for (; count < SEAL_LOG_BATCH && at < size; count++, at++) {
            seal_log_entry(at, bytes[count]);
            entry[count] = (ps_bytes){bytes[count], PS_SEAL_ENTRY_BYTES};
        }
        if (ps_appender_add(appender, entry, count, &error) != PS_OK) fail_msg("%s", error.message);
    }
    if (ps_appender_publish(appender, &error) != PS_OK) fail_msg("%s", error.message);
    ps_appender_close(appender);
}

#endif
