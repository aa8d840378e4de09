/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/faults.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"

enum { MESSAGE_BYTES = 1024 };

void ps_fault_add(ps_faults *faults, ps_spot place, const char *format, ...) {
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (faults->count == faults->room) {
        const uint32_t room = faults->room == 0 ? 16 : faults->room * 2;
        ps_fault *grown = ps_pool_take(faults->pool, room * sizeof *grown);
        if (faults->count > 0) memcpy(grown, faults->at, faults->count * sizeof *grown);
        faults->at = grown;
        faults->room = room;
    }
    faults->at[faults->count++] =
        (ps_fault){place, ps_pool_text(faults->pool, message, strlen(message))};
}

bool ps_faults_at(const ps_faults *faults, ps_spot place) {
    for (uint32_t i = 0; i < faults->count; i++) {
        const ps_spot other = faults->at[i].place;
        if (other.line == place.line && other.column == place.column &&
            other.origin == place.origin)
            return true;
    }
    return false;
}

const char *ps_spot_text(const ps_faults *faults, ps_spot place) {
    if (place.origin != NULL) return place.origin;
    if (place.line == 0) return faults->file;
    return ps_pool_format(faults->pool, "%s:%u:%u", faults->file, place.line, place.column);
}

static bool before(const ps_fault *left, const ps_fault *right) {
    if ((left->place.origin == NULL) != (right->place.origin == NULL))
        return left->place.origin == NULL;
    if (left->place.line != right->place.line) return left->place.line < right->place.line;
    return left->place.column < right->place.column;
}

void ps_faults_print(ps_faults *faults) {
    /* Insertion keeps the order of what stands at one place; a file has few faults. */
    for (uint32_t i = 1; i < faults->count; i++) {
        const ps_fault fault = faults->at[i];
        uint32_t j = i;
        for (; j > 0 && before(&fault, &faults->at[j - 1]); j--) faults->at[j] = faults->at[j - 1];
        faults->at[j] = fault;
    }
    for (uint32_t i = 0; i < faults->count; i++)
        ps_log_at(ps_spot_text(faults, faults->at[i].place), faults->at[i].message);
}
