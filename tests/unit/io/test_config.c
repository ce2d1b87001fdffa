/* The configuration: defaults, every bad input with file, line and reason, the files that we ship, and docs/options.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pf/io/config.h"
#include "pf/io/options.h"
#include "pf/io/subscribers.h"

#define HEAD                                                                                                \
    "sip = { listen = [\"udp:127.0.0.1:5060\"]; domain = \"pf.example\"; next_hop = \"sip:10.0.0.1\"; };\n" \
    "gba = { naf_fqdn = \"pf.example\"; subscribers = \"s.cfg\"; };\n"                                      \
    "media = { address = \"127.0.0.1\"; };\n"                                                               \
    "store = { path = \"a.db\"; key_file = \"/k/key\"; };\n"
#define CHANNEL \
    "id = \"a\"; group = \"sip:g@x.example\"; address = \"239.1.2.3\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; "
#define CHANNEL_B \
    "id = \"b\"; group = \"sip:h@x.example\"; address = \"239.1.2.4\"; port = 4000; key_domain_id = \"00f110\"; key_group = 2; "

#define BARE    "id = \"a\"; address = \"239.1.2.3\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; "
#define BY_PUSH "rekey = { delivery = [ \"push\" ]; }; "
#define SERVICE BARE BY_PUSH "mbms = { admit = \"authenticated\"; }; "
#define PUSHING "mbms = { push_listen = [ \"127.0.0.1:2269\" ]; };\n"
#define MBMS                                                                                                       \
    "mbms = { key_management_listen = [ \"127.0.0.1:0\" ]; push_listen = [ \"127.0.0.1:2269\", \"[::1]:2269\" ]; " \
    "};\n"

#define MCX_HEAD \
    "mcx = { psi = \"sip:mcx@pf.example\"; kms = \"embedded\"; kms_secrets = \"k/kms.secret\"; users = \"u.cfg\"; "
#define MCX_CLIENT "mcx = { psi = \"sip:mcx@pf.example\"; users = \"u.cfg\"; "
#define MUSIK      "id = \"m\"; address = \"239.5.5.5\"; port = 5000; "
#define MUSIK_B    "id = \"n\"; address = \"239.5.5.6\"; port = 5000; "

static config *good(const char *text)
{
    config *c;
    char why[CONFIG_WHY_MAX];
    poc_err err = config_parse(&c, text, "conf/x.cfg", why);
    if (err != POC_OK)
        fail_msg("%s: %s", poc_err_name(err), why);
    return c;
}

static void what_is_left_out_has_the_default_of_its_row(void **state)
{
    (void)state;
    config *c = good(HEAD "channels = ( { " CHANNEL "} );");
    assert_int_equal(c->sip.session_expires_s, 1800);
    assert_true(c->sip.strict_identities);
    assert_int_equal(c->sip.trusted_peers.count, 0);
    assert_memory_equal(c->gba.ua_security_protocol_id, "\x01\x00\x00\x00\x01", 5);
    assert_int_equal(c->bcast.stkm_active_ms, 1000);
    assert_int_equal(c->channel_count, 1);
    const config_channel *ch = &c->channels[0];
    assert_int_equal(ch->rekey.on_leave, 0);
    assert_int_equal(ch->rekey.deadline_ms, 2000);
    assert_int_equal(ch->rekey.delivery, 1u << CONFIG_DELIVERY_SIP);
    assert_int_equal(ch->air.port[BCAST_FLOW_FLOOR], 4002);
    assert_int_equal(ch->air.port[BCAST_FLOW_STKM], 4004);
    assert_memory_equal(ch->air.key_domain.b, "\x00\xf1\x10", 3);
    config_free(c);
}

static void what_is_written_is_what_is_read(void **state)
{
    (void)state;
    config *c = good(
        HEAD
        "channels = ( { " CHANNEL "ttl = 7; source = \"10.1.1.1\"; floor_port = 4100; rekey = { on_leave = \"batch\"; "
        "leave_batch_ms = 300; on_join = true; gate = \"continue\"; on_refusal = \"release\"; deadline_ms = 32000; }; } );\n"
        "limits = { members_max = 5; };\nlog = { format = \"json\"; };");
    const config_channel *ch = &c->channels[0];
    assert_int_equal(ch->air.ttl, 7);
    assert_int_equal(ch->air.port[BCAST_FLOW_FLOOR], 4100);
    assert_int_equal(ch->air.source.ss_family, AF_INET);
    assert_int_equal(ch->rekey.on_leave, 2);
    assert_int_equal(ch->rekey.leave_batch_ms, 300);
    assert_true(ch->rekey.on_join);
    assert_int_equal(ch->rekey.gate, 1);
    assert_int_equal(ch->rekey.on_refusal, 1);
    assert_int_equal(ch->rekey.deadline_ms, 32000);
    assert_int_equal(c->limits.members_max, 5);
    assert_int_equal(c->log.format, CONFIG_LOG_JSON);
    config_free(c);
}

/* MBMS-8: a channel that no SIP session feeds. */
static void a_channel_without_group_is_a_service_of_its_own(void **state)
{
    (void)state;
    config *c = good(HEAD MBMS "channels = ( { " BARE BY_PUSH
                               "mbms = { users = [ \"sip:Alice@HOME.example\" ]; }; feed = { listen = "
                               "\"udp:[::1]:7000\"; source = [ \"10.0.0.1\", \"[::1]:9\" ]; }; } );");
    const config_channel *ch = &c->channels[0];
    assert_string_equal(ch->group, "");
    assert_string_equal(ch->mbms.service, "urn:pocpf:a");
    assert_int_equal(ch->mbms.admit, CONFIG_ADMIT_LISTED);
    assert_string_equal(ch->mbms.users.item[0], "sip:Alice@home.example");
    assert_string_equal(ch->feed.listen, "udp:[::1]:7000");
    assert_int_equal(ch->feed.source.count, 2);
    assert_int_equal(ch->rekey.delivery, 1u << CONFIG_DELIVERY_PUSH);
    assert_int_equal(c->mbms.push_port, 2269);
    config_free(c);
}

