/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/http.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/seal/curl.h"

struct ps_seal_http {
    const ps_curl *curl;
    void *easy, *headers;
    long timeout_ms;
    char why[PS_CURL_WHY_BYTES];
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
    const ps_curl *curl;
    PS_TRY(ps_curl_load(&curl, error));
    ps_seal_http *const http = calloc(1, sizeof *http);
    if (http != NULL) {
        http->curl = curl;
        http->timeout_ms = (long)timeout_ms;
        http->easy = curl->easy_init();
        /* It would ask for leave before a longer body, and wait a second for it. */
        http->headers = curl->slist_append(NULL, "Expect:");
        void *const more =
            http->headers == NULL
                ? NULL
                : curl->slist_append(http->headers, "Content-Type: text/plain; charset=utf-8");
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
    if (http->easy != NULL) http->curl->easy_cleanup(http->easy);
    http->curl->slist_free_all(http->headers);
    free(http);
}

static int ask(ps_seal_http *http, const char *url, ps_bytes body) {
    const ps_curl *const curl = http->curl;
    void *const easy = http->easy;
    ps_curl_take *const taker = take_bytes;
    int code = curl->easy_setopt(easy, PS_CURL_URL, url);
    if (code == PS_CURL_DONE)
        code = curl->easy_setopt(easy, PS_CURL_PROTOCOLS, (long)(PS_CURL_HTTP | PS_CURL_HTTPS));
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_TIMEOUT_MS, http->timeout_ms);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_NO_SIGNAL, 1L);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_USER_AGENT, "penstock");
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_ERROR_BUFFER, http->why);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_WRITE_FUNCTION, taker);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_WRITE_DATA, http);
    if (body.data == NULL) {
        if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_HTTP_HEADER, (void *)NULL);
        if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_HTTP_GET, 1L);
    } else {
        if (code == PS_CURL_DONE)
            code = curl->easy_setopt(easy, PS_CURL_HTTP_HEADER, http->headers);
        if (code == PS_CURL_DONE)
            code = curl->easy_setopt(easy, PS_CURL_POST_FIELD_SIZE, (long)body.length);
        if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_POST_FIELDS, body.data);
    }
    return code == PS_CURL_DONE ? curl->easy_perform(easy) : code;
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
    const char *const why = http->why[0] != '\0' ? http->why : http->curl->easy_strerror(done);
    if (done == PS_CURL_UNSUPPORTED_PROTOCOL || done == PS_CURL_BAD_URL)
        return strchr(url, '@') != NULL /* what is before it may be secret */
                   ? ps_fail(error, PS_BAD_CONFIG, "no http or https URL: %s", why)
                   : ps_fail(error, PS_BAD_CONFIG, "'%.200s' is no http or https URL: %s", url,
                             why);
    if (done != PS_CURL_DONE) return ps_fail(error, PS_IO, "no answer: %s", why);
    (void)http->curl->easy_getinfo(http->easy, PS_CURL_RESPONSE_CODE, &code);
    *answer = (ps_seal_http_answer){(uint32_t)code, http->length};
    return PS_OK;
}
