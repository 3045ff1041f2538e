#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent.h"

/*
 * SET_TEMP_MEMORY_LIMIT of the mock driver is the machine's (drivers/iommu/iommufd/selftest.c): what
 * a trace makes of it, the next one must not find.
 */
#define TEST_CMD 0x3ba0
#define TEST_CMD_SIZE 72
#define OP_SET_TEMP_MEMORY_LIMIT 9
#define USUAL_LIMIT 65536

void note_limit(uint32_t command, const uint8_t *arg, size_t size)
{
	if (command == TEST_CMD && size >= 8 && get32(arg + 4) == OP_SET_TEMP_MEMORY_LIMIT)
		shared->limited = true;
}

/* False: it cannot be given back. */
bool give_back_limit(void)
{
	uint8_t arg[TEST_CMD_SIZE] = { 0 };
	bool is_back;
	int fd;

	if (!shared->limited)
		return true;
	shared->limited = false;
	put32(arg, TEST_CMD_SIZE);
	put32(arg + 4, OP_SET_TEMP_MEMORY_LIMIT);
	put32(arg + 16, USUAL_LIMIT);
	fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	is_back = fd >= 0 && ioctl(fd, TEST_CMD, arg) == 0;
	if (fd >= 0)
		close(fd);
	return is_back;
}
