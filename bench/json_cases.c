/* SPDX-License-Identifier: Apache-2.0
 * The JSON reader on the bench's own events: host, ts and cpu of each, as the main job wants them.
 * Beside it simdjson, where cmake found it: it is C++, so it lies in a module beside the program,
 * which is opened when the bench runs; the program does not depend on it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/json_event.h"
#include "bench/kernels.h"
#include "host/base/check.h"
#include "ingest/json.h"
#include "ingest/number.h"
#include "ingest/telemetry.h"
#include "simd/cpu.h"

enum { EVENTS = 2048, HOSTS = 1000 }; /* half a MiB: in the second-level cache */

static ps_json *json;

static void run_own(void *const *buf, const void *params, uint32_t begin, uint32_t end) {
    const uint8_t *const bytes = buf[0];
    const uint32_t *const from = buf[1], *const length = buf[2];
    ps_json_event *const out = buf[3];
    ps_json_value value[3];
    ps_json_fault fault;
    ps_number number;
    (void)params;
    for (uint32_t i = begin; i < end; i++) {
        const ps_bytes text = {bytes + from[i], length[i]};
        PS_CHECK(ps_json_read(json, text, value, &fault) == PS_REJECT_NONE);
        memset(&out[i], 0, sizeof out[i]);
        memcpy(out[i].host, value[0].text.data, value[0].text.length);
        const ps_bytes ts = value[1].text, cpu = value[2].text;
        PS_CHECK(ps_number_read(ts.data, ts.data + ts.length, &number) == PS_NUMBER_OK &&
                 ps_number_int(&number, &out[i].ts));
        PS_CHECK(ps_number_read(cpu.data, cpu.data + cpu.length, &number) == PS_NUMBER_OK &&
                 ps_number_double(&number, &out[i].cpu));
    }
}

/* A library's function in the module that lies beside the program. */
static void *find_in_module(const char *symbol) {
    char path[512];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    char *const name = strrchr(path, '/') + 1;
    (void)snprintf(name, sizeof path - (size_t)(name - path), "%s", PS_SIMDJSON_MODULE);
    void *const module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return module ? dlsym(module, symbol) : NULL;
}

static void add_library(ps_contest *out, const char *name, const char *symbol) {
    void *const found = find_in_module(symbol);
    if (found == NULL) {
        (void)fprintf(stderr, "bench: %s is not beside this program: no row\n", name);
        return;
    }
    ps_contestant *const one = &out->contestant[out->count++];
    *one = (ps_contestant){.name = name};
    memcpy(&one->fn, &found, sizeof found); /* ISO C has no conversion for it */
}

static void open_events(const ps_kernel_case *row, ps_contest *out) {
    static const char *const paths[] = {"host", "ts", "cpu"};
    ps_telemetry telemetry;
    ps_error error = {{0}};
    if (json == NULL) PS_CHECK(ps_json_open(paths, 3, &json, &error) == PS_OK);
    ps_telemetry_init(&telemetry, 1, HOSTS, row->max, 0.0005);
    uint8_t *const bytes =
        calloc(1, EVENTS * (size_t)ps_telemetry_room(&telemetry) + PS_JSON_PADDING);
    uint32_t *const begin = calloc(EVENTS, sizeof *begin);
    uint32_t *const length = calloc(EVENTS, sizeof *length);
    out->buf[3] = calloc(EVENTS, sizeof(ps_json_event));
    PS_CHECK(bytes && begin && length && out->buf[3]);
    for (uint32_t i = 0; i < EVENTS; i++) {
        begin[i] = (uint32_t)out->bytes;
        length[i] = ps_telemetry_write(&telemetry, i % HOSTS, i / HOSTS, bytes + begin[i]);
        out->bytes += length[i];
    }
    out->n = EVENTS;
    out->records = EVENTS;
    out->buf[0] = bytes;
    out->buf[1] = begin;
    out->buf[2] = length;
    out->out = 3;
    out->out_bytes = EVENTS * sizeof(ps_json_event);
    out->contestant[out->count++] =
        (ps_contestant){.name = "penstock", .fn = run_own, .own = true, .chosen = true};
#ifdef __x86_64__
    if (!(ps_cpu_features() & PS_CPU_AVX2)) return; /* what the module is compiled for */
#endif
    add_library(out, "simdjson, DOM", "ps_simdjson_dom");
    add_library(out, "simdjson, on demand, all", "ps_simdjson_all");
    add_library(out, "simdjson, on demand, three", "ps_simdjson_three");
}

const ps_kernel_case *ps_json_case_at(uint32_t index) {
    static const ps_kernel_case cases[] = {{"json_decode", "256", PS_KERNEL_COUNT, open_events,
                                            PS_TELEMETRY_BYTES_PRESET, PS_TELEMETRY_BYTES_PRESET,
                                            0}};
    return index < sizeof cases / sizeof cases[0] ? &cases[index] : NULL;
}
