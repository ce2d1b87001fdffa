/* The HTTP side of the operator's door. A request is read whole, then answered at once or put to wait for an event. */
#include "pf/io/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "pf/io/admin_private.h"
#include "pf/io/config_private.h"
#include "pf/io/http.h"
#include "pf/io/keyfile.h"
#include "pf/io/now.h"
#include "pf/io/wake.h"

enum {
    CONNECTIONS_MAX = 64,
    CONNECTION_OCTETS = 8192,
    CONNECTION_IDLE_S = 10,
    WAITERS_MAX = 16 /* requests that wait for an event at one time */
};

typedef struct request {
    const admin_route *route; /* NULL: none fits, and `allow` says whether another method would */
    const char *allow;
    char segment[ADMIN_SEGMENT_MAX];
    struct MHD_Connection *connection;
    bool has_waited, is_too_large;
    int64_t until_ms;           /* while it waits */
    struct request *next, **at; /* the list of those whose order is being written; `at` NULL: not in it */
    json_t *ready;              /* their answer; owned */
    uint64_t due;               /* so many changes must be durable before it goes */
    bool is_lost;               /* a write failed meanwhile */
    size_t body_len;
    char body[ADMIN_BODY_MAX];
} request;

struct admin {
    shell *shell;
    admin_reload_fn *reload;
    void *user;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" until bound */
    http *http;
    bool is_ending;
    wake *patience; /* the next waiter to be answered without an event */
    request *waiters[WAITERS_MAX];
    size_t waiter_count;
    request *undurable;
};

/* ---- waiting ---- */

static void resume(admin *a, size_t i)
{
    request *r = a->waiters[i];
    a->waiters[i] = a->waiters[--a->waiter_count];
    http_resume(a->http, r->connection);
}

static void resume_all(void *user)
{
    admin *a = (admin *)user;
    while (a->waiter_count > 0)
        resume(a, a->waiter_count - 1);
}

static void set_patience(admin *a)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < a->waiter_count; i++)
        if (a->waiters[i]->until_ms < first_ms)
            first_ms = a->waiters[i]->until_ms;
    wake_at(a->patience, first_ms);
}

static void on_patience(void *user)
{
    admin *a = (admin *)user;
    int64_t now_ms = io_now_ms();
    for (size_t i = a->waiter_count; i-- > 0;)
        if (a->waiters[i]->until_ms <= now_ms)
            resume(a, i);
    set_patience(a);
}

static void wait_for_event(admin *a, request *r, uint32_t wait_s)
{
    r->has_waited = true;
    r->until_ms = io_now_ms() + (int64_t)wait_s * 1000;
    a->waiters[a->waiter_count++] = r;
    MHD_suspend_connection(r->connection);
    set_patience(a);
}

/* ---- waiting for the store ---- */

/** What was ordered is done when it would survive a crash. */
static void hold_back(admin *a, request *r, json_t *object, uint64_t due)
{
    r->ready = object;
    r->due = due;
    r->next = a->undurable;
    r->at = &a->undurable;
    if (r->next != NULL)
        r->next->at = &r->next;
    a->undurable = r;
    MHD_suspend_connection(r->connection);
}

static void list_leave(request *r)
{
    if (r->at == NULL)
        return;
    *r->at = r->next;
    if (r->next != NULL)
        r->next->at = r->at;
    r->at = NULL;
}

static void on_durable(void *user, uint64_t through, bool ok)
{
    admin *a = (admin *)user;
    request *next;
    for (request *r = a->undurable; r != NULL; r = next) {
        next = r->next;
        if (r->due > through)
            continue;
        list_leave(r);
        r->is_lost = !ok;
        http_resume(a->http, r->connection);
    }
}

/* ---- answers ---- */

static enum MHD_Result answer(const request *r, unsigned status, json_t *object)
{
    const http_header headers[] = {
        { MHD_HTTP_HEADER_CONTENT_TYPE, "application/json" },
        { MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
        { MHD_HTTP_HEADER_ALLOW, status == MHD_HTTP_METHOD_NOT_ALLOWED ? r->allow : "" },
    };
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL)
        return MHD_NO; /* out of memory: the connection ends */
    enum MHD_Result result = http_answer(r->connection, status, poc_span_str(text), headers, POC_COUNT(headers));
    free(text);
    return result;
}

