/* SPDX-License-Identifier: Apache-2.0
 * What is called of libcurl is declared here and found in it at run time, as drivers of devices
 * are: it brings two dozen libraries along, which no other part of a process wants. Source:
 * libcurl's manual pages; its numbers have not changed since version 7.32.
 */
#include "host/seal/http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_WRITE_DATA = 10001,
    OPTION_URL = 10002,
    OPTION_ERROR_BUFFER = 10010,
    OPTION_POST_FIELDS = 10015,
    OPTION_USER_AGENT = 10018,
    OPTION_HTTP_HEADER = 10023,
    OPTION_WRITE_FUNCTION = 20011,
    OPTION_POST_FIELD_SIZE = 60,
    OPTION_HTTP_GET = 80,
    OPTION_NO_SIGNAL = 99,
    OPTION_TIMEOUT_MS = 155,
    OPTION_PROTOCOLS = 181,
    PROTOCOL_HTTP = 1,
    PROTOCOL_HTTPS = 2,
    INFO_RESPONSE_CODE = 0x200002,
    GLOBAL_DEFAULT = 3,
    DONE = 0,
    UNSUPPORTED_PROTOCOL = 1,
    BAD_URL = 3,
    WHY_BYTES = 256 /* of its error buffer */
};

typedef size_t take(char *bytes, size_t size, size_t count, void *context);

#define FUNCTIONS(X)                                             \
    X(int, curl_global_init, (long flags))                       \
    X(void *, curl_easy_init, (void))                            \
    X(void, curl_easy_cleanup, (void *easy))                     \
    X(int, curl_easy_setopt, (void *easy, int option, ...))      \
    X(int, curl_easy_perform, (void *easy))                      \
    X(int, curl_easy_getinfo, (void *easy, int info, ...))       \
    X(const char *, curl_easy_strerror, (int code))              \
    X(void *, curl_slist_append, (void *list, const char *text)) \
    X(void, curl_slist_free_all, (void *list))

#define MEMBER(result, name, arguments) result(*name) arguments;
static struct {
    pthread_once_t once;
    bool there;
    char why[WHY_BYTES];
    FUNCTIONS(MEMBER)
} curl = {.once = PTHREAD_ONCE_INIT};
#undef MEMBER

static void load(void) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)snprintf(curl.why, sizeof curl.why, "%s", dlerror());
        return;
    }
#define FIND(result, name, arguments)                                                \
    {                                                                                \
        void *at = dlsym(library, #name);                                            \
        if (at == NULL) {                                                            \
            (void)snprintf(curl.why, sizeof curl.why, "libcurl.so.4 has no " #name); \
            return;                                                                  \
        }                                                                            \
        memcpy(&curl.name, &at, sizeof at);                                          \
    }
    FUNCTIONS(FIND)
#undef FIND
    curl.there = curl.curl_global_init(GLOBAL_DEFAULT) == DONE;
    if (!curl.there) (void)snprintf(curl.why, sizeof curl.why, "libcurl.so.4 does not start");
}

struct ps_seal_http {
    void *easy, *headers;
    long timeout_ms;
    char why[WHY_BYTES];
    /* Of the answer that is coming in. */
    uint8_t *to;
    size_t room, length;
    bool is_too_long;
};

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context) {
    ps_seal_http *const http = context;
    const size_t length = size * count;
    http->is_too_long = length > http->room - http->length;
    if (http->is_too_long) return 0; /* ends the transfer */
    if (length > 0) memcpy(http->to + http->length, bytes, length);
    http->length += length;
    return length;
}

ps_status ps_seal_http_open(uint32_t timeout_ms, ps_seal_http **out, ps_error *error) {
    (void)pthread_once(&curl.once, load);
    if (!curl.there)
        return ps_fail(error, PS_UNSUPPORTED, "no HTTP without libcurl (Debian: libcurl4): %s",
                       curl.why);
    ps_seal_http *const http = calloc(1, sizeof *http);
    if (http != NULL) {
        http->timeout_ms = (long)timeout_ms;
        http->easy = curl.curl_easy_init();
        /* It would ask for leave before a longer body, and wait a second for it. */
        http->headers = curl.curl_slist_append(NULL, "Expect:");
        void *const more =
            http->headers == NULL
                ? NULL
                : curl.curl_slist_append(http->headers, "Content-Type: text/plain; charset=utf-8");
        if (http->easy != NULL && more != NULL) {
            *out = http;
            return PS_OK;
        }
    }
    ps_seal_http_close(http);
    return ps_fail(error, PS_NO_MEMORY, "no memory for an HTTP client");
}

void ps_seal_http_close(ps_seal_http *http) {
    if (http == NULL) return;
    if (http->easy != NULL) curl.curl_easy_cleanup(http->easy);
    curl.curl_slist_free_all(http->headers);
    free(http);
}

static int ask(ps_seal_http *http, const char *url, ps_bytes body) {
    void *const easy = http->easy;
    take *const taker = take_bytes;
    int code = curl.curl_easy_setopt(easy, OPTION_URL, url);
    if (code == DONE)
        code =
            curl.curl_easy_setopt(easy, OPTION_PROTOCOLS, (long)(PROTOCOL_HTTP | PROTOCOL_HTTPS));
    if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_TIMEOUT_MS, http->timeout_ms);
    if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_NO_SIGNAL, 1L);
    if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_USER_AGENT, "penstock");
    if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_ERROR_BUFFER, http->why);
    if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_WRITE_FUNCTION, taker);
    if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_WRITE_DATA, http);
    if (body.data == NULL) {
        if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_HTTP_HEADER, (void *)NULL);
        if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_HTTP_GET, 1L);
    } else {
        if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_HTTP_HEADER, http->headers);
        if (code == DONE)
            code = curl.curl_easy_setopt(easy, OPTION_POST_FIELD_SIZE, (long)body.length);
        if (code == DONE) code = curl.curl_easy_setopt(easy, OPTION_POST_FIELDS, body.data);
    }
    return code == DONE ? curl.curl_easy_perform(easy) : code;
}

ps_status ps_seal_http_ask(ps_seal_http *http, const char *url, ps_bytes body, uint8_t *to,
                           size_t room, ps_seal_http_answer *answer, ps_error *error) {
    long code = 0;
    http->to = to;
    http->room = room;
    http->length = 0;
    http->is_too_long = false;
    http->why[0] = '\0';
    const int done = ask(http, url, body);
    if (http->is_too_long)
        return ps_fail(error, PS_TAMPERED, "the answer has more than %zu bytes", room);
    const char *const why = http->why[0] != '\0' ? http->why : curl.curl_easy_strerror(done);
    if (done == UNSUPPORTED_PROTOCOL || done == BAD_URL)
        return ps_fail(error, PS_BAD_CONFIG, "'%.200s' is no http or https URL: %s", url, why);
    if (done != DONE) return ps_fail(error, PS_IO, "no answer: %s", why);
    (void)curl.curl_easy_getinfo(http->easy, INFO_RESPONSE_CODE, &code);
    *answer = (ps_seal_http_answer){(uint32_t)code, http->length};
    return PS_OK;
}
