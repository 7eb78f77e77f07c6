/* SPDX-License-Identifier: Apache-2.0 */
/* The boundary call `service`: the host process's side. */
#include <stdio.h>
#include <string.h>

#include "host/host.h"
#include "host/service.h"

static char g_device[OM_DEVICE_MAX];

void service_set_device(const char *device)
{
    snprintf(g_device, sizeof(g_device), "%s", device);
}

long host_service(enum om_service_order order, const struct om_service *service)
{
    struct om_service here = *service;

    if (g_device[0])
        memcpy(here.device, g_device, sizeof(here.device));
    if (order == OM_SERVICE_OWN || order == OM_SERVICE_DISOWN)
        control_own_service(&here, order == OM_SERVICE_OWN);
    return service_order(order, &here);
}
