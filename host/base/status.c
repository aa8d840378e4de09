/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ps_status_text(ps_status status) {
#define PS_STATUS_ROW_(name, text) [PS_##name] = text,
    static const char *const texts[PS_STATUS_COUNT] = {PS_STATUS_MAP(PS_STATUS_ROW_)};
#undef PS_STATUS_ROW_
    return (unsigned)status < PS_STATUS_COUNT ? texts[status] : "unknown status";
}

ps_status ps_fail(ps_error *error, ps_status status, const char *format, ...) {
    if (error == NULL) return status;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

ps_status ps_fail_in(ps_error *error, ps_status status, const char *where) {
    if (error == NULL) return status;
    char inner[sizeof error->message];
    memcpy(inner, error->message, sizeof inner);
    /* A message too long for both parts keeps its beginning: that is where the fault is named. */
    (void)snprintf(error->message, sizeof error->message, "%.100s: %.400s", where, inner);
    return status;
}
