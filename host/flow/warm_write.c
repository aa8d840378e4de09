/* SPDX-License-Identifier: Apache-2.0
 * Writing a warm state: series by series, since there may be more of them than memory has room for;
 * the head, which counts them, last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/check.h"
#include "host/flow/warm_parts.h"

struct ps_warm_writer {
    FILE *out;
    ps_warm_head head;
    char *path, *part; /* `part`: its name until it is whole */
    uint8_t *entry;    /* one series */
};

static void describe(ps_warm_head *head, const ps_plan *plan) {
    for (uint32_t i = 0; i < plan->state_count; i++) {
        if (plan->warm.about[i].name[0] == '\0') continue;
        head->state[head->state_count] = plan->warm.about[i];
        head->planes[head->state_count++] = plan->state[i].planes;
        head->plane_count += plan->state[i].planes;
    }
}

static ps_status write_head(ps_warm_writer *writer, ps_error *error) {
    char text[PS_WARM_HEAD_MAX];
    const size_t bytes = ps_warm_head_write(&writer->head, text);
    if (fseek(writer->out, 0, SEEK_SET) == 0 && fwrite(text, bytes, 1, writer->out) == 1)
        return PS_OK;
    return ps_fail(error, PS_IO, "cannot write %.300s: %s", writer->part, strerror(errno));
}

static ps_status open_all(ps_warm_writer *writer, const char *path, const ps_plan *plan,
                          ps_error *error) {
    const size_t length = strlen(path);
    describe(&writer->head, plan);
    if (writer->head.state_count == 0)
        return ps_fail(error, PS_BAD_CONFIG, "%.300s: there is no state to be saved", path);
    writer->path = malloc(length + 1);
    writer->part = malloc(length + sizeof ".part");
    writer->entry = calloc(1, PS_WARM_FRONT + PS_WARM_KEY_MAX + PS_WARM_BACK +
                                  writer->head.plane_count * sizeof(double));
    if (writer->path == NULL || writer->part == NULL || writer->entry == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory to write %.300s", path);
    memcpy(writer->path, path, length + 1);
    memcpy(writer->part, path, length);
    memcpy(writer->part + length, ".part", sizeof ".part");
    writer->out = fopen(writer->part, "we");
    if (writer->out == NULL)
        return ps_fail(error, PS_IO, "cannot write %.300s: %s", writer->part, strerror(errno));
    return write_head(writer, error);
}

ps_status ps_warm_writer_open(const char *path, const ps_plan *plan, ps_warm_writer **out,
                              ps_error *error) {
    ps_warm_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to write %.300s", path);
    const ps_status status = open_all(writer, path, plan, error);
    if (status == PS_OK)
        *out = writer;
    else
        ps_warm_writer_close(writer);
    return status;
}

ps_status ps_warm_writer_add(ps_warm_writer *writer, ps_bytes key, const double *planes,
                             ps_error *error) {
    PS_CHECK(key.length > 0 && key.length <= PS_WARM_KEY_MAX);
    const size_t plane_bytes = writer->head.plane_count * sizeof *planes;
    const size_t front = PS_WARM_FRONT + ps_warm_padded(key.length), body = front + plane_bytes;
    uint8_t *entry = writer->entry;
    memset(entry, 0, front);
    memcpy(entry, &key.length, sizeof key.length);
    memcpy(entry + PS_WARM_FRONT, key.data, key.length);
    memcpy(entry + front, planes, plane_bytes);
    const uint64_t crc = ps_warm_crc(entry, body);
    memcpy(entry + body, &crc, sizeof crc);
    writer->head.series++;
    if (fwrite(entry, body + PS_WARM_BACK, 1, writer->out) == 1) return PS_OK;
    return ps_fail(error, PS_IO, "cannot write %.300s: %s", writer->part, strerror(errno));
}

/* Or the new name may be gone after a power cut. The file that bears it is whole either way. */
static ps_status sync_folder(ps_warm_writer *writer, ps_error *error) {
    char *const slash = strrchr(writer->part, '/'); /* which nobody needs any more */
    if (slash != NULL) slash[slash == writer->part] = '\0';
    const char *folder = slash == NULL ? "." : writer->part;
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool done =
        fd >= 0 && (fsync(fd) == 0 || errno == EINVAL); /* which has nothing to sync */
    const int why = errno;
    if (fd >= 0) (void)close(fd);
    if (done) return PS_OK;
    return ps_fail(error, PS_IO, "cannot sync the folder of %.300s: %s", writer->path,
                   strerror(why));
}

ps_status ps_warm_writer_finish(ps_warm_writer *writer, ps_error *error) {
    PS_TRY(write_head(writer, error));
    const bool whole = fflush(writer->out) == 0 && fsync(fileno(writer->out)) == 0;
    const int why = errno;
    const bool closed = fclose(writer->out) == 0;
    writer->out = NULL;
    if (whole && closed && rename(writer->part, writer->path) == 0)
        return sync_folder(writer, error);
    (void)unlink(writer->part);
    return ps_fail(error, PS_IO, "cannot write %.300s: %s", writer->path,
                   strerror(whole ? errno : why));
}

void ps_warm_writer_close(ps_warm_writer *writer) {
    if (writer == NULL) return;
    if (writer->out != NULL) {
        (void)fclose(writer->out);
        (void)unlink(writer->part);
    }
    free(writer->path);
    free(writer->part);
    free(writer->entry);
    free(writer);
}
