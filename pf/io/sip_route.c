/* Where the requests of a dialog go, and that none goes in clear to a URI that asks for TLS. */
#include "pf/io/sip_private.h"

/*= RFC 3261, 26.2.2: to a sips: URI every hop is "secured with TLS", and transport=tcp in it means TLS over TCP. Sofia takes it for
 *  TCP in clear. Without the parameter it looks for a TLS transport, has none here, and does not send. */
void sip_url_secure(url_t *url)
{
    if (url->url_type == url_sips && url->url_params != NULL)
        url->url_params = url_strip_param_string((char *)url->url_params, "transport");
}

bool sip_wants_tls(sip_record_route_t const *set, sip_contact_t const *contact)
{
    return set == NULL && contact != NULL && contact->m_url->url_type == url_sips;
}

typedef struct route {
    su_home_t home[1];
    sip_record_route_t *set;
    sip_contact_t *contact;
} route;

static poc_err route_begin(route *r, sip_record_route_t const *set, sip_contact_t const *contact)
{
    *r = (route){ .home = { SU_HOME_INIT(r->home) } };
    r->set = set != NULL ? sip_record_route_dup(r->home, set) : NULL;
    r->contact = contact != NULL ? sip_contact_dup(r->home, contact) : NULL;
    if ((set != NULL && r->set == NULL) || (contact != NULL && r->contact == NULL))
        return POC_E_NOMEM;
    for (sip_record_route_t *hop = r->set; hop != NULL; hop = hop->r_next)
        sip_url_secure(hop->r_url);
    if (r->contact != NULL)
        sip_url_secure(r->contact->m_url);
    return POC_OK;
}

poc_err sip_route_by_request(nta_leg_t *nta, sip_record_route_t const *set, sip_contact_t const *contact)
{
    route r;
    poc_err err = route_begin(&r, set, contact);
    if (err == POC_OK && nta_leg_server_route(nta, r.set, r.contact) < 0)
        err = POC_E_NOMEM;
    su_home_deinit(r.home);
    return err;
}

void sip_route_by_answer(nta_leg_t *nta, sip_t const *m, bool makes_dialog)
{
    route r;
    if (route_begin(&r, m->sip_record_route, m->sip_contact) == POC_OK)
        nta_leg_client_reroute(nta, r.set, r.contact, makes_dialog);
    su_home_deinit(r.home);
}
