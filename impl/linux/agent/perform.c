#include <errno.h>
#include <unistd.h>

#include "agent.h"

/*
 * The calls of a run, one after the other:
 *   op u8, relocations u8, stores u8, process u8, length of the body u32, fail_nth u32
 *     (see arm_fault; 0: nothing is to fail), body
 *   per relocation: offset in the body u16, width u8, skip u8 (bytes of the value
 *     that are not put there), slot u32, addend u64, lost u64
 *   per store: offset in the answer u16, width u8, 0 u8, slot u32
 * Answers are error s32, length u32, bytes.
 */
#define CALL_HEADER 12
#define RELOCATION_SIZE 24
#define STORE_SIZE 8

/* Each process of the trace has its own copy of the calls, and looks up how far they are. */
static struct {
	uint8_t *at;
	const uint8_t *end;
	uint32_t next, count;
	int port;
	bool stepwise;
} calls;

void begin_calls(uint8_t *at, const uint8_t *end, uint32_t count, int port, bool stepwise)
{
	calls.at = at;
	calls.end = end;
	calls.next = 0;
	calls.count = count;
	calls.port = port;
	calls.stepwise = stepwise;
}

void give_up(enum run_status status, uint32_t detail)
{
	shared->status = status;
	shared->detail = detail;
	_exit(0);
}

static void relocate(uint8_t *body, uint32_t length, const uint8_t *relocation)
{
	unsigned width = relocation[2], skip = relocation[3];
	uint32_t slot = get32(relocation + 4);
	uint64_t value = get64(relocation + 16);

	if (slot < MAX_SLOTS && shared->slots[slot].valid)
		value = (shared->slots[slot].value + get64(relocation + 8)) >> 8 * skip;
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
	shared->slots[slot].value = get_sized(answer->bytes + offset, width);
	shared->slots[slot].valid = true;
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
	case OP_FORK:
		do_fork(get32(body), answer);
		break;
	case OP_EXIT:
		break;
	default:
		answer->error = ENOSYS;
	}
}

static uint8_t *stores_of(uint8_t *call)
{
	return call + CALL_HEADER + get32(call + 4) + call[1] * RELOCATION_SIZE;
}

static void pass_over(void)
{
	calls.at = stores_of(calls.at) + calls.at[2] * STORE_SIZE;
	calls.next++;
}

/* Leads to the first call that nobody has made yet. False: there is none. */
static bool catch_up(void)
{
	while (calls.next < shared->answered)
		pass_over();
	return calls.next < calls.count;
}

static void answer_is(const struct answer *answer)
{
	uint8_t *header = shared->answers + shared->length;

	put32(header, (uint32_t)answer->error);
	put32(header + 4, answer->length);
	if (calls.stepwise) {
		struct iovec parts[] = { { &shared->id, 4 }, { header, 8 + answer->length } };

		send_frame(calls.port, FRAME_ANSWER, parts, 2);
	}
	shared->length += 8 + answer->length;
	shared->answered = calls.next + 1;
}

static struct answer next_answer(void)
{
	struct answer answer = {
		.bytes = shared->answers + shared->length + 8,
		.room = (uint32_t)(sizeof(shared->answers) - shared->length - 8),
	};

	if (stores_of(calls.at) + calls.at[2] * STORE_SIZE > calls.end || answer.room < 4096)
		give_up(STATUS_CANNOT, calls.next);
	return answer;
}

static void make_call(void)
{
	uint32_t length = get32(calls.at + 4), fail_nth = get32(calls.at + 8);
	uint8_t *body = calls.at + CALL_HEADER, *stores = stores_of(calls.at);
	struct answer answer = next_answer();

	for (unsigned r = 0; r < calls.at[1]; r++)
		relocate(body, length, body + length + r * RELOCATION_SIZE);
	if (fail_nth > 0 && !arm_fault(fail_nth))
		give_up(STATUS_CANNOT, calls.next);
	perform(calls.at[0], body, length, &answer);
	if (fail_nth > 0 && disarm_fault())
		shared->faults++;
	if (shared->status != STATUS_OK)
		_exit(0);
	/* No call of the uAPI answers this: the agent says that it cannot do it. */
	if (answer.error == ENOSYS)
		give_up(STATUS_CANNOT, calls.next);
	if (answer.error == 0)
		for (unsigned s = 0; s < calls.at[2]; s++)
			store(&answer, stores + s * STORE_SIZE);
	answer_is(&answer);
	if (look_at_log(calls.next))
		_exit(0);
	if (calls.at[0] == OP_EXIT) {
		shared->exited = true;
		_exit(0);
	}
}

int next_process(void)
{
	return catch_up() ? calls.at[3] : -1;
}

void make_calls_of(unsigned process)
{
	while (next_process() == (int)process)
		make_call();
}

void answer_for_nobody(void)
{
	struct answer answer = next_answer();

	answer.error = ESRCH;
	answer_is(&answer);
}
