/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/file_lock.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct ps_file_lock {
    ps_file_lock *next; /* of those this process holds */
    uint32_t users;
    int fd;
    dev_t device;
    ino_t inode;
};

static pthread_mutex_t held_mutex = PTHREAD_MUTEX_INITIALIZER;
static ps_file_lock *held;

static ps_file_lock *find(const struct stat *about) {
    ps_file_lock *lock = held;
    while (lock != NULL && (lock->device != about->st_dev || lock->inode != about->st_ino))
        lock = lock->next;
    return lock;
}

static ps_status take(int fd, const struct stat *about, ps_file_lock **out, ps_error *error) {
    int code;
    do {
        code = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    } while (code == EINTR);
    if (code == EWOULDBLOCK) return PS_AGAIN;
    if (code != 0) return ps_fail(error, PS_IO, "cannot lock a file: %s", strerror(code));
    ps_file_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a lock");
    *lock = (ps_file_lock){held, 1, fd, about->st_dev, about->st_ino};
    held = lock;
    *out = lock;
    return PS_OK;
}

ps_status ps_file_lock_open(int fd, ps_file_lock **out, ps_error *error) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        return ps_fail(error, PS_IO, "cannot lock a file: %s", strerror(errno));
    ps_status status = PS_OK;
    (void)pthread_mutex_lock(&held_mutex);
    ps_file_lock *lock = find(&about);
    if (lock == NULL) {
        status = take(fd, &about, out, error);
    } else {
        lock->users++;
        (void)close(fd);
        *out = lock;
    }
    (void)pthread_mutex_unlock(&held_mutex);
    return status;
}

void ps_file_lock_close(ps_file_lock *lock) {
    if (lock == NULL) return;
    (void)pthread_mutex_lock(&held_mutex);
    if (--lock->users == 0) {
        ps_file_lock **link = &held;
        while (*link != lock) link = &(*link)->next;
        *link = lock->next;
        (void)close(lock->fd);
        free(lock);
    }
    (void)pthread_mutex_unlock(&held_mutex);
}

void ps_file_lock_sign(const ps_file_lock *lock) {
    char text[32];
    const int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Only a message wants it: a disk that is full must not keep the lock from being held. */
    if (ftruncate(lock->fd, 0) == 0 && pwrite(lock->fd, text, (size_t)length, 0) < 0) return;
}

long ps_file_lock_signed(int fd) {
    char text[32] = "";
    return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}
