/* A fake shell and fake clients for an engine behind its public door: effects become lines of a transcript, records go
 * into a store that can fail or lose power, and clients answer offers by really opening the MIKEY message with their
 * MUK. */
#ifndef TESTS_UNIT_CORE_SHELL_H
#define TESTS_UNIT_CORE_SHELL_H

#include "base/table.h"
#include "pocpf/pocpf.h"
#include "tests/support/rng.h"

#define SHELL_LINE    200u
#define SHELL_LINES   65536u
#define SHELL_CHANNEL "dispatch"
#define SHELL_GROUP   "sip:dispatch@cf.example"
#define ALICE         "sip:alice@example.com"
#define BOB           "sip:bob@example.com"
#define CAROL         "sip:carol@example.com"
#define DAVE          "sip:dave@example.com"
#define SHELL_ID(n)   (0x10010000u + (n)) /* key group 1001 */

typedef enum client_habit {
    CLIENT_ACCEPTS,
    CLIENT_SILENT,
    CLIENT_REFUSES,
    CLIENT_WRONG,
    CLIENT_UNICAST,
    CLIENT_GONE,
    CLIENT_BAD_VERIFICATION,
    CLIENT_NO_VERIFICATION
} client_habit;

typedef struct client {
    char name[64];
    char btid[64];
    pocpf_secret *muk;
    client_habit habit;
    uint32_t counter;     /* last seen under this MUK */
    uint32_t holds;       /* newest MSK that reached him */
    uint32_t barred_from; /* no MSK from this number on may reach him; 0: welcome */
    uint32_t offers;      /* with a key */
    uint64_t last_offer;
    uint64_t answer_offer; /* to be answered; 0: none */
    uint8_t verification[512];
    size_t verification_len;
    uint8_t address[POCPF_ADDRESS_MAX]; /* where he listens for pushes */
    size_t address_len;
    uint8_t reply[512]; /* to the last push, to be sent */
    size_t reply_len;
    unsigned pushes, solicited; /* heard: datagrams with a key, and without */
    struct sent_message *sent;  /* all messages made for him under this MUK */
    size_t sent_count;
    bool multicast, released, inside;
    bool may_be_ahead; /* of the engine, with a MUK that was not durable */
    bool deaf;         /* no push reaches him */
    bool expelled;     /* no registration lets him in */
    bool shut_out;     /* nor does a session */
    bool came_back;    /* a crash forgot that he is out: only a roster can tell that he is */
} client;

typedef struct shell_record {
    uint8_t key[512];
    size_t key_len;
    uint8_t *value;
    size_t value_len;
} shell_record;

typedef struct shell {
    pocpf *pf;
    pocpf_settings set;
    pocpf_host host;
    pocpf_channel conf;
    test_rng chance;
    poc_rng rng;
    int64_t now_ms;
    client **clients;
    size_t client_count;
    poc_table by_name;
    poc_table store;       /* of shell_record */
    shell_record *writing; /* the batch of a slow write */
    size_t writing_count;
    char (*lines)[SHELL_LINE];
    size_t line_count, line_read;
    bool log_audits, store_fails, store_holds, answers_now, enabler_answers;
    unsigned push_loss;          /* of hundred, both ways */
    bool store_slow, is_writing; /* a write ends with shell_written, or when nothing else is left to do */
    unsigned counts[POCPF_DO_DOWNLOAD + 1];
    unsigned audits[POCPF_AUDIT_COUNT];
    uint32_t highest_id; /* of any MSK ever offered */
    uint32_t air_id;     /* what the enabler has, 0: off air */
    bool hold;
    uint32_t version; /* of the last conference document */
} shell;

/** An engine with one channel; settings may be edited before shell_boot. */
shell *shell_new(uint64_t seed);
void shell_boot(shell *s);
void shell_free(shell *s);
/** A running channel with ALICE, BOB and CAROL keyed under MSK 1; what led there is forgotten. */
shell *shell_trio(pocpf_rekey_policy policy);
/** Drops the engine without a word and starts another from the durable records. */
void shell_crash(shell *s);

client *shell_client(shell *s, const char *name);
/** A new MUK and B-TID for him, told to the engine. */
void shell_authenticate(shell *s, client *c);
/** The credential he has, told once more, as with every HTTP request of his. */
void shell_contact(shell *s, client *c);
/** Joins; with `everything`, also authenticated, in the roster and carried out. */
client *shell_join(shell *s, const char *name);
pocpf_err shell_join_only(shell *s, client *c);
pocpf_err shell_depart(shell *s, const char *name, pocpf_departure how);

/** Registers him for the service from the address that he has (made of his name at first), without running. */
pocpf_err shell_register_only(shell *s, client *c);
/** Authenticated, registered and carried out. */
client *shell_register(shell *s, const char *name);
/** He asks for this MSK from his address. */
pocpf_err shell_pull(shell *s, client *c, uint32_t msk_id);
/** Another address, known to him alone. */
void shell_move(shell *s, client *c);
/** Sends the reply that a client has ready; what the engine says of it. */
pocpf_err shell_reply(shell *s, client *c);

/** Carries out effects and answers until nothing is left. */
void shell_run(shell *s);
/** One effect; false when there is none. */
bool shell_step(shell *s);
/** Sends the answer that a client has ready. */
void shell_answer(shell *s, client *c);
/** Ends a slow write; nothing when none is under way. */
void shell_written(shell *s);
/** Moves the clock and ticks. */
void shell_pass(shell *s, int64_t ms);
/** Ticks at every deadline until `ms` have passed. */
void shell_live(shell *s, int64_t ms);

/** Subscription active and a full document with everybody who is inside. */
void shell_full(shell *s);
/** One row of a partial document; NULL `by`: absent. */
pocpf_err shell_partial(shell *s, const char *user, pocpf_conf_state state, pocpf_conf_status status,
                        pocpf_conf_method method, const char *by);
pocpf_err shell_document(shell *s, pocpf_conf_state state, const pocpf_conf_user *users, size_t n);

/** The transcript since the last call must be exactly this: lines joined with '\n'. */
void shell_expect(shell *s, const char *lines);
void shell_forget(shell *s);
const char *shell_state(shell *s);
const char *shell_member_state(shell *s, const char *name);
uint32_t shell_msk(shell *s);
/** A durable record keeps him out. */
bool shell_has_bar(shell *s, const client *c);
/** False: he is no member. */
bool shell_look(shell *s, const client *c, pocpf_member_status *out);

#endif
