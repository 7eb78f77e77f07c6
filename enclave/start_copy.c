/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See start_copy.h.  The host may change its memory at any time: each byte of it is read once.  How
 * much a program may be given is the loader's to say; the limits here are only above that.
 */
#include "enclave/start_copy.h"

enum {
    STRINGS_bytes = 2 << 20,
    POINTERS_MAX = 16385 /* and NULL; loader_stack.c takes one less */
};

struct copy {
    char *strings;
    size_t used;
};

static long copy_string(struct copy *copy, const char *untrusted, const char **out)
{
    *out = copy->strings + copy->used;
    while (copy->used < STRINGS_bytes) {
        char c;

        if (!is_of_host(untrusted, 1))
            return -EFAULT;
        c = *(const volatile char *)untrusted++;
        copy->strings[copy->used++] = c;
        if (c == 0)
            return 0;
    }
    return -E2BIG;
}

static long copy_list(struct copy *copy, const char *const *untrusted, const char *const **out)
{
    const char **list = local_alloc((POINTERS_MAX + 1) * sizeof(*list));

    *out = list;
    for (uint32_t i = 0; i < POINTERS_MAX; i++) {
        const char *string;
        long error;

        if (!is_of_host(untrusted + i, sizeof(*untrusted)))
            return -EFAULT;
        string = *(const char *const volatile *)(untrusted + i);
        if (!string)
            return 0; /* The list ends in zeroes: local memory is. */
        error = copy_string(copy, string, &list[i]);
        if (error)
            return error;
    }
    return -E2BIG;
}

static long copy_services(struct ecall_start *out)
{
    struct om_service *services;
    size_t length = out->service_count * sizeof(*services);

    if (out->service_count > OM_SERVICES_MAX)
        return -EINVAL;
    if (!out->service_count)
        return 0;
    if (!is_of_host(out->services, length))
        return -EFAULT;
    services = local_alloc(length);
    memcpy(services, out->services, length);
    out->services = services;
    return 0;
}

long start_copy(const struct ecall_start *untrusted, struct ecall_start *out)
{
    struct copy copy = {local_alloc(STRINGS_bytes), 0};
    const char *path;
    long error;

    *out = *untrusted;
    out->reason[0] = 0;
    path = out->path;
    error = copy_string(&copy, path, &out->path);
    if (!error)
        error = copy_list(&copy, out->argv, &out->argv);
    if (!error)
        error = copy_list(&copy, out->envp, &out->envp);
    return error ? error : copy_services(out);
}
