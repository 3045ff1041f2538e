#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"

#define DEVICES "/dev/vfio/devices"

/* Who may open a device is not what a trace is about; how much a process may lock is. */
void give_access_to_all(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	DIR *devices = opendir(DEVICES);
	const struct dirent *entry;

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	chmod("/dev/iommu", 0666);
	chmod("/dev/vfio", 0755);
	while (devices != NULL && (entry = readdir(devices)) != NULL) {
		char path[300];

		snprintf(path, sizeof(path), DEVICES "/%s", entry->d_name);
		if (entry->d_name[0] != '.')
			chmod(path, 0666);
	}
	if (devices != NULL)
		closedir(devices);
}

int do_set_memlock(uint64_t soft, uint64_t hard)
{
	struct rlimit limit = { soft, hard };

	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 ? 0 : errno;
}

/* Leaving root takes all capabilities away. */
int do_set_uid(uint32_t uid)
{
	return setuid(uid) == 0 ? 0 : errno;
}
