/* Errors by kind: a caller reacts to the kind, the log keeps the detail. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

typedef enum poc_err {
    POC_OK = 0,
    POC_E_INPUT,  /* malformed: what came in breaks its own grammar              */
    POC_E_AUTH,   /* MAC, signature, digest or freshness does not hold           */
    POC_E_DENIED, /* authentic, but not allowed                                  */
    POC_E_STATE,  /* not now: the machine has no cell for this event             */
    POC_E_LIMIT,  /* a bound set on purpose was met                              */
    POC_E_NOMEM,  /* out of memory                                               */
    POC_E_IO,     /* a file, socket, store or peer failed                        */
    POC_E_BUG,    /* our own mistake; never reachable from the wire              */
    POC_E_COUNT
} poc_err;

/** The kind as one lower-case word ("input", "auth", ...); never NULL. */
const char *poc_err_name(poc_err err);

/** Leaves the calling function with the error of `expr`, if it has one. */
#define POC_TRY(expr)                  \
    do {                               \
        poc_err poc_try_err_ = (expr); \
        if (poc_try_err_ != POC_OK)    \
            return poc_try_err_;       \
    } while (0)

/** Declares an owning pointer that frees itself on every return; `free_fn` takes the pointer and accepts NULL. */
#define POC_OWNED(type, name, free_fn) __attribute__((cleanup(free_fn##_at))) type *name = NULL

/** Defines the clean-up twin that POC_OWNED needs beside `free_fn`. */
#define POC_DEFINE_OWNED(type, free_fn)                                \
    static inline __attribute__((unused)) void free_fn##_at(type **at) \
    {                                                                  \
        free_fn(*at);                                                  \
        *at = NULL;                                                    \
    }

/** Gives away what an owning pointer holds: the pointer is NULL afterwards. */
#define POC_RELEASE(name) poc_release_((void **)(void *)&(name))
void *poc_release_(void **at);

#define POC_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
