/* A PoC server with libpocpf inside: two clients join, one is expelled, the other gets a new key. */
#include <pocpf/pocpf.h>
#include <stdio.h>
#include <sys/random.h>

static int random_octets(void *user, uint8_t *out, size_t n)
{
    (void)user;
    return getrandom(out, n, 0) == (ssize_t)n ? 0 : -1;
}

/* What the engine asks for: a real server writes, sends and starts here; this one agrees to everything. */
static void carry_out(pocpf *pf)
{
    pocpf_effect fx;
    while (pocpf_poll(pf, &fx)) {
        if (fx.type == POCPF_DO_PERSIST)
            pocpf_persisted(pf, 0, true);
        if (fx.type == POCPF_DO_SUBSCRIBE) /* this focus has no conference package */
            pocpf_subscription_changed(pf, 0, fx.channel, POCPF_SUB_UNSUPPORTED, false, 0);
        if (fx.type == POCPF_DO_ENABLER_START)
            pocpf_enabler_changed(pf, 0, fx.channel, POCPF_ENABLER_STARTED);
        if (fx.type == POCPF_DO_OFFER) {
            printf("offer MSK %08x to %s\n", (unsigned)fx.u.offer.msk_id, fx.user);
            pocpf_offer_answered(pf, 0, "dispatch", fx.user, fx.u.offer.number, POCPF_ANSWER_ACCEPTED, NULL, 0);
        }
    }
}

int main(void)
{
    static const char *const users[] = { "sip:alice@example.com", "sip:bob@example.com" };
    pocpf_secret *key = pocpf_secret_new("thirty-two octets, from GBA here", 32);
    pocpf_host host = { .size = sizeof(host), .random = random_octets };
    pocpf_settings set = {
        .size = sizeof(set), .naf_id = (const uint8_t *)"pf.example\1\0\0\0\1", .naf_id_len = 15, .store_key = key
    };
    pocpf_channel channel = { .size = sizeof(channel), .id = "dispatch", .group_uri = "sip:dispatch@cf.example" };
    pocpf *pf;
    if (pocpf_new(&pf, &host, &set) != POCPF_OK || pocpf_channel_add(pf, 0, &channel) != POCPF_OK)
        return 1;
    for (int i = 0; i < 2; i++) {
        pocpf_authenticated(pf, 0,
                            &(pocpf_credential){ sizeof(pocpf_credential), users[i], "btid@bsf", key, INT64_MAX });
        pocpf_member_joined(pf, 0, &(pocpf_join){ sizeof(pocpf_join), "dispatch", users[i], true, "", 0 });
        carry_out(pf);
    }
    pocpf_member_departed(pf, 0, "dispatch", "sip:bob@example.com", POCPF_EXPELLED);
    carry_out(pf);
    pocpf_free(pf);
    pocpf_secret_free(key);
}
