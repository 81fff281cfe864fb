/* Counts the calls by which a process changes files below one folder, and makes the k-th of them go wrong.
 *
 * Preloaded into a process; asleep until fault_arm() is called in it. Every change is also told to a journal, from
 * which a power cut can be played: what was not forced onto the disk can then be emptied or unnamed. It can also say
 * that the disk is nearly full, and set the process's clock wrong.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { COUNT, KILL, TORN, ENOSPC_ONCE, ENOSPC_ON, EIO_ONCE, EIO_ON, DONE_BUT_EIO, NO_ROOM };
#define MOST_FDS 65536

static char root[4096];
static size_t root_length;
static int mode = -1;
static long target;
static int journal = -1;
static char journal_name[4000];
static long replaced; /* files so far whose name another took */
static atomic_long calls;
static long wrong_by; /* seconds by which the clock is wrong */
static char *paths[MOST_FDS];

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int below(const char *path) {
    return mode >= 0 && path && strncmp(path, root, root_length) == 0;
}

/* What a path means that may begin at an open folder; it stands in the room given where it has to be put together. */
static const char *whole(int at, const char *path, char *room, size_t size) {
    if (mode < 0 || !path || *path == '/' || at < 0 || at >= MOST_FDS || !paths[at]) return path;
    snprintf(room, size, "%s/%s", paths[at], path);
    return room;
}

static void tell(char kind, const char *one, const char *two) {
    char line[9000];
    if (journal < 0) return;
    int length = snprintf(line, sizeof line, "%c\t%s\t%s\n", kind, one, two ? two : "");
    syscall(SYS_write, journal, line, (size_t)length);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* What is to become of this call: 0 go on, an errno to fail with, -1 half of it and death, -2 do it and say EIO. */
static int fate(int writes) {
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (mode == COUNT || mode == NO_ROOM || number < target) return 0;
    if (mode == ENOSPC_ON) return ENOSPC;
    if (mode == EIO_ON) return EIO;
    if (number != target) return 0;
    switch (mode) {
        case KILL: die(); return 0;
        case TORN: if (!writes) die(); return -1;
        case ENOSPC_ONCE: return ENOSPC;
        case EIO_ONCE: return EIO;
        case DONE_BUT_EIO: return -2;
    }
    return 0;
}

void fault_arm(const char *folder, int how, long k, const char *journal_path) {
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    target = k;
    atomic_store(&calls, 0);
    strncpy(journal_name, journal_path, sizeof journal_name - 1);
    replaced = 0;
    journal = *journal_path ? (int)syscall(SYS_openat, AT_FDCWD, journal_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600) : -1;
    mode = how;
}

/* Kill -9 once the process has used so much processor time, which does not depend on what else the machine does. */
int fault_kill_after(double seconds) {
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * (seconds - (time_t)seconds))}};
    timer_t timer;
    if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &how, &timer)) return -1;
    return timer_settime(timer, 0, &when, NULL);
}

void fault_clock(long seconds) { wrong_by = seconds; }

long fault_calls(void) { return atomic_load(&calls); }

static void remember(int fd, const char *path) {
    if (fd < 0 || fd >= MOST_FDS) return;
    free(paths[fd]);
    paths[fd] = path ? strdup(path) : NULL;
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t rights) {
    int changes = below(path) && (flags & (O_CREAT | O_TRUNC));
    if (changes) {
        int how = fate(0);
        if (how > 0) { errno = how; return -1; }
    }
    int existed = changes && access(path, F_OK) == 0;
    int fd = real(path, flags, rights);
    if (mode >= 0) remember(fd, below(path) ? path : NULL);
    if (changes && fd >= 0) tell(existed ? 'T' : 'C', path, NULL);
    return fd;
}

#define RIGHTS mode_t rights = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); rights = va_arg(list, mode_t); va_end(list); }
int open(const char *path, int flags, ...) { RIGHTS REAL(open); return opened(real, path, flags, rights); }
int open64(const char *path, int flags, ...) { RIGHTS REAL(open64); return opened(real, path, flags, rights); }

static int opened_at(int (*real)(int, const char *, int, ...), int at, const char *named, int flags, mode_t rights) {
    char room[8192];
    const char *path = whole(at, named, room, sizeof room);
    int changes = below(path) && (flags & (O_CREAT | O_TRUNC));
    if (changes) {
        int how = fate(0);
        if (how > 0) { errno = how; return -1; }
    }
    int existed = changes && access(path, F_OK) == 0;
    int fd = real(at, named, flags, rights);
    if (mode >= 0) remember(fd, below(path) ? path : NULL);
    if (changes && fd >= 0) tell(existed ? 'T' : 'C', path, NULL);
    return fd;
}
int openat(int at, const char *path, int flags, ...) { RIGHTS REAL(openat); return opened_at(real, at, path, flags, rights); }
int openat64(int at, const char *path, int flags, ...) { RIGHTS REAL(openat64); return opened_at(real, at, path, flags, rights); }

