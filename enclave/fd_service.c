/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service addresses: addresses of a network interface that belong to the program, not to a host
 * (optmig run --address).  They move with it, so that its connections and listeners do:
 *
 *   source, shared         connections are closed without a word (fd_tcp.c); the address leaves the
 *                          interface, so nobody answers for it
 *   destination, restored  the address is there, and sockets are bound to it; nothing is said yet
 *   destination, released  after the start token: gratuitous ARP or an unsolicited neighbour
 *                          advertisement tells the network where it is now
 *
 * If the move fails the destination gives it up and the source takes it again, and says so.  Where
 * source and destination are in one network namespace (tests), the destination leaves giving up to
 * the source.
 *
 * The host carries it out, since it owns the interfaces; it could as well forge what it likes, and
 * for the enclave the network is not trusted anyway.
 *
 * In the description: u8 count, and each u8 family, u8 prefix, u8[16] address, u8[16] device.
 */
#include <linux/in.h>
#include <linux/in6.h>

#include "enclave/fd_internal.h"
#include "protocol/wire.h"

/* What the source has told, at the destination; the table that arrives later says the same. */
static struct {
    struct om_service services[OM_SERVICES_MAX];
    uint32_t count;
    bool same_network, taken;
} g_told;

static bool is_terminated(const char device[OM_DEVICE_MAX])
{
    for (int i = 0; i < OM_DEVICE_MAX; i++)
        if (!device[i])
            return i > 0;
    return false;
}

static bool is_good(const struct om_service *service)
{
    const uint32_t bits = service->family == FAMILY_INET ? 32 : 128;

    return (service->family == FAMILY_INET || service->family == FAMILY_INET6) &&
           service->prefix <= bits && is_terminated(service->device);
}

static void service_text(const struct om_service *service, char *out, size_t capacity)
{
    struct fd_address address = {0};
    struct sockaddr_in in = {.sin_family = FAMILY_INET};
    struct sockaddr_in6 in6 = {.sin6_family = FAMILY_INET6};
    size_t length;

    if (service->family == FAMILY_INET) {
        memcpy(&in.sin_addr, service->address, sizeof(in.sin_addr));
        memcpy(address.bytes, &in, sizeof(in));
        address.length = sizeof(in);
    } else {
        memcpy(&in6.sin6_addr, service->address, sizeof(in6.sin6_addr));
        memcpy(address.bytes, &in6, sizeof(in6));
        address.length = sizeof(in6);
    }
    fd_address_text(&address, out, capacity);
    length = strlen(out);
    if (length > 2) /* without the port, which is 0 */
        out[length - 2] = 0;
}

static long order(enum om_service_order what, const struct om_service *service)
{
    struct om_service outside = *service; /* what the host reads is not the table */

    return g_host.service(what, &outside);
}

static long refuse(const struct om_service *service, long error, struct fd_obstacle *out)
{
    char text[FD_NAME_bytes];
    const char *why = error == -ENODEV
                          ? "has no such network interface (optmigd --device names one)"
                      : error == -EPERM    ? "may not change network interfaces (CAP_NET_ADMIN)"
                      : error == -ENETDOWN ? "has it down"
                                           : "cannot take it";

    service_text(service, text, sizeof(text));
    return fd_refuse(out, -1, error, "service address %s on %s: the destination %s (error %ld)",
                     text, service->device, why, -error);
}

long fd_services_begin(const struct om_service *untrusted, uint32_t count, char *out_reason,
                       size_t capacity)
{
    struct fd_state *state = fd_state();
    char text[FD_NAME_bytes];

    if (count > OM_SERVICES_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        struct om_service *service = &state->services[i];
        long error;

        *service = untrusted[i];
        error = is_good(service) ? order(OM_SERVICE_OWN, service) : -EINVAL;
        if (!error)
            error = order(OM_SERVICE_TAKE, service);
        if (error) {
            service->device[OM_DEVICE_MAX - 1] = 0;
            service_text(service, text, sizeof(text));
            str_format(out_reason, capacity, "address %s cannot be had on %s: %s (error %ld)", text,
                       service->device,
                       error == -ENODEV  ? "there is no such network interface"
                       : error == -EPERM ? "that needs CAP_NET_ADMIN (root)"
                                         : "the kernel refuses",
                       -error);
            return error;
        }
        state->service_count = i + 1;
        order(OM_SERVICE_ANNOUNCE, service);
    }
    return 0;
}