static void a_channel_with_group_is_a_service_of_its_session(void **state)
{
    (void)state;
    config *c = good(HEAD MBMS "channels = ( { " CHANNEL "rekey = { delivery = [ \"sip\", \"push\" ]; }; } );");
    const config_channel *ch = &c->channels[0];
    assert_string_equal(ch->mbms.service, "sip:g@x.example");
    assert_int_equal(ch->mbms.admit, CONFIG_ADMIT_SESSION);
    assert_int_equal(ch->rekey.delivery, 1u << CONFIG_DELIVERY_SIP | 1u << CONFIG_DELIVERY_PUSH);
    config_free(c);
}

/* MCX-8, MCX-9 */
static void a_musik_is_a_channel_with_groups_a_bearer_and_people_of_its_own(void **state)
{
    (void)state;
    config *c = good(
        HEAD MCX_HEAD
        "neighbours = [ \"n.xml\" ]; musik = ( { " MUSIK "service = \"mcvideo\"; groups = [ \"sip:g1@x\" ]; "
        "tmgi = \"0102030a0b0c\"; areas = [ \"00ff\", \"1234\" ]; qci = 69; admit = \"listed\"; users = [ "
        "\"sip:Alice@MC.example\" ]; lifetime_s = 90; revoke = false; rekey = { interval_s = 60; gate = "
        "\"continue\"; }; feed = { floor_listen = \"udp:127.0.0.1:7002\"; listen = \"udp:127.0.0.1:7000\"; source = [ "
        "\"127.0.0.1\" ]; }; } ); };\nchannels = ( { " CHANNEL "} );");
    assert_int_equal(c->channel_count, 2);
    assert_int_equal(c->channels[0].kind, CONFIG_MSK);
    assert_string_equal(c->channels[0].musik.text, "");
    const config_channel *m = &c->channels[1];
    assert_int_equal(m->kind, CONFIG_MUSIK);
    assert_string_equal(m->group, "");
    assert_string_equal(m->mbms.service, "");
    assert_int_equal(m->musik.service, 1);
    assert_string_equal(m->musik.groups.item[0], "sip:g1@x");
    assert_true(m->musik.has_tmgi);
    assert_memory_equal(m->musik.tmgi, "\x01\x02\x03\x0a\x0b\x0c", CONFIG_TMGI_LEN);
    assert_int_equal(m->musik.area_ids[1], 0x1234);
    assert_int_equal(m->musik.qci, 69);
    assert_int_equal(m->musik.admit, CONFIG_MCX_ADMIT_LISTED);
    assert_string_equal(m->musik.users.item[0], "sip:Alice@MC.example"); /* octet by octet: it is hashed */
    assert_int_equal(m->musik.lifetime_s, 90);
    assert_false(m->musik.revoke);
    assert_int_equal(m->rekey.interval_s, 60);
    assert_int_equal(m->air.port[BCAST_FLOW_FLOOR], 5002);
    assert_int_equal(m->air.port[BCAST_FLOW_STKM], 0);
    assert_string_equal(m->feed.floor_listen, "udp:127.0.0.1:7002");
    assert_string_equal(c->mcx.identities.item[0], "sip:mcx@pf.example");
    assert_string_equal(c->mcx.neighbours.item[0], "conf/n.xml");
    assert_string_equal(c->mcx.kms_secrets, "conf/k/kms.secret");
    assert_int_equal(c->mcx.algorithms, 1u << CONFIG_AES128_GCM);
    config_free(c);
}