static enum MHD_Result refuse(const request *r, unsigned status, const char *kind, const char *reason)
{
    return answer(r, status, json_pack("{s:s,s:s}", "error", kind, "reason", reason));
}

static enum MHD_Result refuse_too_large(const request *r)
{
    return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "limit", "the body has more than 16384 octets");
}

/* ---- requests ---- */

typedef struct arguments {
    const admin_route *route;
    admin_call *call;
    bool are_good;
} arguments;

static enum MHD_Result take_argument(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    arguments *args = (arguments *)user;
    bool is_good = false;
    (void)kind;
    for (size_t i = 0; i < ADMIN_NUMBERS_MAX; i++)
        if (args->route->numbers[i] != NULL && strcmp(name, args->route->numbers[i]) == 0)
            is_good = value != NULL && poc_u64_get(&args->call->number[i], INT64_MAX, poc_span_str(value)) == POC_OK;
    args->are_good = args->are_good && is_good;
    return MHD_YES;
}

static enum MHD_Result serve(admin *a, request *r, admin_call *call)
{
    json_t *object = r->route->handle(call);
    if (call->waits && a->waiter_count == WAITERS_MAX)
        return refuse(r, MHD_HTTP_TOO_MANY_REQUESTS, "limit", "too many requests wait for events");
    if (call->waits) {
        wait_for_event(a, r, call->wait_s);
        return MHD_YES;
    }
    if (call->status != 0)
        return refuse(r, call->status, call->kind, call->reason);
    bool is_order = strcmp(r->route->method, MHD_HTTP_METHOD_POST) == 0;
    uint64_t due = is_order && object != NULL && !a->is_ending ? shell_due(a->shell) : 0;
    if (due == 0)
        return answer(r, MHD_HTTP_OK, object);
    hold_back(a, r, object, due);
    return MHD_YES;
}

static enum MHD_Result finish_order(request *r)
{
    json_t *object = r->ready;
    r->ready = NULL;
    if (!r->is_lost)
        return answer(r, MHD_HTTP_OK, object);
    json_decref(object);
    return refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "io", "the order is carried out, but could not be made durable");
}

/** The whole request is here. */
static enum MHD_Result finish(admin *a, request *r)
{
    char why[ADMIN_WHY_MAX] = "";
    json_t *body = NULL;
    if (r->ready != NULL)
        return finish_order(r);
    if (r->is_too_large)
        return refuse_too_large(r);
    if (r->route == NULL && r->allow != NULL)
        return refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "this route takes another method, see Allow");
    if (r->route == NULL)
        return refuse(r, MHD_HTTP_NOT_FOUND, "not_found", "no such route");
    admin_call call = { .shell = a->shell,
                        .reload = a->reload,
                        .reload_user = a->user,
                        .segment = r->segment,
                        .may_wait = !r->has_waited && !a->is_ending };
    arguments args = { r->route, &call, true };
    (void)MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, take_argument, &args);
    if (!args.are_good)
        return refuse(r, MHD_HTTP_BAD_REQUEST, "input", "unknown argument, or not a number");
    if (admin_body_read(&body, poc_span_of(r->body, r->body_len), r->route->field, r->route->may_lack_it, why) !=
        POC_OK)
        return refuse(r, MHD_HTTP_BAD_REQUEST, "input", why);
    call.text = r->route->field == NULL ? NULL : json_string_value(json_object_get(body, r->route->field));
    enum MHD_Result result = serve(a, r, &call);
    json_decref(body);
    return result;
}

static void find_route(request *r, const char *method, const char *path)
{
    for (size_t i = 0; i < admin_route_count && r->route == NULL; i++) {
        const admin_route *route = &admin_routes[i];
        if (!admin_path_fits(route->pattern, path, r->segment))
            continue;
        r->allow = route->method;
        if (strcmp(method, route->method) == 0)
            r->route = route;
    }
}

