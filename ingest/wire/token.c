/* SPDX-License-Identifier: Apache-2.0
 * A token for OAUTHBEARER from a command: started beside us, read as it writes, and asked for its
 * exit code once it has closed its output.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ingest/wire/connection_parts.h"

enum { NOT_FOUND = 127, NOT_RUNNABLE = 126, LOOK_NS = 2000000 };

extern char **environ;

/* Signals as a shell expects them, whatever this thread blocks; a group of its own, so that all of
 * it can be ended. */
static int start(const char *command, int output, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    char shell[] = "sh", option[] = "-c";
    char *const words[] = {shell, option, (char *)(uintptr_t)command, NULL};
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (posix_spawn_file_actions_init(&files) != 0) return ENOMEM;
    if (posix_spawnattr_init(&how) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    (void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                             POSIX_SPAWN_SETPGROUP);
    (void)posix_spawnattr_setsigmask(&how, &none);
    (void)posix_spawnattr_setsigdefault(&how, &all);
    (void)posix_spawnattr_setpgroup(&how, 0);
    int result = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    if (result == 0) result = posix_spawn(pid, "/bin/sh", &files, &how, words, environ);
    (void)posix_spawnattr_destroy(&how);
    (void)posix_spawn_file_actions_destroy(&files);
    return result;
}

ps_status ps_wire_token_begin(ps_wire_connection *c, ps_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ps_fail(error, PS_IO, "no pipe for the token's command: %s", strerror(errno));
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const int result = start(c->security.token_command, ends[1], &c->token_pid);
    (void)close(ends[1]);
    c->token_fd = ends[0];
    if (result == 0) return PS_OK;
    c->token_pid = 0;
    return ps_fail(error, PS_IO, "the token's command does not start: %s", strerror(result));
}

/* Gone or going: it does not ignore what it is sent. */
void ps_wire_token_end(ps_wire_connection *c) {
    if (c->token_fd >= 0) (void)close(c->token_fd);
    c->token_fd = -1;
    if (c->token_pid == 0) return;
    (void)kill(-c->token_pid, SIGKILL);
    while (waitpid(c->token_pid, NULL, 0) < 0 && errno == EINTR) {}
    c->token_pid = 0;
}

static ps_status judge(ps_wire_connection *c, int fate, ps_error *error) {
    if (WIFSIGNALED(fate))
        return ps_fail(error, PS_IO, "the token's command was killed by signal %d", WTERMSIG(fate));
    const int code = WEXITSTATUS(fate);
    if (code != 0)
        return ps_fail(error, code == NOT_FOUND || code == NOT_RUNNABLE ? PS_BAD_CONFIG : PS_IO,
                       "the token's command failed with exit code %d", code);
    while (c->auth_length > WIRE_BEARER_BYTES && c->auth[c->auth_length - 1] <= ' ')
        c->auth_length--;
    return PS_OK;
}

/* Its output is closed; a moment later it is gone. Whoever takes all children for himself hides its
 * exit code: then the token has to do. */
static ps_status bury(ps_wire_connection *c, int64_t now_ns, bool *done, ps_error *error) {
    int fate = 0;
    const pid_t gone = waitpid(c->token_pid, &fate, WNOHANG);
    c->token_look_ns = now_ns + LOOK_NS;
    if (gone == 0 || (gone < 0 && errno == EINTR)) return PS_OK;
    c->token_pid = 0;
    *done = true;
    return judge(c, gone < 0 ? 0 : fate, error);
}

ps_status ps_wire_token_read(ps_wire_connection *c, int64_t now_ns, bool *done, ps_error *error) {
    while (c->token_fd >= 0) {
        /* Two bytes end the message. */
        const size_t room = WIRE_AUTH - 2 - c->auth_length;
        if (room == 0)
            return ps_fail(error, PS_BAD_CONFIG, "the token's command prints over %d bytes",
                           PS_WIRE_TOKEN_BYTES);
        const ssize_t got = read(c->token_fd, c->auth + c->auth_length, room);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return PS_OK;
        if (got < 0) return ps_fail(error, PS_IO, "the token's command: %s", strerror(errno));
        c->auth_length += (size_t)got;
        if (got > 0) continue;
        (void)close(c->token_fd);
        c->token_fd = -1;
    }
    return bury(c, now_ns, done, error);
}
