/*
 * A recording file layer, preloaded into the server under test.
 *
 * Writes down, in one order and with their data, everything that the process does to files under RECORD_ROOT and
 * everything that it sends on sockets. A change of a file stands in the record once it is done; a sync has two entries,
 * one before it begins and one after it has ended; what goes to a socket stands there before it is sent. So an answer
 * that stands behind the end of a sync was sent after it.
 *
 * RECORD_LOG   the record, appended to; outside of RECORD_ROOT
 * RECORD_ROOT  absolute path; files under it are recorded
 * RECORD_ARM   faults strike only once this file exists
 * RECORD_FAIL  sync:N or write:N, the N-th such call on a file fails with EIO; sync:N+ and so on for it and all after
 *
 * Mapped memory is not seen: of SQLite's files only the shared index (-shm) is written that way, and that is made anew
 * from the log at every recovery.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { START, OPEN, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, MKDIR, SEND, FAULT };

struct head {
  uint32_t magic, op;
  int32_t file;
  uint32_t length;
  uint64_t first, second;
};

#define MAGIC 0x54445243u
#define MOST_FILES 65536

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;
static char root[4096], arm[4096];
static size_t root_length;
/* For each descriptor, 1 + the number under which what it was opened for stands in the record. */
static int32_t files[MOST_FILES];
static int32_t next_file;
static uint64_t next_sync;
static enum { NO_FAULT, SYNC_FAULT, WRITE_FAULT } fault;
static uint64_t fault_at, fault_calls;
static int fault_stays;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static int (*real_fallocate)(int, off_t, off_t);

/* --- The record -------------------------------------------------------------------------------------------------- */

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t written = real_write(record, at, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) abort();
    at += written;
    length -= (size_t)written;
  }
}

/* Under the lock. */
static void note(uint32_t op, int32_t file, uint64_t first, uint64_t second, const void *data, size_t length) {
  int kept = errno;
  struct head head = {MAGIC, op, file, (uint32_t)length, first, second};
  put(&head, sizeof head);
  if (length > 0) put(data, length);
  errno = kept;
}

