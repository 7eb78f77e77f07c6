/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are in the address space of a host process.  Read by both sides of the boundary.
 *
 *  - PROGRAM_BASE, 64 KiB: the program: executable, libraries, heap, stacks; moves, page by page
 *  - TABLES_BASE, 832 GiB: the runtime's tables: memory map, threads, descriptors, signals; move
 * with the enclave
 *  - LOCAL_BASE, 896 GiB: the runtime's own memory: buffers, keys, bitmaps; never leaves this host
 *  - IMAGE_BASE, 960 GiB: the runtime's code and data, the same bytes everywhere: measured, never
 * sent
 *  - SHARED_BASE, 1 TiB, where ELRANGE ends: one page block that the host writes and the enclave
 * reads (clock)
 *  - above: the host process, its libc and its stacks
 *
 * ELRANGE starts at 64 KiB so that position-dependent programs (linked at 4 MiB) load where they
 * were linked.  Everything above ELRANGE_END may execute system calls; nothing below may.
 */
#pragma once

#define OM_PAGE_SIZE 4096ULL
#define OM_PAGE_SHIFT 12
#define OM_HUGE_SIZE (2ULL << 20)
#define OM_GIB (1ULL << 30)

#define ELRANGE_BASE 0x10000ULL
#define ELRANGE_END (1024 * OM_GIB)

#define PROGRAM_BASE ELRANGE_BASE
#define PROGRAM_END (832 * OM_GIB)

#define TABLES_BASE (832 * OM_GIB)
#define TABLES_SIZE (64 * OM_GIB) /* Address space, not memory: pages come as they are touched. */

#define LOCAL_BASE (896 * OM_GIB)
#define LOCAL_SIZE (64 * OM_GIB)

/* Stacks for ECALLs lie at the end of local memory. */
#define ECALL_STACK_SIZE (1ULL << 20)
#define ECALL_STACKS 16ULL
#define ECALL_STACKS_BASE (LOCAL_BASE + LOCAL_SIZE - ECALL_STACKS * ECALL_STACK_SIZE)

#define IMAGE_BASE (960 * OM_GIB)
#define IMAGE_SIZE (64 * OM_GIB)

#define SHARED_BASE ELRANGE_END
#define SHARED_SIZE 0x10000ULL
