#include "pf/io/options.h"

#include <string.h>

#include "base/text.h"
#include "pf/io/config.h"

static const char *const words_auth[] = { "digest", "registered", NULL };
static const char *const words_zn[] = { "embedded", "diameter", "nbsp", NULL };
static const char *const words_carrier[] = { "multicast", "mbstf", "mb2", NULL };
static const char *const words_log[] = { "text", "json", NULL };
static const char *const words_leave[] = { "never", "always", "batch", NULL };
static const char *const words_gate[] = { "hold", "continue", NULL };
static const char *const words_refusal[] = { "unicast", "release", NULL };
static const char *const words_delivery[] = { "sip", "push", NULL };
static const char *const words_push_address[] = { "http-src", "sip-contact", NULL };
static const char *const words_kms[] = { "client", "embedded", NULL };
static const char *const words_algorithms[] = { "aes-128-gcm", "aes-256-gcm", "aes-128-cm", NULL };
static const char *const words_forced[] = { "none", "aes-128-gcm", "aes-256-gcm", "aes-128-cm", NULL };
static const char *const words_download[] = { "message", "notify", NULL };
static const char *const words_mcx_service[] = { "mcptt", "mcvideo", NULL };
static const char *const words_mcx_admit[] = { "authorised", "listed", NULL };
static const char *const words_admit[] = { "session", "listed", "authenticated", NULL };

/* ---- forms of texts ---- */

static const char *check_listen(const char *text)
{
    static const char want[] = "\"udp:ADDRESS:PORT\" or \"tcp:ADDRESS:PORT\", IPv6 addresses in brackets";
    struct sockaddr_storage addr;
    if (strncmp(text, "tls:", 4) == 0)
        return "udp: or tcp: (tls: is not built into this version; docs/sip-tls.md has a way)";
    if (strncmp(text, "udp:", 4) != 0 && strncmp(text, "tcp:", 4) != 0)
        return want;
    return config_address(&addr, text + 4) == POC_OK ? NULL : want;
}

static const char *check_socket(const char *text)
{
    struct sockaddr_storage addr;
    return config_address(&addr, text) == POC_OK ? NULL : "\"ADDRESS:PORT\", IPv6 addresses in brackets";
}

static const char *check_address(const char *text)
{
    struct sockaddr_storage addr;
    return poc_addr_parse(&addr, poc_span_str(text), 0) == POC_OK ? NULL : "a numeric IPv4 or IPv6 address";
}

static const char *check_peer(const char *text)
{
    if (check_address(text) == NULL || check_socket(text) == NULL)
        return NULL;
    return "\"ADDRESS\" or \"ADDRESS:PORT\", numeric";
}

static const char *check_host(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    bool fits = text[0] != '\0' && text[0] != '.' && text[strspn(text, letters)] == '\0';
    return fits ? NULL : "a host name in lower case, such as \"pf1.poc.example.org\"";
}

static const char *check_uri(const char *text)
{
    char uri[POC_URI_MAX];
    bool fits = strncmp(text, "sip:", 4) == 0 && poc_uri_canonical(uri, poc_span_str(text)) == POC_OK;
    return fits ? NULL : "a SIP URI, such as \"sip:dispatch@poc.example.org\"";
}

static const char *check_path(const char *text)
{
    bool fits = text[0] == '/' && strpbrk(text, "?# \"\r\n\t") == NULL;
    return fits ? NULL : "the path of a URI, such as \"/keymanagement\"";
}

static const char *check_service(const char *text)
{
    return strpbrk(text, " \r\n\t") == NULL ? NULL : "a URI without white space";
}

/** An identity as it is hashed: every octet counts, so nothing is made canonical. */
static const char *check_entity(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= 0x20 || *c >= 0x7f)
            return "an identity of printable ASCII without spaces, such as \"sip:mcptt@mcx.example.org\"";
    return strlen(text) < POC_URI_MAX ? NULL : "an identity of at most 255 octets";
}

static const char *check_scope(const char *text)
{
    return text[0] != '\0' && check_entity(text) == NULL ? NULL : "a scope, such as \"3gpp:mc:ptt_service\"";
}

static const char *check_kms_url(const char *text)
{
    static const char want[] =
        "\"https://HOST[:PORT]/PATH\" without a slash at its end; http: only of 127.0.0.1 or [::1], "
        "since the keys in its answers are protected by nothing else";
    const bool is_near = strncmp(text, "http://127.0.0.1", 16) == 0 || strncmp(text, "http://[::1]", 12) == 0;
    const char after = is_near ? text[text[7] == '[' ? 12 : 16] : '\0';
    const bool is_safe = strncmp(text, "https://", 8) == 0 || after == ':' || after == '/';
    const size_t n = strlen(text);
    return is_safe && n > 8 && text[n - 1] != '/' && strpbrk(text, "?#@ \"\r\n\t") == NULL ? NULL : want;
}

static const char *check_tmgi(const char *text)
{
    uint8_t octets[CONFIG_TMGI_LEN];
    return poc_hex_get_exact(octets, sizeof(octets), poc_span_str(text)) == POC_OK ? NULL : "12 hex digits";
}

static const char *check_area(const char *text)
{
    uint8_t octets[2];
    return poc_hex_get_exact(octets, sizeof(octets), poc_span_str(text)) == POC_OK ? NULL : "4 hex digits";
}

