/* SPDX-License-Identifier: Apache-2.0
 * The HTTP server of a worker: /metrics, /health, /ready. Off unless configured, on loopback unless
 * told otherwise.
 */
#ifndef PS_HOST_CLI_HTTP_H
#define PS_HOST_CLI_HTTP_H

#include "host/cli/metrics_text.h"
#include "host/cli/monitor.h"

typedef struct ps_http ps_http;

enum { PS_HTTP_HOST_MAX = 256, PS_HTTP_STALLED_S = 60 };

/* "HOST:PORT", "[V6]:PORT", ":PORT" or "PORT" (loopback). Asks nobody. */
ps_status ps_http_parse(const char *listen, char host[PS_HTTP_HOST_MAX], char port[8],
                        ps_error *error) PS_MUST_USE;

/* A socket that listens there; messages begin with `what`, the option's name. */
ps_status ps_http_listen(const char *what, const char *listen, int *fd,
                         ps_error *error) PS_MUST_USE;

/* Listens and answers, first of all that nothing is ready. `source` is copied, what it points to is
 * borrowed. */
ps_status ps_http_open(const char *listen, const ps_metrics_source *source, ps_http **out,
                       ps_error *error) PS_MUST_USE;
void ps_http_close(ps_http *http);

/* From now on the answers come from these; NULL again before they are closed. Threads: any. */
void ps_http_watch(ps_http *http, const ps_pipeline *pipeline, const ps_monitor *monitor);

#endif
