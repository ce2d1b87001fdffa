#include <netinet/in.h>
#include <string.h>

#include "base/text.h"
#include "pf/wire/lines.h"
#include "pf/wire/wire.h"

wire_line_kind wire_line_kind_of(const poc_sdp_media *media)
{
    static const struct {
        const char *type, *proto, *format; /* format NULL: any */
        wire_line_kind kind;
    } rows[] = {
        { "audio", "RTP/AVP", NULL, WIRE_LINE_AUDIO },
        { "audio", "RTP/SAVP", NULL, WIRE_LINE_AUDIO },
        { "application", "udp", "TBCP", WIRE_LINE_FLOOR },
        { "data", "udp", WIRE_STKM_FORMAT, WIRE_LINE_STKM },
    };
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        if (poc_span_eq_nocase(media->type, rows[i].type) && poc_span_eq_nocase(media->proto, rows[i].proto) &&
            (rows[i].format == NULL || poc_span_eq_nocase(poc_trim(media->formats), rows[i].format)))
            return rows[i].kind;
    return WIRE_LINE_OTHER;
}

bool wire_line_is_multicast(const poc_sdp_media *media, wire_line_kind kind)
{
    struct sockaddr_storage addr;
    if (kind == WIRE_LINE_STKM || poc_span_eq_nocase(media->proto, "RTP/SAVP"))
        return true;
    return media->conn.present && poc_addr_parse(&addr, media->conn.address, 0) == POC_OK &&
           poc_addr_is_multicast((const struct sockaddr *)&addr);
}

/* What is copied goes into our own descriptions: a stray CR would be a line end to somebody. */
static bool is_clean(poc_span text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((text.p[i] < 0x20 && text.p[i] != '\t') || text.p[i] == 0x7F)
            return false;
    return true;
}

static bool is_formats(poc_span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != ' ' && (text.p[i] < '0' || text.p[i] > '9'))
            return false;
    return text.n > 0;
}

static bool is_passed_on(poc_span line, const char *const *names)
{
    if (line.n > 2 && line.p[0] == 'b' && line.p[1] == '=')
        return true;
    for (; *names != NULL; names++) {
        poc_span value;
        if (poc_sdp_attr(line, *names, &value))
            return true;
    }
    return false;
}

static poc_err lines_copy(char *out, size_t cap, poc_span lines, const char *const *names)
{
    poc_wr wr = poc_wr_into(out, cap);
    poc_span line;
    while (poc_line_next(&lines, &line)) {
        if (!is_passed_on(line, names))
            continue;
        if (!is_clean(line))
            return POC_E_INPUT;
        poc_wr_span(&wr, line);
        poc_wr_put(&wr, "\r\n", 2);
    }
    return poc_wr_text(&wr);
}

static poc_err text_copy(char *out, size_t cap, poc_span text)
{
    poc_wr wr = poc_wr_into(out, cap);
    poc_wr_span(&wr, text);
    return poc_wr_text(&wr);
}

/* Port 0 and the old hold address 0.0.0.0 both mean: send nothing there. */
static poc_err where_read(struct sockaddr_storage *out, const poc_sdp_media *media)
{
    struct sockaddr_storage addr;
    static const struct in6_addr any6 = IN6ADDR_ANY_INIT;
    memset(out, 0, sizeof(*out));
    if (media->port == 0)
        return POC_OK;
    if (!media->conn.present)
        return POC_E_INPUT;
    if (poc_addr_parse(&addr, media->conn.address, media->port) != POC_OK)
        return POC_E_DENIED;
    bool held = addr.ss_family == AF_INET
                    ? ((const struct sockaddr_in *)&addr)->sin_addr.s_addr == htonl(INADDR_ANY)
                    : memcmp(&((const struct sockaddr_in6 *)&addr)->sin6_addr, &any6, sizeof(any6)) == 0;
    if (!held)
        *out = addr;
    return POC_OK;
}

static poc_err audio_read(wire_unicast *out, const poc_sdp *sdp, const poc_sdp_media *media)
{
    static const char *const names[] = { "rtpmap", "fmtp", "ptime", "maxptime", NULL };
    poc_span formats = poc_trim(media->formats);
    if (!is_formats(formats))
        return POC_E_INPUT;
    POC_TRY(where_read(&out->audio, media));
    POC_TRY(text_copy(out->audio_proto, sizeof(out->audio_proto), media->proto));
    POC_TRY(text_copy(out->audio_formats, sizeof(out->audio_formats), formats));
    out->direction = poc_sdp_direction_of(sdp, media);
    return lines_copy(out->audio_lines, sizeof(out->audio_lines), media->lines, names);
}

static poc_err floor_read(wire_unicast *out, const poc_sdp_media *media)
{
    static const char *const names[] = { "fmtp", NULL };
    POC_TRY(where_read(&out->floor, media));
    return lines_copy(out->floor_lines, sizeof(out->floor_lines), media->lines, names);
}

typedef struct places {
    size_t audio, floor, unicast, multicast, refused; /* indices from 1; counts */
} places;

static poc_err media_read(wire_unicast *out, const poc_sdp *sdp, size_t i, places *at)
{
    const poc_sdp_media *media = &sdp->media[i];
    wire_line_kind kind = wire_line_kind_of(media);
    if (wire_line_is_multicast(media, kind)) {
        at->multicast++;
        at->refused += media->port == 0;
        return POC_OK;
    }
    at->unicast++;
    if (kind == WIRE_LINE_AUDIO && at->audio == 0) {
        if (media->port == 0)
            return POC_OK;
        at->audio = i + 1;
        return audio_read(out, sdp, media);
    }
    if (kind == WIRE_LINE_FLOOR && at->floor == 0) {
        at->floor = i + 1;
        return floor_read(out, media);
    }
    return POC_OK;
}

static bool is_capable(const poc_sdp *sdp)
{
    poc_span version;
    return poc_sdp_attr(sdp->lines, "bcastversion", &version) && poc_span_eq_str(poc_split(&version, '.'), "1") &&
           version.n > 0;
}

poc_err wire_unicast_of(wire_unicast *out, const poc_sdp *sdp, poc_span text, poc_fault *fault)
{
    places at = { 0 };
    memset(out, 0, sizeof(*out));
    poc_rd rd = poc_rd_over(text, fault);
    for (size_t i = 0; i < sdp->media_count; i++) {
        poc_err err = media_read(out, sdp, i, &at);
        if (err == POC_OK)
            continue;
        rd.p = sdp->media[i].type.p;
        (void)poc_rd_fail(&rd, err == POC_E_DENIED ? "c= address is not numeric" : "audio or floor line not usable");
        return err;
    }
    out->multicast_capable = is_capable(sdp);
    out->multicast_refused = at.multicast > 0 && at.refused == at.multicast;
    out->plain_order = at.audio == 1 && (at.floor == 0 ? at.unicast == 1 : at.floor == 2 && at.unicast == 2);
    if (at.audio == 0) {
        (void)poc_rd_fail(&rd, "no usable audio line");
        return POC_E_DENIED;
    }
    out->media_count = sdp->media_count;
    return POC_OK;
}

poc_err wire_unicast_read(wire_unicast *out, poc_span text, poc_fault *fault)
{
    poc_sdp sdp;
    memset(out, 0, sizeof(*out));
    POC_TRY(poc_sdp_parse(&sdp, text, fault));
    return wire_unicast_of(out, &sdp, text, fault);
}
