/* SPDX-License-Identifier: Apache-2.0
 * What a client is made of. If this fails, brokers that answer at the same moment make a lane take
 * more memory than `explain` prints.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ingest/kafka_client.h"

static int64_t number_of(const rd_kafka_conf_t *conf, const char *name) {
    char text[32];
    size_t bytes = sizeof text;
    assert_int_equal(rd_kafka_conf_get(conf, name, text, &bytes), RD_KAFKA_CONF_OK);
    return strtoll(text, NULL, 10);
}

/* The longest answer that a consumer asks each of so many brokers for. */
static int64_t answer_bytes(uint32_t servers, int64_t expansion) {
    ps_error error;
    rd_kafka_t *client = NULL;
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_CONSUMER,
                                    .brokers = "127.0.0.1:1",
                                    .group = "group",
                                    .member = "member",
                                    .memory_bytes = 64 << 20,
                                    .expansion = expansion,
                                    .servers = servers};
    assert_int_equal(ps_kafka_client_open(&recipe, &client, &error), PS_OK);
    const int64_t all = number_of(rd_kafka_conf(client), "fetch.max.bytes");
    const int64_t one = number_of(rd_kafka_conf(client), "fetch.message.max.bytes");
    ps_kafka_client_close(client);
    assert_true(one <= all);
    return all;
}

static void brokers_share_what_one_would_send(void **state) {
    (void)state;
    const int64_t alone = answer_bytes(1, PS_KAFKA_EXPANSION);
    assert_int_equal(alone, answer_bytes(0, PS_KAFKA_EXPANSION));
    assert_true(3 * answer_bytes(3, PS_KAFKA_EXPANSION) <= alone);
    assert_true(3 * answer_bytes(3, 1000) <= answer_bytes(1, 1000));
    assert_true(answer_bytes(3, PS_KAFKA_EXPANSION) > alone / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(brokers_share_what_one_would_send)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
