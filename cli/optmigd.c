/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmigd: the daemon of a host.  This file: command line, sockets, and the end;
 * daemon_state.c: the state directory.
 *
 * On SIGTERM or SIGINT it ends moves that can still be cancelled, stops the enclaves that it
 * started (with
 * --keep: leaves them), and goes.  Programs that run in a terminal are not stopped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/daemon.h"
#include "cli/locate.h"
#include "cli/units.h"
#include "host/address.h"
#include "host/report.h"
#include "host/tsm.h"

enum { EXIT_USAGE = 2, BUFFER_bytes = 4 << 20, BACKLOG = 128, SAME_SIGNAL_ms = 1000 };

void daemon_die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("optmigd: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    state_undo();
    exit(1);
}

void daemon_log(const struct daemon *daemon, enum om_log_level level, const char *format, ...)
{
    struct timespec now;
    struct tm parts;
    char text[1024], printable[1024], stamp[32];
    va_list list;

    if (level > daemon->options.log_level)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    strftime(stamp, sizeof(stamp), "%F %T", &parts);
    fprintf(stderr, "%s.%03ld optmigd %s: %s\n", stamp, now.tv_nsec / 1000000,
            log_level_name((int)level), units_printable(text, printable, sizeof(printable)));
}

/* ---- Command line ---- */

static void print_help(void)
{
    puts("usage: optmigd [--listen ADDR:PORT] [--state DIR] [OPTION...]\n"
         "\n"
         "The daemon of one host: runs enclaves, moves them to other hosts, takes them in.\n"
         "Platform sim, the default, isolates NOTHING.\n"
         "\n"
         "  --listen ADDR:PORT   where other daemons bring enclaves (port 0: any; default: "
         "nowhere)\n"
         "  --state DIR          control socket, key and logs (default " LOCATE_DEFAULT_STATE ")\n"
         "  --name HOSTNAME      how this host is called in reports (default: the system's name)\n"
         "  --memory-limit SIZE  refuse moves in that would need more in all (default: no limit)\n"
         "  --platform NAME      sim, or tsm: this host is a confidential VM (SEV-SNP, TDX), and "
         "its "
         "kernel\n"
         "                       vouches for the enclaves; needs --policy\n"
         "  --tsm DIR            where the kernel takes requests for reports (default\n"
         "                       " TSM_KERNEL_PATH ")\n"
         "  --policy FILE        signed policy that enclaves here obey in moves, out and in\n"
         "  --policy-key FILE    the operator's public key; with --policy\n"
         "  --policy-signature FILE  its signature (default: the policy's name with .sig)\n"
         "  --collateral PATH    certificates, revocation lists, Intel's collateral; a file or a\n"
         "                       directory, several times. All of these are read anew for each "
         "move\n"
         "  --registry ADDR:PORT the registrar of starts, which the policy names by its key\n"
         "                       (optmig-registrar --help)\n"
         "  --reconnect DURATION for how long a broken connection of a move is replaced by "
         "attempts\n"
         "                       of this host, before it waits for optmig migrate NAME --resume\n"
         "                       (default 10m)\n"
         "  --device INTERFACE   where service addresses (optmig run --address) of arriving "
         "programs\n"
         "                       are put (default: the interface of the same name as at the "
         "source)\n"
         "  --log-level LEVEL    error, warn, info (default), debug\n"
         "  --keep               leave enclaves running when the daemon ends; they can then be\n"
         "                       neither listed nor moved\n"
         "  --version, --help\n"
         "\n"
         "SIGTERM ends it: moves are cancelled where that is possible, enclaves are stopped.\n"
         "Exit status: 0 ended by a signal, 1 could not start, 2 wrong usage.\n"
         "\n"
         "Example, two hosts on one machine:\n"
         "  optmigd --listen 127.0.0.1:7701 --state /run/optmig/alpha &\n"
         "  optmigd --listen 127.0.0.1:7702 --state /run/optmig/beta &");
}

