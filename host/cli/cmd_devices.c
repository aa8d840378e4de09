/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/explain.h"
#include "host/cli/term.h"
#include "host/device/backend.h"
#include "host/device/calibrate.h"
#include "host/device/choice.h"
#include "host/mem/topology.h"
#include "simd/dispatch.h"

typedef struct devices_options {
    bool json, calibrate;
} devices_options;

static const ps_option options[] = {{.name = "json",
                                     .help = "One JSON object on stdout.",
                                     .type = PS_OPTION_BOOL,
                                     .at = offsetof(devices_options, json)},
                                    {.name = "calibrate",
                                     .help = "Measure processor and devices anew, keep what "
                                             "`backend: auto` decides by, and show from how many "
                                             "rows of 256 bytes a device is worth its copies.",
                                     .type = PS_OPTION_BOOL,
                                     .at = offsetof(devices_options, calibrate)},
                                    {.name = NULL}};

static void print_machine(const ps_topology *topology) {
    char size[PS_TEXT_NUMBER_MAX];
    (void)printf("cores    %u cores, %u threads that this process may use\n",
                 ps_topology_cores(topology), ps_topology_threads(topology));
    for (uint32_t i = 0; i < ps_topology_nodes(topology); i++) {
        const size_t bytes = ps_topology_node_bytes(topology, i);
        (void)printf("node %u   %u cores, %s\n", i, ps_topology_node_cores(topology, i),
                     bytes == 0 ? "memory unknown" : ps_text_about_size((double)bytes, size));
    }
}

static void print_kernels(void) {
    (void)printf("isa      %s (PS_ISA forces another)\nchoice   %s\n\n", ps_dispatch_isa(),
                 ps_choice_by());
    (void)printf("%skernel    chosen            also possible here%s\n",
                 ps_term_on(STDOUT_FILENO, PS_STYLE_BOLD), ps_term_off(STDOUT_FILENO));
    for (int id = 0; id < PS_KERNEL_COUNT; id++) {
        const ps_kernel_id kernel = (ps_kernel_id)id;
        (void)printf("%-9s %-17s", ps_kernels[id].name, ps_dispatch_chosen(kernel));
        for (uint32_t i = ps_dispatch_count(kernel); i-- > 0;) {
            const char *name = "";
            if (ps_dispatch_at(kernel, i, &name) != ps_dispatch(kernel)) (void)printf(" %s", name);
        }
        (void)printf("\n");
    }
}

/* Devices of a back-end, none where PS_GPU says so; 0: `why` says why. What is known so far is
 * shown first: drivers and their compilers take their time. */
static uint32_t devices_of(const ps_backend *backend, const char **why) {
    (void)fflush(stdout);
    *why = "PS_GPU=ignore";
    return ps_backend_ignored(backend) ? 0 : backend->devices(why);
}

/* What it is, and whether it gives the known answers. */
static const char *verdict_of(const ps_backend *backend, uint32_t index, ps_device_about *about,
                              ps_error *error) {
    ps_device *device = NULL;
    (void)snprintf(about->name, sizeof about->name, "device %u", index);
    if (backend->open(index, &device, error) != PS_OK) return error->message;
    backend->about(device, about);
    const ps_status status = ps_device_self_test(backend, device, PS_KERNEL_COUNT, error);
    backend->close(device);
    return status == PS_OK ? "ok" : error->message;
}

static void print_device(const ps_backend *backend, uint32_t index) {
    char size[PS_TEXT_NUMBER_MAX];
    ps_device_about about = {.bytes = 0};
    ps_error error = {""};
    (void)fflush(stdout);
    const char *verdict = verdict_of(backend, index, &about, &error);
    (void)printf("  %u  %s, %s%s; self-test %s\n", index, about.name,
                 ps_text_about_size((double)about.bytes, size),
                 about.processor ? ", the processor itself" : "", verdict);
}