/* ---- the description ---- */

void fd_services_describe(struct wire *to)
{
    const struct fd_state *state = fd_state();

    wire_put_u8(to, (uint8_t)state->service_count);
    for (uint32_t i = 0; i < state->service_count; i++) {
        wire_put_u8(to, state->services[i].family);
        wire_put_u8(to, state->services[i].prefix);
        wire_put_bytes(to, state->services[i].address, sizeof(state->services[i].address));
        wire_put_bytes(to, state->services[i].device, sizeof(state->services[i].device));
    }
}

static bool take_description(struct wire *from, struct om_service *out)
{
    out->family = wire_take_u8(from);
    out->prefix = wire_take_u8(from);
    wire_take_bytes(from, out->address, sizeof(out->address));
    wire_take_bytes(from, out->device, sizeof(out->device));
    return !from->failed && is_good(out);
}

long fd_services_check(struct wire *from, bool same_network, struct fd_obstacle *out)
{
    uint32_t count = wire_take_u8(from);
    long result = 0;

    memset(&g_told, 0, sizeof(g_told));
    if (from->failed)
        return fd_refuse(out, -1, -EINVAL, "the description of descriptors is malformed");
    g_told.same_network = same_network;
    for (uint32_t i = 0; i < count; i++) {
        struct om_service *service = &g_told.services[i];
        long error;

        if (i == OM_SERVICES_MAX || !take_description(from, service)) {
            from->failed = true;
            return fd_refuse(out, -1, -EINVAL, "the description of descriptors is malformed");
        }
        g_told.count = i + 1;
        error = order(OM_SERVICE_CHECK, service);
        if (error)
            result = refuse(service, error, out);
    }
    return result;
}

bool fd_service_arrives(const struct fd_address *address)
{
    size_t length;
    const uint8_t *host = fd_address_host(address, &length);

    for (uint32_t i = 0; length && i < g_told.count; i++)
        if (g_told.services[i].family == fd_address_family(address) &&
            memcmp(g_told.services[i].address, host, length) == 0)
            return true;
    return false;
}

/* ---- switchover ---- */

void fd_services_leave(void)
{
    const struct fd_state *state = fd_state();

    for (uint32_t i = 0; i < state->service_count; i++) {
        order(OM_SERVICE_DISOWN, &state->services[i]);
        order(OM_SERVICE_LEAVE, &state->services[i]);
    }
}

long fd_services_take(struct fd_obstacle *out)
{
    struct fd_state *state = fd_state();

    if (state->service_count > OM_SERVICES_MAX)
        return fd_refuse(out, -1, -EINVAL, "the list of service addresses makes no sense");
    for (uint32_t i = 0; i < state->service_count; i++) {
        const struct om_service *service = &state->services[i];
        long error = is_good(service) ? 0 : -EINVAL;

        if (!error && !g_told.same_network)
            error = order(OM_SERVICE_OWN, service);
        if (!error)
            error = order(OM_SERVICE_TAKE, service);
        if (error)
            return refuse(service, error, out);
        g_told.taken = true;
    }
    return 0;
}

void fd_services_release(void)
{
    const struct fd_state *state = fd_state();

    for (uint32_t i = 0; i < state->service_count; i++) {
        order(OM_SERVICE_OWN, &state->services[i]);
        order(OM_SERVICE_ANNOUNCE, &state->services[i]);
    }
}

void fd_services_abandon(void)
{
    if (g_told.taken && !g_told.same_network)
        fd_services_leave();
}
