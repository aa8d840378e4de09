/* SPDX-License-Identifier: Apache-2.0
 * One question over HTTP or HTTPS and its answer, through libcurl, which is opened when it is first
 * asked for: a process that neither speaks to a witness nor reads a log from the web does not load
 * it.
 *
 * Threads: one at a time for each client.
 */
#ifndef PS_HOST_SEAL_HTTP_H
#define PS_HOST_SEAL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

/* Keeps its connections open from one question to the next. */
typedef struct ps_seal_http ps_seal_http;

/* How long it waits, and for whom. 0: no limit, or as libcurl has it. */
typedef struct ps_seal_http_rules {
    uint32_t whole_ms;  /* one question with its answer */
    uint32_t connect_s; /* until the other side is there */
    uint32_t silent_s;  /* without a byte from it */
    uint32_t redirects; /* to follow, from https to https only; 0: they are answers like others */
} ps_seal_http_rules;

/* Fails: PS_UNSUPPORTED: there is no libcurl that can do that. */
ps_status ps_seal_http_open(const ps_seal_http_rules *rules, ps_seal_http **out,
                            ps_error *error) PS_MUST_USE;
void ps_seal_http_close(ps_seal_http *http);

typedef struct ps_seal_http_answer {
    uint32_t code; /* also of one that is too long; 0: none came */
    size_t length;
    bool may_pass; /* no answer came for a reason that may pass in a moment */
} ps_seal_http_answer;

/* GET where `body` has no data, else POST. `answer` is set in any case.
 * Fails: PS_BAD_CONFIG: the URL is none of http or https; PS_TAMPERED: the answer has more than
 * `room` bytes; PS_IO: no answer came. No message shows what may be a password in the URL. */
ps_status ps_seal_http_ask(ps_seal_http *http, const char *url, ps_bytes body, uint8_t *to,
                           size_t room, ps_seal_http_answer *answer, ps_error *error) PS_MUST_USE;

#endif
