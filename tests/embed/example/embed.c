/* A PoC server with libpocpf inside: two clients join, one is expelled, the other gets a new key. */
#include <pocpf/pocpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static int random_octets(void *user, uint8_t *out, size_t n)
{
    (void)user;
    return getrandom(out, n, 0) == (ssize_t)n ? 0 : -1;
}

/* What the engine asks for: a real server writes, sends and starts here; this one agrees to everything. */
static void carry_out(pocpf *pf, int64_t now_ms)
{
    pocpf_effect fx;
    while (pocpf_poll(pf, &fx)) {
        if (fx.type == POCPF_DO_PERSIST)
            pocpf_persisted(pf, now_ms, true);
        if (fx.type == POCPF_DO_SUBSCRIBE) /* this focus has no conference package */
            pocpf_subscription_changed(pf, now_ms, fx.channel, POCPF_SUB_UNSUPPORTED, false, 0);
        if (fx.type == POCPF_DO_ENABLER_START)
            pocpf_enabler_changed(pf, now_ms, fx.channel, POCPF_ENABLER_STARTED);
        if (fx.type == POCPF_DO_OFFER) {
            printf("offer MSK %08x to %s\n", (unsigned)fx.u.offer.msk_id, fx.user);
            pocpf_offer_answered(pf, now_ms, "dispatch", fx.user, fx.u.offer.number, POCPF_ANSWER_ACCEPTED, NULL, 0);
        }
        if (fx.type == POCPF_DO_AUDIT)
            printf("%s\n", pocpf_audit_name(fx.u.audit.what));
    }
}

static void join(pocpf *pf, const char *user, const pocpf_secret *muk)
{
    pocpf_credential who = { sizeof(who), user, "btid@bsf.example", muk, INT64_MAX };
    pocpf_join in = { sizeof(in), "dispatch", user, true, "", 0 };
    if (pocpf_authenticated(pf, 0, &who) != POCPF_OK || pocpf_member_joined(pf, 0, &in) != POCPF_OK)
        exit(1);
    carry_out(pf, 0);
}

int main(void)
{
    uint8_t octets[32];
    if (random_octets(NULL, octets, sizeof(octets)) != 0)
        return 1;
    pocpf_secret *key = pocpf_secret_new(octets, sizeof(octets));
    pocpf_host host = { sizeof(host), NULL, random_octets };
    pocpf_settings set = { .size = sizeof(set), .naf_id = (const uint8_t *)"pf.example\1\0\0\0\1", .naf_id_len = 15 };
    pocpf_channel channel = { .size = sizeof(channel), .id = "dispatch", .group_uri = "sip:dispatch@cf.example" };
    pocpf *pf;
    set.store_key = key;
    if (pocpf_new(&pf, &host, &set) != POCPF_OK || pocpf_channel_add(pf, 0, &channel) != POCPF_OK)
        return 1;
    join(pf, "sip:alice@example.com", key);
    join(pf, "sip:bob@example.com", key);
    pocpf_member_departed(pf, 0, "dispatch", "sip:bob@example.com", POCPF_EXPELLED);
    carry_out(pf, 0);
    pocpf_channel_status status = { .size = sizeof(status) };
    pocpf_channel_look(pf, "dispatch", &status);
    printf("%s under MSK %08x\n", status.state, (unsigned)status.msk_id);
    pocpf_free(pf);
    pocpf_secret_free(key);
    return status.msk_id == 2 ? 0 : 1;
}
