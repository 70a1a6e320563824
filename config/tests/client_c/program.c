/*
 * A remote client in C, one part a run: `program PART`. The server is RUMP_SERVER's. A part ends
 * with status 0 if all was as it has to be, and says where it was not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rump/rumpclient.h>

extern char **environ;

#define CHECK(what) do { \
	if (!(what)) { \
		fprintf(stderr, "%s:%d: %s (errno %d: %s)\n", __FILE__, __LINE__, #what, errno, \
		    rumpclient_error()); \
		exit(1); \
	} \
} while (0)

/* A call that fails with this error's number. */
#define FAILS(call, number) do { \
	errno = 0; \
	CHECK((call) == -1); \
	CHECK(errno == (number)); \
	CHECK(*rumpclient_error() != '\0'); \
} while (0)

static struct sockaddr_in
at(uint16_t port)
{
	struct sockaddr_in sin;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

/* A datagram socket with this port of 127.0.0.1; -1 and errno. */
static int
udp(uint16_t port)
{
	struct sockaddr_in sin = at(port);
	int s = rump_sys_socket(AF_INET, SOCK_DGRAM, 0);
	int error;

	CHECK(s >= 0);
	if (rump_sys_bind(s, (struct sockaddr *)&sin, sizeof(sin)) == 0)
		return s;
	error = errno;
	CHECK(rump_sys_close(s) == 0);
	errno = error;
	return -1;
}

static void
send_to(int s, uint16_t port, const char *text)
{
	struct sockaddr_in sin = at(port);
	ssize_t len = (ssize_t)strlen(text);

	CHECK(rump_sys_sendto(s, text, strlen(text), 0, (struct sockaddr *)&sin, sizeof(sin)) == len);
}

/* Receives this text, and says from which port. */
static uint16_t
receive(int s, const char *text)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[100];
	ssize_t n = rump_sys_recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

	CHECK(n == (ssize_t)strlen(text));
	CHECK(memcmp(buf, text, (size_t)n) == 0);
	CHECK(len == sizeof(from) && from.sin_family == AF_INET);
	return ntohs(from.sin_port);
}

static void
ends(pid_t child, int expected)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

/* A message in pieces: what a call's description does not say, the server asks for. */
static void
pieces(int s, uint16_t port)
{
	struct sockaddr_in sin = at(port), from;
	char one[] = "one, ", two[] = "two", room[4], rest[100];
	struct iovec iov[2] = { { one, 5 }, { two, 3 } };
	struct msghdr header;
	uint64_t args[3] = { (uint64_t)s, (uint64_t)(uintptr_t)&header, 0 };
	long retval = 0;

	memset(&header, 0, sizeof(header));
	header.msg_name = &sin;
	header.msg_namelen = sizeof(sin);
	header.msg_iov = iov;
	header.msg_iovlen = 2;
	CHECK(rumpclient_syscall(SYS_sendmsg, args, sizeof(args), &retval) == 0);
	CHECK(retval == 8);
	iov[0].iov_base = room;
	iov[0].iov_len = sizeof(room);
	iov[1].iov_base = rest;
	iov[1].iov_len = sizeof(rest);
	header.msg_name = &from;
	CHECK(rumpclient_syscall(SYS_recvmsg, args, sizeof(args), &retval) == 0);
	CHECK(retval == 8);
	CHECK(memcmp(room, "one,", 4) == 0 && memcmp(rest, " two", 4) == 0);
	CHECK(header.msg_namelen == sizeof(from) && from.sin_port == htons(port));
	/* A bad pointer behind a pointer. */
	iov[1].iov_base = (void *)8;
	CHECK(rumpclient_syscall(SYS_sendmsg, args, sizeof(args), &retval) == EFAULT);
}

