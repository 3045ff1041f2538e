#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "agent.h"

#define IOCTL_HEADER 20
/* The largest is the buffer of VFIO_IOMMU_GET_INFO. */
#define MAX_STRUCT 512
#define MAX_ARRAY (1u << 20)
/* Of the two calls that make a file the one whose file is no access. */
#define FAULT_QUEUE_ALLOC 0x3b8e

/* The header of an ioctl; see do_ioctl. */
struct header {
	int32_t number;
	uint32_t command, array_length;
	uint16_t size;
	uint8_t kind, array, file_in, file_out, pointer, memory;
};

static struct header header_of(const uint8_t *body)
{
	return (struct header){
		.number = (int32_t)get32(body),
		.command = get32(body + 4),
		.size = get16(body + 8),
		.kind = body[10],
		.array = body[11],
		.array_length = get32(body + 12),
		.file_in = body[16],
		.file_out = body[17],
		.pointer = body[18],
		.memory = body[19],
	};
}

static bool in_scratch(uint64_t va)
{
	return va >= SCRATCH_VA && va < SCRATCH_END;
}

/*
 * An array must end where scratch memory does, so that the element behind it faults. A trace that
 * says how much is at its pointer is taken at its word, wherever the shrinker has moved that to;
 * a pointer to nothing is passed on as it is. A bitmap stays where the trace has it, because it
 * may cross a page there.
 */
static uint8_t *place_array(uint8_t *arg, const struct header *h)
{
	uint64_t va = get64(arg + h->pointer);

	if (h->array_length == 0 && !in_scratch(va))
		return NULL;
	if (h->array == ARRAY_IN_OUT && h->array_length > 0 && in_scratch(va) &&
	    va + h->array_length <= SCRATCH_END)
		return (uint8_t *)(uintptr_t)va;
	return scratch_end_for(h->array_length);
}

static uint8_t filled_with(const struct header *h, const uint8_t *given, uint32_t i)
{
	return h->array == ARRAY_OUT ? POISON : given[i];
}

#define WORD 8u

/* The same of the eight bytes from `i` on. */
static uint64_t word_filled_with(const struct header *h, const uint8_t *given, uint32_t i)
{
	return h->array == ARRAY_OUT ? 0x0101010101010101ull * POISON : get64(given + i);
}

/* How far memory is not what it was filled with; mostly it has been left alone. */
static uint32_t written_of(const struct header *h, const uint8_t *array, const uint8_t *given)
{
	uint32_t end = h->array_length;

	while (end >= WORD && get64(array + end - WORD) == word_filled_with(h, given, end - WORD))
		end -= WORD;
	while (end > 0 && array[end - 1] == filled_with(h, given, end - 1))
		end--;
	return end;
}

/* The struct as the trace knows it: with numbers of the trace where the kernel has its own. */
static void own_numbers(const struct header *h, uint8_t *arg, const uint8_t *own, bool succeeded)
{
	if (h->file_in > 0)
		memcpy(arg + h->file_in, own + h->file_in, 4);
	if (h->pointer > 0)
		memcpy(arg + h->pointer, own + h->pointer, 8);
	if (h->file_out > 0 && succeeded) {
		int kind = h->command == FAULT_QUEUE_ALLOC ? OF_FAULTS : OF_ACCESS;

		put32(arg + h->file_out,
		      (uint32_t)add_file((int)get32(arg + h->file_out), kind));
	}
}

/* From an argument to the end of scratch memory; what lies before it may be gone. */
static void protect(const uint8_t *arg, int prot)
{
	uintptr_t first = (uintptr_t)arg & ~(uintptr_t)0xfff;

	mprotect((void *)first, SCRATCH_END - first, prot);
}

/* The error of the call; what it left of the struct is in `after`. */
static int call_on(const struct header *h, uint8_t *given, uint8_t *after)
{
	int fd = real_fd(h->number, h->kind), result;
	uint8_t *arg = after;

	if (h->memory == MEMORY_NONE)
		return ioctl(fd, h->command, get64(given)) < 0 ? errno : 0;
	if (h->memory != MEMORY_ANY)
		arg = (uint8_t *)(uintptr_t)(SCRATCH_END - h->size);
	memmove(arg, given, h->size);
	note_limit(h->command, given, h->size);
	if (h->memory == MEMORY_R)
		protect(arg, PROT_READ);
	result = ioctl(fd, h->command, arg) < 0 ? errno : 0;
	if (h->memory == MEMORY_R)
		protect(arg, PROT_READ | PROT_WRITE);
	memmove(after, arg, h->size);
	return result;
}

/*
 * number s32, command u32, size u16, kind of the file u8, array u8, array_length u32; offsets in
 * the struct, 0 where there is none: of a file given u8, of a file that comes out u8, of the
 * pointer u8; memory u8; struct, array. With MEMORY_NONE the struct is a u64, the pointer itself.
 * Answers the struct, and behind it as much of an array that the kernel may write as was written.
 */
void do_ioctl(uint8_t *body, uint32_t length, struct answer *answer)
{
	struct header h = header_of(body);
	uint8_t *given = body + IOCTL_HEADER, *array = NULL, *after = answer->bytes;
	uint8_t *array_given = given + h.size;
	uint32_t sent = h.array == ARRAY_IN || h.array == ARRAY_IN_OUT ? h.array_length : 0;
	uint8_t own[MAX_STRUCT];
	uint32_t written = 0;

	if (IOCTL_HEADER + h.size + sent > length || h.array_length > MAX_ARRAY ||
	    h.size + h.array_length > answer->room ||
	    (h.memory == MEMORY_ANY && h.size > MAX_STRUCT)) {
		answer->error = ENOSYS;
		return;
	}
	memcpy(own, given, h.size < sizeof(own) ? h.size : sizeof(own));
	if (h.array != ARRAY_NONE && h.pointer > 0) {
		array = place_array(given, &h);
		if (array != NULL) {
			uint64_t va = (uintptr_t)array;

			memcpy(given + h.pointer, &va, sizeof(va));
			if (h.array == ARRAY_OUT)
				memset(array, POISON, h.array_length);
			else
				memcpy(array, array_given, h.array_length);
		}
	}
	if (h.file_in > 0)
		put32(given + h.file_in,
		      (uint32_t)translate_file((int32_t)get32(given + h.file_in)));
	answer->error = call_on(&h, given, after);
	if (h.memory == MEMORY_NONE)
		return;
	if (array != NULL && h.array != ARRAY_IN)
		written = written_of(&h, array, array_given);
	/* A failed call mostly writes nothing: then there is nothing to tell. */
	if (answer->error == 0 || written > 0 || memcmp(after, given, h.size) != 0) {
		own_numbers(&h, after, own, answer->error == 0);
		memcpy(after + h.size, array, written);
		answer->length = h.size + written;
	}
	drop_more_scratch(h.array_length);
}

/* number s32, command u32, argument u64; answers what the ioctl returns, u32. */
void do_number_ioctl(const uint8_t *body, struct answer *answer)
{
	int fd = real_fd((int32_t)get32(body), OF_IOMMUFD);
	int result = ioctl(fd, get32(body + 4), get64(body + 8));

	if (result < 0) {
		answer->error = errno;
		return;
	}
	put32(answer->bytes, (uint32_t)result);
	answer->length = 4;
}
