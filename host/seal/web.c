/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "host/seal/http.h"

enum { URL_MAX = 2048, TRIES = 4, REDIRECTS = 5, CONNECT_S = 10, SILENT_S = 30 };

struct ps_seal_web {
    ps_seal_http *http;
    char url[URL_MAX]; /* without a slash at its end */
};

/* A path goes behind it, and messages show it. What is refused is not shown: it may hold a secret.
 */
ps_status ps_seal_web_check(const char *url, ps_error *error) {
    const char *const host = strstr(url, "://") + 3;
    const size_t length = strcspn(host, "/");
    if (strlen(url) + PS_TILE_PATH_MAX >= URL_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "the URL is too long");
    if (length == 0) return ps_fail(error, PS_BAD_CONFIG, "%s: the URL names no host", url);
    if (memchr(host, '@', length) != NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "a URL with a user's name in it is not taken: a log is for all to read");
    if (strpbrk(url, "?#") != NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "a log's URL has neither '?' nor '#': its files are below it");
    return PS_OK;
}

ps_status ps_seal_web_open(const char *url, ps_seal_web **out, ps_error *error) {
    PS_TRY(ps_seal_web_check(url, error));
    ps_seal_web *web = calloc(1, sizeof *web);
    if (web == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a URL");
    size_t length = strlen(url);
    while (url[length - 1] == '/') length--;
    memcpy(web->url, url, length);
    const ps_seal_http_rules rules = {
        .connect_s = CONNECT_S, .silent_s = SILENT_S, .redirects = REDIRECTS};
    const ps_status status = ps_seal_http_open(&rules, &web->http, error);
    if (status == PS_OK)
        *out = web;
    else
        ps_seal_web_close(web);
    return status;
}

void ps_seal_web_close(ps_seal_web *web) {
    if (web == NULL) return;
    ps_seal_http_close(web->http);
    free(web);
}

/* What came of one file. */
typedef struct coming {
    const char *path;
    size_t room;
    ps_status status; /* of the question */
    ps_seal_http_answer answer;
    ps_error why;
} coming;

static bool may_pass(const coming *c) {
    const bool is_answer = c->status == PS_OK || c->status == PS_TAMPERED;
    return is_answer ? c->answer.code >= 500 || c->answer.code == 429 : c->answer.may_pass;
}

static ps_status judge(const ps_seal_web *web, const coming *c, ps_error *error) {
    const uint32_t code = c->answer.code;
    if (c->status == PS_OK && code == 200) return PS_OK;
    if (code == 404 || code == 410) /* however long its page is */
        return ps_fail(error, PS_UNKNOWN_NAME, "%s: is missing", c->path);
    if (c->status == PS_TAMPERED && code == 200)
        return ps_fail(error, PS_TAMPERED, "%s: has more than %zu bytes", c->path, c->room);
    if (c->status == PS_OK || c->status == PS_TAMPERED)
        return ps_fail(error, PS_IO, "%s: %.300s answers with status %u%s", c->path, web->url, code,
                       code == 401 || code == 403 ? ": it must let everybody read a log" : "");
    return ps_fail(error, PS_IO, "%s: cannot be had from %.200s: %.200s", c->path, web->url,
                   c->why.message);
}

static ps_status read_file(void *context, const char *path, uint8_t *to, size_t room,
                           size_t *length, ps_error *error) {
    const ps_seal_web *const web = context;
    char url[URL_MAX + PS_TILE_PATH_MAX];
    coming c = {.path = path, .room = room};
    bool again = true;
    (void)snprintf(url, sizeof url, "%s/%s", web->url, path);
    for (int attempt = 0; again && attempt < TRIES; attempt++) {
        const struct timespec pause = {.tv_nsec = (100000000L << attempt) / 2};
        if (attempt > 0) (void)nanosleep(&pause, NULL);
        c.status =
            ps_seal_http_ask(web->http, url, (ps_bytes){NULL, 0}, to, room, &c.answer, &c.why);
        again = may_pass(&c);
    }
    *length = c.answer.length;
    return judge(web, &c, error);
}

ps_tile_source ps_seal_web_source(ps_seal_web *web) {
    return (ps_tile_source){read_file, web};
}

bool ps_seal_web_is_url(const char *text) {
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}
