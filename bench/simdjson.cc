/* SPDX-License-Identifier: Apache-2.0
 * simdjson's two interfaces in the form of a kernel, each with one parser for all events. The DOM
 * checks an event as a whole, as ingest/json.c does; on demand checks what is read.
 */
#include <simdjson.h>

#include <cstdlib>
#include <cstring>

#include "bench/json_event.h"

static_assert(simdjson::SIMDJSON_PADDING <= PS_JSON_PADDING, "the operands are too short");

/* A library that cannot read what is written here has nothing to be measured with. */
static void check(simdjson::error_code code) {
    if (code != simdjson::SUCCESS) std::abort();
}

static void keep(ps_json_event &out, std::string_view host) {
    std::memset(out.host, 0, sizeof out.host);
    std::memcpy(out.host, host.data(), host.size());
}

extern "C" void ps_simdjson_dom(void *const *buf, const void *, uint32_t begin, uint32_t end) {
    static simdjson::dom::parser parser;
    const auto *const bytes = static_cast<const uint8_t *>(buf[0]);
    const auto *const from = static_cast<const uint32_t *>(buf[1]);
    const auto *const length = static_cast<const uint32_t *>(buf[2]);
    auto *const out = static_cast<ps_json_event *>(buf[3]);
    for (uint32_t i = begin; i < end; i++) {
        simdjson::dom::object event;
        std::string_view host;
        check(parser.parse(bytes + from[i], length[i], false).get_object().get(event));
        check(event["host"].get_string().get(host));
        check(event["ts"].get_int64().get(out[i].ts));
        check(event["cpu"].get_double().get(out[i].cpu));
        keep(out[i], host);
    }
}

using reader = void(simdjson::ondemand::object &, ps_json_event &);

static void on_demand(void *const *buf, uint32_t begin, uint32_t end, reader *read) {
    static simdjson::ondemand::parser parser;
    const auto *const bytes = static_cast<const uint8_t *>(buf[0]);
    const auto *const from = static_cast<const uint32_t *>(buf[1]);
    const auto *const length = static_cast<const uint32_t *>(buf[2]);
    auto *const out = static_cast<ps_json_event *>(buf[3]);
    for (uint32_t i = begin; i < end; i++) {
        simdjson::ondemand::document document;
        simdjson::ondemand::object event;
        check(parser.iterate(bytes + from[i], length[i], length[i] + simdjson::SIMDJSON_PADDING)
                  .get(document));
        check(document.get_object().get(event));
        read(event, out[i]);
    }
}

/* In the order in which they lie, and no further: the fastest form. */
static void read_three(simdjson::ondemand::object &event, ps_json_event &out) {
    std::string_view host;
    check(event.find_field("host").get_string().get(host));
    check(event.find_field("ts").get_int64().get(out.ts));
    check(event.find_field("cpu").get_double().get(out.cpu));
    keep(out, host);
}

/* Every member, because only what is read is checked. */
static void read_all(simdjson::ondemand::object &event, ps_json_event &out) {
    for (auto member : event) {
        std::string_view key, text;
        simdjson::ondemand::value value;
        double number;
        check(member.unescaped_key().get(key));
        check(member.value().get(value));
        if (key == "ts") {
            check(value.get_int64().get(out.ts));
        } else if (key == "cpu") {
            check(value.get_double().get(out.cpu));
        } else if (value.get_string().get(text) == simdjson::SUCCESS) {
            if (key == "host") keep(out, text);
        } else {
            check(value.get_double().get(number));
        }
    }
}

extern "C" void ps_simdjson_three(void *const *buf, const void *, uint32_t begin, uint32_t end) {
    on_demand(buf, begin, end, read_three);
}
extern "C" void ps_simdjson_all(void *const *buf, const void *, uint32_t begin, uint32_t end) {
    on_demand(buf, begin, end, read_all);
}