int close(int fd) { REAL(close); if (mode >= 0) remember(fd, NULL); return real(fd); }

static const char *known(int fd) { return mode >= 0 && fd >= 0 && fd < MOST_FDS ? paths[fd] : NULL; }

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    const char *path = known(fd);
    if (path) {
        int how = fate(1);
        if (how > 0) { errno = how; return -1; }
        tell('W', path, NULL);
        if (how == -1) { real(fd, bytes, count / 2); die(); }
    }
    return real(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(pwrite64);
    const char *path = known(fd);
    if (path) {
        int how = fate(1);
        if (how > 0) { errno = how; return -1; }
        tell('W', path, NULL);
        if (how == -1) { real(fd, bytes, count / 2, at); die(); }
    }
    return real(fd, bytes, count, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    const char *path = known(fd);
    if (path) {
        int how = fate(1);
        if (how > 0) { errno = how; return -1; }
        tell('W', path, NULL);
        if (how == -1) die();
    }
    return real(fd, parts, count);
}

int fsync(int fd) {
    REAL(fsync);
    const char *path = known(fd);
    if (path) {
        int how = fate(0);
        if (how > 0) { errno = how; return -1; }
        tell('S', path, NULL);
        return 0; /* the journal stands for the disk */
    }
    return real(fd);
}
int fdatasync(int fd) { return fsync(fd); }

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    const char *path = known(fd);
    if (path) {
        int how = fate(0);
        if (how > 0) { errno = how; return -1; }
        tell('W', path, NULL);
    }
    return real(fd, length);
}

/* The kind of a rename: where it takes a name from a file, a power cut can bring that file back, so it is kept. */
static char renaming(const char *new) {
    char kept[4096];
    if (journal < 0 || !below(new) || access(new, F_OK)) return 'R';
    snprintf(kept, sizeof kept, "%s.%ld", journal_name, ++replaced);
    syscall(SYS_linkat, AT_FDCWD, new, AT_FDCWD, kept, 0);
    return 'O';
}

#define CHANGE(kind, one, two, call) \
    if (below(one) || below(two)) { \
        int how = fate(0); \
        if (how > 0) { errno = how; return -1; } \
        int result = call; \
        if (result == 0) tell(kind, one, two); \
        if (result == 0 && how == -2) { errno = EIO; return -1; } \
        return result; \
    } \
    return call

int rename(const char *old, const char *new) { REAL(rename); char kind = renaming(new); CHANGE(kind, old, new, real(old, new)); }
int renameat(int a, const char *old, int b, const char *new) { REAL(renameat); char kind = renaming(new); CHANGE(kind, old, new, real(a, old, b, new)); }
int renameat2(int a, const char *old, int b, const char *new, unsigned flags) { REAL(renameat2); char kind = renaming(new); CHANGE(kind, old, new, real(a, old, b, new, flags)); }
int link(const char *old, const char *new) { REAL(link); CHANGE('L', old, new, real(old, new)); }
int linkat(int a, const char *old, int b, const char *new, int flags) { REAL(linkat); CHANGE('L', old, new, real(a, old, b, new, flags)); }
int unlink(const char *path) { REAL(unlink); CHANGE('U', path, NULL, real(path)); }
int unlinkat(int a, const char *named, int flags) {
    REAL(unlinkat);
    char room[8192];
    const char *path = whole(a, named, room, sizeof room);
    CHANGE('U', path, NULL, real(a, named, flags));
}
int rmdir(const char *path) { REAL(rmdir); CHANGE('U', path, NULL, real(path)); }
int mkdir(const char *path, mode_t rights) { REAL(mkdir); CHANGE('M', path, NULL, real(path, rights)); }
int mkdirat(int a, const char *path, mode_t rights) { REAL(mkdirat); CHANGE('M', path, NULL, real(a, path, rights)); }

/* A megabyte is left: too little to begin, and more than a first small write needs. */
#define SPACE(name) \
    int name(const char *path, struct name *space) { \
        REAL(name); \
        int result = real(path, space); \
        if (result == 0 && mode == NO_ROOM && below(path)) \
            space->f_bavail = space->f_bfree = (1 << 20) / (space->f_frsize ? space->f_frsize : 1); \
        return result; \
    }
SPACE(statvfs)
SPACE(statvfs64)

int clock_gettime(clockid_t which, struct timespec *at) {
    REAL(clock_gettime);
    int result = real(which, at);
    if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += wrong_by;
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    REAL(gettimeofday);
    int result = real(at, zone);
    if (result == 0) at->tv_sec += wrong_by;
    return result;
}

time_t time(time_t *at) {
    REAL(time);
    time_t now = real(NULL) + wrong_by;
    if (at) *at = now;
    return now;
}
