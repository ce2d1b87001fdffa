/* One event a line on standard error, as key=value text or as a JSON object. There is no level and no field that prints a
 * key: keys appear by their ids. Private to pf/io. */
#ifndef PF_IO_LOG_H
#define PF_IO_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR } log_level;

typedef enum log_kind { LOG_KIND_TEXT, LOG_KIND_NUMBER, LOG_KIND_ID } log_kind;

/** A field of a line. A text that is NULL and an id that is 0 are left out. */
typedef struct log_field {
    const char *name;
    log_kind kind;
    const char *text;
    int64_t number; /* NUMBER in decimal; ID as eight hex digits */
} log_field;

#define LOG_TEXT(name, text)     ((log_field){ name, LOG_KIND_TEXT, text, 0 })
#define LOG_NUMBER(name, number) ((log_field){ name, LOG_KIND_NUMBER, NULL, (int64_t)(number) })
#define LOG_ID(name, id)         ((log_field){ name, LOG_KIND_ID, NULL, (int64_t)(id) })

/** Writes a line: time, level, event, then the fields in order. Octets that are not printable ASCII are escaped, so that a
 *  peer cannot write lines of his own. Thread-safe. */
void log_fields(log_level level, const char *event, const log_field *fields, size_t count);

/** log_event(level, "event", LOG_TEXT(...), LOG_NUMBER(...) ...), at least one field. */
#define log_event(level, event, ...)                             \
    log_fields(level, event, (const log_field[]){ __VA_ARGS__ }, \
               sizeof((const log_field[]){ __VA_ARGS__ }) / sizeof(log_field))

/** A refusal that a peer can cause as often as he likes: one line with `who` and `reason`, but not more lines per second
 *  and reason than configured; the next line that passes says how many were left out. */
void log_refusal(const char *event, const char *kind, const char *who, const char *reason);

typedef struct log_refused {
    char reason[96]; /* cut when longer */
    uint64_t count;  /* since the start, written or not */
} log_refused;
#define LOG_REFUSED_MAX 64u
/** What log_refusal was called for: the entries filled, in no order. What has no place of its own counts as "other". */
size_t log_refused_look(log_refused out[LOG_REFUSED_MAX]);

/** JSON instead of text, and the bound of log_refusal. */
void log_configure(bool json, uint32_t same_reason_per_s);
/** Where lines go; 2 (standard error) unless a test says otherwise. */
void log_to(int fd);

#endif
