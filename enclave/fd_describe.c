/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the destination must have: written by fd_prepare while the program runs, read by fd_check.
 * Both are here, so that the layout is in one place.  Little-endian:
 *
 *   u32 version   u32 numbers needed   u8[80] machine   services (fd_service.c)   then items until
 * the end, each u8 kind   i32 fd   u16 length of the text   text   and FILE     u32 flags, u32
 * type, u64 device, u64 inode, u64 size, u64 offset, u8 how, u8[32] digest CWD      nothing ADDRESS
 * u32 domain, u32 type, u32 protocol   (the text is the socket address) UNIX     nothing (the text
 * is the path of the socket's file) CONNECTION   u8 length, the peer's address   (the text is the
 * address at this side)
 *
 * The digest is SHA-256 of the first MiB.  On the machine of the source, files that are the very
 * same ones are not compared, and ports that the source holds are not tried.
 */
#include <asm/socket.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/stat.h>

#include <bearssl.h>

#include "enclave/fd_internal.h"
#include "protocol/wire.h"

enum {
    DESCRIPTION_VERSION = 999,
    MACHINE_bytes = 80,
    DIGEST_bytes = 32,
    DIGESTED_bytes = 1 << 20,
    BOOT_ID_bytes = 40,
};

enum item_kind { ITEM_FILE = 1, ITEM_CWD, ITEM_ADDRESS, ITEM_UNIX, ITEM_CONNECTION };

enum compare_how {
    COMPARE_NOTHING, /* devices, directories, O_PATH */
    COMPARE_LENGTH,  /* at least as long as the offset: the program writes to it */
    COMPARE_DIGEST,
};

struct item_file {
    uint32_t flags, type;
    uint64_t device, inode, size, offset;
    uint8_t how; /* enum compare_how */
    uint8_t digest[DIGEST_bytes];
};

static char g_boot_id[BOOT_ID_bytes];
static struct fd_address g_told;   /* is_known_address */
static uint8_t g_chunk[64 * 1024]; /* of a file being digested; only the mover does that */

/* ---- where we are ---- */

/* Of this runtime instance, so it is not among the tables: a moved one has to ask again. */
void fd_describe_machine(void)
{
    char text[BOOT_ID_bytes];

    if (g_boot_id[0])
        return;
    if (fd_read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text)) > 0)
        str_copy(g_boot_id, text, sizeof(g_boot_id));
}

/* The running kernel and the network namespace. */
static void machine_text(char out[MACHINE_bytes])
{
    memset(out, 0, MACHINE_bytes);
    str_copy(out, g_boot_id, BOOT_ID_bytes);
    fd_kernel(__NR_readlink, fd_address_of("/proc/self/ns/net"), fd_address_of(out + BOOT_ID_bytes),
              MACHINE_bytes - BOOT_ID_bytes - 1, 0);
}

static long digest_head(int32_t fd, uint64_t size, uint8_t out[DIGEST_bytes])
{
    br_sha256_context context;
    uint64_t left = OM_MIN(size, (uint64_t)DIGESTED_bytes), at = 0;

    br_sha256_init(&context);
    while (left > 0) {
        long got = fd_kernel(__NR_pread64, (uint64_t)fd, fd_address_of(g_chunk),
                             OM_MIN(left, sizeof(g_chunk)), at);

        if (got < 0)
            return got;
        if (got == 0)
            break; /* shorter than it said: then the digest is of what is there */
        br_sha256_update(&context, g_chunk, (size_t)got);
        at += (uint64_t)got;
        left -= OM_MIN(left, (uint64_t)got);
    }
    br_sha256_out(&context, out);
    return 0;
}

/* ---- the source ---- */

static void put_head(struct wire *to, enum item_kind kind, int32_t fd, const void *text,
                     size_t length)
{
    wire_put_u8(to, (uint8_t)kind);
    wire_put_u32(to, (uint32_t)fd);
    wire_put_u16(to, (uint16_t)length);
    wire_put_bytes(to, text, length);
}

static void put_file(struct wire *to, const struct open_file *file, const char *path,
                     const struct item_file *item)
{
    put_head(to, ITEM_FILE, file->fd, path, strlen(path));
    wire_put_u32(to, item->flags);
    wire_put_u32(to, item->type);
    wire_put_u64(to, item->device);
    wire_put_u64(to, item->inode);
    wire_put_u64(to, item->size);
    wire_put_u64(to, item->offset);
    wire_put_u8(to, item->how);
    wire_put_bytes(to, item->digest, DIGEST_bytes);
}

