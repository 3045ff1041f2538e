#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

/*
 * A run, behind the type of its frame:
 *   id u32, flags u32, regions u32, calls u32, slots u32
 *   per region: 32 bytes, see make_region
 *   per call: op u8, relocations u8, stores u8, 0 u8, length of the body u32, fail_nth u32
 *     (see arm_fault; 0: nothing is to fail), body
 *     per relocation: offset in the body u16, width u8, skip u8 (bytes of the value
 *       that are not put there), slot u32, addend u64, lost u64
 *     per store: offset in the answer u16, width u8, 0 u8, slot u32
 */
#define RUN_HEADER 20
#define REGION_SIZE 32
#define CALL_HEADER 12
#define RELOCATION_SIZE 24
#define STORE_SIZE 8
#define MAX_SLOTS 65536
#define MAX_REQUEST (16u << 20)
/*
 * A call that does not come back while this passes twice hangs. Calls take microseconds, or a
 * tenth of a second if they are DMA.
 */
#define HANG_MS 4000

static uint8_t request[MAX_REQUEST];

/* What a later call can use of an earlier one's outputs. A call that failed leaves none. */
static struct {
	uint64_t value;
	bool valid;
} slots[MAX_SLOTS];

static void relocate(uint8_t *body, uint32_t length, const uint8_t *relocation)
{
	unsigned width = relocation[2], skip = relocation[3];
	uint32_t slot = get32(relocation + 4);
	uint64_t value = get64(relocation + 16);

	if (slot < MAX_SLOTS && slots[slot].valid)
		value = (slots[slot].value + get64(relocation + 8)) >> 8 * skip;
	/* A struct of an older caller may end before the field. */
	if (get16(relocation) + width <= length)
		put_sized(body + get16(relocation), width, value);
}

static void store(const struct answer *answer, const uint8_t *entry)
{
	uint16_t offset = get16(entry);
	unsigned width = entry[2];
	uint32_t slot = get32(entry + 4);

	if (slot >= MAX_SLOTS || offset + width > answer->length)
		return;
	slots[slot].value = get_sized(answer->bytes + offset, width);
	slots[slot].valid = true;
}

static void perform(uint8_t op, uint8_t *body, uint32_t length, struct answer *answer)
{
	switch (op) {
	case OP_OPEN:
		do_open(answer);
		break;
	case OP_DUP:
		do_dup((int32_t)get32(body), answer);
		break;
	case OP_CLOSE:
		do_close((int32_t)get32(body), OF_IOMMUFD, answer);
		break;
	case OP_IOCTL:
		do_ioctl(body, length, answer);
		break;
	case OP_MMAP:
		answer->error = do_mmap(get64(body), get64(body + 8), body[16], body[17]);
		break;
	case OP_MUNMAP:
		answer->error = do_munmap(get64(body), get64(body + 8));
		break;
	case OP_MPROTECT:
		answer->error = do_mprotect(get64(body), get64(body + 8), body[16]);
		break;
	case OP_MEM_WRITE:
		answer->error = guarded_store(get64(body), body + 8, length - 8);
		break;
	case OP_MEM_READ: {
		uint32_t wanted = get32(body + 8);

		if (wanted > answer->room) {
			answer->error = ENOSYS;
			break;
		}
		answer->error = guarded_load(get64(body), answer->bytes, wanted);
		if (answer->error == 0)
			answer->length = wanted;
		break;
	}
	case OP_PAGE_REFS:
		do_page_refs(body, answer);
		break;
	case OP_PROC_STATUS:
		do_proc_status(answer);
		break;
	case OP_DEVICE_OPEN:
		do_device_open(get32(body), answer);
		break;
	case OP_DEVICE_CLOSE:
		do_close((int32_t)get32(body), OF_DEVICES, answer);
		break;
	case OP_DMA:
		do_dma(body, answer);
		break;
	case OP_NUMBER_IOCTL:
		do_number_ioctl(body, answer);
		break;
	case OP_FILE_READ:
		do_file_read(body, answer);
		break;
	case OP_FILE_WRITE:
		do_file_write(body, length, answer);
		break;
	case OP_FILE_POLL:
		do_file_poll(body, answer);
		break;
	case OP_FILE_CLOSE:
		do_close((int32_t)get32(body), body[4], answer);
		break;
	case OP_SET_MEMLOCK:
		answer->error = do_set_memlock(get64(body), get64(body + 8));
		break;
	case OP_SET_UID:
		answer->error = do_set_uid(get32(body));
		break;
	default:
		answer->error = ENOSYS;
	}
}

