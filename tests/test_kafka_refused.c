/* SPDX-License-Identifier: Apache-2.0
 * Errors of Produce that no other try would mend, on librdkafka's mock cluster. If this fails, a
 * worker whose topic takes nothing goes back and begins anew for ever, and nobody is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/kafka_world.h"

static void test_final(void **state) {
    (void)state;
    static const struct {
        rd_kafka_resp_err_t err;
        uint32_t delivery;
        const char *advice;
    } cases[] = {
        {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, PS_KAFKA_EXACTLY_ONCE, "name another one"},
        {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, PS_KAFKA_AT_LEAST_ONCE, "name another one"},
        {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, PS_KAFKA_EXACTLY_ONCE, "docs/kafka.md"},
        {RD_KAFKA_RESP_ERR_INVALID_REQUEST, PS_KAFKA_EXACTLY_ONCE, "the broker's log"},
        {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, PS_KAFKA_EXACTLY_ONCE, "whoever runs them"},
        {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, PS_KAFKA_EXACTLY_ONCE,
         "another compression.type"},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, PS_KAFKA_EXACTLY_ONCE, "the right to write"},
        {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, PS_KAFKA_EXACTLY_ONCE,
         "to use transactional.id 'p-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world *w = world_open(produce_any);
        w->sink.delivery = cases[i].delivery;
        /* A commit may hear of it before the delivery report does, and begins anew. */
        for (int k = 0; k < 20; k++)
            rd_kafka_mock_push_request_errors(w->mock.cluster, API_PRODUCE, 1, cases[i].err);
        run(w, RECORDS);
        if (w->status != PS_IO) print_error("case %zu: %s\n", i, w->error.message);
        assert_int_equal(w->status, PS_IO);
        if (strstr(w->error.message, cases[i].advice) == NULL)
            print_error("case %zu: %s\n", i, w->error.message);
        assert_non_null(strstr(w->error.message, "out"));
        assert_non_null(strstr(w->error.message, cases[i].advice));
        close_world(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_final)};
    return cmocka_run_group_tests_name("kafka_refused", tests, NULL, NULL);
}
