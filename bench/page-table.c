/*
 * The yardstick of bench/table.ts: the page table that a C programmer would write, 4 levels of
 * 512 entries in nodes of 4 KiB, with counts of entries in use, so that empty levels are freed.
 * The timing loops are in here, so nothing between two processes is measured.
 *
 * usage: page-table PAGES ROUNDS
 * prints one JSON object: nanoseconds per page, the fastest of the rounds
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS 512
#define LEVELS 4

struct node {
	uint64_t slot[SLOTS];
};

/* A header beside each node, as struct page is beside a page. */
struct header {
	struct node *node;
	unsigned int used;
	struct header *child[SLOTS];
};

static struct header *root, *free_leaves, *free_directories;

static struct header *take(int level)
{
	struct header **list = level ? &free_directories : &free_leaves;
	struct header *taken = *list;

	if (taken) {
		*list = taken->child[0];
		taken->child[0] = NULL;
		return taken;
	}
	taken = calloc(1, level ? sizeof(*taken) : sizeof(*taken) - sizeof(taken->child) + 8);
	taken->node = level ? NULL : calloc(1, sizeof(struct node));
	return taken;
}

static void give(struct header *given, int level)
{
	struct header **list = level ? &free_directories : &free_leaves;

	given->child[0] = *list;
	*list = given;
}

static unsigned int slot_of(uint64_t page, int level)
{
	return (page >> (9 * level)) & (SLOTS - 1);
}

static struct header *find_leaf(uint64_t page)
{
	struct header *node = root;
	int level;

	for (level = LEVELS - 1; node && level > 0; level--)
		node = node->child[slot_of(page, level)];
	return node;
}

static struct header *make_leaf(uint64_t page)
{
	struct header *node = root;
	int level;

	for (level = LEVELS - 1; level > 0; level--) {
		struct header **child = &node->child[slot_of(page, level)];

		if (!*child) {
			*child = take(level - 1);
			node->used++;
		}
		node = *child;
	}
	return node;
}

static void free_leaf(uint64_t page)
{
	struct header *path[LEVELS];
	int level;

	path[LEVELS - 1] = root;
	for (level = LEVELS - 1; level > 0; level--)
		path[level - 1] = path[level]->child[slot_of(page, level)];
	for (level = 0; level < LEVELS - 1 && !path[level]->used; level++) {
		give(path[level], level);
		path[level + 1]->child[slot_of(page, level + 1)] = NULL;
		path[level + 1]->used--;
	}
}

__attribute__((noinline)) static void map_range(uint64_t page, uint64_t count, uint64_t entry)
{
	while (count) {
		struct header *leaf = make_leaf(page);
		uint64_t *slot = leaf->node->slot + slot_of(page, 0);
		uint64_t slots = SLOTS - slot_of(page, 0);
		unsigned int present = 0;
		uint64_t i;

		if (slots > count)
			slots = count;
		for (i = 0; i < slots; i++) {
			present += slot[i] != 0;
			slot[i] = entry;
			entry += 8;
		}
		if (present)
			abort();
		leaf->used += slots;
		page += slots;
		count -= slots;
	}
}

__attribute__((noinline)) static void unmap_range(uint64_t page, uint64_t count)
{
	while (count) {
		struct header *leaf = find_leaf(page);
		uint64_t slots = SLOTS - slot_of(page, 0);
		unsigned int absent = 0;
		uint64_t *slot;
		uint64_t i;

		if (!leaf)
			abort();
		slot = leaf->node->slot + slot_of(page, 0);
		if (slots > count)
			slots = count;
		for (i = 0; i < slots; i++) {
			absent += slot[i] == 0;
			slot[i] = 0;
		}
		if (absent)
			abort();
		leaf->used -= slots;
		if (!leaf->used)
			free_leaf(page);
		page += slots;
		count -= slots;
	}
}

__attribute__((noinline)) static uint64_t look_up(uint64_t page)
{
	struct header *leaf = find_leaf(page);

	return leaf ? leaf->node->slot[slot_of(page, 0)] : 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void keep_least(double *least, double value)
{
	if (*least == 0 || value < *least)
		*least = value;
}

int main(int argc, char **argv)
{
	uint64_t pages = argc > 1 ? strtoull(argv[1], NULL, 0) : 262144;
	int rounds = argc > 2 ? atoi(argv[2]) : 5;
	const uint64_t base = 0x8123c0000 & ~(uint64_t)(SLOTS - 1);
	double map = 0, unmap = 0, one = 0, sequential = 0, random = 0, from;
	uint32_t *order = malloc(pages * sizeof(*order));
	volatile uint64_t sink;
	uint32_t state = 12345;
	uint64_t i, sum;
	int round;

	root = take(LEVELS - 1);
	for (i = 0; i < pages; i++)
		order[i] = i;
	for (i = pages - 1; i > 0; i--) {
		uint32_t j, swap;

		state = state * 1103515245u + 12345u;
		j = ((uint64_t)state * (i + 1)) >> 32;
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	for (round = 0; round < rounds; round++) {
		from = now();
		map_range(base, pages, 8);
		keep_least(&map, (now() - from) / pages);

		from = now();
		for (sum = 0, i = 0; i < pages; i++)
			sum += look_up(base + i);
		sink = sum;
		keep_least(&sequential, (now() - from) / pages);

		from = now();
		for (sum = 0, i = 0; i < pages; i++)
			sum += look_up(base + order[i]);
		sink = sum;
		keep_least(&random, (now() - from) / pages);

		from = now();
		unmap_range(base, pages);
		keep_least(&unmap, (now() - from) / pages);

		from = now();
		for (i = 0; i < pages; i++)
			map_range(base + i, 1, 8 * i + 8);
		keep_least(&one, (now() - from) / pages);
		unmap_range(base, pages);
	}
	(void)sink;
	printf("{\"map\":%.4f,\"unmap\":%.4f,\"mapOne\":%.4f,\"lookUp\":%.4f,\"lookUpRandom\":%.4f}\n",
	       map, unmap, one, sequential, random);
	return 0;
}
