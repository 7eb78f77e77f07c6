/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hostile host processes have in common: the real host process without main.c and control.c, a
 * source and destinations that are processes of their own on socket pairs, each with the real
 * runtime.
 */
#pragma once

#include <semaphore.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host/channel.h"
#include "host/enclave.h"
#include "host/host.h"

enum { HOSTILE_SESSION = 77, HOSTILE_PATIENCE_s = 20 };

/* The sockets of one move. */
struct ends {
    int source[OM_STREAM_COUNT], destination[OM_STREAM_COUNT];
};

extern const char *g_hostile_runtime;
extern struct om_move_report g_hostile_report; /* of the last move of this process */
extern sem_t g_hostile_done;                   /* posted when one has ended */
extern const struct move_callbacks g_hostile_callbacks;

_Noreturn void die(const char *what); /* status 1 */
void ends_make(struct ends *ends);
void ends_close(const int fds[OM_STREAM_COUNT]);
void hostile_enclave(const char *bundle_path); /* NULL: it obeys no policy */
void hostile_start(char **argv);
struct move_options hostile_move(enum om_mode mode, const int fds[OM_STREAM_COUNT]);
bool hostile_wait_done(unsigned seconds);
int hostile_status_of(pid_t pid); /* waits; 128 and the signal's number if it was killed */
