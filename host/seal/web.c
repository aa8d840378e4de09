/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/web.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#ifdef PS_HAVE_CURL

#include <curl/curl.h>

enum { URL_MAX = 2048, TRIES = 4, REDIRECTS = 5, CONNECT_S = 10, SILENT_S = 30 };

/* What is used of libcurl. */
typedef struct library {
    void *handle;
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *easy);
    CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
    void (*easy_cleanup)(CURL *easy);
    const char *(*easy_strerror)(CURLcode code);
} library;

struct ps_seal_web {
    library curl;
    CURL *easy;
    char why[CURL_ERROR_SIZE];
    char url[URL_MAX]; /* without a slash at its end */
    size_t url_length;
    /* Of the file that comes now. */
    uint8_t *to;
    size_t room, used;
    bool too_large;
};

static bool load(library *curl) {
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    const struct {
        const char *name;
        void *at; /* where a pointer to a function goes */
    } wanted[] = {
        {"curl_global_init", &curl->global_init},    {"curl_easy_init", &curl->easy_init},
        {"curl_easy_setopt", &curl->easy_setopt},    {"curl_easy_perform", &curl->easy_perform},
        {"curl_easy_getinfo", &curl->easy_getinfo},  {"curl_easy_cleanup", &curl->easy_cleanup},
        {"curl_easy_strerror", &curl->easy_strerror}};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && curl->handle == NULL; i++)
        curl->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (curl->handle == NULL) return false;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *const symbol = dlsym(curl->handle, wanted[i].name);
        if (symbol == NULL) return false;
        memcpy(wanted[i].at, &symbol, sizeof symbol);
    }
    return curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* libcurl's own signature. */
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

static void set_up(ps_seal_web *web) {
    const bool is_secure = strncasecmp(web->url, "https://", 8) == 0;
    const library *const curl = &web->curl;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {{CURLOPT_NOSIGNAL, 1},          {CURLOPT_FOLLOWLOCATION, 1},
                   {CURLOPT_MAXREDIRS, REDIRECTS}, {CURLOPT_CONNECTTIMEOUT, CONNECT_S},
                   {CURLOPT_LOW_SPEED_LIMIT, 1},   {CURLOPT_LOW_SPEED_TIME, SILENT_S},
                   {CURLOPT_TCP_KEEPALIVE, 1}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)curl->easy_setopt(web->easy, numbers[i].option, numbers[i].value);
    (void)curl->easy_setopt(web->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl->easy_setopt(web->easy, CURLOPT_REDIR_PROTOCOLS_STR,
                            is_secure ? "https" : "http,https");
    (void)curl->easy_setopt(web->easy, CURLOPT_USERAGENT, "penstock");
    (void)curl->easy_setopt(web->easy, CURLOPT_ERRORBUFFER, web->why);
    (void)curl->easy_setopt(web->easy, CURLOPT_WRITEFUNCTION, take);
    (void)curl->easy_setopt(web->easy, CURLOPT_WRITEDATA, web);
}

static ps_status open_web(ps_seal_web *web, ps_error *error) {
    if (!load(&web->curl))
        return ps_fail(error, PS_UNSUPPORTED,
                       "no libcurl is on this machine to read from the web: install Debian's "
                       "libcurl4, or copy the log into a directory");
    web->easy = web->curl.easy_init();
    if (web->easy == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for libcurl");
    set_up(web);
    return PS_OK;
}

/* A path goes behind it, and messages show it. */
static ps_status check(const char *url, ps_error *error) {
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
                       "%s: a log's URL has neither '?' nor '#': its files are below it", url);
    return PS_OK;
}

ps_status ps_seal_web_open(const char *url, ps_seal_web **out, ps_error *error) {
    PS_TRY(check(url, error));
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
    if (web->easy != NULL) web->curl.easy_cleanup(web->easy);
    /* The library stays open: what it has loaded itself may not be unloaded. */
    free(web);
}

/* What came, as a status; `*again`: it may come otherwise in a moment. */
static ps_status judge(const ps_seal_web *web, CURLcode code, const char *path, bool *again,
                       ps_error *error) {
    long status = 0;
    (void)web->curl.easy_getinfo(web->easy, CURLINFO_RESPONSE_CODE, &status);
    *again = false;
    if (code == CURLE_OK && status == 200) return PS_OK;
    if (web->too_large && status == 200)
        return ps_fail(error, PS_TAMPERED, "%s: has more than %zu bytes", path, web->room);
    if (code == CURLE_OK && (status == 404 || status == 410))
        return ps_fail(error, PS_UNKNOWN_NAME, "%s: is missing", path);
    if (code == CURLE_OK || web->too_large) {
        *again = status >= 500 || status == 429;
        return ps_fail(error, PS_IO, "%s: %.300s answers with status %ld%s", path, web->url, status,
                       status == 401 || status == 403 ? ": it must let everybody read a log" : "");
    }
    *again = code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
             code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
             code == CURLE_PARTIAL_FILE;
    return ps_fail(error, PS_IO, "%s: cannot be had from %.200s: %.200s", path, web->url,
                   web->why[0] == '\0' ? web->curl.easy_strerror(code) : web->why);
}

static ps_status read_file(void *context, const char *path, uint8_t *to, size_t room,
                           size_t *length, ps_error *error) {
    ps_seal_web *const web = context;
    char url[URL_MAX + PS_TILE_PATH_MAX];
    bool again = true;
    ps_status status = PS_IO;
    (void)snprintf(url, sizeof url, "%s/%s", web->url, path);
    (void)web->curl.easy_setopt(web->easy, CURLOPT_URL, url);
    for (int attempt = 0; again && attempt < TRIES; attempt++) {
        const struct timespec pause = {.tv_nsec = (100000000L << attempt) / 2};
        if (attempt > 0) (void)nanosleep(&pause, NULL);
        web->to = to;
        web->room = room;
        web->used = 0;
        web->too_large = false;
        web->why[0] = '\0';
        status = judge(web, web->curl.easy_perform(web->easy), path, &again, error);
    }
    *length = web->used;
    return status;
}

ps_tile_source ps_seal_web_source(ps_seal_web *web) {
    return (ps_tile_source){read_file, web};
}

#else

ps_status ps_seal_web_open(const char *url, ps_seal_web **out, ps_error *error) {
    (void)out;
    return ps_fail(error, PS_UNSUPPORTED,
                   "%s: this build reads nothing from the web: build it with libcurl's headers",
                   url);
}

void ps_seal_web_close(ps_seal_web *web) {
    (void)web;
}

ps_tile_source ps_seal_web_source(ps_seal_web *web) {
    return (ps_tile_source){NULL, web};
}

#endif

bool ps_seal_web_is_url(const char *text) {
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}
