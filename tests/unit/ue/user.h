/* One user of MBMS services with the key management service that it talks to, and the steps that the tests of it have in common. */
#ifndef TESTS_UNIT_UE_USER_H
#define TESTS_UNIT_UE_USER_H

#include "clerk.h"

enum { MEDICS_GROUP = PAIR_GROUP + 1, WAIT_S = 2, BACK_OFF_S = 10 };

extern const char fire[], medics[]; /* the services announced by user_begin: key groups PAIR_GROUP and MEDICS_GROUP */
extern bcast_channel fire_channel, medics_channel;
extern pair w;
extern clerk c;

/** A client that has bootstrapped and knows both services. For cmocka. */
int user_begin(void **state);
int user_end(void **state);
/** One that knows none; `change` (may be NULL) edits its settings. */
void user_open(void (*change)(pocue_settings *settings));
pocue_service user_announced(const char *id, uint16_t key_group, const bcast_channel *channel);

/** Everything the client wants to POST now is answered; how many there were. */
unsigned user_carry(void);
void user_pass_s(int64_t seconds);
/** On to the moment the client wants to be called; how long that was, in ms. */
int64_t user_pass_to_deadline(void);
/** So much time passes, with everything the client does in it. */
void user_live_s(int64_t seconds);
void user_register_with(const char *id);
poc_err user_give_push(const uint8_t *message, size_t n, size_t *reply_len);
/** The current MSK of the pair, pushed. */
void user_push_msk(void);
/** An MSK of another number that this client was not given goes on air. */
void user_miss_update(uint16_t number);
/** The next event is of this type. */
void user_assert_next(pocue_event_type type, pocue_event *e);

#endif
