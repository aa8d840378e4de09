/* SPDX-License-Identifier: Apache-2.0
 * The lines in front of a warm state, and whether they say what a plan wants: a state that was made
 * by another detector, or with other options, would give scores that look right.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/check.h"
#include "host/flow/warm_parts.h"
#include "kernels/crc32c.h"
#include "simd/dispatch.h"

#define FIRST_LINE "penstock warm state "
#define ADVICE     "score the past again with `penstock score --save-state`"

enum { LINE_MAX = 512, SERIES_DIGITS = 10 };

void ps_plan_describe(ps_plan *plan, const char *name, uint32_t format, const char *options,
                      bool optional) {
    PS_CHECK(plan->state_count > 0 && strlen(name) < PS_WARM_NAME_MAX);
    PS_CHECK(strlen(options) < PS_WARM_OPTIONS_MAX);
    ps_state_about *about = &plan->warm.about[plan->state_count - 1];
    *about = (ps_state_about){.format = format, .optional = optional};
    (void)snprintf(about->name, sizeof about->name, "%s", name);
    (void)snprintf(about->options, sizeof about->options, "%s", options);
}

uint32_t ps_warm_crc(const void *bytes, size_t count) {
    const ps_crc32c_params params = {0};
    uint32_t begin = 0, length = (uint32_t)count, crc = 0;
    PS_CHECK_OP(count, <, UINT32_MAX);
    void *const buf[] = {(void *)(uintptr_t)bytes, &begin, &length, &crc};
    ps_dispatch(PS_KERNEL_CRC32C)(buf, &params, 0, 1);
    return crc;
}

uint64_t ps_warm_places(uint64_t series) {
    uint64_t places = 64;
    while (places < 2 * series) places *= 2;
    return places;
}

size_t ps_warm_head_write(const ps_warm_head *head, char *to) {
    int at = snprintf(to, PS_WARM_HEAD_MAX, FIRST_LINE "%d\n", PS_WARM_FORMAT);
    for (uint32_t i = 0; i < head->state_count; i++) {
        const ps_state_about *about = &head->state[i];
        at += snprintf(to + at, PS_WARM_HEAD_MAX - (size_t)at, "state %s %u %u %s\n", about->name,
                       about->format, head->planes[i], about->options);
    }
    at += snprintf(to + at, PS_WARM_HEAD_MAX - (size_t)at, "series %0*" PRIu64 "\n", SERIES_DIGITS,
                   head->series);
    PS_CHECK_OP(at, <, PS_WARM_HEAD_MAX - 64);
    at += snprintf(to + at, PS_WARM_HEAD_MAX - (size_t)at, "check %08" PRIx32 "\n\n",
                   ps_warm_crc(to, (size_t)at));
    const size_t bytes = ps_warm_padded((size_t)at);
    memset(to + at, 0, bytes - (size_t)at);
    return bytes;
}

/* What is left of the lines. */
typedef struct lines {
    const uint8_t *at, *end;
    const char *path;
    char line[LINE_MAX];
} lines;

static ps_status broken(const lines *text, ps_error *error) {
    return ps_fail(error, PS_IO, "%.200s: is no warm state, or a broken one: " ADVICE, text->path);
}

/* The next line, which is of plain letters: it may be shown. */
static bool next_line(lines *text) {
    const size_t left = (size_t)(text->end - text->at);
    const uint8_t *stop = left == 0 ? NULL : memchr(text->at, '\n', left);
    if (stop == NULL || stop - text->at >= LINE_MAX) return false;
    const size_t length = (size_t)(stop - text->at);
    for (size_t i = 0; i < length; i++)
        if (text->at[i] < ' ' || text->at[i] > '~') return false;
    memcpy(text->line, text->at, length);
    text->line[length] = '\0';
    text->at = stop + 1;
    return true;
}

/* Digits, and the blank or the end behind them. */
static bool take_number(const char **at, uint64_t most, uint64_t *value) {
    const char *p = *at;
    *value = 0;
    while (*p >= '0' && *p <= '9') {
        *value = 10 * *value + (uint64_t)(*p++ - '0');
        if (*value > most) return false;
    }
    if (p == *at || (*p != ' ' && *p != '\0')) return false;
    *at = *p == ' ' ? p + 1 : p;
    return true;
}

static bool take_word(const char **at, const char *word) {
    const size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) return false;
    *at += length;
    return true;
}

