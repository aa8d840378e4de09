/* SPDX-License-Identifier: Apache-2.0
 * A log's files from a web server, by libcurl, which is opened when a URL is first asked for: who
 * reads no log from the web has nothing of it in memory. Whatever comes is as untrusted as a file.
 *
 * A redirect is followed up to five times, and never from https to http. What fails for a moment
 * (no connection, a status of 5xx or 429) is tried four times in all.
 */
#ifndef PS_HOST_SEAL_WEB_H
#define PS_HOST_SEAL_WEB_H

#include <stdbool.h>

#include "host/seal/tiles.h"

typedef struct ps_seal_web ps_seal_web;

/* Does it begin as a URL does that we read from? */
bool ps_seal_web_is_url(const char *text);

/* PS_BAD_CONFIG: a URL with a password, a query or a fragment; the message does not show it. */
ps_status ps_seal_web_check(const char *url, ps_error *error) PS_MUST_USE;

/* The log whose checkpoint is <url>/checkpoint; asks nobody yet. Threads: one for each that is
 * open. Fails: PS_BAD_CONFIG: a URL with a password, a query or a fragment; PS_UNSUPPORTED: no
 * libcurl on this machine. */
ps_status ps_seal_web_open(const char *url, ps_seal_web **out, ps_error *error) PS_MUST_USE;
void ps_seal_web_close(ps_seal_web *web);

/* Its files. Fails: PS_UNKNOWN_NAME: status 404 or 410; PS_TAMPERED: larger than there is room;
 * PS_IO: everything else, with what to try. */
ps_tile_source ps_seal_web_source(ps_seal_web *web);

#endif
