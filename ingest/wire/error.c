/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/error.h"

typedef struct row {
    int16_t code;
    ps_wire_action action;
    const char *name, *text;
} row;

#define ROW(code, name, action, sentence) {code, PS_WIRE_##action, #name, sentence},
static const row rows[] = {
#include "ingest/wire/errors.def"
};

static const row *find(int16_t code) {
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code) return &rows[i];
    return NULL;
}

ps_wire_action ps_wire_error_action(ps_wire_api api, int16_t code) {
    /* Elsewhere an old epoch may be our own from before an abort, and initialising again tells.
     * There it is somebody else's newer one. */
    if (code == PS_WIRE_ERROR_INVALID_PRODUCER_EPOCH && api == PS_WIRE_INIT_PRODUCER_ID)
        return PS_WIRE_FENCED;
    /* Only a batch has a sequence that can have arrived before. */
    if (code == PS_WIRE_ERROR_DUPLICATE_SEQUENCE_NUMBER && api != PS_WIRE_PRODUCE)
        return PS_WIRE_FATAL;
    /* What has no name may pass: reading is tried again, and a transaction anew. */
    const row *of = find(code);
    if (of != NULL && code != PS_WIRE_ERROR_UNKNOWN_SERVER_ERROR) return of->action;
    switch (api) {
    case PS_WIRE_FETCH:
    case PS_WIRE_LIST_OFFSETS:
        return of == NULL ? PS_WIRE_FATAL : PS_WIRE_RETRY;
    case PS_WIRE_INIT_PRODUCER_ID:
    case PS_WIRE_ADD_PARTITIONS_TO_TXN:
    case PS_WIRE_ADD_OFFSETS_TO_TXN:
    case PS_WIRE_TXN_OFFSET_COMMIT:
    case PS_WIRE_END_TXN:
        return PS_WIRE_ABORT;
    default:
        return PS_WIRE_FATAL;
    }
}

bool ps_wire_error_is_known(int16_t code) {
    return find(code) != NULL;
}

const char *ps_wire_error_name(int16_t code) {
    const row *of = find(code);
    return of == NULL ? "an error that is not known here" : of->name;
}

const char *ps_wire_error_text(int16_t code) {
    const row *of = find(code);
    return of == NULL ? "the broker is newer than this program: look its code up" : of->text;
}
