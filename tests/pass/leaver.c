/* SPDX-License-Identifier: Apache-2.0 */
/* leaver BEGUN: a thread unmaps the stack that it stands on and lives on, as a detached one does
 * for an instant; a piece of what it left is used for something else.  Makes BEGUN, and ends with 0
 * when that is gone. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PIECE = 2 * PAGE, DEPTH = 64 * 1024 };

static void *g_stack;
static size_t g_size;
static char *volatile g_here;

/* munmap, then pause. */
static void *leave(void *unused)
{
    char deep[DEPTH];
    pthread_attr_t attributes;

    (void)unused;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &g_stack, &g_size);
    g_here = (char *)((uintptr_t)deep & -(uintptr_t)PAGE) - PAGE; /* the stack pointer is in it */
    __asm__ volatile("syscall\n movl $34, %%eax\n syscall\n ud2"
                     :
                     : "a"(11L), "D"(g_stack), "S"(g_size + PAGE - 1 & -(size_t)PAGE), "r"(deep)
                     : "rcx", "r11");
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned char there[2];
    pthread_t thread;
    char *piece;

    if (argc != 2 || pthread_create(&thread, NULL, leave, NULL))
        return 2;
    while (!g_here || !mincore(g_here, PIECE, there))
        usleep(1000);
    piece =
        mmap(g_here, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (piece != g_here)
        return 3;
    memset(piece, 7, PIECE);
    close(open(argv[1], O_CREAT | O_WRONLY, 0600));
    while (!access(argv[1], F_OK)) {
        for (int i = 0; i < PIECE; i++)
            if (piece[i] != 7)
                return 4;
        usleep(1000);
    }
    return 0;
}
