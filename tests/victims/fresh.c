/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freshness: a program that uses include/optmig.h.  Its generation never goes back, and answers the
 * hooks; what the kernel calls random never comes twice, by whichever way it is asked; what was
 * given at the start stays.
 *
 *   before_ms=50   how long a move may wait for the hook before the stop
 *   hang=1         that hook never comes back
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "include/optmig.h"
#include "tests/lib/victim.h"

enum { DRAW_bytes = 16, WAYS = 3, DRAWS_MAX = 30000, HOOK_MS = 10000 };

static struct draw {
    uint8_t bytes[DRAW_bytes];
} g_draws[DRAWS_MAX];
static unsigned g_drawn;
static int g_urandom;
static uint8_t g_at_random[DRAW_bytes];

static bool g_hang;
static _Atomic uint64_t g_told, g_told_of; /* by the hook after a move: how often, of which */
static _Atomic uint64_t g_stops;           /* hooks before a stop that came to their end */
static _Atomic uint64_t g_generation;      /* the highest seen */

static void before_stop(void *argument)
{
    (void)argument;
    while (g_hang)
        victim_sleep_ms(1000);
    atomic_fetch_add(&g_stops, 1);
}

static void after_move(uint64_t generation, void *argument)
{
    if (argument != &g_told)
        victim_fail("the hook got another argument");
    if (generation <= atomic_load(&g_told_of))
        victim_fail("the hook was told of generation %lu after %lu", generation,
                    atomic_load(&g_told_of));
    atomic_store(&g_told_of, generation);
    atomic_fetch_add(&g_told, 1);
}

static struct optmig_hooks g_hooks = {
    .before_stop = before_stop, .after_move = after_move, .argument = &g_told};

static void draw_once(unsigned way, struct draw *out)
{
    long got = way == 0   ? getrandom(out, DRAW_bytes, 0)
               : way == 1 ? syscall(SYS_getrandom, out, DRAW_bytes, 1 /* GRND_NONBLOCK */)
                          : read(g_urandom, out, DRAW_bytes);
    if (got != DRAW_bytes)
        victim_fail("way %u of asking for randomness gave %ld", way, got);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, DRAW_bytes);
}

static void check_draws(void)
{
    static struct draw sorted[DRAWS_MAX];
    memcpy(sorted, g_draws, g_drawn * sizeof *sorted);
    qsort(sorted, g_drawn, sizeof *sorted, compare);
    for (unsigned i = 1; i < g_drawn; i++)
        VICTIM_CHECK_THAT(compare(&sorted[i - 1], &sorted[i]), "a random number came twice");
    VICTIM_CHECK_THAT(!memcmp(g_at_random, (const void *)getauxval(AT_RANDOM), DRAW_bytes),
                      "AT_RANDOM has changed");
}

static void draw(void)
{
    for (unsigned way = 0; way < WAYS && g_drawn < DRAWS_MAX; way++)
        draw_once(way, &g_draws[g_drawn++]);
    uint64_t now = optmig_generation();
    VICTIM_CHECK_THAT(now >= atomic_load(&g_generation), "the generation went back to %lu", now);
    atomic_store(&g_generation, now);
}

/* Every move so far has been told, or is told soon. */
static void check_told(uint64_t generation)
{
    for (int i = 0; i < HOOK_MS && generation > 1 && atomic_load(&g_told_of) < generation; i++)
        victim_sleep_ms(1);
    VICTIM_CHECK_THAT(generation <= 1 || atomic_load(&g_told_of) == generation,
                      "the hook was told of generation %lu, not %lu", atomic_load(&g_told_of),
                      generation);
    VICTIM_CHECK_THAT(generation > 0 || (!atomic_load(&g_told) && !atomic_load(&g_stops)),
                      "a hook was called outside of OptMig");
}

static void check(void)
{
    uint64_t generation = optmig_generation();
    draw();
    check_draws();
    check_told(generation);
    victim_value("generation", "%lu", generation);
    victim_value("told", "%lu", atomic_load(&g_told));
    victim_value("stops", "%lu", atomic_load(&g_stops));
    victim_value("draws", "%u", g_drawn);
}

/* What there is to be refused, or to come back at once. */
static void check_requests(void)
{
    bool native = optmig_generation() == 0;
    errno = 0;
    VICTIM_CHECK_THAT(native ? optmig_wait_moved(1) == -1 && errno == ENOSYS
                             : optmig_wait_moved(0) == 0 && optmig_wait_moved(7) == 0,
                      "a wait for a generation that is not the present one does not come back");
    errno = 0;
    VICTIM_CHECK_THAT(prctl(OPTMIG_PRCTL, 77UL, 0UL, 0UL, 0UL) == -1 && errno == EINVAL,
                      "a request that there is none is not refused");
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_hang = victim_flag("hang");
    g_hooks.before_stop_ms = (unsigned)victim_number("before_ms", 50);
    g_urandom = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (g_urandom < 0)
        victim_abort("no /dev/urandom");
    memcpy(g_at_random, (const void *)getauxval(AT_RANDOM), DRAW_bytes);
    if (optmig_hook(&g_hooks))
        victim_abort("no threads for the hooks");
    check_requests();
    victim_ready();
    for (;;) {
        enum victim_order order = victim_poll();
        draw();
        if (order == VICTIM_GO_ON) {
            victim_sleep_ms(2);
            continue;
        }
        check();
        if (order == VICTIM_STOP)
            return victim_finish();
        victim_answer();
    }
}