static void without_a_public_service_identity_there_are_no_mission_critical_services(void **state)
{
    (void)state;
    config *c = good(HEAD);
    assert_string_equal(c->mcx.psi, "");
    assert_int_equal(c->mcx.identities.count, 0);
    config_free(c);
}

static void an_interface_that_exists_is_taken(void **state)
{
    (void)state;
    config_free(good(HEAD "bcast = { interface = \"lo\"; };"));
}

static void relative_paths_count_from_the_folder_of_the_file(void **state)
{
    (void)state;
    config *c = good(HEAD);
    assert_string_equal(c->store.path, "conf/a.db");
    assert_string_equal(c->store.key_file, "/k/key");
    assert_string_equal(c->gba.subscribers, "conf/s.cfg");
    config_free(c);
}

#define REST_OF_HEAD                                                                              \
    "gba = { naf_fqdn = \"pf.example\"; subscribers = \"s.cfg\"; sip_auth = \"registered\"; };\n" \
    "media = { address = \"127.0.0.1\"; };\nstore = { path = \"a.db\"; key_file = \"/k/key\"; };\n"
#define SIP_OF_HEAD "sip = { listen = [\"udp:127.0.0.1:5060\"]; domain = \"pf.example\"; next_hop = \"sip:10.0.0.1\"; "

/* POC-21 */
static void core_may_stand_for_its_clients_when_it_is_named(void **state)
{
    (void)state;
    char why[CONFIG_WHY_MAX];
    config *c = good(SIP_OF_HEAD "trusted_peers = [\"10.0.0.1\"]; };\n" REST_OF_HEAD);
    assert_int_equal(c->gba.sip_auth, CONFIG_AUTH_REGISTERED);
    config_free(c);
    c = good(HEAD);
    assert_int_equal(c->gba.sip_auth, CONFIG_AUTH_DIGEST);
    config_free(c);
    assert_int_equal(config_parse(&c, SIP_OF_HEAD "};\n" REST_OF_HEAD, "x.cfg", why), POC_E_INPUT);
    assert_non_null(strstr(why, "hears only sip.trusted_peers, and there are none"));
}

typedef struct bad_case {
    const char *text;
    int line;
    const char *says;
} bad_case;

