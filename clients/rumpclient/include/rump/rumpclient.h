/*
 * Remote clients: a program that uses the system calls of a kernel in another process.
 *
 * A program is one client, and one client is one process of the kernel; all threads of the program
 * share it. Link with -lrumpclient, and name the server in the environment:
 *
 *	RUMP_SERVER=unix://path ./program
 *
 * What differs from NetBSD's librumpclient:
 * - rumpclient_syscall takes an array of 64-bit words instead of the packed structure of a call,
 *   and its result is one long.
 * - System call numbers, structures, flags and error numbers are Linux's (x86-64); numbers from 500
 *   are the kernel's own.
 * - A call that waits is cancelled by a signal whose handler was installed without SA_RESTART (EINTR);
 *   while the server is stopped, it waits until the server goes on or dies.
 * - rumpclient_error and rumpclient_fork_free are ours.
 */
#ifndef RUMP_RUMPCLIENT_H
#define RUMP_RUMPCLIENT_H

#include <sys/types.h>
#include <sys/socket.h>
#include <stddef.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Connects to the server that RUMP_SERVER names. In a program that was started by rumpclient_exec,
 * goes on as the process that its predecessor was. To be called first.
 * 0, or -1 and errno.
 */
int rumpclient_init(void);

/*
 * What the last call of this thread that failed has to say, for people. The text stays until the
 * next one fails. Never NULL.
 */
const char *rumpclient_error(void);

/*
 * Makes system call num. args is an array of up to six 64-bit words (pointers and sign-extended
 * integers), argslen its size in bytes. What the call answers is put into *retval, unless that is
 * NULL.
 * 0, or an error's number, which is in errno too. A bad pointer is EFAULT. ENOTCONN: the server is
 * gone, and the call may or may not have been made.
 */
int rumpclient_syscall(int num, const void *args, size_t argslen, long *retval);

/*
 * What happens when the server is gone: attempts to reconnect for so many seconds, or 0 for none
 * (calls fail with ENOTCONN), or one of these. After a reconnect the program is a new process of
 * the kernel: its descriptors are lost. A call that was under way when the server died fails with
 * ENOTCONN in any case (DIE: the program exits), and is never made again.
 */
#define RUMPCLIENT_RETRYCONN_INFTIME	((time_t)-1)	/* attempts for ever */
#define RUMPCLIENT_RETRYCONN_ONCE	((time_t)-2)	/* one attempt a call; the default */
#define RUMPCLIENT_RETRYCONN_DIE	((time_t)-3)	/* the program exits */
void rumpclient_setconnretry(time_t seconds);

/*
 * fork(2): the child is a process of the kernel too, with its parent's descriptors. vfork is fork.
 */
pid_t rumpclient_fork(void);
pid_t rumpclient_vfork(void);

/*
 * The same in parts, for programs with a fork of their own: prefork before it (NULL and errno if it
 * fails); then fork_init in the child (0, or -1 and errno) and fork_free in the parent; or
 * fork_cancel if there is no child after all. The kernel waits for the child for a minute.
 * Between fork and fork_init the child must not make calls.
 */
struct rumpclient_fork;
struct rumpclient_fork *rumpclient_prefork(void);
int rumpclient_fork_init(struct rumpclient_fork *);
void rumpclient_fork_free(struct rumpclient_fork *);
void rumpclient_fork_cancel(struct rumpclient_fork *);

/*
 * execve(2): the new program goes on as the same process of the kernel when it calls
 * rumpclient_init. Calls of other threads end first. A connection with a key cannot be kept
 * (EOPNOTSUPP). Returns only if it fails: -1 and errno.
 */
int rumpclient_exec(const char *path, char *const argv[], char *const envp[]);

/* daemon(3). */
int rumpclient_daemon(int nochdir, int noclose);

/*
 * System calls of the kernel, as those of Linux without the prefix: -1 and errno if they fail.
 */
ssize_t rump_sys_read(int, void *, size_t);
ssize_t rump_sys_write(int, const void *, size_t);
int rump_sys_close(int);
struct pollfd;
int rump_sys_poll(struct pollfd *, unsigned long, int);
int rump_sys_ioctl(int, unsigned long, void *);
int rump_sys_fcntl(int, int, long);
int rump_sys_dup(int);
pid_t rump_sys_getpid(void);
int rump_sys_socket(int, int, int);
int rump_sys_bind(int, const struct sockaddr *, socklen_t);
int rump_sys_connect(int, const struct sockaddr *, socklen_t);
int rump_sys_shutdown(int, int);
ssize_t rump_sys_sendto(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
ssize_t rump_sys_recvfrom(int, void *, size_t, int, struct sockaddr *, socklen_t *);
int rump_sys_getsockname(int, struct sockaddr *, socklen_t *);
int rump_sys_getpeername(int, struct sockaddr *, socklen_t *);
int rump_sys_setsockopt(int, int, int, const void *, socklen_t);
int rump_sys_getsockopt(int, int, int, void *, socklen_t *);
struct utsname;
int rump_sys_uname(struct utsname *);

/*
 * The kernel's own (number 500): the setting called name, as text without a zero at its end. Puts
 * as much of its value into old as there is room for, sets it to new unless that is NULL, and
 * returns how long the old value is.
 */
ssize_t rump_sys_sysctl(const char *name, size_t namelen, void *old, size_t oldlen,
    const void *new_value, size_t newlen);

#ifdef __cplusplus
}
#endif

#endif
