/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/place.h"

ps_status ps_seal_place_open(const char *where, ps_seal_place *out, ps_error *error) {
    *out = (ps_seal_place){0};
    if (ps_seal_web_is_url(where)) {
        PS_TRY(ps_seal_web_open(where, &out->web, error));
        out->source = ps_seal_web_source(out->web);
        return PS_OK;
    }
    PS_TRY(ps_seal_folder_open(where, false, &out->folder, error));
    out->source = ps_seal_folder_source(out->folder);
    return PS_OK;
}

void ps_seal_place_close(ps_seal_place *place) {
    ps_seal_folder_close(place->folder);
    ps_seal_web_close(place->web);
    *place = (ps_seal_place){0};
}
