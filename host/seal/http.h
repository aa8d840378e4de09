/* SPDX-License-Identifier: Apache-2.0
 * One question over HTTP or HTTPS and its answer, through libcurl, which is opened when it is first
 * asked for: a process that never speaks to a witness does not load it.
 *
 * Threads: one at a time for each client.
 */
#ifndef PS_HOST_SEAL_HTTP_H
#define PS_HOST_SEAL_HTTP_H

#include <stddef.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

/* Keeps its connections open from one question to the next. */
typedef struct ps_seal_http ps_seal_http;

/* `timeout_ms` is for one question as a whole. Fails: PS_UNSUPPORTED: there is no libcurl. */
ps_status ps_seal_http_open(uint32_t timeout_ms, ps_seal_http **out, ps_error *error) PS_MUST_USE;
void ps_seal_http_close(ps_seal_http *http);

typedef struct ps_seal_http_answer {
    uint32_t code;
    size_t length;
} ps_seal_http_answer;

/* GET where `body` has no data, else POST. Redirections are answers like others.
 * Fails: PS_BAD_CONFIG: the URL is none of http or https; PS_TAMPERED: the answer has more than
 * `room` bytes; PS_IO: no answer came. */
ps_status ps_seal_http_ask(ps_seal_http *http, const char *url, ps_bytes body, uint8_t *to,
                           size_t room, ps_seal_http_answer *answer, ps_error *error) PS_MUST_USE;

#endif
