#include "tests/support/ports.h"

#include <netinet/in.h>
#include <unistd.h>

/* A socket bound to a port of the kernel's choice, or -1. */
static int bind_any(uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&at, n) != 0 || getsockname(fd, (struct sockaddr *)&at, &n) != 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(at.sin_port);
    return fd;
}

bool test_free_ports(uint16_t *port, size_t n)
{
    int fd[TEST_PORTS_MAX];
    size_t bound = 0;
    while (bound < n && bound < TEST_PORTS_MAX && (fd[bound] = bind_any(&port[bound])) >= 0)
        bound++;
    for (size_t i = 0; i < bound; i++)
        close(fd[i]);
    return bound == n;
}
