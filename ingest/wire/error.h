/* SPDX-License-Identifier: Apache-2.0
 * What a client with transactions does about an error that a broker answers with. errors.def has a
 * row for each code; the few that mean different things in different answers are in error.c.
 */
#ifndef PS_INGEST_WIRE_ERROR_H
#define PS_INGEST_WIRE_ERROR_H

#include "ingest/wire/message.h"

typedef enum ps_wire_action {
    PS_WIRE_SUCCESS,     /* it is done */
    PS_WIRE_RETRY,       /* the same request again, sequences unchanged, after a short while */
    PS_WIRE_REFRESH,     /* ask for metadata, then the same to the partition's leader */
    PS_WIRE_COORDINATOR, /* find the coordinator again, then the same to it */
    PS_WIRE_ABORT,       /* abort, initialise the producer again, go back to what is committed */
    PS_WIRE_FENCED,      /* a successor has taken over: end */
    PS_WIRE_FATAL        /* nothing that a client can mend: say it to the user */
} ps_wire_action;

/* PS_WIRE_ERROR_OFFSET_OUT_OF_RANGE = 1 … */
#define ROW(code, name, action, sentence) PS_WIRE_ERROR_##name = (code),
typedef enum ps_wire_error {
#include "ingest/wire/errors.def"
} ps_wire_error;

/* Codes that are in no row: FATAL. */
ps_wire_action ps_wire_error_action(ps_wire_api api, int16_t code);

bool ps_wire_error_is_known(int16_t code);    /* it has a row */
const char *ps_wire_error_name(int16_t code); /* "OFFSET_OUT_OF_RANGE" */
const char *ps_wire_error_text(int16_t code); /* a sentence for who must act, without a full stop */

#endif