/* Does the program write to this file, by this descriptor or another one?  Locked. */
static bool is_written(const struct open_file *file)
{
    const struct fd_state *state = fd_state();

    if ((file->flags & O_ACCMODE) != O_RDONLY)
        return true;
    for (uint32_t i = 1; i <= state->file_pool.used; i++) {
        const struct open_file *other = &state->files[i];

        if (other->kind == FD_FILE && other->plain.inode == file->plain.inode &&
            other->plain.device == file->plain.device && (other->flags & O_ACCMODE) != O_RDONLY)
            return true;
    }
    return false;
}

/* Keeps what was found out, if the open file is still the same one. */
static void keep_plain(uint32_t index, const struct open_file *found, const char *path)
{
    struct open_file *file = fd_file_at(index);

    if (file->generation != found->generation || !file->entries)
        return;
    if (found->kind == FD_STDIO) {
        file->kind = FD_STDIO;
        file->stdio = found->stdio;
        return;
    }
    file->kind = found->kind;
    file->plain.type = found->plain.type;
    file->plain.device = found->plain.device;
    file->plain.inode = found->plain.inode;
    file->plain.path = fd_path_keep(path);
}

/* The program closes and opens meanwhile.  It takes the record away before it closes, so what the
 * kernel has said of the number is of this file if its record is here still. */
static bool is_still_there(uint32_t index, const struct open_file *found)
{
    const struct open_file *now = fd_file_at(index);
    bool same;

    lock_take(&fd_state()->lock);
    same =
        now->entries && now->generation == found->generation && fd_find((uint64_t)found->fd) == now;
    lock_release(&fd_state()->lock);
    return same;
}

static long describe_plain(struct wire *to, uint32_t index, struct open_file *file,
                           struct fd_obstacle *out)
{
    char path[PATH_bytes];
    struct item_file item = {.flags = file->flags, .how = COMPARE_NOTHING};
    long error = fd_plain_look(file->fd, file, path, out);

    if (!is_still_there(index, file))
        return 0; /* and what was looked at may be another file, or half of one */
    if (error)
        return error;
    lock_take(&fd_state()->lock);
    keep_plain(index, file, path);
    if (file->plain.type == S_IFREG && !(file->flags & O_PATH))
        item.how = is_written(file) ? COMPARE_LENGTH : COMPARE_DIGEST;
    lock_release(&fd_state()->lock);
    if (file->kind == FD_STDIO || file->plain.keeps)
        return 0;
    item.type = file->plain.type;
    item.device = file->plain.device;
    item.inode = file->plain.inode;
    item.size = file->plain.size;
    if (item.how == COMPARE_LENGTH) {
        long offset = fd_kernel(__NR_lseek, (uint64_t)file->fd, 0, SEEK_CUR, 0);

        item.offset = offset < 0 ? 0 : OM_MIN((uint64_t)offset, item.size);
    } else if (item.how == COMPARE_DIGEST && digest_head(file->fd, item.size, item.digest) != 0) {
        item.how = COMPARE_NOTHING; /* directories of /proc and the like: read, but not so */
    }
    put_file(to, file, path, &item);
    return 0;
}

static void describe_unix(struct wire *to, uint32_t index, const struct open_file *file,
                          const char *name)
{
    char path[PATH_bytes + FD_ADDRESS_bytes] = "";
    struct stat status;
    struct open_file *record = fd_file_at(index);

    if (name[0] != '/' && fd_kernel(__NR_getcwd, fd_address_of(path), PATH_bytes, 0, 0) > 0)
        str_copy(path + strlen(path), "/", 2);
    str_copy(path + strlen(path), name, FD_ADDRESS_bytes);
    if (fd_kernel(__NR_stat, fd_address_of(path), fd_address_of(&status), 0, 0) == 0) {
        lock_take(&fd_state()->lock);
        if (record->generation == file->generation)
            record->socket.path_mode = status.st_mode & 07777;
        lock_release(&fd_state()->lock);
    }
    put_head(to, ITEM_UNIX, file->fd, path, strlen(path));
}

