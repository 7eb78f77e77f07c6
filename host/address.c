/* SPDX-License-Identifier: Apache-2.0 */
/* See address.h. */
#include "host/address.h"

#include <stdlib.h>
#include <string.h>

bool address_split(const char *text, char *out_host, size_t host_size, char *out_port,
                   size_t port_size)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t length;

    if (!colon)
        return false;
    length = (size_t)(colon - text);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (memchr(host, ':', length)) {
        return false; /* An IPv6 address needs its brackets. */
    }
    if (!length || length >= host_size || !colon[1] || strlen(colon + 1) >= port_size ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || atol(colon + 1) > 65535)
        return false;
    memcpy(out_host, host, length);
    out_host[length] = 0;
    strcpy(out_port, colon + 1);
    return true;
}
