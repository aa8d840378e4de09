/* SPDX-License-Identifier: Apache-2.0
 * A token for OAUTHBEARER from a command: started beside us, read as it writes, and asked for its
 * exit code once it has closed its output. What it prints is secret: whoever owns the memory wipes
 * it.
 */
#ifndef PS_INGEST_WIRE_TOKEN_H
#define PS_INGEST_WIRE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/base/status.h"

typedef struct ps_wire_token {
    int fd;          /* to poll; -1 once its output has ended */
    pid_t pid;       /* 0: none; stays until it is waited for */
    int64_t look_ns; /* whether it is gone */
    uint8_t *text;   /* borrowed: what it has printed, without the blanks at its end when done */
    size_t used, room;
} ps_wire_token;

/* `command` is for the shell. The token has nothing under way: {.fd = -1}. */
ps_status ps_wire_token_begin(ps_wire_token *token, const char *command, uint8_t *to, size_t room,
                              ps_error *error) PS_MUST_USE;
/* What is there now. Fails: BAD_CONFIG: no such command, too much printed; IO: may be better the
 * next time. */
ps_status ps_wire_token_read(ps_wire_token *token, int64_t now_ns, bool *done,
                             ps_error *error) PS_MUST_USE;
/* Ends what may be under way, and all that it started. */
void ps_wire_token_end(ps_wire_token *token);

/* One word, as the protocol wants it. */
bool ps_wire_token_is_word(const uint8_t *text, size_t length);

/* All of it at once, for who may wait; `*length` bytes that are one word. */
ps_status ps_wire_token_fetch(const char *command, int64_t timeout_ns, uint8_t *to, size_t room,
                              size_t *length, ps_error *error) PS_MUST_USE;

#endif