static const char *check_udp(const char *text)
{
    struct sockaddr_storage addr;
    bool fits = strncmp(text, "udp:", 4) == 0 && config_address(&addr, text + 4) == POC_OK;
    return fits ? NULL : "\"udp:ADDRESS:PORT\", IPv6 addresses in brackets";
}

/** Sofia finds out about a transport that nobody listens on when the first request is to be sent. */
static bool is_spoken(poc_span transport)
{
    return poc_span_eq_nocase(transport, "udp") || poc_span_eq_nocase(transport, "tcp");
}

static const char *check_hop(const char *text)
{
    static const char param[] = "transport=";
    const size_t n = sizeof(param) - 1;
    poc_span rest = poc_span_str(text);
    if (strncmp(text, "sip:", 4) != 0 || text[4] == '\0' || strpbrk(text, " <>\"\r\n") != NULL)
        return "a SIP URI, such as \"sip:127.0.0.1:5070;transport=tcp\"";
    while (rest.n > 0) {
        const poc_span part = poc_split(&rest, ';');
        if (part.n >= n && poc_span_eq_nocase(poc_span_of(part.p, n), param) &&
            !is_spoken(poc_span_of(part.p + n, part.n - n)))
            return "reached by UDP or TCP (TLS is not built into this version; docs/sip-tls.md has a way)";
    }
    return NULL;
}

static const char *check_id(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    bool fits = text[0] != '\0' && text[strspn(text, letters)] == '\0';
    return fits ? NULL : "letters, digits, '-', '_' and '.'";
}

/* ---- the table ---- */

const option_group option_groups[] = {
    { "sip", "The SIP side: where clients and the PoC core reach the PF, and where it sends." },
    { "gba", "How clients prove who they are, and where the PF gets their keys." },
    { "mikey", "What MSK messages look like where the specifications leave a choice." },
    { "mbms", "MSK delivery by HTTP request and UDP push (TS 33.246)." },
    { "media", "The media relay." },
    { "bcast", "The BCAST enabler: what puts the one protected copy on air." },
    { "store", "What survives a restart." },
    { "channels", "A list with one element for each Multicast PoC Channel." },
    { "channels.rekey",
      "When the MSK of a channel changes. An expulsion always changes it; there is no option for that." },
    { "channels.mbms", "The channel as an MBMS user service: who may register for it over HTTP." },
    { "channels.feed",
      "Where the clear media of a channel without a PoC session comes from. Clear: keep it on a network of your own." },
    { "mcx",
      "Mission critical services (TS 33.180): client-server keys (CSK), multicast signalling keys (MuSiK), and the KMS "
      "that both need." },
    { "mcx.musik", "A list with one element for each MuSiK: the default one, those of groups, those of regions." },
    { "mcx.musik.rekey", "When a MuSiK changes. An expulsion always changes it; there is no option for that." },
    { "mcx.musik.feed",
      "Where the packets that go on air under a MuSiK come from: floor control in clear, media as its clients protect it." },
    { "log", "Lines on standard error." },
    { "admin", "The operator's door: HTTP and JSON for pocpfctl, see docs/admin.md." },
    { "limits", "What bounds memory and work." },
};
const size_t option_group_count = POC_COUNT(option_groups);

#define TOP(field)     offsetof(config, field)
#define CHANNEL(field) offsetof(config_channel, field)

/* One row an option. The macros only name the columns that a type needs. */
#define FLAG(group, name, preset, at, says)                                                  \
    {                                                                                        \
        group, name, OPTION_BOOL, OPTION_OPTIONAL, "", preset, 0, 0, NULL, 0, NULL, at, says \
    }
#define NUMBER(group, name, unit, preset, min, max, at, says)                                        \
    {                                                                                                \
        group, name, OPTION_NUMBER, OPTION_OPTIONAL, unit, preset, min, max, NULL, 0, NULL, at, says \
    }
#define NUMBER_NEEDED(group, name, unit, min, max, at, says)                                        \
    {                                                                                               \
        group, name, OPTION_NUMBER, OPTION_MANDATORY, unit, NULL, min, max, NULL, 0, NULL, at, says \
    }
#define TEXT(group, name, preset, max, check, at, says)                                         \
    {                                                                                           \
        group, name, OPTION_TEXT, OPTION_OPTIONAL, "", preset, 0, max, NULL, 0, check, at, says \
    }
#define TEXT_NEEDED(group, name, max, check, at, says)                                         \
    {                                                                                          \
        group, name, OPTION_TEXT, OPTION_MANDATORY, "", NULL, 1, max, NULL, 0, check, at, says \
    }
#define PATH(group, name, need, at, says)                                                                          \
    {                                                                                                              \
        group, name, OPTION_FILE, need, "", need == OPTION_MANDATORY ? NULL : "", 0, 4000, NULL, 0, NULL, at, says \
    }
#define TEXTS(group, name, need, min, max, check, at, says)                           \
    {                                                                                 \
        group, name, OPTION_TEXTS, need, "", NULL, min, max, NULL, 0, check, at, says \
    }
#define WORD(group, name, words, built, at, says)                                               \
    {                                                                                           \
        group, name, OPTION_WORD, OPTION_OPTIONAL, "", NULL, 0, 0, words, built, NULL, at, says \
    }
