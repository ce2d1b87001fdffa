/* Runs a benchmark and holds its output to the contract: every line one JSON object with name, unit, value and n. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int line_check(const char *line)
{
    json_error_t error;
    const char *name, *unit;
    double value;
    json_int_t n;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    const int good =
        object != NULL &&
        (json_object_get(object, "absent") != NULL ||
         (json_unpack(object, "{s:s, s:s, s:F, s:I}", "name", &name, "unit", &unit, "value", &value, "n", &n) == 0 &&
          (value > 0 || (value == 0 && strcmp(unit, "members") == 0)) && n > 0)); /* none at once: a busy machine */
    json_decref(object);
    if (!good)
        fprintf(stderr, "not a figure: %s", line);
    return good;
}

static FILE *start(char **argv, pid_t *pid)
{
    int ends[2];
    if (pipe(ends) != 0 || (*pid = fork()) < 0)
        return NULL;
    if (*pid == 0) {
        (void)dup2(ends[1], 1);
        (void)close(ends[0]);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(ends[1]);
    return fdopen(ends[0], "r");
}

int main(int argc, char **argv)
{
    char line[4096];
    size_t lines = 0, good = 0;
    pid_t pid;
    int status = 0;
    FILE *out = argc < 2 ? NULL : start(argv + 1, &pid);
    if (out == NULL)
        return EXIT_FAILURE;
    while (fgets(line, sizeof(line), out) != NULL) {
        lines++;
        good += (size_t)line_check(line);
    }
    (void)fclose(out);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "%s failed\n", argv[1]);
        return EXIT_FAILURE;
    }
    printf("%zu lines, %zu good\n", lines, good);
    return lines > 0 && good == lines ? EXIT_SUCCESS : EXIT_FAILURE;
}