static void print_backends(void) {
    const ps_backend *backend = NULL;
    (void)printf("\n");
    for (uint32_t i = 0; (backend = ps_backend_at(i)) != NULL; i++) {
        const char *why = "";
        const uint32_t count = devices_of(backend, &why);
        (void)printf("back-end %s: %u device%s%s%s\n", backend->name, count, count == 1 ? "" : "s",
                     count == 0 ? ", " : "", count == 0 ? why : "");
        for (uint32_t k = 0; k < count && !backend->shares_memory; k++) print_device(backend, k);
    }
}

static void json_kernels(void) {
    (void)printf("\"kernels\":[");
    for (int id = 0; id < PS_KERNEL_COUNT; id++) {
        const ps_kernel_id kernel = (ps_kernel_id)id;
        (void)printf("%s{\"name\":\"%s\",\"chosen\":", id == 0 ? "" : ",", ps_kernels[id].name);
        ps_json_print(ps_dispatch_chosen(kernel));
        (void)printf(",\"implementations\":[");
        for (uint32_t i = 0; i < ps_dispatch_count(kernel); i++) {
            const char *name = "";
            (void)ps_dispatch_at(kernel, i, &name);
            (void)printf("%s", i == 0 ? "" : ",");
            ps_json_print(name);
        }
        (void)printf("]}");
    }
    (void)printf("]");
}

static void json_device(const ps_backend *backend, uint32_t index) {
    ps_device_about about = {.bytes = 0};
    ps_error error = {""};
    const char *verdict = verdict_of(backend, index, &about, &error);
    (void)printf("%s{\"name\":", index == 0 ? "" : ",");
    ps_json_print(about.name);
    (void)printf(",\"driver\":");
    ps_json_print(about.driver);
    (void)printf(",\"bytes\":%zu,\"processor\":%s,\"self_test\":", about.bytes,
                 about.processor ? "true" : "false");
    ps_json_print(verdict);
    (void)printf("}");
}

static void print_json(const ps_topology *topology, const char *verdict) {
    const ps_backend *backend = NULL;
    (void)printf("{\"cores\":%u,\"threads\":%u,\"nodes\":[", ps_topology_cores(topology),
                 ps_topology_threads(topology));
    for (uint32_t i = 0; i < ps_topology_nodes(topology); i++)
        (void)printf("%s{\"node\":%u,\"cores\":%u,\"bytes\":%zu}", i == 0 ? "" : ",", i,
                     ps_topology_node_cores(topology, i), ps_topology_node_bytes(topology, i));
    (void)printf("],\"isa\":\"%s\",\"choice\":\"%s\",\"self_test\":", ps_dispatch_isa(),
                 ps_choice_by());
    ps_json_print(verdict);
    (void)printf(",\"backends\":[");
    for (uint32_t i = 0; (backend = ps_backend_at(i)) != NULL; i++) {
        const char *why = "";
        const uint32_t count = devices_of(backend, &why);
        (void)printf("%s{\"name\":\"%s\",\"devices\":%u,\"about\":[", i == 0 ? "" : ",",
                     backend->name, count);
        for (uint32_t k = 0; k < count && !backend->shares_memory; k++) json_device(backend, k);
        (void)printf("]}");
    }
    (void)printf("],");
    json_kernels();
    (void)printf("}\n");
}

/* A cost as people read it. */
static void print_cost(const ps_cost *cost) {
    if (cost->known == 0)
        (void)printf(" %28s", "-");
    else
        (void)printf(" %8.1f us %6.2f ns %6.3f ns", cost->fixed_ns / 1e3, cost->row_ns,
                     cost->byte_ns);
}

