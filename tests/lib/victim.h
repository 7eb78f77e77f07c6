/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the victims share: options, orders and answers.  A victim is an ordinary program that knows
 * nothing of OptMig; it checks its own state when it is ordered to, wherever it then runs.
 *
 * Options are name=value arguments.  With dir=DIR, orders are files: DIR/check.1, DIR/check.2, ...
 * ask for a check, DIR/stop for a last check and the end; the answer is DIR/result.1, ... and
 * DIR/result.stop, written aside and renamed.  Orders are looked for by path only, so that a victim
 * holds no descriptor of its own while it waits.  Without dir= it runs for seconds=N (default 1),
 * checks twice and prints: that is the native self-test.
 *
 * An answer is lines "key=value", then "FAIL text" for each failure, then "ok" or "failed N".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum victim_order { VICTIM_GO_ON, VICTIM_CHECK, VICTIM_STOP };

void victim_begin(int argc, char **argv);

/* Options; every argument must have been asked for when victim_ready is called. */
long victim_number(const char *name, long fallback);
const char *victim_text(const char *name, const char *fallback);
bool victim_flag(const char *name);        /* name=1 */
const char *victim_path(const char *leaf); /* DIR/leaf; a static buffer per thread */

/* The state is set up and the work has begun. Makes DIR/ready. */
void victim_ready(void);
/* Is there an order?  Does not wait. */
enum victim_order victim_poll(void);
/* Waits for an order; true: check, then victim_answer; false: check and return victim_finish. */
bool victim_wait(void);
void victim_answer(void);
int victim_finish(void); /* the exit status */

/* Any thread: a line of the next answer. */
void victim_value(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));
void victim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Set-up that cannot work natively either: says so and exits with 2. */
void victim_abort(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

uint64_t victim_clock_ns(int clock_id);
void victim_sleep_ms(long ms);
uint64_t victim_mix(uint64_t x); /* splitmix64 */

#define VICTIM_CHECK_THAT(condition, ...)                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            victim_fail(__VA_ARGS__);                                                              \
    } while (0)
