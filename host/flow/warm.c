/* SPDX-License-Identifier: Apache-2.0
 * Warm states while a pipeline runs: the files as they are, and a table of where each series lies
 * in them. A file that was cut or altered is refused before the first row.
 */
#include "host/flow/warm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/siphash.h"
#include "host/flow/warm_parts.h"

typedef struct file {
    const ps_warm_use *use;
    uint8_t *data;
    ps_warm_place *place;
    uint64_t mask;
    uint64_t series;
    uint32_t at[PS_STAGES_MAX]; /* of each state of the use: its first plane, or PS_NOWHERE */
} file;

struct ps_warm {
    uint32_t count;
    file of[];
};

static const double zeros[PS_STATE_PLANES_MAX];

static ps_warm_place *probe(const file *f, const uint64_t key[2]) {
    uint64_t at = key[0] & f->mask;
    while (f->place[at].at != 0 && (f->place[at].key[0] != key[0] || f->place[at].key[1] != key[1]))
        at = (at + 1) & f->mask;
    return &f->place[at];
}

/* The series that begins at `*at`, which moves on; false: it is not whole. */
static bool enter(file *f, uint64_t *at, size_t bytes, uint32_t planes) {
    static const uint64_t sip_key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
    const uint8_t *begin = f->data + *at;
    const size_t left = bytes - *at;
    uint32_t key_bytes;
    uint64_t key[2], crc;
    if (left < PS_WARM_FRONT) return false;
    memcpy(&key_bytes, begin, sizeof key_bytes);
    if (key_bytes == 0 || key_bytes > PS_WARM_KEY_MAX) return false;
    const size_t front = PS_WARM_FRONT + ps_warm_padded(key_bytes);
    const size_t body = front + planes * sizeof(double);
    if (left < body + PS_WARM_BACK) return false;
    memcpy(&crc, begin + body, sizeof crc);
    if (crc != ps_warm_crc(begin, body)) return false;
    ps_siphash128(begin + PS_WARM_FRONT, key_bytes, sip_key, key);
    ps_warm_place *place = probe(f, key);
    if (place->at != 0) return false; /* a second time */
    *place = (ps_warm_place){{key[0], key[1]}, *at + front};
    *at += body + PS_WARM_BACK;
    return true;
}

static ps_status enter_all(file *f, const ps_warm_head *head, size_t bytes, ps_error *error) {
    uint64_t at = head->bytes, count = 0;
    const size_t least = PS_WARM_FRONT + PS_WARM_ALIGNMENT + PS_WARM_BACK;
    bool good = head->series <= bytes / least;
    const uint64_t places = good ? ps_warm_places(head->series) : 1;
    f->place = calloc(places, sizeof *f->place);
    if (f->place == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for the series of %.300s", f->use->path);
    f->mask = places - 1;
    while (good && count < head->series && enter(f, &at, bytes, head->plane_count)) count++;
    f->series = count;
    if (good && count == head->series && at == bytes) return PS_OK;
    return ps_fail(error, PS_IO,
                   "%.300s: is broken behind %" PRIu64 " of %" PRIu64
                   " series: its check sums are not what its bytes say",
                   f->use->path, count, head->series);
}

static ps_status load(file *f, const ps_plan *plan, ps_error *error) {
    const char *path = f->use->path;
    ps_warm_head head;
    size_t bytes = 0, got = 0;
    int fd = -1;
    PS_TRY(ps_warm_file_open(path, &fd, &bytes, error));
    f->data = malloc(bytes + 1);
    ps_status status =
        f->data == NULL
            ? ps_fail(error, PS_NO_MEMORY, "no memory for the %zu bytes of %.300s", bytes, path)
            : ps_warm_file_read(fd, path, f->data, bytes, &got, error);
    (void)close(fd);
    PS_TRY(status);
    PS_TRY(ps_warm_head_parse(f->data, got, path, &head, error));
    PS_TRY(ps_warm_head_suits(&head, plan, f->use, f->at, error));
    return enter_all(f, &head, got, error);
}

ps_status ps_warm_open(const ps_plan *plan, ps_warm **out, ps_error *error) {
    const uint32_t count = plan->warm.use_count;
    ps_warm *warm = NULL;
    *out = NULL;
    if (count == 0) return PS_OK;
    warm = calloc(1, sizeof *warm + count * sizeof warm->of[0]);
    if (warm == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for warm states");
    for (; warm->count < count; warm->count++) {
        file *f = &warm->of[warm->count];
        f->use = &plan->warm.use[warm->count];
        const ps_status status = load(f, plan, error);
        if (status == PS_OK) continue;
        warm->count++; /* what there is of it is closed too */
        ps_warm_close(warm);
        return status;
    }
    *out = warm;
    return PS_OK;
}

void ps_warm_close(ps_warm *warm) {
    if (warm == NULL) return;
    for (uint32_t i = 0; i < warm->count; i++) {
        free(warm->of[i].data);
        free(warm->of[i].place);
    }
    free(warm);
}

uint64_t ps_warm_series(const ps_warm *warm) {
    uint64_t sum = 0;
    for (uint32_t i = 0; warm != NULL && i < warm->count; i++) sum += warm->of[i].series;
    return sum;
}

bool ps_warm_has(const ps_warm *warm, const uint64_t key[2]) {
    bool has = false;
    for (uint32_t i = 0; warm != NULL && i < warm->count; i++)
        has |= probe(&warm->of[i], key)->at != 0;
    return has;
}

/* Whether the file has the series: then its states are told. */
static bool begin(const file *f, const ps_plan *plan, const ps_segment *segment, uint32_t id,
                  ps_warm_put *put, void *context) {
    const ps_warm_place *place = probe(f, segment->key);
    if (place->at == 0) return false;
    const double *planes = (const double *)(const void *)(f->data + place->at);
    for (uint32_t i = 0; i < f->use->count; i++)
        put(context, &plan->state[f->use->first + i], id,
            f->at[i] == PS_NOWHERE ? zeros : planes + f->at[i]);
    return true;
}

uint32_t ps_warm_batch(const ps_warm *warm, const ps_plan *plan, const ps_batch *batch,
                       ps_warm_put *put, void *context) {
    const uint8_t *fresh = ps_batch_system(batch, PS_COLUMN_FRESH);
    const uint32_t *id = ps_batch_system(batch, PS_COLUMN_SERIES);
    uint32_t begun = 0;
    for (uint32_t i = 0; i < warm->count; i++)
        memcpy(ps_batch_values(batch, &batch->schema->column[warm->of[i].use->fresh]), fresh,
               batch->segment_count);
    for (uint32_t s = 0; s < batch->touched_count; s++) {
        ps_segment *segment = &batch->segments[s];
        bool found = false;
        /* A series whose first row is read again began as it did then. */
        if (!fresh[s] || segment->born < 0) continue;
        for (uint32_t i = 0; i < warm->count; i++) {
            const file *f = &warm->of[i];
            uint8_t *own = ps_batch_values(batch, &batch->schema->column[f->use->fresh]);
            if (!begin(f, plan, segment, id[s], put, context)) continue;
            own[s] = 0;
            found = true;
        }
        if (found && plan->replays && segment->kind == PS_SEGMENT_TOUCHED)
            segment->kind = PS_SEGMENT_BOTH;
        begun += found;
    }
    return begun;
}
