/* SPDX-License-Identifier: Apache-2.0
 * What every reader makes of an event of the JSON case.
 */
#ifndef PS_BENCH_JSON_EVENT_H
#define PS_BENCH_JSON_EVENT_H

#include <stdint.h>

enum { PS_JSON_PADDING = 64 /* readable bytes behind the last event: simdjson wants most */ };

typedef struct ps_json_event {
    char host[16];
    int64_t ts;
    double cpu;
} ps_json_event;

#endif
