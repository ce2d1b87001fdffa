#include "tests/harness/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    su_root_t *root;
    pid_t pid; /* 0: ended and waited for */
    int status;
    int err_fd, wait_index;
    su_wait_t wait[1];
    FILE *log;
    bool is_ready;
    char line[256];
    size_t line_len;
};

static void line_take(child *c, char byte)
{
    if (byte != '\n') {
        if (c->line_len + 1 < sizeof(c->line))
            c->line[c->line_len++] = byte;
        return;
    }
    c->line[c->line_len] = '\0';
    c->line_len = 0;
    if (strstr(c->line, " ready ") != NULL)
        c->is_ready = true;
}

static int on_readable(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
    child *c = (child *)arg;
    char buf[4096];
    ssize_t n;
    (void)magic, (void)wait;
    while ((n = read(c->err_fd, buf, sizeof(buf))) > 0) {
        fwrite(buf, 1, (size_t)n, c->log);
        fflush(c->log);
        for (ssize_t i = 0; i < n; i++)
            line_take(c, buf[i]);
    }
    if (n == 0 && c->wait_index >= 0) {
        su_root_deregister(c->root, c->wait_index);
        c->wait_index = -1;
    }
    return 0;
}

static void run(const char *program, const char *config, int err_fd)
{
    char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t) "-c", (char *)(uintptr_t)config, NULL };
    if (dup2(err_fd, STDERR_FILENO) < 0)
        _exit(126);
    execv(program, argv);
    fprintf(stderr, "%s: %s\n", program, strerror(errno));
    _exit(127);
}

poc_err child_start(child **out, su_root_t *root, const char *program, const char *config, const char *log_path)
{
    int ends[2];
    child *c = calloc(1, sizeof(*c));
    *out = NULL;
    if (c == NULL)
        return POC_E_NOMEM;
    *c = (child){ .root = root, .wait_index = -1, .err_fd = -1, .log = fopen(log_path, "ae") };
    if (c->log == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        (void)child_free(c);
        return POC_E_IO;
    }
    c->pid = fork();
    if (c->pid == 0)
        run(program, config, ends[1]);
    close(ends[1]);
    c->err_fd = ends[0];
    if (c->pid < 0 || fcntl(c->err_fd, F_SETFL, O_NONBLOCK) != 0 ||
        su_wait_create(c->wait, c->err_fd, SU_WAIT_IN) != 0 ||
        (c->wait_index = su_root_register(root, c->wait, on_readable, (su_wakeup_arg_t *)c, 0)) < 0) {
        (void)child_free(c);
        return POC_E_IO;
    }
    *out = c;
    return POC_OK;
}

bool child_is_ready(const child *c)
{
    return c->is_ready;
}

static void reap(child *c, int flags)
{
    if (c->pid > 0 && waitpid(c->pid, &c->status, flags) == c->pid)
        c->pid = 0;
}

bool child_has_ended(const child *c)
{
    child *mutable = (child *)(uintptr_t)c;
    reap(mutable, WNOHANG);
    return c->pid == 0;
}

poc_err child_disk(child *c, bool has_room)
{
    struct rlimit limit;
    if (prlimit(c->pid, RLIMIT_FSIZE, NULL, &limit) != 0)
        return POC_E_IO;
    limit.rlim_cur = has_room ? limit.rlim_max : 0;
    return prlimit(c->pid, RLIMIT_FSIZE, &limit, NULL) == 0 ? POC_OK : POC_E_IO;
}

void child_terminate(child *c)
{
    if (c->pid > 0)
        kill(c->pid, SIGTERM);
}

int child_free(child *c)
{
    if (c == NULL)
        return 0;
    reap(c, WNOHANG);
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        reap(c, 0);
    }
    if (c->err_fd >= 0)
        on_readable(NULL, NULL, (su_wakeup_arg_t *)c);
    if (c->wait_index >= 0)
        su_root_deregister(c->root, c->wait_index);
    if (c->err_fd >= 0)
        close(c->err_fd);
    if (c->log != NULL)
        fclose(c->log);
    int status = WIFEXITED(c->status) ? WEXITSTATUS(c->status) : -1;
    free(c);
    return status;
}
