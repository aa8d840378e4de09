/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ps_http {
    struct MHD_Daemon *daemon;
    pthread_mutex_t
        lock; /* held while an answer is made, so that `watch` can take the pipeline away */
    ps_metrics_source source;
    const ps_monitor *monitor;
};

ps_status ps_http_parse(const char *listen, char host[PS_HTTP_HOST_MAX], char port[8],
                        ps_error *error) {
    const char *colon = strrchr(listen, ':');
    const char *digits = colon == NULL ? listen : colon + 1;
    size_t length = colon == NULL ? 0 : (size_t)(colon - listen);
    if (length >= 2 && listen[0] == '[' && listen[length - 1] == ']') {
        listen++;
        length -= 2;
    }
    char *end = NULL;
    const unsigned long number = strtoul(digits, &end, 10);
    if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || number == 0 || number > 65535)
        return ps_fail(error, PS_BAD_CONFIG,
                       "'%s' is not an address and port such as 127.0.0.1:9464", listen);
    if (length >= PS_HTTP_HOST_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "the host name is too long");
    (void)snprintf(host, PS_HTTP_HOST_MAX, "%.*s", length == 0 ? 9 : (int)length,
                   length == 0 ? "127.0.0.1" : listen);
    (void)snprintf(port, 8, "%lu", number);
    return PS_OK;
}

/* Why lane i keeps the worker from being healthy; false: it does not. */
static bool unhealthy(const ps_http *http, uint32_t i, char *text, size_t bytes) {
    const uint32_t stalled_s = http->monitor == NULL ? 0 : ps_monitor_stalled_s(http->monitor, i);
    if (ps_pipeline_health(http->source.pipeline, i) == PS_HEALTH_FAILED)
        (void)snprintf(text, bytes, "lane %u failed\n", i);
    else if (stalled_s >= PS_HTTP_STALLED_S)
        (void)snprintf(text, bytes, "lane %u has work and made no progress for %u s\n", i,
                       stalled_s);
    else
        return false;
    return true;
}

static unsigned answer_health(const ps_http *http, char *text, size_t bytes) {
    const ps_pipeline *pipeline = http->source.pipeline;
    for (uint32_t i = 0; pipeline != NULL && i < ps_pipeline_lanes(pipeline); i++)
        if (unhealthy(http, i, text, bytes)) return MHD_HTTP_SERVICE_UNAVAILABLE;
    (void)snprintf(text, bytes, "ok\n");
    return MHD_HTTP_OK;
}

static unsigned answer_ready(const ps_http *http, char *text, size_t bytes) {
    const ps_pipeline *pipeline = http->source.pipeline;
    if (pipeline == NULL) {
        (void)snprintf(text, bytes, "starting\n");
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    for (uint32_t i = 0; i < ps_pipeline_lanes(pipeline); i++) {
        const ps_health health = ps_pipeline_health(pipeline, i);
        if (health == PS_HEALTH_READY || health == PS_HEALTH_ENDED) continue;
        (void)snprintf(text, bytes, "lane %u %s\n", i,
                       health == PS_HEALTH_FAILED ? "failed" : "is starting");
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    (void)snprintf(text, bytes, "ready\n");
    return MHD_HTTP_OK;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned code, const char *type,
                             char *text, size_t length, enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *response = MHD_create_response_from_buffer(length, text, mode);
    if (response == NULL) return MHD_NO;
    (void)MHD_add_response_header(response, "Content-Type", type);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    const enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_metrics(const ps_http *http, struct MHD_Connection *connection) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) return MHD_NO;
    ps_metrics_write(out, &http->source);
    if (fclose(out) != 0) return MHD_NO;
    return reply(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, length,
                 MHD_RESPMEM_MUST_FREE);
}

/* libmicrohttpd's own signature. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **request) {
    (void)version;
    (void)upload;
    (void)request;
    ps_http *http = context;
    char text[160];
    unsigned code = MHD_HTTP_NOT_FOUND;
    if (*upload_bytes != 0) return MHD_NO; /* nobody needs to send us anything */
    const bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    (void)pthread_mutex_lock(&http->lock);
    if (get && strcmp(url, "/metrics") == 0) {
        const enum MHD_Result result = reply_metrics(http, connection);
        (void)pthread_mutex_unlock(&http->lock);
        return result;
    }
    (void)snprintf(text, sizeof text, "try /metrics, /health or /ready\n");
    if (!get)
        code = MHD_HTTP_METHOD_NOT_ALLOWED;
    else if (strcmp(url, "/health") == 0)
        code = answer_health(http, text, sizeof text);
    else if (strcmp(url, "/ready") == 0)
        code = answer_ready(http, text, sizeof text);
    (void)pthread_mutex_unlock(&http->lock);
    return reply(connection, code, "text/plain; charset=utf-8", text, strlen(text),
                 MHD_RESPMEM_MUST_COPY);
}

static int listen_on(const struct addrinfo *address) {
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    const int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 16) == 0) return fd;
    const int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

ps_status ps_http_listen(const char *what, const char *where, int *fd, ps_error *error) {
    char host[PS_HTTP_HOST_MAX], port[8];
    PS_TRY(ps_http_parse(where, host, port, error));
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses = NULL;
    const int failed = getaddrinfo(host, port, &hints, &addresses);
    if (failed != 0)
        return ps_fail(error, PS_BAD_CONFIG, "%s: '%s' is not an address here: %s", what, host,
                       gai_strerror(failed));
    *fd = listen_on(addresses);
    const int why = errno;
    freeaddrinfo(addresses);
    if (*fd >= 0) return PS_OK;
    return ps_fail(error, PS_IO, "%s: cannot listen on %s: %s%s", what, where, strerror(why),
                   why == EADDRINUSE ? "; another worker may hold it: choose another port" : "");
}

ps_status ps_http_open(const char *where, const ps_metrics_source *source, ps_http **out,
                       ps_error *error) {
    int fd = -1;
    PS_TRY(ps_http_listen("metrics.listen", where, &fd, error));
    ps_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        (void)close(fd);
        return ps_fail(error, PS_NO_MEMORY, "no memory for the metrics server");
    }
    http->source = *source;
    (void)pthread_mutex_init(&http->lock, NULL);
    http->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, handle,
                         http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 32u,
                         MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    if (http->daemon == NULL) {
        (void)close(fd);
        (void)pthread_mutex_destroy(&http->lock);
        free(http);
        return ps_fail(error, PS_IO, "the metrics server does not start on %s", where);
    }
    *out = http;
    return PS_OK;
}

void ps_http_close(ps_http *http) {
    if (http == NULL) return;
    MHD_stop_daemon(http->daemon);
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}

void ps_http_watch(ps_http *http, const ps_pipeline *pipeline, const ps_monitor *monitor) {
    if (http == NULL) return;
    (void)pthread_mutex_lock(&http->lock);
    http->source.pipeline = pipeline;
    http->monitor = monitor;
    (void)pthread_mutex_unlock(&http->lock);
}
