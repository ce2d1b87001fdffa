/* Ports of this machine for a test that starts servers. */
#ifndef TESTS_SUPPORT_PORTS_H
#define TESTS_SUPPORT_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** `n` different ports that nobody has on 127.0.0.1 now, neither TCP nor UDP, and that the kernel gives nobody by chance.
 *  False when there are none. */
bool test_free_ports(uint16_t *port, size_t n);

#endif
