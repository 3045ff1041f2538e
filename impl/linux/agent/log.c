#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

static int kmsg = -1;

void open_log(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

/* How the kernel's complaints about itself begin. */
static const char *const COMPLAINTS[] = {
	"cut here",	    "WARNING: ",      "BUG: ",	       "kernel BUG at ", "KASAN: ",
	"UBSAN: ",	    "Oops: ",	      "refcount_t: ",  "INFO: task ",	 "INFO: rcu",
	"general protection", "soft lockup",  "list_add corruption", "list_del corruption",
};

static bool complains(const char *text)
{
	for (size_t i = 0; i < sizeof(COMPLAINTS) / sizeof(COMPLAINTS[0]); i++)
		if (strstr(text, COMPLAINTS[i]) != NULL)
			return true;
	return false;
}

bool look_at_log(uint32_t call)
{
	char record[2048];
	bool bad = false;

	for (;;) {
		ssize_t got = read(kmsg, record, sizeof(record) - 1);
		const char *text;
		size_t length;

		/* EPIPE: records were lost, and the next read goes on behind them. */
		if (got < 0)
			break;
		record[got] = '\0';
		/* "prefix;text\n KEY=value\n" */
		text = strchr(record, ';');
		text = text == NULL ? record : text + 1;
		length = strcspn(text, "\n");
		if (complains(text)) {
			bad = true;
			if (shared->log_call == ~0u)
				shared->log_call = call;
		}
		/* Nothing before the first complaint is of interest, all after it is. */
		if (shared->log_call == ~0u)
			continue;
		if (shared->log_length + length + 1 > sizeof(shared->log))
			continue;
		memcpy(shared->log + shared->log_length, text, length);
		shared->log_length += (uint32_t)length;
		shared->log[shared->log_length++] = '\n';
	}
	return bad;
}

/* A WARN_ON_ONCE that was seen must be able to fire again, or its trace could not be replayed. */
void forgive(void)
{
	int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	write_all(fd, "1", 1);
	close(fd);
}