/* HEAD has four lines: what a case adds starts in line 5. */
#define HOP(uri) "sip = { listen = [ \"udp:127.0.0.1:1\" ]; domain = \"pf.example\"; next_hop = \"" uri "\"; };"
static const bad_case bad_cases[] = {
    { "sip = { listn = 1; };", 1, "sip.listn is not an option" },
    { "sipp = { };", 1, "sipp is not an option" },
    { "\n\nsip = { domain = \"pf.example\"; next_hop = \"sip:10.0.0.1\"; };", 3, "sip.listen is missing" },
    { "sip = 5;", 1, "sip must be a group" },
    { "sip = { listen = \"udp:127.0.0.1:1\"; };", 1, "sip.listen must be a list of texts" },
    { "sip = { listen = [ \"127.0.0.1:1\" ]; };", 1, "must be \"udp:ADDRESS:PORT\"" },
    { "sip = { listen = [ \"udp:[::1:1\" ]; };", 1, "must be \"udp:ADDRESS:PORT\"" },
    { "sip = { listen = [ \"udp:127.0.0.1:70000\" ]; };", 1, "must be \"udp:ADDRESS:PORT\"" },
    { "sip = { listen = [ \"tls:127.0.0.1:5061\" ]; };", 1, "tls: is not built into this version" },
    { HOP("sips:cf.example"), 1, "must be a SIP URI" },
    { HOP("sip:cf.example;transport=tls"), 1, "must be reached by UDP or TCP (TLS is not built into this version" },
    { HOP("sip:cf.example;lr;Transport=TLS;x=1"), 1, "must be reached by UDP or TCP" },
    { HOP("sip:cf.example;transport=sctp"), 1, "must be reached by UDP or TCP" },
    { HOP("sip:cf.example;transport="), 1, "must be reached by UDP or TCP" },
    { "sip = { listen = [ ]; };", 1, "has 0 elements" },
    { "sip = { tls_key = \"k\"; };", 1, "sip.tls_key is not built into this version" },
    { HEAD "log = { format = \"xml\"; };", 5, "log.format must be one of \"text\", \"json\"" },
    { HEAD "log = { format = 3; };", 5, "log.format must be one of" },
    { HEAD "limits = { members_max = 0; };", 5, "limits.members_max = 0 is out of bounds" },
    { HEAD "limits = { members_max = -1; };", 5, "limits.members_max = -1 is out of bounds" },
    { HEAD "limits = { members_max = 99999999999L; };", 5, "is out of bounds" },
    { HEAD "limits = { members_max = \"7\"; };", 5, "limits.members_max must be a whole number" },
    { HEAD "limits = { members_max = 1.5; };", 5, "limits.members_max must be a whole number" },
    { HEAD "mikey = { sdp_ids = 1; };", 5, "mikey.sdp_ids must be true or false" },
    { HEAD "bcast = { carrier = \"mb2\"; };", 5, "\"mb2\" is not built into this version" },
    { HEAD "bcast = { carrier = \"mbstf\"; };", 5, "\"mbstf\" is not built into this version" },
    { HEAD "mbms = { key_management_listen = \"x\"; };", 5, "mbms.key_management_listen must be a list of texts" },
    { HEAD "mbms = { key_management_listen = [ \"x\" ]; };", 5, "must be \"ADDRESS:PORT\"" },
    { HEAD "mbms = { path = \"keys\"; };", 5, "must be the path of a URI" },
    { HEAD "mbms = { path = \"/keys?a=b\"; };", 5, "must be the path of a URI" },
    { HEAD "mbms = { push_port = 0; };", 5, "mbms.push_port = 0 is out of bounds" },
    { HEAD "mbms = { push_address = \"nat\"; };", 5, "mbms.push_address must be one of \"http-src\", \"sip-contact\"" },
    { HEAD "channels = { };", 5, "channels must be a list of groups" },
    { HEAD "channels = ( 3 );", 5, "channels must be a group" },
    { HEAD "channels = ( { id = \"a\"; } );", 5, "channels.address is missing" },
    { HEAD "channels = ( { " BARE "} );", 5, "channels.group of \"a\" is missing" },
    { HEAD "channels = ( { " BARE BY_PUSH "} );", 5, "mbms.push_listen is missing" },
    { HEAD PUSHING "channels = ( { " BARE BY_PUSH "} );", 6, "mbms.key_management_listen is missing" },
    { HEAD MBMS "channels = ( { " BARE BY_PUSH "} );", 6, "channels.mbms.users of \"a\" is empty" },
    { HEAD MBMS "channels = ( { " BARE BY_PUSH "mbms = { admit = \"session\"; }; } );", 6, "needs a PoC session" },
    { HEAD MBMS "channels = ( { " BARE BY_PUSH "mbms = { users = [ \"bob\" ]; }; } );", 6, "must be a SIP URI" },
    { HEAD MBMS "channels = ( { " SERVICE "feed = { listen = \"udp:127.0.0.1:7000\"; }; } );", 6,
      "channels.feed.source of \"a\" is empty" },
    { HEAD MBMS "channels = ( { " SERVICE "feed = { listen = \"tcp:127.0.0.1:7000\"; }; } );", 6,
      "must be \"udp:ADDRESS:PORT\"" },
    { HEAD MBMS "channels = ( { " SERVICE "feed = { source = [ \"127.0.0.1\" ]; }; } );", 6,
      "channels.feed.listen of \"a\" is missing" },
    { HEAD MBMS "channels = ( { " CHANNEL
                "feed = { listen = \"udp:127.0.0.1:7000\"; source = [ \"127.0.0.1\" ]; }; } );",
      6, "the PoC session of channels.group is the feed" },
    { HEAD MBMS "channels = ( { " CHANNEL "mbms = { service = \"x\"; }; }, { " CHANNEL_B
                "mbms = { service = \"x\"; }; } );",
      6, "channels.mbms.service = \"x\" is that of the channel in line 6" },
    { HEAD "channels = (\n{ " CHANNEL "\nport2 = 1; } );", 7, "channels.port2 is not an option" },
    { HEAD "channels = ( { " CHANNEL "rekey = 1; } );", 5, "channels.rekey must be a group" },
    { HEAD "channels = ( { " CHANNEL BY_PUSH "} );", 5, "delivers by push: mbms.push_listen is missing" },
    { HEAD "channels = ( { " CHANNEL "rekey = {\ndeadline_ms = 33000; }; } );", 6,
      "channels.rekey.deadline_ms = 33000 is out of bounds; it goes from 50 to 32000 ms" },
    { HEAD "channels = ( { " CHANNEL "source = \"239.0.0.1\"; } );", 5, "must be a unicast address" },
    { HEAD "channels = ( { " CHANNEL "source = \"::1\"; } );", 5, "of the same family" },
    { HEAD "channels = ( { " CHANNEL "floor_port = 4000; } );", 5, "must differ" },
    { HEAD "channels = ( { id = \"a b\"; group = \"sip:g@x.example\"; } );", 5,
      "channels.id = \"a b\" must be letters" },
    { HEAD "channels = ( { id = \"\"; } );", 5, "channels.id must not be empty" },
    { HEAD "channels = ( { id = \"a\"; group = \"tel:1\"; } );", 5, "must be a SIP URI" },
    { HEAD
      "channels = ( { id = \"a\"; group = \"sip:g@x.example\"; address = \"10.0.0.1\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; } );",
      5, "is not a multicast address" },
    { HEAD
      "channels = ( { id = \"a\"; group = \"sip:g@x.example\"; address = \"232.0.0.1\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; } );",
      5, "channels.source is missing" },
    { HEAD
      "channels = ( { id = \"a\"; group = \"sip:g@x.example\"; address = \"ff3e::8000:1\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; } );",
      5, "channels.source is missing" },
    { HEAD
      "channels = ( { id = \"a\"; group = \"sip:g@x.example\"; address = \"239.1.1.1\"; port = 4001; key_domain_id = \"00f110\"; key_group = 1; } );",
      5, "must be even" },
    { HEAD
      "channels = ( { id = \"a\"; group = \"sip:g@x.example\"; address = \"239.1.1.1\"; port = 4000; key_domain_id = \"00f11\"; key_group = 1; } );",
      5, "channels.key_domain_id must be 6 hex digits" },
    { HEAD "channels = ( { " CHANNEL "},\n{ " CHANNEL "} );", 6, "channels.id = \"a\" stands already in line 5" },
    { HEAD
      "channels = ( { " CHANNEL
      "},\n{ id = \"c\"; group = \"sip:g@X.example\"; address = \"239.9.9.9\"; port = 4000; key_domain_id = \"00f110\"; key_group = 3; } );",
      6, "has a channel already in line 5" },
    { HEAD
      "channels = ( { " CHANNEL
      "},\n{ id = \"c\"; group = \"sip:i@x.example\"; address = \"239.9.9.9\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; } );",
      6, "channels.key_group = 1 is taken in line 5" },
    { HEAD
      "channels = ( { " CHANNEL
      "},\n{ id = \"c\"; group = \"sip:i@x.example\"; address = \"239.1.2.3\"; port = 4002; key_domain_id = \"00f110\"; key_group = 3; } );",
      6, "shares address and port" },
    { HEAD "mcx = { musik = ( { " MUSIK "} ); };", 5, "mcx.psi is missing" },
    { HEAD MCX_HEAD "musik = { }; };", 5, "mcx.musik must be a list of groups" },
    { HEAD MCX_HEAD "musik = ( { id = \"m\"; } ); };", 5, "mcx.musik.address is missing" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "key_group = 1; } ); };", 5, "mcx.musik.key_group is not an option" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "rekey = { delivery = [ \"push\" ]; }; } ); };", 5,
      "mcx.musik.rekey.delivery is not an option" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "rekey = {\non_expulsion = \"never\"; }; } ); };", 6,
      "an expulsion always rekeys" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "service = \"mcdata\"; } ); };", 5,
      "mcx.musik.service must be one of \"mcptt\", \"mcvideo\"" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "tmgi = \"01\"; } ); };", 5, "must be 12 hex digits" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "areas = [ \"0001\" ]; } ); };", 5, "mcx.musik.tmgi is missing" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "areas = [ \"1\" ]; } ); };", 5, "must be 4 hex digits" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "groups = [ \"sip:a b\" ]; } ); };", 5, "without spaces" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "admit = \"listed\"; } ); };", 5, "nobody would get the MuSiK" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "users = [ \"sip:a@x\" ]; } ); };", 5, "bind nobody" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "lifetime_s = 60; rekey = { interval_s = 60; }; } ); };", 5,
      "must be longer than rekey.interval_s" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "floor_port = 5000; } ); };", 5, "mcx.musik.port, floor_port of" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "feed = { listen = \"udp:127.0.0.1:1\"; }; } ); };", 5,
      "mcx.musik.feed.source of \"m\" is empty" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "},\n{ " MUSIK_B "} ); };", 6, "the default MuSiK stands already in line 5" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "groups = [ \"sip:g@x\" ]; },\n{ " MUSIK_B "groups = [ \"sip:g@x\" ]; } ); };",
      6, "has a MuSiK already in line 5" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "tmgi = \"000000000001\"; },\n{ " MUSIK_B "tmgi = \"000000000001\"; } ); };",
      6, "is that of line 5" },
    { HEAD MCX_HEAD "musik = ( { " MUSIK "} ); };\nchannels = ( { id = \"m\"; group = \"sip:g@x.example\"; address = "
                    "\"239.1.2.3\"; port = 4000; key_domain_id = \"00f110\"; key_group = 1; } );",
      5, "mcx.musik.id = \"m\" stands already in line 6" },
    { HEAD MCX_HEAD "expires_s = 1; };", 5, "mcx.expires_s = 1 is out of bounds" },
    { HEAD MCX_CLIENT "kms_url = \"http://kms.example/k\"; };", 5, "http: only of 127.0.0.1" },
    { HEAD MCX_CLIENT "kms_url = \"http://127.0.0.1.evil.example/k\"; };", 5, "http: only of 127.0.0.1" },
    { HEAD MCX_CLIENT "kms_url = \"https://kms.example/k/\"; };", 5, "without a slash at its end" },
    { HEAD MCX_CLIENT "kms_listen = [ \"kms.example:80\" ]; };", 5, "must be \"ADDRESS:PORT\"" },
    { HEAD MCX_CLIENT "kms_token = \"x\"; };", 5, "mcx.kms_token is not an option" },
    { HEAD "sip = { };", 5, "duplicate setting name" },
    { HEAD "limits = {", 5, "syntax error" },
};

