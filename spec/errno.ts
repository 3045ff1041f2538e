/**
 * The errnos of the uAPI with their numbers on x86-64 Linux.
 * Files and code use the names; numbers matter only where bytes cross a boundary.
 */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EIO: 5,
  E2BIG: 7,
  EBADF: 9,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOTTY: 25,
  ENOSPC: 28,
  ESPIPE: 29,
  EDEADLOCK: 35,
  EBADE: 52,
  EOVERFLOW: 75,
  EBADFD: 77,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
} as const;

export type Errno = keyof typeof ERRNO;

export const isErrno = (name: string): name is Errno => Object.hasOwn(ERRNO, name);
