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
#define IOVA_RANGE_SIZE 16
/* Where both structs with an array have its pointer and its number of elements. */
#define ARRAY_POINTER 16
#define ARRAY_COUNT 8
#define BIND_IOMMUFD 8
#define PAGE 4096ull
#define POISON 0xa5

#define MAX_STRUCT 128
#define MAX_FILES 1024
#define MAX_PINS 1000000
#define MAX_PAGES (1u << 20)

/* The open files of the trace. Their numbers count opens and are never used twice. */
static struct {
	int fd;
	/* Index of the device; -1: an iommufd. */
	int device;
} files[MAX_FILES];
static int32_t file_count;

int add_file(int fd, int device)
{
	if (file_count == MAX_FILES)
		return -1;
	files[file_count].fd = fd;
	files[file_count].device = device;
	return file_count++;
}

/* -1, which every call answers with EBADF, for all that is not open. */
int real_fd(int32_t number, bool device)
{
	if (number < 0 || number >= file_count || (files[number].device >= 0) != device)
		return -1;
	return files[number].fd;
}

int device_of(int32_t number)
{
	return number < 0 || number >= file_count ? -1 : files[number].device;
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
		succeed_with(answer, add_file(fd, -1));
}

void do_close(int32_t number, bool device, struct answer *answer)
{
	int fd = real_fd(number, device);

	if (close(fd) != 0)
		answer->error = errno;
	if (fd >= 0)
		files[number].fd = -1;
}

static bool in_scratch(uint64_t va)
{
	return va >= SCRATCH_VA && va < SCRATCH_VA + SCRATCH_LENGTH;
}

/* What has been overwritten of poisoned memory, in whole elements. */
static uint32_t elements_written(const uint8_t *array, uint32_t elements)
{
	uint32_t written = 0;

	for (uint32_t i = 0; i < elements; i++)
		for (uint32_t j = 0; j < IOVA_RANGE_SIZE; j++)
			if (array[i * IOVA_RANGE_SIZE + j] != POISON)
				written = i + 1;
	return written;
}

/*
 * An array must end where scratch memory does, so that the element behind it faults. A trace that
 * says how much is at its pointer is taken at its word, wherever the shrinker has moved that to;
 * a pointer to nothing is passed on as it is.
 */
static uint8_t *place_array(uint8_t *arg, uint32_t length)
{
	uint64_t va;

	if (length == 0 && !in_scratch(get64(arg + ARRAY_POINTER)))
		return NULL;
	va = SCRATCH_VA + SCRATCH_LENGTH - length;
	memcpy(arg + ARRAY_POINTER, &va, sizeof(va));
	return (uint8_t *)(uintptr_t)va;
}

static int translate_iommufd(int32_t number)
{
	static int other = -1;

	if (number != FD_NOT_AN_IOMMUFD) {
		int fd = real_fd(number, false);

		/* A negative number is refused for being one; any other must be a closed file. */
		return number < 0 ? number : fd < 0 ? 0x7fff0000 : fd;
	}
	if (other < 0)
		other = open("/dev/null", O_RDWR | O_CLOEXEC);
	return other;
}

/*
 * number s32, command u32, size u16, on u8, array u8, array_length u32, struct, array.
 * Answers the struct, and behind it as much of an ARRAY_OUT as was written.
 */
void do_ioctl(uint8_t *body, uint32_t length, struct answer *answer)
{
	uint32_t command = get32(body + 4), array_length = get32(body + 12);
	uint16_t size = get16(body + 8);
	uint8_t on = body[10], kind = body[11];
	uint8_t arg[MAX_STRUCT], sent[MAX_STRUCT];
	uint8_t *array = NULL;
	int fd = real_fd((int32_t)get32(body), on != ON_IOMMUFD);
	uint32_t written = 0;

	if (size > sizeof(arg) || 16u + size > length) {
		answer->error = ENOSYS;
		return;
	}
	memcpy(arg, body + 16, size);
	if (array_length > SCRATCH_LENGTH)
		array_length = SCRATCH_LENGTH;
	if (kind != ARRAY_NONE)
		array = place_array(arg, array_length);
	if (array != NULL && kind == ARRAY_IN)
		memcpy(array, body + 16 + size, array_length);
	if (array != NULL && kind == ARRAY_OUT)
		memset(array, POISON, array_length);
	if (on == ON_DEVICE_BIND)
		put32(arg + BIND_IOMMUFD,
		      (uint32_t)translate_iommufd((int32_t)get32(arg + BIND_IOMMUFD)));
	memcpy(sent, arg, size);
	if (ioctl(fd, command, arg) != 0)
		answer->error = errno;
	if (array != NULL && kind == ARRAY_OUT)
		written = elements_written(array, array_length / IOVA_RANGE_SIZE) * IOVA_RANGE_SIZE;
	/* A failed call mostly writes nothing: then there is nothing to tell. */
	if (answer->error != 0 && written == 0 && memcmp(arg, sent, size) == 0)
		return;
	if (size + written > answer->room) {
		answer->error = ENOSYS;
		return;
	}
	memcpy(answer->bytes, arg, size);
	if (written > 0)
		memcpy(answer->bytes + size, array, written);
	answer->length = size + written;
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
	int fd = real_fd((int32_t)get32(body), false);
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

void do_proc_status(struct answer *answer)
{
	static int fd = -1;
	char status[4096];
	ssize_t length;

	if (fd < 0)
		fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	/* Each read from the start makes the text anew. */
	length = pread(fd, status, sizeof(status) - 1, 0);
	if (length < 0) {
		answer->error = ENOSYS;
		return;
	}
	status[length] = '\0';
	put32(answer->bytes, pages_of(status, "\nVmPin:"));
	put32(answer->bytes + 4, pages_of(status, "\nVmLck:"));
	answer->length = 8;
}
