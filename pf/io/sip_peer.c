/* What a peer said of itself, kept for as long as a dialog lasts. A wire_unicast has room for the longest texts that are taken, and is 3 kB;
 * those of a phone are a few hundred octets, and there are two legs to a session. */
#include <stdlib.h>
#include <string.h>

#include "pf/io/sip_private.h"

enum { TEXTS = 4 };

/* In the order in which they are kept. */
static void texts_of(const wire_unicast *u, const char *out[TEXTS])
{
    out[0] = u->audio_proto;
    out[1] = u->audio_formats;
    out[2] = u->audio_lines;
    out[3] = u->floor_lines;
}

static void address_keep(struct sockaddr_in6 *out, const struct sockaddr_storage *addr)
{
    memset(out, 0, sizeof(*out));
    if (addr->ss_family != 0)
        memcpy(out, addr, poc_addr_len((const struct sockaddr *)addr));
}

static const char *text_tell(char *out, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(out, text, size);
    return text + size;
}

poc_err sip_peer_keep(sip_peer **at, const wire_unicast *said)
{
    const char *texts[TEXTS];
    size_t sizes[TEXTS], all = 0;
    texts_of(said, texts);
    for (size_t i = 0; i < TEXTS; i++)
        all += sizes[i] = strlen(texts[i]) + 1;
    sip_peer *p = malloc(sizeof(*p) + all);
    if (p == NULL)
        return POC_E_NOMEM;
    address_keep(&p->audio, &said->audio);
    address_keep(&p->floor, &said->floor);
    p->direction = said->direction;
    p->multicast_capable = said->multicast_capable;
    p->multicast_refused = said->multicast_refused;
    p->plain_order = said->plain_order;
    p->media_count = said->media_count;
    char *to = p->texts;
    for (size_t i = 0; i < TEXTS; to += sizes[i++])
        memcpy(to, texts[i], sizes[i]);
    free(*at);
    *at = p;
    return POC_OK;
}

void sip_peer_tell(wire_unicast *out, const sip_peer *p)
{
    memset(out, 0, sizeof(*out));
    memcpy(&out->audio, &p->audio, sizeof(p->audio));
    memcpy(&out->floor, &p->floor, sizeof(p->floor));
    out->direction = p->direction;
    out->multicast_capable = p->multicast_capable;
    out->multicast_refused = p->multicast_refused;
    out->plain_order = p->plain_order;
    out->media_count = p->media_count;
    const char *from = text_tell(out->audio_proto, p->texts);
    from = text_tell(out->audio_formats, from);
    from = text_tell(out->audio_lines, from);
    (void)text_tell(out->floor_lines, from);
}
