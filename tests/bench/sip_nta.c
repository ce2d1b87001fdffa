#include "tests/bench/sip_nta.h"

#include <stdlib.h>

#define NTA_AGENT_MAGIC_T    void
#define NTA_LEG_MAGIC_T      void
#define NTA_INCOMING_MAGIC_T void
#define NTA_OUTGOING_MAGIC_T void

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/tport_tag.h>

#include "tests/bench/sip_crowd.h"

enum { WINDOW = 100, BUFFER_OCTETS = 4 * 1024 * 1024 /* as the daemon has it */ };

typedef struct dialog {
    sip_nta *nta;
    nta_leg_t *leg;
} dialog;

struct sip_nta {
    nta_agent_t *agent;
    nta_leg_t *door;
    size_t room, count;
    size_t next, open, updated; /* of the UPDATEs to all */
    char contact[64];
    uint16_t port;
    dialog dialogs[];
};

#define LINES                                                                           \
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"         \
    "m=audio 45200 RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\na=ptime:160\r\na=sendrecv\r\n" \
    "m=application 45300 udp TBCP\r\na=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n"
#define ON_GROUP "c=IN IP4 " SIP_CROWD_ADDRESS "/1\r\na=recvonly\r\n"
#define X64      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* As long as the PF's: the message is none, and nobody opens it. */
static const char offer[] =
    LINES "m=audio 10004 RTP/SAVP 97\r\n" ON_GROUP "m=application 10006 udp TBCP\r\n" ON_GROUP
          "m=data 10008 UDP vnd.oma.bcast.stkm\r\n" ON_GROUP "a=key-mgmt:mikey " X64 X64 X64 X64 "\r\n";

static int on_updated(void *magic, nta_outgoing_t *request, sip_t const *answer);

static void update(dialog *d)
{
    (void)nta_outgoing_tcreate(d->leg, on_updated, d, NULL, SIP_METHOD_UPDATE, NULL,
                               SIPTAG_CONTACT_STR(d->nta->contact), SIPTAG_CONTENT_TYPE_STR("application/sdp"),
                               SIPTAG_PAYLOAD_STR(offer), TAG_END());
}

static void update_more(sip_nta *n)
{
    while (n->open < WINDOW && n->next < n->count) {
        n->open++;
        update(&n->dialogs[n->next++]);
    }
}

static int on_updated(void *magic, nta_outgoing_t *request, sip_t const *answer)
{
    const dialog *d = magic;
    sip_nta *n = d->nta;
    const int status = nta_outgoing_status(request);
    (void)answer;
    if (status < 200)
        return 0;
    nta_outgoing_destroy(request);
    n->updated += status < 300;
    if (n->open > 0) {
        n->open--;
        update_more(n);
    }
    return 0;
}

static int on_acknowledged(void *magic, nta_incoming_t *request, sip_t const *ack)
{
    if (ack != NULL)
        update(magic);
    nta_incoming_destroy(request);
    return 0;
}

static int in_dialog(void *magic, nta_leg_t *leg, nta_incoming_t *request, sip_t const *message)
{
    (void)magic, (void)leg, (void)request, (void)message;
    return 200;
}

static int at_door(void *magic, nta_leg_t *leg, nta_incoming_t *request, sip_t const *message)
{
    sip_nta *n = magic;
    (void)leg;
    if (message->sip_request->rq_method == sip_method_ack)
        return 0;
    if (message->sip_request->rq_method != sip_method_invite || n->count == n->room)
        return 503;
    dialog *d = &n->dialogs[n->count++];
    d->nta = n;
    d->leg = nta_leg_tcreate(n->agent, in_dialog, d, SIPTAG_CALL_ID(message->sip_call_id), SIPTAG_FROM(message->sip_to),
                             SIPTAG_TO(message->sip_from), NTATAG_REMOTE_CSEQ(message->sip_cseq->cs_seq), TAG_END());
    (void)nta_leg_tag(d->leg, NULL);
    (void)nta_incoming_tag(request, nta_leg_get_tag(d->leg));
    (void)nta_leg_server_route(d->leg, message->sip_record_route, message->sip_contact);
    nta_incoming_bind(request, on_acknowledged, d);
    (void)nta_incoming_treply(request, SIP_200_OK, SIPTAG_CONTACT_STR(n->contact),
                              SIPTAG_CONTENT_TYPE_STR("application/sdp"), SIPTAG_PAYLOAD_STR(LINES), TAG_END());
    return 0;
}

static bool agent_make(sip_nta *n, su_root_t *root)
{
    n->agent = nta_agent_create(root, (url_string_t *)-1, NULL, NULL, NTATAG_UA(1), TAG_END());
    if (n->agent == NULL || nta_agent_add_tport(n->agent, URL_STRING_MAKE("sip:127.0.0.1:0;transport=udp"),
                                                TPTAG_UDP_RMEM(BUFFER_OCTETS), TAG_END()) != 0)
        return false;
    const sip_via_t *via = nta_agent_via(n->agent);
    n->port = (uint16_t)strtoul(via->v_port, NULL, 10);
    (void)snprintf(n->contact, sizeof(n->contact), "<sip:nta@127.0.0.1:%u>", n->port);
    n->door = nta_leg_tcreate(n->agent, at_door, n, NTATAG_NO_DIALOG(1), TAG_END());
    return n->door != NULL;
}

sip_nta *sip_nta_new(su_root_t *root, size_t members)
{
    sip_nta *n = calloc(1, sizeof(*n) + members * sizeof(dialog));
    if (n == NULL)
        return NULL;
    n->room = members;
    if (!agent_make(n, root)) {
        sip_nta_free(n);
        return NULL;
    }
    return n;
}

void sip_nta_free(sip_nta *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->count; i++)
        nta_leg_destroy(n->dialogs[i].leg);
    nta_leg_destroy(n->door);
    nta_agent_destroy(n->agent);
    free(n);
}

uint16_t sip_nta_port(const sip_nta *n)
{
    return n->port;
}

size_t sip_nta_updated(const sip_nta *n)
{
    return n->updated;
}

void sip_nta_update(sip_nta *n)
{
    n->updated = n->next = n->open = 0;
    update_more(n);
}