static _Noreturn void usage(const char *problem)
{
    fprintf(stderr, "optmigd: %s; see 'optmigd --help'\n", problem);
    exit(EXIT_USAGE);
}

static const struct option g_options[] = {
    {"listen", required_argument, NULL, 'l'},
    {"state", required_argument, NULL, 's'},
    {"name", required_argument, NULL, 'n'},
    {"memory-limit", required_argument, NULL, 'm'},
    {"reconnect", required_argument, NULL, 'r'},
    {"device", required_argument, NULL, 'd'},
    {"log-level", required_argument, NULL, 'v'},
    {"policy", required_argument, NULL, 'p'},
    {"platform", required_argument, NULL, 'P'},
    {"tsm", required_argument, NULL, 't'},
    {"registry", required_argument, NULL, 'g'},
    {"policy-key", required_argument, NULL, 'K'},
    {"policy-signature", required_argument, NULL, 'S'},
    {"collateral", required_argument, NULL, 'c'},
    {"keep", no_argument, NULL, 'k'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void choose_platform(struct daemon_options *options, const char *name)
{
    if (strcmp(name, "sim") && strcmp(name, "tsm"))
        usage("--platform: sim or tsm");
    if (!strcmp(name, "tsm") && !options->tsm)
        options->tsm = TSM_KERNEL_PATH;
}

static void apply_policy(struct daemon_options *options, int option)
{
    switch (option) {
    case 'p':
        options->policy = optarg;
        break;
    case 'P':
        choose_platform(options, optarg);
        break;
    case 't':
        options->tsm = optarg;
        break;
    case 'K':
        options->policy_key = optarg;
        break;
    case 'S':
        options->policy_signature = optarg;
        break;
    case 'c':
        if (options->collateral_count == COLLATERALS_MAX)
            usage("--collateral: at most 16 times");
        options->collateral[options->collateral_count++] = optarg;
        break;
    default: /* arguments_next gives no others. */
        break;
    }
}

static void apply(struct daemon_options *options, int option)
{
    char host[256], port[8];
    uint64_t microseconds;

    switch (option) {
    case 'r':
        if (!units_parse_duration(optarg, &microseconds) || microseconds / 1000 > UINT32_MAX)
            usage("--reconnect: a duration, as in 10m");
        options->reconnect_ms = microseconds / 1000;
        break;
    case 'g':
        if (!address_split(optarg, host, sizeof(host), port, sizeof(port)))
            usage("--registry: an address and a port, as in 10.0.0.9:7700");
        options->registry = optarg;
        break;
    case 'l':
        if (!address_split(optarg, host, sizeof(host), port, sizeof(port)))
            usage("--listen: an address and a port, as in 127.0.0.1:7701");
        options->listen = optarg;
        break;
    case 's':
        options->state = optarg;
        break;
    case 'n':
        options->hostname = optarg;
        break;
    case 'm':
        if (!units_parse_size(optarg, &options->memory_limit) || !options->memory_limit)
            usage("--memory-limit: a size, as in 16GiB");
        break;
    case 'd':
        if (!*optarg || strlen(optarg) >= OM_DEVICE_MAX)
            usage("--device: not the name of a network interface");
        options->device = optarg;
        break;
    case 'v':
        if (log_level_parse(optarg) < 0)
            usage("--log-level: error, warn, info or debug");
        options->log_level = (enum om_log_level)log_level_parse(optarg);
        break;
    case 'k':
        options->keep = true;
        break;
    case 'V':
        puts("optmigd " OPTMIG_VERSION);
        exit(0);
    case 'h':
        print_help();
        exit(0);
    default:
        apply_policy(options, option);
        break;
    }
}

static void parse_options(struct daemon_options *options, int argc, char **argv)
{
    int option;

    *options = (struct daemon_options){
        .state = LOCATE_DEFAULT_STATE, .log_level = OM_LOG_INFO, .reconnect_ms = 600000};
    while ((option = arguments_next("optmigd", argc, argv, ":", g_options)) != -1)
        apply(options, option);
    if (optind != argc)
        usage("it takes options only, no arguments");
    if (options->policy && !options->policy_key)
        usage("--policy: whose?  --policy-key FILE");
    if (options->tsm && !options->policy)
        usage("--platform tsm: by which policy are the others judged?  --policy FILE");
    if (options->registry && !options->policy)
        usage("--registry: a policy has to name it by its key.  --policy FILE");
    if (!options->policy &&
        (options->policy_key || options->policy_signature || options->collateral_count))
        usage("--policy-key, --policy-signature and --collateral belong to --policy FILE");
}

/* Who vouches for enclaves here; the kernel is asked once, so that what is missing is said now. */
static void set_platform(struct daemon *daemon)
{
    struct tsm_directory directory = tsm_kernel;
    char provider[TSM_PROVIDER_bytes], reason[TSM_REASON_bytes];

    daemon->platform = "sim";
    daemon->isolation = "none";
    if (!daemon->options.tsm)
        return;
    directory.path = daemon->options.tsm;
    if (tsm_provider(&directory, provider, reason))
        daemon_die("--platform tsm: %s", reason);
    daemon->isolation = "guest";
    daemon->platform = tsm_platform_name(provider);
    if (!daemon->platform)
        daemon_die("--platform tsm: reports of %s are not understood, those of sev_guest and "
                   "tdx_guest are",
                   provider);
}

static void set_hostname(struct daemon *daemon)
{
    char name[64] = "localhost";

    if (!daemon->options.hostname)
        gethostname(name, sizeof(name) - 1);
    units_printable(daemon->options.hostname ? daemon->options.hostname : name, daemon->hostname,
                    sizeof(daemon->hostname));
    strcpy(daemon->listen_address, daemon->hostname); /* Until there is an address. */
}

/* ---- Sockets ---- */

static void listen_control(struct daemon *daemon)
{
    struct sockaddr_un address;
    mode_t before;

    locate_control_socket(daemon->options.state, &address);
    daemon->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (daemon->control_fd < 0)
        daemon_die("socket: %s", strerror(errno));
    /* The lock is ours, so a socket that is there is stale, unless somebody else's program made it.
     */
    if (connect(daemon->control_fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        daemon_die("%s: something else answers there", address.sun_path);
    if (unlink(address.sun_path) && errno != ENOENT)
        daemon_die("%s: %s", address.sun_path, strerror(errno));
    before = umask(0177);
    if (bind(daemon->control_fd, (struct sockaddr *)&address, sizeof(address)) ||
        listen(daemon->control_fd, BACKLOG))
        daemon_die("%s: %s", address.sun_path, strerror(errno));
    umask(before);
    daemon->control_watch =
        watch_start(&daemon->loop, daemon->control_fd, UV_READABLE, requester_accept, daemon);
}

/* What the socket has become, for port 0. */
static void note_address(struct daemon *daemon)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (getsockname(daemon->tcp_fd, (struct sockaddr *)&address, &length) ||
        getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    snprintf(daemon->listen_address, sizeof(daemon->listen_address),
             strchr(host, ':') ? "[%.200s]:%.10s" : "%.200s:%.10s", host, port);
}

static int try_listen(const struct addrinfo *at)
{
    const int one = 1, buffer = BUFFER_bytes;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    /* Inherited by what is accepted; later would be too late for the window's scale. */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

/* What to do about it, for who has typed --listen. */
static _Noreturn void explain_listen(const char *listen_at, const char *host, const char *port,
                                     int error)
{
    if (error == -EADDRINUSE)
        daemon_die("--listen %s: port %s of %s is taken (%s); choose another, or port 0 for any; "
                   "'ss -ltnp sport = :%s' shows who has it",
                   listen_at, port, host, strerror(-error), port);
    if (error == -EADDRNOTAVAIL)
        daemon_die("--listen %s: %s is not an address of this host (%s); 'ip address' shows "
                   "those there are",
                   listen_at, host, strerror(-error));
    if (error == -EACCES)
        daemon_die("--listen %s: port %s is not allowed to this user (%s); choose one above 1023",
                   listen_at, port, strerror(-error));
    daemon_die("--listen %s: cannot listen at port %s of %s: %s", listen_at, port, host,
               strerror(-error));
}

static void listen_tcp(struct daemon *daemon)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const char *listen_at = daemon->options.listen;
    struct addrinfo *list;
    char host[256], port[8];
    int error;

    if (!listen_at)
        return;
    address_split(listen_at, host, sizeof(host), port, sizeof(port));
    error = getaddrinfo(host, port, &hints, &list);
    if (error)
        daemon_die("--listen %s: %s: %s; give an address of this host", listen_at, host,
                   gai_strerror(error));
    daemon->tcp_fd = try_listen(list);
    freeaddrinfo(list);
    if (daemon->tcp_fd < 0)
        explain_listen(listen_at, host, port, daemon->tcp_fd);
    note_address(daemon);
    daemon->tcp_watch =
        watch_start(&daemon->loop, daemon->tcp_fd, UV_READABLE, knock_accept, daemon);
}

/* ---- The end ---- */

static void close_port(struct daemon *daemon)
{
    watch_stop(&daemon->tcp_watch);
    if (daemon->tcp_fd >= 0)
        close(daemon->tcp_fd);
    daemon->tcp_fd = -1;
}

static void remove_socket(struct daemon *daemon)
{
    struct sockaddr_un address;

    watch_stop(&daemon->control_watch);
    if (daemon->control_fd >= 0 && locate_control_socket(daemon->options.state, &address))
        unlink(address.sun_path);
    if (daemon->control_fd >= 0)
        close(daemon->control_fd);
    daemon->control_fd = -1;
}

static bool is_ours(const struct enclave *enclave)
{
    return enclave_live(enclave) && !enclave->attached;
}

/* A program on its way must not be ended by a signal: that could lose it.  It is ended when it has
 * arrived, or is known to stay. */
static void stop_enclave(struct enclave *enclave)
{
    if (enclave->severed)
        return; /* It may still go on; see on_stop_timeout. */
    if (enclave->state == ENCLAVE_MOVING)
        departure_cancel(enclave);
    else if (enclave->state == ENCLAVE_RECEIVING)
        conn_send(enclave->link, json_pack("{s:s}", "order", "cancel"));
    else if (!enclave->arriving && enclave->state != ENCLAVE_LEAVING)
        enclave_signal(enclave, SIGTERM);
}

static bool in_a_move(const struct enclave *enclave)
{
    return enclave->state == ENCLAVE_MOVING || enclave->state == ENCLAVE_LEAVING ||
           enclave->state == ENCLAVE_RECEIVING || enclave->arriving;
}

static void on_stop_timeout(void *owner)
{
    struct daemon *daemon = owner;
    struct enclave *next;

    timer_stop(&daemon->stop_timer);
    daemon->stop_timer = timer_start(&daemon->loop, STOP_TIMEOUT_ms, on_stop_timeout, daemon);
    for (struct enclave *e = daemon->enclaves; e; e = next) {
        next = e->next;
        if (e->severed && e->link && (is_ours(e) || e->departure)) {
            daemon_log(daemon, OM_LOG_WARN, "%s: its move cannot go on without this daemon",
                       e->name);
            conn_send(e->link, json_pack("{s:s}", "order", "gone"));
            continue;
        }
        if (!is_ours(e) || in_a_move(e))
            continue;
        daemon_log(daemon, OM_LOG_WARN, "%s: did not end in time, killed", e->name);
        enclave_signal(e, SIGKILL);
    }
}

void daemon_enclave_ended(struct daemon *daemon)
{
    if (!daemon->stopping)
        return;
    for (struct enclave *e = daemon->enclaves; e; e = e->next)
        if (is_ours(e) || e->departure)
            return;
    uv_stop(&daemon->loop);
}

void daemon_enclave_settled(struct enclave *enclave)
{
    if (enclave->daemon->stopping && is_ours(enclave) && !in_a_move(enclave))
        enclave_signal(enclave, SIGTERM);
    daemon_enclave_ended(enclave->daemon);
}

/* Its connections may break, and then the source comes once more. */
static bool anybody_arrives(const struct daemon *daemon)
{
    for (const struct enclave *e = daemon->enclaves; e; e = e->next)
        if (e->arriving || e->severed)
            return true;
    return false;
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct daemon *daemon = handle->data;
    struct enclave *next;

    if (daemon->stopping && uv_now(&daemon->loop) - daemon->stop_begun < SAME_SIGNAL_ms)
        return; /* Once to the process and once to its group, as timeout(1) does. */
    if (daemon->stopping || daemon->options.keep) {
        daemon_log(daemon, OM_LOG_WARN, "signal %d: ends, and leaves enclaves as they are", signal);
        uv_stop(&daemon->loop);
        return;
    }
    daemon_log(daemon, OM_LOG_INFO, "signal %d: stops enclaves and ends", signal);
    daemon->stopping = true;
    daemon->stop_begun = uv_now(&daemon->loop);
    remove_socket(daemon);
    if (!anybody_arrives(daemon))
        close_port(daemon);
    daemon->stop_timer = timer_start(&daemon->loop, STOP_TIMEOUT_ms, on_stop_timeout, daemon);
    for (struct enclave *e = daemon->enclaves; e; e = next) {
        next = e->next;
        if (is_ours(e) || e->departure)
            stop_enclave(e);
    }
    daemon_enclave_ended(daemon);
}

static void watch_signals(struct daemon *daemon)
{
    static const int signals[] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        uv_signal_start(&daemon->signals[i], on_signal, signals[i]);
    }
    signal(SIGPIPE, SIG_IGN);
}

/* Gives everything back, so that a leak checker has something to say. */
static void clean_up(struct daemon *daemon)
{
    remove_socket(daemon);
    close_port(daemon);
    arrivals_free(daemon);
    timer_stop(&daemon->stop_timer);
    while (daemon->requesters)
        requester_free(daemon->requesters);
    while (daemon->enclaves)
        enclave_free(daemon->enclaves);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&daemon->signals[i], NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
    if (ftruncate(daemon->lock_fd, 0) == 0)
        close(daemon->lock_fd);
}

/* A socket or file in the place of stderr would get what is said there. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    static struct daemon daemon = {.control_fd = -1, .tcp_fd = -1};

    fill_standard_descriptors();
    parse_options(&daemon.options, argc, argv);
    /* Nothing that the daemon was started with may reach an enclave by accident. */
    close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    if (!locate_host_program(daemon.host_program, sizeof(daemon.host_program)))
        daemon_die(
            "%s: cannot be executed; it is built and installed together with optmigd, or named "
            "by OPTMIG_HOST_PROGRAM",
            daemon.host_program);
    state_open(&daemon);
    set_platform(&daemon);
    policy_start(&daemon);
    set_hostname(&daemon);
    uv_loop_init(&daemon.loop);
    watch_signals(&daemon);
    listen_tcp(&daemon);
    listen_control(&daemon);
    state_keep();
    fprintf(stderr, "optmigd: platform %s: %s\n", daemon.platform,
            units_isolation_warning(daemon.platform));
    daemon_log(&daemon, OM_LOG_INFO, "%s: control %s/control.sock, moves in %s", daemon.hostname,
               daemon.options.state, daemon.options.listen ? daemon.listen_address : "none");
    uv_run(&daemon.loop, UV_RUN_DEFAULT);
    clean_up(&daemon);
    return 0;
}
