/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/registry.h"

#include <string.h>

#include "host/flow/parts.h"

#include "host/seal/stage_seal.h"
#include "host/stages/stages.h"
#include "ingest/codec.h"
#include "ingest/parts.h"
#include "ml/stage_detect.h"
#include "ml/stage_drift.h"
#include "ml/stage_forecast.h"
#include "ml/stage_multivariate.h"
#include "ml/stage_risk.h"
#include "ml/stage_statistics.h"

/* Defined by the part's own file. */
extern const ps_source ps_source_kafka;
extern const ps_sink ps_sink_kafka;

static const ps_about *const sources[] = {
#ifdef PS_HAVE_KAFKA
    &ps_source_kafka.about,
#endif
    &ps_source_file.about,
    &ps_source_synthetic.about,
    NULL,
};

static const ps_about *const codecs[] = {
    &ps_codec_json.about,
    &ps_codec_csv.about,
    NULL,
};

static const ps_about *const stages[] = {
    &ps_stage_hash.about,   &ps_stage_entropy.about,
#ifdef PS_HAVE_SEAL
    &ps_stage_seal.about,
#endif
    &ps_stage_detect.about, &ps_stage_statistics.about,
    &ps_stage_drift.about,  &ps_stage_forecast.about,
    &ps_stage_risk.about,   &ps_stage_multivariate.about,
    &ps_stage_filter.about, NULL,
};

static const ps_about *const sinks[] = {
#ifdef PS_HAVE_KAFKA
    &ps_sink_kafka.about,
#endif
    &ps_sink_file.about,
    &ps_sink_discard.about,
    NULL,
};

static const ps_about *const *const parts[PS_PART_KINDS] = {sources, codecs, stages, sinks};

const char *ps_part_kind_text(ps_part_kind kind) {
    static const char *const texts[PS_PART_KINDS] = {"source", "codec", "stage", "sink"};
    return texts[kind];
}

const ps_about *ps_registry_at(ps_part_kind kind, uint32_t index) {
    return parts[kind][index];
}

const ps_about *ps_registry_find(ps_part_kind kind, const char *name) {
    for (const ps_about *const *about = parts[kind]; *about != NULL; about++)
        if (strcmp((*about)->name, name) == 0) return *about;
    return NULL;
}

bool ps_registry_is_map(const char *option) {
    for (int kind = 0; kind < PS_PART_KINDS; kind++) {
        for (const ps_about *const *about = parts[kind]; *about != NULL; about++) {
            const ps_option *found = ps_option_find((*about)->options, option);
            if (found != NULL && found->type == PS_OPTION_MAP) return true;
        }
    }
    return false;
}
