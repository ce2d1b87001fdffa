#include "pf/io/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "pf/io/now.h"

#define LINE_MAX_OCTETS 2048u
#define REASONS_MAX     64u /* reasons counted at one time; more share a place */

typedef struct log_reason {
    int64_t second;
    uint32_t lines;
    uint64_t left_out;
} log_reason;

static struct {
    pthread_mutex_t lock;
    bool json;
    uint32_t same_reason_per_s;
    int fd;
    log_reason reasons[REASONS_MAX];
    log_refused refused[LOG_REFUSED_MAX]; /* filled from the front; the last place is "other" */
    int64_t second;                       /* of the line written last, whose text `time` is */
    char time[sizeof("2030-01-01T00:00:00")];
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER, .same_reason_per_s = 5, .fd = STDERR_FILENO };

static const char *const level_names[] = { "info", "warning", "error" };

/* ---- values ---- */

static bool is_plain(char c)
{
    return c > ' ' && c < 0x7F && c != '"' && c != '\\' && c != '=';
}

static void put_quoted(poc_wr *wr, const char *text)
{
    poc_wr_u8(wr, '"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            poc_wr_fmt(wr, "\\%c", *p);
        else if (*p >= ' ' && *p < 0x7F)
            poc_wr_u8(wr, (uint8_t)*p);
        else
            poc_wr_fmt(wr, "\\u%04x", (unsigned)(uint8_t)*p);
    }
    poc_wr_u8(wr, '"');
}

static void put_text(poc_wr *wr, bool json, const char *text)
{
    const char *p = text;
    while (is_plain(*p))
        p++;
    if (!json && *p == '\0' && text[0] != '\0')
        poc_wr_put(wr, text, strlen(text));
    else
        put_quoted(wr, text);
}

