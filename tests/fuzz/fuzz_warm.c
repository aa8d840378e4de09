/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a warm state: refused with a sentence, or every series in it lies inside the file.
 * Once as they are, and once with check sums that are right, or hardly an input would get past
 * them.
 */
#include "host/batch/series.h"
#include "host/flow/warm_parts.h"
#include "ml/stage_detect.h"
#include "tests/batches.h"
#include "tests/fuzz/fuzz.h"

enum { ROWS = 8, KEYS = 4, PLANES_MAX = 8 };

static const char *const keys[KEYS] = {"a", "web-1", "speed_7578", ""};

static ps_plan *plan_of(const char *path) {
    static const ps_field field = {.name = "x", .path = "x", .type = PS_FIELD_FLOAT};
    static const char *const names[] = {"ewma"};
    const ps_field_list list = {&field, 1};
    ps_detect_config config = {0};
    ps_plan *plan = calloc(1, sizeof *plan);
    ps_error error = {""};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.field = "x";
    config.detectors = (ps_string_list){names, 1};
    config.quiet_ns = 1000;
    config.warm_state = path;
    FUZZ_CHECK(ps_plan_init(plan, ROWS, 4096, ROWS, &list, &error) == PS_OK);
    const ps_status status = ps_stage_detect.plan(&config, plan, &error);
    FUZZ_CHECK(status == PS_OK || error.message[0] != '\0');
    if (status == PS_OK && ps_plan_close(plan, &error) == PS_OK) return plan;
    ps_plan_deinit(plan);
    free(plan);
    return NULL;
}

static void put(void *context, const ps_state_plan *state, uint32_t id, const double *planes) {
    double copy[PLANES_MAX];
    (void)id;
    FUZZ_CHECK(state->planes <= PLANES_MAX);
    memcpy(copy, planes, state->planes * sizeof *planes); /* the sanitizer looks */
    *(uint32_t *)context += copy[0] == copy[0];
}

/* A batch whose rows begin series that the file may have. */
static void begin_all(const ps_plan *plan, const ps_warm *warm) {
    const size_t bytes = (ps_series_bytes(ROWS, ROWS) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    FUZZ_CHECK(memory != NULL);
    memset(memory, 0, bytes);
    ps_series *series = ps_series_open(memory, ROWS, ROWS, 1);
    ps_batch batch = {0};
    uint32_t told = 0;
    test_batch_memory(&batch, &plan->schema);
    ps_batch_reset(&batch);
    for (uint32_t i = 0; i < KEYS; i++) {
        const ps_record record = {.offset = i,
                                  .key = {(const uint8_t *)keys[i], (uint32_t)strlen(keys[i])},
                                  .value = {(const uint8_t *)"", 0},
                                  .headers = {NULL, PS_NULL_LENGTH}};
        FUZZ_CHECK(ps_batch_append(&batch, &record) == PS_OK);
    }
    ps_series_resolve(series, &batch, &plan->schema.column[PS_COLUMN_KEY]);
    const uint32_t begun = ps_warm_batch(warm, plan, &batch, put, &told);
    FUZZ_CHECK(begun <= KEYS && begun <= ps_warm_series(warm));
    FUZZ_CHECK(told <= begun * plan->state_count);
    test_batch_free(&batch);
    free(memory);
}

static void read_it(const uint8_t *data, size_t size) {
    char path[128];
    ps_error error = {""};
    ps_warm *warm = NULL;
    fuzz_file("warm", data, size);
    (void)snprintf(path, sizeof path, "%s/warm", fuzz_folder());
    ps_plan *plan = plan_of(path);
    if (plan == NULL) return;
    const ps_status status = ps_warm_open(plan, &warm, &error);
    FUZZ_CHECK(status == PS_OK || error.message[0] != '\0');
    if (status == PS_OK) begin_all(plan, warm);
    ps_warm_close(warm);
    ps_plan_deinit(plan);
    free(plan);
}

static void mend_series(uint8_t *data, size_t size, const ps_warm_head *head) {
    for (size_t at = head->bytes; at + PS_WARM_FRONT <= size;) {
        uint32_t key_bytes, crc;
        memcpy(&key_bytes, data + at, sizeof key_bytes);
        if (key_bytes > PS_WARM_KEY_MAX) return;
        const size_t body =
            PS_WARM_FRONT + ps_warm_padded(key_bytes) + head->plane_count * sizeof(double);
        if (at + body + PS_WARM_BACK > size) return;
        crc = ps_warm_crc(data + at, body);
        memcpy(data + at + body, &crc, sizeof crc);
        at += body + PS_WARM_BACK;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char check[] = "\ncheck ";
    ps_warm_head head;
    char hex[9];
    read_it(data, size);
    uint8_t *mended = malloc(size + 1);
    FUZZ_CHECK(mended != NULL);
    if (size > 0) memcpy(mended, data, size);
    uint8_t *line = size == 0 ? NULL : memmem(mended, size, check, sizeof check - 1);
    if (line != NULL && line + sizeof check - 1 + 8 <= mended + size) {
        (void)snprintf(hex, sizeof hex, "%08x", ps_warm_crc(mended, (size_t)(line + 1 - mended)));
        memcpy(line + sizeof check - 1, hex, 8);
        if (ps_warm_head_parse(mended, size, "warm", &head, NULL) == PS_OK)
            mend_series(mended, size, &head);
        read_it(mended, size);
    }
    free(mended);
    return 0;
}
