/* Ports of this machine for a test that starts servers. */
#ifndef TESTS_SUPPORT_PORTS_H
#define TESTS_SUPPORT_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST_PORTS_MAX 8u

/** `n` different ports that nobody has on 127.0.0.1 now: bound to learn them, then let go. False when there are none. */
bool test_free_ports(uint16_t *port, size_t n);

#endif
