/* SPDX-License-Identifier: Apache-2.0 */
/* How the threads of a move find each other.  See move_role.h. */
#include "enclave/move_role.h"

static struct {
    volatile uint32_t change;                /* counts changes of the others; a futex */
    volatile uint32_t begun, serving, ended; /* numbers of moves */
    volatile uint32_t entered[HELPER_COUNT]; /* helpers so far */
    volatile uint32_t working;
    volatile uint32_t severed, users, mended; /* of the channel */
    uint8_t role;
} g_role;

static uint32_t load(const volatile uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void note_change(void)
{
    __atomic_add_fetch(&g_role.change, 1, __ATOMIC_SEQ_CST);
    futex_wake(&g_role.change, 1 << 30);
}

void move_role_begin(uint8_t role)
{
    g_role.role = role;
    __atomic_store_n(&g_role.severed, 0, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&g_role.begun, 1, __ATOMIC_SEQ_CST);
    note_change();
}

void move_role_serve(void)
{
    __atomic_store_n(&g_role.serving, g_role.begun, __ATOMIC_SEQ_CST);
    note_change();
}

bool move_role_ending(void)
{
    return load(&g_role.ended) == load(&g_role.begun);
}

void move_role_end(void)
{
    __atomic_store_n(&g_role.ended, g_role.begun, __ATOMIC_SEQ_CST);
    note_change();
    for (;;) {
        uint32_t seen = load(&g_role.change);

        if (load(&g_role.working) == 0)
            return;
        futex_wait(&g_role.change, seen, -1);
    }
}

void move_role_sever(void)
{
    __atomic_store_n(&g_role.severed, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        uint32_t seen = load(&g_role.change);

        if (load(&g_role.users) == 0)
            return;
        futex_wait(&g_role.change, seen, -1);
    }
}

void move_role_mend(void)
{
    __atomic_store_n(&g_role.severed, 0, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&g_role.mended, 1, __ATOMIC_SEQ_CST);
    note_change();
}

bool move_role_use(void)
{
    /* Announced before the look at severed: the mover either waits for this helper, or is seen. */
    __atomic_add_fetch(&g_role.users, 1, __ATOMIC_SEQ_CST);
    if (!load(&g_role.severed))
        return true;
    move_role_unuse();
    return false;
}

void move_role_unuse(void)
{
    __atomic_sub_fetch(&g_role.users, 1, __ATOMIC_SEQ_CST);
    note_change();
}

bool move_role_severed(void)
{
    return load(&g_role.severed);
}

uint32_t move_role_mended(void)
{
    return load(&g_role.mended);
}

bool move_role_wait_mended(uint32_t seen_mended)
{
    for (;;) {
        uint32_t seen = load(&g_role.change);

        if (move_role_ending())
            return false;
        if (load(&g_role.mended) != seen_mended)
            return true;
        futex_wait(&g_role.change, seen, -1);
    }
}

bool move_role_join(enum helper helper, uint8_t *out_role)
{
    uint32_t mine = __atomic_add_fetch(&g_role.entered[helper], 1, __ATOMIC_SEQ_CST);

    for (;;) {
        uint32_t seen = load(&g_role.change);

        if (load(&g_role.begun) >= mine)
            break;
        futex_wait(&g_role.change, seen, -1);
    }
    /* Announced before the look at ended: the mover either waits for this helper, or is seen. */
    __atomic_add_fetch(&g_role.working, 1, __ATOMIC_SEQ_CST);
    if (load(&g_role.ended) < mine) {
        *out_role = g_role.role;
        return true;
    }
    move_role_leave();
    return false;
}

bool move_role_wait(void)
{
    for (;;) {
        uint32_t seen = load(&g_role.change);

        if (move_role_ending())
            return false;
        if (load(&g_role.serving) == load(&g_role.begun))
            return true;
        futex_wait(&g_role.change, seen, -1);
    }
}

void move_role_leave(void)
{
    __atomic_sub_fetch(&g_role.working, 1, __ATOMIC_SEQ_CST);
    note_change();
}
