/* SPDX-License-Identifier: Apache-2.0
 * Builds every kernel's text with an OpenCL driver (PoCL on a processor, or a GPU's) and runs it
 * against the C build: every byte of every buffer must be equal. The back-end proper is elsewhere;
 * this shows that the dialect holds.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/ewma.h"
#include "kernels/merkle.h"
#include "kernels/sha256.h"
#include "kernels/table.h"
#include "kernels/vote.h"
#include "kernels/zscore.h"

enum { ROWS = 3000, SEGMENTS = 200, CAPACITY = 256, BUFFERS_MAX = 12, RECORD_MAX = 600 };

typedef struct machine {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    bool exact_division; /* of single precision: only the device knows */
} machine;

typedef struct operands {
    uint32_t count;
    uint8_t *data[BUFFERS_MAX];
    size_t bytes[BUFFERS_MAX];
} operands;

static uint64_t state = 7;

static uint64_t number(void) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 20;
}

static void *add(operands *o, size_t bytes, bool random) {
    uint8_t *data = calloc(1, bytes);
    if (!data) abort();
    for (size_t i = 0; random && i < bytes; i++) data[i] = (uint8_t)number();
    o->data[o->count] = data;
    o->bytes[o->count++] = bytes;
    return data;
}

static void release(operands *o) {
    while (o->count > 0) free(o->data[--o->count]);
}

static operands records(size_t out_bytes) {
    operands o = {0};
    add(&o, ROWS * RECORD_MAX / 2 + RECORD_MAX + 64, true);
    uint32_t *begin = add(&o, ROWS * sizeof *begin, false);
    uint32_t *length = add(&o, ROWS * sizeof *length, false);
    for (uint32_t row = 0; row < ROWS; row++) {
        begin[row] = row * (RECORD_MAX / 2);
        length[row] = row % 50 == 7 ? PS_NULL : (uint32_t)(number() % RECORD_MAX);
    }
    add(&o, ROWS * out_bytes, false);
    return o;
}

static operands pairs(void) {
    operands o = {0};
    add(&o, (2 * ROWS + 3) * 32, true);
    add(&o, 64 * 32, true);
    add(&o, (ROWS + 2) * 32, false);
    return o;
}

/* Rows dealt to segments, as kernel segment's input; `order` is filled for the kernels behind it.
 */
static operands segments(bool with_order) {
    operands o = {0};
    uint32_t *index = add(&o, ROWS * sizeof *index, false);
    uint32_t *rank = add(&o, ROWS * sizeof *rank, false);
    uint32_t *first = add(&o, (SEGMENTS + 1) * sizeof *first, false);
    uint32_t *order = add(&o, ROWS * sizeof *order, false);
    for (uint32_t row = 0; row < ROWS; row++) {
        const uint32_t s = (uint32_t)(number() % (SEGMENTS + 5));
        index[row] = s < SEGMENTS ? s : PS_NONE;
        rank[row] = s < SEGMENTS ? first[s + 1]++ : 0;
    }
    for (uint32_t s = 0; s < SEGMENTS; s++) first[s + 1] += first[s];
    if (with_order)
        for (uint32_t row = 0; row < ROWS; row++)
            if (index[row] != PS_NONE) order[first[index[row]] + rank[row]] = row;
    return o;
}

static operands series(void) {
    static const double specials[] = {0.0, -0.0, 1e300, -1e300, 1e-310, 1.7e308, -1.7e308, 100.0};
    operands parts = segments(true), o = {0};
    double *value = add(&o, ROWS * sizeof *value, false);
    for (uint32_t row = 0; row < ROWS; row++) {
        value[row] = (double)(number() % 100000) / 997.0;
        if (number() % 40 == 0) value[row] = specials[number() % 8];
        if (number() % 60 == 0) value[row] = (double)ps_nan();
    }
    add(&o, ROWS / 8, true);
    memcpy(add(&o, parts.bytes[3], false), parts.data[3], parts.bytes[3]);
    memcpy(add(&o, parts.bytes[2], false), parts.data[2], parts.bytes[2]);
    release(&parts);
    uint32_t *index = add(&o, SEGMENTS * sizeof *index, false);
    uint8_t *fresh = add(&o, SEGMENTS, false);
    for (uint32_t s = 0; s < SEGMENTS; s++) index[s] = s * 7 % CAPACITY, fresh[s] = s % 3 != 0;
    double *planes = add(&o, 3 * CAPACITY * sizeof *planes, false);
    for (uint32_t i = 0; i < 3 * CAPACITY; i++) planes[i] = 20.0;
    add(&o, SEGMENTS * 3 * sizeof(double), false);
    add(&o, ROWS * sizeof(float), false);
    return o;
}

static operands votes(uint32_t detectors) {
    operands o = {0};
    float *scores = add(&o, detectors * ROWS * sizeof *scores, false);
    for (uint32_t i = 0; i < detectors * ROWS; i++)
        scores[i] = number() % 5 ? (float)(number() % 80) / 10.0f : ps_nan();
    add(&o, ROWS * sizeof(float), false);
    add(&o, ROWS, false);
    add(&o, ROWS, false);
    return o;
}