static bool take_state(const char *at, ps_warm_head *head) {
    ps_state_about *about = &head->state[head->state_count];
    const size_t length = strcspn(at, " ");
    uint64_t format, planes;
    if (length == 0 || length >= sizeof about->name || at[length] == '\0') return false;
    memcpy(about->name, at, length);
    about->name[length] = '\0';
    at += length + 1;
    if (!take_number(&at, UINT32_MAX, &format)) return false;
    if (!take_number(&at, PS_STATE_PLANES_MAX, &planes) || planes == 0) return false;
    if (strlen(at) >= sizeof about->options) return false;
    (void)snprintf(about->options, sizeof about->options, "%s", at);
    about->format = (uint32_t)format;
    head->planes[head->state_count++] = (uint32_t)planes;
    head->plane_count += (uint32_t)planes;
    return head->plane_count <= PS_STATE_PLANES_MAX;
}

/* What was read is what would be written, check sum and all. */
static bool is_whole(const uint8_t *data, size_t bytes, ps_warm_head *head) {
    char text[PS_WARM_HEAD_MAX];
    head->bytes = ps_warm_head_write(head, text);
    return head->bytes <= bytes && memcmp(data, text, head->bytes) == 0;
}

static ps_status take_format(lines *text, ps_error *error) {
    const char *at = text->line;
    uint64_t format;
    if (!next_line(text) || !take_word(&at, FIRST_LINE) || !take_number(&at, UINT32_MAX, &format))
        return broken(text, error);
    if (format == PS_WARM_FORMAT) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "%.200s: is a warm state of format %" PRIu64
                   ", and this penstock reads %d: " ADVICE " of this version",
                   text->path, format, PS_WARM_FORMAT);
}

static bool take_states(lines *text, ps_warm_head *head) {
    for (;;) {
        const char *at = text->line;
        if (!next_line(text)) return false;
        if (!take_word(&at, "state ")) return true;
        if (head->state_count == PS_STAGES_MAX || !take_state(at, head)) return false;
    }
}

ps_status ps_warm_head_parse(const uint8_t *data, size_t bytes, const char *path,
                             ps_warm_head *head, ps_error *error) {
    lines text = {.at = data, .end = data + bytes, .path = path};
    memset(head, 0, sizeof *head);
    PS_TRY(take_format(&text, error));
    const char *at = text.line;
    const bool good = take_states(&text, head) && head->state_count > 0 &&
                      take_word(&at, "series ") &&
                      take_number(&at, UINT64_C(9999999999), &head->series) && *at == '\0';
    return good && is_whole(data, bytes, head) ? PS_OK : broken(&text, error);
}

static uint32_t find(const ps_warm_head *head, const char *name) {
    for (uint32_t i = 0; i < head->state_count; i++)
        if (strcmp(head->state[i].name, name) == 0) return i;
    return PS_NOWHERE;
}

/* "ewma, slim": states that one has to have. */
static void list(const ps_state_about *about, uint32_t count, char *to, size_t bytes) {
    size_t at = 0;
    to[0] = '\0';
    for (uint32_t i = 0; i < count && at < bytes; i++) {
        if (about[i].optional || about[i].name[0] == '\0') continue;
        at += (size_t)snprintf(to + at, bytes - at, "%s%s", at == 0 ? "" : ", ", about[i].name);
    }
}

static ps_status other_detectors(const ps_warm_head *head, const ps_plan *plan,
                                 const ps_warm_use *use, ps_error *error) {
    char there[100], here[100];
    ps_warm_head shown = *head; /* a file does not say what may be missing: the plan does */
    for (uint32_t i = 0; i < shown.state_count; i++)
        shown.state[i].optional = strcmp(shown.state[i].name, PS_WARM_QUIET) == 0;
    list(shown.state, shown.state_count, there, sizeof there);
    list(&plan->warm.about[use->first], use->count, here, sizeof here);
    return ps_fail(error, PS_BAD_CONFIG,
                   "%.150s: is the state of detectors %s, and this stage has %s: " ADVICE,
                   use->path, there, here);
}

