/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Safepoints.  A poll is one instruction that reads the poll page; without the page's read
 * permission it faults, and the fault is where the thread can be stopped.  A thread whose poll
 * faults for the sake of another one goes on behind the poll: it need not wait, and if it did, it
 * might hold what the other one needs to reach its own.
 *
 * Trusts the program with nothing: an instruction that is not a poll of the ABI is a fault like any
 * other.
 */
#include "enclave/safepoint.h"

#include <asm/unistd.h>
#include <linux/mman.h>

#include "enclave/tables.h"

static struct {
    struct lock lock;
    uint32_t armed;
    volatile uint32_t required;
    volatile uint32_t faults;
} g_safepoints;

void safepoints_require(bool on)
{
    if (on)
        g_safepoints.faults = 0;
    /* Whoever finds it set later has made its stores of before visible to the copies that follow.
     */
    __atomic_store_n(&g_safepoints.required, on, __ATOMIC_SEQ_CST);
}

bool safepoints_required(void)
{
    return __atomic_load_n(&g_safepoints.required, __ATOMIC_SEQ_CST) != 0;
}

static void protect(uint64_t prot)
{
    long error = host_syscall(__NR_mprotect, CARD_POLL_BASE, CARD_POLL_SIZE, prot, 0, 0, 0);

    om_assert(error == 0);
}

void safepoint_arm(void)
{
    lock_take(&g_safepoints.lock);
    if (g_safepoints.armed++ == 0)
        protect(PROT_NONE);
    lock_release(&g_safepoints.lock);
}

void safepoint_disarm(void)
{
    lock_take(&g_safepoints.lock);
    om_assert(g_safepoints.armed > 0);
    if (--g_safepoints.armed == 0)
        protect(PROT_READ | PROT_WRITE);
    lock_release(&g_safepoints.lock);
}

void safepoint_request(struct thread *thread)
{
    if (thread->poll_requested)
        return;
    thread->poll_requested = 1;
    safepoint_arm();
}

void safepoint_reached(struct thread *thread)
{
    if (!thread->poll_requested)
        return;
    thread->poll_requested = 0;
    safepoint_disarm();
}

/* ---- polls ---- */

/* Length of the instruction if it is a poll: one that reads memory at a fixed address and changes
 * nothing but flags.  0: it is not.
 *   84 /r       test %r8, m8         38 /r, 3a /r   cmp with m8
 *   f6 /0 ib    test $i, m8          80 /7 ib       cmp $i, m8
 * with the address as 32 bits (modrm 04, sib 25) or relative to the next instruction (modrm 05). */
static uint32_t poll_length(const uint8_t code[8])
{
    bool immediate = code[0] == 0xf6 || code[0] == 0x80;
    uint8_t operation = code[1] >> 3 & 7, form = code[1] & 0xc7;
    uint32_t length;

    if (code[0] != 0x84 && code[0] != 0x38 && code[0] != 0x3a && !immediate)
        return 0;
    if ((code[0] == 0xf6 && operation > 1) || (code[0] == 0x80 && operation != 7))
        return 0;
    if (form == 0x05)
        length = 6;
    else if (form == 0x04 && code[2] == 0x25)
        length = 7;
    else
        return 0;
    return length + immediate;
}

bool safepoint_fault(struct thread *thread, struct ucontext *uc, uint64_t address)
{
    struct sigcontext *regs = &uc->uc_mcontext;
    uint8_t code[8];
    uint32_t length;

    if (!cards_usable() || address < CARD_POLL_BASE || address >= CARD_POLL_BASE + CARD_POLL_SIZE ||
        regs->rip >= PROGRAM_END || copy_from_program(code, regs->rip, sizeof(code)))
        return false;
    length = poll_length(code);
    if (length == 0)
        return false;
    /* With something to do the thread comes back to the poll afterwards, and reads it again. */
    if (!thread->attention)
        regs->rip += length;
    return true;
}

void safepoint_fault_delivered(void)
{
    if (safepoints_required())
        __atomic_add_fetch(&g_safepoints.faults, 1, __ATOMIC_SEQ_CST);
}

uint32_t safepoint_faults(void)
{
    return safepoints_required() ? __atomic_load_n(&g_safepoints.faults, __ATOMIC_SEQ_CST) : 0;
}
