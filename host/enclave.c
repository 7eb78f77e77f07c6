/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the enclave: reserves ELRANGE, loads the runtime, gives it the table of calls (calls.def),
 * and runs its ECALLs.  All host threads have every signal blocked, so that the kernel gives
 * signals of the process to threads of the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/channel.h"
#include "host/clock.h"
#include "host/enclave.h"
#include "host/gate.h"
#include "host/host.h"
#include "host/image.h"
#include "host/pager.h"
#include "host/platform.h"
#include "host/receipt.h"
#include "host/registry.h"
#include "host/relay_start.h"
#include "host/service.h"
#include "host/terminal.h"
#include "host/track.h"

enum { HOST_FDS = 64, FD_LIMIT_MAX = 1 << 20, HWCAP2_FSGSBASE_BIT = 2 };

static struct {
    uint64_t entry;
    int host_fd_base;
    rlim_t nofile_soft;
    sigset_t inherited_mask;
    int log_fd;
    enum om_log_level log_level;
    enum om_tracker tracker;
    bool audit, slow_calls;
    const char *bundle_path;
} g_enclave = {.log_fd = -1};

#define OCALL(type, name, parameters) .name = host_##name,
#define ECALL(name, argument)
static const struct host_calls g_calls = {
#define host_syscall host_gate_syscall
#define host_syscall_blocking host_gate_syscall_blocking
#define host_thread_create host_gate_thread_create
#define host_thread_exit host_gate_thread_exit
#define host_sigreturn host_gate_sigreturn
#include "boundary/calls.def"
};
#undef OCALL
#undef ECALL

long enclave_call(enum ecall_number number, void *argument, unsigned stack_index)
{
    return host_gate_ecall(g_enclave.entry, number, argument, stack_index);
}

void host_log(int level, const char *text, size_t length)
{
    if (g_enclave.log_fd >= 0 && level <= (int)g_enclave.log_level)
        (void)!write(g_enclave.log_fd, text, length);
}

int host_fd_keep(int fd)
{
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, g_enclave.host_fd_base);

    if (kept >= 0)
        close(fd);
    return kept;
}

static int fail(char *reason, const char *what, const char *next)
{
    snprintf(reason, OM_REASON_MAX, "%s: %s%s", what, strerror(errno), next);
    return -1;
}

/* The program sees the soft limit that it would have; the host lives above what it can reach. */
static int reserve_fds(char *reason)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return fail(reason, "RLIMIT_NOFILE", "");
    g_enclave.nofile_soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        return fail(reason, "RLIMIT_NOFILE", "");
    if (limit.rlim_cur > FD_LIMIT_MAX)
        limit.rlim_cur = FD_LIMIT_MAX;
    if (limit.rlim_cur < 2 * HOST_FDS) {
        errno = EMFILE;
        return fail(reason, "RLIMIT_NOFILE", " (raise it to 1024 or more: ulimit -Hn)");
    }
    g_enclave.host_fd_base = (int)limit.rlim_cur - HOST_FDS;
    if (g_enclave.nofile_soft > (rlim_t)g_enclave.host_fd_base)
        g_enclave.nofile_soft = (rlim_t)g_enclave.host_fd_base;
    return 0;
}

