/* SPDX-License-Identifier: Apache-2.0
 * The inside of warm states, shared by warm_head.c (the lines in front), warm.c (reading) and
 * warm_write.c (writing). Nobody else includes this.
 */
#ifndef PS_HOST_FLOW_WARM_PARTS_H
#define PS_HOST_FLOW_WARM_PARTS_H

#include "host/flow/warm.h"

enum {
    PS_WARM_HEAD_MAX = 16384,
    PS_WARM_ALIGNMENT = 8, /* of series, and of all that is in them */
    PS_WARM_FRONT = 8,     /* bytes of a series before its key */
    PS_WARM_BACK = 8       /* and behind its planes */
};

typedef struct ps_warm_head {
    ps_state_about state[PS_STAGES_MAX];
    uint32_t planes[PS_STAGES_MAX]; /* of each */
    uint32_t state_count, plane_count;
    uint64_t series;
    size_t bytes; /* where the first series begins */
} ps_warm_head;

/* One that is whole, by its own check sum; `path` is for messages. PS_IO: it is not;
 * PS_BAD_CONFIG: it is of another format. */
ps_status ps_warm_head_parse(const uint8_t *data, size_t bytes, const char *path,
                             ps_warm_head *head, ps_error *error) PS_MUST_USE;
/* Into PS_WARM_HEAD_MAX bytes: its own bytes, whatever the number of series. */
size_t ps_warm_head_write(const ps_warm_head *head, char *to);

/* Whether the states of the use may begin from a file of that head. `at`, for each of them: its
 * first plane in a series, PS_NOWHERE: it begins with zeros. */
ps_status ps_warm_head_suits(const ps_warm_head *head, const ps_plan *plan, const ps_warm_use *use,
                             uint32_t *at, ps_error *error) PS_MUST_USE;

/* The file, open for reading, and its size; it is a plain one. */
ps_status ps_warm_file_open(const char *path, int *fd, size_t *bytes, ps_error *error) PS_MUST_USE;
/* As many bytes as there are, up to `bytes`. */
ps_status ps_warm_file_read(int fd, const char *path, void *to, size_t bytes, size_t *got,
                            ps_error *error) PS_MUST_USE;

uint32_t ps_warm_crc(const void *bytes, size_t count);

/* Places of the table of so many series: a power of two, at least twice as many. */
uint64_t ps_warm_places(uint64_t series);

typedef struct ps_warm_place {
    uint64_t key[2]; /* SipHash-2-4-128, as the series table has it */
    uint64_t at;     /* byte of the file at which the planes begin; 0: empty */
} ps_warm_place;

static inline size_t ps_warm_padded(size_t bytes) {
    return (bytes + PS_WARM_ALIGNMENT - 1) / PS_WARM_ALIGNMENT * PS_WARM_ALIGNMENT;
}

#endif
