/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/seal_faults.h"

#include <stdio.h>

#include "host/base/log.h"
#include "host/base/text.h"

enum { FAULTS_SHOWN = 20 };

void ps_seal_faults_begin(ps_seal_faults *faults, const char *where, bool json) {
    *faults = (ps_seal_faults){.where = where, .json = json};
    ps_seal_live_begin(&faults->live, !json);
    if (json) (void)printf("{\"faults\":[");
}

bool ps_seal_faults_next(ps_seal_faults *faults) {
    const bool first = faults->count++ == 0;
    if (faults->count > FAULTS_SHOWN) return false;
    if (faults->json)
        (void)printf(first ? "{" : ",{");
    else
        ps_seal_live_hide(&faults->live);
    return true;
}

void ps_seal_faults_put(ps_seal_faults *faults, const char *class, const char *file,
                        const char *what) {
    if (!ps_seal_faults_next(faults)) return;
    if (!faults->json) {
        (void)printf("%s/%s: %s\n", faults->where, file, what);
        return;
    }
    if (class != NULL) (void)printf("\"class\":\"%s\",", class);
    ps_seal_put_text("file", file);
    (void)printf(",");
    ps_seal_put_text("what", what);
    (void)printf("}");
}

void ps_seal_faults_rest(const ps_seal_faults *faults, const char *name) {
    char count[PS_TEXT_NUMBER_MAX];
    if (faults->count > FAULTS_SHOWN)
        (void)printf("%s: … and %s more\n", name,
                     ps_text_from_count(faults->count - FAULTS_SHOWN, count));
}

void ps_seal_faults_remark(void *context, const char *file, const char *what) {
    const ps_seal_faults *const faults = context;
    ps_log(PS_LOG_WARNING, "seal", "%s/%s: %s", faults->where, file, what);
}

void ps_seal_faults_progress(void *context, uint64_t entries, uint64_t size) {
    ps_seal_faults *const faults = context;
    ps_seal_live_tell(&faults->live, entries, size);
}

void ps_seal_tally_add(ps_seal_tally *tally, ps_status status, const char *where, bool own_key) {
    tally->whole += status == PS_OK;
    tally->changed += status == PS_TAMPERED;
    tally->unknown += status != PS_OK && status != PS_TAMPERED;
    if (status == PS_OK && own_key)
        ps_log(PS_LOG_WARNING, "seal",
               "%s: signed by the key in its own `vkey`: who can change the log can change that "
               "too; give the key you know with --key",
               where);
}

ps_status ps_seal_tally_result(const ps_seal_tally *tally) {
    if (tally->changed > 0) return PS_TAMPERED;
    return tally->unknown > 0 ? PS_UNKNOWN_NAME : PS_OK;
}

int ps_seal_tally_tell(const ps_seal_tally *tally, uint32_t count, const char *of) {
    const ps_status all = ps_seal_tally_result(tally);
    if (count > 1)
        ps_log(PS_LOG_INFO, "seal", "%u %s: %u whole, %u changed, %u cannot be told", count, of,
               tally->whole, tally->changed, tally->unknown);
    if (all == PS_OK) return PS_EXIT_OK;
    return all == PS_TAMPERED ? PS_EXIT_FAILED : PS_EXIT_CANNOT_TELL;
}