static int reserve_elrange(char *reason)
{
    void *place = mmap((void *)ELRANGE_BASE, ELRANGE_END - ELRANGE_BASE, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (place != (void *)ELRANGE_BASE)
        return fail(reason, "cannot reserve the enclave's range of addresses",
                    " (is vm.mmap_min_addr above 65536, or a limit set on address space?)");
    if (mprotect((void *)TABLES_BASE, TABLES_SIZE, PROT_READ | PROT_WRITE) ||
        mprotect((void *)LOCAL_BASE, LOCAL_SIZE, PROT_READ | PROT_WRITE))
        return fail(reason, "cannot open the runtime's memory",
                    " (vm.overcommit_memory=2 is not supported)");
    return 0;
}

long bundle_load(void **out)
{
    struct stat status;
    int fd = g_enclave.bundle_path ? open(g_enclave.bundle_path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = -1;

    *out = NULL;
    if (!g_enclave.bundle_path)
        return 0;
    if (fd >= 0 && fstat(fd, &status) == 0 && (*out = malloc((size_t)status.st_size + 1)) != NULL)
        got = read(fd, *out, (size_t)status.st_size);
    if (got < 0)
        got = -errno;
    if (fd >= 0)
        close(fd);
    return got == 0 ? -EINVAL : got;
}

static int create(const struct enclave_options *options, const uint8_t measurement[32],
                  char *reason)
{
    struct ecall_create arg = {
        .version = OM_BOUNDARY_VERSION,
        .log_level = options->log_level,
        .calls = &g_calls,
        .host_fd_base = (uint32_t)g_enclave.host_fd_base,
        .nofile_soft = (uint32_t)g_enclave.nofile_soft,
        .process_id = (uint32_t)getpid(),
        .privileged = geteuid() == 0,
        .log_fd = g_enclave.log_fd,
        .quiet = options->quiet,
        .logged = options->logged,
        .platform = platform_created(),
        .has_fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) != 0,
        .blocking_begin = (uint64_t)host_gate_blocking_begin,
        .blocking_end = (uint64_t)host_gate_blocking_end,
        .blocking_cancel = (uint64_t)host_gate_blocking_cancel,
        .sigreturn_begin = (uint64_t)host_gate_sigreturn,
        .sigreturn_end = (uint64_t)host_gate_sigreturn_end,
        .restorer = (uint64_t)host_gate_restorer,
    };
    void *bundle = NULL;
    long error, length = bundle_load(&bundle);

    if (length < 0) {
        snprintf(reason, OM_REASON_MAX, "policy %s: %s", g_enclave.bundle_path,
                 strerror(-(int)length));
        return -1;
    }
    arg.bundle = bundle;
    arg.bundle_length = (uint64_t)length;
    snprintf(arg.name, sizeof(arg.name), "%s", options->name);
    memcpy(arg.measurement, measurement, 32);
    error = enclave_call(ECALL_create, &arg, 0);
    free(bundle);
    if (error)
        snprintf(reason, OM_REASON_MAX, "the runtime refused this host process: error %ld", -error);
    return error ? -1 : 0;
}

/* The runtime lies beside this executable unless the caller says otherwise. */
static void find_runtime(const struct enclave_options *options, char path[4096])
{
    ssize_t length;
    char *slash;

    if (options->runtime_path) {
        snprintf(path, 4096, "%s", options->runtime_path);
        return;
    }
    length = readlink("/proc/self/exe", path, 4000);
    path[length > 0 ? length : 0] = 0;
    slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "optmig-runtime");
}

int enclave_create(const struct enclave_options *options, char reason[OM_REASON_MAX])
{
    uint8_t measurement[32];
    char path[4096];
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &g_enclave.inherited_mask);
    if (reserve_fds(reason) || reserve_elrange(reason))
        return -1;
    g_enclave.log_level = options->log_level;
    g_enclave.tracker = options->tracker;
    g_enclave.audit = options->audit;
    g_enclave.slow_calls = options->slow_calls;
    g_enclave.bundle_path = options->bundle_path;
    if (options->log_fd >= 0)
        g_enclave.log_fd = fcntl(options->log_fd, F_DUPFD_CLOEXEC, g_enclave.host_fd_base);
    find_runtime(options, path);
    if (image_load(path, &g_enclave.entry, measurement, reason))
        return -1;
    if (platform_create(options->tsm_path, options->key_path, measurement, reason))
        return -1;
    if (clock_start())
        return fail(reason, "cannot start the clock", "");
    track_prepare();
    pager_prepare();
    return create(options, measurement, reason);
}

int enclave_start(const char *path, char *const argv[], char *const envp[], const char *cwd,
                  const struct om_service *services, uint32_t service_count,
                  char reason[OM_REASON_MAX])
{
    struct ecall_start arg = {
        .path = path,
        .argv = (const char *const *)argv,
        .envp = (const char *const *)envp,
        .cwd = cwd,
        .tracker = g_enclave.tracker,
        .audit = g_enclave.audit,
        .slow_calls = g_enclave.slow_calls,
        .services = services,
        .service_count = service_count,
    };

    for (int number = 1; number <= 64; number++)
        if (sigismember(&g_enclave.inherited_mask, number) == 1)
            arg.sigmask |= 1ULL << (number - 1);
    if (cwd && chdir(cwd)) {
        snprintf(reason, OM_REASON_MAX, "cannot change to %s: %s", cwd, strerror(errno));
        return -errno;
    }
    enclave_call(ECALL_start, &arg, 0);
    memcpy(reason, arg.reason, OM_REASON_MAX);
    reason[OM_REASON_MAX - 1] = 0;
    return (int)arg.result;
}

void enclave_inspect(struct ecall_inspect *out)
{
    enclave_call(ECALL_inspect, out, 15);
}

uint64_t host_now_ns(int clock_id)
{
    struct timespec t;

    clock_gettime(clock_id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What a new enclave may take: the kernel's own estimate. */
long host_memory_available(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    unsigned long kib = 0;
    char line[128];

    if (!file)
        return -errno;
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
            break;
    fclose(file);
    return kib ? (long)(kib * 1024) : -EIO;
}
