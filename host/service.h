/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service addresses of enclaves (enclave/fd_service.c says how they move): service_text.c reads and
 * writes them, service.c carries orders out, by netlink (libmnl).  Also linked into optmigd, which
 * removes what a host process leaves behind, and service_text.c into optmig.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "boundary/boundary.h"

enum { SERVICE_TEXT_MAX = 64 };

/* "10.1.0.5/24", "fd00::5/64"; without a prefix length it is one address alone. */
bool service_parse(const char *text, const char *device, struct om_service *out);
void service_format(const struct om_service *service, char *out, size_t size);

/* 0 or -errno.  Needs CAP_NET_ADMIN. */
long service_order(enum om_service_order order, const struct om_service *service);

/* Of the host process: this device takes all addresses here, whatever theirs was at the source. */
void service_set_device(const char *device);
/* The boundary call: the same, and tells the daemon what is owned. */
long host_service(enum om_service_order order, const struct om_service *service);
