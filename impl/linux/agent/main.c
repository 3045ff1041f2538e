#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent.h"

#define PORT "/dev/vport0p1"

struct shared *shared;

static void mount_all(void)
{
	static const char *const MOUNTS[][2] = {
		{ "devtmpfs", "/dev" },
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "debugfs", "/sys/kernel/debug" },
	};

	for (size_t i = 0; i < sizeof(MOUNTS) / sizeof(MOUNTS[0]); i++) {
		mkdir(MOUNTS[i][1], 0755);
		mount(MOUNTS[i][0], MOUNTS[i][1], MOUNTS[i][0], 0, NULL);
	}
}

/* The kernel has no driver that comes late: waiting is for the very slow host only. */
static int open_port(void)
{
	for (int tries = 0; tries < 1000; tries++) {
		int port = open(PORT, O_RDWR | O_CLOEXEC);

		if (port >= 0)
			return port;
		usleep(10000);
	}
	return -1;
}

/* TEST_CMD is unknown, ENOTTY, where the mock driver is not built in. */
static bool has_mock(void)
{
	uint8_t arg[72] = { 72 };
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	bool has = fd >= 0 && !(ioctl(fd, 0x3ba0, arg) != 0 && errno == ENOTTY);

	if (fd >= 0)
		close(fd);
	return has;
}

/* Text of "name value" lines, for the host to hold against the platform of a trace. */
static bool say_hello(int port)
{
	static char text[8192];
	struct utsname uts;
	int length;

	uname(&uts);
	length = snprintf(text, sizeof(text), "kernel %s\niommufd %d\nmock %d\n", uts.release,
			  access("/dev/iommu", R_OK) == 0, has_mock());
	length += describe_devices(text + length, sizeof(text) - (size_t)length);
	struct iovec part = { text, (size_t)length };

	return send_frame(port, FRAME_HELLO, &part, 1);
}

/* There is nothing to come back to: without a host the machine has no reason to be. */
static void power_off(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

int main(void)
{
	int port;

	mount_all();
	port = open_port();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (port < 0 || shared == MAP_FAILED)
		power_off();
	find_devices();
	open_log();
	allow_faults();
	give_access_to_all();
	if (!say_hello(port))
		power_off();

	while (serve_trace(port))
		;
	power_off();
}