static void give_up(enum run_status status, uint32_t detail)
{
	shared->status = status;
	shared->detail = detail;
	_exit(0);
}

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

/* Makes the memory of the trace; answers where its regions end, or NULL. */
static uint8_t *make_memory(uint8_t *regions, uint32_t count, const uint8_t *end, uint32_t flags)
{
	bool arranged = flags & (RUN_CONTIGUOUS | RUN_SCATTERED);
	uint8_t *at = regions;

	if (arranged && !arrange_frames(flags & RUN_SCATTERED))
		return NULL;
	for (; count > 0; count--, at += REGION_SIZE)
		if (at + REGION_SIZE > end || !make_region(at, arranged))
			return NULL;
	return at;
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

/* Answers are error s32, length u32, bytes. */
static void work(int port, int life)
{
	const uint8_t *end = receive(port);
	uint32_t id = get32(request), flags = get32(request + 4);
	uint32_t regions = get32(request + 8), calls = get32(request + 12);
	uint8_t *memory = request + RUN_HEADER, *at;

	shared->id = id;
	write_all(life, "", 1);
	catch_faults();
	at = make_scratch() ? make_memory(memory, regions, end, flags) : NULL;
	if (at == NULL)
		give_up(STATUS_CANNOT, ~0u);
	if (flags & RUN_LAYOUT)
		answer_layout(memory, at);

	for (uint32_t i = 0; i < calls; i++) {
		uint8_t *body = at + CALL_HEADER;
		uint32_t length = get32(at + 4), fail_nth = get32(at + 8);
		const uint8_t *relocations = body + length;
		const uint8_t *stores = relocations + at[1] * RELOCATION_SIZE;
		uint8_t *header = shared->answers + shared->length;
		struct answer answer = {
			.bytes = header + 8,
			.room = (uint32_t)(sizeof(shared->answers) - shared->length - 8),
		};

		if (stores + at[2] * STORE_SIZE > end || answer.room < 4096)
			give_up(STATUS_CANNOT, i);
		for (unsigned r = 0; r < at[1]; r++)
			relocate(body, length, relocations + r * RELOCATION_SIZE);
		if (fail_nth > 0 && !arm_fault(fail_nth))
			give_up(STATUS_CANNOT, i);
		perform(at[0], body, length, &answer);
		if (fail_nth > 0 && disarm_fault())
			shared->faults++;
		if (shared->status != STATUS_OK)
			_exit(0);
		/* No call of the uAPI answers this: the agent says that it cannot do it. */
		if (answer.error == ENOSYS)
			give_up(STATUS_CANNOT, i);
		if (answer.error == 0)
			for (unsigned s = 0; s < at[2]; s++)
				store(&answer, stores + s * STORE_SIZE);
		put32(header, (uint32_t)answer.error);
		put32(header + 4, answer.length);
		if (flags & RUN_STEPWISE) {
			struct iovec parts[] = { { &id, 4 }, { header, 8 + answer.length } };

			send_frame(port, FRAME_ANSWER, parts, 2);
		}
		shared->length += 8 + answer.length;
		shared->answered = i + 1;
		if (look_at_log(i))
			_exit(0);
		at = (uint8_t *)stores + at[2] * STORE_SIZE;
	}
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
	}
	close(life[0]);
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_HANGUP)
		return false;
	if (wait_status != 0) {
		shared->status = STATUS_WORKER_DIED;
		shared->detail = (uint32_t)wait_status;
	}
	/* What the end of the process let out counts for the last call. */
	look_at_log(shared->answered > 0 ? shared->answered - 1 : 0);
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