/* Addresses that the program chose; one that the kernel chose is not worth a refusal. */
static void describe_socket(struct wire *to, uint32_t index, const struct open_file *file)
{
    const struct fd_socket *socket = &file->socket;
    struct fd_address local;
    char path[FD_ADDRESS_bytes];

    if (!socket->bound || (file->kind == FD_SOCKET && fd_socket_is_connection(socket) &&
                           socket->state != SOCKET_FRESH))
        return;
    fd_socket_local(file->fd, &local);
    if (!fd_address_is_name(&local))
        return;
    fd_address_path(&local, path);
    if (path[0]) {
        describe_unix(to, index, file, path);
    } else if (fd_socket_is_inet(socket)) {
        put_head(to, ITEM_ADDRESS, file->fd, local.bytes, local.length);
        wire_put_u32(to, (uint32_t)socket->domain);
        wire_put_u32(to, (uint32_t)socket->type);
        wire_put_u32(to, (uint32_t)socket->protocol);
    }
}

/* Connections of one listener have one address: it is told once. */
static bool is_known_address(const struct fd_address *local, const struct fd_address *peer)
{
    struct fd_address now = *local;

    if (fd_address_is_loopback(peer))
        return false;
    fd_address_set_port(&now, 0);
    if (now.length == g_told.length && memcmp(now.bytes, g_told.bytes, now.length) == 0)
        return true;
    g_told = now;
    return false;
}

static void describe_connection(struct wire *to, const struct open_file *file)
{
    struct fd_address local, peer;

    fd_socket_local(file->fd, &local);
    fd_socket_peer(file->fd, &peer);
    if (!local.length || !peer.length || is_known_address(&local, &peer))
        return; /* gone meanwhile, or told */
    put_head(to, ITEM_CONNECTION, file->fd, local.bytes, local.length);
    wire_put_u8(to, (uint8_t)peer.length);
    wire_put_bytes(to, peer.bytes, peer.length);
}

/* The other end of a unix connection is a process of this host, or a connection of the program's
 * own, which nothing can make again either. */
static long refuse_unix_connection(const struct open_file *file, struct fd_obstacle *out)
{
    struct fd_address peer;
    char name[FD_ADDRESS_bytes + 1];

    fd_socket_peer(file->fd, &peer);
    if (!fd_address_is_name(&peer))
        fd_socket_local(file->fd, &peer); /* accepted: the listener's name */
    fd_address_text(&peer, name, sizeof(name));
    return fd_refuse(out, file->fd, -EOPNOTSUPP,
                     "fd %d, a unix connection (%s): its other end stays at this host; "
                     "--connections reset gives such connections up",
                     file->fd, fd_address_is_name(&peer) ? name : "without a name");
}

static bool is_unix_connection(const struct open_file *file)
{
    return file->kind == FD_SOCKET && file->socket.domain == FAMILY_UNIX &&
           fd_socket_is_connection(&file->socket) && file->socket.state == SOCKET_CONNECTED;
}

static long describe_one(struct wire *to, uint32_t index, struct open_file *file,
                         struct fd_obstacle *out)
{
    switch ((enum fd_kind)file->kind) {
    case FD_FILE:
    case FD_DIRECTORY:
        return describe_plain(to, index, file, out);
    case FD_SOCKET:
    case FD_LISTENER:
        fd_socket_settle(file);
        describe_socket(to, index, file);
        if (is_unix_connection(file) && fd_state()->connections != OM_CONNECTIONS_RESET)
            return refuse_unix_connection(file, out);
        if (fd_socket_is_tcp_connection(file) && fd_state()->connections == OM_CONNECTIONS_MOVE)
            describe_connection(to, file);
        return 0;
    case FD_INOTIFY:
        if (file->inotify.lost)
            return fd_refuse(out, file->fd, -EOPNOTSUPP,
                             "fd %d, inotify: too many watches to move them", file->fd);
        return 0;
    case FD_UNSUPPORTED:
        return fd_refuse(out, file->fd, -EOPNOTSUPP, "fd %d (%s) cannot be moved yet", file->fd,
                         file->name);
    default:
        return 0;
    }
}