static void put_number(poc_wr *wr, int64_t number)
{
    if (number < 0)
        poc_wr_u8(wr, '-');
    poc_dec_put(wr, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void put_id(poc_wr *wr, bool json, uint32_t id)
{
    uint8_t octets[4];
    poc_wr be = poc_wr_into(octets, sizeof(octets));
    poc_wr_u32(&be, id);
    poc_wr_str(wr, json ? "\"" : "");
    poc_hex_put(wr, poc_span_of(octets, sizeof(octets)));
    poc_wr_str(wr, json ? "\"" : "");
}

static void put_value(poc_wr *wr, bool json, const log_field *f)
{
    switch (f->kind) {
    case LOG_KIND_TEXT:
        put_text(wr, json, f->text);
        return;
    case LOG_KIND_NUMBER:
        put_number(wr, f->number);
        return;
    case LOG_KIND_ID:
        put_id(wr, json, (uint32_t)f->number);
        return;
    }
}

/* ---- lines ---- */

static void put_field(poc_wr *wr, bool json, const log_field *f)
{
    if ((f->kind == LOG_KIND_TEXT && f->text == NULL) || (f->kind == LOG_KIND_ID && f->number == 0))
        return;
    poc_wr_str(wr, json ? ",\"" : " ");
    poc_wr_str(wr, f->name);
    poc_wr_str(wr, json ? "\":" : "=");
    put_value(wr, json, f);
}

/* A rekey writes a line for every member: all in one second, whose text is kept. Under the lock. */
static void put_time(poc_wr *wr)
{
    const int64_t now_ms = io_now_ms(), second = now_ms / 1000;
    const unsigned ms = (unsigned)(now_ms % 1000);
    if (sink.time[0] == '\0' || sink.second != second) {
        char text[sizeof(sink.time) + 1];
        poc_wr time = poc_wr_into(text, sizeof(text));
        poc_time_put(&time, second);
        memcpy(sink.time, text, sizeof(sink.time) - 1); /* the Z goes behind the milliseconds */
        sink.second = second;
    }
    poc_wr_str(wr, sink.time);
    const char rest[] = { '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z' };
    poc_wr_put(wr, rest, sizeof(rest));
}

static void put_head(poc_wr *wr, bool json, log_level level, const char *event)
{
    poc_wr_str(wr, json ? "{\"time\":\"" : "");
    put_time(wr);
    poc_wr_str(wr, json ? "\",\"level\":\"" : " ");
    poc_wr_str(wr, level_names[level]);
    poc_wr_str(wr, json ? "\",\"event\":\"" : " ");
    poc_wr_str(wr, event);
    poc_wr_str(wr, json ? "\"" : "");
}

static void write_line(const char *line, size_t n)
{
    while (n > 0) {
        ssize_t done = write(sink.fd, line, n);
        if (done <= 0)
            return; /* nobody is left to be told */
        line += done;
        n -= (size_t)done;
    }
}

void log_fields(log_level level, const char *event, const log_field *fields, size_t count)
{
    char line[LINE_MAX_OCTETS];
    poc_wr wr = poc_wr_into(line, sizeof(line) - 4);
    (void)pthread_mutex_lock(&sink.lock);
    put_head(&wr, sink.json, level, event);
    size_t whole = wr.len;
    for (size_t i = 0; i < count; i++) {
        put_field(&wr, sink.json, &fields[i]);
        if (wr.overflow)
            break;
        whole = wr.len;
    }
    if (sink.json)
        line[whole++] = '}';
    line[whole++] = '\n';
    write_line(line, whole); /* fields that did not fit are left out whole */
    (void)pthread_mutex_unlock(&sink.lock);
}

/* ---- refusals ---- */

static size_t place_of(const char *reason)
{
    uint32_t h = 2166136261u;
    for (const char *p = reason; *p != '\0'; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return h % REASONS_MAX;
}

static void count_refusal(const char *reason)
{
    char cut[sizeof(sink.refused[0].reason)];
    const size_t last = LOG_REFUSED_MAX - 1;
    size_t i = 0;
    (void)snprintf(cut, sizeof(cut), "%s", reason);
    (void)pthread_mutex_lock(&sink.lock);
    while (i < last && sink.refused[i].count > 0 && strcmp(sink.refused[i].reason, cut) != 0)
        i++;
    if (sink.refused[i].count++ == 0)
        (void)snprintf(sink.refused[i].reason, sizeof(cut), "%s", i == last ? "other" : cut);
    (void)pthread_mutex_unlock(&sink.lock);
}

size_t log_refused_look(log_refused out[LOG_REFUSED_MAX])
{
    size_t n = 0;
    (void)pthread_mutex_lock(&sink.lock);
    while (n < LOG_REFUSED_MAX && sink.refused[n].count > 0) {
        out[n] = sink.refused[n];
        n++;
    }
    (void)pthread_mutex_unlock(&sink.lock);
    return n;
}

/** True when the line may be written; then `*left_out` is how many were not since the last one. */
static bool may_write(const char *reason, uint64_t *left_out)
{
    int64_t second = io_now_ms() / 1000;
    (void)pthread_mutex_lock(&sink.lock);
    log_reason *r = &sink.reasons[place_of(reason)];
    if (r->second != second) {
        r->second = second;
        r->lines = 0;
    }
    bool may = r->lines < sink.same_reason_per_s;
    *left_out = r->left_out;
    r->left_out = may ? 0 : r->left_out + 1;
    r->lines += may;
    (void)pthread_mutex_unlock(&sink.lock);
    return may;
}

void log_refusal(const char *event, const char *kind, const char *who, const char *reason)
{
    uint64_t left_out;
    count_refusal(reason);
    if (!may_write(reason, &left_out))
        return;
    if (left_out == 0)
        log_event(LOG_LEVEL_WARNING, event, LOG_TEXT("kind", kind), LOG_TEXT("who", who), LOG_TEXT("reason", reason));
    else
        log_event(LOG_LEVEL_WARNING, event, LOG_TEXT("kind", kind), LOG_TEXT("who", who), LOG_TEXT("reason", reason),
                  LOG_NUMBER("left_out", left_out));
}

void log_configure(bool json, uint32_t same_reason_per_s)
{
    (void)pthread_mutex_lock(&sink.lock);
    sink.json = json;
    sink.same_reason_per_s = same_reason_per_s;
    (void)pthread_mutex_unlock(&sink.lock);
}

void log_to(int fd)
{
    (void)pthread_mutex_lock(&sink.lock);
    sink.fd = fd;
    (void)pthread_mutex_unlock(&sink.lock);
}
