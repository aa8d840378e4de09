/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/siphash.h"

enum { PATH_BYTES = 1024, SEAL = 16, BYTES_MAX = 64 << 20 };

static const uint64_t key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};

void ps_cache_name(const char *prefix, const char *const *texts, uint32_t count,
                   char name[PS_CACHE_NAME_MAX]) {
    uint64_t chain[2] = {key[0], key[1]};
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t link[2] = {chain[0], chain[1]};
        ps_siphash128((const uint8_t *)texts[i], (uint32_t)strlen(texts[i]), link, chain);
    }
    (void)snprintf(name, PS_CACHE_NAME_MAX, "%.40s-%016" PRIx64 "%016" PRIx64, prefix, chain[0],
                   chain[1]);
}

/* False: there is nowhere to keep anything. */
static bool folder(char path[PATH_BYTES]) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length;
    if (cache != NULL && cache[0] == '/')
        length = snprintf(path, PATH_BYTES, "%s", cache);
    else if (home != NULL && home[0] == '/')
        length = snprintf(path, PATH_BYTES, "%s/.cache", home);
    else
        return false;
    if (length < 0 || length > PATH_BYTES - PS_CACHE_NAME_MAX - 64) return false;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return false;
    (void)snprintf(path + length, (size_t)(PATH_BYTES - length), "/penstock");
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Compiled code is run: it is only taken from a file of this user that nobody else may write. */
static bool ours(int fd, struct stat *about) {
    return fstat(fd, about) == 0 && S_ISREG(about->st_mode) && about->st_uid == geteuid() &&
           (about->st_mode & 022) == 0 && about->st_size > SEAL && about->st_size <= BYTES_MAX;
}

static bool read_all(int fd, uint8_t *data, size_t bytes) {
    while (bytes > 0) {
        const ssize_t got = read(fd, data, bytes);
        if (got <= 0) return false;
        data += got;
        bytes -= (size_t)got;
    }
    return true;
}

/* The data behind the seal, moved to the front. */
static uint8_t *unseal(uint8_t *file, size_t bytes) {
    uint64_t seal[2];
    ps_siphash128(file + SEAL, (uint32_t)(bytes - SEAL), key, seal);
    if (memcmp(file, seal, SEAL) != 0) {
        free(file);
        return NULL;
    }
    memmove(file, file + SEAL, bytes - SEAL);
    return file;
}

uint8_t *ps_cache_read(const char *name, size_t *bytes) {
    char path[PATH_BYTES];
    struct stat about;
    if (!folder(path)) return NULL;
    const size_t length = strlen(path);
    (void)snprintf(path + length, sizeof path - length, "/%s", name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return NULL;
    uint8_t *file = ours(fd, &about) ? malloc((size_t)about.st_size) : NULL;
    if (file != NULL && !read_all(fd, file, (size_t)about.st_size)) {
        free(file);
        file = NULL;
    }
    (void)close(fd);
    if (file == NULL) return NULL;
    *bytes = (size_t)about.st_size - SEAL;
    return unseal(file, (size_t)about.st_size);
}

static bool write_all(int fd, const uint8_t *data, size_t bytes) {
    while (bytes > 0) {
        const ssize_t put = write(fd, data, bytes);
        if (put <= 0) return false;
        data += put;
        bytes -= (size_t)put;
    }
    return true;
}

void ps_cache_write(const char *name, const void *data, size_t bytes) {
    char path[PATH_BYTES], final[PATH_BYTES];
    uint64_t seal[2];
    if (bytes == 0 || bytes > BYTES_MAX - SEAL || !folder(path)) return;
    const size_t length = strlen(path);
    memcpy(final, path, length);
    (void)snprintf(final + length, sizeof final - length, "/%s", name);
    (void)snprintf(path + length, sizeof path - length, "/%s.XXXXXX", name);
    const int fd = mkstemp(path);
    if (fd < 0) return;
    ps_siphash128(data, (uint32_t)bytes, key, seal);
    const bool whole = write_all(fd, (const uint8_t *)seal, SEAL) && write_all(fd, data, bytes);
    if (close(fd) != 0 || !whole || rename(path, final) != 0) (void)unlink(path);
}
