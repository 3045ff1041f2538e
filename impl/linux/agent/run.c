#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

/*
 * A run, behind the type of its frame:
 *   id u32, flags u32, regions u32, calls u32, slots u32
 *   per region: 32 bytes, see make_region
 *   per call: see perform.c
 */
#define RUN_HEADER 20
#define REGION_SIZE 32
#define MAX_REQUEST (16u << 20)
/*
 * A call that does not come back while this passes twice hangs. Calls take microseconds, or a
 * tenth of a second if they are DMA; and the host says whether it left us any time for them.
 * While a hang is shrunk, nearly all is waiting for this.
 */
#define HANG_MS 2000

static uint8_t request[MAX_REQUEST];

/* Waits for the next run; answers where it ends. */
static const uint8_t *receive(int port)
{
	uint8_t header[8];
	uint32_t length;

	if (!read_all(port, header, sizeof(header)))
		_exit(EXIT_HANGUP);
	length = get32(header) - 4;
	if (get32(header) < 4 + RUN_HEADER || length > sizeof(request) ||
	    get32(header + 4) != FRAME_RUN || !read_all(port, request, length))
		_exit(EXIT_HANGUP);
	return request + length;
}

static bool make_memory(const uint8_t *at, uint32_t count, const uint8_t *end, uint32_t flags)
{
	bool arranged = flags & (RUN_CONTIGUOUS | RUN_SCATTERED);

	if (arranged && !arrange_frames(flags & RUN_SCATTERED))
		return false;
	for (; count > 0; count--, at += REGION_SIZE)
		if (at + REGION_SIZE > end || !make_region(at, arranged))
			return false;
	return true;
}

/* An answer without a call, for those who want to see how the memory lies. */
static void answer_layout(const uint8_t *regions, const uint8_t *end)
{
	uint32_t neighbours = 0, pairs = 0;

	for (; regions < end; regions += REGION_SIZE)
		count_neighbours(get64(regions), get64(regions + 8), &neighbours, &pairs);
	put32(shared->answers, 0);
	put32(shared->answers + 4, 8);
	put32(shared->answers + 8, neighbours);
	put32(shared->answers + 12, pairs);
	shared->length = 16;
	shared->answered = 1;
	_exit(0);
}

static void work(int port, int life)
{
	const uint8_t *end = receive(port);
	uint32_t flags = get32(request + 4);
	uint32_t regions = get32(request + 8), count = get32(request + 12);
	uint8_t *memory = request + RUN_HEADER, *at;

	shared->id = get32(request);
	shared->used_slots = get32(request + 16) < MAX_SLOTS ? get32(request + 16) : MAX_SLOTS;
	write_all(life, "", 1);
	catch_faults();
	at = memory + regions * REGION_SIZE;
	begin_calls(at, end, count, port, flags & RUN_STEPWISE);
	/* Only the first process comes back from there. */
	if (flags & RUN_PROCESSES)
		lead_processes();
	if (!make_scratch() || !make_memory(memory, regions, end, flags))
		give_up(STATUS_CANNOT, ~0u);
	if (flags & RUN_LAYOUT)
		answer_layout(memory, at);
	if (flags & RUN_PROCESSES)
		live_as(0);
	make_calls_of(0);
	_exit(0);
}

/*
 * Waits for the worker. It writes a byte when it begins, and its end of the pipe closes when it
 * ends. Before it begins nothing ticks here: an idle machine sleeps. False: it hangs in a call.
 */
static bool await(int life)
{
	struct pollfd poller = { .fd = life, .events = POLLIN };
	uint32_t answered = ~0u;
	char byte;

	while (read(life, &byte, 1) < 0 && errno == EINTR)
		;
	for (;;) {
		if (poll(&poller, 1, HANG_MS) != 0)
			return true;
		if (shared->answered == answered)
			return false;
		answered = shared->answered;
	}
}

/*
 * Ends what a leader that died has left behind; one that ended left nobody. Nothing but the
 * trace is in this machine. False: it cannot be ended, for it hangs in a call.
 */
static bool end_orphans(void)
{
	int waits = 0;

	if (shared->pids[0] == 0)
		return true;
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		if (waits++ > 2 * HANG_MS)
			return false;
		usleep(1000);
	}
	return true;
}

/*
 * Forks a worker that waits for the next run and carries it out: forking it takes its time while
 * the host is still busy with the answer before. False: the host has gone.
 *
 * The answer to a run: id u32, status u32, detail u32, answered u32, log_call u32, log_length u32,
 * faults u32, the log, the answers.
 */
bool serve_trace(int port)
{
	uint8_t head[28];
	int wait_status = 0;
	int life[2];
	pid_t worker;

	shared->answered = 0;
	shared->status = STATUS_OK;
	shared->detail = 0;
	shared->length = 0;
	shared->log_call = ~0u;
	shared->log_length = 0;
	shared->faults = 0;
	shared->files = 0;
	memset(shared->slots, 0, shared->used_slots * sizeof(shared->slots[0]));
	memset(shared->pids, 0, sizeof(shared->pids));
	shared->exited = false;
	memset(shared->piece_taken, 0, sizeof(shared->piece_taken));

	if (pipe2(life, O_CLOEXEC) != 0)
		return false;
	worker = fork();
	if (worker == 0) {
		close(life[0]);
		work(port, life[1]);
	}
	close(life[1]);
	if (worker > 0 && !await(life[0])) {
		shared->status = STATUS_HUNG;
		shared->detail = shared->answered;
	} else if (worker < 0 || waitpid(worker, &wait_status, 0) != worker) {
		return false;
	} else if (!end_orphans()) {
		shared->status = STATUS_HUNG;
		shared->detail = shared->answered;
	}
	close(life[0]);
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_HANGUP)
		return false;
	if (wait_status != 0 && shared->status == STATUS_OK) {
		shared->status = STATUS_WORKER_DIED;
		shared->detail = (uint32_t)wait_status;
	}
	if (shared->status != STATUS_HUNG && !give_back_limit())
		return false;
	/* What the end of the process lets out counts for no call, but for what comes after them. */
	look_at_log(shared->answered);
	if (shared->log_call != ~0u)
		forgive();

	put32(head, shared->id);
	put32(head + 4, shared->status);
	put32(head + 8, shared->detail);
	put32(head + 12, shared->answered);
	put32(head + 16, shared->log_call);
	put32(head + 20, shared->log_length);
	put32(head + 24, shared->faults);
	struct iovec parts[] = {
		{ head, sizeof(head) },
		{ shared->log, shared->log_length },
		{ shared->answers, shared->length },
	};
	return send_frame(port, FRAME_DONE, parts, 3);
}