/* Contract, section 8: file, line and reason; nothing of the file is used. */
static void every_bad_file_is_refused_with_file_line_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < POC_COUNT(bad_cases); i++) {
        config *c = (config *)1;
        char why[CONFIG_WHY_MAX], place[32];
        (void)snprintf(place, sizeof(place), "conf/x.cfg:%d: ", bad_cases[i].line);
        assert_int_equal(config_parse(&c, bad_cases[i].text, "conf/x.cfg", why), POC_E_INPUT);
        assert_null(c);
        if (strncmp(why, place, strlen(place)) != 0 || strstr(why, bad_cases[i].says) == NULL)
            fail_msg("case %zu: wanted \"%s...%s\", got \"%s\"", i, place, bad_cases[i].says, why);
    }
}

/* POC-10: no configuration switches it off. */
static void rekey_on_expulsion_cannot_be_configured_in_any_spelling(void **state)
{
    (void)state;
    static const char *const spellings[] = { "on_expel", "on_expulsion", "On_Expel", "expel", "rekey_expelled" };
    static const char *const places[] = { HEAD "channels = ( { " CHANNEL "rekey = {\n%s = false; }; } );",
                                          HEAD "channels = ( { " CHANNEL "\n%s = false; } );", HEAD "\n%s = false;" };
    for (size_t p = 0; p < POC_COUNT(places); p++)
        for (size_t i = 0; i < POC_COUNT(spellings); i++) {
            char text[2048], why[CONFIG_WHY_MAX];
            config *c;
            const char *cut = strstr(places[p], "%s");
            (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(cut - places[p]), places[p], spellings[i], cut + 2);
            assert_int_equal(config_parse(&c, text, "x.cfg", why), POC_E_INPUT);
            assert_memory_equal(why, "x.cfg:6: ", 9);
            assert_non_null(strstr(why, "an expulsion always rekeys, the option does not exist"));
        }
}

