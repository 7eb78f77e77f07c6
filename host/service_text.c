/* SPDX-License-Identifier: Apache-2.0 */
/* See service.h. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/service.h"

static bool parse_prefix(const char *text, uint8_t most, uint8_t *out)
{
    unsigned long value;

    if (!*text || strlen(text) > 3 || strspn(text, "0123456789") != strlen(text))
        return false;
    value = strtoul(text, NULL, 10);
    *out = (uint8_t)value;
    return value <= most;
}

bool service_parse(const char *text, const char *device, struct om_service *out)
{
    char address[SERVICE_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);

    memset(out, 0, sizeof(*out));
    if (length >= sizeof(address) || !device[0] || strlen(device) >= sizeof(out->device))
        return false;
    memcpy(address, text, length);
    address[length] = 0;
    strcpy(out->device, device);
    out->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    out->prefix = out->family == AF_INET ? 32 : 128;
    return inet_pton(out->family, address, out->address) == 1 &&
           (!slash || parse_prefix(slash + 1, out->prefix, &out->prefix));
}

void service_format(const struct om_service *service, char *out, size_t size)
{
    char address[INET6_ADDRSTRLEN];

    if (!inet_ntop(service->family, service->address, address, sizeof(address)))
        strcpy(address, "?");
    snprintf(out, size, "%s/%u", address, service->prefix);
}
