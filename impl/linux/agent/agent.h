/*
 * The agent: init of the guest, and the one that makes a trace's calls there.
 *
 * The host sends a whole trace in one frame (protocol.ts says how) and gets all answers in one.
 * A trace runs in a process of its own, the worker, so that everything it opened or mapped is
 * gone with it; the supervisor (process 1) forks it and outlives it.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum frame {
	FRAME_RUN = 0x01,
	FRAME_HELLO = 0x81,
	FRAME_DONE = 0x82,
	/* One answer, sent at once; only when a run asks for it (RUN_STEPWISE). */
	FRAME_ANSWER = 0x83,
};

enum run_flags {
	RUN_STEPWISE = 1,
	/* Where the memory of the trace lies physically; neither: wherever the kernel puts it. */
	RUN_CONTIGUOUS = 2,
	RUN_SCATTERED = 4,
	/* Answers first of all how it lies: pairs of neighbours u32, all pairs u32. */
	RUN_LAYOUT = 8,
	/* The trace may have more than one process. */
	RUN_PROCESSES = 16,
};

enum run_status {
	STATUS_OK = 0,
	/* The worker died without the kernel saying anything. `detail`: its wait status. */
	STATUS_WORKER_DIED = 1,
	/* The machine lacks what the trace needs. `detail`: index of the call; ~0: for its memory. */
	STATUS_CANNOT = 2,
	/* The buffers of the devices are used up: only a new machine has fresh ones. */
	STATUS_EXHAUSTED = 3,
	/* A call does not come back; `detail`: its index. The machine is of no more use. */
	STATUS_HUNG = 4,
};

enum op {
	OP_OPEN = 1,
	OP_CLOSE,
	OP_IOCTL,
	OP_MMAP,
	OP_MUNMAP,
	OP_MPROTECT,
	OP_MEM_WRITE,
	OP_MEM_READ,
	OP_PAGE_REFS,
	OP_PROC_STATUS,
	OP_DEVICE_OPEN,
	OP_DEVICE_CLOSE,
	OP_DMA,
	OP_NUMBER_IOCTL,
	OP_FILE_READ,
	OP_FILE_WRITE,
	OP_FILE_POLL,
	OP_FILE_CLOSE,
	OP_SET_MEMLOCK,
	OP_SET_UID,
	OP_DUP,
	OP_FORK,
	OP_EXIT,
};

/* What a file is of; from OF_DEVICES on, the index of the device is added. */
enum file_kind { OF_IOMMUFD = 0, OF_ACCESS = 1, OF_FAULTS = 2, OF_DEVICES = 3 };
/*
 * Memory at the pointer in the struct: none, given by the host, filled in by the kernel, or given
 * and then changed.
 */
enum ioctl_array { ARRAY_NONE = 0, ARRAY_IN = 1, ARRAY_OUT = 2, ARRAY_IN_OUT = 3 };
/* Where the struct itself is: anywhere, or up to the end of memory that allows just this. */
enum ioctl_memory { MEMORY_ANY = 0, MEMORY_RW = 1, MEMORY_R = 2, MEMORY_NONE = 3 };

enum prot { PROT_OF_NONE = 0, PROT_OF_R = 1, PROT_OF_RW = 2 };
enum backing { ANON_SHARED = 0, ANON_PRIVATE = 1, MEMFD = 2 };

/* Where arrays that calls read or write live; as SCRATCH in spec/platform.ts. */
#define SCRATCH_VA 0x100000000ull
#define SCRATCH_LENGTH 0x10000ull
#define SCRATCH_END (SCRATCH_VA + SCRATCH_LENGTH)
/* What fills memory that the kernel is to write. */
#define POISON 0xa5

/* Numbers of VFIO_BIND that are not a file of the trace; as in spec/calls.ts. */
#define FD_NOT_AN_IOMMUFD 0x7fff0001

/* One answer while it is being made. */
struct answer {
	int32_t error;
	uint32_t length;
	uint8_t *bytes;
	/* Bytes that fit. */
	uint32_t room;
};

#define MAX_SLOTS 65536
#define MAX_PROCESSES 8

/* What a later call can use of an earlier one's outputs. A call that failed leaves none. */
struct slot {
	uint64_t value;
	bool valid;
};

/* How a worker ends when the host has gone. */
#define EXIT_HANGUP 42

