#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent.h"

/* iommufd_test.h of the kernel is no public header: the few numbers that a probe needs. */
#define TEST_CMD 0x3ba0
#define TEST_CMD_SIZE 72
#define OP_MD_CHECK_REFS 4
#define PAGE 4096ull

#define MAX_FILES 1024
#define MAX_PINS 1000000
#define MAX_PAGES (1u << 20)

/*
 * The files that this process has. Numbers count the opens of all processes and are never used
 * twice.
 */
static struct {
	bool is_open;
	int fd;
	/* What it is of, see enum file_kind. */
	int kind;
} files[MAX_FILES];

int add_file(int fd, int kind)
{
	int32_t number = shared->files;

	if (number == MAX_FILES)
		return -1;
	files[number].is_open = true;
	files[number].fd = fd;
	files[number].kind = kind;
	return shared->files++;
}

static bool has_file(int32_t number)
{
	return number >= 0 && number < MAX_FILES && files[number].is_open;
}

static int family_of(int kind)
{
	return kind > OF_DEVICES ? OF_DEVICES : kind;
}

/* -1, which every call answers with EBADF, for all that is not open or of another kind. */
int real_fd(int32_t number, int kind)
{
	return has_file(number) && family_of(files[number].kind) == kind ? files[number].fd : -1;
}

/* The same where a call is given a file of whatever kind as an argument. */
int translate_file(int32_t number)
{
	static int other = -1;

	if (number == FD_NOT_AN_IOMMUFD) {
		if (other < 0)
			other = open("/dev/null", O_RDWR | O_CLOEXEC);
		return other;
	}
	/* A negative number is refused for being one; any other must be a closed file. */
	if (number < 0)
		return number;
	return has_file(number) ? files[number].fd : 0x7fff0000;
}

int device_of(int32_t number)
{
	return has_file(number) ? files[number].kind - OF_DEVICES : -1;
}

static void succeed_with(struct answer *answer, int32_t number)
{
	put32(answer->bytes, (uint32_t)number);
	answer->length = 4;
}

void do_open(struct answer *answer)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		answer->error = errno;
	else
		succeed_with(answer, add_file(fd, OF_IOMMUFD));
}

void do_dup(int32_t number, struct answer *answer)
{
	int fd = fcntl(real_fd(number, OF_IOMMUFD), F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		answer->error = errno;
	else
		succeed_with(answer, add_file(fd, OF_IOMMUFD));
}

void do_close(int32_t number, int kind, struct answer *answer)
{
	int fd = real_fd(number, kind);

	if (close(fd) != 0)
		answer->error = errno;
	if (fd >= 0)
		files[number].is_open = false;
}

static int check_refs(int fd, uint64_t va, uint64_t length, uint32_t refs)
{
	uint8_t arg[TEST_CMD_SIZE] = { 0 };

	put32(arg, TEST_CMD_SIZE);
	put32(arg + 4, OP_MD_CHECK_REFS);
	memcpy(arg + 16, &length, sizeof(length));
	memcpy(arg + 24, &va, sizeof(va));
	put32(arg + 32, refs);
	return ioctl(fd, TEST_CMD, arg) == 0 ? 0 : errno;
}

/* Pins of one page: -EFAULT if there is none. Mostly as many as the page before it has. */
static int64_t pins_of(int fd, uint64_t va, int64_t guess)
{
	int error = check_refs(fd, va, PAGE, guess < 0 ? 0 : (uint32_t)guess);

	if (error == 0)
		return guess < 0 ? 0 : guess;
	if (error != EIO)
		return -(int64_t)error;
	for (uint32_t refs = 0; refs < MAX_PINS; refs++)
		if (check_refs(fd, va, PAGE, refs) == 0)
			return refs;
	return -EIO;
}

/* The answer is runs of s32 pins (-1: no page) and u32 pages. */
static bool add_run(struct answer *answer, int64_t pins, uint32_t pages)
{
	if (answer->length + 8 > answer->room)
		return false;
	put32(answer->bytes + answer->length, pins < 0 ? ~0u : (uint32_t)pins);
	put32(answer->bytes + answer->length + 4, pages);
	answer->length += 8;
	return true;
}

void do_page_refs(const uint8_t *body, struct answer *answer)
{
	int fd = real_fd((int32_t)get32(body), OF_IOMMUFD);
	uint64_t va = get64(body + 4), length = get64(body + 12);
	uint64_t pages = length / PAGE;
	int64_t pins = 0;
	uint32_t run = 0;
	int error = check_refs(fd, va, length, 0);

	if (error != 0 && error != EIO && error != EFAULT) {
		answer->error = error;
		return;
	}
	if (pages > MAX_PAGES) {
		answer->error = ENOSYS;
		return;
	}
	if (error == 0) {
		if (pages > 0)
			add_run(answer, 0, (uint32_t)pages);
		return;
	}
	for (uint64_t i = 0; i < pages; i++) {
		int64_t now = pins_of(fd, va + i * PAGE, pins);

		if (now < 0 && now != -EFAULT) {
			answer->error = (int)-now;
			return;
		}
		if (run > 0 && now != pins) {
			if (!add_run(answer, pins, run))
				answer->error = ENOSYS;
			run = 0;
		}
		pins = now;
		run++;
	}
	if (!add_run(answer, pins, run))
		answer->error = ENOSYS;
}

static uint32_t pages_of(const char *status, const char *field)
{
	const char *at = strstr(status, field);

	/* In kB. */
	return at == NULL ? 0 : (uint32_t)(strtoul(at + strlen(field), NULL, 10) * 1024 / PAGE);
}

static int status_file = -1;

void do_proc_status(struct answer *answer)
{
	char status[4096];
	ssize_t length;

	if (status_file < 0)
		status_file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	/* Each read from the start makes the text anew. */
	length = pread(status_file, status, sizeof(status) - 1, 0);
	if (length < 0) {
		answer->error = ENOSYS;
		return;
	}
	status[length] = '\0';
	put32(answer->bytes, pages_of(status, "\nVmPin:"));
	put32(answer->bytes + 4, pages_of(status, "\nVmLck:"));
	answer->length = 8;
}

/* It is the parent's. */
void forget_status(void)
{
	if (status_file >= 0)
		close(status_file);
	status_file = -1;
}