static enum MHD_Result begin(struct MHD_Connection *c, const char *method, const char *path, void **state)
{
    request *r = (request *)calloc(1, sizeof(*r));
    if (r == NULL)
        return MHD_NO;
    *state = r;
    r->connection = c;
    find_route(r, method, path);
    return http_announces_more(c, ADMIN_BODY_MAX) ? refuse_too_large(r) : MHD_YES;
}

static void take_body(request *r, const char *piece, size_t n)
{
    if (n > sizeof(r->body) - r->body_len) {
        r->is_too_large = true;
        return;
    }
    memcpy(r->body + r->body_len, piece, n);
    r->body_len += n;
}

/** Called with the headers, then with pieces of the body, then at its end, and again when a request that waited goes on. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *piece, size_t *piece_len, void **state)
{
    request *r = (request *)*state;
    (void)version;
    if (r == NULL)
        return begin(c, method, url, state);
    if (*piece_len == 0)
        return finish((admin *)arg, r);
    take_body(r, piece, *piece_len);
    *piece_len = 0;
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
    admin *a = (admin *)arg;
    request *r = (request *)*state;
    (void)c;
    (void)how;
    for (size_t i = a->waiter_count; i-- > 0;)
        if (a->waiters[i] == r)
            a->waiters[i] = a->waiters[--a->waiter_count];
    if (r != NULL) {
        list_leave(r);
        json_decref(r->ready);
    }
    free(r);
    *state = NULL;
}

/* ---- the socket ---- */

/** Makes the way free for bind: 0, or -1 with errno. */
static int clear_path(const struct sockaddr_un *at)
{
    struct stat st;
    if (lstat(at->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : -1;
    int fd = S_ISSOCK(st.st_mode) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (fd < 0) {
        errno = EEXIST;
        return -1;
    }
    bool is_left_over = connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    if (is_left_over)
        return unlink(at->sun_path);
    errno = EADDRINUSE;
    return -1;
}

static int listen_on(admin *a, const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path); /* the check of the configuration bounds it */
    if (keyfile_make_folders(path) != POC_OK || clear_path(&at) != 0)
        return -1;
    mode_t before = umask(0177); /* nobody else gets in between bind and a later chmod */
    int fd = http_listen((const struct sockaddr *)&at, sizeof(at));
    (void)umask(before);
    if (fd >= 0)
        memcpy(a->path, at.sun_path, sizeof(a->path));
    return fd;
}

static poc_err start(admin *a, su_root_t *root, const char *path)
{
    const http_settings settings = { .connections_max = CONNECTIONS_MAX,
                                     .connection_octets = CONNECTION_OCTETS,
                                     .idle_s = CONNECTION_IDLE_S,
                                     .may_suspend = true,
                                     .on_request = on_request,
                                     .on_completed = on_completed,
                                     .user = a };
    POC_TRY(wake_new(&a->patience, root, on_patience, a));
    int fd = listen_on(a, path);
    return fd < 0 ? POC_E_IO : http_new(&a->http, root, fd, &settings);
}

poc_err admin_new(admin **out, su_root_t *root, shell *s, const char *path, admin_reload_fn *reload, void *user,
                  char why[CONFIG_WHY_MAX])
{
    admin *a = (admin *)calloc(1, sizeof(*a));
    *out = NULL;
    if (a == NULL)
        return POC_E_NOMEM;
    *a = (admin){ .shell = s, .reload = reload, .user = user };
    poc_err err = start(a, root, path);
    if (err != POC_OK) {
        (void)config_fail(why, "admin.socket", 0, "%s: %s", path, strerror(errno));
        admin_free(a);
        return err;
    }
    events_listen(shell_events(s), resume_all, a);
    shell_listen_durable(s, on_durable, a);
    *out = a;
    return POC_OK;
}

void admin_free(admin *a)
{
    if (a == NULL)
        return;
    events_listen(shell_events(a->shell), NULL, NULL);
    shell_listen_durable(a->shell, NULL, NULL);
    a->is_ending = true;
    resume_all(a);
    on_durable(a, UINT64_MAX, false);
    http_free(a->http);
    wake_free(a->patience);
    if (a->path[0] != '\0')
        (void)unlink(a->path);
    free(a);
}
