/* pocpfctl, private to it: commands are rows of one table in main.c, options are rows of a table per command. */
#ifndef PF_CTL_CTL_H
#define PF_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "mikey/mikey.h"

/* sysexits(3), and 1 for "a valid question, and the answer is no" */
enum {
    CTL_OK = 0,
    CTL_NO = 1,
    CTL_USAGE = 64,
    CTL_DATA = 65,
    CTL_NOINPUT = 66,
    CTL_UNAVAILABLE = 69,
    CTL_SOFTWARE = 70,
    CTL_CANTCREAT = 73,
    CTL_PROTOCOL = 76
};

#define CTL_OPTIONS_MAX 16u

typedef struct ctl_option {
    const char *name;  /* "--muk" */
    const char *value; /* "HEX", or NULL for a switch */
    const char *what;
} ctl_option;

/** What stood on the command line; `values[i]` belongs to row i of the table, NULL when absent, "" for a switch. */
typedef struct ctl_args {
    const char *values[CTL_OPTIONS_MAX];
    const char *file; /* the argument without a name (a file, or a folder), or NULL */
} ctl_args;

typedef struct ctl_command {
    const char *group, *name; /* "mikey", "decode" */
    const char *synopsis;     /* what follows them */
    const char *what;         /* one sentence */
    const char *more;         /* what else --help says, or NULL */
    const ctl_option *options;
    size_t option_count;
    bool takes_file;
    int (*run)(const ctl_args *args); /* an exit status */
} ctl_command;

extern const ctl_command ctl_mikey_decode, ctl_gba_derive, ctl_gba_milenage, ctl_kms_init, ctl_kms_keys;

/** One line on standard error: "pocpfctl: ...". */
void ctl_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Complains about a failure that is neither the caller's nor the input's, and returns CTL_SOFTWARE. */
int ctl_failed(poc_err err);

/** 0, or CTL_USAGE after a line that says what is wrong. */
int ctl_options_parse(ctl_args *out, const ctl_command *command, int argc, char **argv);
/** The hex value of an option as `min`..`max` octets in `out`; complains and returns false. */
bool ctl_hex(uint8_t *out, size_t *n, size_t min, size_t max, const char *name, const char *text);
/** The same, of exactly `n` octets, as a secret owned by the caller. */
bool ctl_secret(poc_secret **out, size_t n, const char *name, const char *text);

/** The decimal value of an option, or `otherwise` when it is not there; complains and returns false. */
bool ctl_number(uint64_t *out, uint64_t otherwise, uint64_t max, const char *name, const char *text);

/** Reads the message in `file` (NULL or "-": standard input), raw, hex or base64, white space in text being ignored.
 *  0, CTL_NOINPUT or CTL_DATA after a line that says why. */
int ctl_input_read(uint8_t *out, size_t cap, size_t *n, const char *file);

/** Lower-case hex as a JSON text; null when `present` is false. */
json_t *ctl_json_hex(bool present, poc_span octets);
/** Four octets in hex. */
json_t *ctl_json_u32(uint32_t v);
/** Printable ASCII as a JSON text, else null. */
json_t *ctl_json_text(poc_span text);
/** A time as JSON text, "2030-01-01T00:00:00Z". */
json_t *ctl_json_time(int64_t unix_s);
/** Prints the object and lets go of it. */
int ctl_json_print(json_t *object, int status);

/* ---- I_MESSAGEs of mikey decode ---- */

/** The values of the options that open one; NULL where not given. */
typedef struct ctl_sakke_keys {
    const char *rsk, *z, *kpak, *kms_uri, *period, *period_offset, *period_length;
} ctl_sakke_keys;

/** Checks the signature, opens the message when there is an RSK, and puts what comes out into `object`. An exit status:
 *  CTL_OK, CTL_NO when something does not fit, CTL_USAGE or CTL_DATA, always after a line that says why. */
int ctl_i_message_open(json_t *object, const mikey_msg *msg, const ctl_sakke_keys *keys);

/* ---- with a running daemon ---- */

#define CTL_SOCKET "/run/pocpf/pocpfd.sock"

/** Where the daemon is, and how to print what it says. */
typedef struct ctl_door {
    const char *socket;
    bool is_json;
} ctl_door;

typedef struct ctl_order {
    const char *name, *synopsis, *what;
    int argc_min, argc_max; /* words behind the name */
    int (*run)(const ctl_door *door, int argc, char **argv);
} ctl_order;

extern const ctl_order ctl_orders[];
extern const size_t ctl_order_count;

/** GET, or with `body` not NULL POST. 0 and an object owned by the caller; or after a line that says why CTL_NO (the daemon
 *  refuses), CTL_UNAVAILABLE (there is none), CTL_PROTOCOL (no sense in its answer). */
int ctl_request(json_t **out, const ctl_door *door, const char *path, const char *body);
/** CTL_PROTOCOL after a line about it. */
int ctl_nonsense(void);

typedef struct ctl_column {
    const char *head, *key;
} ctl_column;
/** Prints a list of objects as an aligned table; CTL_PROTOCOL when it is none. */
int ctl_table_print(const json_t *list, const ctl_column *columns, size_t count);
/** A value as a person reads it, without control characters; "-" for null. */
const char *ctl_cell(char out[320], const json_t *value);

#endif