/* A word whose default depends on other options: the sentence says how. */
#define WORD_OPEN(group, name, words, built, at, says)                                        \
    {                                                                                         \
        group, name, OPTION_WORD, OPTION_OPTIONAL, "", "", 0, 0, words, built, NULL, at, says \
    }
#define WORDS(group, name, words, built, at, says)                                               \
    {                                                                                            \
        group, name, OPTION_WORDS, OPTION_OPTIONAL, "", NULL, 0, 0, words, built, NULL, at, says \
    }
#define HEX(group, name, need, preset, octets, at, says)                                   \
    {                                                                                      \
        group, name, OPTION_HEX, need, "", preset, octets, octets, NULL, 0, NULL, at, says \
    }
#define ABSENT(group, name, type, says)                                                          \
    {                                                                                            \
        group, name, type, OPTION_NOT_BUILT, "", NULL, 0, 0, NULL, 0, NULL, TOP(not_built), says \
    }

/* clang-format off */
const option options[] = {
    TEXTS("sip", "listen", OPTION_MANDATORY, 1, 16, check_listen, TOP(sip.listen),
          "Addresses on which the PF takes SIP, each \"udp:ADDRESS:PORT\" or \"tcp:ADDRESS:PORT\"."),
    TEXT_NEEDED("sip", "domain", 253, check_host, TOP(sip.domain),
          "The PF's own host name in From, Contact and Server."),
    TEXT_NEEDED("sip", "next_hop", 255, check_hop, TOP(sip.next_hop),
          "SIP URI to which requests towards the Controlling Function go."),
    TEXTS("sip", "trusted_peers", OPTION_OPTIONAL, 0, 64, check_peer, TOP(sip.trusted_peers),
          "Peers whose requests need no digest: the Controlling Function and the core. With a port, address and port must both be the peer's."),
    NUMBER("sip", "session_expires_s", "s", "1800", 0, 86400, TOP(sip.session_expires_s),
          "Session timer (RFC 4028) on both legs; 0 switches it off, otherwise at least 90."),
    NUMBER("sip", "tcp_idle_s", "s", "1200", 0, 86400, TOP(sip.tcp_idle_s),
          "A TCP connection that a client has made is closed when no octet has come or gone for so long, keep-alives "
          "included. Addresses of trusted_peers are let be. 0: never."),
    FLAG("sip", "strict_identities", "true", TOP(sip.strict_identities),
          "A bootstrapped user whose BSF names no SIP identities may act as nobody."),
    ABSENT("sip", "tls_certificate", OPTION_FILE, "Would be the certificate chain of tls: listeners; sip-tls.md says why there are none."),
    ABSENT("sip", "tls_key", OPTION_FILE, "Would be the private key of tls: listeners."),

    TEXT_NEEDED("gba", "naf_fqdn", 253, check_host, TOP(gba.naf_fqdn),
          "The PF's name as NAF: part of the digest realm and of every key."),
    HEX("gba", "ua_security_protocol_id", OPTION_OPTIONAL, "0100000001", 5, TOP(gba.ua_security_protocol_id),
          "The Ua security protocol identifier in NAF_Id; the default is that of MBMS (TS 33.220 Annex H)."),
    WORD("gba", "sip_auth", words_auth, 1u << CONFIG_AUTH_DIGEST | 1u << CONFIG_AUTH_REGISTERED,
         TOP(gba.sip_auth),
          "Who authenticates clients: the PF with the GBA realm, or a trusted core that asserts who they are. With the core, "
          "B-TIDs become known by an HTTP registration (mbms.key_management_listen); before it a member stays on unicast."),
    WORD("gba", "zn", words_zn, 1u << CONFIG_ZN_EMBEDDED, TOP(gba.zn),
          "Where the keys of a B-TID come from: the BSF inside this process, or an outer one."),
    FLAG("gba", "uicc_keys", "false", TOP(gba.uicc_keys),
          "Challenge with the realm of GBA_U, and use Ks_int_NAF as MUK."),
    NUMBER("gba", "nonce_lifetime_s", "s", "300", 10, 86400, TOP(gba.nonce_lifetime_s),
          "How long a digest nonce of the PF may be used."),
    TEXT("gba", "bsf_fqdn", "", 253, check_host, TOP(gba.bsf_fqdn),
          "Name of the embedded BSF in realm and B-TID; empty: the same as naf_fqdn."),
    PATH("gba", "subscribers", OPTION_OPTIONAL, TOP(gba.subscribers),
          "The embedded BSF's subscribers: a libconfig file with a list \"subscribers\" (impi, k, opc or op, amf, sqn, impus)."),
    TEXT("gba", "ub_listen", "127.0.0.1:8080", 64, check_socket, TOP(gba.ub_listen),
          "Where the embedded BSF takes bootstrapping requests (Ub, HTTP)."),
    NUMBER("gba", "key_lifetime_s", "s", "86400", 60, 2592000, TOP(gba.key_lifetime_s),
          "Life of a bootstrapped key of the embedded BSF."),

    FLAG("mikey", "require_verification", "true", TOP(mikey.require_verification),
          "Set the V flag: a member counts as confirmed only by a valid MIKEY verification message."),
    FLAG("mikey", "accept_ts64", "false", TOP(mikey.accept_ts64),
          "Also accept verification MACs over the counter padded to 64 bits."),
    FLAG("mikey", "idi_fqdn", "false", TOP(mikey.idi_fqdn),
          "IDi is the bare NAF host name as NAI, not the NAF_Id as URI."),
    FLAG("mikey", "sdp_ids", "true", TOP(mikey.sdp_ids),
          "Put the list of offered key management protocols into MSK messages (RFC 4567, 7)."),

    TEXTS("mbms", "key_management_listen", OPTION_OPTIONAL, 0, 8, check_socket, TOP(mbms.key_management_listen),
          "Where registrations and MSK requests are taken (HTTP, or HTTPS with tls_certificate); empty: nowhere."),
    TEXT("mbms", "path", "/keymanagement", 128, check_path, TOP(mbms.path),
          "Path of the key management server, as the service announcement names it."),
    PATH("mbms", "tls_certificate", OPTION_OPTIONAL, TOP(mbms.tls_certificate),
          "Certificate chain (PEM) of key_management_listen; read again by a reload. Empty: plain HTTP."),
    PATH("mbms", "tls_key", OPTION_OPTIONAL, TOP(mbms.tls_key),
          "Private key (PEM) that belongs to tls_certificate."),
    TEXTS("mbms", "push_listen", OPTION_OPTIONAL, 0, 2, check_socket, TOP(mbms.push_listen),
          "Where MSK messages are pushed from, and confirmed to: one UDP address for each family."),
    NUMBER("mbms", "push_port", "", "2269", 1, 65535, TOP(mbms.push_port),
          "UDP port of a client to which MSK messages are pushed."),
    WORD("mbms", "push_address", words_push_address, 3, TOP(mbms.push_address),
          "Where a client is pushed to: the address that his registration comes from, or, also before he registers, that of his SIP Contact."),
    NUMBER("mbms", "push_tries", "", "5", 1, 16, TOP(mbms.push_tries),
          "How often an MSK message is pushed; then the member is stale and has to ask."),
    NUMBER("mbms", "retransmission_ms", "ms", "1000", 100, 60000, TOP(mbms.retransmission_ms),
          "Time after which a pushed message that nobody confirmed is sent again; doubled each time."),
    NUMBER("mbms", "retransmission_cap_ms", "ms", "8000", 100, 600000, TOP(mbms.retransmission_cap_ms),
          "Longest such time."),
    NUMBER("mbms", "solicit_per_s", "1/s", "100", 1, 10000, TOP(mbms.solicit_per_s),
          "Members per second who are asked to pull: they all come back with a request."),
    NUMBER("mbms", "muk_renew_s", "s", "300", 1, 86400, TOP(mbms.muk_renew_s),
          "A MUK that ends so soon is renewed: its owner is asked to pull, and told to bootstrap again when he comes."),
    NUMBER("mbms", "requests_per_source_s", "1/s", "50", 0, 100000, TOP(mbms.requests_per_source_s),
          "HTTP requests per second from one address; 0: no bound."),
    NUMBER("mbms", "requests_per_btid_s", "1/s", "10", 0, 100000, TOP(mbms.requests_per_btid_s),
          "Authentic requests per second of one B-TID; 0: no bound."),
    NUMBER("mbms", "refused_per_source_s", "1/s", "20", 0, 100000, TOP(mbms.refused_per_source_s),
          "Datagrams per second from one address and port that may confirm nothing, before it is ignored until the next second; 0: no bound."),
    NUMBER("mbms", "connections_max", "", "1024", 1, 10000, TOP(mbms.connections_max),
          "HTTP connections to each address of key_management_listen."),
    NUMBER("mbms", "connections_per_source", "", "64", 1, 10000, TOP(mbms.connections_per_source),
          "The same from one address."),
    NUMBER("mbms", "back_off_ms", "ms", "10000", 0, 3600000, TOP(mbms.back_off_ms),
          "Time over which clients that missed a key update spread their requests: the service description tells them."),
    FLAG("mbms", "qop_auth", "true", TOP(mbms.qop_auth),
          "Offer the digest without integrity of the body (qop auth) beside auth-int, for clients that know no other."),

    TEXT_NEEDED("media", "address", 64, check_address, TOP(media.address),
          "The PF's own media address, towards clients and Controlling Function alike."),
    NUMBER("media", "port_min", "", "20000", 1024, 65534, TOP(media.port_min),
          "First UDP port of the relay; a session takes four even ports."),
    NUMBER("media", "port_max", "", "59998", 1024, 65534, TOP(media.port_max),
          "Last UDP port of the relay."),
    NUMBER("media", "feed_silence_ms", "ms", "400", 40, 10000, TOP(media.feed_silence_ms),
          "After so much silence another talker's packets become the channel's feed even without a floor message."),

    WORD("bcast", "carrier", words_carrier, 1u << CONFIG_CARRIER_MULTICAST, TOP(bcast.carrier),
          "What carries the protected packets: IP multicast, a 5G MBSTF, or an LTE BM-SC over MB2."),
    TEXT("bcast", "interface", "", 15, NULL, TOP(bcast.interface),
          "Network interface that multicast leaves by; empty: that of the channel's source address, or the route's."),
    NUMBER("bcast", "stkm_active_ms", "ms", "1000", 20, 60000, TOP(bcast.stkm_active_ms),
          "Repetition of the STKM while media or floor packets flow: how long a late joiner waits at most."),
    NUMBER("bcast", "stkm_idle_ms", "ms", "5000", 20, 600000, TOP(bcast.stkm_idle_ms),
          "Repetition of the STKM otherwise."),
    NUMBER("bcast", "stkm_burst", "", "3", 1, 16, TOP(bcast.stkm_burst),
          "Copies of a new STKM sent at once."),
    NUMBER("bcast", "stkm_burst_ms", "ms", "20", 1, 1000, TOP(bcast.stkm_burst_ms),
          "Time between these copies."),
    NUMBER("bcast", "stkm_lead_ms", "ms", "1000", 0, 60000, TOP(bcast.stkm_lead_ms),
          "A routine MTK change is announced so long before first use; a rekey never waits."),
    NUMBER("bcast", "mtk_packets_max", "packets", "0", 0, 4294967295, TOP(bcast.mtk_packets_max),
          "A new MTK at the latest after so many packets; 0: the built-in bound."),
    NUMBER("bcast", "hold_packets_max", "packets", "0", 0, 65536, TOP(bcast.hold_packets_max),
          "Packets kept while the gate holds; 0: the built-in bound."),

    { "store", "path", OPTION_FILE, OPTION_MANDATORY, "", NULL, 1, 4000, NULL, 0, NULL, TOP(store.path),
      "The SQLite file that holds members, counters and sealed keys; made when absent." },
    { "store", "key_file", OPTION_FILE, OPTION_MANDATORY, "", NULL, 1, 4000, NULL, 0, NULL, TOP(store.key_file),
      "32 octets in hex that seal secrets in the store; made with mode 0600 when absent. Without it the store cannot be read." },

    TEXT_NEEDED("channels", "id", 63, check_id, CHANNEL(id),
          "Name of the channel in logs and commands."),
    TEXT("channels", "group", "", 255, check_uri, CHANNEL(group),
          "SIP URI of the PoC group or session that the channel carries. Empty: a pure MBMS user service, whose rekey.delivery must have \"push\"."),
    TEXT_NEEDED("channels", "address", 64, check_address, CHANNEL(address),
          "Multicast address of the channel, IPv4 or IPv6."),
    NUMBER_NEEDED("channels", "port", "", 1024, 65534, CHANNEL(port),
          "UDP port of the media flow, even."),
    NUMBER("channels", "floor_port", "", "0", 0, 65534, CHANNEL(floor_port),
          "UDP port of the floor flow; 0: port + 2."),
    NUMBER("channels", "stkm_port", "", "0", 0, 65534, CHANNEL(stkm_port),
          "UDP port of the STKM flow; 0: port + 4."),
    NUMBER("channels", "ttl", "hops", "1", 0, 255, CHANNEL(ttl),
          "Time to live (hop limit) of the multicast packets."),
    TEXT("channels", "source", "", 64, check_address, CHANNEL(source),
          "Address the packets are sent from; mandatory for a source-specific group."),
    HEX("channels", "key_domain_id", OPTION_MANDATORY, NULL, 3, CHANNEL(key_domain_id),
          "Key Domain ID, six hex digits: MCC and MNC as TS 33.246 packs them."),
    NUMBER_NEEDED("channels", "key_group", "", 1, 65535, CHANNEL(key_group),
          "Key Group part of the MSK IDs, unique within the key domain."),

    WORD("channels.rekey", "on_leave", words_leave, 7, CHANNEL(rekey.on_leave),
          "Whether a member who leaves changes the MSK: never, always at once, or once for all who leave within leave_batch_ms."),
    NUMBER("channels.rekey", "leave_batch_ms", "ms", "10000", 0, 3600000, CHANNEL(rekey.leave_batch_ms),
          "Length of a batch."),
    FLAG("channels.rekey", "on_join", "false", CHANNEL(rekey.on_join),
          "A member who joins changes the MSK, so that he cannot open what was recorded earlier."),
    NUMBER("channels.rekey", "interval_s", "s", "0", 0, 31536000, CHANNEL(rekey.interval_s),
          "Longest life of an MSK; 0: no bound by age."),
    NUMBER("channels.rekey", "max_mtk", "", "0", 0, 65535, CHANNEL(rekey.max_mtk),
          "A new MSK after so many MTKs; 0: only before their ids run out."),
    NUMBER("channels.rekey", "deadline_ms", "ms", "2000", 50, 32000, CHANNEL(rekey.deadline_ms),
          "The switch comes at the latest so long after its cause, whoever has answered by then."),
    WORD("channels.rekey", "gate", words_gate, 3, CHANNEL(rekey.gate),
          "Media between an expulsion and the switch: held back, or going on readable by the expelled client."),
    WORD("channels.rekey", "on_refusal", words_refusal, 3, CHANNEL(rekey.on_refusal),
          "A member who refuses the offer goes on by unicast, or his session is ended."),
    WORDS("channels.rekey", "delivery", words_delivery, 3, CHANNEL(rekey.delivery),
          "How a new MSK reaches members who can be reached in more than one way: by SIP, by UDP push, or by both at once."),

    TEXT("channels.mbms", "service", "", 255, check_service, CHANNEL(mbms.service),
          "User service ID that clients register for; empty: the group's SIP URI, without a group urn:pocpf:ID."),
    WORD_OPEN("channels.mbms", "admit", words_admit, 7, CHANNEL(mbms.admit),
          "Who may register: members of the PoC session (the default with a group), those in users (the default without), or everybody who is bootstrapped."),
    TEXTS("channels.mbms", "users", OPTION_OPTIONAL, 0, 100000, check_uri, CHANNEL(mbms.users),
          "SIP URIs that may register, for admit = \"listed\"."),

    TEXT("channels.feed", "listen", "", 64, check_udp, CHANNEL(feed.listen),
          "Where the clear RTP packets are taken, \"udp:ADDRESS:PORT\"; empty: there is no feed."),
    TEXT("channels.feed", "floor_listen", "", 64, check_udp, CHANNEL(feed.floor_listen),
          "The same for floor packets; empty: there are none."),
    TEXTS("channels.feed", "source", OPTION_OPTIONAL, 0, 16, check_peer, CHANNEL(feed.source),
          "Addresses, or addresses and ports, whose packets are taken."),

    TEXT("mcx", "psi", "", 255, check_uri, TOP(mcx.psi),
          "Public service identity: the SIP URI that clients send PUBLISH to and that downloads come from. Empty: no mission critical services, and REGISTER and PUBLISH are refused."),
    TEXTS("mcx", "identities", OPTION_OPTIONAL, 0, 4, check_entity, TOP(mcx.identities),
          "The server's identities as clients encrypt their keys to them, octet by octet: MDSI or public service identity. The first one signs downloads. Empty: psi alone."),
    WORD("mcx", "kms", words_kms, 3, TOP(mcx.kms),
          "Where the keys of these identities come from: a KMS that is asked over HTTP, or one inside this process."),
    TEXT("mcx", "kms_url", "", 1500, check_kms_url, TOP(mcx.kms_url),
          "Root of the KMS, for example \"https://kms.example.org/keymanagement/identity/v1\"; mandatory with kms = \"client\"."),
    TEXT("mcx", "kms_uri", "", 255, check_entity, TOP(mcx.kms_uri),
          "What the KMS calls itself (KmsUri), for example \"kms.example.org\"; mandatory with kms = \"client\". Embedded: what kms_secrets says, and when it is given they must agree."),
    PATH("mcx", "kms_token_file", OPTION_OPTIONAL, TOP(mcx.kms_token_file),
          "A file, readable by its owner only, with one access token for the KMS on each line: one for all identities, or one for each in their order. Read again before every request; empty: none is sent."),
    PATH("mcx", "kms_ca", OPTION_OPTIONAL, TOP(mcx.kms_ca),
          "Certificates (PEM) that vouch for the KMS; empty: those of the system."),
    PATH("mcx", "kms_secrets", OPTION_OPTIONAL, TOP(mcx.kms_secrets),
          "The embedded KMS's master secrets, as pocpfctl mcx kms-init writes them; readable by its owner only. Mandatory with kms = \"embedded\"."),
    TEXTS("mcx", "neighbours", OPTION_OPTIONAL, 0, 8, NULL, TOP(mcx.neighbours),
          "Files with certificates of other KMSs whose users may come, each as such a KMS answers to /init or /certcache. Relative paths count from the folder of the configuration."),
    TEXTS("mcx", "kms_listen", OPTION_OPTIONAL, 0, 8, check_socket, TOP(mcx.kms_listen),
          "Where the embedded KMS gives users their keys (HTTP, or HTTPS with kms_tls_certificate); empty: nowhere."),
    TEXT("mcx", "kms_path", "/keymanagement/identity/v1", 128, check_path, TOP(mcx.kms_path),
          "Root of its resources."),
    PATH("mcx", "kms_tls_certificate", OPTION_OPTIONAL, TOP(mcx.kms_tls_certificate),
          "Certificate chain (PEM) of kms_listen; read again by a reload. Empty: plain HTTP, on loopback only."),
    PATH("mcx", "kms_tls_key", OPTION_OPTIONAL, TOP(mcx.kms_tls_key),
          "Private key (PEM) that belongs to kms_tls_certificate."),
    NUMBER("mcx", "kms_requests_per_source_s", "1/s", "20", 0, 100000, TOP(mcx.kms_requests_per_source_s),
          "Requests per second to kms_listen from one address; 0: no bound."),
    NUMBER("mcx", "kms_connections_max", "", "256", 1, 10000, TOP(mcx.kms_connections_max),
          "HTTP connections to each address of kms_listen."),
    NUMBER("mcx", "kms_connections_per_source", "", "32", 1, 10000, TOP(mcx.kms_connections_per_source),
          "The same from one address."),
    PATH("mcx", "users", OPTION_OPTIONAL, TOP(mcx.users),
          "A libconfig file with a list \"users\" (id, impus, services, token_sha256, needs_token): who is authorised. Empty: whoever shows a token that token_key proves. Read again by a reload."),
    PATH("mcx", "token_key", OPTION_OPTIONAL, TOP(mcx.token_key),
          "Public key (PEM) of the identity management server: access tokens are JWTs signed with RS256 or ES256. Empty: none are taken. Read again by a reload."),
    TEXT("mcx", "token_issuer", "", 255, NULL, TOP(mcx.token_issuer),
          "What \"iss\" of such a token must be; empty: it is not looked at."),
    TEXT("mcx", "token_audience", "", 255, NULL, TOP(mcx.token_audience),
          "What \"aud\" of such a token must be or contain; empty: it is not looked at."),
    TEXTS("mcx", "token_scopes", OPTION_OPTIONAL, 0, 8, check_scope, TOP(mcx.token_scopes),
          "One of these must be in \"scope\" of such a token; empty: it is not looked at, and then an ID token of the same server will do."),
    WORDS("mcx", "algorithms", words_algorithms, 7, TOP(mcx.algorithms),
          "What clients may protect signalling with."),
    WORD("mcx", "forced_algorithm", words_forced, 15, TOP(mcx.forced_algorithm),
          "The one of them that every client shall use: who has selected another is sent a key for it. \"none\": whichever it likes best."),
    NUMBER("mcx", "skew_s", "s", "300", 1, 3600, TOP(mcx.skew_s),
          "How far the time of an uploaded key may be from now."),
    FLAG("mcx", "strict_signature", "false", TOP(mcx.strict_signature),
          "Refuse signatures that old clients make without the header of the signature payload."),
    FLAG("mcx", "refuse_clear", "false", TOP(mcx.refuse_clear),
          "Refuse an access token or client id that is not encrypted under the CSK beside it, and reports about bearers that are not signed under the CSK."),
    WORD("mcx", "download", words_download, 3, TOP(mcx.download),
          "How keys are sent to clients: SIP MESSAGE, or, for clients that want it so, NOTIFY."),
    NUMBER("mcx", "expires_s", "s", "3600", 60, 86400, TOP(mcx.expires_s),
          "Longest life of a service authorisation: clients register or publish again before."),
    NUMBER("mcx", "expires_min_s", "s", "60", 10, 86400, TOP(mcx.expires_min_s),
          "Shortest."),
    NUMBER("mcx", "requests_per_user_s", "1/s", "10", 0, 100000, TOP(mcx.requests_per_user_s),
          "Requests per second of one user, by himself or as a core tells of him, where one that brings several keys to be opened counts for each of them. What is more is answered with 503, but a third-party REGISTER, which goes through without effect. 0: no bound."),

    TEXT_NEEDED("mcx.musik", "id", 63, check_id, CHANNEL(id),
          "Name of the MuSiK in logs and commands; unlike that of any channel."),
    WORD("mcx.musik", "service", words_mcx_service, 3, CHANNEL(musik.service),
          "The service it is for."),
    TEXTS("mcx.musik", "groups", OPTION_OPTIONAL, 0, 16, check_entity, CHANNEL(musik.groups),
          "URIs of the groups it is for; empty: the default MuSiK, or, with tmgi, that of a region."),
    TEXT("mcx.musik", "text", "", 255, NULL, CHANNEL(musik.text),
          "A name that clients are told with the key."),
    TEXT("mcx.musik", "tmgi", "", 12, check_tmgi, CHANNEL(musik.tmgi_text),
          "TMGI of the MBMS bearer that is announced, 12 hex digits. With it and without groups the MuSiK is that of a region: only who says that he listens to this bearer gets it."),
    TEXTS("mcx.musik", "areas", OPTION_OPTIONAL, 0, 64, check_area, CHANNEL(musik.areas),
          "MBMS service area identities of the bearer, each 4 hex digits. Without any it is not announced."),
    NUMBER("mcx.musik", "qci", "", "65", 0, 255, CHANNEL(musik.qci),
          "QCI of the bearer in its announcement; 0: not said."),
    WORD("mcx.musik", "admit", words_mcx_admit, 3, CHANNEL(musik.admit),
          "Who gets it: whoever is authorised for the service, or those in users."),
    TEXTS("mcx.musik", "users", OPTION_OPTIONAL, 0, 100000, check_entity, CHANNEL(musik.users),
          "Mission critical service ids, octet by octet, for admit = \"listed\"."),
    NUMBER("mcx.musik", "lifetime_s", "s", "0", 0, 31536000, CHANNEL(musik.lifetime_s),
          "Clients may use a MuSiK so long; longer than rekey.interval_s. 0: until the next one comes."),
    FLAG("mcx.musik", "revoke", "true", CHANNEL(musik.revoke),
          "After an expulsion the former MuSiK is withdrawn from everybody who stays, by a download that says it is revoked."),
    TEXT_NEEDED("mcx.musik", "address", 64, check_address, CHANNEL(address),
          "Multicast address of the bearer, IPv4 or IPv6."),
    NUMBER_NEEDED("mcx.musik", "port", "", 1024, 65534, CHANNEL(port),
          "UDP port of its media, even."),
    NUMBER("mcx.musik", "floor_port", "", "0", 0, 65534, CHANNEL(floor_port),
          "UDP port of its floor control, and of the messages that map groups to the bearer; 0: port + 2."),
    NUMBER("mcx.musik", "ttl", "hops", "1", 0, 255, CHANNEL(ttl),
          "Time to live (hop limit) of the multicast packets."),
    TEXT("mcx.musik", "source", "", 64, check_address, CHANNEL(source),
          "Address the packets are sent from; mandatory for a source-specific group."),

    WORD("mcx.musik.rekey", "on_leave", words_leave, 7, CHANNEL(rekey.on_leave),
          "Whether somebody who leaves changes the MuSiK: never, always at once, or once for all who leave within leave_batch_ms."),
    NUMBER("mcx.musik.rekey", "leave_batch_ms", "ms", "10000", 0, 3600000, CHANNEL(rekey.leave_batch_ms),
          "Length of a batch."),
    FLAG("mcx.musik.rekey", "on_join", "false", CHANNEL(rekey.on_join),
          "Somebody who joins changes the MuSiK, so that he cannot open what was recorded earlier."),
    NUMBER("mcx.musik.rekey", "interval_s", "s", "0", 0, 31536000, CHANNEL(rekey.interval_s),
          "Longest life of a MuSiK; 0: no bound by age."),
    NUMBER("mcx.musik.rekey", "deadline_ms", "ms", "2000", 50, 32000, CHANNEL(rekey.deadline_ms),
          "The switch comes at the latest so long after its cause, whoever has answered by then: the time that clients are told for activation."),
    WORD("mcx.musik.rekey", "gate", words_gate, 3, CHANNEL(rekey.gate),
          "Packets between an expulsion and the switch: held back, or going on readable by who was expelled."),

    TEXT("mcx.musik.feed", "listen", "", 64, check_udp, CHANNEL(feed.listen),
          "Where media packets are taken, \"udp:ADDRESS:PORT\"; they go out as they come. Empty: there is no feed."),
    TEXT("mcx.musik.feed", "floor_listen", "", 64, check_udp, CHANNEL(feed.floor_listen),
          "Where clear floor packets are taken; they go out under the MuSiK. Empty: there are none."),
    TEXTS("mcx.musik.feed", "source", OPTION_OPTIONAL, 0, 16, check_peer, CHANNEL(feed.source),
          "Addresses, or addresses and ports, whose packets are taken."),

    WORD("log", "format", words_log, 3, TOP(log.format),
          "One event a line, as key=value text or as a JSON object."),
    NUMBER("log", "same_reason_per_s", "lines", "5", 1, 100000, TOP(log.same_reason_per_s),
          "Lines per second that refusals for one reason may cause; the rest is counted."),

    PATH("admin", "socket", OPTION_OPTIONAL, TOP(admin.socket),
          "Unix socket of the operator's door, made with mode 0600; empty: there is none."),
    NUMBER("admin", "events_kept", "", "1000", 1, 100000, TOP(admin.events_kept),
          "Audit events kept in memory for pocpfctl events."),

    NUMBER("limits", "sessions_max", "", "10000", 1, 100000, TOP(limits.sessions_max),
          "PoC sessions at one time."),
    NUMBER("limits", "members_max", "", "10000", 1, 1000000, TOP(limits.members_max),
          "Members over all channels."),
    NUMBER("limits", "channels_max", "", "100", 1, 10000, TOP(limits.channels_max),
          "Channels."),
    NUMBER("limits", "users_max", "", "100000", 1, 1000000, TOP(limits.users_max),
          "Bootstrapped users kept."),
    NUMBER("limits", "roster_max", "", "100000", 1, 1000000, TOP(limits.roster_max),
          "Endpoints kept of one conference document."),
    NUMBER("limits", "offer_window", "", "100", 1, 10000, TOP(limits.offer_window),
          "Offers outstanding per channel during a rekey."),
    NUMBER("limits", "requests_per_source_s", "1/s", "50", 0, 100000, TOP(limits.requests_per_source_s),
          "Unauthenticated SIP requests per second from one address; 0: no bound."),
    NUMBER("limits", "sip_connections_per_source", "", "1000", 0, 100000, TOP(limits.sip_connections_per_source),
          "SIP connections over TCP from one address, and never more than a quarter of all descriptors: of more, those that "
          "have been silent longest are closed. Addresses of trusted_peers have no bound. 0: no bound."),
    NUMBER("limits", "ub_connections_max", "", "256", 1, 10000, TOP(limits.ub_connections_max),
          "HTTP connections to the embedded BSF."),
    NUMBER("limits", "ub_connections_per_source", "", "32", 1, 10000, TOP(limits.ub_connections_per_source),
          "The same from one address."),
    NUMBER("limits", "seal_threads", "", "0", 0, 64, TOP(limits.seal_threads),
          "Threads that seal MSK messages together, the main one among them; 0: one per processor; 1: only the main one."),
    NUMBER("limits", "drain_s", "s", "3", 0, 600, TOP(limits.drain_s),
          "How long SIGTERM waits for channels and sessions to end; 0: they are not ended, the next start takes them up again."),
};
/* clang-format on */
const size_t option_count = POC_COUNT(options);

const option *option_find(const char *group, const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i].group, group) == 0 && strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

bool option_group_is_of(const char *group, const char *list)
{
    const size_t n = strlen(list);
    return strncmp(group, list, n) == 0 && (group[n] == '\0' || group[n] == '.');
}

bool option_is_of_channel(const option *o)
{
    return option_group_is_of(o->group, "channels") || option_group_is_of(o->group, "mcx.musik");
}

bool option_is_group(const char *parent, const char *name)
{
    size_t skip = parent[0] == '\0' ? 0 : strlen(parent) + 1;
    for (size_t i = 0; i < option_group_count; i++) {
        const char *group = option_groups[i].name;
        if (skip > 0 && (strncmp(group, parent, skip - 1) != 0 || group[skip - 1] != '.'))
            continue;
        if (strcmp(group + skip, name) == 0)
            return true;
    }
    return false;
}
