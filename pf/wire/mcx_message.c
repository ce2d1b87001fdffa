/* Bodies of the MESSAGEs that a server sends to its clients: key downloads (TS 33.180 5.8), announcements of bearers (TS 24.379
 * 14.2.2). */
#include <string.h>

#include "base/text.h"
#include "pf/wire/mcx.h"

enum { BOUNDARY_RANDOM = 16, BOUNDARY_SIZE = 4 + 2 * BOUNDARY_RANDOM + 1, INFO_ROOM = 2048, USAGE_ROOM = 8192 };

static poc_err boundary_draw(char out[BOUNDARY_SIZE], const poc_rng *rng)
{
    uint8_t octets[BOUNDARY_RANDOM];
    poc_wr wr = poc_wr_into(out, BOUNDARY_SIZE);
    POC_TRY(rng->fill(rng->ctx, octets, sizeof(octets)));
    poc_wr_fmt(&wr, "mcx-");
    poc_hex_put(&wr, poc_span_of(octets, sizeof(octets)));
    return poc_wr_text(&wr);
}

poc_err mcx_multipart_write(poc_wr *body, char content_type[WIRE_MCX_CONTENT_TYPE_MAX], const poc_part *parts,
                            size_t count, const poc_rng *rng)
{
    char boundary[BOUNDARY_SIZE];
    poc_wr type = poc_wr_into(content_type, WIRE_MCX_CONTENT_TYPE_MAX);
    POC_TRY(boundary_draw(boundary, rng));
    poc_wr_fmt(&type, "multipart/mixed;boundary=%s", boundary);
    POC_TRY(poc_wr_text(&type));
    return poc_parts_write(body, boundary, parts, count);
}

/* mcptt-info that says for whom the message is; `room` takes it. */
static poc_err info_part(poc_part *out, uint8_t room[INFO_ROOM], mcx_service service, const char *mc_id)
{
    wire_mcx_info info = { .has_clear = true };
    poc_wr wr = poc_wr_into(room, INFO_ROOM);
    if (strlen(mc_id) > WIRE_MCX_TEXT_MAX)
        return POC_E_LIMIT;
    memcpy(info.request_uri, mc_id, strlen(mc_id));
    POC_TRY(wire_mcx_info_write(&wr, &info, service, NULL, NULL));
    *out = (poc_part){ .type = poc_span_str(wire_mcx_media_type(WIRE_MCX_INFO, service)),
                       .body = poc_span_of(room, wr.len) };
    return POC_OK;
}

poc_err wire_mcx_download_write(poc_wr *body, char content_type[WIRE_MCX_CONTENT_TYPE_MAX], mcx_service service,
                                const char *mc_id, poc_span i_message, const poc_rng *rng)
{
    uint8_t room[INFO_ROOM];
    poc_part parts[2];
    POC_TRY(info_part(&parts[0], room, service, mc_id));
    parts[1] = (poc_part){ .type = poc_span_str("application/mikey"), .body = i_message };
    return mcx_multipart_write(body, content_type, parts, POC_COUNT(parts), rng);
}

/* In any of the forms that RFC 4567 and RFC 4568 give a key. */
static bool has_key(poc_span sdp)
{
    static const char *const attributes[] = { "a=key-mgmt:", "a=crypto:", "k=" };
    while (sdp.n > 0) {
        const poc_span line = poc_trim(poc_split(&sdp, '\n'));
        for (size_t i = 0; i < POC_COUNT(attributes); i++) {
            const size_t n = strlen(attributes[i]);
            if (line.n >= n && poc_span_eq_nocase(poc_span_of(line.p, n), attributes[i]))
                return true;
        }
    }
    return false;
}

poc_err wire_mcx_announcement_write(poc_wr *body, char content_type[WIRE_MCX_CONTENT_TYPE_MAX], mcx_service service,
                                    const char *mc_id, const wire_mbms_announcement *bearer, poc_span sdp,
                                    const poc_rng *rng)
{
    uint8_t info_room[INFO_ROOM], usage_room[USAGE_ROOM];
    poc_wr usage = poc_wr_into(usage_room, sizeof(usage_room));
    poc_part parts[3];
    size_t count = 0;
    if (has_key(sdp))
        return POC_E_INPUT;
    if (mc_id != NULL)
        POC_TRY(info_part(&parts[count++], info_room, service, mc_id));
    POC_TRY(wire_mbms_announcement_write(&usage, bearer, service));
    parts[count++] = (poc_part){ .type = poc_span_str(wire_mcx_media_type(WIRE_MCX_MBMS_USAGE, service)),
                                 .body = poc_span_of(usage_room, usage.len) };
    if (sdp.n > 0)
        parts[count++] = (poc_part){ .type = poc_span_str("application/sdp"), .body = sdp };
    return mcx_multipart_write(body, content_type, parts, count, rng);
}
