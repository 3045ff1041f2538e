#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

/*
 * Traces of several processes. Each of them is a real one, a copy of the one that made the FORK,
 * and waits for its turn. A leader, which makes no call itself, gives the turn to the process of
 * the next call, and gets it back when the next call is another's or when the process has ended:
 * not before all is gone that it had. It is the parent of them all, whoever forked them: only a
 * parent is told how a process died.
 */
static int turns[MAX_PROCESSES][2], back[2];
/* Of the leader. */
static int handles[MAX_PROCESSES];

static bool make_lines(void)
{
	for (unsigned i = 0; i < MAX_PROCESSES; i++)
		if (pipe(turns[i]) != 0)
			return false;
	return pipe(back) == 0;
}

static bool is_there(int process)
{
	return process < MAX_PROCESSES && shared->pids[process] > 0;
}

/* Readable when the process has ended. */
static int handle_of(int process)
{
	if (handles[process] == 0)
		handles[process] = (int)syscall(SYS_pidfd_open, shared->pids[process], 0);
	return handles[process];
}

/* True: the turn came back; false: the process has ended instead. */
static bool let(int process)
{
	struct pollfd pollers[] = {
		{ .fd = back[0], .events = POLLIN },
		{ .fd = handle_of(process), .events = POLLIN },
	};
	char byte;

	write_all(turns[process][1], "", 1);
	while (poll(pollers, 2, -1) < 0 && errno == EINTR)
		;
	return pollers[0].revents != 0 && read(back[0], &byte, 1) == 1;
}

/* Its wait status. */
static uint32_t bury(int process)
{
	int wait_status = 0;

	while (waitpid(shared->pids[process], &wait_status, 0) < 0 && errno == EINTR)
		;
	return (uint32_t)wait_status;
}

static void end(int process)
{
	kill(shared->pids[process], SIGKILL);
	bury(process);
}

/* False: the run is over. */
static bool take_turns(int process)
{
	uint32_t wait_status;

	if (!is_there(process)) {
		answer_for_nobody();
		return true;
	}
	if (let(process))
		return true;
	wait_status = bury(process);
	shared->pids[process] = -1;
	if (shared->status != STATUS_OK || shared->log_call != ~0u)
		return false;
	if (!shared->exited) {
		shared->status = STATUS_WORKER_DIED;
		shared->detail = wait_status;
		return false;
	}
	shared->exited = false;
	/* What it let out when it ended counts for its EXIT. */
	return !look_at_log(shared->answered - 1);
}

/* Forks the first process, which returns, and leads. */
void lead_processes(void)
{
	pid_t first;
	int process;

	if (!make_lines())
		give_up(STATUS_CANNOT, ~0u);
	first = fork();
	if (first == 0) {
		/* What only the leader writes ends for all others when it does. */
		for (process = 0; process < MAX_PROCESSES; process++)
			close(turns[process][1]);
		return;
	}
	if (first < 0)
		give_up(STATUS_CANNOT, ~0u);
	shared->pids[0] = first;
	while ((process = next_process()) >= 0 && take_turns(process))
		;
	for (process = 0; process < MAX_PROCESSES; process++)
		if (is_there(process))
			end(process);
	_exit(0);
}

void live_as(unsigned process)
{
	char byte;

	for (;;) {
		ssize_t got = read(turns[process][0], &byte, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1)
			_exit(0);
		make_calls_of(process);
		write_all(back[1], "", 1);
	}
}

void do_fork(uint32_t child, struct answer *answer)
{
	pid_t pid;

	if (child >= MAX_PROCESSES) {
		answer->error = ENOSYS;
		return;
	}
	if (shared->pids[child] != 0) {
		answer->error = EINVAL;
		return;
	}
	/* As fork does, but for the leader. */
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		forget_status();
		forget_faults();
		live_as(child);
	}
	if (pid < 0)
		answer->error = errno;
	else
		shared->pids[child] = pid;
}
