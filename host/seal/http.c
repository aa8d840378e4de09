/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/seal/curl.h"

struct ps_seal_http {
    const ps_curl *curl;
    void *easy, *headers;
    ps_seal_http_rules rules;
    char why[PS_CURL_WHY_BYTES];
    /* Of the answer that is coming in. */
    uint8_t *to;
    size_t room, length;
    bool is_too_long;
};

typedef struct number {
    int option;
    long value;
} number;

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context) {
    ps_seal_http *const http = context;
    const size_t length = size * count;
    http->is_too_long = length > http->room - http->length;
    if (http->is_too_long) return 0; /* ends the transfer */
    if (length > 0) memcpy(http->to + http->length, bytes, length);
    http->length += length;
    return length;
}

static int set_numbers(const ps_seal_http *http, const number *numbers, size_t count) {
    int code = PS_CURL_DONE;
    for (size_t i = 0; code == PS_CURL_DONE && i < count; i++)
        code = http->curl->easy_setopt(http->easy, numbers[i].option, numbers[i].value);
    return code;
}

/* A limit that was not set is none: what a library does not take is not done without. */
static ps_status set_up(ps_seal_http *http, ps_error *error) {
    const ps_curl *const curl = http->curl;
    const ps_seal_http_rules *const rules = &http->rules;
    void *const easy = http->easy;
    ps_curl_take *const taker = take_bytes;
    const number numbers[] = {{PS_CURL_NO_SIGNAL, 1},
                              {PS_CURL_TIMEOUT_MS, (long)rules->whole_ms},
                              {PS_CURL_CONNECT_TIMEOUT, (long)rules->connect_s},
                              {PS_CURL_LOW_SPEED_LIMIT, rules->silent_s > 0},
                              {PS_CURL_LOW_SPEED_TIME, (long)rules->silent_s},
                              {PS_CURL_FOLLOW_LOCATION, rules->redirects > 0},
                              {PS_CURL_MAX_REDIRECTS, (long)rules->redirects},
                              {PS_CURL_TCP_KEEPALIVE, 1},
                              {PS_CURL_PROTOCOLS, PS_CURL_HTTP | PS_CURL_HTTPS}};
    int code = set_numbers(http, numbers, sizeof numbers / sizeof numbers[0]);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_USER_AGENT, "penstock");
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_ERROR_BUFFER, http->why);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_WRITE_FUNCTION, taker);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(easy, PS_CURL_WRITE_DATA, http);
    if (code == PS_CURL_DONE) return PS_OK;
    return ps_fail(error, PS_UNSUPPORTED, "libcurl does not take an option: %s",
                   curl->easy_strerror(code));
}

static ps_status open_http(ps_seal_http *http, ps_error *error) {
    const ps_curl *const curl = http->curl;
    http->easy = curl->easy_init();
    /* It would ask for leave before a longer body, and wait a second for it. */
    http->headers = curl->slist_append(NULL, "Expect:");
    if (http->easy == NULL || http->headers == NULL ||
        curl->slist_append(http->headers, "Content-Type: text/plain; charset=utf-8") == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for an HTTP client");
    return set_up(http, error);
}

ps_status ps_seal_http_open(const ps_seal_http_rules *rules, ps_seal_http **out, ps_error *error) {
    const ps_curl *curl;
    PS_TRY(ps_curl_load(&curl, error));
    ps_seal_http *const http = calloc(1, sizeof *http);
    if (http == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for an HTTP client");
    http->curl = curl;
    http->rules = *rules;
    const ps_status status = open_http(http, error);
    if (status == PS_OK)
        *out = http;
    else
        ps_seal_http_close(http);
    return status;
}

void ps_seal_http_close(ps_seal_http *http) {
    if (http == NULL) return;
    if (http->easy != NULL) http->curl->easy_cleanup(http->easy);
    http->curl->slist_free_all(http->headers);
    free(http);
}

static int set_get(const ps_seal_http *http) {
    const int code = http->curl->easy_setopt(http->easy, PS_CURL_HTTP_HEADER, (void *)NULL);
    if (code != PS_CURL_DONE) return code;
    return http->curl->easy_setopt(http->easy, PS_CURL_HTTP_GET, 1L);
}

static int set_post(const ps_seal_http *http, ps_bytes body) {
    const ps_curl *const curl = http->curl;
    int code = curl->easy_setopt(http->easy, PS_CURL_HTTP_HEADER, http->headers);
    if (code == PS_CURL_DONE)
        code = curl->easy_setopt(http->easy, PS_CURL_POST_FIELD_SIZE, (long)body.length);
    if (code == PS_CURL_DONE) code = curl->easy_setopt(http->easy, PS_CURL_POST_FIELDS, body.data);
    return code;
}

static int ask(const ps_seal_http *http, const char *url, ps_bytes body) {
    const long any = PS_CURL_HTTP | PS_CURL_HTTPS;
    const bool is_secure = strncasecmp(url, "https://", 8) == 0;
    const number redirects = {PS_CURL_REDIRECT_PROTOCOLS, is_secure ? (long)PS_CURL_HTTPS : any};
    int code = http->curl->easy_setopt(http->easy, PS_CURL_URL, url);
    if (code == PS_CURL_DONE) code = set_numbers(http, &redirects, 1);
    if (code == PS_CURL_DONE) code = body.data == NULL ? set_get(http) : set_post(http, body);
    return code == PS_CURL_DONE ? http->curl->easy_perform(http->easy) : code;
}

static bool may_pass(int code) {
    return code == PS_CURL_NO_CONNECTION || code == PS_CURL_TIMED_OUT ||
           code == PS_CURL_GOT_NOTHING || code == PS_CURL_RECEIVE_ERROR ||
           code == PS_CURL_SEND_ERROR || code == PS_CURL_PARTIAL_FILE;
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
    (void)http->curl->easy_getinfo(http->easy, PS_CURL_RESPONSE_CODE, &code);
    *answer = (ps_seal_http_answer){(uint32_t)code, http->length, may_pass(done)};
    if (http->is_too_long)
        return ps_fail(error, PS_TAMPERED, "the answer has more than %zu bytes", room);
    const char *const why = http->why[0] != '\0' ? http->why : http->curl->easy_strerror(done);
    if (done == PS_CURL_UNSUPPORTED_PROTOCOL || done == PS_CURL_BAD_URL)
        return strchr(url, '@') != NULL /* what is before it may be secret */
                   ? ps_fail(error, PS_BAD_CONFIG, "no http or https URL: %s", why)
                   : ps_fail(error, PS_BAD_CONFIG, "'%.200s' is no http or https URL: %s", url,
                             why);
    if (done != PS_CURL_DONE) return ps_fail(error, PS_IO, "no answer: %s", why);
    return PS_OK;
}
