/* Small texts of SIP: addresses to listen on, and the forms Sofia wants them in. Private to pf/io. */
#ifndef PF_IO_SIP_TEXT_H
#define PF_IO_SIP_TEXT_H

#include "base/bytes.h"
#include "base/err.h"

#define SIP_URL_MAX 384u

/** "udp:HOST:PORT", "tcp:[V6]:PORT" or "tls:HOST:PORT" as the URL Sofia binds ("sip:HOST:PORT;transport=udp"). Port 0 lets
 *  the system choose. POC_E_INPUT. */
poc_err sip_text_listen_url(char out[SIP_URL_MAX], const char *entry);

#endif
