/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar of starts: answers "who holds this start?" from an etcd cluster, and signs the
 * answer (docs/registry.md, protocol/claim.h).  It can set what is not set and nothing else, so
 * whoever reaches its port can claim a start, and nobody can give one away or take one back.
 */
#include <arpa/inet.h>
#include <bearssl.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "cli/arguments.h"
#include "cli/units.h"
#include "host/address.h"
#include "protocol/claim.h"
#include "registrar/etcd.h"

enum { CLIENTS_MAX = 64, CLIENT_TIMEOUT_s = 5, KEY_SIZE = 32 };

static struct {
    struct etcd etcd;
    const char *listen, *prefix, *key_path;
    uint8_t key[KEY_SIZE], point[REGISTRY_KEY_bytes];
    sem_t clients;
} g_registrar = {.prefix = "/optmig/starts/"};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "optmig-registrar: %s: %s\n", what, why);
    exit(1);
}

static _Noreturn void usage(const char *problem)
{
    fprintf(stderr, "optmig-registrar: %s; see 'optmig-registrar --help'\n", problem);
    exit(2);
}

static void to_hex(const uint8_t *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++)
        sprintf(out + 2 * i, "%02x", bytes[i]);
}

static bool from_hex(const char *text, uint8_t *out, size_t length)
{
    unsigned byte;

    for (size_t i = 0; i < length; i++) {
        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

/* ---- the key ---- */

/* Whole or not at all: a half of a key would be another one. */
static void make_key(void)
{
    char aside[4096];
    int fd;

    snprintf(aside, sizeof(aside), "%s.new", g_registrar.key_path);
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || getrandom(g_registrar.key, KEY_SIZE, 0) != KEY_SIZE ||
        write(fd, g_registrar.key, KEY_SIZE) != KEY_SIZE || fsync(fd) || close(fd) ||
        rename(aside, g_registrar.key_path))
        die(g_registrar.key_path, strerror(errno));
}

static void load_key(void)
{
    br_ec_private_key key = {BR_EC_secp256r1, g_registrar.key, KEY_SIZE};
    uint8_t buffer[BR_EC_KBUF_PUB_MAX_SIZE];
    struct stat status;
    int fd = open(g_registrar.key_path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        make_key();
    } else if (fd < 0 || fstat(fd, &status)) {
        die(g_registrar.key_path, strerror(errno));
    } else {
        if (status.st_mode & 077)
            die(g_registrar.key_path, "others may read it: chmod 600");
        if (status.st_size != KEY_SIZE || read(fd, g_registrar.key, KEY_SIZE) != KEY_SIZE)
            die(g_registrar.key_path, "not a key that optmig-registrar has made");
        close(fd);
    }
    if (br_ec_compute_pub(&br_ec_p256_m31, NULL, buffer, &key) != REGISTRY_KEY_bytes)
        die(g_registrar.key_path, "not a key of P-256");
    memcpy(g_registrar.point, buffer, REGISTRY_KEY_bytes);
}

/* ---- a question ---- */

/* The value: the holder, and for people the time and who asked. */
static void describe(const struct claim *claim, const char *peer, char out[ETCD_VALUE_MAX])
{
    char holder[65], when[32];
    time_t now = time(NULL);
    struct tm parts;

    to_hex(claim->claimant, sizeof(claim->claimant), holder);
    gmtime_r(&now, &parts);
    strftime(when, sizeof(when), "%FT%TZ", &parts);
    snprintf(out, ETCD_VALUE_MAX, "%s %s %s", holder, when, peer);
}

static void answer(const struct claim *claim, const char *peer, uint8_t out[CLAIM_ANSWER_bytes])
{
    char key[512], enclave[2 * ENCLAVE_ID_bytes + 1], value[ETCD_VALUE_MAX], held[ETCD_VALUE_MAX];
    char reason[256];
    struct claim holder = *claim;
    int error;

    to_hex(claim->enclave, sizeof(claim->enclave), enclave);
    snprintf(key, sizeof(key), "%s%s/%020llu", g_registrar.prefix, enclave,
             (unsigned long long)claim->generation);
    describe(claim, peer, value);
    error = etcd_set_once(&g_registrar.etcd, key, value, held, reason, sizeof(reason));
    if (!error && !from_hex(held, holder.claimant, sizeof(holder.claimant))) {
        snprintf(reason, sizeof(reason), "%.200s is not a claim", key);
        error = -EIO;
    }
    if (error) {
        fprintf(stderr, "optmig-registrar: %s: %s\n", key, reason);
        encode_sorry(out, reason);
        return;
    }
    fprintf(stderr, "optmig-registrar: %s: %s\n", key, strcmp(held, value) ? held : "claimed");
    if (encode_holder(out, &holder, g_registrar.key))
        die("signing", "it failed");
}

static void serve(int fd)
{
    const struct timeval limit = {.tv_sec = CLIENT_TIMEOUT_s};
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    uint8_t request[CLAIM_BODY_bytes], out[CLAIM_ANSWER_bytes];
    char peer[64] = "?";
    struct claim claim;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (!getpeername(fd, (struct sockaddr *)&address, &length))
        getnameinfo((struct sockaddr *)&address, length, peer, sizeof(peer), NULL, 0,
                    NI_NUMERICHOST);
    if (recv(fd, request, sizeof(request), MSG_WAITALL) != sizeof(request))
        return;
    if (decode_claim(request, sizeof(request), &claim))
        encode_sorry(out, "this is a registrar of starts, and that was no question to one");
    else
        answer(&claim, peer, out);
    (void)!send(fd, out, sizeof(out), MSG_NOSIGNAL);
}

static void *client(void *argument)
{
    int fd = (int)(intptr_t)argument;

    serve(fd);
    close(fd);
    sem_post(&g_registrar.clients);
    return NULL;
}

/* ---- the port ---- */

static int listen_there(void)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char host[256], port[8];
    const int yes = 1;
    int fd, error;

    address_split(g_registrar.listen, host, sizeof(host), port, sizeof(port));
    error = getaddrinfo(host, port, &hints, &list);
    if (error)
        die(g_registrar.listen, gai_strerror(error));
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
        bind(fd, list->ai_addr, list->ai_addrlen) || listen(fd, CLIENTS_MAX))
        die(g_registrar.listen, strerror(errno));
    freeaddrinfo(list);
    return fd;
}

