#include "tests/unit/ctl/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 20

const poc_span nothing = { (const uint8_t *)"", 0 };

static outcome o;

static void slurp(FILE *f, char *out, size_t cap)
{
    rewind(f);
    out[fread(out, 1, cap - 1, f)] = '\0';
    (void)fclose(f);
}

outcome *ctl(poc_span input, const char *words)
{
    FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
    char copy[4096], *argv[ARGS_MAX + 2] = { (char *)(uintptr_t)POCPFCTL };
    int raw = 0;
    json_decref(o.json);
    assert_true(snprintf(copy, sizeof(copy), "%s", words) < (int)sizeof(copy));
    char *rest = copy;
    for (size_t i = 1; i <= ARGS_MAX && (argv[i] = strtok_r(rest, " ", &rest)) != NULL; i++)
        ;
    assert_int_equal(fwrite(input.p, 1, input.n, in), input.n);
    rewind(in);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (dup2(fileno(in), 0) < 0 || dup2(fileno(out), 1) < 0 || dup2(fileno(err), 2) < 0)
            _exit(99);
        execv(POCPFCTL, argv);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &raw, 0), pid);
    assert_true(WIFEXITED(raw));
    (void)fclose(in);
    slurp(out, o.out, sizeof(o.out));
    slurp(err, o.err, sizeof(o.err));
    o.status = WEXITSTATUS(raw);
    o.json = json_loads(o.out, 0, NULL);
    return &o;
}

void ctl_forget(void)
{
    json_decref(o.json);
    o.json = NULL;
}

const char *member(const outcome *of, const char *name)
{
    return json_string_value(json_object_get(of->json, name));
}