/* Of no single line: the reason names the options. */
static const struct {
    const char *text, *says;
} misfits[] = {
    { HEAD "mbms = { key_management_listen = [ \"127.0.0.1:0\" ]; };", "mbms.push_listen is missing" },
    { HEAD "mbms = { push_address = \"sip-contact\"; };", "mbms.push_listen is missing" },
    { HEAD "mbms = { push_listen = [ \"127.0.0.1:0\", \"127.0.0.2:0\" ]; };", "not two of one family" },
    { HEAD "mbms = { tls_key = \"k\"; };", "go together: one of them is missing" },
    { HEAD "mbms = { retransmission_ms = 9000; };", "is less than mbms.retransmission_ms = 9000" },
    { HEAD "bcast = { interface = \"nosuchif0\"; };",
      "bcast.interface = \"nosuchif0\": there is no such network interface" },
    { HEAD MCX_CLIENT "};", "mcx.kms_url is missing" },
    { HEAD MCX_CLIENT "kms_url = \"https://k/v1\"; };", "mcx.kms_uri is missing" },
    { HEAD MCX_CLIENT "kms_url = \"https://k/v1\"; kms_uri = \"k\"; kms_listen = [ \"127.0.0.1:0\" ]; };",
      "is that of the embedded KMS" },
    { HEAD "mcx = { psi = \"sip:a@b\"; kms = \"embedded\"; users = \"u\"; };", "mcx.kms_secrets is missing" },
    { HEAD MCX_HEAD "kms_listen = [ \"192.0.2.1:0\" ]; };", "would show keys to the network" },
    { HEAD MCX_HEAD "kms_tls_key = \"k\"; };", "go together: one of them is missing" },
    { HEAD MCX_HEAD "identities = [ \"a\", \"a\" ]; };", "has \"a\" twice" },
    { HEAD MCX_HEAD "token_issuer = \"x\"; };", "say nothing without mcx.token_key" },
    { HEAD "mcx = { psi = \"sip:a@b\"; kms = \"embedded\"; kms_secrets = \"k\"; };", "nobody could be authorised" },
    { HEAD MCX_HEAD "forced_algorithm = \"aes-256-gcm\"; };", "is not among mcx.algorithms" },
    { HEAD MCX_HEAD "expires_s = 60; expires_min_s = 61; };", "is more than mcx.expires_s" },
};