static ps_status compare(const ps_warm_head *head, uint32_t i, const ps_state_about *about,
                         uint32_t planes, const char *path, ps_error *error) {
    const ps_state_about *there = &head->state[i];
    if (there->format != about->format)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.150s: the state of %s there is of version %u, and this penstock has "
                       "%u: " ADVICE,
                       path, about->name, there->format, about->format);
    if (strcmp(there->options, about->options) != 0)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.150s: %s was run with %.60s there, and has %.60s here: make them the "
                       "same, or " ADVICE,
                       path, about->name, there->options, about->options);
    if (head->planes[i] != planes)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.150s: the state of %s there is of %u numbers a series, and of %u "
                       "here: " ADVICE,
                       path, about->name, head->planes[i], planes);
    return PS_OK;
}

ps_status ps_warm_head_suits(const ps_warm_head *head, const ps_plan *plan, const ps_warm_use *use,
                             uint32_t *at, ps_error *error) {
    uint32_t used = 0;
    for (uint32_t i = 0; i < use->count; i++) {
        const ps_state_about *about = &plan->warm.about[use->first + i];
        const uint32_t there = find(head, about->name);
        at[i] = PS_NOWHERE;
        if (there == PS_NOWHERE && about->optional) continue;
        if (there == PS_NOWHERE) return other_detectors(head, plan, use, error);
        PS_TRY(compare(head, there, about, plan->state[use->first + i].planes, use->path, error));
        at[i] = 0;
        for (uint32_t k = 0; k < there; k++) at[i] += head->planes[k];
        used++;
    }
    for (uint32_t i = 0; i < head->state_count; i++) {
        bool wanted = strcmp(head->state[i].name, PS_WARM_QUIET) == 0;
        for (uint32_t k = 0; k < use->count; k++)
            wanted |= strcmp(head->state[i].name, plan->warm.about[use->first + k].name) == 0;
        if (!wanted) return other_detectors(head, plan, use, error);
    }
    return used > 0 ? PS_OK : other_detectors(head, plan, use, error);
}

ps_status ps_warm_file_open(const char *path, int *fd, size_t *bytes, ps_error *error) {
    struct stat about;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return ps_fail(error, PS_IO, "cannot read %.300s: %s", path, strerror(errno));
    if (fstat(*fd, &about) == 0 && S_ISREG(about.st_mode)) {
        *bytes = (size_t)about.st_size;
        return PS_OK;
    }
    (void)close(*fd);
    return ps_fail(error, PS_IO, "cannot read %.300s: it is not a plain file", path);
}

ps_status ps_warm_file_read(int fd, const char *path, void *to, size_t bytes, size_t *got,
                            ps_error *error) {
    *got = 0;
    while (*got < bytes) {
        const ssize_t n = read(fd, (uint8_t *)to + *got, bytes - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ps_fail(error, PS_IO, "cannot read %.300s: %s", path, strerror(errno));
        if (n == 0) break;
        *got += (size_t)n;
    }
    return PS_OK;
}

static ps_status read_head(const char *path, ps_warm_head *head, size_t *bytes, ps_error *error) {
    uint8_t text[PS_WARM_HEAD_MAX];
    size_t got = 0;
    int fd = -1;
    PS_TRY(ps_warm_file_open(path, &fd, bytes, error));
    const ps_status status = ps_warm_file_read(fd, path, text, sizeof text, &got, error);
    (void)close(fd);
    PS_TRY(status);
    return ps_warm_head_parse(text, got, path, head, error);
}

ps_status ps_plan_warm(ps_plan *plan, const char *path, uint32_t first, uint32_t fresh,
                       ps_error *error) {
    ps_warm_head head;
    size_t bytes = 0;
    uint32_t at[PS_STAGES_MAX];
    const ps_warm_use use = {
        .path = path, .first = first, .count = plan->state_count - first, .fresh = fresh};
    PS_TRY(read_head(path, &head, &bytes, error));
    PS_TRY(ps_warm_head_suits(&head, plan, &use, at, error));
    PS_CHECK_OP(plan->warm.use_count, <, (uint32_t)PS_STAGES_MAX);
    /* A count that cannot be is told when the file is read; until then it must not be believed. */
    const uint64_t most = bytes / (head.plane_count * sizeof(double));
    const uint64_t series = head.series < most ? head.series : most;
    plan->warm.use[plan->warm.use_count] = use;
    plan->warm.use[plan->warm.use_count++].bytes =
        bytes + ps_warm_places(series) * sizeof(ps_warm_place);
    return PS_OK;
}

size_t ps_plan_warm_bytes(const ps_plan *plan) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < plan->warm.use_count; i++) bytes += plan->warm.use[i].bytes;
    return bytes;
}
