#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* Failures of allocations on demand: Documentation/fault-injection of the kernel. */
#define FAIL_NTH "/proc/thread-self/fail-nth"
#define DEBUG "/sys/kernel/debug/"

static int fail_nth = -1;

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	write_all(fd, value, strlen(value));
	close(fd);
}

/* Also allocations that may wait can fail, and none of it is worth a word in the log. */
void allow_faults(void)
{
	set(DEBUG "failslab/ignore-gfp-wait", "N");
	set(DEBUG "failslab/verbose", "0");
	set(DEBUG "fail_iommufd/verbose", "0");
}

static bool write_nth(uint32_t nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	return write(fail_nth, text, (size_t)length) == length;
}

/* The nth place from now on where this thread can fail will. False: this kernel cannot do it. */
bool arm_fault(uint32_t nth)
{
	if (fail_nth < 0)
		fail_nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	return fail_nth >= 0 && write_nth(nth);
}

/* True when it has come to that: the kernel counts down to 0. */
bool disarm_fault(void)
{
	char text[16] = "";
	ssize_t length = pread(fail_nth, text, sizeof(text) - 1, 0);
	bool happened = length > 0 && strtoul(text, NULL, 10) == 0;

	write_nth(0);
	return happened;
}

/* It is the parent's. */
void forget_faults(void)
{
	if (fail_nth >= 0)
		close(fail_nth);
	fail_nth = -1;
}
