/* SPDX-License-Identifier: Apache-2.0
 * The files of logs over HTTP, and no others: a request names a log's directory, by the names that
 * topics can have, and in it a file that a log has. Whatever is none of these is not looked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/http.h"
#include "host/cli/seal.h"

enum { URL_MAX = 1024, NOT_FOUND = -1, FAILED = -2 };

/* Cuts a log's directory from the file in it; NULL: this is no file of a log. */
static const char *file_in(char *path) {
    for (char *name = path;;) {
        ps_tile tile;
        if (strcmp(name, "checkpoint") == 0 || strcmp(name, "vkey") == 0 ||
            ps_tile_parse(name, &tile))
            return name;
        char *const slash = strchr(name, '/');
        if (slash == NULL) return NULL;
        *slash = '\0';
        const bool good = ps_text_is_name(name, PS_TEXT_TOPIC_MAX);
        *slash = '/';
        if (!good) return NULL;
        name = slash + 1;
    }
}

/* Opens what is below `root` and nothing else: no part of the path may be a link. */
static int open_below(int root, char *path) {
    int at = root;
    for (char *name = path;;) {
        char *const slash = strchr(name, '/');
        if (slash != NULL) *slash = '\0';
        const int kind = slash == NULL ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
        const int next = openat(at, name, kind | O_CLOEXEC | O_NOFOLLOW);
        const int why = errno;
        if (at != root) (void)close(at);
        errno = why;
        if (slash == NULL || next < 0) return next;
        *slash = '/';
        name = slash + 1;
        at = next;
    }
}

/* A descriptor, NOT_FOUND or FAILED. */
static int open_file(int root, const char *url, struct stat *about, bool *is_tile) {
    char path[URL_MAX];
    const int used = snprintf(path, sizeof path, "%s", url + 1);
    if (url[0] != '/' || (size_t)used >= sizeof path) return NOT_FOUND;
    const char *const name = file_in(path);
    if (name == NULL) return NOT_FOUND;
    *is_tile = strncmp(name, "tile/", 5) == 0;
    const int fd = open_below(root, path);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? NOT_FOUND : FAILED;
    if (fstat(fd, about) == 0 && S_ISREG(about->st_mode)) return fd;
    (void)close(fd);
    return NOT_FOUND;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code,
                              struct MHD_Response *response, const char *type, const char *cache) {
    if (response == NULL) return MHD_NO;
    (void)MHD_add_response_header(response, "Content-Type", type);
    (void)MHD_add_response_header(response, "Cache-Control", cache);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD");
    const enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned code, const char *text) {
    return answer(connection, code,
                  MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                  MHD_RESPMEM_PERSISTENT),
                  "text/plain; charset=utf-8", "no-store");
}

/* libmicrohttpd's own signature. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **request) {
    (void)version;
    (void)upload;
    (void)request;
    const int *const root = context;
    struct stat about;
    bool is_tile = false;
    if (*upload_bytes != 0) return MHD_NO; /* nobody needs to send us anything */
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    const int fd = open_file(*root, url, &about, &is_tile);
    if (fd == NOT_FOUND) return refuse(connection, MHD_HTTP_NOT_FOUND, "no such file of a log\n");
    if (fd == FAILED)
        return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the file cannot be read\n");
    struct MHD_Response *const response =
        MHD_create_response_from_fd64((uint64_t)about.st_size, fd);
    if (response == NULL) (void)close(fd);
    /* A tile is what it is for ever; a checkpoint is the news. */
    return is_tile
               ? answer(connection, MHD_HTTP_OK, response, "application/octet-stream",
                        "public, max-age=604800, immutable")
               : answer(connection, MHD_HTTP_OK, response, "text/plain; charset=utf-8", "no-cache");
}

static int serve(int root, int fd, const ps_seal_job *job) {
    sigset_t ends;
    int which = 0;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct MHD_Daemon *const daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, handle,
                         &root, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 256u,
                         MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_END);
    if (daemon == NULL) {
        ps_log(PS_LOG_ERROR, "seal", "the server does not start on %s", job->chosen->listen);
        return PS_EXIT_FAILED;
    }
    ps_log(PS_LOG_INFO, "seal", "serving %s on %s, read only", job->operand[0],
           job->chosen->listen);
    (void)sigwait(&ends, &which);
    MHD_stop_daemon(daemon);
    return PS_EXIT_OK;
}

int ps_seal_serve(const ps_seal_job *job) {
    int fd = -1;
    ps_error error;
    const int root = open(job->operand[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        ps_log(PS_LOG_ERROR, "seal", "%s: cannot be opened: %s", job->operand[0], strerror(errno));
        return PS_EXIT_FAILED;
    }
    const ps_status status = ps_http_listen("listen", job->chosen->listen, &fd, &error);
    const int code =
        status == PS_OK ? serve(root, fd, job) : ps_seal_failed(status, &error, PS_EXIT_FAILED);
    (void)close(root);
    return code;
}
