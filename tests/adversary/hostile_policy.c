/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host process that wants its enclave to forget the policy it was created with:
 *
 *   hostile-policy RUNTIME PROGRAM [ARGUMENT...]
 *
 * It orders moves and brings no policy, another operator's, a changed one, an older one, a torn
 * one, one that is too long; and it brings one to an enclave that was created without.  There is no
 * peer: what is refused is refused before the channel is touched, and the one policy that is good
 * fails at the channel.  Ends with 0 if the runtime said so each time.
 */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "attest/bundle.h"
#include "tests/adversary/hostile.h"
#include "tests/attest/forge.h"

struct brought {
    size_t length;
    uint8_t bytes[4096];
};

static void bring(struct brought *out, const char *operator, unsigned version)
{
    char text[256];
    uint8_t signature[110];
    struct attest_question none = {0};
    struct forge_key key;
    struct forged info = {0};
    size_t length;

    snprintf(
        text, sizeof(text),
        "{\"optmig-policy\":1,\"version\":%u,\"platforms\":[\"sim\"],\"sim\":{\"measurements\":"
        "[\"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\"]}}",
        version);
    forge_key(&key, KEY_P256, operator);
    forge_key_info(&info, &key);
    length = forge_sign_der(&key, span_text(text), signature);
    out->length = bundle_write(out->bytes, sizeof(out->bytes), forged_span(&info), span_text(text),
                               span_of(signature, length), &none);
    if (!out->length)
        die("no bundle");
}

static void make_enclave(const struct brought *bundle)
{
    static char path[32]; /* read again at each move */
    int file = memfd_create("bundle", 0);

    if (bundle) {
        if (file < 0 || write(file, bundle->bytes, bundle->length) != (ssize_t)bundle->length)
            die("no bundle can be written");
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    }
    hostile_enclave(bundle ? path : NULL);
}

/* The reason has to have these words. */
static void refuses(const char *what, const void *bundle, uint64_t length, const char *words)
{
    struct ecall_move move = {.session = 77, .bundle = bundle, .bundle_length = length};

    move.report.result = OM_RESULT_MOVED; /* The runtime has to say otherwise. */
    enclave_call(ECALL_move_out, &move, 1);
    printf("%s: %s\n", what, move.report.reason);
    fflush(stdout);
    if (move.report.result != OM_RESULT_REFUSED || !strstr(move.report.reason, words))
        die(what);
}

/* A move as it should be, but for sockets: so that the host's files are ready for those that
 * follow. */
static void move_in_vain(void)
{
    const struct move_options options = {.fds = {-1, -1}};

    if (enclave_move_out(&options, &g_hostile_callbacks))
        die("a move cannot begin");
    if (!hostile_wait_done(HOSTILE_PATIENCE_s))
        die("a move never ends");
}

static _Noreturn void with_policy(char **argv)
{
    static uint8_t longer[BUNDLE_MAX_bytes + 1];
    struct brought first, newer, strange, changed;
    uint8_t *version;

    bring(&first, "operator", 3);
    bring(&newer, "operator", 5);
    bring(&strange, "stranger", 9);
    changed = newer;
    version = memmem(changed.bytes, changed.length, "\"version\":5", 11);
    version[10] = '6';
    make_enclave(&first);
    hostile_start(argv);
    move_in_vain();
    refuses("no policy", NULL, 0, "its host brings none");
    refuses("another operator's", strange.bytes, strange.length, "of another key");
    refuses("torn", newer.bytes, newer.length - 1, "cut off");
    refuses("too long", longer, sizeof(longer), "longer than this enclave takes");
    refuses("of the enclave's own memory", (const void *)TABLES_BASE, 64, "host's memory");
    refuses("good", newer.bytes, newer.length, "connection");
    refuses("changed", changed.bytes, changed.length, "signature does not verify");
    refuses("older", first.bytes, first.length, "older version");
    refuses("good again", newer.bytes, newer.length, "connection");
    _exit(0);
}

static _Noreturn void without_policy(char **argv)
{
    struct brought policy;

    bring(&policy, "operator", 3);
    make_enclave(NULL);
    hostile_start(argv);
    move_in_vain();
    refuses("a policy too late", policy.bytes, policy.length, "made without a policy's key");
    _exit(0);
}

static int child(void (*act)(char **argv), char **argv)
{
    pid_t pid = fork();

    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        act(argv);
    }
    return hostile_status_of(pid);
}

int main(int argc, char **argv)
{
    int with, without;

    if (argc < 3)
        die("usage: hostile-policy RUNTIME PROGRAM [ARGUMENT...]");
    g_hostile_runtime = argv[1];
    with = child(with_policy, argv + 2);
    without = child(without_policy, argv + 2);
    printf("with a policy %d, without %d\n", with, without);
    return with || without;
}
