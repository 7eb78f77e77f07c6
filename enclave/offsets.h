/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that assembly needs; thread.c asserts that they are what C says. */
#pragma once
#define SLOT_SIZE_ASM 0x20000
#define THREAD_ATTENTION_ASM 12
#define ECALL_STACKS_BASE_ASM 0xefff000000
#define SLOT_SHIFT_ASM 17
#define SLOT_FIRST_ASM 0x682000 /* SLOTS_BASE, shifted */
#define SLOT_LAST_ASM 0x682fff
#define FAST_ASM 40