static cl_kernel build(const machine *m, const char *name) {
    char text[256], options[512], root[256], log[4096] = "";
    const char *source = text;
    cl_int error;
    if (!getcwd(root, sizeof root)) abort();
    snprintf(text, sizeof text, "#include \"kernels/%s.c\"\n", name);
    snprintf(options, sizeof options, "-cl-std=CL1.2 -I %s%s", root,
             m->exact_division ? " -cl-fp32-correctly-rounded-divide-sqrt" : "");
    cl_program program = clCreateProgramWithSource(m->context, 1, &source, NULL, &error);
    if (clBuildProgram(program, 1, &m->device, options, NULL, NULL) != CL_SUCCESS) {
        clGetProgramBuildInfo(program, m->device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
        printf("%s\n", log);
        return NULL;
    }
    snprintf(text, sizeof text, "ps_%s", name);
    return clCreateKernel(program, text, &error);
}

/* The same operands through the device and through C; all of them are compared afterwards. */
static uint32_t compare(const machine *m, ps_kernel_id id, operands o, const void *params,
                        uint32_t n) {
    const ps_kernel *row = &ps_kernels[id];
    cl_mem memory[BUFFERS_MAX];
    cl_int status = CL_SUCCESS;
    const size_t items = (n + 63) / 64 * 64;
    cl_kernel kernel = build(m, row->name);
    uint32_t wrong = !kernel || o.count != row->buffers;
    for (uint32_t i = 0; !wrong && i < o.count; i++) {
        memory[i] = clCreateBuffer(m->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, o.bytes[i],
                                   o.data[i], &status);
        wrong += status != CL_SUCCESS;
        wrong += clSetKernelArg(kernel, i, sizeof memory[i], &memory[i]) != CL_SUCCESS;
    }
    if (!wrong) {
        wrong += clSetKernelArg(kernel, o.count, row->params_bytes, params) != CL_SUCCESS;
        wrong += clSetKernelArg(kernel, o.count + 1, sizeof n, &n) != CL_SUCCESS;
        wrong +=
            clEnqueueNDRangeKernel(m->queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL) != 0;
        row->reference((void *const *)o.data, params, 0, n);
    }
    for (uint32_t i = 0; !wrong && i < o.count; i++) {
        uint8_t *back = malloc(o.bytes[i]);
        if (!back) abort();
        status =
            clEnqueueReadBuffer(m->queue, memory[i], CL_TRUE, 0, o.bytes[i], back, 0, NULL, NULL);
        wrong += status != CL_SUCCESS || memcmp(back, o.data[i], o.bytes[i]) != 0;
        if (wrong) printf("  buffer %u differs\n", i);
        free(back);
        clReleaseMemObject(memory[i]);
    }
    if (kernel) clReleaseKernel(kernel);
    release(&o);
    printf("%s %s\n", wrong ? "FAIL" : "ok  ", row->name);
    return wrong != 0;
}

static bool open_machine(machine *m) {
    cl_platform_id platform;
    cl_uint count = 0;
    cl_int error;
    char name[128] = "";
    cl_device_fp_config config = 0;
    if (clGetPlatformIDs(1, &platform, &count) != CL_SUCCESS || count == 0) return false;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &m->device, &count) != CL_SUCCESS)
        return false;
    clGetDeviceInfo(m->device, CL_DEVICE_NAME, sizeof name - 1, name, NULL);
    clGetDeviceInfo(m->device, CL_DEVICE_SINGLE_FP_CONFIG, sizeof config, &config, NULL);
    m->exact_division = (config & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
    m->context = clCreateContext(NULL, 1, &m->device, NULL, NULL, &error);
    m->queue = m->context ? clCreateCommandQueue(m->context, m->device, 0, &error) : NULL;
    printf("device %s\n", name);
    return m->queue != NULL;
}

int main(void) {
    machine m;
    uint32_t failed = 0;
    if (!open_machine(&m)) {
        printf("no OpenCL device: install pocl-opencl-icd\n0 passed, 1 failed\n");
        return EXIT_FAILURE;
    }
    const uint32_t none = 0;
    const ps_sha256_params plain = {PS_SHA256_PLAIN}, leaf = {0};
    const ps_merkle_params level = {3, PS_NONE, 2}, carried = {1, 5, 0};
    const ps_ewma_params ewma = {.alpha = 0.1, .warmup = 5, .capacity = CAPACITY};
    const ps_ewma_params ewma_integers = {
        .alpha = 0.1, .warmup = 5, .capacity = CAPACITY, .type = 1};
    const ps_zscore_params zscore = {.warmup = 5, .capacity = CAPACITY};
    const ps_vote_params vote = {.detectors = 3, .stride = ROWS, .vote = 2, .threshold = 4.0f};
    failed += compare(&m, PS_KERNEL_SHA256, records(32), &plain, ROWS);
    failed += compare(&m, PS_KERNEL_SHA256, records(32), &leaf, ROWS);
    failed += compare(&m, PS_KERNEL_MERKLE, pairs(), &level, ROWS);
    failed += compare(&m, PS_KERNEL_MERKLE, pairs(), &carried, ROWS);
    failed += compare(&m, PS_KERNEL_XXH3, records(8), &none, ROWS);
    failed += compare(&m, PS_KERNEL_CRC32C, records(4), &none, ROWS);
    failed += compare(&m, PS_KERNEL_SEGMENT, segments(false), &none, ROWS);
    failed += compare(&m, PS_KERNEL_EWMA, series(), &ewma, SEGMENTS);
    failed += compare(&m, PS_KERNEL_EWMA, series(), &ewma_integers, SEGMENTS);
    failed += compare(&m, PS_KERNEL_ZSCORE, series(), &zscore, SEGMENTS);
    failed += compare(&m, PS_KERNEL_VOTE, votes(3), &vote, ROWS);
    printf("%u passed, %u failed\n", 11 - failed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