static long describe_cwd(struct wire *to, struct fd_obstacle *out)
{
    char path[PATH_bytes];
    long length = fd_kernel(__NR_getcwd, fd_address_of(path), sizeof(path), 0, 0);

    if (length <= 1 || path[0] != '/')
        return fd_refuse(out, -1, -EOPNOTSUPP,
                         "the working directory has been deleted: it cannot be moved");
    put_head(to, ITEM_CWD, -1, path, (size_t)length - 1);
    return 0;
}

/* Paths are kept from one request for a move to the next, no longer. */
static uint32_t forget_paths(void)
{
    struct fd_state *state = fd_state();
    uint32_t limit;

    lock_take(&state->lock);
    for (uint32_t i = 1; i <= state->file_pool.used; i++)
        if (state->files[i].kind == FD_FILE || state->files[i].kind == FD_DIRECTORY)
            state->files[i].plain.path = 0;
    state->paths_used = 0;
    limit = state->limit;
    lock_release(&state->lock);
    return limit;
}

long fd_prepare(uint8_t *out, size_t capacity, enum om_connections connections,
                struct fd_obstacle *out_obstacle)
{
    struct wire to = wire_writer(out, capacity);
    char machine[MACHINE_bytes];
    struct fd_walk walk;
    long error = fd_reconcile();

    *out_obstacle = (struct fd_obstacle){.fd = -1};
    if (error)
        return fd_refuse(out_obstacle, -1, error, "the list of descriptors cannot be read");
    fd_state()->connections = connections;
    g_told.length = 0;
    if (connections == OM_CONNECTIONS_PROXY && (error = fd_relay_begin(out_obstacle)) != 0)
        return error;
    machine_text(machine);
    wire_put_u32(&to, DESCRIPTION_VERSION);
    wire_put_u32(&to, forget_paths());
    wire_put_bytes(&to, machine, sizeof(machine));
    fd_services_describe(&to);
    error = describe_cwd(&to, out_obstacle);
    lock_take(&fd_state()->lock);
    walk = fd_walk();
    lock_release(&fd_state()->lock);
    for (;;) {
        struct open_file copy, *file;
        long another;

        lock_take(&fd_state()->lock);
        file = fd_walk_next(&walk);
        if (file)
            copy = *file;
        lock_release(&fd_state()->lock);
        if (!file)
            break;
        another = describe_one(&to, fd_index_of(file), &copy, out_obstacle);
        error = error ? error : another;
    }
    out_obstacle->described = to.failed ? 0 : to.at;
    if (!error && to.failed)
        return fd_refuse(out_obstacle, -1, -EOPNOTSUPP,
                         "too many open files: their description does not fit");
    return error ? error : (long)to.at;
}

/* ---- the destination ---- */

struct item {
    uint8_t kind;
    int32_t fd;
    uint16_t length;
    char text[PATH_bytes + FD_ADDRESS_bytes];
};

static bool take_head(struct wire *from, struct item *out)
{
    out->kind = wire_take_u8(from);
    out->fd = (int32_t)wire_take_u32(from);
    out->length = wire_take_u16(from);
    if (out->length >= sizeof(out->text))
        from->failed = true;
    else
        wire_take_bytes(from, out->text, out->length);
    out->text[from->failed ? 0 : out->length] = 0;
    return !from->failed;
}

static long check_status(const struct item *item, const struct item_file *want, long fd,
                         bool same_machine, struct fd_obstacle *out)
{
    struct stat status;
    uint8_t digest[DIGEST_bytes];
    long error = fd_kernel(__NR_fstat, (uint64_t)fd, fd_address_of(&status), 0, 0);

    if (error)
        return fd_refuse(out, item->fd, error, "fd %d (%s): cannot be looked at at the destination",
                         item->fd, item->text);
    if (same_machine && status.st_dev == want->device && status.st_ino == want->inode)
        return 0;
    if (want->how == COMPARE_LENGTH && (uint64_t)status.st_size < want->offset)
        return fd_refuse(out, item->fd, -ENOENT,
                         "fd %d (%s): shorter at the destination than where the program is in it",
                         item->fd, item->text);
    if (want->how == COMPARE_DIGEST && ((uint64_t)status.st_size != want->size ||
                                        digest_head((int32_t)fd, want->size, digest) != 0 ||
                                        memcmp(digest, want->digest, DIGEST_bytes) != 0))
        return fd_refuse(out, item->fd, -ENOENT, "fd %d (%s): different at the destination",
                         item->fd, item->text);
    return 0;
}

