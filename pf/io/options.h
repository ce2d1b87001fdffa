/* The option table: every option of the configuration file is one row, and nothing that has no row is an option. The
 * loader, the defaults, the checks and docs/options.md are loops over it. Private to pf/io. */
#ifndef PF_IO_OPTIONS_H
#define PF_IO_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum option_type {
    OPTION_BOOL,   /* bool                                                                    */
    OPTION_NUMBER, /* uint32_t, min..max                                                      */
    OPTION_TEXT,   /* char *, owned, never NULL; max octets; checked by `check` unless empty  */
    OPTION_FILE,   /* the same; a relative path counts from the configuration file's folder   */
    OPTION_TEXTS,  /* config_texts, min..max items, each checked by `check`                   */
    OPTION_WORD,   /* int: index into `words`                                                 */
    OPTION_WORDS,  /* uint32_t: bit set of indices into `words`, at least one                 */
    OPTION_HEX     /* `max` octets                                                            */
} option_type;

typedef enum option_need { OPTION_OPTIONAL, OPTION_MANDATORY, OPTION_NOT_BUILT } option_need;

/** NULL when `text` has the form that the option wants, else what that form is ("a SIP URI such as ..."). */
typedef const char *option_check(const char *text);

typedef struct option {
    const char *group; /* "sip"; "channels" and "channels.rekey", "mcx.musik" and "mcx.musik.feed" stand for
                          each element of the list */
    const char *name;
    option_type type;
    option_need need;
    const char *unit;   /* "ms", "s", "octets" ...; "" for none */
    const char *preset; /* the default as one writes it; NULL: mandatory, an empty list, or the first word; "" for a
                           word: none (-1), the check of the configuration fills it in */
    int64_t min, max;
    const char *const *words; /* ends with NULL */
    uint32_t words_built;     /* bit set: what this version can do; other words are refused as not built in */
    option_check *check;      /* may be NULL */
    size_t offset;            /* in config, or in config_channel for the groups of a channel */
    const char *sentence;
} option;

extern const option options[];
extern const size_t option_count;

/** A group as the file shows it. */
typedef struct option_group {
    const char *name;
    const char *sentence;
} option_group;
extern const option_group option_groups[];
extern const size_t option_group_count;

/** The row, or NULL. */
const option *option_find(const char *group, const char *name);
/** True for an option of an element of channels or mcx.musik: its offset counts in config_channel. */
bool option_is_of_channel(const option *o);
/** The group of a list whose elements are channels, and the groups in it ("channels", "channels.rekey"). */
bool option_group_is_of(const char *group, const char *list);
/** True when `name` is a group directly inside the group `parent` ("" for the file itself). */
bool option_is_group(const char *parent, const char *name);
/** docs/options.md. */
void options_print(FILE *out);

#endif
