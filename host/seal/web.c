/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "host/seal/curl.h"

enum { URL_MAX = 2048, TRIES = 4, REDIRECTS = 5, CONNECT_S = 10, SILENT_S = 30 };

struct ps_seal_web {
    const ps_curl *curl;
    void *easy;
    char why[PS_CURL_WHY_BYTES];
    char url[URL_MAX]; /* without a slash at its end */
    size_t url_length;
    /* Of the file that comes now. */
    uint8_t *to;
    size_t room, used;
    bool too_large;
};

static size_t take(char *bytes, size_t size, size_t count, void *context) {
    ps_seal_web *const web = context;
    const size_t length = size * count;
    if (length > web->room - web->used) {
        web->too_large = true;
        return 0;
    }
    memcpy(web->to + web->used, bytes, length);
    web->used += length;
    return length;
}

static int set_numbers(ps_seal_web *web) {
    const long any = PS_CURL_HTTP | PS_CURL_HTTPS;
    const bool is_secure = strncasecmp(web->url, "https://", 8) == 0;
    const struct {
        int option;
        long value;
    } numbers[] = {{PS_CURL_NO_SIGNAL, 1},
                   {PS_CURL_FOLLOW_LOCATION, 1},
                   {PS_CURL_MAX_REDIRECTS, REDIRECTS},
                   {PS_CURL_CONNECT_TIMEOUT, CONNECT_S},
                   {PS_CURL_LOW_SPEED_LIMIT, 1},
                   {PS_CURL_LOW_SPEED_TIME, SILENT_S},
                   {PS_CURL_TCP_KEEPALIVE, 1},
                   {PS_CURL_PROTOCOLS, any},
                   {PS_CURL_REDIRECT_PROTOCOLS, is_secure ? (long)PS_CURL_HTTPS : any}};
    int code = PS_CURL_DONE;
    for (size_t i = 0; code == PS_CURL_DONE && i < sizeof numbers / sizeof numbers[0]; i++)
        code = web->curl->easy_setopt(web->easy, numbers[i].option, numbers[i].value);
    return code;
}

/* A limit that was not set is none: what a library does not take is not done without. */
static ps_status set_up(ps_seal_web *web, ps_error *error) {
    const ps_curl *const curl = web->curl;
    ps_curl_take *const taker = take;
    int code = set_numbers(web);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(web->easy, PS_CURL_USER_AGENT, "penstock");
    if (code == PS_CURL_DONE) code = curl->easy_setopt(web->easy, PS_CURL_ERROR_BUFFER, web->why);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(web->easy, PS_CURL_WRITE_FUNCTION, taker);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(web->easy, PS_CURL_WRITE_DATA, web);
    if (code == PS_CURL_DONE) return PS_OK;
    return ps_fail(error, PS_UNSUPPORTED, "libcurl does not take an option: %s",
                   curl->easy_strerror(code));
}

static ps_status open_web(ps_seal_web *web, ps_error *error) {
    PS_TRY(ps_curl_load(&web->curl, error));
    web->easy = web->curl->easy_init();
    if (web->easy == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for libcurl");
    return set_up(web, error);
}

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
    web->url_length = strlen(url);
    while (url[web->url_length - 1] == '/') web->url_length--;
    memcpy(web->url, url, web->url_length);
    const ps_status status = open_web(web, error);
    if (status == PS_OK)
        *out = web;
    else
        ps_seal_web_close(web);
    return status;
}

void ps_seal_web_close(ps_seal_web *web) {
    if (web == NULL) return;
    if (web->easy != NULL) web->curl->easy_cleanup(web->easy);
    free(web);
}

/* What came, as a status; `*again`: it may come otherwise in a moment. */
static ps_status judge(const ps_seal_web *web, int code, const char *path, bool *again,
                       ps_error *error) {
    long status = 0;
    (void)web->curl->easy_getinfo(web->easy, PS_CURL_RESPONSE_CODE, &status);
    *again = false;
    if (code == PS_CURL_DONE && status == 200) return PS_OK;
    if (status == 404 || status == 410) /* however long its page is */
        return ps_fail(error, PS_UNKNOWN_NAME, "%s: is missing", path);
    if (web->too_large && status == 200)
        return ps_fail(error, PS_TAMPERED, "%s: has more than %zu bytes", path, web->room);
    if (code == PS_CURL_DONE || web->too_large) {
        *again = status >= 500 || status == 429;
        return ps_fail(error, PS_IO, "%s: %.300s answers with status %ld%s", path, web->url, status,
                       status == 401 || status == 403 ? ": it must let everybody read a log" : "");
    }
    *again = code == PS_CURL_NO_CONNECTION || code == PS_CURL_TIMED_OUT ||
             code == PS_CURL_GOT_NOTHING || code == PS_CURL_RECEIVE_ERROR ||
             code == PS_CURL_SEND_ERROR || code == PS_CURL_PARTIAL_FILE;
    return ps_fail(error, PS_IO, "%s: cannot be had from %.200s: %.200s", path, web->url,
                   web->why[0] == '\0' ? web->curl->easy_strerror(code) : web->why);
}

static ps_status read_file(void *context, const char *path, uint8_t *to, size_t room,
                           size_t *length, ps_error *error) {
    ps_seal_web *const web = context;
    char url[URL_MAX + PS_TILE_PATH_MAX];
    bool again = true;
    ps_status status = PS_IO;
    (void)snprintf(url, sizeof url, "%s/%s", web->url, path);
    *length = 0;
    if (web->curl->easy_setopt(web->easy, PS_CURL_URL, url) != PS_CURL_DONE)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a URL");
    for (int attempt = 0; again && attempt < TRIES; attempt++) {
        const struct timespec pause = {.tv_nsec = (100000000L << attempt) / 2};
        if (attempt > 0) (void)nanosleep(&pause, NULL);
        web->to = to;
        web->room = room;
        web->used = 0;
        web->too_large = false;
        web->why[0] = '\0';
        status = judge(web, web->curl->easy_perform(web->easy), path, &again, error);
    }
    *length = web->used;
    return status;
}

ps_tile_source ps_seal_web_source(ps_seal_web *web) {
    return (ps_tile_source){read_file, web};
}

bool ps_seal_web_is_url(const char *text) {
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}