static const char *error_words(long error)
{
    switch (-error) {
    case ENOENT:
    case ENOTDIR:
        return "missing at the destination";
    case EACCES:
    case EPERM:
    case EROFS:
        return "not accessible at the destination";
    case ENODEV:
        return "another type of file at the destination";
    case EADDRINUSE:
        return "in use at the destination";
    case EADDRNOTAVAIL:
        return "not an address of the destination";
    default:
        return "cannot be opened at the destination";
    }
}

static long check_file(struct wire *from, const struct item *item, bool same_machine,
                       struct fd_obstacle *out)
{
    struct item_file want;
    long fd, error;

    want.flags = wire_take_u32(from);
    want.type = wire_take_u32(from);
    want.device = wire_take_u64(from);
    want.inode = wire_take_u64(from);
    want.size = wire_take_u64(from);
    want.offset = wire_take_u64(from);
    want.how = wire_take_u8(from);
    wire_take_bytes(from, want.digest, DIGEST_bytes);
    if (from->failed)
        return fd_refuse(out, item->fd, -EINVAL, "the description of descriptors is malformed");
    fd = fd_plain_open(item->text, want.flags | O_CLOEXEC, want.type);
    if (fd < 0)
        return fd_refuse(out, item->fd, fd, "fd %d (%s): %s (error %ld)", item->fd, item->text,
                         error_words(fd), -fd);
    error = check_status(item, &want, fd, same_machine, out);
    fd_close_number(fd);
    return error;
}

/* A test bind, without listening.  Where the source itself holds the address there is nothing to
 * try: the destination gets it at the switchover. */
static long check_address(struct wire *from, const struct item *item, bool same_machine,
                          struct fd_obstacle *out)
{
    uint32_t domain = wire_take_u32(from), type = wire_take_u32(from);
    uint32_t protocol = wire_take_u32(from);
    struct fd_address address = {.length = item->length};
    int32_t one = 1;
    char text[FD_NAME_bytes];
    long fd, error;

    if (from->failed || item->length > FD_ADDRESS_bytes || type > TYPE_MASK)
        return fd_refuse(out, item->fd, -EINVAL, "the description of descriptors is malformed");
    memcpy(address.bytes, item->text, item->length);
    if (same_machine || fd_service_arrives(&address))
        return 0;
    fd = fd_kernel(__NR_socket, domain, type | O_CLOEXEC, protocol, 0);
    error = fd;
    if (fd >= 0) {
        host_syscall(__NR_setsockopt, (uint64_t)fd, SOL_SOCKET, SO_REUSEADDR, fd_address_of(&one),
                     sizeof(one), 0);
        error = fd_kernel(__NR_bind, (uint64_t)fd, fd_address_of(item->text), item->length, 0);
        fd_close_number(fd);
    }
    if (error >= 0)
        return 0;
    fd_address_text(&address, text, sizeof(text));
    return fd_refuse(out, item->fd, error, "fd %d (address %s): %s (error %ld)", item->fd, text,
                     error_words(error), -error);
}

/* On the machine of the source everything is here.  Elsewhere the address has to be one of this
 * host, and a peer on the loopback interface cannot follow. */
static long check_connection(struct wire *from, const struct item *item, bool same_machine,
                             struct fd_obstacle *out)
{
    struct fd_address local = {.length = item->length}, peer = {.length = wire_take_u8(from)};
    char text[FD_NAME_bytes], far[FD_NAME_bytes];
    long fd, error;

    if (local.length > FD_ADDRESS_bytes || peer.length > FD_ADDRESS_bytes)
        from->failed = true;
    wire_take_bytes(from, peer.bytes, from->failed ? 0 : peer.length);
    if (from->failed)
        return fd_refuse(out, item->fd, -EINVAL, "the description of descriptors is malformed");
    if (same_machine)
        return 0;
    memcpy(local.bytes, item->text, local.length);
    fd_address_text(&local, text, sizeof(text));
    fd_address_text(&peer, far, sizeof(far));
    if (fd_address_is_loopback(&peer))
        return fd_refuse(out, item->fd, -EADDRNOTAVAIL,
                         "fd %d (a connection to %s): its peer stays at the source host; "
                         "--connections proxy leaves such connections at a relay at the source, "
                         "reset gives them up",
                         item->fd, far);
    if (fd_service_arrives(&local))
        return 0;
    fd_address_set_port(&local, 0);
    fd = fd_kernel(__NR_socket, fd_address_family(&local), TYPE_STREAM | O_CLOEXEC, 0, 0);
    error = fd < 0
                ? fd
                : fd_kernel(__NR_bind, (uint64_t)fd, fd_address_of(local.bytes), local.length, 0);
    fd_close_number(fd);
    if (!error)
        return 0;
    return fd_refuse(
        out, item->fd, error,
        "fd %d (a connection from %s to %s): %s (error %ld); --connections proxy leaves such "
        "connections at a relay at the source, reset gives them up",
        item->fd, text, far, error_words(error), -error);
}

