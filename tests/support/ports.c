#include "tests/support/ports.h"

#include <netinet/in.h>
#include <unistd.h>

/* Above the ports that the kernel gives to those who want any (Linux: 32768 to 60999): between finding a port free and its use
 * by a server that is yet to start, or is started again, nobody gets it by chance. */
enum { FIRST = 61000, COUNT = 4480, SPREAD = 97 };

#define LOOPBACK    INADDR_LOOPBACK
#define RESERVATION 0x7FFFFFFEu /* 127.255.255.254, where no test has a server */

/* A socket with this address, or -1. */
static int bound(int type, uint32_t address, uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool is_free(int type, uint16_t port)
{
    int fd = bound(type, LOOPBACK, port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool test_free_ports(uint16_t *port, size_t n)
{
    static unsigned asked;
    unsigned start = (unsigned)getpid() * SPREAD;
    size_t found = 0;
    for (unsigned tries = 0; found < n && tries < COUNT; tries++) {
        port[found] = (uint16_t)(FIRST + (start + asked++) % COUNT);
        /* The reservation stands until this process ends: other tests that run beside it see it. */
        int reservation = bound(SOCK_DGRAM, RESERVATION, port[found]);
        if (reservation >= 0 && is_free(SOCK_STREAM, port[found]) && is_free(SOCK_DGRAM, port[found]))
            found++;
        else if (reservation >= 0)
            close(reservation);
    }
    return found == n;
}
