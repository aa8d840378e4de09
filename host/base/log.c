/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/clock.h"

enum { LINE_MAX_BYTES = 4096, LIVE_MAX_BYTES = 512 };

/* The process has one stderr, so it has one log; the lock keeps a message and the live line apart.
 */
static struct {
    pthread_mutex_t lock;
    ps_log_level level;
    bool json;
    char live[LIVE_MAX_BYTES];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = PS_LOG_INFO};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void ps_log_init(ps_log_level level, bool json) {
    state.level = level;
    state.json = json;
}

void ps_log_quiet(void) {
    if (state.level > PS_LOG_WARNING) state.level = PS_LOG_WARNING;
}

static void write_all(const char *bytes, size_t count) {
    while (count > 0) {
        const ssize_t written = write(STDERR_FILENO, bytes, count);
        if (written <= 0) return; /* nobody is left to tell */
        bytes += written;
        count -= (size_t)written;
    }
}

/* One write per message where possible: other processes may share the terminal. */
static void print_line(const char *line) {
    char out[LINE_MAX_BYTES + LIVE_MAX_BYTES + 16];
    (void)pthread_mutex_lock(&state.lock);
    const bool live = state.live[0] != '\0';
    const int length = snprintf(out, sizeof out, "%s%.*s\n%s", live ? "\r\033[K" : "",
                                LINE_MAX_BYTES - 1, line, live ? state.live : "");
    write_all(out, (size_t)length);
    (void)pthread_mutex_unlock(&state.lock);
}

void ps_log_live(const char *line) {
    char out[LIVE_MAX_BYTES + 16];
    if (line == NULL) line = "";
    (void)pthread_mutex_lock(&state.lock);
    if (line[0] != '\0' || state.live[0] != '\0') {
        const int length = snprintf(out, sizeof out, "\r\033[K%.*s", LIVE_MAX_BYTES - 1, line);
        write_all(out, (size_t)length);
    }
    (void)snprintf(state.live, sizeof state.live, "%s", line);
    (void)pthread_mutex_unlock(&state.lock);
}

static size_t put_control(char *out, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

size_t ps_json_escape(const char *text, char *out, size_t bytes) {
    size_t used = 0;
    for (; *text != '\0' && used + 7 < bytes; text++) {
        const unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            used += put_control(out + used, c);
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
            used += put_control(out + used, next);
            text++;
        } else {
            out[used++] = (char)c;
        }
    }
    out[used] = '\0';
    return used;
}

static void print_json(ps_log_level level, const char *where, const char *message) {
    char line[LINE_MAX_BYTES], time[40], place[512], text[3072];
    const int64_t now_ms = ps_clock_wall_ms();
    const time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    const size_t length = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(time + length, sizeof time - length, ".%03dZ", (int)(now_ms % 1000));
    (void)ps_json_escape(where == NULL ? "" : where, place, sizeof place);
    (void)ps_json_escape(message, text, sizeof text);
    (void)snprintf(line, sizeof line,
                   "{\"time\":\"%s\",\"level\":\"%s\",\"where\":\"%s\",\"message\":\"%s\"}", time,
                   level_names[level], place, text);
    print_line(line);
}

void ps_log(ps_log_level level, const char *where, const char *format, ...) {
    if (level > state.level) return;
    char message[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (state.json) {
        print_json(level, where, message);
        return;
    }
    char line[LINE_MAX_BYTES];
    (void)snprintf(line, sizeof line, "penstock: %s%s%s%s",
                   level == PS_LOG_WARNING ? "warning: " : "", where == NULL ? "" : where,
                   where == NULL ? "" : ": ", message);
    print_line(line);
}

void ps_log_at(const char *place, const char *message) {
    if (state.json) {
        print_json(PS_LOG_ERROR, place, message);
        return;
    }
    char line[LINE_MAX_BYTES];
    (void)snprintf(line, sizeof line, "%s: %s", place, message);
    print_line(line);
}