static long check_unix(const struct item *item, struct fd_obstacle *out)
{
    enum { WRITE_AND_SEARCH = 3 };
    char directory[sizeof(item->text)];
    struct stat status;
    size_t end = item->length;
    long error;

    if (fd_kernel(__NR_lstat, fd_address_of(item->text), fd_address_of(&status), 0, 0) == 0 &&
        (status.st_mode & S_IFMT) != S_IFSOCK)
        return fd_refuse(out, item->fd, -EEXIST,
                         "fd %d (%s): there is something else in its place at the destination",
                         item->fd, item->text);
    str_copy(directory, item->text, sizeof(directory));
    while (end > 1 && directory[end - 1] != '/')
        end--;
    directory[end] = 0;
    error = fd_kernel(__NR_access, fd_address_of(directory), WRITE_AND_SEARCH, 0, 0);
    if (error)
        return fd_refuse(out, item->fd, error, "fd %d (%s): its directory is %s (error %ld)",
                         item->fd, item->text, error_words(error), -error);
    return 0;
}

static long check_cwd(const struct item *item, struct fd_obstacle *out)
{
    long fd = fd_plain_open(item->text, O_PATH | O_DIRECTORY | O_CLOEXEC, S_IFDIR);

    if (fd < 0)
        return fd_refuse(out, -1, fd, "the working directory (%s): %s (error %ld)", item->text,
                         error_words(fd), -fd);
    fd_close_number(fd);
    return 0;
}

static bool is_path(const struct item *item)
{
    return item->text[0] == '/' && strlen(item->text) == item->length;
}

static long check_item(struct wire *from, bool same_machine, struct fd_obstacle *out)
{
    static struct item item; /* only the mover is here */

    if (take_head(from, &item) &&
        (item.kind == ITEM_ADDRESS || item.kind == ITEM_CONNECTION || is_path(&item))) {
        switch (item.kind) {
        case ITEM_FILE:
            return check_file(from, &item, same_machine, out);
        case ITEM_CWD:
            return check_cwd(&item, out);
        case ITEM_ADDRESS:
            return check_address(from, &item, same_machine, out);
        case ITEM_CONNECTION:
            return check_connection(from, &item, same_machine, out);
        case ITEM_UNIX:
            return check_unix(&item, out);
        default:
            break;
        }
    }
    from->failed = true;
    return fd_refuse(out, -1, -EINVAL, "the description of descriptors is malformed");
}

long fd_check(const uint8_t *description, size_t length, struct fd_obstacle *out_obstacle)
{
    struct wire from = wire_reader(description, length);
    char here[MACHINE_bytes], there[MACHINE_bytes];
    uint32_t version = wire_take_u32(&from), numbers = wire_take_u32(&from);
    bool same_machine;
    long error = 0;

    *out_obstacle = (struct fd_obstacle){.fd = -1};
    wire_take_bytes(&from, there, sizeof(there));
    if (from.failed || version != DESCRIPTION_VERSION)
        return fd_refuse(out_obstacle, -1, -EINVAL,
                         "the description of descriptors is malformed, or of another version");
    if (numbers > fd_numbers_end())
        return fd_refuse(out_obstacle, -1, -EMFILE,
                         "%u descriptors are needed, and the destination allows %u", numbers,
                         fd_numbers_end());
    fd_describe_machine();
    machine_text(here);
    same_machine = g_boot_id[0] && memcmp(here, there, sizeof(here)) == 0;
    error = fd_services_check(&from, same_machine, out_obstacle);
    while (!from.failed && wire_left(&from) > 0) {
        long another = check_item(&from, same_machine, out_obstacle);

        error = error ? error : another;
    }
    return error;
}
