#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"

/*
 * Where the memory of a trace lies physically. A kernel hands out first what was freed last, so
 * a pool of pages is taken, and given back page by page in the order in which the regions of
 * the trace are to get them. The pool is a file that nothing maps while it shrinks: to unmap
 * page by page would cost a flush of the TLB each.
 */
#define PAGE 4096ull
/* An entry of /proc/self/pagemap. */
#define FRAME_MASK ((1ull << 55) - 1)
#define PRESENT (1ull << 63)

struct piece {
	uint64_t frame;
	/* In the file of the pool. */
	off_t offset;
};

/* More than most traces have: what the worker itself took from between leaves holes. */
#define POOL_PAGES 144u
/* As many more are taken until there is a long run among them. */
#define MORE_PAGES 256u
#define MAX_POOL 1024u
/* All memory of a usual trace, and some more. */
#define LONG_RUN 100u

struct run {
	unsigned first, length;
};

static struct piece pool[MAX_POOL];
static struct run runs[MAX_POOL];
static unsigned run_count;
static unsigned pool_pages;
static int pool_file = -1;

/* The page frames behind `count` pages; 0: there is none. */
static bool frames_of(uint64_t va, uint64_t *frames, uint64_t count)
{
	ssize_t size = (ssize_t)(count * sizeof(frames[0]));
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool whole = fd >= 0 && pread(fd, frames, (size_t)size, (off_t)(va / PAGE * 8)) == size;

	if (fd >= 0)
		close(fd);
	for (uint64_t i = 0; whole && i < count; i++)
		frames[i] = frames[i] & PRESENT ? frames[i] & FRAME_MASK : 0;
	return whole;
}

static int by_frame(const void *a, const void *b)
{
	uint64_t x = ((const struct piece *)a)->frame, y = ((const struct piece *)b)->frame;

	return x < y ? -1 : x > y;
}

static int by_length(const void *a, const void *b)
{
	unsigned x = ((const struct run *)a)->length, y = ((const struct run *)b)->length;

	return x < y ? -1 : x > y;
}

/* Into the pool, in the order of their frames. */
static bool take(unsigned pages)
{
	static uint64_t frames[MAX_POOL];
	unsigned had = pool_pages;
	void *view;
	bool known;

	if (pool_file < 0)
		pool_file = memfd_create("pool", MFD_CLOEXEC);
	if (pool_file < 0 || ftruncate(pool_file, (off_t)((had + pages) * PAGE)) != 0)
		return false;
	view = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, pool_file,
		    (off_t)(had * PAGE));
	if (view == MAP_FAILED)
		return false;
	known = frames_of((uint64_t)(uintptr_t)view, frames, pages);
	munmap(view, pages * PAGE);
	pool_pages = had + pages;
	for (unsigned i = 0; i < pages; i++)
		pool[had + i] = (struct piece){ frames[i], (off_t)((had + i) * PAGE) };
	qsort(pool, pool_pages, sizeof(pool[0]), by_frame);
	return known;
}

static void give_back(uint64_t offset, uint64_t length)
{
	fallocate(pool_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		  (off_t)length);
}

/* Finds the runs of neighbours; the longest is the last. */
static void find_runs(void)
{
	run_count = 0;
	for (unsigned i = 0; i < pool_pages; i++) {
		if (i == 0 || pool[i].frame != pool[i - 1].frame + 1)
			runs[run_count++] = (struct run){ i, 0 };
		runs[run_count - 1].length++;
	}
	qsort(runs, run_count, sizeof(runs[0]), by_length);
}

/* A kernel that leaks pages tears holes: then there are runs further down. */
static bool take_long_run(void)
{
	do {
		if (!take(MORE_PAGES))
			return false;
		find_runs();
	} while (runs[run_count - 1].length < LONG_RUN && pool_pages < MAX_POOL);
	return true;
}

/*
 * The longest run comes last and backwards, to be handed out first and upwards. Of all the others
 * nobody cares for the order: each stretch of the file is one call.
 */
static void give_back_in_one_piece(void)
{
	static bool is_kept[MAX_POOL];
	struct run run = runs[run_count - 1];

	if (run.length > POOL_PAGES)
		run.length = POOL_PAGES;
	memset(is_kept, 0, sizeof(is_kept));
	for (unsigned i = 0; i < run.length; i++)
		is_kept[(uint64_t)pool[run.first + i].offset / PAGE] = true;
	for (unsigned i = 0, start = 0; i < pool_pages; i++) {
		if (is_kept[i])
			start = i + 1;
		else if (i + 1 == pool_pages || is_kept[i + 1])
			give_back(start * PAGE, (i + 1 - start) * PAGE);
	}
	for (unsigned i = run.length; i-- > 0;)
		give_back((uint64_t)pool[run.first + i].offset, PAGE);
}

/* To be handed out upwards, every second one and then those between: no two are neighbours. */
static void give_back_scattered(void)
{
	for (unsigned odd = 2; odd-- > 0;)
		for (unsigned i = pool_pages; i-- > 0;)
			if (i % 2 == odd)
				give_back((uint64_t)pool[i].offset, PAGE);
}

bool arrange_frames(bool scattered)
{
	if (scattered) {
		if (!take(POOL_PAGES))
			return false;
		give_back_scattered();
	} else {
		if (!take_long_run())
			return false;
		give_back_in_one_piece();
	}
	close(pool_file);
	return true;
}

/* How many pages of a region follow their neighbour, of all pairs of which both are there. */
void count_neighbours(uint64_t va, uint64_t length, uint32_t *neighbours, uint32_t *pairs)
{
	uint64_t frames[256];
	uint64_t pages = length / PAGE;

	if (pages > 256)
		pages = 256;
	if (!frames_of(va, frames, pages))
		return;
	for (uint64_t i = 1; i < pages; i++) {
		if (frames[i] == 0 || frames[i - 1] == 0)
			continue;
		++*pairs;
		*neighbours += frames[i] == frames[i - 1] + 1;
	}
}