static void *find(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

static void read_fault(const char *text) {
  if (!text) return;
  fault = strncmp(text, "sync:", 5) == 0 ? SYNC_FAULT : WRITE_FAULT;
  char *rest;
  fault_at = strtoull(strchr(text, ':') + 1, &rest, 10);
  fault_stays = *rest == '+';
}

__attribute__((constructor)) static void begin(void) {
  real_open = find("open");
  real_openat = find("openat");
  real_close = find("close");
  real_write = find("write");
  real_writev = find("writev");
  real_pwrite = find("pwrite");
  real_ftruncate = find("ftruncate");
  real_fsync = find("fsync");
  real_fdatasync = find("fdatasync");
  real_rename = find("rename");
  real_unlink = find("unlink");
  real_mkdir = find("mkdir");
  real_send = find("send");
  real_sendto = find("sendto");
  real_sendmsg = find("sendmsg");
  real_fallocate = find("posix_fallocate");
  const char *path = getenv("RECORD_LOG"), *under = getenv("RECORD_ROOT"), *armed = getenv("RECORD_ARM");
  if (!path || !under) abort();
  root_length = strlen(under);
  memcpy(root, under, root_length + 1);
  if (armed) strcpy(arm, armed);
  read_fault(getenv("RECORD_FAIL"));
  record = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (record < 0) abort();
  note(START, -1, (uint64_t)getpid(), 0, NULL, 0);
}

/* --- What is recorded -------------------------------------------------------------------------------------------- */

static int is_recorded(const char *path) {
  return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int32_t file_of(int fd) {
  return fd >= 0 && fd < MOST_FILES ? files[fd] - 1 : -1;
}

/* Under the lock: whether this call is to fail. */
static int strikes(int kind, int32_t file) {
  if ((int)fault != kind || access(arm, F_OK) != 0) return 0;
  fault_calls++;
  int now = fault_stays ? fault_calls >= fault_at : fault_calls == fault_at;
  if (now) note(FAULT, file, (uint64_t)kind, fault_calls, NULL, 0);
  return now;
}

static int opened(int directory, const char *path, int flags, mode_t mode) {
  if (!is_recorded(path)) return real_openat(directory, path, flags, mode);
  pthread_mutex_lock(&order);
  int was_there = access(path, F_OK) == 0;
  int fd = real_openat(directory, path, flags, mode);
  if (fd >= 0 && fd < MOST_FILES) {
    int created = !was_there && (flags & O_CREAT);
    files[fd] = ++next_file;
    note(OPEN, files[fd] - 1, (uint64_t)created, (uint64_t)((flags & O_TRUNC) != 0), path, strlen(path));
  }
  pthread_mutex_unlock(&order);
  return fd;
}

static mode_t mode_of(int flags, va_list arguments) {
  return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPENS(name)                                    \
  int name(const char *path, int flags, ...) {         \
    va_list arguments;                                 \
    va_start(arguments, flags);                        \
    mode_t mode = mode_of(flags, arguments);           \
    va_end(arguments);                                 \
    return opened(AT_FDCWD, path, flags, mode);        \
  }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                        \
  int name(int directory, const char *path, int flags, ...) { \
    va_list arguments;                                        \
    va_start(arguments, flags);                               \
    mode_t mode = mode_of(flags, arguments);                  \
    va_end(arguments);                                        \
    return opened(directory, path, flags, mode);              \
  }
OPENS_AT(openat)
OPENS_AT(openat64)

int close(int fd) {
  if (fd == record) return 0;
  if (fd >= 0 && fd < MOST_FILES) files[fd] = 0;
  return real_close(fd);
}

/* --- Changes of files -------------------------------------------------------------------------------------------- */

static ssize_t written(int fd, int32_t file, const void *data, size_t length, off_t at, int moves) {
  pthread_mutex_lock(&order);
  ssize_t done = -1;
  if (strikes(WRITE_FAULT, file)) {
    errno = EIO;
  } else {
    if (moves) {
      int appends = fcntl(fd, F_GETFL) & O_APPEND;
      at = lseek(fd, 0, appends ? SEEK_END : SEEK_CUR);
    }
    done = moves ? real_write(fd, data, length) : real_pwrite(fd, data, length, at);
    if (done > 0) note(WRITE, file, (uint64_t)at, 0, data, (size_t)done);
  }
  pthread_mutex_unlock(&order);
  return done;
}

static int is_socket(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

static void note_sent(int fd, const struct iovec *parts, int count) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  pthread_mutex_lock(&order);
  struct head head = {MAGIC, SEND, fd, (uint32_t)length, 0, 0};
  put(&head, sizeof head);
  for (int i = 0; i < count; i++) put(parts[i].iov_base, parts[i].iov_len);
  pthread_mutex_unlock(&order);
}

ssize_t write(int fd, const void *data, size_t length) {
  int32_t file = file_of(fd);
  if (file >= 0) return written(fd, file, data, length, 0, 1);
  if (is_socket(fd)) note_sent(fd, &(struct iovec){(void *)data, length}, 1);
  return real_write(fd, data, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  int32_t file = file_of(fd);
  if (file >= 0) return count > 0 ? written(fd, file, parts[0].iov_base, parts[0].iov_len, 0, 1) : 0;
  if (is_socket(fd)) note_sent(fd, parts, count);
  return real_writev(fd, parts, count);
}

static ssize_t placed(int fd, const void *data, size_t length, off_t at) {
  int32_t file = file_of(fd);
  return file >= 0 ? written(fd, file, data, length, at, 0) : real_pwrite(fd, data, length, at);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return placed(fd, data, length, at); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return placed(fd, data, length, at); }

static int truncated(int fd, off_t length) {
  int32_t file = file_of(fd);
  if (file < 0) return real_ftruncate(fd, length);
  pthread_mutex_lock(&order);
  int done = real_ftruncate(fd, length);
  if (done == 0) note(TRUNCATE, file, (uint64_t)length, 0, NULL, 0);
  pthread_mutex_unlock(&order);
  return done;
}
int ftruncate(int fd, off_t length) { return truncated(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncated(fd, length); }

/* Grows a file by zeros, which is what a truncation to a greater length does. */
static int grown(int fd, off_t at, off_t length) {
  int32_t file = file_of(fd);
  if (file < 0) return real_fallocate(fd, at, length);
  pthread_mutex_lock(&order);
  struct stat found;
  int done = real_fallocate(fd, at, length);
  if (done == 0 && fstat(fd, &found) == 0) note(TRUNCATE, file, (uint64_t)found.st_size, 0, NULL, 0);
  pthread_mutex_unlock(&order);
  return done;
}
int posix_fallocate(int fd, off_t at, off_t length) { return grown(fd, at, length); }
int posix_fallocate64(int fd, off64_t at, off64_t length) { return grown(fd, at, length); }

static int synced(int fd, int (*sync)(int)) {
  int32_t file = file_of(fd);
  if (file < 0) return sync(fd);
  pthread_mutex_lock(&order);
  uint64_t number = ++next_sync;
  int fails = strikes(SYNC_FAULT, file);
  note(SYNC_BEGIN, file, number, 0, NULL, 0);
  pthread_mutex_unlock(&order);
  int done = fails ? -1 : sync(fd);
  if (fails) errno = EIO;
  pthread_mutex_lock(&order);
  note(SYNC_END, file, number, done == 0 ? 0 : (uint64_t)errno, NULL, 0);
  pthread_mutex_unlock(&order);
  return done;
}
int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int rename(const char *from, const char *to) {
  if (!is_recorded(from) && !is_recorded(to)) return real_rename(from, to);
  pthread_mutex_lock(&order);
  int done = real_rename(from, to);
  char both[8192];
  size_t first = strlen(from), second = strlen(to);
  if (done == 0 && first + second + 1 < sizeof both) {
    memcpy(both, from, first + 1);
    memcpy(both + first + 1, to, second);
    note(RENAME, -1, 0, 0, both, first + 1 + second);
  }
  pthread_mutex_unlock(&order);
  return done;
}

int unlink(const char *path) {
  if (!is_recorded(path)) return real_unlink(path);
  pthread_mutex_lock(&order);
  int done = real_unlink(path);
  if (done == 0) note(UNLINK, -1, 0, 0, path, strlen(path));
  pthread_mutex_unlock(&order);
  return done;
}

int mkdir(const char *path, mode_t mode) {
  if (!is_recorded(path)) return real_mkdir(path, mode);
  pthread_mutex_lock(&order);
  int done = real_mkdir(path, mode);
  if (done == 0) note(MKDIR, -1, 0, 0, path, strlen(path));
  pthread_mutex_unlock(&order);
  return done;
}

/* --- What is sent ------------------------------------------------------------------------------------------------ */

ssize_t send(int fd, const void *data, size_t length, int flags) {
  note_sent(fd, &(struct iovec){(void *)data, length}, 1);
  return real_send(fd, data, length, flags);
}

ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
  note_sent(fd, &(struct iovec){(void *)data, length}, 1);
  return real_sendto(fd, data, length, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  note_sent(fd, message->msg_iov, (int)message->msg_iovlen);
  return real_sendmsg(fd, message, flags);
}
