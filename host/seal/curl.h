/* SPDX-License-Identifier: Apache-2.0
 * What is called of libcurl is declared here and found in it at run time, as drivers of devices
 * are: it brings two dozen libraries along, which no other part of a process wants. Source:
 * libcurl's manual pages and curl/curl.h; its numbers have not changed since version 7.32.
 */
#ifndef PS_HOST_SEAL_CURL_H
#define PS_HOST_SEAL_CURL_H

#include <stddef.h>

#include "host/base/status.h"

enum {
    PS_CURL_LOW_SPEED_LIMIT = 19,
    PS_CURL_LOW_SPEED_TIME = 20,
    PS_CURL_FOLLOW_LOCATION = 52,
    PS_CURL_POST_FIELD_SIZE = 60,
    PS_CURL_MAX_REDIRECTS = 68,
    PS_CURL_CONNECT_TIMEOUT = 78,
    PS_CURL_HTTP_GET = 80,
    PS_CURL_NO_SIGNAL = 99,
    PS_CURL_TIMEOUT_MS = 155,
    PS_CURL_PROTOCOLS = 181,
    PS_CURL_REDIRECT_PROTOCOLS = 182,
    PS_CURL_TCP_KEEPALIVE = 213,
    PS_CURL_WRITE_DATA = 10001,
    PS_CURL_URL = 10002,
    PS_CURL_ERROR_BUFFER = 10010,
    PS_CURL_POST_FIELDS = 10015,
    PS_CURL_USER_AGENT = 10018,
    PS_CURL_HTTP_HEADER = 10023,
    PS_CURL_WRITE_FUNCTION = 20011,

    PS_CURL_RESPONSE_CODE = 0x200002,

    PS_CURL_HTTP = 1,
    PS_CURL_HTTPS = 2,

    PS_CURL_DONE = 0,
    PS_CURL_UNSUPPORTED_PROTOCOL = 1,
    PS_CURL_BAD_URL = 3,
    PS_CURL_NO_CONNECTION = 7,
    PS_CURL_PARTIAL_FILE = 18,
    PS_CURL_TIMED_OUT = 28,
    PS_CURL_GOT_NOTHING = 52,
    PS_CURL_SEND_ERROR = 55,
    PS_CURL_RECEIVE_ERROR = 56,

    PS_CURL_WHY_BYTES = 256 /* of its error buffer */
};

/* Of PS_CURL_WRITE_FUNCTION: how many of size * count bytes it took; fewer end the transfer. */
typedef size_t ps_curl_take(char *bytes, size_t size, size_t count, void *context);

#define PS_CURL_FUNCTIONS(X)                                \
    X(int, global_init, (long flags))                       \
    X(void *, easy_init, (void))                            \
    X(void, easy_cleanup, (void *easy))                     \
    X(int, easy_setopt, (void *easy, int option, ...))      \
    X(int, easy_perform, (void *easy))                      \
    X(int, easy_getinfo, (void *easy, int info, ...))       \
    X(const char *, easy_strerror, (int code))              \
    X(void *, slist_append, (void *list, const char *text)) \
    X(void, slist_free_all, (void *list))

#define PS_CURL_MEMBER(result, name, arguments) result(*name) arguments;
typedef struct ps_curl {
    PS_CURL_FUNCTIONS(PS_CURL_MEMBER)
} ps_curl;
#undef PS_CURL_MEMBER

/* Opens it where it is not yet; it stays open: what it has loaded itself may not be unloaded. Any
 * thread. Fails: PS_UNSUPPORTED: it is not on this machine. */
ps_status ps_curl_load(const ps_curl **out, ps_error *error) PS_MUST_USE;

#endif
