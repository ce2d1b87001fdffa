#include "base/sdp.h"

#include "base/text.h"

static poc_err conn_parse(poc_sdp_conn *out, poc_span value)
{
    uint64_t n;
    *out = (poc_sdp_conn){ .present = true, .ttl = -1, .count = 1 };
    if (!poc_span_eq_str(poc_split(&value, ' '), "IN"))
        return POC_E_INPUT;
    poc_span family = poc_split(&value, ' ');
    out->is_ip6 = poc_span_eq_str(family, "IP6");
    if (!out->is_ip6 && !poc_span_eq_str(family, "IP4"))
        return POC_E_INPUT;
    out->address = poc_split(&value, '/');
    if (out->address.n == 0)
        return POC_E_INPUT;
    if (!out->is_ip6 && value.n > 0) {
        POC_TRY(poc_u64_get(&n, 255, poc_split(&value, '/')));
        out->ttl = (int)n;
    }
    if (value.n > 0) {
        POC_TRY(poc_u64_get(&n, 256, value));
        out->count = (unsigned)n;
    }
    return POC_OK;
}

static poc_err origin_parse(poc_sdp *out, poc_span value)
{
    out->user = poc_split(&value, ' ');
    out->session_id = poc_split(&value, ' ');
    out->session_version = poc_split(&value, ' ');
    (void)poc_split(&value, ' ');
    (void)poc_split(&value, ' ');
    out->origin_address = value;
    return value.n > 0 ? POC_OK : POC_E_INPUT;
}

static poc_err media_parse(poc_sdp_media *out, poc_span value)
{
    uint64_t port;
    out->type = poc_split(&value, ' ');
    poc_span port_text = poc_split(&value, ' ');
    POC_TRY(poc_u64_get(&port, UINT16_MAX, poc_split(&port_text, '/')));
    out->port = (uint16_t)port;
    out->proto = poc_split(&value, ' ');
    out->formats = value;
    return out->type.n > 0 && out->proto.n > 0 && value.n > 0 ? POC_OK : POC_E_INPUT;
}

/* Ends the section that is open now (session or last m-line) where the next one begins. */
static void section_close(poc_sdp *out, const uint8_t *end)
{
    poc_span *lines = out->media_count == 0 ? &out->lines : &out->media[out->media_count - 1].lines;
    lines->n = (size_t)(end - lines->p);
}

static poc_err line_parse(poc_sdp *out, poc_span line, const uint8_t *after)
{
    poc_span value = poc_span_of(line.p + 2, line.n - 2);
    poc_sdp_media *media = out->media_count > 0 ? &out->media[out->media_count - 1] : NULL;
    switch (line.p[0]) {
    case 'o':
        return origin_parse(out, value);
    case 'c':
        return conn_parse(media != NULL ? &media->conn : &out->conn, value);
    case 'm':
        if (out->media_count == POC_SDP_MEDIA_MAX)
            return POC_E_LIMIT;
        section_close(out, line.p);
        out->media[out->media_count++] = (poc_sdp_media){ .conn = out->conn, .lines = poc_span_of(after, 0) };
        return media_parse(&out->media[out->media_count - 1], value);
    default:
        return POC_OK;
    }
}

poc_err poc_sdp_parse(poc_sdp *out, poc_span text, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(text, fault);
    poc_span line, rest = text;
    *out = (poc_sdp){ .lines = poc_span_of(text.p, 0) };
    if (text.n > POC_SDP_MAX)
        return POC_E_LIMIT;
    while (poc_line_next(&rest, &line)) {
        rd.p = line.p;
        if (line.n == 0 && rest.n == 0)
            break;
        if (line.n < 2 || line.p[1] != '=')
            return poc_rd_fail(&rd, "not a description line");
        if (line.p == text.p && !poc_span_eq_str(line, "v=0"))
            return poc_rd_fail(&rd, "description does not begin with v=0");
        poc_err err = line_parse(out, line, rest.p);
        if (err != POC_OK) {
            (void)poc_rd_fail(&rd, "malformed o=, c= or m= line");
            return err;
        }
    }
    if (out->origin_address.n == 0)
        return poc_rd_fail(&rd, "no o= line");
    section_close(out, text.p + text.n);
    return POC_OK;
}

bool poc_sdp_attr_next(poc_span *lines, const char *name, poc_span *value)
{
    poc_span line;
    while (poc_line_next(lines, &line)) {
        if (line.n < 2 || line.p[0] != 'a' || line.p[1] != '=')
            continue;
        *value = poc_span_of(line.p + 2, line.n - 2);
        if (poc_span_eq_str(poc_split(value, ':'), name))
            return true;
    }
    return false;
}

bool poc_sdp_attr(poc_span lines, const char *name, poc_span *value)
{
    return poc_sdp_attr_next(&lines, name, value);
}

const char *poc_sdp_direction_name(poc_sdp_direction direction)
{
    static const char *const names[] = {
        [POC_SDP_SENDRECV] = "sendrecv",
        [POC_SDP_SENDONLY] = "sendonly",
        [POC_SDP_RECVONLY] = "recvonly",
        [POC_SDP_INACTIVE] = "inactive",
    };
    return names[direction];
}

/* The first in the order of the enumeration, should a peer say several; false when it says none. */
static bool direction_in(poc_span lines, poc_sdp_direction *out)
{
    poc_span line;
    bool is_found = false;
    while (poc_line_next(&lines, &line)) {
        if (line.n < 2 || line.p[0] != 'a' || line.p[1] != '=')
            continue;
        poc_span rest = poc_span_of(line.p + 2, line.n - 2);
        const poc_span name = poc_split(&rest, ':');
        for (poc_sdp_direction d = POC_SDP_SENDRECV; d <= POC_SDP_INACTIVE; d++) {
            if (!poc_span_eq_str(name, poc_sdp_direction_name(d)) || (is_found && *out <= d))
                continue;
            *out = d;
            is_found = true;
        }
    }
    return is_found;
}

poc_sdp_direction poc_sdp_direction_of(const poc_sdp *sdp, const poc_sdp_media *media)
{
    poc_sdp_direction found = POC_SDP_SENDRECV;
    if (!direction_in(media->lines, &found))
        (void)direction_in(sdp->lines, &found);
    return found;
}