static void options_that_must_fit_each_other_are_checked_together(void **state)
{
    (void)state;
    config *c;
    char why[CONFIG_WHY_MAX];
    const char *short_timer =
        "sip = { listen = [\"udp:127.0.0.1:5060\"]; domain = \"pf.example\"; next_hop = \"sip:10.0.0.1\"; "
        "session_expires_s = 30; }; gba = { naf_fqdn = \"pf.example\"; subscribers = \"s\"; };"
        "media = { address = \"127.0.0.1\"; }; store = { path = \"a\"; key_file = \"k\"; };";
    assert_int_equal(config_parse(&c, short_timer, "x", why), POC_E_INPUT);
    assert_non_null(strstr(why, "session_expires_s = 30"));
    assert_int_equal(
        config_parse(&c, HEAD "limits = { channels_max = 1; }; channels = ( { " CHANNEL "}, { " CHANNEL_B "} );", "x",
                     why),
        POC_E_INPUT);
    assert_non_null(strstr(why, "limits.channels_max"));
    for (size_t i = 0; i < POC_COUNT(misfits); i++) {
        assert_int_equal(config_parse(&c, misfits[i].text, "x", why), POC_E_INPUT);
        if (strstr(why, misfits[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", why, misfits[i].says);
    }
}

static void the_files_we_ship_load(void **state)
{
    (void)state;
    static const char *const files[] = { POC_SOURCE_DIR "/config/demo.cfg", POC_SOURCE_DIR "/config/mcx.cfg",
                                         POC_SOURCE_DIR "/config/pocpfd.cfg" };
    for (size_t i = 0; i < POC_COUNT(files); i++) {
        config *c;
        char why[CONFIG_WHY_MAX];
        if (config_load(&c, files[i], why) != POC_OK)
            fail_msg("%s", why);
        config_free(c);
    }
}

/* The value of a default as config/pocpfd.cfg has to show it: `name = value;` in a comment or as a setting. */
static bool shows_option(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = text; (p = strstr(p, name)) != NULL; p += n)
        if ((p == text || strchr(" \n#", p[-1]) != NULL) && strncmp(p + n, " = ", 3) == 0)
            return true;
    return false;
}

static char *text_of(const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        fail_msg("%s cannot be read", path);
    char *text = (char *)calloc(1, 262144);
    assert_true(fread(text, 1, 262143, f) > 0);
    (void)fclose(f);
    return text;
}

static void the_commented_default_shows_every_option(void **state)
{
    (void)state;
    char *text = text_of(POC_SOURCE_DIR "/config/pocpfd.cfg");
    for (size_t i = 0; i < option_count; i++)
        if (options[i].need != OPTION_NOT_BUILT && !shows_option(text, options[i].name))
            fail_msg("config/pocpfd.cfg does not show %s.%s", options[i].group, options[i].name);
    free(text);
}

static void the_option_document_is_what_the_table_says(void **state)
{
    (void)state;
    char *now = NULL;
    size_t n;
    FILE *out = open_memstream(&now, &n);
    options_print(out);
    (void)fclose(out);
    char *committed = text_of(POC_SOURCE_DIR "/docs/options.md");
    if (strcmp(now, committed) != 0)
        fail_msg("docs/options.md is old: pocpfd --print-options >docs/options.md");
    free(committed);
    free(now);
}

static void every_row_has_what_its_type_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const option *o = &options[i];
        bool found = false;
        for (size_t g = 0; g < option_group_count; g++)
            found |= strcmp(option_groups[g].name, o->group) == 0;
        assert_true(found);
        assert_ptr_equal(option_find(o->group, o->name), o);
        if (o->type == OPTION_NUMBER && o->need == OPTION_OPTIONAL) {
            long preset = strtol(o->preset, NULL, 10);
            assert_true(preset >= o->min && preset <= o->max);
        }
        if (o->need == OPTION_NOT_BUILT)
            continue;
        if (o->type == OPTION_WORD || o->type == OPTION_WORDS)
            assert_true((o->words_built & 1u) != 0); /* the default is built in */
        else
            assert_true(o->need == OPTION_MANDATORY || o->type == OPTION_TEXTS || o->preset != NULL);
    }
}