static ps_status calibrate_one(const ps_backend *backend, uint32_t index, const ps_costs *here,
                               ps_error *error) {
    ps_costs measured;
    const ps_costs *costs = here;
    if (!backend->shares_memory) {
        PS_TRY(ps_costs_measure(backend, index, NULL, &measured, error));
        costs = &measured;
    }
    (void)printf("\n%s device %u, measured in %.0f ms", backend->name, index,
                 (double)costs->took_ns / 1e6);
    if (costs->build_ns > 10 * PS_NS_PER_MS)
        (void)printf(", beside %.0f ms in which its driver built kernels",
                     (double)costs->build_ns / 1e6);
    (void)printf("\n");
    if (!backend->shares_memory)
        (void)printf("copies    %.1f us each, %.2f GB/s up, %.2f GB/s down\n", costs->copy_ns / 1e3,
                     1.0 / costs->up_byte_ns, 1.0 / costs->down_byte_ns);
    (void)printf("kernel          a launch     a row    a byte   worth it from\n");
    for (int id = 0; id < PS_KERNEL_COUNT; id++) {
        if (costs->kernel[id].known == 0) continue;
        (void)printf("%-9s", ps_kernels[id].name);
        print_cost(&costs->kernel[id]);
        const uint64_t rows = ps_break_even(here, costs, (ps_kernel_id)id, 256);
        if (backend->shares_memory)
            (void)printf("\n");
        else if (rows == 0)
            (void)printf("   never\n");
        else
            (void)printf("   %llu rows\n", (unsigned long long)rows);
    }
    return PS_OK;
}

static int calibrate(void) {
    ps_error error = {""};
    ps_costs here;
    int code = PS_EXIT_OK;
    if (ps_choice_init(&error) != PS_OK) {
        ps_log(PS_LOG_ERROR, "devices", "%s", error.message);
        return PS_EXIT_USAGE;
    }
    const int64_t from_ns = ps_clock_ns();
    ps_choice_forget();
    ps_choice_measure(NULL);
    (void)printf("implementations chosen in %.0f ms\n", (double)(ps_clock_ns() - from_ns) / 1e6);
    if (ps_costs_measure(&ps_backend_cpu, 0, NULL, &here, &error) != PS_OK) {
        ps_log(PS_LOG_ERROR, "devices", "%s", error.message);
        return PS_EXIT_FAILED;
    }
    for (uint32_t i = 0; ps_backend_at(i) != NULL; i++) {
        const ps_backend *backend = ps_backend_at(i);
        const char *why = "";
        const uint32_t count = devices_of(backend, &why);
        for (uint32_t k = 0; k < count; k++) {
            if (calibrate_one(backend, k, &here, &error) == PS_OK) continue;
            ps_log(PS_LOG_ERROR, "devices", "%s", error.message);
            code = PS_EXIT_FAILED;
        }
    }
    return code;
}

static int show(bool json) {
    ps_error error;
    ps_topology *topology = NULL;
    if (ps_choice_init(&error) != PS_OK) {
        ps_log(PS_LOG_ERROR, "devices", "%s", error.message);
        return PS_EXIT_USAGE;
    }
    ps_choice_measure(NULL);
    if (ps_topology_open(NULL, &topology, &error) != PS_OK) {
        ps_log(PS_LOG_ERROR, "devices", "%s", error.message);
        return PS_EXIT_FAILED;
    }
    const bool sound = ps_kernels_self_test(&error) == PS_OK;
    if (json) {
        print_json(topology, sound ? "ok" : error.message);
    } else {
        print_machine(topology);
        print_kernels();
        print_backends();
        (void)printf("self-test %s\n",
                     sound ? "ok: every kernel gives its known answer" : error.message);
    }
    ps_topology_close(topology);
    return sound ? PS_EXIT_OK : PS_EXIT_FAILED;
}

static int devices(int argc, char **argv) {
    devices_options chosen = {0};
    ps_args args;
    int code = ps_args_init(&args, &ps_command_devices, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = chosen.calibrate ? calibrate() : show(chosen.json);
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_devices = {
    .name = "devices",
    .operands = "",
    .summary = "Shows what kernels can run on: nodes, cores, instruction sets, self-test.",
    .options = options,
    .run = devices,
};
