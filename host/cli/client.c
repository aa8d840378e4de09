/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/client.h"

#include <stdio.h>

typedef const char *foreign(const void *config);

/* Notes the first thing that native does not go with. */
static void ask(foreign *of, const ps_chosen *part, const char *kind, ps_client_choice *out) {
    const char *lack = of == NULL || out->lacks ? NULL : of(part->config);
    if (lack == NULL) return;
    out->lacks = true;
    (void)snprintf(out->why, sizeof out->why, "native does not go with '%.200s' (%s %s)", lack,
                   kind, part->about->name);
}

static void say(ps_client_choice *out, const char *why) {
    (void)snprintf(out->why, sizeof out->why, "%s", why);
}

void ps_client_choose(const ps_config *config, ps_client_choice *out) {
    const ps_source *source = ps_config_source(config);
    const ps_sink *sink = ps_config_sink(config);
    foreign *of_source = source == NULL ? NULL : source->foreign;
    foreign *of_sink = sink == NULL ? NULL : sink->foreign;
    *out = (ps_client_choice){.name = "none"};
    if (of_source == NULL && of_sink == NULL) {
        say(out, "neither source nor sink is Kafka");
        return;
    }
    ask(of_source, &config->source, "source", out);
    ask(of_sink, &config->sink, "sink", out);
    const bool any = config->runtime.client == PS_CLIENT_AUTO;
    out->native = any ? !out->lacks : config->runtime.client == PS_CLIENT_NATIVE;
    out->name = out->native ? "native" : "librdkafka";
    if (!any && !(out->native && out->lacks))
        say(out, "runtime.client asks for it");
    else if (!out->lacks)
        say(out, "it can do all that source and sink ask for; where a cluster has more brokers "
                 "or partitions than it has room for, the start takes librdkafka");
}
