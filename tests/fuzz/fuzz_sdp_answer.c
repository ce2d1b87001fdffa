/* Any octets as a session description of a client or the CF, read in every role it can have. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bcast_channel channel(void)
{
    bcast_channel c = { .id = "dispatch", .ttl = 16, .port = { 5004, 5006, 5008 } };
    (void)poc_addr_parse(&c.group, poc_span_str("232.10.0.7"), 0);
    (void)poc_addr_parse(&c.source, poc_span_str("192.0.2.50"), 0);
    return c;
}

/* What we write with the peer's formats must be a description ourselves. */
static void write_again(const wire_unicast *u, poc_span offer, const bcast_channel *c)
{
    static char text[65536];
    struct sockaddr_storage at;
    wire_unicast back;
    (void)poc_addr_parse(&at, poc_span_str("192.0.2.10"), 30000);
    wire_local local = { (const struct sockaddr *)&at, (const struct sockaddr *)&at, 1, 1 };
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (wire_unicast_write(&wr, &local, u, false) != POC_OK ||
        wire_unicast_read(&back, poc_span_of(text, wr.len), NULL) != POC_OK)
        abort();
    wr = poc_wr_into(text, sizeof(text));
    if (wire_offer_write(&wr, &local, u, c, poc_span_of("\1", 1)) != POC_OK ||
        wire_unicast_read(&back, poc_span_of(text, wr.len), NULL) != POC_OK || back.media_count != 5)
        abort();
    wr = poc_wr_into(text, sizeof(text));
    if (wire_answer_write(&wr, &local, offer, u, c) != POC_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t room[2048];
    wire_unicast u, peer;
    poc_fault fault;
    poc_span text = poc_span_of(data, size), verification;
    const char *why = NULL;
    bcast_channel c = channel();
    pocpf_answer answer = wire_answer_check(text, &c, &peer, room, sizeof(room), &verification, &why);
    if ((answer == POCPF_ANSWER_ACCEPTED) != (why == NULL) || verification.n > sizeof(room))
        abort();
    const bool is_usable = wire_unicast_read(&u, text, &fault) == POC_OK;
    if (is_usable != (peer.media_count > 0) || (is_usable && memcmp(&u, &peer, sizeof(u)) != 0))
        abort();
    if (is_usable)
        write_again(&u, text, &c);
    return 0;
}