static _Noreturn void accept_all(int port)
{
    pthread_attr_t detached;
    pthread_t thread;

    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd;

        while (sem_wait(&g_registrar.clients))
            ;
        fd = accept4(port, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && pthread_create(&thread, &detached, client, (void *)(intptr_t)fd) == 0)
            continue;
        if (fd >= 0)
            close(fd);
        sem_post(&g_registrar.clients);
    }
}

/* ---- command line ---- */

static void print_help(void)
{
    puts(
        "usage: optmig-registrar --listen ADDR:PORT --key FILE --etcd URL [OPTION...]\n"
        "       optmig-registrar --key FILE --print-policy\n"
        "\n"
        "The registrar of starts: enclaves ask it before they start a program that was moved to\n"
        "them, so that a host that is gone can be declared dead (docs/registry.md).  It keeps "
        "what\n"
        "it has granted in an etcd cluster, and signs what it says.  Several may run, with one "
        "key.\n"
        "\n"
        "  --listen ADDR:PORT  where hosts ask (optmigd --registry)\n"
        "  --key FILE          its private key, 32 bytes; made if it is not there\n"
        "  --etcd URL          a member of the cluster, as in http://10.0.0.9:2379; up to 8 times\n"
        "  --etcd-ca FILE, --etcd-cert FILE, --etcd-key FILE   for https\n"
        "  --prefix TEXT       of its keys in etcd (default /optmig/starts/)\n"
        "  --print-policy      the member of a policy that names this registry, and ends\n"
        "  --help\n"
        "\n"
        "Only registrars may be able to write below the prefix: see etcd's roles.\n"
        "Exit status: 1 it could not start, 2 wrong usage.");
}

static const struct option g_options[] = {
    {"listen", required_argument, NULL, 'l'},
    {"key", required_argument, NULL, 'k'},
    {"etcd", required_argument, NULL, 'e'},
    {"etcd-ca", required_argument, NULL, 'a'},
    {"etcd-cert", required_argument, NULL, 'c'},
    {"etcd-key", required_argument, NULL, 'K'},
    {"prefix", required_argument, NULL, 'p'},
    {"print-policy", no_argument, NULL, 'P'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void print_policy(void)
{
    char point[2 * REGISTRY_KEY_bytes + 1];

    to_hex(g_registrar.point, sizeof(g_registrar.point), point);
    printf("{\"registry\": {\"key\": \"%s\"}}\n", point);
}

static void apply(int option, bool *print)
{
    struct etcd *etcd = &g_registrar.etcd;
    char host[256], port[8];

    switch (option) {
    case 'l':
        if (!address_split(optarg, host, sizeof(host), port, sizeof(port)))
            usage("--listen: an address and a port, as in 10.0.0.9:7700");
        g_registrar.listen = optarg;
        break;
    case 'k':
        g_registrar.key_path = optarg;
        break;
    case 'e':
        if (etcd->endpoint_count == ETCD_ENDPOINTS_MAX)
            usage("--etcd: at most 8 times");
        etcd->endpoints[etcd->endpoint_count++] = optarg;
        break;
    case 'a':
        etcd->ca = optarg;
        break;
    case 'c':
        etcd->certificate = optarg;
        break;
    case 'K':
        etcd->key = optarg;
        break;
    case 'p':
        if (strlen(optarg) > 200)
            usage("--prefix: too long");
        g_registrar.prefix = optarg;
        break;
    case 'P':
        *print = true;
        break;
    case 'h':
        print_help();
        exit(0);
    default: /* arguments_next gives no others. */
        break;
    }
}

int main(int argc, char **argv)
{
    bool print = false;
    int option, port;

    while ((option = arguments_next("optmig-registrar", argc, argv, ":", g_options)) != -1)
        apply(option, &print);
    if (optind != argc)
        usage("it takes options only, no arguments");
    if (!g_registrar.key_path)
        usage("--key FILE is missing");
    load_key();
    if (print) {
        print_policy();
        return 0;
    }
    if (!g_registrar.listen || !g_registrar.etcd.endpoint_count)
        usage("--listen ADDR:PORT and --etcd URL are needed");
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    sem_init(&g_registrar.clients, 0, CLIENTS_MAX);
    port = listen_there();
    fprintf(stderr, "optmig-registrar: listens on %s\n", g_registrar.listen);
    accept_all(port);
}