/* What supervisor and all processes of a trace share: the only memory that outlives these. */
struct shared {
	/* Of the run, for its answer. */
	uint32_t id;
	uint32_t answered;
	uint32_t status;
	uint32_t detail;
	/* Bytes used in `answers`. */
	uint32_t length;
	/* Index of the call during which the kernel complained; ~0: it did not. */
	uint32_t log_call;
	uint32_t log_length;
	/* Faults that were asked for and came to pass. */
	uint32_t faults;
	char log[32 * 1024];
	/* Files that were opened: their numbers mean the same in all processes. */
	int32_t files;
	/* Processes of the trace by index; 0: there never was one. */
	int32_t pids[MAX_PROCESSES];
	/* The trace has set the memory limit of the mock driver. */
	bool limited;
	/* A process has made its EXIT. */
	bool exited;
	uint32_t used_slots;
	struct slot slots[MAX_SLOTS];
	/* Next untouched piece of each device's buffer, and whether this trace has taken it. */
	uint32_t next_piece[16];
	uint8_t piece_taken[16];
	/* A frame on its way to the host. */
	uint8_t outgoing[32 * 1024];
	uint8_t answers[8 * 1024 * 1024];
};

extern struct shared *shared;

/* bytes.c: little-endian values at any alignment. */
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
uint64_t get64(const uint8_t *at);
uint64_t get_sized(const uint8_t *at, unsigned width);
void put32(uint8_t *at, uint32_t value);
void put_sized(uint8_t *at, unsigned width, uint64_t value);
bool write_all(int fd, const void *bytes, size_t length);
bool read_all(int fd, void *bytes, size_t length);
bool send_frame(int port, uint32_t type, const struct iovec *parts, int count);

/* memory.c: the address space that the trace sees. */
void catch_faults(void);
bool make_scratch(void);
uint8_t *scratch_end_for(uint32_t length);
void drop_more_scratch(uint32_t length);
bool make_region(const uint8_t *region, bool populate);
int do_mmap(uint64_t va, uint64_t length, int prot, int backing);
int do_munmap(uint64_t va, uint64_t length);
int do_mprotect(uint64_t va, uint64_t length, int prot);
int guarded_store(uint64_t va, const uint8_t *bytes, uint32_t length);
int guarded_load(uint64_t va, uint8_t *bytes, uint32_t length);

/* pages.c: where that memory lies physically. */
bool arrange_frames(bool scattered);
void count_neighbours(uint64_t va, uint64_t length, uint32_t *neighbours, uint32_t *pairs);

/* fault.c: allocations that fail on demand. */
void allow_faults(void);
bool arm_fault(uint32_t nth);
bool disarm_fault(void);
void forget_faults(void);

/* calls.c: the files of a trace, and probes. */
int real_fd(int32_t number, int kind);
int translate_file(int32_t number);
int add_file(int fd, int kind);
int device_of(int32_t number);
void do_open(struct answer *answer);
void do_dup(int32_t number, struct answer *answer);
void do_close(int32_t number, int kind, struct answer *answer);
void do_page_refs(const uint8_t *body, struct answer *answer);
void do_proc_status(struct answer *answer);
void forget_status(void);

/* limit.c: what the mock driver allocates at a time. */
void note_limit(uint32_t command, const uint8_t *arg, size_t size);
bool give_back_limit(void);

/* ioctl.c: ioctls on any of the files. */
void do_ioctl(uint8_t *body, uint32_t length, struct answer *answer);
void do_number_ioctl(const uint8_t *body, struct answer *answer);

/* queue.c: the files of page faults. */
void do_file_read(const uint8_t *body, struct answer *answer);
void do_file_write(const uint8_t *body, uint32_t length, struct answer *answer);
void do_file_poll(const uint8_t *body, struct answer *answer);

/* perform.c: the calls of a trace, made one after the other by whoever is to make them. */
void begin_calls(uint8_t *at, const uint8_t *end, uint32_t count, int port, bool stepwise);
__attribute__((noreturn)) void give_up(enum run_status status, uint32_t detail);
/* The process that makes the next call; -1: all are made. */
int next_process(void);
void make_calls_of(unsigned process);
void answer_for_nobody(void);

/* family.c: traces of several processes. */
void lead_processes(void);
__attribute__((noreturn)) void live_as(unsigned process);
void do_fork(uint32_t child, struct answer *answer);

/* process.c: what the process may do. */
void give_access_to_all(void);
int do_set_memlock(uint64_t soft, uint64_t hard);
int do_set_uid(uint32_t uid);

/* device.c: VFIO devices. */
int find_devices(void);
int describe_devices(char *text, size_t room);
void do_device_open(uint32_t device, struct answer *answer);
void do_dma(const uint8_t *body, struct answer *answer);

/* log.c: what the kernel says of itself. */
void open_log(void);
/* True when it complained since the last look; the text is then in shared->log. */
bool look_at_log(uint32_t call);
void forgive(void);

/* run.c: a trace in a process of its own. */
bool serve_trace(int port);

#endif
