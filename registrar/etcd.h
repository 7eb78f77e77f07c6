/* SPDX-License-Identifier: Apache-2.0 */
/* One operation on an etcd cluster (3.4 or newer, its JSON interface): set a key once, for ever. */
#pragma once

#include <stddef.h>

enum { ETCD_ENDPOINTS_MAX = 8, ETCD_VALUE_MAX = 256, ETCD_TIMEOUT_ms = 1500 };

struct etcd {
    const char *endpoints[ETCD_ENDPOINTS_MAX]; /* URLs of members; asked in this order */
    size_t endpoint_count;
    const char *ca, *certificate, *key; /* files, PEM; NULL: none */
};

/* Sets key to value unless it has one, in one transaction; what it has then goes to out_value.  0,
 * or -EIO with a reason: then nobody knows.  Any thread; each call has connections of its own. */
int etcd_set_once(const struct etcd *etcd, const char *key, const char *value,
                  char out_value[ETCD_VALUE_MAX], char *reason, size_t reason_size);
