#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"

uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

uint64_t get_sized(const uint8_t *at, unsigned width)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	return value;
}

void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

void put_sized(uint8_t *at, unsigned width, uint64_t value)
{
	memcpy(at, &value, width);
}

bool write_all(int fd, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	while (length > 0) {
		ssize_t written = write(fd, at, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		at += written;
		length -= (size_t)written;
	}
	return true;
}

/* False also at the end of the file: the host has gone. */
bool read_all(int fd, void *bytes, size_t length)
{
	uint8_t *at = bytes;

	while (length > 0) {
		ssize_t got = read(fd, at, length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		length -= (size_t)got;
	}
	return true;
}

/*
 * Each write to the port stops the machine until the host has taken it: so there are as few as
 * possible. More than this the port does not take at once.
 */
bool send_frame(int port, uint32_t type, const struct iovec *parts, int count)
{
	uint8_t *to = shared->outgoing;
	size_t used = 8;
	uint32_t length = 4;

	for (int i = 0; i < count; i++)
		length += (uint32_t)parts[i].iov_len;
	put32(to, length);
	put32(to + 4, type);
	for (int i = 0; i < count; i++) {
		const uint8_t *from = parts[i].iov_base;
		size_t left = parts[i].iov_len;

		while (left > 0) {
			size_t fits = sizeof(shared->outgoing) - used;

			if (fits > left)
				fits = left;
			memcpy(to + used, from, fits);
			used += fits;
			from += fits;
			left -= fits;
			if (used < sizeof(shared->outgoing))
				continue;
			if (!write_all(port, to, used))
				return false;
			used = 0;
		}
	}
	return used == 0 || write_all(port, to, used);
}
