#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"

#define MAX_MEMFDS 16

static sigjmp_buf faulted;
static volatile sig_atomic_t guarded;

static void on_fault(int signal)
{
	if (guarded)
		siglongjmp(faulted, 1);
	/* A bug of the agent, or a trace that took the agent's own memory away. */
	_exit(128 + signal);
}

void catch_faults(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_fault;
	action.sa_flags = SA_NODEFER;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

static int cpu_prot(int prot)
{
	if (prot == PROT_OF_NONE)
		return PROT_NONE;
	return prot == PROT_OF_R ? PROT_READ : PROT_READ | PROT_WRITE;
}

static void *address(uint64_t va)
{
	return (void *)(uintptr_t)va;
}

bool make_scratch(void)
{
	return mmap(address(SCRATCH_VA), SCRATCH_LENGTH, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	       address(SCRATCH_VA);
}

/* More than scratch memory holds is put before it, for the time of one call. */
static uint64_t start_for(uint32_t length)
{
	return (SCRATCH_END - length) & ~0xfffull;
}

/* Where memory of this length begins if it ends where scratch memory does; NULL: no room. */
uint8_t *scratch_end_for(uint32_t length)
{
	uint64_t start = start_for(length);

	if (start < SCRATCH_VA &&
	    mmap(address(start), SCRATCH_VA - start, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != address(start))
		return NULL;
	return address(SCRATCH_END - length);
}

void drop_more_scratch(uint32_t length)
{
	uint64_t start = start_for(length);

	if (start < SCRATCH_VA)
		munmap(address(start), SCRATCH_VA - start);
}

/* The files of memfd regions, by the number that the platform gives them. */
static int memfd_of(unsigned number, uint64_t size)
{
	static int fds[MAX_MEMFDS];
	static uint64_t sizes[MAX_MEMFDS];

	if (number >= MAX_MEMFDS)
		return -1;
	if (fds[number] == 0)
		fds[number] = memfd_create("region", MFD_CLOEXEC);
	if (fds[number] < 0)
		return -1;
	if (size > sizes[number]) {
		if (ftruncate(fds[number], (off_t)size) != 0)
			return -1;
		sizes[number] = size;
	}
	return fds[number];
}

/* va u64, length u64, offset u64, memfd u32, prot u8, backing u8, 2 bytes of nothing */
bool make_region(const uint8_t *region, bool populate)
{
	uint64_t va = get64(region), length = get64(region + 8), offset = get64(region + 16);
	int prot = cpu_prot(region[28]);
	int flags = MAP_FIXED_NOREPLACE | (populate ? MAP_POPULATE : 0);
	int fd = -1;

	if (region[29] == MEMFD) {
		fd = memfd_of(get32(region + 24), offset + length);
		if (fd < 0)
			return false;
		flags |= MAP_SHARED;
	} else {
		flags |= MAP_ANONYMOUS | (region[29] == ANON_PRIVATE ? MAP_PRIVATE : MAP_SHARED);
	}
	return mmap(address(va), length, prot, flags, fd, (off_t)offset) == address(va);
}

int do_mmap(uint64_t va, uint64_t length, int prot, int backing)
{
	int flags = MAP_FIXED;
	int fd = -1, error = 0;

	if (backing == MEMFD) {
		fd = memfd_create("mmap", MFD_CLOEXEC);
		if (fd < 0)
			return errno;
		flags |= MAP_SHARED;
	} else {
		flags |= MAP_ANONYMOUS | (backing == ANON_PRIVATE ? MAP_PRIVATE : MAP_SHARED);
	}
	if (mmap(address(va), length, cpu_prot(prot), flags, fd, 0) == MAP_FAILED)
		error = errno;
	if (fd >= 0) {
		if (error == 0 && ftruncate(fd, (off_t)length) != 0)
			error = errno;
		close(fd);
	}
	return error;
}

int do_munmap(uint64_t va, uint64_t length)
{
	return munmap(address(va), length) == 0 ? 0 : errno;
}

int do_mprotect(uint64_t va, uint64_t length, int prot)
{
	return mprotect(address(va), length, cpu_prot(prot)) == 0 ? 0 : errno;
}

/* CPU stores byte by byte, so that those before the first that faults are made. */
int guarded_store(uint64_t va, const uint8_t *bytes, uint32_t length)
{
	volatile uint8_t *to = address(va);

	if (sigsetjmp(faulted, 0) != 0) {
		guarded = 0;
		return EFAULT;
	}
	guarded = 1;
	for (uint32_t i = 0; i < length; i++)
		to[i] = bytes[i];
	guarded = 0;
	return 0;
}

int guarded_load(uint64_t va, uint8_t *bytes, uint32_t length)
{
	const volatile uint8_t *from = address(va);

	if (sigsetjmp(faulted, 0) != 0) {
		guarded = 0;
		return EFAULT;
	}
	guarded = 1;
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = from[i];
	guarded = 0;
	return 0;
}
