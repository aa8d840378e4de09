/* SPDX-License-Identifier: Apache-2.0
 * The client's half of SCRAM: shows that it knows the password without sending it, and finds out
 * whether the server does.
 * Source: RFC 5802 (sections 3, 5 and 7), RFC 7677. Channel binding is not offered ("n").
 */
#ifndef PS_INGEST_WIRE_SCRAM_H
#define PS_INGEST_WIRE_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

enum { PS_SCRAM_TEXT = 2048, PS_SCRAM_HASH = 64 };

/* Secret once ps_scram_prove was called: wipe it. */
typedef struct ps_scram {
    bool wide;                      /* SHA-512, otherwise SHA-256 */
    char nonce[64];                 /* the client's */
    char text[PS_SCRAM_TEXT];       /* the last message of the client's */
    char transcript[PS_SCRAM_TEXT]; /* what both sign */
    size_t transcript_length;
    uint8_t signature[PS_SCRAM_HASH]; /* that the server must show */
} ps_scram;

/* The first message: in scram->text, its length in `length`. `nonce` is printable and has no comma;
 * NULL: a random one. Fails: BAD_CONFIG where the name is too long. */
ps_status ps_scram_begin(ps_scram *scram, bool wide, const char *user, const char *nonce,
                         size_t *length, ps_error *error) PS_MUST_USE;

/* The second, in answer to the server's first. Fails: BAD_CONFIG where that one is not SCRAM's, of
 * another client, or wants too few or too many iterations. */
ps_status ps_scram_prove(ps_scram *scram, const char *password, ps_bytes server, size_t *length,
                         ps_error *error) PS_MUST_USE;

/* The server's last. Fails: BAD_CONFIG where it does not know the password itself. */
ps_status ps_scram_check(const ps_scram *scram, ps_bytes server, ps_error *error) PS_MUST_USE;

#endif
