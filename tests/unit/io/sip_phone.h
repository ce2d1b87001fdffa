/* A phone on raw sockets for tests: it says requests as they stand, and hears answers and requests octet by octet. What it
 * talks to runs in the same loop, or in a process of its own. */
#ifndef TESTS_UNIT_IO_SIP_PHONE_H
#define TESTS_UNIT_IO_SIP_PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PHONE_TEXT_MAX 32768u

typedef struct phone {
    int fd, listener; /* the same port; listener -1: TCP is refused there */
    const char *host;
    uint16_t port, pf_port;
    void (*turn)(void *ctx); /* lets time pass for whom it talks to; NULL: that runs by itself */
    void *ctx;
    unsigned requests;
    const char *from; /* usual sender */
    const char *to;   /* whom requests usually go to */
    bool by_tcp;      /* what was heard last */
    char heard[PHONE_TEXT_MAX];
    size_t heard_len;
} phone;

/** `port` 0: any. Set the rest afterwards. */
void phone_open(phone *p, const char *host, uint16_t port);
void phone_close(phone *p);
/** From now on TCP is taken too. */
void phone_listen(phone *p);

/** A request. NULL takes the usual one. */
typedef struct phone_request {
    const char *method, *uri, *from, *to, *contact, *more, *type; /* contact and more: whole lines */
    const void *body;
    size_t body_len; /* 0: that of a text */
} phone_request;

void phone_say(phone *p, const phone_request *q);
/** Says what was said last once more. */
void phone_repeat(phone *p);
/** Waits for the next message; fails the test when none comes. */
const char *phone_hear(phone *p);
/** Has another message come? Does not wait for it. */
bool phone_takes(phone *p);
/** Lets go of what has come and was not heard. */
void phone_forget(phone *p);
/** Fails the test when something comes in a while. */
void phone_hears_nothing(phone *p);
/** Says it and waits for the answer: its status. */
int phone_ask(phone *p, const phone_request *q);
/** Answers the request that was heard last, "200 OK". */
void phone_reply(phone *p, const char *status);
/** With a session description, and a contact of its own. */
void phone_accept(phone *p, const char *sdp);
/** Acknowledges the 2xx to an INVITE that was heard last. */
void phone_acknowledge(phone *p);

/** Of the answer that was heard last; 0: it was a request. */
int phone_status(const phone *p);
/** The value of the first header of that name, until the next call; "" when there is none. */
const char *phone_header(const phone *p, const char *name);
/** The body of what was heard last, with a terminator. */
const char *phone_body(const phone *p, size_t *n);
void phone_assert_header(const phone *p, const char *name, const char *value);
void phone_assert_says(const phone *p, const char *text);

#endif
