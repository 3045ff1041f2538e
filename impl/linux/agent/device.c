#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"

/* QEMU's edu device (docs/specs/edu in QEMU): registers, and a buffer of 4 KiB for DMA. */
#define EDU_ID "1234 11e8"
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_DESTINATION 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_RUN 1ull
#define EDU_DMA_TO_MEMORY 2ull
#define EDU_BUFFER 0x40000ull
#define EDU_REGISTERS 0x1000

/*
 * A trace starts with a device buffer of 64 zero bytes, and nothing can be told to clear one. So
 * each trace takes a piece of the 4 KiB that none has had before. The last one stays unused: QEMU
 * aborts when a transfer reaches the end.
 */
#define PIECE 64u
#define PIECES 63u

/* linux/vfio.h, as far as it is needed here. */
#define VFIO_DEVICE_GET_REGION_INFO 0x3b6c
#define VFIO_REGION_BAR0 0
#define VFIO_REGION_CONFIG 7
#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4

#define DRIVER "/sys/bus/pci/drivers/vfio-pci"
#define MAX_DEVICES 16

static struct {
	char address[32];
	char node[300];
	int group;
} devices[MAX_DEVICES];
static unsigned device_count;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	write_all(fd, text, strlen(text));
	close(fd);
}

static int by_vfio(const struct dirent *entry)
{
	return strncmp(entry->d_name, "vfio", 4) == 0;
}

static int by_address(const struct dirent *entry)
{
	return strncmp(entry->d_name, "0000:", 5) == 0;
}

static int group_of(const char *address)
{
	char path[300], target[300];
	ssize_t length;
	char *slash;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -1;
	target[length] = '\0';
	slash = strrchr(target, '/');
	return slash == NULL ? -1 : atoi(slash + 1);
}

/* The devices in the order of their addresses, which is the one that platforms count in. */
int find_devices(void)
{
	struct dirent **found;
	int count;

	write_file(DRIVER "/new_id", EDU_ID);
	count = scandir(DRIVER, &found, by_address, alphasort);
	for (int i = 0; i < count && device_count < MAX_DEVICES; i++) {
		char path[600];
		struct dirent **nodes;

		snprintf(path, sizeof(path), DRIVER "/%s/vfio-dev", found[i]->d_name);
		if (scandir(path, &nodes, by_vfio, alphasort) < 1)
			continue;
		snprintf(devices[device_count].node, sizeof(devices[0].node),
			 "/dev/vfio/devices/%s", nodes[0]->d_name);
		snprintf(devices[device_count].address, sizeof(devices[0].address), "%.31s",
			 found[i]->d_name);
		devices[device_count].group = group_of(found[i]->d_name);
		device_count++;
	}
	return (int)device_count;
}

int describe_devices(char *text, size_t room)
{
	int length = 0;

	for (unsigned i = 0; i < device_count && (size_t)length < room; i++)
		length += snprintf(text + length, room - (size_t)length, "device %s group %d\n",
				   devices[i].address, devices[i].group);
	return length;
}

void do_device_open(uint32_t device, struct answer *answer)
{
	int fd;

	if (device >= device_count) {
		answer->error = ENOSYS;
		return;
	}
	fd = open(devices[device].node, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		answer->error = errno;
		return;
	}
	put32(answer->bytes, (uint32_t)add_file(fd, OF_DEVICES + (int)device));
	answer->length = 4;
}

struct region_info {
	uint32_t argsz, flags, index, cap_offset;
	uint64_t size, offset;
};

static bool region_of(int fd, uint32_t index, struct region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	return ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, info) == 0;
}

/* Lets the device answer and master the bus; only its registers remain to be reached. */
static volatile uint64_t *registers_of(int fd)
{
	struct region_info config, bar;
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	void *registers;

	if (!region_of(fd, VFIO_REGION_CONFIG, &config) || !region_of(fd, VFIO_REGION_BAR0, &bar))
		return NULL;
	if (pwrite(fd, &command, sizeof(command), (off_t)config.offset + PCI_COMMAND) !=
	    sizeof(command))
		return NULL;
	registers = mmap(NULL, EDU_REGISTERS, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 (off_t)bar.offset);
	return registers == MAP_FAILED ? NULL : registers;
}

/* number s32, to_memory u8, 3 bytes of nothing, iova u64, length u32, offset u32 */
void do_dma(const uint8_t *body, struct answer *answer)
{
	int32_t number = (int32_t)get32(body);
	bool to_memory = body[4] != 0;
	uint64_t iova = get64(body + 8), here;
	uint32_t length = get32(body + 16), offset = get32(body + 20);
	int fd = real_fd(number, OF_DEVICES), device = device_of(number);
	volatile uint64_t *registers;

	if (fd < 0) {
		answer->error = EBADF;
		return;
	}
	/* Fails before BIND: then nobody gets at the device. */
	registers = registers_of(fd);
	if (registers == NULL || (uint64_t)offset + length > PIECE) {
		answer->error = EINVAL;
	} else if (length > 0) {
		if (!shared->piece_taken[device]) {
			if (shared->next_piece[device] == PIECES) {
				shared->status = STATUS_EXHAUSTED;
				return;
			}
			shared->piece_taken[device] = 1;
			shared->next_piece[device]++;
		}
		here = EDU_BUFFER + (shared->next_piece[device] - 1) * PIECE + offset;
		registers[EDU_DMA_SOURCE / 8] = to_memory ? here : iova;
		registers[EDU_DMA_DESTINATION / 8] = to_memory ? iova : here;
		registers[EDU_DMA_COUNT / 8] = length;
		registers[EDU_DMA_COMMAND / 8] = EDU_DMA_RUN | (to_memory ? EDU_DMA_TO_MEMORY : 0);
		/* It takes a tenth of a second; each look is a trip to the device. */
		while (registers[EDU_DMA_COMMAND / 8] & EDU_DMA_RUN)
			usleep(10000);
	}
	if (registers != NULL)
		munmap((void *)(uintptr_t)registers, EDU_REGISTERS);
}
