/*
 * A client that forks and execs:
 *
 *	cc -Iinclude processes.c -lrumpclient -o processes
 *	RUMP_SERVER=unix://path ./processes
 */
#include <sys/wait.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rump/rumpclient.h>

extern char **environ;

static void __attribute__((noreturn))
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, rumpclient_error());
	exit(1);
}

static pid_t
pid_by_number(void)
{
	long pid;

	if (rumpclient_syscall(SYS_getpid, NULL, 0, &pid) != 0)
		die("getpid");
	return (pid_t)pid;
}

int
main(int argc, char *argv[])
{
	struct rumpclient_fork *fork_cookie;
	char *again[] = { argv[0], "again", NULL };
	uint64_t bad[] = { 3, 1, 8 };
	int status;
	pid_t child;

	rumpclient_setconnretry(RUMPCLIENT_RETRYCONN_ONCE);
	if (rumpclient_init() != 0)
		die("no server");
	if (argc > 1) {
		printf("still %d\n", (int)rump_sys_getpid());
		return 0;
	}
	printf("process %d\n", (int)pid_by_number());
	fflush(stdout);

	/* A bad pointer is an error, and so is what is no call. */
	if (rumpclient_syscall(SYS_write, bad, sizeof(bad), NULL) != EFAULT)
		die("a bad pointer was not noticed");
	if (rumpclient_syscall(SYS_write, bad, 7, NULL) != EINVAL || errno != EINVAL)
		die("half an argument was not noticed");
	if (rump_sys_write(3, "hello", 5) != 5)
		die("write");

	if ((fork_cookie = rumpclient_prefork()) == NULL)
		die("prefork");
	rumpclient_fork_cancel(fork_cookie);

	switch (child = rumpclient_fork()) {
	case -1:
		die("fork");
	case 0:
		printf("child %d\n", (int)rump_sys_getpid());
		fflush(stdout);
		rumpclient_exec(argv[0], again, environ);
		die("exec");
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		die("the child");
	printf("parent %d\n", (int)rump_sys_getpid());
	return 0;
}