static void
calls(void)
{
	int a = udp(5), b = udp(6), copy, value = 0;
	socklen_t len = sizeof(value);
	struct sockaddr_in sin = at(6);
	struct pollfd fds[3] = { { a, POLLIN, 0 }, { b, POLLIN | POLLOUT, 0 }, { 77, POLLIN, 0 } };
	struct utsname names;
	struct ifreq ifr;
	char buf[100];
	ssize_t n;

	CHECK(a >= 0 && b >= 0 && a != b);
	CHECK(rump_sys_getpid() > 0);
	send_to(a, 6, "hello");
	CHECK(receive(b, "hello") == 5);
	pieces(a, 5);

	/* Poll: one has something to read, one is ready to be written, one is none. */
	send_to(b, 5, "polled");
	CHECK(rump_sys_poll(fds, 3, -1) == 3);
	CHECK(fds[0].revents == POLLIN && fds[1].revents == POLLOUT && fds[2].revents == POLLNVAL);
	CHECK(receive(a, "polled") == 6);
	CHECK(rump_sys_poll(fds, 1, 10) == 0);

	/* Connected sockets read and write. */
	CHECK(rump_sys_connect(a, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	CHECK(rump_sys_write(a, "written", 7) == 7);
	CHECK(rump_sys_read(b, buf, sizeof(buf)) == 7 && memcmp(buf, "written", 7) == 0);
	len = sizeof(sin);
	CHECK(rump_sys_getpeername(a, (struct sockaddr *)&sin, &len) == 0);
	CHECK(len == sizeof(sin) && sin.sin_port == htons(6));
	CHECK(rump_sys_getsockname(a, (struct sockaddr *)&sin, &len) == 0);
	CHECK(sin.sin_port == htons(5));

	/* Options, flags, copies of descriptors. */
	value = 9;
	CHECK(rump_sys_setsockopt(a, IPPROTO_IP, IP_TTL, &value, sizeof(value)) == 0);
	value = 0;
	len = sizeof(value);
	CHECK(rump_sys_getsockopt(a, IPPROTO_IP, IP_TTL, &value, &len) == 0 && value == 9);
	CHECK((copy = rump_sys_dup(b)) >= 0 && copy != b);
	CHECK(rump_sys_fcntl(copy, F_SETFL, rump_sys_fcntl(copy, F_GETFL, 0) | O_NONBLOCK) == 0);
	FAILS(rump_sys_recvfrom(b, buf, sizeof(buf), 0, NULL, NULL), EAGAIN);
	CHECK(rump_sys_close(copy) == 0);

	/* Interfaces, settings, names. */
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, "lo0", 4);
	CHECK(rump_sys_ioctl(b, SIOCGIFADDR, &ifr) == 0);
	memcpy(&sin, &ifr.ifr_addr, sizeof(sin));
	CHECK(sin.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	memcpy(ifr.ifr_name, "no0", 4);
	FAILS(rump_sys_ioctl(b, SIOCGIFADDR, &ifr), ENODEV);
	CHECK(rump_sys_uname(&names) == 0);
	n = rump_sys_sysctl("kern.hostname", 13, buf, sizeof(buf), NULL, 0);
	CHECK(n == (ssize_t)strlen(names.nodename) && memcmp(buf, names.nodename, (size_t)n) == 0);
	n = rump_sys_sysctl("kern.hostname", 13, NULL, 0, "other", 5);
	CHECK(n == (ssize_t)strlen(names.nodename));
	CHECK(rump_sys_uname(&names) == 0 && strcmp(names.nodename, "other") == 0);

	/* Errors. */
	FAILS(udp(5), EADDRINUSE);
	FAILS(rump_sys_close(copy), EBADF);
	FAILS(rump_sys_read(b, (void *)8, 10), EAGAIN);
	FAILS(rump_sys_write(a, (void *)8, 10), EFAULT);
	FAILS(rump_sys_bind(a, (void *)8, 16), EFAULT);
	FAILS(rump_sys_sysctl("no.such", 7, buf, sizeof(buf), NULL, 0), ENOENT);
	FAILS(rump_sys_socket(AF_INET6, SOCK_DGRAM, 0), EAFNOSUPPORT);
	CHECK(rumpclient_syscall(4095, NULL, 0, NULL) == ENOSYS && errno == ENOSYS);
	/* What succeeds leaves errno alone. */
	errno = 4711;
	CHECK(rump_sys_getpid() > 0 && errno == 4711);

	CHECK(rump_sys_shutdown(b, SHUT_RD) == 0 || errno == ENOTCONN);
	CHECK(rump_sys_close(a) == 0 && rump_sys_close(b) == 0);
}

static void
forks(void)
{
	struct rumpclient_fork *cookie;
	int ours = udp(5), s, status;
	pid_t pid = rump_sys_getpid(), child;

	/* All in one; the child of a child; vfork. */
	if ((child = rumpclient_fork()) == 0) {
		CHECK(rump_sys_getpid() != pid);
		CHECK((s = udp(6)) >= 0);
		send_to(s, 5, "child");
		receive(s, "parent");
		CHECK((child = rumpclient_vfork()) >= 0);
		if (child == 0) {
			send_to(s, 5, "grandchild");
			_exit(4);
		}
		ends(child, 4);
		exit(3);
	}
	CHECK(child > 0);
	CHECK(receive(ours, "child") == 6);
	send_to(ours, 6, "parent");
	CHECK(receive(ours, "grandchild") == 6);
	ends(child, 3);
	CHECK(rump_sys_getpid() == pid);

	/* In parts. */
	CHECK((cookie = rumpclient_prefork()) != NULL);
	CHECK((child = fork()) >= 0);
	if (child == 0) {
		CHECK(rumpclient_fork_init(cookie) == 0);
		CHECK(rump_sys_getpid() != pid);
		send_to(ours, 5, "in parts");
		_exit(0);
	}
	rumpclient_fork_free(cookie);
	CHECK(receive(ours, "in parts") == 5);
	ends(child, 0);

	/* A child that dies before it has said anything: what was prepared for it goes. */
	CHECK((cookie = rumpclient_prefork()) != NULL);
	CHECK((child = fork()) >= 0);
	if (child == 0)
		kill(getpid(), SIGKILL);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	CHECK(rump_sys_close(ours) == 0);
	FAILS(udp(5), EADDRINUSE);
	rumpclient_fork_cancel(cookie);
	CHECK((ours = udp(5)) >= 0);
	errno = 0;
	CHECK(rumpclient_fork_init(NULL) == -1 && errno == EINVAL);

	/* A child that says nothing is another client, without its parent's descriptors. */
	if ((child = fork()) == 0) {
		CHECK(rump_sys_getpid() != pid);
		FAILS(rump_sys_dup(ours), EBADF);
		_exit(0);
	}
	ends(child, 0);
	send_to(ours, 5, "still here");
	receive(ours, "still here");
}

/* The parent of a daemon ends; the daemon is a process of the kernel with the same descriptors. */
static void
daemonized(void)
{
	int ours = udp(5);

	CHECK(rumpclient_daemon(1, 1) == 0);
	send_to(ours, 5, "daemon");
	receive(ours, "daemon");
	printf("daemon\n");
}

static void
execs(char *program)
{
	char kept[20], closed[20], pid[20];
	char *again[] = { program, "executed", kept, closed, pid, NULL };
	char *none[] = { "/does/not/exist", NULL };
	int a = udp(5), b = udp(6);

	CHECK(rump_sys_fcntl(b, F_SETFD, FD_CLOEXEC) == 0);
	CHECK(rump_sys_fcntl(b, F_GETFD, 0) == FD_CLOEXEC);
	FAILS(rumpclient_exec(none[0], none, environ), ENOENT);
	send_to(a, 5, "from before");
	snprintf(kept, sizeof(kept), "%d", a);
	snprintf(closed, sizeof(closed), "%d", b);
	snprintf(pid, sizeof(pid), "%d", (int)rump_sys_getpid());
	rumpclient_exec(program, again, environ);
	CHECK(!"exec");
}

static void
executed(char *argv[])
{
	int a = atoi(argv[2]), b = atoi(argv[3]);

	CHECK(rump_sys_getpid() == atoi(argv[4]));
	CHECK(receive(a, "from before") == 5);
	FAILS(rump_sys_close(b), EBADF);
	CHECK(udp(6) >= 0);
}

#define THREADS 16
#define ROUNDS 50

static int sockets[THREADS + 1];

/* Each thread waits for its predecessor, and wakes the next one: calls of all overlap. */
static void *
link_of_ring(void *number)
{
	uint16_t own = (uint16_t)(uintptr_t)number;
	uint16_t next = own == THREADS ? 1 : (uint16_t)(own + 1);
	uint16_t before = own == 1 ? THREADS : (uint16_t)(own - 1);
	struct pollfd fd = { sockets[own], POLLIN, 0 };
	char text[20];

	for (int round = 0; round < ROUNDS; round++) {
		snprintf(text, sizeof(text), "%d", round);
		if (own == 1)
			send_to(fd.fd, next, text);
		if (own % 2 == 0)
			CHECK(rump_sys_poll(&fd, 1, -1) == 1 && fd.revents == POLLIN);
		CHECK(receive(fd.fd, text) == before);
		if (own != 1)
			send_to(fd.fd, next, text);
		/* Errors are each thread's own. */
		FAILS(rump_sys_close(900 + own), EBADF);
	}
	return NULL;
}

static void
threads(void)
{
	pthread_t all[THREADS + 1];
	uintptr_t i;

	for (i = 1; i <= THREADS; i++)
		CHECK((sockets[i] = udp((uint16_t)i)) >= 0);
	for (i = 1; i <= THREADS; i++)
		CHECK(pthread_create(&all[i], NULL, link_of_ring, (void *)i) == 0);
	for (i = 1; i <= THREADS; i++)
		CHECK(pthread_join(all[i], NULL) == 0);
}

static void
nothing(int number)
{
	(void)number;
}

static pthread_t waiter;
static volatile int over;

static void *
signaller(void *unused)
{
	(void)unused;
	while (!over)
		pthread_kill(waiter, SIGUSR1);
	return NULL;
}

/* A signal without SA_RESTART cancels a call that waits. */
static void
interrupted(void)
{
	struct sigaction action;
	pthread_t thread;
	char buf[8];
	int s = udp(5);

	memset(&action, 0, sizeof(action));
	action.sa_handler = nothing;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	waiter = pthread_self();
	CHECK(pthread_create(&thread, NULL, signaller, NULL) == 0);
	FAILS(rump_sys_recvfrom(s, buf, sizeof(buf), 0, NULL, NULL), EINTR);
	over = 1;
	CHECK(pthread_join(thread, NULL) == 0);
}

/* The server is killed after "here"; another one comes after "lost". */
static void
reconnects(void)
{
	int old = udp(5), s;
	char buf[8];

	rumpclient_setconnretry(0);
	printf("here\n");
	fflush(stdout);
	FAILS(rump_sys_recvfrom(old, buf, sizeof(buf), 0, NULL, NULL), ENOTCONN);
	FAILS(rump_sys_getpid(), ENOTCONN);
	rumpclient_setconnretry(RUMPCLIENT_RETRYCONN_ONCE);
	FAILS(rump_sys_getpid(), ENOTCONN);
	rumpclient_setconnretry(1);
	FAILS(rump_sys_getpid(), ENOTCONN);
	rumpclient_setconnretry(RUMPCLIENT_RETRYCONN_INFTIME);
	printf("lost\n");
	fflush(stdout);
	CHECK(rump_sys_getpid() > 0);
	FAILS(rump_sys_close(old), EBADF);
	CHECK((s = udp(5)) >= 0);
	send_to(s, 5, "again");
	receive(s, "again");
}

static void
dies(void)
{
	char buf[8];
	int s = udp(5);

	rumpclient_setconnretry(RUMPCLIENT_RETRYCONN_DIE);
	printf("here\n");
	fflush(stdout);
	rump_sys_recvfrom(s, buf, sizeof(buf), 0, NULL, NULL);
	CHECK(!"a call came back");
}

int
main(int argc, char *argv[])
{
	const char *part = argc > 1 ? argv[1] : "";

	FAILS(rump_sys_getpid(), EINVAL);
	CHECK(rumpclient_init() == 0);
	if (strcmp(part, "calls") == 0)
		calls();
	else if (strcmp(part, "fork") == 0)
		forks();
	else if (strcmp(part, "daemon") == 0)
		daemonized();
	else if (strcmp(part, "exec") == 0)
		execs(argv[0]);
	else if (strcmp(part, "executed") == 0)
		executed(argv);
	else if (strcmp(part, "threads") == 0)
		threads();
	else if (strcmp(part, "interrupted") == 0)
		interrupted();
	else if (strcmp(part, "reconnect") == 0)
		reconnects();
	else if (strcmp(part, "die") == 0)
		dies();
	else
		CHECK(!"a part");
	return 0;
}
