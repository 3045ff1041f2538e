/*
 * The yardstick of bench/growth.ts: workloads that touch memory at random, as a C programmer would
 * write them. What their time per page or area grows by is due to caches and TLBs (and, for areas,
 * to the height of a tree), and cannot be due to anything that TypeScript does.
 *
 * usage: growth scattered|areas ROUNDS SIZE...
 * prints a JSON array: nanoseconds per run by size, the fastest of the rounds
 */
#define _GNU_SOURCE
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void *take(size_t count, size_t size)
{
	void *taken = calloc(count, size);

	if (!taken)
		abort();
	return taken;
}

/* 0..count-1 in an order that is always the same. */
static uint32_t *shuffled(uint32_t count)
{
	uint32_t *order = take(count, sizeof(*order));
	uint32_t state = 12345, i;

	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i > 0; i--) {
		uint32_t j, swap;

		state = state * 1103515245u + 12345u;
		j = ((uint64_t)state * (i + 1)) >> 32;
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	return order;
}

/* Maps and unmaps pages whose frames are anywhere: plain arrays for frames, pins and IOPTEs. */
static double scattered(uint32_t pages, const uint32_t *order)
{
	static uint64_t *frames, *ioptes;
	static uint32_t *pins, size;
	double from;
	uint32_t i;

	if (size != pages) {
		free(frames);
		free(ioptes);
		free(pins);
		frames = take(pages, sizeof(*frames));
		ioptes = take(pages, sizeof(*ioptes));
		pins = take(pages + 1, sizeof(*pins));
		for (i = 0; i < pages; i++) {
			frames[order[i]] = i + 1;
			pins[i + 1] = 1;
		}
		size = pages;
	}
	from = now();
	for (i = 0; i < pages; i++) {
		if (!pins[frames[i]] || ioptes[i])
			abort();
		pins[frames[i]] += 2;
		ioptes[i] = frames[i] * 8 + 3;
	}
	for (i = 0; i < pages; i++) {
		if (pins[ioptes[i] / 8] < 2)
			abort();
		pins[ioptes[i] / 8] -= 2;
		ioptes[i] = 0;
	}
	return now() - from;
}

/* What an area needs beside its bounds: as much as an iopt_area with its iopt_pages has here. */
struct area {
	uint64_t first, last;
	struct pages {
		uint64_t first_page, length;
		char rest[96];
	} *pages;
	char rest[96];
};

/* Areas that overlap are equal. */
static int compare(const void *a, const void *b)
{
	const struct area *left = a, *right = b;

	if (left->last < right->first)
		return -1;
	return left->first > right->last;
}

/* Maps and unmaps areas of a page in random order: objects in the red-black tree of libc. */
static double areas(uint32_t count, const uint32_t *order)
{
	void *root = NULL;
	double from = now();
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct area *area = take(1, sizeof(*area));

		area->pages = take(1, sizeof(*area->pages));
		area->pages->first_page = order[i];
		area->first = (1ull << 40) + order[i] * 4096ull;
		area->last = area->first + 4095;
		if (*(struct area **)tsearch(area, &root, compare) != area)
			abort();
	}
	for (i = 0; i < count; i++) {
		struct area wanted = { .first = (1ull << 40) + order[i] * 4096ull };
		struct area **found;
		struct area *area;

		wanted.last = wanted.first + 4095;
		found = tfind(&wanted, &root, compare);
		if (!found || (*found)->first < wanted.first || (*found)->last > wanted.last)
			abort();
		area = *found;
		tdelete(area, &root, compare);
		free(area->pages);
		free(area);
	}
	if (root)
		abort();
	return now() - from;
}

int main(int argc, char **argv)
{
	int is_areas = argc > 1 && !strcmp(argv[1], "areas");
	int rounds = argc > 2 ? atoi(argv[2]) : 1;
	int i, round, run;

	for (i = 3; i < argc; i++) {
		uint32_t size = strtoul(argv[i], NULL, 0);
		uint32_t *order = shuffled(size);
		/* A round is long enough for the clock. */
		int runs = size < 65536 ? 65536 / size : 1;
		double least = 0;

		for (round = 0; round < rounds; round++) {
			double time = 0;

			for (run = 0; run < runs; run++)
				time += is_areas ? areas(size, order) : scattered(size, order);
			if (least == 0 || time < least)
				least = time;
		}
		printf("%s%.1f", i == 3 ? "[" : ",", least / runs);
		free(order);
	}
	printf("]\n");
	return 0;
}