/* ---- subscribers ---- */

static poc_err subscribers_from(const char *text, char why[CONFIG_WHY_MAX])
{
    char path[] = "/tmp/pocpf-subscribers-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    (void)fputs(text, f);
    (void)fclose(f);
    gba_bsf *bsf;
    assert_int_equal(gba_bsf_new(&bsf, poc_span_str("bsf.example"), 3600, &poc_rng_system), POC_OK);
    poc_err err = subscribers_load(bsf, path, why);
    gba_bsf_free(bsf);
    (void)remove(path);
    return err;
}

#define KEYS "k = \"00112233445566778899aabbccddeeff\"; opc = \"ffeeddccbbaa99887766554433221100\"; "

static void subscribers_are_refused_with_a_reason_that_tells_no_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "x = 1;", "a list \"subscribers\" is missing" },
        { "subscribers = ( 1 );", "must be a list of groups" },
        { "subscribers = ( { " KEYS "impus = [\"sip:a@b\"]; } );", "subscribers.impi must be" },
        { "subscribers = ( { impi = \"a\"; " KEYS "op = \"00\"; impus = [\"sip:a@b\"]; } );", "either opc or op" },
        { "subscribers = ( { impi = \"a\"; k = \"00112233445566778899aabbccddee\"; opc = \"00\"; } );",
          "subscribers.k must be 32 hex" },
        { "subscribers = ( { impi = \"a\"; " KEYS "} );", "subscribers.impus must be" },
        { "subscribers = ( { impi = \"a\"; " KEYS "impus = [\"x\"]; } );", "is not a SIP URI" },
        { "subscribers = ( { impi = \"a\"; " KEYS "secret = 1; } );", "subscribers.secret is not known" },
        { "subscribers = ( { impi = \"a\"; " KEYS "sqn = \"1\"; impus = [\"sip:a@b\"]; } );",
          "subscribers.sqn must be 12 hex" },
        { "subscribers = ( { impi = \"a\"; " KEYS "impus = [\"sip:a@b\"]; }, { impi = \"a\"; " KEYS
          "impus = [\"sip:a@b\"]; } );",
          "stands in the list already" },
    };
    for (size_t i = 0; i < POC_COUNT(cases); i++) {
        char why[CONFIG_WHY_MAX];
        assert_int_equal(subscribers_from(cases[i].text, why), POC_E_INPUT);
        if (strstr(why, cases[i].says) == NULL)
            fail_msg("wanted \"%s\", got \"%s\"", cases[i].says, why);
        assert_null(strstr(why, "00112233"));
        assert_null(strstr(why, "ffeeddcc"));
    }
}

static void the_subscribers_of_the_demo_load(void **state)
{
    (void)state;
    char why[CONFIG_WHY_MAX];
    gba_bsf *bsf;
    size_t before = poc_secret_live_count();
    assert_int_equal(gba_bsf_new(&bsf, poc_span_str("bsf.example"), 3600, &poc_rng_system), POC_OK);
    if (subscribers_load(bsf, POC_SOURCE_DIR "/config/demo-subscribers.cfg", why) != POC_OK)
        fail_msg("%s", why);
    gba_bsf_free(bsf);
    assert_int_equal(poc_secret_live_count(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_the_default_of_its_row),
        cmocka_unit_test(what_is_written_is_what_is_read),
        cmocka_unit_test(core_may_stand_for_its_clients_when_it_is_named),
        cmocka_unit_test(a_channel_without_group_is_a_service_of_its_own),
        cmocka_unit_test(a_channel_with_group_is_a_service_of_its_session),
        cmocka_unit_test(a_musik_is_a_channel_with_groups_a_bearer_and_people_of_its_own),
        cmocka_unit_test(without_a_public_service_identity_there_are_no_mission_critical_services),
        cmocka_unit_test(an_interface_that_exists_is_taken),
        cmocka_unit_test(relative_paths_count_from_the_folder_of_the_file),
        cmocka_unit_test(every_bad_file_is_refused_with_file_line_and_reason),
        cmocka_unit_test(rekey_on_expulsion_cannot_be_configured_in_any_spelling),
        cmocka_unit_test(options_that_must_fit_each_other_are_checked_together),
        cmocka_unit_test(the_files_we_ship_load),
        cmocka_unit_test(the_commented_default_shows_every_option),
        cmocka_unit_test(the_option_document_is_what_the_table_says),
        cmocka_unit_test(every_row_has_what_its_type_needs),
        cmocka_unit_test(subscribers_are_refused_with_a_reason_that_tells_no_key),
        cmocka_unit_test(the_subscribers_of_the_demo_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
