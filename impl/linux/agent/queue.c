#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

static int file_of(const uint8_t *body)
{
	return real_fd((int32_t)get32(body), OF_FAULTS);
}

/* number s32, count u32; answers what was read. */
void do_file_read(const uint8_t *body, struct answer *answer)
{
	uint32_t count = get32(body + 4);
	ssize_t got;

	if (count > answer->room) {
		answer->error = ENOSYS;
		return;
	}
	got = read(file_of(body), answer->bytes, count);
	if (got < 0)
		answer->error = errno;
	else
		answer->length = (uint32_t)got;
}

/* number s32, count u32, bytes: no more than these can be read. Answers how many were taken. */
void do_file_write(const uint8_t *body, uint32_t length, struct answer *answer)
{
	uint8_t *bytes = scratch_end_for(length - 8);
	ssize_t taken;

	if (bytes == NULL) {
		answer->error = ENOSYS;
		return;
	}
	memcpy(bytes, body + 8, length - 8);
	taken = write(file_of(body), bytes, get32(body + 4));
	if (taken < 0) {
		answer->error = errno;
	} else {
		put32(answer->bytes, (uint32_t)taken);
		answer->length = 4;
	}
	drop_more_scratch(length - 8);
}

/* number s32, events u16; answers those that are there, u32. */
void do_file_poll(const uint8_t *body, struct answer *answer)
{
	struct pollfd poller = { .fd = file_of(body), .events = (short)get16(body + 4) };

	/* poll passes over a negative number. */
	if (poller.fd < 0) {
		answer->error = EBADF;
	} else if (poll(&poller, 1, 0) < 0) {
		answer->error = errno;
	} else {
		put32(answer->bytes, (uint16_t)poller.revents);
		answer->length = 4;
	}
}
